"""The main job: every cell of a configuration trained, measured, compared and stored."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy
import sympy
import torch
import xarray

from landscape.cell import CellConfig
from landscape.config import ScanConfig
from landscape.measurement import PointMemory, measure_cell
from landscape.setting import initial_of, model_of, objective_of, seeds_of
from landscape.store import ScanStore
from landscape.training import train_together

log = logging.getLogger(__name__)

BATCH_SIZE = 2**19
"""Relu inputs of one training batch, runs x contexts x hidden: intermediates of about 4 MB."""

THREADS = 2
"""Torch threads of a batch: fixed, so that the same configuration gives the same floats."""


@runtime_checkable
class Watcher(Protocol):
    """What a scan tells while it runs."""

    def begin(self, cells: int, done: int, batches: int) -> None:
        """The scan starts, with `done` of `cells` already in the folder."""

    def batch(self, number: int, cells: int, runs: int, steps: int) -> None:
        """A batch of cells starts to train."""

    def step(self, step: int, steps: int, loss: float) -> None:
        """A training step is over; `loss` is the mean over the batch's runs, in nats."""

    def cell(self, cell: CellConfig, done: int, cells: int) -> None:
        """A cell is measured and stored."""


class Silence:
    """The watcher that tells nobody."""

    def begin(self, cells: int, done: int, batches: int) -> None:
        """Nothing."""

    def batch(self, number: int, cells: int, runs: int, steps: int) -> None:
        """Nothing."""

    def step(self, step: int, steps: int, loss: float) -> None:
        """Nothing."""

    def cell(self, cell: CellConfig, done: int, cells: int) -> None:
        """Nothing."""


@dataclass(frozen=True)
class ScanResult:
    """Where a scan's results lie and what failed on the way.

    `scalars` maps cell ids to the scalars of `landscape.measurement`; `failed` maps ids to the
    message of what went wrong.
    """

    path: Path
    config: ScanConfig
    scalars: dict[str, dict[str, Any]]
    failed: dict[str, str] = field(default_factory=dict)

    def refuted(self) -> list[tuple[CellConfig, str]]:
        """The (cell, point) pairs at which the measurement contradicts the prediction."""
        return self._with("refuted")

    def inconclusive(self) -> list[tuple[CellConfig, str]]:
        """The (cell, point) pairs at which float64 cannot decide."""
        return self._with("inconclusive")

    def _with(self, verdict: str) -> list[tuple[CellConfig, str]]:
        return [
            (cell, kind)
            for cell in self.config.cells()
            for kind, point in self.scalars.get(cell.id, {}).get("points", {}).items()
            if point.get("verdict") == verdict
        ]


def batches(cells: Sequence[CellConfig]) -> Iterator[list[CellConfig]]:
    """Cells that train together: equal but for p and q, in even batches of bounded size.

    >>> config = ScanConfig(source={"q": 0.8}, axes={"source.p": [0.1, 0.5]})
    >>> [len(batch) for batch in batches(config.cells())]
    [2]
    """
    groups: dict[str, list[CellConfig]] = {}
    for cell in sorted(cells, key=lambda cell: (cell.source.p, cell.source.q, cell.id)):
        groups.setdefault(cell.batch_key, []).append(cell)
    for group in groups.values():
        settings = group[0]
        hidden = 1 if settings.model.kind == "reduced" else settings.model.hidden
        size = settings.train.seeds * 2**settings.model.length * hidden
        parts = ceil(len(group) / max(1, BATCH_SIZE // size))
        share = ceil(len(group) / parts)
        for start in range(0, len(group), share):
            yield group[start : start + share]


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def scan(
    config: ScanConfig | Path | str | None = None,
    *,
    out: Path | str | None = None,
    device: str = "cpu",
    watcher: Watcher | None = None,
) -> ScanResult:
    """Train, measure and compare every cell of a configuration, and store each as it is done.

    A folder that already holds the same configuration is resumed: finished cells are kept, and a
    batch that was interrupted trains again, to the same floats.

    Args:
        config: a `ScanConfig`, the path of a TOML file, or None for the built-in demonstration.
        out: the folder; by default ``runs/<name>-<first 8 of the configuration's hash>``.
        device: where to compute, such as "cpu" or "cuda".
        watcher: is told of the progress.

    Raises:
        ConfigError: for a configuration or folder that cannot be used; nothing is written then.
        OSError: if the folder cannot take a result (disk full); finished cells stay.

    >>> import tempfile
    >>> config = ScanConfig(
    ...     source={"p": 0.5, "q": 0.8},
    ...     model={"width": 2, "length": 3},
    ...     train={"steps": 2, "seeds": 1},
    ... )
    >>> result = scan(config, out=tempfile.mkdtemp())
    >>> [scalars["points"]["unigram"]["verdict"] for scalars in result.scalars.values()]
    ['verified']
    """
    if not isinstance(config, ScanConfig):
        config = ScanConfig.from_toml(config)
    watcher = watcher or Silence()
    packages = (torch, numpy, sympy, xarray)
    versions = {package.__name__: str(package.__version__) for package in packages}
    store = ScanStore(out or config.default_out()).open_or_create(config, versions)

    cells = config.cells()
    pending = {cell.id for cell in store.pending(cells)}
    # Batches follow from the whole configuration, never from what is left of it.
    todo = [batch for batch in batches(cells) if any(cell.id in pending for cell in batch)]
    watcher.begin(len(cells), len(cells) - len(pending), len(todo))
    points, failed = PointMemory(device), dict[str, str]()
    with _threads(THREADS):
        for number, batch in enumerate(todo, start=1):
            failed |= _run(batch, pending, number, store, points, watcher, len(cells))
    scalars = {cell.id: store.scalars(cell.id) for cell in cells if store.done(cell.id)}
    return ScanResult(store.path, config, scalars, failed)


def _run(
    batch: list[CellConfig],
    pending: set[str],
    number: int,
    store: ScanStore,
    points: PointMemory,
    watcher: Watcher,
    total: int,
) -> dict[str, str]:
    """Train one batch, then measure and store its pending cells; the failures by cell id."""
    settings, failed = batch[0], {}
    model = model_of(settings, points.device)
    objectives = [objective_of(cell, points.device) for cell in batch]
    seeds, steps = seeds_of(settings), settings.train.steps
    watcher.batch(number, len(batch), len(batch) * len(seeds), steps)
    trajectories = train_together(
        model,
        objectives,
        steps=steps,
        seeds=seeds,
        lr=settings.train.lr,
        weight_decay=settings.train.weight_decay,
        initial=initial_of(settings, model),
        progress=watcher.step,
    )
    for cell, trajectory in zip(batch, trajectories, strict=True):
        if cell.id not in pending:
            continue
        try:
            tree, scalars, weights = measure_cell(cell, trajectory, points)
        except (ValueError, ArithmeticError, RuntimeError) as error:
            failed[cell.id] = f"{type(error).__name__}: {error}"
            log.warning("cell %s (%s) failed: %s", cell.id[:8], cell.coordinates, failed[cell.id])
            continue
        store.write_cell(cell, tree, scalars, weights)
        pending.discard(cell.id)
        watcher.cell(cell, total - len(pending), total)
    return failed
