"""Survival curves: the share of runs that have not escaped from the unigram after t steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from landscape.numerics.binomial import clopper_pearson

if TYPE_CHECKING:
    import xarray

Steps = Sequence[int | None]
"""Per run: the step at which something first happened, or None."""


@dataclass(frozen=True)
class SurvivalCurve:
    """What has become of a group of runs by each step, and the share S(t) still above.

    A run escapes at the first evaluated step with a loss below (H_u + H_b)/2 and counts as escaped
    from then on, wherever its loss goes (first passage, not present position). Between two
    evaluations nobody looked, so a true escape lies at most one interval before the step given. A
    run whose loss is no longer finite, without an escape before, is neither: it is lost.

    ``above + escaped + lost = runs`` at every step, and ``share = above / runs``. `low` and `high`
    are limits for one step at a time (the band is pointwise, not simultaneous), each in error with
    probability at most ``(1 - confidence)/2``: `low` belongs to `above`, and `high` to ``above +
    lost``, so that the limits hold whatever the lost runs would have done.
    """

    step: Int[np.ndarray, " times"]  # evaluated steps, ascending
    above: Int[np.ndarray, " times"]  # runs
    escaped: Int[np.ndarray, " times"]  # runs
    lost: Int[np.ndarray, " times"]  # runs
    low: Float[np.ndarray, " times"]  # share
    high: Float[np.ndarray, " times"]  # share
    independent: float  # runs that the limits count with; fewer than `runs` where seeds recur
    confidence: float

    @property
    def runs(self) -> int:
        """Number of runs."""
        return int(self.above[0] + self.escaped[0] + self.lost[0])

    @property
    def share(self) -> Float[np.ndarray, " times"]:
        """Share S(t) of all runs that are known to be still above (H_u + H_b)/2."""
        return self.above / self.runs

    def to_xarray(self) -> xarray.Dataset:
        """Share, limits and counts by step; numbers of runs and the confidence as attributes."""
        import xarray

        shares = {"share": self.share, "low": self.low, "high": self.high}
        counts = {"above": self.above, "escaped": self.escaped, "lost": self.lost}
        return xarray.Dataset(
            {
                **{name: ("step", values, {"units": "1"}) for name, values in shares.items()},
                **{name: ("step", values, {"units": "runs"}) for name, values in counts.items()},
            },
            coords={"step": self.step},
            attrs={
                "runs": self.runs,
                "independent": self.independent,
                "confidence": self.confidence,
            },
        )


def survival_curve(
    times: Int[np.ndarray, " times"],
    escape_steps: Steps,
    *,
    lost: Steps | None = None,
    seeds: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
) -> SurvivalCurve:
    """The survival curve S(t) of runs that were evaluated at the same steps, with its limits.

    All runs last equally long, and a run that is lost is an outcome that was seen, not one that
    was censored. So the estimator of Kaplan and Meier (1958) is the plain share, and its error the
    binomial's: the limits are those of `clopper_pearson`.

    Runs of one seed start from the same weights, whatever the chain, and may escape together. Where
    seeds recur, m_i runs with the i-th, the limits count with ``n* = (sum m_i)^2 / sum m_i^2``
    independent runs in place of n, as if runs of one seed were copies. This is the largest the
    design effect can be (Kish 1965), in the interval of Korn and Graubard (1998).

    For the runs of several cells S(t) is the average of the cells' survival probabilities, and the
    limits are for this average over these very cells. That the cells differ leaves them valid, and
    wider than need be (Hoeffding 1956). They say nothing of cells that were not run.

    Args:
        times: evaluated steps, ascending.
        escape_steps: per run, first evaluated step below (H_u + H_b)/2, or None.
        lost: per run, the step from which its loss is not finite (`lost_steps`), or None.
        seeds: per run, its seed; left out, all runs are independent.
        confidence: probability with which low and high enclose the share, at any one step.

    Raises:
        ValueError: without runs or times, for steps that are not in times, for lists of unequal
            length, for a run both escaped and lost, or a confidence not in (0, 1).

    >>> curve = survival_curve(np.array([0, 10, 20]), [10, None, None, 20])
    >>> curve.share.tolist(), curve.low.round(3).tolist(), curve.high.round(3).tolist()
    ([1.0, 0.75, 0.5], [0.398, 0.194, 0.068], [1.0, 0.994, 0.932])
    """
    runs = len(escape_steps)
    lost = [None] * runs if lost is None else lost
    seeds = range(runs) if seeds is None else seeds
    _check(times, escape_steps, lost, seeds)
    escaped, gone = _by_then(times, escape_steps), _by_then(times, lost)
    above = runs - escaped - gone
    independent = runs**2 / sum(size**2 for size in Counter(seeds).values())
    low, _ = clopper_pearson(above * independent / runs, independent, confidence=confidence)
    _, high = clopper_pearson(
        (above + gone) * independent / runs, independent, confidence=confidence
    )
    return SurvivalCurve(times, above, escaped, gone, low, high, independent, confidence)


def lost_steps(
    loss: Float[np.ndarray, "runs times"], times: Int[np.ndarray, " times"], escape_steps: Steps
) -> tuple[int | None, ...]:
    """Per run: the first evaluated step from which on its loss is not finite, or None.

    None also for a run that had escaped before, whose fate is known. `loss[run, k]` (nats) is the
    loss after times[k] steps.

    >>> loss = np.array([[0.7, 0.7, 0.7], [0.7, np.nan, np.inf], [0.6, np.nan, np.nan]])
    >>> lost_steps(loss, np.array([0, 10, 20]), [None, None, 0])
    (None, 10, None)
    """
    lost: list[int | None] = []
    for curve, escape in zip(loss, escape_steps, strict=True):
        seen = int(np.flatnonzero(np.isfinite(curve)).max(initial=-1)) + 1
        lost.append(int(times[seen]) if escape is None and seen < len(times) else None)
    return tuple(lost)


def _by_then(times: Int[np.ndarray, " times"], steps: Steps) -> Int[np.ndarray, " times"]:
    """How many of the steps are at or before each time."""
    happened = np.sort(np.array([step for step in steps if step is not None], dtype=np.int64))
    return np.searchsorted(happened, times, side="right")


def _check(
    times: Int[np.ndarray, " times"], escape_steps: Steps, lost: Steps, seeds: Sequence[Hashable]
) -> None:
    if not (len(times) and len(escape_steps)):
        raise ValueError(
            f"times has {len(times)} entries and escape_steps {len(escape_steps)}: give at least "
            "one evaluated step and one run"
        )
    if (np.diff(times) <= 0).any():
        raise ValueError("times is not strictly ascending; sort the evaluated steps")
    for name, values in (("lost", lost), ("seeds", seeds)):
        if len(values) != len(escape_steps):
            raise ValueError(
                f"{name} has {len(values)} entries for {len(escape_steps)} runs; give one a run"
            )
    known = set(times.tolist())
    for name, steps in (("escape_steps", escape_steps), ("lost", lost)):
        stray = [step for step in steps if step is not None and step not in known]
        if stray:
            raise ValueError(
                f"{name} has {stray[0]}, a step at which nothing was evaluated; give steps that "
                f"are in times (from {times[0]} to {times[-1]}), or None"
            )
    for run, (escape, end) in enumerate(zip(escape_steps, lost, strict=True)):
        if escape is not None and end is not None:
            raise ValueError(
                f"run {run} has escaped at {escape} and was lost at {end}; give what came first"
            )
