"""Figures as files: drawn where they are stale, left alone where they are not."""

from __future__ import annotations

import hashlib
import importlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from matplotlib.figure import Figure

from figures.building.catalogue import Entry
from figures.building.source_hash import source_hash
from figures.output import write_both
from figures.records.inputs import Inputs
from figures.style import styled
from landscape.store.atomic import write_text

__all__ = ["Built", "build", "is_fresh", "macros", "numbers_of"]


@dataclass(frozen=True)
class Built:
    """A figure's files, and whether they had to be drawn.

    Fields:
        name: of the figure.
        status: 'built' or 'fresh'.
        files: PNG and PDF.
        numbers: what its caption may quote, by name, as text.
    """

    name: str
    status: Literal["built", "fresh"]
    files: tuple[Path, Path]
    numbers: dict[str, str]


def build(entry: Entry, inputs: Inputs, out: Path) -> Built:
    """Draw a figure into `out`, unless it is there and nothing that it follows from has changed.

    Beside NAME.pdf and NAME.png a file NAME.json holds the hash of the sources and inputs, the
    hashes of the files, and the numbers for the caption.

    Raises what the script raises, and OSError where the files cannot be written.
    """
    key, files = _key(entry, inputs), _files(entry, out)
    note = _note(entry, out)
    if _holds(note, key, files):
        return Built(entry.name, "fresh", files, note["numbers"])
    script = importlib.import_module(f"figures.paper.{entry.module}")
    record = script.load(inputs)
    figure = Figure()
    with styled():
        script.draw(figure, record)
    numbers = {name: str(value) for name, value in script.numbers(record).items()}
    if bad := [name for name in numbers if not re.fullmatch("[A-Za-z]+", name)]:
        raise ValueError(f"the number {bad[0]!r} is no name for LaTeX: use letters only")
    _mark(out, entry).unlink(missing_ok=True)  # what is half-written is stale
    write_both(figure, out / entry.name)
    note = {"key": key, "files": {path.name: _digest(path) for path in files}, "numbers": numbers}
    write_text(_mark(out, entry), json.dumps(note, indent=1, sort_keys=True) + "\n")
    return Built(entry.name, "built", files, numbers)


def is_fresh(entry: Entry, inputs: Inputs, out: Path) -> bool:
    """Whether `build` would leave the figure alone."""
    return _holds(_note(entry, out), _key(entry, inputs), _files(entry, out))


def numbers_of(entry: Entry, out: Path) -> dict[str, str]:
    """The numbers of a figure that was built into `out`; empty if it was not."""
    return dict(_note(entry, out).get("numbers", {}))


def macros(entries: Iterable[Entry], out: Path) -> str:
    r"""The text of numbers.tex: one macro for each number, named for its figure and itself.

    >>> import tempfile
    >>> macros([], Path(tempfile.mkdtemp()))
    '% Written by `landscape figures`: the numbers that the captions quote.\n'
    """
    lines = ["% Written by `landscape figures`: the numbers that the captions quote."]
    for entry in entries:
        prefix = "".join(part.capitalize() for part in entry.name.split("-"))
        lines += [
            rf"\newcommand{{\fig{prefix}{name[0].upper()}{name[1:]}}}{{{value}}}"
            for name, value in numbers_of(entry, out).items()
        ]
    return "\n".join(lines) + "\n"


def _key(entry: Entry, inputs: Inputs) -> str:
    text = source_hash(f"figures.paper.{entry.module}") + inputs.fingerprint()
    return hashlib.sha256(text.encode()).hexdigest()


def _files(entry: Entry, out: Path) -> tuple[Path, Path]:
    return out / f"{entry.name}.png", out / f"{entry.name}.pdf"


def _mark(out: Path, entry: Entry) -> Path:
    return out / f"{entry.name}.json"


def _note(entry: Entry, out: Path) -> dict[str, Any]:
    try:
        found = json.loads(_mark(out, entry).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _holds(note: dict[str, Any], key: str, files: tuple[Path, Path]) -> bool:
    if note.get("key") != key:
        return False
    hashes = note.get("files", {})
    return all(path.is_file() and hashes.get(path.name) == _digest(path) for path in files)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
