"""What the page shows of one cell, read from its files: plain data, thinned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import h5netcdf
import numpy as np

from landscape.config.cell import CellConfig
from landscape.report.data.spectrum_rows import spectrum_rows
from landscape.report.data.thinning import changes, late_losses, rounded, spread, symmetric
from landscape.store.cell_files import fingerprint
from landscape.store.scan_store import ScanStore

__all__ = ["Budget", "CellRecord", "read_cell"]

POINTS = ("unigram", "bigram")
"""The points that are constructed, of which there is a spectrum and a slice."""

SCALARS = ("unigram_loss", "bigram_loss", "final_loss", "outcome", "escape_step", "points")
"""The scalars that the page shows; a record without one of them is damaged."""


@dataclass(frozen=True)
class Budget:
    """How many numbers of a cell the page has room for: nodes a side of a slice, steps of a curve.

    >>> Budget.of(50), Budget.of(5000)
    (Budget(side=27, steps=160), Budget(side=9, steps=40))
    """

    side: int
    steps: int

    @classmethod
    def of(cls, cells: int) -> Budget:
        """For a scan of so many cells: about a megabyte of slices, and as much of curves."""
        side = int((80_000 / max(1, cells)) ** 0.5)
        return cls(side=min(27, max(9, side)), steps=min(160, max(40, 20_000 // max(1, cells))))


@dataclass(frozen=True)
class CellRecord:
    """A cell: its setting, what became of it, and what was measured, as plain data.

    Fields:
        config: the setting.
        state: "done", "missing" (not finished) or "damaged" (files that are not what was written).
        why: of a cell that is not done, in words.
        created_at: when it was stored.
        scalars: as `landscape.scanning.measurement` keeps them; empty unless done.
        checks: by point, those that the comparison made.
        drawn: curves, spectra and slices for the page; empty unless done.
        late: per run, its loss at half time and before the last tenth (`late_losses`).
    """

    config: CellConfig
    state: str
    why: str
    created_at: str
    scalars: Mapping[str, Any]
    checks: Mapping[str, list[dict[str, Any]]]
    drawn: Mapping[str, Any]
    late: Mapping[str, list[float]]

    @property
    def stuck(self) -> tuple[int, int] | None:
        """How many runs ended at the unigram, of how many; None where that means nothing.

        It does without a result, where symbols are independent, and where a loss is not finite.
        """
        if self.state != "done" or self.config.source.degenerate:
            return None
        if any(loss is None for loss in self.scalars["final_loss"]):
            return None
        outcomes = self.scalars["outcome"]
        return outcomes.count("unigram"), len(outcomes)

    @property
    def ends(self) -> list[Mapping[str, Any]]:
        """What was measured at the end of each run, in their order; empty where nothing was."""
        rows = self.scalars.get("points", {}).get("trained", {}).get("runs", ())
        found = {row["seed"]: row for row in rows}
        return [found.get(seed, {}) for seed in self.drawn["training"]["seed"]] if found else []

    def point(self, kind: str) -> Mapping[str, Any]:
        """The scalars of a point; empty where it was not measured or could not be constructed."""
        found: Mapping[str, Any] = self.scalars.get("points", {}).get(kind, {})
        return {} if "reason" in found else found


def read_cell(store: ScanStore, cell: CellConfig, budget: Budget) -> CellRecord:
    """Read a cell; one that is not finished, or whose files are not sound, says so.

    Nothing in the folder is moved: a damaged cell is for the next scan to set aside.
    """
    if not store.done(cell.id):
        return _without(cell, "missing", "is not finished, or failed; run the scan again")
    tree = store.path / "cells" / f"{cell.id}.nc"
    try:
        record = json.loads(tree.with_suffix(".json").read_text("utf-8"))
        scalars, created = record["scalars"], str(record["created_at"])
        if fingerprint(tree) != record["files"]["tree"]:
            return _without(
                cell, "damaged", "has a file of results that is not the one that was written"
            )
        with h5netcdf.File(tree, "r") as file:
            drawn = _drawn(file, scalars, budget)
            curves = file["training"]
            late = late_losses(curves["step"][:], curves["loss"][:])
            checks = {kind: _checks(file, kind) for kind in POINTS if f"theory/{kind}" in file}
        kept = {name: scalars[name] for name in SCALARS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        return _without(cell, "damaged", f"has files that cannot be read ({type(error).__name__})")
    return CellRecord(cell, "done", "", created, kept, checks, drawn, late)


def _without(cell: CellConfig, state: str, why: str) -> CellRecord:
    return CellRecord(cell, state, why, "", {}, {}, {}, {})


def _checks(file: h5netcdf.File, kind: str) -> list[dict[str, Any]]:
    return list(json.loads(file[f"theory/{kind}"].attrs["checks"]))


def _drawn(file: h5netcdf.File, scalars: Mapping[str, Any], budget: Budget) -> dict[str, Any]:
    return {
        "training": _training(file["training"], budget),
        "survival": _survival(file["survival"]) if "survival" in file else None,
        "spectra": {
            kind: spectrum_rows(
                file[f"spectrum/{kind}/eigenvalue"][:],
                _theory(file, kind),
                float(scalars["points"][kind]["zero_bound"]),
            )
            for kind in POINTS
            if f"spectrum/{kind}" in file
        },
        "slices": {
            kind: _slice(file[f"slices/{kind}"], budget)
            for kind in POINTS
            if f"slices/{kind}" in file
        },
    }


def _theory(file: h5netcdf.File, kind: str) -> np.ndarray | None:
    name = f"theory/{kind}"
    if name not in file or "eigenvalue" not in file[name].variables:
        return None
    return np.asarray(file[name]["eigenvalue"][:])


def _training(group: h5netcdf.Group, budget: Budget) -> dict[str, Any]:
    steps, loss = group["step"][:], group["loss"][:]
    kept = spread(len(steps), budget.steps)
    return {
        "step": steps[kept].tolist(),
        "loss": [[rounded(value) for value in run] for run in loss[:, kept]],
        "seed": group["seed"][:].tolist(),
    }


def _survival(group: h5netcdf.Group) -> dict[str, Any]:
    rows = {name: group[name][:] for name in ("share", "low", "high")}
    kept = changes(*rows.values())
    return {
        "step": group["step"][:][kept].tolist(),
        **{name: [rounded(value, 4) for value in row[kept]] for name, row in rows.items()},
        "runs": int(group.attrs["runs"]),
        "confidence": float(group.attrs["confidence"]),
    }


def _slice(group: h5netcdf.Group, budget: Budget) -> dict[str, Any]:
    alpha, beta, loss = (group[name][:] for name in ("alpha", "beta", "loss"))
    rows, columns = (symmetric(len(axis), budget.side) for axis in (alpha, beta))
    curvatures = group.attrs.get("curvatures", [])
    return {
        "alpha": [rounded(value, 4) for value in alpha[rows]],
        "beta": [rounded(value, 4) for value in beta[columns]],
        "loss": [[rounded(value, 4) for value in row] for row in loss[np.ix_(rows, columns)]],
        "center": rounded(float(group.attrs["center_loss"])),
        "names": [str(name) for name in np.asarray(group["axis"][:]).astype(str)],
        "curvatures": [rounded(float(value), 4) for value in np.atleast_1d(curvatures)],
    }
