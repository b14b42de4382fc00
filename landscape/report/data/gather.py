"""A scan's folder as the plain data that its page is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from landscape.report.data.axes import PLANE, Axis, axes_of, plane_of, words
from landscape.report.data.cell_file import Budget, CellRecord, read_cell
from landscape.report.data.counting import called
from landscape.report.data.ends import falling
from landscape.report.data.thinning import rounded
from landscape.store.scan_store import ScanStore

__all__ = ["for_script", "read_records"]


def read_records(store: ScanStore) -> list[CellRecord]:
    """Every cell of a scan, finished or not, in the order of its configuration."""
    cells = store.config().cells()
    budget = Budget.of(len(cells))
    return [read_cell(store, cell, budget) for cell in cells]


def for_script(store: ScanStore, records: Sequence[CellRecord]) -> dict[str, Any]:
    """What the page's script draws from: axes, and for each cell its curves and surfaces."""
    config = store.config()
    axes, plane = axes_of(config), plane_of(config)
    return {
        "axes": [
            {"name": axis.name, "label": axis.label, "values": list(axis.values)} for axis in axes
        ],
        "plane": plane,
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
    keys = ("inertia", "predicted_inertia", "classification", "verdict", "reason")
    found = {key: point.get(key) for key in keys}
    for key in ("loss", "max_error", "zero_bound"):
        value = point.get(key)
        found[key] = None if value is None else rounded(value, 7)
    return found


def _check(check: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: check.get(key) for key in ("claim", "predicted", "measured", "tolerance", "verdict")
    }
