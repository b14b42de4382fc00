"""The theorems as plain data for a page, and what a scan's own checks say of each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from landscape.report.data.cell_file import CellRecord
from landscape.sources.protocol import Exact
from landscape.store.records import Damage, read_record, text_of
from theory.statements.records import ProofRecord, cache_folder, proof_record

if TYPE_CHECKING:
    from landscape.config.scan import ScanConfig
    from landscape.config.source import Source
    from theory.proving.steps import Step
    from theory.proving.theorem import Theorem

TheoremRecord = Mapping[str, Any]
"""A theorem as plain data.

Keys: id, title, statement, source, hypotheses (words), proved, steps and control (each with kind,
claim, where, mathml, reason, and same where both sides of an identity are one expression, which
is then set once; steps with accepted, the control with refuted), applies (ids of the
cells whose source fulfils the hypotheses), kinds (of model, empty for all), tying (None for both)
and checks (pairs of a point and the id of a check that is a consequence of it).
"""

FORM = 4
"""Of the records that are kept; raised where `_set` keeps something else."""


def theorem_records(config: ScanConfig) -> list[TheoremRecord]:
    """Every theorem as plain data, with the cells of a scan that fulfil its hypotheses."""
    from theory.statements.registry import theorems

    return [{**_proof(found), **scope_of(found, config)} for found in theorems()]


def scope_of(found: Theorem, config: ScanConfig) -> dict[str, Any]:
    """The cells of a scan that fulfil a theorem's hypotheses, and what it says of their spectra."""
    return {
        "applies": [cell.id for cell in config.cells() if found.about(_chain(cell.source))],
        "kinds": found.scope.models,
        "tying": found.scope.tying,
        "checks": found.scope.checks,
    }


def _chain(source: Source) -> tuple[Exact, Exact] | None:
    """(p, q) of the two-state chain; None of another source."""
    if source.kind != "binary" or source.p is None or source.q is None:
        return None
    return source.p, source.q


def _proof(found: Theorem) -> dict[str, Any]:
    """A theorem with its proof in MathML, set once for each proof: building steps takes seconds."""
    record = proof_record(found.id)
    folder = cache_folder()
    path = None if folder is None else folder / "pages" / f"{found.id}.json"
    if path is not None:
        kept = _kept(path, record)
        if kept is not None:
            return kept
    theorem = _set(found, record)
    if path is not None:
        from landscape.store.atomic import write_text

        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, text_of({"form": FORM, "proof": record.digest, "theorem": theorem}))
        except OSError:  # a cache that cannot be written is done without
            return theorem
    return theorem


def _kept(path: Path, record: ProofRecord) -> dict[str, Any] | None:
    """The theorem that a file of the cache holds, if it is whole and of today's proof.

    Its mathematics goes into a page as it is, and so must be MathML and nothing else, whoever wrote
    the file.
    """
    try:
        kept = read_record(path, ()).entries
        if (kept["form"], kept["proof"]) != (FORM, record.digest):
            return None
        theorem = dict(kept["theorem"])
        steps = [*theorem["steps"], theorem["control"]]
        return theorem if all(is_mathml(step["mathml"]) for step in steps) else None
    except (Damage, LookupError, TypeError, ValueError):
        return None


NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"

ELEMENTS = re.compile(
    r"math|m[ino]|mtext|mspace|mrow|mfrac|msqrt|mroot|msub|msup|msubsup|munder|mover|munderover|"
    r"mtable|mt[rd]|mstyle|mpadded|mphantom"
)

ATTRIBUTES = re.compile(
    r"display|displaystyle|class|mathvariant|form|[lr]space|width|height|depth|m(in|ax)size|"
    r"symmetric|stretchy|accent|accentunder|fence|separator|columnalign"
)
"""What MathML can be told that neither runs nor loads anything."""


def is_mathml(text: str) -> bool:
    """Whether a text is one `math` element of plain elements and attributes, and nothing else.

    >>> math = '<math xmlns="http://www.w3.org/1998/Math/MathML"><mi>{}</mi></math>'
    >>> is_mathml(math.format("a")), is_mathml(math.format("<script/>"))
    (True, False)
    """
    if "<!" in text or "<?" in text:
        return False
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, RecursionError, ValueError):
        return False
    return root.tag == f"{NAMESPACE}math" and all(
        element.tag.startswith(NAMESPACE)
        and ELEMENTS.fullmatch(element.tag.removeprefix(NAMESPACE))
        and all(map(ATTRIBUTES.fullmatch, element.attrib))
        for element in root.iter()
    )


def _set(found: Theorem, record: ProofRecord) -> dict[str, Any]:
    from theory.export.notation import located

    control = found.control()
    return {
        "id": found.id,
        "title": found.title,
        "statement": found.statement,
        "source": found.source,
        "hypotheses": [hypothesis.words for hypothesis in found.hypotheses],
        "proved": record.proved,
        "steps": [
            {**_step(step), "accepted": outcome.accepted, "reason": outcome.reason}
            for step, outcome in zip(found.steps(), record.steps, strict=True)
        ],
        "control": {
            **_step(control.step, control.claim),
            "refuted": record.refuted,
            "reason": located(control.step, record.refusal),
        },
    }


def _step(step: Step, words: str = "") -> dict[str, Any]:
    from theory.export.mathml import mathml
    from theory.export.notation import kind, where

    claim, same = words or step.claim, _equal(step)
    return {
        "kind": kind(step),
        "claim": claim,
        "where": where(step, claim),
        "mathml": mathml(step, once=same),
        "same": same,
    }


def _equal(step: Step) -> bool:
    """Whether both sides of an identity are one expression as soon as they are written down."""
    from theory.export.notation import relation
    from theory.proving.steps import Identity

    if not isinstance(step, Identity):
        return False
    left, _, right = relation(step)
    return bool(left == right)


def held(theorem: TheoremRecord, records: Sequence[CellRecord]) -> dict[str, int]:
    """How many of the checks that follow from a theorem had each verdict; empty without any.

    >>> held({"checks": [], "applies": [], "kinds": [], "tying": None}, [])
    {}
    """
    return dict(Counter(verdict for _, verdict in _follow(theorem, records)))


def repeats(theorems: Sequence[TheoremRecord], records: Sequence[CellRecord]) -> tuple[int, int]:
    """How many checks follow from a theorem, and how often they count: for each that they follow.

    >>> repeats([], [])
    (0, 0)
    """
    keys = [key for theorem in theorems for key, _ in _follow(theorem, records)]
    return len(set(keys)), len(keys)


def _follow(
    theorem: TheoremRecord, records: Sequence[CellRecord]
) -> Iterator[tuple[tuple[str, str, str], str]]:
    """Cell, point and id of the checks that follow from a theorem, with their verdicts."""
    applies = set(theorem["applies"])
    for record in records:
        model = record.config.model
        fits = record.config.id in applies
        fits &= not theorem["kinds"] or model.kind in theorem["kinds"]
        fits &= theorem["tying"] is None or model.tying == theorem["tying"]
        if not fits:
            continue
        for point, name in theorem["checks"]:
            for check in record.checks.get(point, ()):
                if check["id"] == name and check["verdict"] != "not-applicable":
                    yield (record.config.id, point, name), check["verdict"]
