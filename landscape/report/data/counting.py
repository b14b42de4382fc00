"""Runs that got stuck, counted over groups of cells, with limits for the share.

How they came to their end: whether they still fall, and how many are stuck by another cut. And
cells (p, q) and (q, p): the same losses, with 0 and 1 renamed, and not always the same runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from landscape.numerics.binomial import clopper_pearson
from landscape.report.data.cell_file import CellRecord
from landscape.scanning.survival import Runs, runs_of
from landscape.training.outcome import MARGIN

SIDES = {-1: "p + q < 1", 0: "p + q = 1", 1: "p + q > 1"}


@dataclass(frozen=True)
class Share:
    """How many runs ended at the unigram, with 95% limits for the probability.

    `independent` is the number of runs that the limits count with: runs of one seed start from the
    same weights in every cell, and count as one (see `landscape.training.survival.survival_curve`).
    """

    stuck: int
    runs: int
    independent: float
    low: float
    high: float


@dataclass(frozen=True)
class Group:
    """Cells of one setting on one side of p + q = 1, with the share of their runs that is stuck.

    Fields: `setting`, the axes besides p and q, in words; `side`, None where the source has not
    both; `words`, what theory calls the unigram point, and in how many cells; `touched`, the cells
    with a run that is stuck.
    """

    setting: str
    side: str | None
    cells: int
    touched: int
    words: dict[str, int]
    share: Share

    @property
    def name(self) -> str:
        """Setting and side in words."""
        return " and ".join(filter(None, (self.setting, self.side))) or "any cell lies"


def share_stuck(records: Sequence[CellRecord]) -> Share | None:
    """The share of stuck runs of cells that can be stuck; None where there is none."""
    counted = [(record, record.stuck) for record in records]
    pairs = [(record, counts) for record, counts in counted if counts is not None]
    runs = sum(counts[1] for _, counts in pairs)
    if not runs:
        return None
    stuck = sum(counts[0] for _, counts in pairs)
    starts = [start for record, _ in pairs for start in _starts(record)]
    independent = runs**2 / sum(size**2 for size in Counter(starts).values())
    count = np.array([stuck * independent / runs])
    low, high = clopper_pearson(count, independent)
    return Share(stuck, runs, independent, float(low[0]), float(high[0]))


def _starts(record: CellRecord) -> Sequence[Hashable]:
    training = record.drawn["training"]
    none = [None] * len(training["seed"])
    found: Runs = runs_of(
        record.config, np.array([0]), np.zeros((len(none), 1)), none, training["seed"]
    )
    return found.starts


def side_of(record: CellRecord) -> str | None:
    """On which side of p + q = 1 a chain lies, decided on the decimals; None for other sources.

    >>> SIDES[1]
    'p + q > 1'
    """
    source = record.config.source
    if source.kind != "binary" or source.p is None or source.q is None:
        return None
    total = Fraction(source.p) + Fraction(source.q)
    return SIDES[(total > 1) - (total < 1)]


def groups(records: Sequence[CellRecord], settings: Sequence[str]) -> list[Group]:
    """Cells that can be stuck, by setting (in words, one for each record) and side."""
    members: dict[tuple[str, str | None], list[CellRecord]] = {}
    for record, setting in zip(records, settings, strict=True):
        if record.stuck is not None:
            members.setdefault((setting, side_of(record)), []).append(record)
    found = []
    for (setting, side), cells in members.items():
        share = share_stuck(cells)
        assert share is not None  # each of them has runs
        words = Counter(called(cell) for cell in cells)
        touched = sum(bool(cell.stuck and cell.stuck[0]) for cell in cells)
        found.append(Group(setting, side, len(cells), touched, dict(words), share))
    return sorted(found, key=lambda group: (group.setting, group.side or ""))


def called(record: CellRecord) -> str:
    """What theory calls the unigram point of a cell; "no prediction" where it says nothing."""
    point = record.point("unigram")
    if not point or point["predicted_inertia"] is None:
        return "no prediction"
    return str(point["classification"])


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
