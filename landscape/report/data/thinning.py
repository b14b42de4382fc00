"""Fewer numbers that look the same: what a picture on a screen cannot show is left out."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int

__all__ = ["LAST", "changes", "late_losses", "rounded", "spread", "symmetric"]


LAST = 0.1
"""The share of the steps, at the end, over which a fall is looked for."""


def rounded(value: float, digits: int = 5) -> float | None:
    """A number to so many significant digits; None where it is not finite, as JSON has it.

    >>> rounded(0.693147180559), rounded(float("nan"))
    (0.69315, None)
    """
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def symmetric(count: int, most: int) -> Int[np.ndarray, " kept"]:
    """Indices of at most about `most` of `count` nodes: both ends, the middle, evenly between.

    The middle node of an odd count is the centre of a slice, which must not be lost.

    >>> symmetric(51, 27).tolist()[:3], 25 in symmetric(51, 27), len(symmetric(51, 27))
    ([0, 1, 3], True, 27)
    """
    middle = (count - 1) // 2
    stride = max(1, math.ceil((count - 1) / max(2, most - 1)))
    inner = np.arange(middle % stride, count, stride)
    return np.union1d(inner, [0, count - 1])


def spread(count: int, most: int) -> Int[np.ndarray, " kept"]:
    """Indices of at most `most` of `count` values, evenly spread, the first and last among them.

    >>> spread(1001, 5).tolist(), spread(3, 5).tolist()
    ([0, 250, 500, 750, 1000], [0, 1, 2])
    """
    return np.unique(np.rint(np.linspace(0, count - 1, min(count, most))).astype(np.int64))


def changes(*rows: Float[np.ndarray, " times"]) -> Int[np.ndarray, " kept"]:
    """Indices at which one of the rows takes a new value, with the first and the last.

    >>> changes(np.array([1.0, 1.0, 0.5, 0.5, 0.5])).tolist()
    [0, 2, 4]
    """
    moved = np.zeros(len(rows[0]), dtype=bool)
    for row in rows:
        moved[1:] |= row[1:] != row[:-1]
    moved[[0, -1]] = True
    return np.flatnonzero(moved)


def late_losses(
    step: Int[np.ndarray, " times"], loss: Float[np.ndarray, "runs times"]
) -> dict[str, list[float]]:
    """Each run's loss (nats) when half of the steps were made, and before the last tenth of them.

    Each is the last one evaluated by then.

    >>> late_losses(np.array([0, 5, 9, 10]), np.array([[4.0, 3.0, 2.0, 1.0]]))
    {'half': [3.0], 'late': [2.0]}
    """

    def by(share: float) -> list[float]:
        column = int(np.searchsorted(step, share * step[-1], side="right")) - 1
        return [float(value) for value in loss[:, column]]

    return {"half": by(0.5), "late": by(1 - LAST)}
