"""A scan's folder with chosen answers: no network, no training, every number known beforehand."""

from collections.abc import Collection, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from landscape.config.cell import CellConfig
from landscape.config.scan import ScanConfig
from landscape.store.scan_store import ScanStore

GRID = ("0.2", "0.5", "0.8")
WIDTH = 2
PARAMETERS = 40
SEEDS = 4
Key = tuple[str, str, str]  # tying, p, q as they are written


def scan_of(**changes: Any) -> ScanConfig:
    axes = {"source.p": list(GRID), "source.q": list(GRID), "model.tying": ["tied", "untied"]}
    settings: dict[str, Any] = {
        "name": "planted",
        "model": {"width": WIDTH, "length": 3},
        "train": {"steps": 100, "seeds": SEEDS},
        "axes": axes,
    }
    return ScanConfig(**{**settings, **changes})


def key_of(cell: CellConfig) -> Key:
    return cell.model.tying, str(cell.source.p), str(cell.source.q)


def lowest(key: Key) -> float:
    """The lowest eigenvalue across the unigram set in exact arithmetic, from the 2x2 blocks."""
    tying, p, q = key[0], Fraction(key[1]), Fraction(key[2])
    c = p * q / (p + q) ** 2
    s = p + q - 1
    return float(min(c, 2 * c * s) if tying == "tied" else -c * abs(s))


def spectrum(key: Key) -> np.ndarray:
    """All eigenvalues: the block's, and noise of round-off where they are identically 0."""
    tying, p, q = key[0], Fraction(key[1]), Fraction(key[2])
    c = p * q / (p + q) ** 2
    s = p + q - 1
    if tying == "tied":
        block = [c, *[2 * c * s] * WIDTH]
    else:
        block = [c, *[c * s] * WIDTH, *[-c * s] * WIDTH]
    noise = np.linspace(-1e-17, 1e-17, PARAMETERS - len(block))
    return np.sort(np.concatenate([np.array([float(value) for value in block]), noise]))


def stuck(key: Key) -> int:
    """A count that tells the cells apart: 0 below the line, 1 to 4 above it."""
    return max(0, round(5 * float(Fraction(key[1]) + 2 * Fraction(key[2]) - 1)) % 5)


def scalars(key: Key) -> dict[str, Any]:
    values = spectrum(key)
    counts = [int((values < -1e-15).sum()), 0, int((values > 1e-15).sum())]
    counts[1] = PARAMETERS - sum(counts)
    flat = Fraction(key[1]) + Fraction(key[2]) == 1
    outcomes = ["unigram"] * stuck(key) + ["bigram"] * (SEEDS - stuck(key))
    return {
        "final_loss": [0.6] * SEEDS,
        "outcome": ["degenerate"] * SEEDS if flat else outcomes,
        "points": {
            "unigram": {
                "inertia": counts,
                "predicted_inertia": counts,
                "max_error": 1e-16 * (1 + GRID.index(key[1])),
                "verdict": "verified",
            }
        },
    }


def planted(
    folder: Path,
    *,
    config: ScanConfig | None = None,
    skip: Collection[Key] = (),
    unigram: Mapping[Key, Mapping[str, Any]] | None = None,
    top: Mapping[Key, Mapping[str, Any]] | None = None,
) -> ScanStore:
    """The folder, without the cells in `skip`; some scalars, at the unigram or on top, changed."""
    config = config or scan_of()
    store = ScanStore(folder).open_or_create(config, {})
    for cell in config.cells():
        key = key_of(cell)
        if key in skip:
            continue
        record = scalars(key) | dict((top or {}).get(key, {}))
        record["points"]["unigram"] |= (unigram or {}).get(key, {})
        dataset = xr.Dataset({"eigenvalue": ("index", spectrum(key))})
        tree = xr.DataTree.from_dict({"/spectrum/unigram": dataset})
        store.write_cell(cell, tree, record, {})
    return store
