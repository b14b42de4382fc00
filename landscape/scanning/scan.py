"""The main job: every cell of a configuration trained, measured, compared and stored."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from threading import Event, RLock
from typing import Any, Protocol, runtime_checkable

import numpy
import sympy
import torch
import xarray

from landscape.config.build import initial_of, model_of, recipe_of, seeds_of, training_objective_of
from landscape.config.cell import CellConfig
from landscape.config.scan import ScanConfig
from landscape.models.user_code import refuse_code
from landscape.scanning.measurement import PointMemory, measure_cell
from landscape.store.scan_store import ScanStore
from landscape.training.loop import train_together

log = logging.getLogger(__name__)

BATCH_SIZE = 2**19
"""Relu inputs of one training batch, runs x contexts x hidden: intermediates of about 4 MB."""

WORKERS = 2
"""Batches computed at once, one torch thread each; a batch on its own has as many threads."""


@runtime_checkable
class Watcher(Protocol):
    """What a scan tells while it runs; from several threads, but never two at once."""

    def begin(self, cells: int, done: int, batches: int) -> None:
        """The scan starts, with `done` of `cells` already in the folder."""

    def batch(self, number: int, cells: int, runs: int, steps: int) -> None:
        """A batch of cells starts to train."""

    def step(self, number: int, step: int, steps: int, loss: float) -> None:
        """A step of a batch is over; `loss` is the mean over the batch's runs, in nats."""

    def cell(self, cell: CellConfig, done: int, cells: int) -> None:
        """A cell is measured and stored."""


class Silence:
    """The watcher that tells nobody."""

    def begin(self, cells: int, done: int, batches: int) -> None:
        """Nothing."""

    def batch(self, number: int, cells: int, runs: int, steps: int) -> None:
        """Nothing."""

    def step(self, number: int, step: int, steps: int, loss: float) -> None:
        """Nothing."""

    def cell(self, cell: CellConfig, done: int, cells: int) -> None:
        """Nothing."""


@dataclass(frozen=True)
class ScanResult:
    """Where a scan's results lie and what failed on the way.

    `scalars` maps cell ids to the scalars of `landscape.scanning.measurement`; `failed` maps ids to
    the message of what went wrong.
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

    def slice_faults(self) -> list[tuple[CellConfig, str, str]]:
        """What the slices' own checks found wrong: (cell, point, in words)."""
        return [
            (cell, kind, fault)
            for cell, kind, point in self._points()
            for fault in point.get("slice_faults", ())
        ]

    def absent(self) -> list[tuple[CellConfig, str, str]]:
        """The points that could not be constructed: (cell, point, why)."""
        return [
            (c, kind, point["reason"]) for c, kind, point in self._points() if "reason" in point
        ]

    def diverged(self) -> list[tuple[CellConfig, int]]:
        """The cells with runs whose final loss is not a number or infinite, and how many."""
        ends = (
            (c, self.scalars[c.id]["final_loss"])
            for c in self.config.cells()
            if c.id in self.scalars
        )
        return [(cell, losses.count(None)) for cell, losses in ends if None in losses]

    def not_finite(self) -> list[tuple[CellConfig, str, int]]:
        """The slices with losses that are NaN or infinite: (cell, point, how many)."""
        counts = ((c, kind, point.get("slice_not_finite", 0)) for c, kind, point in self._points())
        return [(cell, kind, count) for cell, kind, count in counts if count]

    def _with(self, verdict: str) -> list[tuple[CellConfig, str]]:
        return [(c, kind) for c, kind, point in self._points() if point.get("verdict") == verdict]

    def _points(self) -> Iterator[tuple[CellConfig, str, dict[str, Any]]]:
        for cell in self.config.cells():
            for kind, point in self.scalars.get(cell.id, {}).get("points", {}).items():
                yield cell, kind, point


def batches(cells: Sequence[CellConfig]) -> list[list[CellConfig]]:
    """Cells that train together: equal but for p and q, in even batches of bounded size.

    There are as many as can be computed at once, if there are so many cells.

    >>> config = ScanConfig(source={"q": 0.8}, axes={"source.p": [0.1, 0.3, 0.5]})
    >>> [len(batch) for batch in batches(config.cells())]
    [2, 1]
    """
    groups: dict[str, list[CellConfig]] = {}
    for cell in sorted(cells, key=lambda cell: (cell.source.p or 0, cell.source.q or 0, cell.id)):
        groups.setdefault(cell.batch_key, []).append(cell)
    parted = []
    for group in groups.values():
        settings = group[0]
        hidden = 1 if settings.model.kind == "reduced" else settings.model.hidden
        if settings.train.batch is None:
            size = settings.train.seeds * settings.source.symbols**settings.model.length * hidden
        else:  # computed a few runs at a time: a cell keeps its draws and their laws
            size = settings.train.seeds * settings.train.batch * settings.model.length
        parts = max(ceil(len(group) / max(1, BATCH_SIZE // size)), ceil(WORKERS / len(groups)))
        share = ceil(len(group) / parts)
        parted += [group[start : start + share] for start in range(0, len(group), share)]
    return parted


def scan(
    config: ScanConfig | Path | str | None = None,
    *,
    out: Path | str | None = None,
    device: str = "cpu",
    allow_code: bool = False,
    watcher: Watcher | None = None,
) -> ScanResult:
    """Train, measure and compare every cell of a configuration, and store each as it is done.

    A folder that already holds the same configuration is resumed: finished cells are kept, and a
    batch that was interrupted trains again, to the same floats.

    Args:
        config: a `ScanConfig`, the path of a TOML file, or None for the built-in demonstration.
        out: the folder; by default ``runs/<name>-<first 8 of the configuration's hash>``.
        device: where to compute, such as "cpu" or "cuda".
        allow_code: whether models named MODULE:ATTRIBUTE may be imported and run.
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
    refuse_code((cell.model.kind for cell in config.cells()), allow_code)
    watcher = watcher or Silence()
    packages = (torch, numpy, sympy, xarray)
    own = {cell.model.kind: cell for cell in config.cells() if ":" in cell.model.kind}
    for cell in own.values():
        model_of(cell)  # what cannot be built is refused before anything is written
    versions = {package.__name__: str(package.__version__) for package in packages}
    store = ScanStore(out or config.default_out()).open_or_create(config, versions)

    cells = config.cells()
    pending = {cell.id for cell in store.pending(cells)}
    # Batches follow from the whole configuration, never from what is left of it.
    planned = batches(cells)
    todo = [batch for batch in planned if any(cell.id in pending for cell in batch)]
    watcher.begin(len(cells), len(cells) - len(pending), len(todo))
    job = _Job(store, PointMemory(device), watcher, pending, len(cells))
    failed: dict[str, str] = {}
    threads, before = max(1, WORKERS // len(planned)), torch.get_num_threads()
    with ThreadPoolExecutor(WORKERS, "batch", torch.set_num_threads, (threads,)) as pool:
        runs = [pool.submit(job.run, batch, k) for k, batch in enumerate(todo, start=1)]
        try:
            for run in as_completed(runs):
                failed |= run.result()
        except BaseException:  # an interrupt too: the other batches stop at their next step
            job.stop.set()
            pool.shutdown(cancel_futures=True)
            raise
        finally:
            torch.set_num_threads(before)
    scalars = {cell.id: store.scalars(cell.id) for cell in cells if store.done(cell.id)}
    return ScanResult(store.path, config, scalars, failed)


class _Stopped(Exception):
    """Another batch failed, or the scan was interrupted."""


@dataclass
class _Job:
    """What the batches of one scan share; `pending` and the watcher are used under the lock."""

    store: ScanStore
    points: PointMemory
    watcher: Watcher
    pending: set[str]
    total: int
    stop: Event = field(default_factory=Event)
    lock: RLock = field(default_factory=RLock)

    def run(self, batch: list[CellConfig], number: int) -> dict[str, str]:
        """Train one batch, then measure and store its pending cells; the failures by cell id."""
        settings, failed, device = batch[0], {}, self.points.device
        model = model_of(settings, device)
        seeds, steps = seeds_of(settings), settings.train.steps
        with self.lock:
            self.watcher.batch(number, len(batch), len(batch) * len(seeds), steps)

        def progress(step: int, steps: int, loss: float) -> None:
            with self.lock:
                self._go_on()
                self.watcher.step(number, step, steps, loss)

        trajectories = train_together(
            model,
            [training_objective_of(cell, device) for cell in batch],
            recipe_of(settings),
            seeds=seeds,
            initial=initial_of(settings, model),
            progress=progress,
        )
        for cell, trajectory in zip(batch, trajectories, strict=True):
            self._go_on()
            if cell.id not in self.pending:
                continue
            try:
                tree, scalars, weights = measure_cell(cell, trajectory, self.points)
            except (ValueError, ArithmeticError, RuntimeError) as error:
                failed[cell.id] = text = f"{type(error).__name__}: {error}"
                log.warning("cell %s (%s) failed: %s", cell.id[:8], cell.coordinates, text)
                continue
            self.store.write_cell(cell, tree, scalars, weights)
            with self.lock:
                self.pending.discard(cell.id)
                self.watcher.cell(cell, self.total - len(self.pending), self.total)
        return failed

    def _go_on(self) -> None:
        if self.stop.is_set():
            raise _Stopped
