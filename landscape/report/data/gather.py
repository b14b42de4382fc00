"""A scan's folder as the plain data that its page is made of: axes, cells, rows, settings."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from landscape.config.cell import CellConfig
from landscape.config.scan import ScanConfig
from landscape.report.data.cell_file import POINTS, Budget, CellRecord, read_cell, rounded
from landscape.report.data.counting import called, falling
from landscape.store.reading import StoredScan

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
    return isinstance(value, (int, float, Decimal, Fraction)) and not isinstance(value, bool)


def read_records(store: StoredScan) -> list[CellRecord]:
    """Every cell of a scan, finished or not, in the order of its configuration."""
    budget = Budget.of(len(store.cells))
    return [read_cell(store, cell, budget) for cell in store.cells]


def for_script(store: StoredScan, records: Sequence[CellRecord]) -> dict[str, Any]:
    """What the page's script draws from: axes, and for each cell its curves and surfaces."""
    axes = axes_of(store.config)
    return {
        "axes": [
            {"name": axis.name, "label": axis.label, "values": list(axis.values)} for axis in axes
        ],
        "plane": plane_of(store.config),
        "others": [axis.name for axis in axes if axis.name not in PLANE],
        "first": _first(records),
        "cells": [_cell(record, axes) for record in records],
    }


def _first(records: Sequence[CellRecord]) -> int:
    """The cell that is shown first: the one with the most to explain, stuck in a local minimum."""

    def weight(record: CellRecord) -> tuple[float, float]:
        spectra = record.drawn.get("spectra", {})
        curvature = spectra.get("unigram", {}).get("deciding") or 0.0
        counts = record.stuck
        share = -1.0 if counts is None else counts[0] / counts[1]
        return share, curvature if record.state == "done" else -1.0

    return max(range(len(records)), key=lambda k: weight(records[k]), default=0)


def _cell(record: CellRecord, axes: tuple[Axis, ...]) -> dict[str, Any]:
    cell, scalars = record.config, record.scalars
    source = cell.source
    # `p` and `q` place a cell on the map, so they are floats; what is shown is as written.
    found: dict[str, Any] = {
        "id": cell.id,
        "at": {axis.name: str(cell.coordinates[axis.name]) for axis in axes},
        "words": words(cell, axes, plane=True) or "the only cell",
        "source": source.words,
        "p": None if source.p is None else float(source.p),
        "q": None if source.q is None else float(source.q),
        "degenerate": source.degenerate,
        "state": record.state,
        "why": record.why,
    }
    if record.state != "done":
        return found
    return found | {
        "stuck": record.stuck,
        "theory": called(record),
        "unigram_loss": rounded(scalars["unigram_loss"], 7),
        "bigram_loss": rounded(scalars["bigram_loss"], 7),
        "runs": _runs(record),
        "points": {
            kind: _point(point) for kind, point in scalars["points"].items() if kind != "trained"
        },
        "checks": {
            kind: [_check(check) for check in checks] for kind, checks in record.checks.items()
        },
        **record.drawn,
    }


def _runs(record: CellRecord) -> list[dict[str, Any]]:
    scalars = record.scalars
    count = len(scalars["outcome"])
    falls = falling(record) if record.stuck is not None else [False] * count
    rows = zip(
        record.drawn["training"]["seed"],
        scalars["outcome"],
        scalars["final_loss"],
        scalars["escape_step"],
        falls,
        record.ends or [{}] * count,
        strict=True,
    )
    return [
        {
            "seed": seed,
            "outcome": outcome,
            "loss": None if loss is None else rounded(loss, 6),
            "escape": escape,
            "falls": falls_on,
            "end": end.get("classification"),
            "lowest": _short(end.get("lowest")),
            "slope": _short(end.get("gradient_norm")),
            "downhill": _downhill(end.get("predicted_unigram_inertia")),
        }
        for seed, outcome, loss, escape, falls_on, end in rows
    ]


def _short(value: float | None) -> float | None:
    return None if value is None else rounded(value, 3)


def _downhill(inertia: Sequence[int] | None) -> bool | None:
    return None if inertia is None else inertia[0] > 0


def _point(point: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("inertia", "predicted_inertia", "classification", "verdict", "why", "weights", "reason")
    found = {key: point.get(key) for key in keys}
    found["narrow"] = bool(point.get("narrow_gap"))
    for key in ("loss", "max_error", "zero_bound"):
        value = point.get(key)
        found[key] = None if value is None else rounded(value, 7)
    return found


def _check(check: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: check.get(key)
        for key in ("claim", "predicted", "measured", "tolerance", "verdict", "note")
    }


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
                "why": record.why,
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
