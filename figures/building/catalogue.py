"""The figures by name: what each shows, what it is drawn from, and what was published."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["Entry", "entries", "entry"]


@dataclass(frozen=True)
class Entry:
    """One figure.

    Fields:
        name: on the command line, and of its files.
        title: what it shows, in a line.
        module: the script that draws it, `figures.paper.<module>`.
        scans: the scans that it reads, by name.
        records: the measured records that it reads, by name.
        published: what the published figure shows; empty for a figure of this project's own.
        differences: where this one differs from it, each with the reason.
    """

    name: str
    title: str
    module: str
    scans: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    published: str = ""
    differences: tuple[str, ...] = ()


@cache
def entries() -> tuple[Entry, ...]:
    """All figures, in the order of the page.

    >>> [entry.name for entry in entries()][:2]
    ['loss', 'probabilities']
    """
    text = (files("figures") / "catalogue.toml").read_text("utf-8")
    return tuple(map(_read, tomllib.loads(text)["figure"]))


def entry(name: str) -> Entry:
    """The figure of this name.

    Raises ValueError if there is none; the message names the nearest.

    >>> entry("depth").scans
    ('depth',)
    """
    from landscape.errors import nearest

    known = {each.name: each for each in entries()}
    if name not in known:
        hint = nearest(name, known) or f"there are {', '.join(known)}"
        raise ValueError(f"figure {name} is refused: there is no such figure; {hint}")
    return known[name]


def _read(table: dict[str, Any]) -> Entry:
    def line(text: str) -> str:
        return " ".join(text.split())

    name = table["name"]
    return Entry(
        name=name,
        title=line(table["title"]),
        module=name.replace("-", "_"),
        scans=tuple(table.get("scans", ())),
        records=tuple(table.get("records", ())),
        published=line(table.get("published", "")),
        differences=tuple(map(line, table.get("differences", ()))),
    )
