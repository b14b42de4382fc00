"""The map of p and q as a table, for a browser that runs no script."""

from collections.abc import Sequence
from dataclasses import dataclass

from landscape.report.data.cell_file import CellRecord
from landscape.report.data.counting import called
from landscape.report.data.gather import Axis, words
from landscape.sources.protocol import Exact


@dataclass(frozen=True)
class Square:
    """A cell of the map: what is written in it, and whether theory sees a local minimum there."""

    text: str
    minimum: bool


@dataclass(frozen=True)
class Plane:
    """The cells of one setting: values of p, and for each of q, from the greatest, its squares."""

    title: str
    p: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Square, ...]], ...]


def planes(records: Sequence[CellRecord], axes: tuple[Axis, ...]) -> list[Plane]:
    """A table for each setting of the other axes, in their order; the cells have p and q."""
    members: dict[str, dict[tuple[Exact, Exact], CellRecord]] = {}
    for record in records:
        source = record.config.source
        if source.p is not None and source.q is not None:
            title = words(record.config, axes, plane=False)
            members.setdefault(title, {})[source.p, source.q] = record
    return [_plane(title, cells) for title, cells in members.items()]


def _plane(title: str, cells: dict[tuple[Exact, Exact], CellRecord]) -> Plane:
    across = sorted({p for p, _ in cells})
    rows = tuple(
        (str(q), tuple(_square(cells.get((p, q))) for p in across))
        for q in sorted({q for _, q in cells}, reverse=True)
    )
    return Plane(title, tuple(map(str, across)), rows)


def _square(record: CellRecord | None) -> Square:
    if record is None or record.state != "done":
        return Square("" if record is None else "?", False)
    minimum = called(record) == "local minimum"
    if record.stuck is None:
        return Square("\N{EN DASH}" if record.config.source.degenerate else "∞", minimum)
    return Square("{}/{}".format(*record.stuck), minimum)
