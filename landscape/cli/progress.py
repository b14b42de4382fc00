"""Progress on stderr: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from landscape.cell import CellConfig

P = TypeVar("P", bound="TrainingProgress")  # the run-time checker of the tests refuses Self

PLAIN_SECONDS = 5.0
"""Least time between two plain lines of one training batch."""


class TrainingProgress:
    """The progress of one training run or batch: step, loss, time left.

    In a terminal it is a bar; otherwise a line every few seconds. Used as a context manager.
    """

    def __init__(self, label: str = "training") -> None:
        self.label = label
        self.bar: Any = None
        self.task: Any = None
        self.begun = self.told = time.monotonic()

    def __enter__(self: P) -> P:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed:.0f}/{task.total:.0f}  {task.fields[note]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def step(self, step: int, steps: int, loss: float) -> None:
        """A training step is over."""
        if self.bar is not None:
            if self.task is None:
                self.task = self.bar.add_task(self.label, total=steps, note="")
            self.bar.update(self.task, completed=step, note=f"loss {loss:.4f}")
            return
        now = time.monotonic()
        if now - self.told < PLAIN_SECONDS and step < steps:
            return
        self.told = now
        left = (now - self.begun) / step * (steps - step)
        click.echo(
            f"{self.label}: step {step}/{steps}, loss {loss:.4f}, {left:.0f} s left", err=True
        )


class ScanProgress(TrainingProgress):
    """The progress of a scan: one bar for its cells, one for the batch in training."""

    def __init__(self) -> None:
        super().__init__()
        self.batches = 0
        self.cells: Any = None

    def begin(self, cells: int, done: int, batches: int) -> None:
        """The scan starts."""
        self.batches = batches
        if done:
            rest = "; running the rest" if done < cells else ""
            click.echo(f"{done} of {cells} cells are there already{rest}", err=True)
        if self.bar is not None and batches:
            self.cells = self.bar.add_task("cells", total=cells, completed=done, note="")

    def batch(self, number: int, cells: int, runs: int, steps: int) -> None:
        """A batch starts to train."""
        self.label = f"batch {number}/{self.batches} ({runs} runs)"
        self.begun = self.told = time.monotonic()
        if self.bar is not None and self.task is not None:
            self.bar.remove_task(self.task)
            self.task = None

    def cell(self, cell: CellConfig, done: int, cells: int) -> None:
        """A cell is measured and stored."""
        place = ", ".join(f"{name.split('.')[-1]}={v}" for name, v in cell.coordinates.items())
        if self.bar is not None:
            self.bar.update(self.cells, completed=done, note=f"measured {place}")
        else:
            click.echo(f"cell {done}/{cells}: {place}", err=True)
