"""A preset: one published experiment as a configuration, quick or at the paper's size."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from typing import Any, Literal

from landscape.config.reading import put
from landscape.config.scan import ScanConfig
from landscape.errors import nearest, refused
from landscape.scanning.presets.expectation import Expectation

Size = Literal["quick", "paper"]
SIZES: tuple[Size, ...] = ("quick", "paper")


@dataclass(frozen=True)
class Preset:
    """One of the papers' experiments.

    Fields:
        name: of the preset, and of its scan but for the size.
        title: what it shows, in a line.
        published: the figure, its setting, and what is seen on it.
        tables: the configuration that both sizes share.
        sizes: for each size, the settings that it changes, by dotted name.
        expectations: what a run is compared with.
    """

    name: str
    title: str
    published: str
    tables: Mapping[str, Any]
    sizes: Mapping[str, Mapping[str, Any]]
    expectations: tuple[Expectation, ...]

    def config(
        self, size: Size, *, set_: Sequence[str] = (), axis: Sequence[str] = ()
    ) -> ScanConfig:
        """The configuration of a size, changed by `--set` and `--axis` as a file's would be.

        >>> load("depth").config("quick").name
        'depth-quick'
        """
        tables = copy.deepcopy(dict(self.tables))
        for name, value in self.sizes[size].items():
            if name == "axes":
                tables["axes"] = {**tables.get("axes", {}), **value}
            else:
                put(tables, name, copy.deepcopy(value))
        tables["name"] = f"{self.name}-{size}"
        return ScanConfig.from_tables(tables, set_=set_, axis=axis)

    def expected(self, size: Size) -> tuple[Expectation, ...]:
        """The expectations that hold for a size."""
        return tuple(e for e in self.expectations if e.size in (size, None))


def names() -> list[str]:
    """The names of the presets that come with the package, in alphabetical order."""
    found = files(__package__).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in found if file.name.endswith(".toml"))


def load(name: str) -> Preset:
    """The preset of this name.

    Raises:
        ConfigError: if there is none; the message names the nearest.

    >>> load("no-attention").tables["model"]["attention"]
    False
    """
    known = names()
    if name not in known:
        hint = nearest(name, known) or f"there are {', '.join(known)}"
        raise refused(f"--preset {name}", why="there is no such preset", hint=hint)
    text = (files(__package__) / f"{name}.toml").read_text("utf-8")
    tables = tomllib.loads(text, parse_float=Decimal)
    return Preset(
        name=name,
        title=tables["title"],
        published=tables["published"].strip(),
        tables=tables["config"],
        sizes={size: tables[size] for size in SIZES},
        expectations=tuple(Expectation(**table) for table in tables.get("expect", ())),
    )
