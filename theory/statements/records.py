"""What became of each proof, kept in a file so that it is gone through once and not every time.

A record is taken for one of today's code only if it was made by it: by these source files of
`theory`, this sympy, this mpmath and this Python. It is taken for whole only if its digest is that
of its content. Everything else is proved again. The digest guards against damage, not against
forging: whoever can write the file can write the code as well.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from theory.proving.theorem import Proof, Theorem

SOURCES = Path(__file__).parents[1]


class StepRecord(NamedTuple):
    """A step: "identity", "sign" or "lemma"; its claim; whether and why it was accepted."""

    kind: str
    claim: str
    accepted: bool
    reason: str


@dataclass(frozen=True)
class ProofRecord:
    """A proof that was gone through, as plain data.

    Fields: `id` of the theorem; `steps`, in order; `control`, its claim; `refuted`, whether a point
    was found at which the control is false; `refusal`, why it is refused; `digest`, the SHA-256 of
    all this and of the code that found it.
    """

    id: str
    steps: tuple[StepRecord, ...]
    control: str
    refuted: bool
    refusal: str
    digest: str

    @property
    def proved(self) -> bool:
        """Every step accepted, one of them by the machine, and the control refuted at a point."""
        machine = any(step.kind != "lemma" for step in self.steps)
        return machine and all(step.accepted for step in self.steps) and self.refuted

    @classmethod
    def of(cls, proof: Proof) -> ProofRecord:
        """The record of a proof that has just been gone through."""
        steps = tuple(
            StepRecord(type(step).__name__.lower(), step.claim, outcome.accepted, outcome.reason)
            for step, outcome in zip(proof.steps, proof.outcomes, strict=True)
        )
        control, refusal = proof.control.claim, proof.refusal
        content = _content(proof.theorem.id, steps, control, refusal.false, refusal.reason)
        return cls(**content, digest=_digest(content))


def cache_folder() -> Path | None:
    """$MARKOV_LANDSCAPE_CACHE, else markov-landscape in $XDG_CACHE_HOME or ~/.cache.

    None where there is no home either.
    """
    if own := os.environ.get("MARKOV_LANDSCAPE_CACHE"):
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(shared):  # the XDG specification has a relative one ignored
        return Path(shared) / "markov-landscape"
    try:
        return Path.home() / ".cache" / "markov-landscape"
    except RuntimeError:
        return None


@cache
def proof_record(name: str) -> ProofRecord:
    """What became of the proof of a theorem, from the cache, or found now and put there.

    A process that wants the proof that another is going through waits for its record. A cache that
    cannot be written is done without. Reading one loads no sympy. The proof of a theorem that was
    registered from elsewhere is neither looked for in the cache nor kept there.
    Raises ValueError for an unknown id, naming the nearest.

    >>> proof_record("entropies").proved
    True
    """
    if (record := _recall(name)) is not None:
        return record
    from theory.proving.theorem import prove
    from theory.statements.registry import THEOREM_IDS, theorem

    found = theorem(name)
    if name not in THEOREM_IDS:
        return ProofRecord.of(prove(found))
    with _alone(name):
        if (record := _recall(name)) is None:
            record = ProofRecord.of(prove(found))
            remember(record)
    return record


def all_records() -> tuple[ProofRecord, ...]:
    """The records of all theorems, in the order of the registry."""
    from theory.statements.registry import THEOREM_IDS

    return tuple(proof_record(name) for name in THEOREM_IDS)


def remember(record: ProofRecord) -> None:
    """Put a record into the cache under its final name, whole, if the folder can be written.

    Not if a source was edited since this process started: the record is then of neither code.
    """
    path = _path(record.id)
    if path is None or code_key() != KEY:
        return
    content = _content(*(getattr(record, name) for name in FIELDS))
    text = json.dumps({**content, "key": KEY, "digest": record.digest}, indent=1)
    partial = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_text(text + "\n", "utf-8")
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError:
        return


def code_key() -> str:
    """The SHA-256 of the source files of `theory` and of the versions that they run on."""
    running = [f"{name} {version(name)}" for name in ("sympy", "mpmath")]
    total = hashlib.sha256("\n".join([*running, platform.python_version()]).encode())
    for path in sorted(SOURCES.rglob("*.py")):
        name, text = path.relative_to(SOURCES).as_posix(), path.read_bytes()
        total.update(f"\n{name} {len(text)}\n".encode() + text)
    return total.hexdigest()


KEY = code_key()
"""Of the code in memory, taken as it is loaded: later edits of the files do not change it."""

FIELDS = ("id", "steps", "control", "refuted", "refusal")


def _content(*values: object) -> dict[str, Any]:
    return dict(zip(FIELDS, values, strict=True))


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps({**content, "key": KEY}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _path(name: str) -> Path | None:
    folder = cache_folder()
    if folder is None or not re.fullmatch(r"[a-z0-9-]+", name):  # it becomes the name of a file
        return None
    return folder / "proofs" / f"{name}.json"


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Hold the folder of the records, if there can be one; the system frees it in any case."""
    path = _path(name)
    handle = None
    try:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path.parent, os.O_RDONLY)
            fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:  # nothing can be remembered there either
        pass
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _recall(name: str) -> ProofRecord | None:
    """The record in the cache, if it is there, of this code, of this theorem, and whole."""
    path = _path(name)
    if path is None:
        return None
    try:
        found = json.loads(path.read_text("utf-8"))
        steps = tuple(StepRecord(*step) for step in found["steps"])
        content = _content(*({**found, "steps": steps}[field] for field in FIELDS))
        record = ProofRecord(**content, digest=found["digest"])
        whole = record.id == name and found["key"] == KEY and record.digest == _digest(content)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return record if whole else None


def with_records(names: Sequence[str] = ()) -> tuple[tuple[Theorem, ProofRecord], ...]:
    """Theorems, all by default, each with what became of its proof.

    Raises ValueError for an unknown id, naming the nearest.
    """
    from theory.statements.registry import THEOREM_IDS, theorem

    chosen = [theorem(name) for name in names or THEOREM_IDS]
    return tuple((found, proof_record(found.id)) for found in chosen)
