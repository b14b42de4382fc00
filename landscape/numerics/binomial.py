"""Limits for a probability that was estimated by counting."""

import numpy as np
from jaxtyping import Float, Int
from scipy.special import betaincinv


def clopper_pearson(
    count: Float[np.ndarray, " n"] | Int[np.ndarray, " n"],
    trials: float | int,
    *,
    confidence: float = 0.95,
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Lower and upper limits [n] for a probability, from `count` successes [n] in `trials` trials.

    The lower limit is the probability at which `count` or more have the chance a/2, the upper one
    that at which `count` or fewer have it, with a = 1 - confidence: quantiles of Beta(count,
    trials - count + 1) and of Beta(count + 1, trials - count), which exist between whole numbers
    too. Source: Clopper and Pearson 1934. Each limit is in error with probability at most a/2,
    for few trials and for probabilities near 0 and 1 as well. That is where survival curves live,
    and where the intervals of Wald and of Wilson can fall far short of what they promise (Brown,
    Cai and DasGupta 2001). The price is that these are wider.

    Raises ValueError for a count outside 0..trials, or a confidence not in (0, 1).

    >>> low, high = clopper_pearson(np.array([0, 4]), 4)
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.0, 0.3976], [0.6024, 1.0])
    """
    if not 0 < confidence < 1:
        raise ValueError(
            f"confidence={confidence} is out of range; give one in (0, 1), such as 0.95"
        )
    top = trials * (1 + 1e-12)  # a count rescaled in floats may miss it by a rounding
    stray = count[~((count >= 0) & (count <= top))]
    if not trials > 0 or len(stray):
        given = f"count={stray[0]}, trials={trials}" if len(stray) else f"trials={trials}"
        raise ValueError(f"{given}: give a positive number of trials, and counts from 0 to it")
    tail = (1 - confidence) / 2
    none, every = count <= 0, count >= trials
    low = betaincinv(np.where(none, 1.0, count), np.maximum(trials - count, 0.0) + 1, tail)
    high = betaincinv(count + 1.0, np.where(every, 1.0, trials - count), 1 - tail)
    return np.where(none, 0.0, low), np.where(every, 1.0, high)
