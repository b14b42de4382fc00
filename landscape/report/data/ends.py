"""How a run came to its end: whether it still falls, and how many are stuck by another cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from landscape.report.data.cell_file import CellRecord
from landscape.training.outcome import MARGIN

__all__ = ["FALLS", "Cut", "cuts", "falling", "near"]

FALLS = 0.01
"""Share of H_u - H_b; a run that loses more of it over the last steps is still falling."""


@dataclass(frozen=True)
class Cut:
    """How many runs are stuck if the line is drawn elsewhere.

    Fields: `margin`, the share of H_u - H_b that is called near; `share`, the part of the steps
    after which one looks; `count`, the runs near the unigram then, of those of the page's cells.
    """

    margin: float
    share: float
    count: int


def near(loss: float | None, levels: tuple[float, float], margin: float) -> bool:
    """Whether a loss is within a share of H_u - H_b of H_u; `levels` are H_u and H_b in nats."""
    unigram, bigram = levels
    return loss is not None and abs(loss - unigram) < margin * (unigram - bigram)


def falling(record: CellRecord) -> list[bool]:
    """Of each run: whether its loss fell by more than `FALLS` of H_u - H_b at the end."""
    levels = _levels(record)
    pairs = zip(record.late["late"], record.scalars["final_loss"], strict=True)
    return [
        last is not None and before - last > FALLS * (levels[0] - levels[1])
        for before, last in pairs
    ]


def cuts(records: Sequence[CellRecord]) -> list[Cut]:
    """The count of stuck runs with the line at half and at twice its place, and at half time."""
    able = [record for record in records if record.stuck is not None]

    def count(margin: float, losses: Any) -> int:
        return sum(near(x, _levels(cell), margin) for cell in able for x in losses(cell))

    return [
        Cut(MARGIN / 2, 1.0, count(MARGIN / 2, lambda cell: cell.scalars["final_loss"])),
        Cut(2 * MARGIN, 1.0, count(2 * MARGIN, lambda cell: cell.scalars["final_loss"])),
        Cut(MARGIN, 0.5, count(MARGIN, lambda cell: cell.late["half"])),
    ]


def _levels(record: CellRecord) -> tuple[float, float]:
    return record.scalars["unigram_loss"], record.scalars["bigram_loss"]
