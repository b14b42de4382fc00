"""Figures as files: drawn where they are stale, left alone where they are not; and their page.

A figure follows from the stored results that it shows, from its script, and from the text of all of
`figures` and `theory` that the script uses. The page, docs/figures.md, sets every figure beside the
published one.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
from PIL import Image

from figures.building.catalogue import Entry, entries
from figures.output import picture, write_both
from figures.records.inputs import Inputs
from figures.style import styled
from landscape.store.atomic import write_text

__all__ = ["Built", "build", "is_fresh", "macros", "page", "write_page"]

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("figures", "theory")
"""Whose text decides what is drawn; the readers of `landscape` are held to what is stored."""


def closure(module: str) -> tuple[str, ...]:
    """The modules of `PACKAGES` that a module imports, directly or not, itself included; sorted.

    >>> [name in closure("figures.output") for name in ("figures.style", "figures.paper.phase")]
    [True, False]
    """
    seen, todo = set[str](), [module]
    while todo:
        name = todo.pop()
        if name not in seen and (path := _file(name)) is not None:
            seen.add(name)
            todo += _imported(path)
    return tuple(sorted(seen))


@cache
def source_hash(module: str) -> str:
    """SHA-256 of the text of the `closure`, and of matplotlib's version.

    >>> source_hash("figures.style") == source_hash("figures.panels.phase_panels")
    False
    """
    digest = hashlib.sha256(mpl.__version__.encode())
    for name in closure(module):
        path = _file(name)
        assert path is not None  # or it would not be in the closure
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _file(module: str) -> Path | None:
    if module.partition(".")[0] not in PACKAGES:
        return None
    base = ROOT / Path(*module.split("."))
    found = (path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file())
    return next(found, None)


@cache
def _imported(path: Path) -> tuple[str, ...]:
    names = list[str]()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(names)


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
    with styled():
        figure = picture(script.draw, record)
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


COLOURS = 64
"""Of the copies of the pictures: a third of the size, and no difference that is seen."""

HEAD = """\
# The figures

`landscape figures` draws all of them, `landscape figures NAME` one: a PDF with its fonts embedded,
a PNG, and the numbers for its caption in `numbers.tex`. What they are drawn from is trained or
measured first where it is missing; a figure whose script and inputs have not changed is left alone.
`--paper` takes the published lengths and numbers of runs.

Diamonds are values read off the published figures. Below each figure stands what the published one
shows, and where this one differs from it, with the reason. This page is written by
`landscape figures --page docs/figures.md`, from the {size} size.
"""


def page(chosen: Sequence[Entry], out: Path, size: Literal["quick", "paper"]) -> str:
    """The page as Markdown, a section for each figure, its numbers from what was built in `out`.

    >>> import tempfile
    >>> text = page(entries()[:1], Path(tempfile.mkdtemp()), "quick")
    >>> [line for line in text.splitlines() if line.startswith("##")]
    ['## loss']
    """
    return "\n".join([HEAD.format(size=size), *(_section(each, out) for each in chosen)])


def write_page(path: Path, out: Path, size: Literal["quick", "paper"]) -> None:
    """Write the page of all figures, and small copies of their pictures to figures/ beside it."""
    pictures = path.parent / "figures"
    pictures.mkdir(parents=True, exist_ok=True)
    for each in entries():
        with Image.open(out / f"{each.name}.png") as picture:
            few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(pictures / f"{each.name}.png", optimize=True)
    write_text(path, page(entries(), out, size))


def _section(entry: Entry, out: Path) -> str:
    lines = [f"## {entry.name}", "", f"![{entry.title}](figures/{entry.name}.png)", ""]
    lines += [f"{entry.title}.", ""]
    published = entry.published or "Nothing: this figure is of this project."
    lines += [f"**Published.** {published}", ""]
    if entry.differences:
        word = "Differences" if entry.published else "Notes"
        lines += [f"**{word}.**", "", *(f"- {line}" for line in entry.differences), ""]
    drawn = [f"the scan `{name}`" for name in entry.scans]
    drawn += [f"the record `{name}`" for name in entry.records]
    lines += [f"Drawn from {', '.join(drawn) or 'theory alone'}.", ""]
    numbers = numbers_of(entry, out)
    if numbers:
        lines += ["| number | value |", "|---|---|"]
        lines += [f"| {name} | {value} |" for name, value in numbers.items()] + [""]
    return "\n".join(lines)
