"""Scans and records with chosen numbers, for the scripts of figures.paper: nothing is trained."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from landscape.config.cell import CellConfig
from landscape.scanning.figure_data import config_of
from landscape.store.scan_store import ScanStore

STEPS = np.array([0, 50, 100, 150, 200, 250, 400])
RUNS = 3
N = 6
H_U, H_B = 1.7, 0.3


def rank(cell: CellConfig) -> int:
    """A small number that tells the cells of a scan apart, from their settings alone."""
    return sum(map(ord, "".join(f"{k}{v}" for k, v in sorted(cell.coordinates.items())))) % 89


def losses(cell: CellConfig) -> np.ndarray:
    """[R, T]: falls as 1/(1 + t), from a level of its own for each cell and run."""
    levels = H_B + 0.001 * rank(cell) + 0.01 * np.arange(RUNS)
    return np.asarray(levels[:, None] + 0.2 / (1.0 + STEPS[None]))


def chances(cell: CellConfig) -> np.ndarray:
    """[R, N]: the probability of a 1 after a 0 at the end."""
    return np.asarray(
        0.1 + 0.005 * rank(cell) + 0.01 * np.arange(RUNS)[:, None] + 0.001 * np.arange(N)
    )


def shares(cell: CellConfig) -> np.ndarray:
    """[R, K]: the attention share at the checkpoints."""
    return np.asarray((1 + np.arange(RUNS))[:, None] * np.sin(STEPS / 130.0)[None] ** 2 / 40)


def planted_scan(folder: Path, name: str, *, skip: int = 0) -> Path:
    """The folder of a scan at quick size, all cells but the first `skip` of them done."""
    config = config_of(name, "quick")
    store = ScanStore(folder / config.name).open_or_create(config, {})
    for cell in config.cells()[skip:]:
        training = {
            "loss": (("seed", "step"), losses(cell)),
            "escape_step": ("seed", np.array([-1, 50, 100])),
            "unigram_loss": H_U,
            "bigram_loss": H_B,
        }
        steps = np.append(STEPS[:-1], max(STEPS[-1], cell.train.steps))
        coords = {"step": steps, "seed": range(RUNS)}
        groups = {"/training": xr.Dataset(training, coords=coords)}
        if cell.train.checkpoints:
            groups["/checkpoints"] = _checkpoints(cell)
        scalars: dict[str, Any] = {"escape_step": [None, 50, 100], "points": {}}
        store.write_cell(cell, xr.DataTree.from_dict(groups), scalars, {})
    return store.path


def _checkpoints(cell: CellConfig) -> xr.Dataset:
    chance = np.zeros((RUNS, len(STEPS), N, 2, 2))
    chance[:, -1, :, 0, 1] = chances(cell)
    attention = np.zeros((RUNS, len(STEPS), 1, 1, N, N))
    attention[:, -1, 0, 0] = np.tri(N) / np.arange(1, N + 1)[:, None]
    energy = np.linspace(0.25, 0.9, len(STEPS)) + 0.01 * np.arange(RUNS)[:, None]
    return xr.Dataset(
        {
            "probability": (("seed", "checkpoint", "position", "last", "next"), chance),
            "attention": (("seed", "checkpoint", "layer", "head", "query", "key"), attention),
            "attention_share": (("seed", "checkpoint", "layer"), shares(cell)[..., None]),
            "rank_one": (("seed", "checkpoint", "matrix"), energy[..., None]),
        },
        coords={
            "step": ("checkpoint", STEPS),
            "position": np.arange(1, N + 1),
            "matrix": ["blocks.0.hidden_in"],
        },
    )


def planted_record(folder: Path, name: str, found: xr.Dataset, **settings: Any) -> Path:
    """A record's file, without what marks it as measured."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.nc"
    found.attrs["settings"] = json.dumps(settings)
    path.write_bytes(xr.DataTree(found).to_netcdf(None, engine="h5netcdf"))
    return path


def valley(shift: float = 0.0) -> xr.Dataset:
    """A path of eight corners, five on the walk."""
    t = np.linspace(0, 7, 8)
    walks = t < 5
    return xr.Dataset(
        {
            "loss": ("t", np.where(walks, H_U, H_U - 0.1 * (t - 4)) - shift),
            "distance": ("t", t),
            "walks": ("t", walks.astype(np.int8)),
            "lowest": ("t", np.where(walks, 0.2 - 0.1 * t, np.nan)),
            "curvature": ("t", np.where(walks, 0.2 - 0.1 * t, np.nan)),
        },
        coords={"t": t},
        attrs={"unigram_loss": H_U, "bigram_loss": H_B, "barrier": 0.0},
    )
