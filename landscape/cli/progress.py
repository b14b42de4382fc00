"""Progress on stderr: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from landscape.config.cell import CellConfig

P = TypeVar("P", bound="_OnStderr")  # the run-time checker of the tests refuses Self

PLAIN_SECONDS = 5.0
"""Least time between two plain lines of one training batch."""


def _bars() -> Any:
    """Bars on stderr if that is a terminal, else None."""
    if not sys.stderr.isatty():
        return None
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}  {task.fields[note]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


class _OnStderr:
    """Something with bars, used as a context manager; it tells of one task at a time."""

    def __init__(self, bars: Any = None) -> None:
        self.bars = bars
        self.task: Any = None
        self.begun = self.told = time.monotonic()

    def __enter__(self: P) -> P:
        self.bars = _bars()
        if self.bars is not None:
            self.bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bars is not None:
            self.bars.stop()

    def _tell(self, label: str, done: int, total: int, note: str, words: str) -> None:
        """Move the bar of the task, or print a line where the last one is some seconds ago."""
        if self.bars is not None:
            if self.task is None:
                self.task = self.bars.add_task(label, total=total, note="")
            self.bars.update(self.task, completed=done, note=note)
            return
        now = time.monotonic()
        if now - self.told >= PLAIN_SECONDS or done >= total:
            self.told = now
            left = (now - self.begun) / done * (total - done)
            click.echo(f"{label}: {words}, {left:.0f} s left", err=True)


class TrainingProgress(_OnStderr):
    """The progress of one training run or batch: step, loss, time left.

    In a terminal it is a bar; otherwise a line every few seconds.
    """

    def __init__(self, label: str = "training", bars: Any = None) -> None:
        super().__init__(bars)
        self.label = label

    def step(self, step: int, steps: int, loss: float) -> None:
        """A training step is over."""
        words = f"step {step}/{steps}, loss {loss:.4g}"
        self._tell(self.label, step, steps, f"loss {loss:.4g}", words)
        if self.bars is not None and step == steps:
            self.bars.remove_task(self.task)


class ScanProgress(_OnStderr):
    """The progress of a scan: one bar for its cells, one for each batch in training."""

    def __init__(self) -> None:
        super().__init__()
        self.batches = 0
        self.training: dict[int, TrainingProgress] = {}
        self.cells: Any = None

    def begin(self, cells: int, done: int, batches: int) -> None:
        """The scan starts."""
        self.batches = batches
        if done:
            rest = "; running the rest" if done < cells else ""
            click.echo(f"{done} of {cells} cells are there already{rest}", err=True)
        if self.bars is not None and batches:
            self.cells = self.bars.add_task("cells", total=cells, completed=done, note="")

    def batch(self, number: int, cells: int, runs: int, steps: int) -> None:
        """A batch starts to train."""
        label = f"batch {number}/{self.batches} ({runs} runs)"
        self.training[number] = TrainingProgress(label, self.bars)

    def step(self, number: int, step: int, steps: int, loss: float) -> None:
        """A training step of a batch is over."""
        self.training[number].step(step, steps, loss)

    def cell(self, cell: CellConfig, done: int, cells: int) -> None:
        """A cell is measured and stored."""
        from landscape.store.reading import place_of

        place = place_of(cell)
        if self.bars is not None:
            self.bars.update(self.cells, completed=done, note=f"measured {place}")
        else:
            click.echo(f"cell {done}/{cells}: {place}", err=True)


class PlaneProgress(_OnStderr):
    """The progress over the points of a grid of the (p, q) plane."""

    def __init__(self, points: int) -> None:
        super().__init__()
        self.points = points

    def done(self, number: int) -> None:
        """So many points are done."""
        words = f"point {number}/{self.points}"
        self._tell("verifying", number, self.points, "points", words)
