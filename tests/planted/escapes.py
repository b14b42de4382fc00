"""A scan's folder whose runs escape when they are told to: no network, no training."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from landscape.config.cell import CellConfig
from landscape.config.scan import ScanConfig
from landscape.store.scan_store import ScanStore

ABOVE, BELOW = 0.69, 0.3
Escapes = Sequence[int | None]


def scan_of(**changes: Any) -> ScanConfig:
    settings: dict[str, Any] = {
        "name": "planted",
        "model": {"width": 2, "length": 3},
        "train": {"steps": 100, "seeds": 4},
        "measure": {"points": []},
        "axes": {
            "source.p": ["0.2", "0.5", "0.8"],
            "source.q": ["0.2", "0.5", "0.8"],
            "model.tying": ["tied", "untied"],
        },
    }
    return ScanConfig(**{**settings, **changes})


def planted_runs(
    folder: Path,
    escapes: Callable[[CellConfig], Escapes | None],
    *,
    config: ScanConfig | None = None,
    every: int = 10,
    ruined: Callable[[CellConfig], dict[int, int]] = lambda cell: {},
) -> ScanStore:
    """Finished cells with these escape steps; a cell of None is not finished.

    `ruined` maps a run's position to the step from which on its loss is NaN.
    """
    config = config or scan_of()
    store = ScanStore(folder).open_or_create(config, {})
    for cell in config.cells():
        steps = escapes(cell)
        if steps is None:
            continue
        times = np.arange(0, cell.train.steps + 1, every)
        loss = np.full((len(steps), len(times)), ABOVE)
        for run, step in enumerate(steps):
            loss[run, times >= (np.inf if step is None else step)] = BELOW
        for run, step in ruined(cell).items():
            loss[run, times >= step] = np.nan
        dataset = xr.Dataset(
            {
                "loss": (("seed", "step"), loss),
                "escape_step": ("seed", [-1 if step is None else step for step in steps]),
            },
            coords={"seed": cell.train.seed + np.arange(len(steps)), "step": times},
        )
        store.write_cell(cell, xr.DataTree.from_dict({"/training": dataset}), {}, {})
    return store
