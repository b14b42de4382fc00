"""Every cell in one row, for the page's table and for a spreadsheet; every setting in one line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from landscape.report.data.axes import Axis
from landscape.report.data.cell_file import POINTS, CellRecord
from landscape.report.data.counting import called

__all__ = ["cell_rows", "csv_text", "flat_settings"]


def cell_rows(records: Sequence[CellRecord], axes: Sequence[Axis]) -> list[dict[str, Any]]:
    """A row for each cell: where it lies, its runs, theory's word, the errors and the verdicts.

    `max_error` is the larger of the errors at both points, and `error_at` the point it is at.
    """
    rows = []
    for record in records:
        points = {kind: record.point(kind) for kind in POINTS}
        errors = {
            kind: float(point["max_error"])
            for kind, point in points.items()
            if point.get("max_error") is not None
        }
        verdicts = {kind: point.get("verdict") for kind, point in points.items()}
        worst_at = max(errors, key=errors.__getitem__, default=None)
        stuck = record.stuck
        rows.append(
            {
                "id": record.config.id,
                "at": [str(record.config.coordinates[axis.name]) for axis in axes],
                "state": record.state,
                "stuck": None if stuck is None else stuck[0],
                "runs": None if stuck is None else stuck[1],
                "degenerate": record.config.source.degenerate,
                "theory": called(record) if points["unigram"] else None,
                "max_error": None if worst_at is None else errors[worst_at],
                "error_at": worst_at,
                "verdict": " / ".join(dict.fromkeys(filter(None, verdicts.values()))) or None,
                **{f"{kind}_error": errors.get(kind) for kind in POINTS},
                **{f"{kind}_verdict": verdict for kind, verdict in verdicts.items()},
            }
        )
    return rows


def csv_text(rows: Sequence[Mapping[str, Any]], axes: Sequence[Axis]) -> str:
    """The rows as comma-separated values, with a heading.

    >>> csv_text([], [Axis("source.p", "p", ("0.1",))])
    'source.p,state,stuck,runs,theory,unigram_error,unigram_verdict,bigram_error,bigram_verdict,id\\n'
    """
    compared = [f"{kind}_{what}" for kind in POINTS for what in ("error", "verdict")]
    names = ("state", "stuck", "runs", "theory", *compared, "id")
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*(axis.name for axis in axes), *names])
    for row in rows:
        writer.writerow([*row["at"], *(row[name] for name in names)])
    return file.getvalue()


def flat_settings(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A configuration's settings by dotted name, each once: an axis by its values.

    >>> flat_settings({"name": "demo", "model": {"width": 4}, "axes": {"model.width": [2, 3]}})
    [('name', 'demo'), ('model.width', '2, 3 (varied)')]
    """
    varied = config.get("axes") or {}
    fixed = {name: value for name, value in config.items() if name != "axes"}
    kept = [(name, value) for name, value in _flat("", fixed) if name not in varied]
    return [*kept, *((name, f"{_values(value)} (varied)") for name, value in varied.items())]


def _values(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _flat(start: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flat(f"{start}.{name}" if start else str(name), inner)
    else:
        yield start, _values(value)
