"""A comparison: two ways to the same numbers, and how far apart their times are."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

Call = Callable[[], object]


@dataclass(frozen=True)
class Pair:
    """Our routine and its naive twin. A call of ours does `units` times the work of the twin's.

    `difference` computes both ways once and returns how far apart the results are; a pair whose
    results differ by more than `tolerance` is not timed. `goal` is the ratio that is aimed at,
    None where the number is only to be known; `bound` says what keeps the ratio from growing.
    """

    name: str
    ours: Call
    naive: Call
    difference: Callable[[], float]
    tolerance: float
    unit: str = "call"
    units: int = 1
    goal: float | None = None
    bound: str = ""
    dtype: torch.dtype = torch.float64


@dataclass(frozen=True)
class Timing:
    """Seconds per unit of work of both ways, and the ratios of the paired rounds, ascending."""

    pair: Pair
    ours: float
    naive: float
    ratios: tuple[float, ...]
    difference: float

    @property
    def ratio(self) -> float:
        """The median ratio naive/ours."""
        return statistics.median(self.ratios)

    @property
    def missed(self) -> bool:
        """Whether there was a goal, and the median ratio is below it."""
        return self.pair.goal is not None and self.ratio < self.pair.goal


def _seconds(call: Call) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def measure(pair: Pair, rounds: int) -> Timing:
    """Time both ways in turns, after a warm-up, so that a drift of the machine hits both.

    Raises RuntimeError if the two ways do not give the same numbers.
    """
    difference = pair.difference()
    if not difference <= pair.tolerance:
        raise RuntimeError(
            f"{pair.name}: the two ways differ by {difference:.2g}, more than "
            f"{pair.tolerance:.2g}; what is not the same cannot be compared"
        )
    pair.ours(), pair.naive()
    times = [(_seconds(pair.ours) / pair.units, _seconds(pair.naive)) for _ in range(rounds)]
    return Timing(
        pair,
        ours=statistics.median(ours for ours, _ in times),
        naive=statistics.median(naive for _, naive in times),
        ratios=tuple(sorted(naive / ours for ours, naive in times)),
        difference=difference,
    )
