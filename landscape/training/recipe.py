"""How runs descend: the steps, the optimiser and its learning rate. Nothing here loads torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

OPTIMIZERS = ("adamw", "sgd")
SCHEDULES = ("one-cycle", "constant")
WARM_UP = 0.02
START, END = 1 / 100, 1 / 5

MOMENTUM = 0.9
"""Of "sgd", unless given."""

EVALUATE_EVERY = 10
"""Steps from one evaluation of the population loss to the next, where the data are sampled."""


@dataclass(frozen=True)
class Recipe:
    """How the runs of a training descend; whatever differs between runs is not in it.

    Fields:
        steps: optimiser steps; 0 only evaluates.
        optimizer: "adamw" or "sgd", see `landscape.training.optimizers`.
        lr: peak learning rate.
        schedule: of the learning rate, "one-cycle" or "constant".
        momentum: of "sgd", 0.9 by default.
        weight_decay: of the linear weights.
        evaluate_every: steps between evaluations of the population loss, 10 by default; for sampled
            data only. The start and the end are evaluated always.
        checkpoints: record the runs so many times (`landscape.training.checkpoints`), evenly spaced
            in steps from the start to the end; none by default.
    """

    steps: int = 1000
    optimizer: str = "adamw"
    lr: float = 2e-3
    schedule: str = "one-cycle"
    momentum: float | None = None
    weight_decay: float = 1e-3
    evaluate_every: int | None = None
    checkpoints: int | None = None


def one_cycle(step: int, steps: int, peak: float) -> float:
    """Learning rate of a step: cosine from peak/100 up to peak at 2% of the steps, then to peak/5.

    The reference's schedule, 2e-5 -> 2e-3 -> 4e-4. Runs of fewer than 100 steps start at the peak.

    >>> [round(one_cycle(t, 1000, 2e-3), 6) for t in (0, 19, 999)]
    [2e-05, 0.002, 0.0004]
    """
    top = max(WARM_UP * steps - 1, 0.0)
    low, high, share = START, 1.0, step / top if top else 1.0
    if step >= top:
        low, high, share = 1.0, END, (step - top) / max(steps - 1 - top, 1.0)
    return peak * (high + (low - high) * (1 + math.cos(math.pi * share)) / 2)


def learning_rate(schedule: str, step: int, steps: int, peak: float) -> float:
    """Learning rate of a step: "one-cycle" as in `one_cycle`, or "constant", the peak always.

    Raises:
        ValueError: for another schedule.

    >>> learning_rate("constant", 0, 1000, 2e-3)
    0.002
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule={schedule!r} is unknown; give 'one-cycle' or 'constant'")
    return one_cycle(step, steps, peak) if schedule == "one-cycle" else peak
