"""What the page shows of one cell, read from its files: plain data, thinned.

What a picture on a screen cannot show is left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from landscape.config.cell import CellConfig
from landscape.store.reading import StoredScan

if TYPE_CHECKING:
    import xarray

POINTS = ("unigram", "bigram")
"""The points that are constructed, of which there is a spectrum and a slice."""

GROUPS = (
    *("training", "survival"),
    *(f"{what}/{kind}" for what in ("spectrum", "theory", "slices") for kind in POINTS),
)
"""The groups of a cell's file that the page shows something of."""

SCALARS = ("unigram_loss", "bigram_loss", "final_loss", "outcome", "escape_step", "points")
"""The scalars that the page shows; a record without one of them is damaged."""

EIGENVALUES = 120
"""Those that are drawn; a spectrum with more of them that are not zero is thinned."""

LAST = 0.1
"""The share of the steps, at the end, over which a fall is looked for."""


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
        state: "done", "missing" (not finished), "failed" (not measured) or "damaged" (files are
            not what was written).
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


def read_cell(store: StoredScan, cell: CellConfig, budget: Budget) -> CellRecord:
    """Read a cell; one that is not finished, or whose files are not sound, says so.

    Nothing in the folder is moved: a damaged cell is for the next scan to set aside.
    """
    if not store.done(cell):
        failure = store.failed.get(cell.id)
        why = "is not finished" if failure is None else f"failed ({failure.reason})"
        state = "missing" if failure is None else "failed"
        return _without(cell, state, f"{why}; run the scan again")
    try:
        if (fault := store.fault(cell)) is not None:
            return _without(cell, "damaged", f"is damaged: {fault}")
        record = store.record(cell)
        scalars, created = record["scalars"], str(record["created_at"])
        found = store.groups(cell, *GROUPS)
        drawn, curves = _drawn(found, scalars, budget), found["training"]
        late = late_losses(curves["step"].values, curves["loss"].values)
        checks = {
            kind: list(json.loads(found[f"theory/{kind}"].attrs["checks"]))
            for kind in POINTS
            if f"theory/{kind}" in found
        }
        kept = {name: scalars[name] for name in SCALARS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        cause = error.__cause__ or error
        return _without(cell, "damaged", f"has files that cannot be read ({type(cause).__name__})")
    return CellRecord(cell, "done", "", created, kept, checks, drawn, late)


def _without(cell: CellConfig, state: str, why: str) -> CellRecord:
    return CellRecord(cell, state, why, "", {}, {}, {}, {})


def _drawn(
    found: Mapping[str, xarray.Dataset], scalars: Mapping[str, Any], budget: Budget
) -> dict[str, Any]:
    return {
        "training": _training(found["training"], budget),
        "survival": _survival(found["survival"]) if "survival" in found else None,
        "spectra": {
            kind: spectrum_rows(
                found[f"spectrum/{kind}"]["eigenvalue"].values,
                _theory(found.get(f"theory/{kind}")),
                float(scalars["points"][kind]["zero_bound"]),
            )
            for kind in POINTS
            if f"spectrum/{kind}" in found
        },
        "slices": {
            kind: _slice(found[f"slices/{kind}"], budget)
            for kind in POINTS
            if f"slices/{kind}" in found
        },
    }


def _theory(group: xarray.Dataset | None) -> np.ndarray | None:
    return None if group is None or "eigenvalue" not in group else group["eigenvalue"].values


def _training(group: xarray.Dataset, budget: Budget) -> dict[str, Any]:
    steps, loss = group["step"].values, group["loss"].values
    kept = spread(len(steps), budget.steps)
    return {
        "step": steps[kept].tolist(),
        "loss": [[rounded(value) for value in run] for run in loss[:, kept]],
        "seed": group["seed"].values.tolist(),
    }


def _survival(group: xarray.Dataset) -> dict[str, Any]:
    rows = {name: group[name].values for name in ("share", "low", "high")}
    kept = changes(*rows.values())
    return {
        "step": group["step"].values[kept].tolist(),
        **{name: [rounded(value, 4) for value in row[kept]] for name, row in rows.items()},
        "runs": int(group.attrs["runs"]),
        "confidence": float(group.attrs["confidence"]),
    }


def _slice(group: xarray.Dataset, budget: Budget) -> dict[str, Any]:
    alpha, beta, loss = (group[name].values for name in ("alpha", "beta", "loss"))
    rows, columns = (symmetric(len(axis), budget.side) for axis in (alpha, beta))
    curvatures = group.attrs.get("curvatures", [])
    return {
        "alpha": [rounded(value, 4) for value in alpha[rows]],
        "beta": [rounded(value, 4) for value in beta[columns]],
        "loss": [[rounded(value, 4) for value in row] for row in loss[np.ix_(rows, columns)]],
        "center": rounded(float(group.attrs["center_loss"])),
        "names": group["axis"].values.tolist(),
        "curvatures": [rounded(float(value), 4) for value in np.atleast_1d(curvatures)],
    }


def spectrum_rows(
    measured: Float[np.ndarray, " D"], predicted: Float[np.ndarray, " D"] | None, zero_bound: float
) -> dict[str, Any]:
    """The eigenvalues beyond the bound, by either account, and how many are within it.

    Arguments:
        measured, predicted: all D eigenvalues, ascending, in nats per squared parameter.
        zero_bound: at or below which |lambda| counts as zero.

    >>> found = spectrum_rows(np.array([-0.4, 1e-17, 0.25]), np.array([-0.4, 0.0, 0.25]), 1e-15)
    >>> found["measured"], found["predicted"], found["zeros"], found["deciding"]
    ([-0.4, 0.25], [-0.4, 0.25], 1, -0.4)
    """
    beyond = ~(np.abs(measured) <= zero_bound)  # what is not a number is not zero
    if predicted is not None:
        beyond |= np.abs(predicted) > zero_bound
    index = np.flatnonzero(beyond)
    kept = index[spread(len(index), EIGENVALUES)] if len(index) else index
    return {
        "index": kept.tolist(),
        "measured": [rounded(value, 6) for value in measured[kept]],
        "predicted": None if predicted is None else [rounded(v, 6) for v in predicted[kept]],
        "zeros": int(len(measured) - len(index)),
        "parameters": len(measured),
        "thinned": len(kept) < len(index),
        "zero_bound": rounded(zero_bound, 3),
        "deciding": deciding(measured, zero_bound),
    }


def deciding(eigenvalues: Float[np.ndarray, " D"], zero_bound: float) -> float | None:
    """The lowest eigenvalue that is not zero: its sign says saddle or minimum. None without one.

    >>> deciding(np.array([0.0, 1e-17, 0.1, 0.25]), 1e-15)
    0.1
    """
    beyond = eigenvalues[np.abs(eigenvalues) > zero_bound]
    return rounded(float(beyond.min())) if len(beyond) else None


def rounded(value: float, digits: int = 5) -> float | None:
    """A number to so many significant digits; None where it is not finite, as JSON has it.

    >>> rounded(0.693147180559), rounded(float("nan"))
    (0.69315, None)
    """
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def symmetric(count: int, most: int) -> Int[np.ndarray, " kept"]:
    """Indices of at most about `most` of `count` nodes: both ends, the middle, evenly between.

    The middle node of an odd count is the centre of a slice, which must not be lost.

    >>> symmetric(51, 27).tolist()[:3], 25 in symmetric(51, 27), len(symmetric(51, 27))
    ([0, 1, 3], True, 27)
    """
    middle = (count - 1) // 2
    stride = max(1, math.ceil((count - 1) / max(2, most - 1)))
    inner = np.arange(middle % stride, count, stride)
    return np.union1d(inner, [0, count - 1])


def spread(count: int, most: int) -> Int[np.ndarray, " kept"]:
    """Indices of at most `most` of `count` values, evenly spread, the first and last among them.

    >>> spread(1001, 5).tolist(), spread(3, 5).tolist()
    ([0, 250, 500, 750, 1000], [0, 1, 2])
    """
    return np.unique(np.rint(np.linspace(0, count - 1, min(count, most))).astype(np.int64))


def changes(*rows: Float[np.ndarray, " times"]) -> Int[np.ndarray, " kept"]:
    """Indices at which one of the rows takes a new value, with the first and the last.

    >>> changes(np.array([1.0, 1.0, 0.5, 0.5, 0.5])).tolist()
    [0, 2, 4]
    """
    moved = np.zeros(len(rows[0]), dtype=bool)
    for row in rows:
        moved[1:] |= row[1:] != row[:-1]
    moved[[0, -1]] = True
    return np.flatnonzero(moved)


def late_losses(
    step: Int[np.ndarray, " times"], loss: Float[np.ndarray, "runs times"]
) -> dict[str, list[float]]:
    """Each run's loss (nats) when half of the steps were made, and before the last tenth of them.

    Each is the last one evaluated by then.

    >>> late_losses(np.array([0, 5, 9, 10]), np.array([[4.0, 3.0, 2.0, 1.0]]))
    {'half': [3.0], 'late': [2.0]}
    """

    def by(share: float) -> list[float]:
        column = int(np.searchsorted(step, share * step[-1], side="right")) - 1
        return [float(value) for value in loss[:, column]]

    return {"half": by(0.5), "late": by(1 - LAST)}
