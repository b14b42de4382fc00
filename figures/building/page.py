"""The page that shows every figure and sets it beside the published one: docs/figures.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from PIL import Image

from figures.building.build import numbers_of
from figures.building.catalogue import Entry, entries
from landscape.store.atomic import write_text

__all__ = ["page", "write_page"]

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
