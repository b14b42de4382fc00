"""The dotted names of settings: which there are, and what lies behind one."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from landscape.config.cell import SECTIONS
from landscape.errors import ConfigError, nearest

_NO_AXIS = {
    "measure.points": "one cell measures all of its points",
    "measure.slice": "an axis takes single values; name measure.slice.resolution",
    "train.seeds": "the seeds of a cell train together and are a dimension inside it",
}


def _settings(prefix: str, section: type[BaseModel]) -> Iterator[str]:
    for key, field in section.model_fields.items():
        yield f"{prefix}.{key}"
        for inner in get_args(field.annotation):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from _settings(f"{prefix}.{key}", inner)


SETTINGS: tuple[str, ...] = tuple(
    name for section, kind in SECTIONS.items() for name in _settings(section, kind)
)
"""The dotted name of every setting that makes a cell what it is."""


def check_setting(option: str, name: str) -> None:
    """Raise ConfigError, naming the nearest setting, unless `name` is one (or the scan's name)."""
    if name in SETTINGS or name == "name":
        return
    if name in SECTIONS or name == "axes":
        raise ConfigError(f"{option} {name} is refused: [{name}] is a table; name a setting in it")
    hint = nearest(name, SETTINGS) or f"; there are {', '.join(SETTINGS)}"
    raise ConfigError(f"{option} {name} is refused: there is no such setting{hint}")


def check_axis(name: str) -> None:
    """Raise ConfigError unless an axis can run over the setting `name`."""
    check_setting("the axis", name)
    if name == "name":
        raise ConfigError("the axis name is refused: the name of a scan does not change its cells")
    if name in _NO_AXIS:
        raise ConfigError(f"the axis {name} is refused: {_NO_AXIS[name]}")


def put(tables: dict[str, Any], name: str, value: object) -> None:
    """Set a dotted name in nested tables, making the tables on the way.

    Where something other than a table stands in the way it is left for validation to refuse.

    >>> tables = {"measure": {"slice": False}}
    >>> put(tables, "measure.slice.resolution", 5)
    >>> tables
    {'measure': {'slice': {'resolution': 5}}}
    """
    *path, last = name.split(".")
    for key in path:
        inner = tables.get(key)
        if inner is None or inner is False:
            inner = {}
        if not isinstance(inner, Mapping):
            return
        tables[key] = dict(inner)  # a copy: the caller may share the inner tables
        tables = tables[key]
    tables[last] = value


def get(tables: object, name: str) -> Any:
    """The value behind a dotted name in nested sections; None below a section that is None."""
    for key in name.split("."):
        tables = None if tables is None else getattr(tables, key)
    return tables


def leaves(tables: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted names of everything in nested tables that is not a table itself.

    >>> list(leaves({"source": {"p": 0.5}, "measure": {"slice": {"resolution": 5}}}))
    ['source.p', 'measure.slice.resolution']
    """
    for key, value in tables.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
