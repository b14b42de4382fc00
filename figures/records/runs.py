"""Training runs of one cell of a stored scan, as the scripts draw them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from landscape.config.cell import CellConfig
from landscape.config.scan import ScanConfig
from landscape.scanning.survival import same_number
from landscape.store.scan_store import ScanStore

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


def cell_of(store: ScanStore, select: Mapping[str, Any]) -> CellConfig:
    """The cell with these values of the scan's axes.

    Raises ValueError where there is none or several, or where it is not finished.
    """
    config, cells = _config(store.path, (store.path / "scan.json").stat().st_mtime_ns)
    found = [
        cell
        for cell in cells
        if all(
            name in cell.coordinates and same_number(str(value), cell.coordinates[name])
            for name, value in select.items()
        )
    ]
    if len(found) != 1:
        raise ValueError(
            f"{dict(select)} selects {len(found)} cells of the scan {config.name}, not one; its "
            f"axes are {', '.join(config.axes)}"
        )
    if not store.done(found[0].id):
        raise ValueError(f"the cell {dict(select)} of the scan {config.name} is not finished")
    return found[0]


def runs_of(store: ScanStore, select: Mapping[str, Any]) -> Runs:
    """The runs of the cell that `select` names. Raises ValueError as `cell_of` does."""
    found = _group(store, cell_of(store, select), "/training")
    return Runs(
        step=found["step"].values,
        loss=found["loss"].values,
        unigram_loss=float(found["unigram_loss"]),
        bigram_loss=float(found["bigram_loss"]),
        stuck=(found["escape_step"].values < 0).astype(int),
    )


def checkpoints(store: ScanStore, select: Mapping[str, Any]) -> xarray.Dataset:
    """What the runs of a cell recorded on the way. Raises ValueError as `cell_of` does."""
    return _group(store, cell_of(store, select), "/checkpoints")


def published_losses(
    preset: str, store: ScanStore, select: Mapping[str, Any]
) -> list[tuple[int, float]]:
    """(step, loss in nats) as read off the published figure, for the cell that `select` names."""
    from landscape.scanning.presets import load

    cell, found = cell_of(store, select), []
    for each in load(preset).expectations:
        here = all(same_number(str(v), cell.coordinates[k]) for k, v in each.select.items())
        if each.quantity == "loss" and each.published is not None and here:
            step = cell.train.steps if each.at is None else each.at
            found.append((int(step), float(each.published)))
    return sorted(set(found))


@lru_cache(maxsize=8)
def _config(path: Path, _written: int) -> tuple[ScanConfig, tuple[CellConfig, ...]]:
    config = ScanStore(path).config()
    return config, config.cells()


def _group(store: ScanStore, cell: CellConfig, group: str) -> xarray.Dataset:
    import xarray

    path = store.path / "cells" / f"{cell.id}.nc"
    with xarray.open_dataset(path, group=group, engine="h5netcdf") as found:
        return found.load()
