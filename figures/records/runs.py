"""Training runs of one cell of a stored scan, as the scripts draw them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from landscape.config.cell import CellConfig
from landscape.config.reading import get
from landscape.store.reading import StoredScan, same_value

if TYPE_CHECKING:
    import xarray

__all__ = ["Runs", "cell_of", "checkpoints", "published_losses", "runs_of"]


@dataclass(frozen=True)
class Runs:
    """The runs of a cell.

    Fields:
        step: [T], evaluated steps, ascending.
        loss: [R, T], population loss, nats.
        unigram_loss, bigram_loss: the two levels for contexts of this length, nats.
        stuck: [R], whether the run never was below their middle.
    """

    step: Int[np.ndarray, " T"]
    loss: Float[np.ndarray, "R T"]
    unigram_loss: float
    bigram_loss: float
    stuck: Int[np.ndarray, " R"]

    @property
    def mean(self) -> Float[np.ndarray, " T"]:
        """Mean loss over the runs, nats."""
        found: Float[np.ndarray, " T"] = self.loss.mean(axis=0)
        return found


def cell_of(store: StoredScan, select: Mapping[str, Any]) -> CellConfig:
    """The finished cell with these values of settings; see `StoredScan.select`.

    Raises ValueError where there is none or several, or where it is not finished.
    """
    cell = store.only(select)
    if not store.done(cell):
        raise ValueError(f"the cell {dict(select)} of the scan {store.config.name} is not finished")
    return cell


def runs_of(store: StoredScan, select: Mapping[str, Any]) -> Runs:
    """The runs of the cell that `select` names. Raises ValueError as `cell_of` does."""
    names = ("step", "loss", "unigram_loss", "bigram_loss", "escape_step")
    step, loss, unigram, bigram, escapes = store.arrays(
        cell_of(store, select), *(f"training/{name}" for name in names)
    )
    return Runs(step, loss, float(unigram), float(bigram), stuck=(escapes < 0).astype(int))


def checkpoints(store: StoredScan, select: Mapping[str, Any]) -> xarray.Dataset:
    """What the runs of a cell recorded on the way. Raises ValueError as `cell_of` does."""
    cell = cell_of(store, select)
    found = store.groups(cell, "checkpoints")
    if not found:
        raise ValueError(
            f"the cell {dict(select)} of the scan {store.config.name} has no checkpoints: set "
            "train.checkpoints, and scan into another folder"
        )
    return found["checkpoints"]


def published_losses(
    preset: str, store: StoredScan, select: Mapping[str, Any]
) -> list[tuple[int, float]]:
    """(step, loss in nats) as read off the published figure, for the cell that `select` names."""
    from landscape.scanning.presets import load

    cell, found = cell_of(store, select), []
    for each in load(preset).expectations:
        here = all(same_value(value, get(cell, name)) for name, value in each.select.items())
        if each.quantity == "loss" and each.published is not None and here:
            step = cell.train.steps if each.at is None else each.at
            found.append((int(step), float(each.published)))
    return sorted(set(found))
