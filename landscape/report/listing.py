"""Every cell in one row, for the page's table and for a spreadsheet; every setting in one line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from landscape.report.axes import Axis
from landscape.report.cell_file import CellRecord
from landscape.report.counting import called

__all__ = ["cell_rows", "csv_text", "flat_settings"]


def cell_rows(records: Sequence[CellRecord], axes: Sequence[Axis]) -> list[dict[str, Any]]:
    """A row for each cell: where it lies, its runs, theory's word, the error and the verdict."""
    rows = []
    for record in records:
        point = record.point("unigram")
        stuck = record.stuck
        rows.append(
            {
                "id": record.config.id,
                "at": [str(record.config.coordinates[axis.name]) for axis in axes],
                "state": record.state,
                "stuck": None if stuck is None else stuck[0],
                "runs": None if stuck is None else stuck[1],
                "degenerate": record.config.source.degenerate,
                "theory": called(record) if point else None,
                "max_error": point.get("max_error"),
                "verdict": point.get("verdict"),
            }
        )
    return rows


def csv_text(rows: Sequence[Mapping[str, Any]], axes: Sequence[Axis]) -> str:
    """The rows as comma-separated values, with a heading.

    >>> csv_text([], [Axis("source.p", "p", ("0.1",))])
    'source.p,state,stuck,runs,theory,max_error,verdict,id\\n'
    """
    names = ("state", "stuck", "runs", "theory", "max_error", "verdict", "id")
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*(axis.name for axis in axes), *names])
    for row in rows:
        writer.writerow([*row["at"], *(row[name] for name in names)])
    return file.getvalue()


def flat_settings(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A configuration's settings by dotted name.

    >>> flat_settings({"name": "demo", "model": {"width": 4}})
    [('name', 'demo'), ('model.width', '4')]
    """
    return list(_flat("", config))


def _flat(start: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flat(f"{start}.{name}" if start and start != "axes" else str(name), inner)
    elif isinstance(value, (list, tuple)):
        yield start, ", ".join(map(str, value))
    else:
        yield start, str(value)
