"""Scans' folders with chosen numbers: no network, no training, every number known beforehand.

`plant` makes them all. What it plants is either the answers of a phase diagram (`planted`), runs
that escape when they are told to (`planted_runs`), or what the scripts of figures.paper draw
(`planted_scan`).
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from landscape.config.cell import CellConfig
from landscape.config.scan import ScanConfig
from landscape.scanning.figure_data import config_of
from landscape.store.reading import StoredScan, open_scan
from landscape.store.scan_store import ScanStore

Content = tuple[Mapping[str, xr.Dataset], Mapping[str, Any]]
"""The groups of a cell's file, and its scalars."""


def plant(
    folder: Path, config: ScanConfig, content: Callable[[CellConfig], Content | None]
) -> StoredScan:
    """A scan's folder whose cells hold this content; a cell of None is not finished."""
    store = ScanStore(folder).open_or_create(config, {})
    for cell in config.cells():
        found = content(cell)
        if found is not None:
            groups, scalars = found
            store.write_cell(cell, xr.DataTree.from_dict(dict(groups)), scalars, {})
    return open_scan(folder)


GRID = ("0.2", "0.5", "0.8")
WIDTH = 2
PARAMETERS = 40
SEEDS = 4
Key = tuple[str, str, str]  # tying, p, q as they are written


def scan_of(**changes: Any) -> ScanConfig:
    axes = {"source.p": list(GRID), "source.q": list(GRID), "model.tying": ["tied", "untied"]}
    train, model = {"steps": 100, "seeds": SEEDS}, {"width": WIDTH, "length": 3}
    settings = {"name": "planted", "model": model, "train": train, "axes": axes}
    return ScanConfig(**{**settings, **changes})


def key_of(cell: CellConfig) -> Key:
    return cell.model.tying, str(cell.source.p), str(cell.source.q)


def lowest(key: Key) -> float:
    """The lowest eigenvalue across the unigram set in exact arithmetic, from the 2x2 blocks."""
    return float(min(block(key)))


def block(key: Key) -> list[Fraction]:
    tying, p, q = key[0], Fraction(key[1]), Fraction(key[2])
    c, s = p * q / (p + q) ** 2, p + q - 1
    if tying == "tied":
        return [c, *[2 * c * s] * WIDTH]
    return [c, *[c * s] * WIDTH, *[-c * s] * WIDTH]


def spectrum(key: Key) -> np.ndarray:
    """All eigenvalues: the block's, and noise of round-off where they are identically 0."""
    exact = [float(value) for value in block(key)]
    noise = np.linspace(-1e-17, 1e-17, PARAMETERS - len(exact))
    return np.sort(np.concatenate([exact, noise]))


def stuck(key: Key) -> int:
    """A count that tells the cells apart: 0 below the line, 1 to 4 above it."""
    return max(0, round(5 * float(Fraction(key[1]) + 2 * Fraction(key[2]) - 1)) % 5)


def scalars(key: Key) -> dict[str, Any]:
    values = spectrum(key)
    counts = [int((values < -1e-15).sum()), 0, int((values > 1e-15).sum())]
    counts[1] = PARAMETERS - sum(counts)
    flat = Fraction(key[1]) + Fraction(key[2]) == 1
    outcomes = ["unigram"] * stuck(key) + ["bigram"] * (SEEDS - stuck(key))
    point = {"inertia": counts, "predicted_inertia": counts, "verdict": "verified"}
    return {
        "final_loss": [0.6] * SEEDS,
        "outcome": ["degenerate"] * SEEDS if flat else outcomes,
        "points": {"unigram": {**point, "max_error": 1e-16 * (1 + GRID.index(key[1]))}},
    }


def planted(
    folder: Path,
    *,
    config: ScanConfig | None = None,
    skip: Collection[Key] = (),
    unigram: Mapping[Key, Mapping[str, Any]] | None = None,
    top: Mapping[Key, Mapping[str, Any]] | None = None,
) -> StoredScan:
    """The folder, without the cells in `skip`; some scalars, at the unigram or on top, changed."""

    def content(cell: CellConfig) -> Content | None:
        key = key_of(cell)
        if key in skip:
            return None
        record = scalars(key) | dict((top or {}).get(key, {}))
        record["points"]["unigram"] |= (unigram or {}).get(key, {})
        return {"/spectrum/unigram": xr.Dataset({"eigenvalue": ("index", spectrum(key))})}, record

    return plant(folder, config or scan_of(), content)


def scan_of_runs(**changes: Any) -> ScanConfig:
    """One in which runs alone are looked at, and no point is measured."""
    return scan_of(**{"measure": {"points": []}, **changes})


ABOVE, BELOW = 0.69, 0.3
Escapes = Sequence[int | None]


def planted_runs(
    folder: Path,
    escapes: Callable[[CellConfig], Escapes | None],
    *,
    config: ScanConfig | None = None,
    every: int = 10,
    ruined: Callable[[CellConfig], dict[int, int]] = lambda cell: {},
) -> StoredScan:
    """Finished cells with these escape steps; a cell of None is not finished.

    `ruined` maps a run's position to the step from which on its loss is NaN.
    """

    def content(cell: CellConfig) -> Content | None:
        steps = escapes(cell)
        if steps is None:
            return None
        times = np.arange(0, cell.train.steps + 1, every)
        loss = np.full((len(steps), len(times)), ABOVE)
        for run, step in enumerate(steps):
            loss[run, times >= (np.inf if step is None else step)] = BELOW
        for run, step in ruined(cell).items():
            loss[run, times >= step] = np.nan
        escape = [-1 if step is None else step for step in steps]
        arrays = {"loss": (("seed", "step"), loss), "escape_step": ("seed", escape)}
        coords = {"seed": cell.train.seed + np.arange(len(steps)), "step": times}
        return {"/training": xr.Dataset(arrays, coords=coords)}, {}

    return plant(folder, config or scan_of_runs(), content)


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
    level = 0.1 + 0.005 * rank(cell) + 0.01 * np.arange(RUNS)
    return np.asarray(level[:, None] + 0.001 * np.arange(N))


def shares(cell: CellConfig) -> np.ndarray:
    """[R, K]: the attention share at the checkpoints."""
    return np.asarray((1 + np.arange(RUNS))[:, None] * np.sin(STEPS / 130.0)[None] ** 2 / 40)


def planted_scan(folder: Path, name: str, *, skip: int = 0) -> Path:
    """The folder of a figure's scan at quick size, all cells but the first `skip` of them done."""
    config = config_of(name, "quick")
    left_out = config.cells()[:skip]

    def content(cell: CellConfig) -> Content | None:
        if cell in left_out:
            return None
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
        return groups, {"escape_step": [None, 50, 100], "points": {}}

    return plant(folder / config.name, config, content).path


def _checkpoints(cell: CellConfig) -> xr.Dataset:
    chance = np.zeros((RUNS, len(STEPS), N, 2, 2))
    chance[:, -1, :, 0, 1] = chances(cell)
    attention = np.zeros((RUNS, len(STEPS), 1, 1, N, N))
    attention[:, -1, 0, 0] = np.tri(N) / np.arange(1, N + 1)[:, None]
    energy = np.linspace(0.25, 0.9, len(STEPS)) + 0.01 * np.arange(RUNS)[:, None]
    arrays = {
        "probability": (("seed", "checkpoint", "position", "last", "next"), chance),
        "attention": (("seed", "checkpoint", "layer", "head", "query", "key"), attention),
        "attention_share": (("seed", "checkpoint", "layer"), shares(cell)[..., None]),
        "rank_one": (("seed", "checkpoint", "matrix"), energy[..., None]),
    }
    coords = {"step": ("checkpoint", STEPS), "matrix": ["blocks.0.hidden_in"]}
    return xr.Dataset(arrays, coords={**coords, "position": np.arange(1, N + 1)})


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
    arrays = {
        "loss": np.where(walks, H_U, H_U - 0.1 * (t - 4)) - shift,
        "distance": t,
        "walks": walks.astype(np.int8),
        **dict.fromkeys(("lowest", "curvature"), np.where(walks, 0.2 - 0.1 * t, np.nan)),
    }
    levels = {"unigram_loss": H_U, "bigram_loss": H_B, "barrier": 0.0}
    along = {name: ("t", values) for name, values in arrays.items()}
    return xr.Dataset(along, coords={"t": t}, attrs=levels)
