"""What a preset's run is compared with: one number of one cell, as published and as expected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import xarray
from pydantic import Field, model_validator

from landscape.config.cell import CellConfig
from landscape.config.scan import ScanConfig
from landscape.config.section import Real, Section, Whole
from landscape.errors import ConfigError
from landscape.scanning.survival import same_number
from landscape.store.scan_store import ScanStore

Quantity = Literal[
    "loss", "least loss", "escaped", "probability", "attention share", "rank one"
]  # fmt: skip


class Expectation(Section):
    """A number that is read off a scan, and the range that it is expected in.

    `select` names the cell by values of the scan's axes, and `at` the step, or the last evaluated
    one before it; left out, it is the end. The quantities are means over the cell's seeds:

    - "loss", the population loss in nats; "least loss", the smallest of its means until then;
    - "escaped", the share of runs that were below (H_u + H_b)/2 by then;
    - "probability", of the symbol 1 after a 0, averaged over positions;
    - "attention share" of the residual stream, in the first layer; left without `at`, its peak;
    - "rank one", the share of its first singular value in the energy of a `matrix`.

    `published` is the value read off the paper's figure, where there is one; `low` and `high` bound
    what is expected of this run, and `note` says why where the two differ. Without bounds the value
    is recorded only. `size` is the size of the preset that it holds for, None for both.
    """

    title: ClassVar[str] = "expect"
    what: str = Field(description="a text")
    quantity: Quantity
    select: dict[str, Any] = Field(default_factory=dict, description="a table of axis values")
    at: Whole | None = Field(default=None, ge=0, description="a step")
    matrix: str | None = Field(default=None, description="the name of a parameter")
    published: Real | None = Field(default=None, description="a finite number")
    low: Real | None = Field(default=None, description="a finite number")
    high: Real | None = Field(default=None, description="a finite number")
    note: str = Field(default="", description="a text")
    size: Literal["quick", "paper"] | None = None

    @model_validator(mode="after")
    def _bounds_come_in_pairs(self) -> Expectation:
        if (self.low is None) != (self.high is None):
            raise ConfigError(f"expect {self.what!r} has one bound of low and high; give both")
        return self


@dataclass(frozen=True)
class Finding:
    """An expectation beside what was measured: mean and standard error over the seeds.

    `verdict` is "as expected", "differs", "recorded" (without bounds) or "missing" (the cell is not
    there, or did not record the quantity).
    """

    expectation: Expectation
    value: float | None
    error: float | None
    seeds: int
    verdict: Literal["as expected", "differs", "recorded", "missing"]


def compare_with(expectation: Expectation, store: ScanStore, config: ScanConfig) -> Finding:
    """Read one number off a scan's folder and hold it against its bounds."""
    cell = _cell(expectation, config)
    if not store.done(cell.id):
        return Finding(expectation, None, None, cell.train.seeds, "missing")
    per_seed = READERS[expectation.quantity](expectation, store.read_cell(cell.id))
    if per_seed is None:
        return Finding(expectation, None, None, cell.train.seeds, "missing")
    value, count = float(per_seed.mean()), len(per_seed)
    error = float(per_seed.std(ddof=1) / count**0.5) if count > 1 else None
    verdict: Literal["as expected", "differs", "recorded"] = "recorded"
    if expectation.low is not None and expectation.high is not None:
        inside = expectation.low <= value <= expectation.high
        verdict = "as expected" if inside else "differs"
    return Finding(expectation, value, error, count, verdict)


def _cell(expectation: Expectation, config: ScanConfig) -> CellConfig:
    found = [
        cell
        for cell in config.cells()
        if all(
            name in cell.coordinates and same_number(str(value), cell.coordinates[name])
            for name, value in expectation.select.items()
        )
    ]
    if len(found) != 1:
        raise ConfigError(
            f"expect {expectation.what!r} selects {len(found)} cells of {config.name}; select one "
            f"by values of the axes {', '.join(config.axes) or '(there are none)'}"
        )
    return found[0]


def _until(expectation: Expectation, steps: np.ndarray) -> int:
    """The position of the last step that is not after the one asked for."""
    at = steps[-1] if expectation.at is None else expectation.at
    return int(np.searchsorted(steps, at, side="right")) - 1


def _loss(expectation: Expectation, tree: xarray.DataTree) -> np.ndarray:
    training = tree["/training"].to_dataset()
    last = _until(expectation, training["step"].values)
    return np.asarray(training["loss"].values[:, last])


def _least_loss(expectation: Expectation, tree: xarray.DataTree) -> np.ndarray:
    training = tree["/training"].to_dataset()
    last = _until(expectation, training["step"].values)
    loss = training["loss"].values[:, : last + 1]
    return np.asarray(loss[:, int(loss.mean(axis=0).argmin())])


def _escaped(expectation: Expectation, tree: xarray.DataTree) -> np.ndarray:
    training = tree["/training"].to_dataset()
    steps, escapes = training["step"].values, training["escape_step"].values
    last = steps[_until(expectation, steps)]
    return np.asarray(((escapes >= 0) & (escapes <= last)).astype(float))


def _checkpoints(tree: xarray.DataTree) -> xarray.Dataset | None:
    return tree["/checkpoints"].to_dataset() if "checkpoints" in tree.children else None


def _probability(expectation: Expectation, tree: xarray.DataTree) -> np.ndarray | None:
    found = _checkpoints(tree)
    if found is None:
        return None
    last = _until(expectation, found["step"].values)
    chance = found["probability"].isel(checkpoint=last, last=0, next=1)
    return np.asarray(chance.mean("position").values)


def _attention_share(expectation: Expectation, tree: xarray.DataTree) -> np.ndarray | None:
    found = _checkpoints(tree)
    if found is None or "attention_share" not in found:
        return None
    share = found["attention_share"].isel(layer=0).values
    if expectation.at is None:
        return np.asarray(share[:, int(share.mean(axis=0).argmax())])
    return np.asarray(share[:, _until(expectation, found["step"].values)])


def _rank_one(expectation: Expectation, tree: xarray.DataTree) -> np.ndarray | None:
    found = _checkpoints(tree)
    if found is None or expectation.matrix not in found["matrix"].values:
        return None
    last = _until(expectation, found["step"].values)
    energy = found["rank_one"].isel(checkpoint=last).sel(matrix=expectation.matrix)
    return np.asarray(energy.values)


READERS: dict[str, Callable[[Expectation, xarray.DataTree], np.ndarray | None]] = {
    "loss": _loss,
    "least loss": _least_loss,
    "escaped": _escaped,
    "probability": _probability,
    "attention share": _attention_share,
    "rank one": _rank_one,
}
"""How each quantity is read off a cell: one number a seed."""
