"""The main job: every cell of a configuration trained, measured, compared and stored."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil
from pathlib import Path
from threading import Event, RLock
from typing import Any, Literal, Protocol, runtime_checkable

import numpy
import sympy
import torch
import xarray

from landscape.config.build import initial_of, model_of, recipe_of, seeds_of, training_objective_of
from landscape.config.canonical import canonical
from landscape.config.cell import CellConfig
from landscape.config.demand import refuse_too_much
from landscape.config.scan import ScanConfig
from landscape.errors import Refusal, words
from landscape.models.user_code import refuse_code
from landscape.scanning.measurement import (
    PointMemory,
    measure_cell,
    trained_groups,
    trained_weights,
)
from landscape.store.reading import StoredScan, place_of
from landscape.store.scan_store import ScanStore
from landscape.training.loop import train_together
from landscape.training.trajectory import Trajectory

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


Severity = Literal["error", "doubt", "note"]
"""Of a problem: it fails the scan, fails it where doubts are not let pass, or is told alone."""


@dataclass(frozen=True)
class Problem:
    """What was found wrong at a cell, or could not be found there.

    Fields:
        cell: where.
        point: "unigram", "bigram" or "trained"; None where it is about the whole cell.
        kind: "absent" (there is no such point), "refuted" or "inconclusive" (of the prediction),
            "slice fault", "diverged" (runs), "not finite" (losses of a slice), "failed" (the cell).
        detail: why, in words, or how many.
        words: a line for a reader.
        severity: "error", "doubt" or "note".
    """

    cell: CellConfig
    point: str | None
    kind: str
    detail: str | int | None
    words: str
    severity: Severity


@dataclass(frozen=True)
class ScanResult:
    """A scan that has been run: its folder, opened to be read, and what failed on the way.

    `failed` maps ids of cells to the message of what went wrong.
    """

    store: StoredScan
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The folder."""
        return self.store.path

    @property
    def config(self) -> ScanConfig:
        """The configuration that was run."""
        return self.store.config

    @cached_property
    def scalars(self) -> dict[str, dict[str, Any]]:
        """By cell id, the scalars of `landscape.scanning.measurement` of the finished cells."""
        return {c.id: self.store.scalars(c) for c in filter(self.store.done, self.store.cells)}

    def problems(self, *kinds: str) -> list[Problem]:
        """Everything that is wrong or missing, by kind; of some kinds alone if they are named."""
        found = [
            problem
            for cell in self.config.cells()
            for problem in _problems(cell, self.scalars.get(cell.id), self.failed.get(cell.id))
        ]
        order = (
            *("absent", "refuted", "slice fault", "diverged", "not finite", "failed"),
            "inconclusive",
        )
        chosen = [problem for problem in found if not kinds or problem.kind in kinds]
        return sorted(chosen, key=lambda problem: order.index(problem.kind))


UNTOLD = "its record does not say why; the checks in the cell's file do"
"""Of a point that was stored by a version that kept no reason."""


def _problems(
    cell: CellConfig, scalars: Mapping[str, Any] | None, failure: str | None
) -> Iterator[Problem]:
    place = place_of(cell)
    if failure is not None:
        words = f"Cell {cell.id[:8]} failed: {failure}"
        yield Problem(cell, None, "failed", failure, words, "error")
    if scalars is None:
        return
    if lost := scalars["final_loss"].count(None):
        words = (
            f"Diverged: {lost} of {cell.train.seeds} runs at {place} have no finite loss; try a "
            "smaller train.lr"
        )
        yield Problem(cell, None, "diverged", lost, words, "note")
    for kind, point in scalars["points"].items():
        verdict, here = point.get("verdict"), f"the {kind} point of {place}"
        why = point.get("why") or UNTOLD
        if "reason" in point:
            words = f"No {kind} point at {place}: {point['reason']}"
            yield Problem(cell, kind, "absent", point["reason"], words, "note")
        if verdict == "refuted":
            yield Problem(cell, kind, verdict, why, f"Refuted at {here}: {why}", "error")
        if verdict == "inconclusive":
            yield Problem(cell, kind, verdict, why, f"Inconclusive at {here}: {why}", "doubt")
        for fault in point.get("slice_faults", ()):
            words = f"Slice at {here}: {fault}"
            yield Problem(cell, kind, "slice fault", fault, words, "error")
        if gaps := point.get("slice_not_finite", 0):
            words = f"Slice at {here}: {gaps} losses are not finite"
            yield Problem(cell, kind, "not finite", gaps, words, "note")


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
    for name, (value, why) in config.unread_by_all("train").items():
        log.warning("%s", words(Refusal(name, value, why=why)).replace("refused", "not used"))
    watcher = watcher or Silence()
    packages = (torch, numpy, sympy, xarray)
    own = {
        canonical([cell.settings["model"], cell.source.symbols, cell.train.dtype]): cell
        for cell in config.cells()
        if ":" in cell.model.kind
    }
    for cell in own.values():
        model_of(cell)  # what cannot be built is refused before anything is written
    versions = {package.__name__: str(package.__version__) for package in packages}
    folder = Path(out or config.default_out())
    refuse_too_much(config.cells(), training=True, hessian=True, device=device, folder=folder)
    store = ScanStore(folder).open_or_create(config, versions)

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
    return ScanResult(StoredScan.of(store, config), failed)


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
        settings, failed = batch[0], dict[str, str]()
        wanted = [cell for cell in batch if cell.id in self.pending]
        seeds = seeds_of(settings)
        with self.lock:
            self.watcher.batch(number, len(batch), len(batch) * len(seeds), settings.train.steps)
        found = {cell.id: self._kept(cell) for cell in wanted}
        if None in found.values():
            try:
                found |= self._train(batch, number)
            except (_Stopped, OSError, ValueError):  # of the settings, or of the machine
                raise
            except Exception as error:  # whatever a model of one's own raises
                return {cell.id: self._fail(cell, error) for cell in wanted}
            for cell in wanted:  # before anything is measured
                self.store.trainings.keep(cell.id, *_whole(found[cell.id]).parts())
        for cell in wanted:
            self._go_on()
            trajectory = _whole(found[cell.id])
            try:
                tree, scalars, weights = measure_cell(cell, trajectory, self.points)
            except Exception as error:  # whatever a model of one's own raises
                failed[cell.id] = self._fail(cell, error, trajectory)
                continue
            self.store.write_cell(cell, tree, scalars, weights)
            with self.lock:
                self.pending.discard(cell.id)
                self.watcher.cell(cell, self.total - len(self.pending), self.total)
        return failed

    def _train(self, batch: list[CellConfig], number: int) -> dict[str, Trajectory | None]:
        """Train all cells of a batch, the pending ones among them: their floats hang on no rest."""
        settings, device = batch[0], self.points.device
        model = model_of(settings, device)

        def progress(step: int, steps: int, loss: float) -> None:
            with self.lock:
                self._go_on()
                self.watcher.step(number, step, steps, loss)

        trajectories = train_together(
            model,
            [training_objective_of(cell, device) for cell in batch],
            recipe_of(settings),
            seeds=seeds_of(settings),
            initial=initial_of(settings, model),
            progress=progress,
        )
        return {cell.id: found for cell, found in zip(batch, trajectories, strict=True)}

    def _kept(self, cell: CellConfig) -> Trajectory | None:
        """The cell's training as an earlier run of this scan left it, whole; else None."""
        found = self.store.trainings.recall(cell.id)
        if found is None:
            return None
        device = self.points.device
        source = training_objective_of(cell, device).source
        return Trajectory.of_parts(source, *found, device=device)

    def _fail(self, cell: CellConfig, error: Exception, trained: Trajectory | None = None) -> str:
        """Note in the folder why a cell was not measured, with what its training came to."""
        text = f"{type(error).__name__}: {error}"
        log.warning("cell %s (%s) failed: %s", cell.id[:8], cell.coordinates, text)
        if trained is None:
            self.store.trainings.fail(cell.id, text, {})
        else:
            tree = xarray.DataTree.from_dict(trained_groups(cell, trained))
            self.store.write_failed(cell, tree, trained_weights(trained), text)
        return text

    def _go_on(self) -> None:
        if self.stop.is_set():
            raise _Stopped


def _whole(found: Trajectory | None) -> Trajectory:
    assert found is not None  # what was not kept has been trained
    return found
