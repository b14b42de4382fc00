"""Survival curves of a scan: the runs of its cells, pooled by the value of a setting."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from landscape.config.cell import CellConfig
from landscape.config.reading import check_setting, get
from landscape.errors import ConfigError
from landscape.store.reading import StoredScan
from landscape.training.survival import Steps, SurvivalCurve, lost_steps, survival_curve

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Runs:
    """When each run of a cell was seen, escaped, or was lost.

    Fields:
        times: [times], evaluated steps, ascending.
        escape_steps: per run, first evaluated step below (H_u + H_b)/2, or None.
        lost: per run, first evaluated step from which on the loss is not finite, or None.
        starts: per run, equal where runs are not independent: its seed, or one word for all
            where the seed does not enter (exact data from the ansatz).
    """

    times: Int[np.ndarray, " times"]
    escape_steps: Steps
    lost: Steps
    starts: Sequence[int | str]


def read_runs(store: StoredScan, cell: CellConfig) -> Runs | None:
    """The runs of a finished cell; None, with a warning, where its results cannot be read.

    None without a warning where the cell is not finished.
    """
    if not store.done(cell):
        return None
    names = (f"training/{name}" for name in ("step", "loss", "escape_step", "seed"))
    try:
        times, loss, escapes, seeds = store.arrays(cell, *names)
    except ConfigError as damage:
        _log.warning("cell %s cannot be read, so its runs are missing: %s", cell.id[:8], damage)
        return None
    steps = [None if step < 0 else step for step in escapes.tolist()]
    return runs_of(cell, times.astype(np.int64), loss.astype(np.float64), steps, seeds.tolist())


def runs_of(
    cell: CellConfig,
    times: Int[np.ndarray, " times"],
    loss: Float[np.ndarray, "seeds times"],
    escape_steps: Steps,
    seeds: Sequence[int],
) -> Runs:
    """The runs of a cell, from what its training recorded."""
    starts = list(seeds) if _seeded(cell) else ["one"] * len(seeds)
    return Runs(times, escape_steps, lost_steps(loss, times, escape_steps), starts)


def pooled_curve(cells: Sequence[Runs], *, confidence: float = 0.95) -> SurvivalCurve:
    """The survival curve of the runs of several cells; see `survival_curve` for what it means.

    Raises ValueError where there is no cell, or where cells were not evaluated at the same steps.

    >>> runs = Runs(np.array([0, 5]), [5, None], [None, None], [0, 1])
    >>> pooled_curve([runs, runs]).runs, pooled_curve([runs, runs]).independent
    (4, 2.0)
    """
    if not cells:
        raise ValueError("there are no cells to pool: give at least one with results")
    times = cells[0].times
    if any(not np.array_equal(cell.times, times) for cell in cells):
        lengths = sorted({int(cell.times[-1]) for cell in cells})
        raise ValueError(
            f"the cells to pool were not evaluated at the same steps (they end at {lengths}): "
            "select one value of train.steps and of what else sets the evaluated steps"
        )
    return survival_curve(
        times,
        [step for cell in cells for step in cell.escape_steps],
        lost=[step for cell in cells for step in cell.lost],
        seeds=[start for cell in cells for start in cell.starts],
        confidence=confidence,
    )


def survival_by(
    store: StoredScan,
    name: str,
    *,
    select: Mapping[str, Any] | None = None,
    confidence: float = 0.95,
) -> dict[Any, SurvivalCurve]:
    """One survival curve for each value of a setting, over all finished cells that have it.

    Cells at p+q = 1, where H_u = H_b and there is nothing to escape from, are left out.

    Args:
        store: the scan, opened by `landscape.open_scan`.
        name: dotted name of the setting, such as "model.width".
        select: values of other settings to keep (`StoredScan.select`); the rest is pooled.
        confidence: of the limits.

    Raises:
        ConfigError: if there is no such setting, and as `StoredScan.select` does.
        ValueError: as `pooled_curve` does.

    >>> import tempfile
    >>> from landscape.config.scan import ScanConfig
    >>> from landscape.store.scan_store import ScanStore
    >>> config = ScanConfig(source={"p": 0.5, "q": 0.8}, axes={"model.width": [2, 4]})
    >>> folder = ScanStore(tempfile.mkdtemp()).open_or_create(config, {})
    >>> survival_by(StoredScan.of(folder), "model.width")
    {}
    """
    check_setting("the setting", name)
    groups: dict[Any, list[Runs]] = {}
    for cell in store.select(select).cells:
        runs = None if degenerate(cell) else read_runs(store, cell)
        if runs is not None:
            groups.setdefault(get(cell, name), []).append(runs)
    return {key: pooled_curve(cells, confidence=confidence) for key, cells in groups.items()}


def degenerate(cell: CellConfig) -> bool:
    """Whether symbols are independent (p + q = 1): H_u = H_b there, and no run can escape."""
    return cell.source.degenerate


def _seeded(cell: CellConfig) -> bool:
    """Whether the seed of a run enters it: through the first weights, or through the data."""
    init, kind = cell.model.init, cell.model.kind
    # in the basin seeds differ by the signs of alpha alone, which the exact loss does not see
    one_start = init in ("ansatz", "basin") or (init, kind) == ("low-rank", "reduced")
    return cell.train.data != "exact" or not one_start
