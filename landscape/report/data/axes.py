"""The axes of a scan as the page offers them: a plane of p and q, and a list for each other one."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from landscape.config.cell import CellConfig
from landscape.config.scan import ScanConfig

__all__ = ["Axis", "axes_of", "plane_of", "words"]

PLANE = ("source.p", "source.q")


@dataclass(frozen=True)
class Axis:
    """An axis: its dotted name, its short name, and its values as written; numbers ascending."""

    name: str
    label: str
    values: tuple[str, ...]


def axes_of(config: ScanConfig) -> tuple[Axis, ...]:
    """The axes of a scan, each with more than nothing to choose from.

    >>> axis = axes_of(ScanConfig(source={"q": 0.8}, axes={"source.p": [0.5, 0.1]}))[0]
    >>> axis.label, axis.values
    ('p', ('0.1', '0.5'))
    """
    found = []
    for name in config.axes:
        values = dict.fromkeys(cell.coordinates[name] for cell in config.cells())
        ordered = sorted(values) if all(map(_is_number, values)) else [*values]
        short = name.rpartition(".")[2]
        clash = [other for other in config.axes if other.rpartition(".")[2] == short]
        label = short if len(clash) == 1 else name
        found.append(Axis(name, label, tuple(map(str, ordered))))
    return tuple(found)


def plane_of(config: ScanConfig) -> bool:
    """Whether p and q are both axes, of chains that have both."""
    both = all(name in config.axes for name in PLANE)
    return both and all(cell.source.kind == "binary" for cell in config.cells())


def words(cell: CellConfig, axes: tuple[Axis, ...], *, plane: bool) -> str:
    """A cell's place on the axes besides p and q, such as "tying = tied"; with them if `plane`."""
    shown = [axis for axis in axes if plane or axis.name not in PLANE]
    return ", ".join(f"{axis.label} = {cell.coordinates[axis.name]}" for axis in shown)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
