"""The configuration of a scan: one base setting, and axes that span its cells."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from landscape.config import Measure, Model, Section, Source, Train
from landscape.config.canonical import canonical, sha256
from landscape.config.cell import SECTIONS, CellConfig
from landscape.config.reading import (
    LONGEST_NAME,
    MOST_VALUES,
    NAME,
    axis_of,
    axis_values,
    beside,
    check_axis,
    check_setting,
    get,
    leaves,
    name_of,
    pairs_of,
    put,
    read_toml,
    read_value,
    read_values,
)
from landscape.errors import Text, refused, shown


class ScanConfig(Section):
    """A base setting and the axes over which it varies; `cells()` are their product.

    Where an axis runs over a setting, the base value of that setting has no meaning (it is replaced
    by the first value of the axis). Two configurations are the same, and have the same `hash`, when
    they ask for the same cells: the name, the order of the axes and the way a number is written do
    not count.
    Raises ConfigError for anything that cannot be run, before anything is.

    >>> config = ScanConfig(source={"q": 0.8}, axes={"source.p": [0.5, 0.1]})
    >>> [str(cell.source.p) for cell in config.cells()]
    ['0.5', '0.1']
    """

    name: str = Field(
        default="scan",
        pattern=NAME,
        description="letters and digits, with . _ + - between them, at most 200 bytes",
    )
    source: Source = Field(description="a table of settings, p and q among them")
    model: Model = Field(default=Model(), description="a table of settings")
    train: Train = Field(default=Train(), description="a table of settings")
    measure: Measure = Field(default=Measure(), description="a table of settings")
    axes: dict[str, tuple[Any, ...]] = Field(
        default_factory=dict, description="a table of setting names, each with the values it takes"
    )

    @classmethod
    def from_toml(
        cls, path: Path | str | None = None, *, set_: Sequence[str] = (), axis: Sequence[str] = ()
    ) -> "ScanConfig":
        """The configuration in a file, changed by `--set name=value` and `--axis name=v1,v2,...`.

        Without a path it is the built-in demonstration. A setting that is set stops being an axis;
        an axis that is given replaces the file's axis of that name. Raises ConfigError.

        >>> config = ScanConfig.from_toml(None, set_=["source.p=.5"], axis=["source.q=.3,.8"])
        >>> len(config.cells()), config.name
        (4, 'demo')
        """
        path = None if path is None else Path(path)
        tables = read_toml(path)
        if path is not None:
            tables.setdefault("name", name_of(path))
            beside(tables, path.parent)
        return cls.from_tables(tables, set_=set_, axis=axis)

    @classmethod
    def from_tables(
        cls, tables: dict[str, Any], *, set_: Sequence[str] = (), axis: Sequence[str] = ()
    ) -> "ScanConfig":
        """The configuration in nested tables, changed like a file's; see `from_toml`."""
        axes = tables.setdefault("axes", {})
        if not isinstance(axes, dict):
            return cls(**tables)
        changes = pairs_of("--set", set_)
        for name, value in changes.items():
            check_setting("--set", name)
            put(tables, name, value.strip() if name == "name" else read_value(value))
            axes.pop(name, None)
        for name, values in pairs_of("--axis", axis).items():
            if name in changes:
                raise refused(name, why="it is given to --set and to --axis", hint="keep one")
            axes[name] = read_values(values)
        return cls(**tables)

    @model_validator(mode="before")
    @classmethod
    def _an_axis_stands_in_for_its_setting(cls, tables: dict[str, Any]) -> dict[str, Any]:
        axes = tables.get("axes")
        if not isinstance(axes, Mapping):
            return tables
        tables = dict(tables)
        for name, values in axes.items():
            check_axis(name)
            put(tables, name, axis_values(name, values)[0])
        return tables

    @field_validator("name")
    @classmethod
    def _a_folder_can_have_it(cls, name: str) -> str:
        if len(name.encode("utf-8", "surrogateescape")) > LONGEST_NAME:
            raise ValueError("too long")
        return name

    @field_validator("axes", mode="before")
    @classmethod
    def _axes_are_spread_out(cls, axes: object) -> object:
        if not isinstance(axes, Mapping):
            return axes
        return {name: axis_values(name, values) for name, values in axes.items()}

    @model_validator(mode="after")
    def _cells_exist_and_differ(self) -> "ScanConfig":
        count = prod(map(len, self.axes.values()))
        if count > MOST_VALUES:
            sizes = " x ".join(str(len(values)) for values in self.axes.values())
            why = f"they span {sizes} = {count} cells"
            raise refused("axes", why=why, allowed=f"axes of at most {MOST_VALUES} cells")
        places = product(*(range(len(values)) for values in self.axes.values()))
        seen: dict[str, tuple[int, ...]] = {}
        for cell, place in zip(self.cells(), places, strict=True):
            twin = seen.setdefault(cell.id, place)
            if twin is not place:
                at = zip(self.axes.items(), twin, place, strict=True)
                same = [(name, values[i], values[k]) for (name, values), i, k in at if i != k]
                pairs = (f"{n} = {shown(a)} and {n} = {shown(b)}" for n, a, b in same)
                why = f"{', '.join(pairs)} ask for the same cell"
                raise refused(axis_of(same[0][0]), why=why, hint="keep one of the two")
        for name, (value, reason) in self.unread_by_all("model").items():
            raise refused(name, value, why=reason, hint="leave it out")
        return self

    def unread_by_all(self, section: str) -> dict[str, tuple[Any, Text]]:
        """The settings of a table that were written and that no cell of this value reads, and why.

        >>> given = {"batch": 16, "steps": 9}
        >>> found = ScanConfig(source={"p": 0.5, "q": 0.8}, train=given).unread_by_all("train")
        >>> [(name, value) for name, (value, _) in found.items()]
        [('train.batch', 16)]
        """
        read: set[tuple[str, str]] = set()
        found: dict[tuple[str, str], tuple[Any, Text]] = {}
        for cell in self.cells():
            table: Section = getattr(cell, section)
            unread = table.unread
            for key, value in table.given().items():
                place = (f"{section}.{key}", repr(value))
                if key in unread:
                    found[place] = (value, unread[key])
                else:
                    read.add(place)
        return {place[0]: what for place, what in found.items() if place not in read}

    @cached_property
    def grid(self) -> tuple[CellConfig, ...]:
        """The cells, as `cells()` returns them."""
        return tuple(self._span())

    def cells(self) -> tuple[CellConfig, ...]:
        """The cells: the product of the axes in their order, the last one running fastest."""
        return self.grid

    @cached_property
    def hash(self) -> str:
        """SHA-256, in hexadecimal, of the set of cells this configuration asks for."""
        return sha256(sorted(cell.id for cell in self.cells()))

    @cached_property
    def written(self) -> dict[str, Any]:
        """The settings that were given, as plain tables: `ScanConfig(**written)` is equal."""
        tables = self.model_dump(exclude_unset=True)
        given = {name: getattr(self, name).given() for name in SECTIONS if name in tables}
        return {**tables, **given}

    def difference(self, other: "ScanConfig") -> list[str]:
        """What `other`, the configuration of a folder, has otherwise; empty if the cells are equal.

        >>> here, there = (ScanConfig(source={"p": 0.5, "q": q}) for q in (0.8, 0.3))
        >>> here.difference(there)
        ['source.q: 0.8 here, 0.3 in the folder']
        """
        if self.hash == other.hash:
            return []
        names = {**dict.fromkeys(self._given()), **dict.fromkeys(other._given())}
        pairs = ((name, self._text(name), other._text(name)) for name in names)
        return [f"{name}: {a} here, {b} in the folder" for name, a, b in pairs if a != b]

    def default_out(self) -> Path:
        """Where the results go unless told otherwise: `runs/<name>-<first 8 of the hash>`."""
        return Path("runs") / f"{self.name}-{self.hash[:8]}"

    def _span(self) -> Iterator[CellConfig]:
        base: dict[str, Any] = {name: getattr(self, name).given() for name in SECTIONS}
        for values in product(*self.axes.values()):
            tables = dict(base)
            for name, value in zip(self.axes, values, strict=True):
                put(tables, name, value)
            cell = CellConfig(**tables)
            coordinates = {name: get(cell, name) for name in self.axes}
            yield cell.model_copy(update={"coordinates": coordinates})

    def _given(self) -> Iterator[str]:
        for section, table in SECTIONS.items():
            given = self.written.get(section, {})
            kept = {key: value for key, value in given.items() if key not in table.apart}
            yield from leaves(kept, f"{section}.")
        yield from self.axes

    def _text(self, name: str) -> str:
        if name not in self.axes:
            return _bare(get(self, name))
        values = dict.fromkeys(_bare(cell.coordinates[name]) for cell in self.cells())
        return f"[{', '.join(values)}]"


def _bare(value: object) -> str:
    if isinstance(value, Section):
        value = value.model_dump()
    return canonical(value).replace('"', "")
