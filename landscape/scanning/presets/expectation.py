"""What a preset's run is compared with: one number of one cell, as published and as expected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import xarray
from pydantic import Field, model_validator

from landscape.config.section import Real, Section, Whole
from landscape.errors import ConfigError
from landscape.store.reading import StoredScan

Quantity = Literal[
    "loss", "least loss", "escaped", "probability", "attention share", "rank one"
]  # fmt: skip


class Expectation(Section):
    """A number that is read off a scan, and the range that it is expected in.

    `select` names the cell by values of settings, and `at` the step, or the last evaluated
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

    @property
    def words(self) -> str:
        """The mean and its standard error, if there are two seeds or more that differ."""
        if self.value is None:
            return "-"
        error = "" if not self.error else f" ± {self.error:.1g}"
        return f"{self.value:.4f}{error}"


def compare_with(expectation: Expectation, store: StoredScan) -> Finding:
    """Read one number off a scan's folder and hold it against its bounds.

    Raises ConfigError where the expectation does not select one cell.
    """
    try:
        cell = store.only(expectation.select)
    except ConfigError as refusal:
        raise ConfigError(f"expect {expectation.what!r}: {refusal}") from None
    group, reader = READERS[expectation.quantity]
    found = store.groups(cell, group).get(group) if store.done(cell) else None
    per_seed = None if found is None else reader(expectation, found)
    if per_seed is None:
        return Finding(expectation, None, None, cell.train.seeds, "missing")
    value, count = float(per_seed.mean()), len(per_seed)
    error = float(per_seed.std(ddof=1) / count**0.5) if count > 1 else None
    verdict: Literal["as expected", "differs", "recorded"] = "recorded"
    if expectation.low is not None and expectation.high is not None:
        inside = expectation.low <= value <= expectation.high
        verdict = "as expected" if inside else "differs"
    return Finding(expectation, value, error, count, verdict)


def _until(expectation: Expectation, steps: np.ndarray) -> int:
    """The position of the last step that is not after the one asked for."""
    at = steps[-1] if expectation.at is None else expectation.at
    return int(np.searchsorted(steps, at, side="right")) - 1


def _loss(expectation: Expectation, training: xarray.Dataset) -> np.ndarray:
    last = _until(expectation, training["step"].values)
    return np.asarray(training["loss"].values[:, last])


def _least_loss(expectation: Expectation, training: xarray.Dataset) -> np.ndarray:
    last = _until(expectation, training["step"].values)
    loss = training["loss"].values[:, : last + 1]
    return np.asarray(loss[:, int(loss.mean(axis=0).argmin())])


def _escaped(expectation: Expectation, training: xarray.Dataset) -> np.ndarray:
    steps, escapes = training["step"].values, training["escape_step"].values
    last = steps[_until(expectation, steps)]
    return np.asarray(((escapes >= 0) & (escapes <= last)).astype(float))


def _probability(expectation: Expectation, found: xarray.Dataset) -> np.ndarray:
    last = _until(expectation, found["step"].values)
    chance = found["probability"].isel(checkpoint=last, last=0, next=1)
    return np.asarray(chance.mean("position").values)


def _attention_share(expectation: Expectation, found: xarray.Dataset) -> np.ndarray | None:
    if "attention_share" not in found:
        return None
    share = found["attention_share"].isel(layer=0).values
    if expectation.at is None:
        return np.asarray(share[:, int(share.mean(axis=0).argmax())])
    return np.asarray(share[:, _until(expectation, found["step"].values)])


def _rank_one(expectation: Expectation, found: xarray.Dataset) -> np.ndarray | None:
    if expectation.matrix not in found["matrix"].values:
        return None
    last = _until(expectation, found["step"].values)
    energy = found["rank_one"].isel(checkpoint=last).sel(matrix=expectation.matrix)
    return np.asarray(energy.values)


READERS: dict[str, tuple[str, Callable[[Expectation, xarray.Dataset], np.ndarray | None]]] = {
    "loss": ("training", _loss),
    "least loss": ("training", _least_loss),
    "escaped": ("training", _escaped),
    "probability": ("checkpoints", _probability),
    "attention share": ("checkpoints", _attention_share),
    "rank one": ("checkpoints", _rank_one),
}
"""Of each quantity, the group of a cell's file, and how it is read off: one number a seed."""
