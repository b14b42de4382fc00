"""Survival curves of a scan: the runs of its cells, pooled by the value of a setting."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import h5netcdf
import numpy as np
from jaxtyping import Float, Int

from landscape.config.cell import CellConfig
from landscape.config.reading import check_setting, get
from landscape.store.scan_store import ScanStore
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


def read_runs(store: ScanStore, cell: CellConfig) -> Runs | None:
    """The runs of a finished cell; None, with a warning, where its results cannot be read.

    None without a warning where the cell is not finished.
    """
    if not store.done(cell.id):
        return None
    try:
        # Four arrays out of the file: the whole tree takes a hundred times as long to read.
        with h5netcdf.File(store.path / "cells" / f"{cell.id}.nc", "r") as file:
            group = file["/training"]
            times, loss = group["step"][:].astype(np.int64), group["loss"][:].astype(np.float64)
            escapes, seeds = group["escape_step"][:].tolist(), group["seed"][:].tolist()
    except (OSError, ValueError, KeyError) as damage:
        _log.warning("cell %s cannot be read, so its runs are missing: %s", cell.id[:8], damage)
        return None
    return runs_of(cell, times, loss, [None if step < 0 else step for step in escapes], seeds)


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
    store: ScanStore,
    name: str,
    *,
    select: Mapping[str, str] | None = None,
    confidence: float = 0.95,
) -> dict[Any, SurvivalCurve]:
    """One survival curve for each value of a setting, over all finished cells that have it.

    Cells at p+q = 1, where H_u = H_b and there is nothing to escape from, are left out.

    Args:
        store: the scan's folder.
        name: dotted name of the setting, such as "model.width".
        select: for other axes of the scan, the value to keep; the cells of all values are pooled
            along axes that are not named.
        confidence: of the limits.

    Raises:
        ConfigError: if there is no such setting, or no scan in the folder.
        ValueError: as `selected` and `pooled_curve` do.

    >>> import tempfile
    >>> from landscape.config.scan import ScanConfig
    >>> config = ScanConfig(source={"p": 0.5, "q": 0.8}, axes={"model.width": [2, 4]})
    >>> survival_by(ScanStore(tempfile.mkdtemp()).open_or_create(config, {}), "model.width")
    {}
    """
    check_setting("the setting", name)
    groups: dict[Any, list[Runs]] = {}
    for cell in selected(store, select or {}):
        runs = None if degenerate(cell) else read_runs(store, cell)
        if runs is not None:
            groups.setdefault(get(cell, name), []).append(runs)
    return {key: pooled_curve(cells, confidence=confidence) for key, cells in groups.items()}


def selected(store: ScanStore, select: Mapping[str, str]) -> tuple[CellConfig, ...]:
    """The cells of a scan that have the selected values of its axes; .5 and 0.50 are one number.

    Raises ValueError for an axis that is not there, or a value that it does not take.
    """
    config = store.config()
    for name, value in select.items():
        if name not in config.axes:
            known = ", ".join(config.axes) or "none"
            raise ValueError(f"select names {name}, but the axes of the scan are: {known}")
        if not any(same_number(value, known) for known in config.axes[name]):
            written = ", ".join(map(str, config.axes[name]))
            raise ValueError(f"select: {name} = {value} is not in the scan; choose from {written}")
    return tuple(
        cell
        for cell in config.cells()
        if all(same_number(value, cell.coordinates[name]) for name, value in select.items())
    )


def same_number(written: str, value: Any) -> bool:
    """Whether a text means a value: .5 and 0.50 are one number, other texts are compared as such.

    >>> same_number(".5", Decimal("0.50")), same_number("tied", "untied")
    (True, False)
    """
    try:
        return Decimal(written) == Decimal(str(value))
    except InvalidOperation:
        return written == str(value)


def degenerate(cell: CellConfig) -> bool:
    """Whether symbols are independent (p + q = 1): H_u = H_b there, and no run can escape."""
    return cell.source.degenerate


def _seeded(cell: CellConfig) -> bool:
    """Whether the seed of a run enters it: through the first weights, or through the data."""
    init, kind = cell.model.init, cell.model.kind
    # in the basin seeds differ by the signs of alpha alone, which the exact loss does not see
    one_start = init in ("ansatz", "basin") or (init, kind) == ("low-rank", "reduced")
    return cell.train.data != "exact" or not one_start
