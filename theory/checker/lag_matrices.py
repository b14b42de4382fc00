"""S(lambda) of a given transformer in rational intervals, and its range over a band.

The matrices are those of `theory.certificates.enclosure`, here summed up from the dual numbers of
the forward pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import comb

import numpy as np

from theory.checker.dual_numbers import dual_representation
from theory.checker.format import Rows
from theory.checker.intervals import Interval

__all__ = ["lag_polynomial", "over_band"]


def lag_polynomial(weights: Mapping[str, Rows], tying: str, bits: int) -> Interval:
    """The coefficients S_0..S_N, [N + 1, k, k], k = d tied and 2d untied.

    Raises UndecidedKink as `theory.checker.dual_numbers.dual_representation` does.
    """
    z = dual_representation(weights, bits)
    length, width = z.value.lo.shape
    share = Interval.enclose(Fraction(1, length), bits)
    centre = z.value.sum(0) * share
    second = (z.value[:, :, None] * z.value[:, None, :]).sum(0) * share
    C = second - centre[:, None] * centre[None, :]
    size = width if tying == "tied" else 2 * width
    zeros = np.full((length + 1, size, size), 0, dtype=object)
    S = Interval.of(zeros, zeros.copy(), bits)
    first, last = slice(0, width), slice(size - width, size)
    fill(S, (0, first, first), C)
    for k in range(1, length + 1):
        parts = [
            z.slope[n, :, (n + 1 - k) * width : (n + 2 - k) * width] for n in range(k - 1, length)
        ]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        B = total * share
        fill(S, (k, first, last), -B if tying == "untied" else -(B + B.swapped()))
        if tying == "untied":
            fill(S, (k, last, first), -B.swapped())
    return S


def fill(target: Interval, place: tuple[int, slice, slice], source: Interval) -> None:
    """Write into a block."""
    target.lo[place], target.hi[place] = source.lo, source.hi


def over_band(
    polynomial: Interval, vectors: Sequence[Sequence[int]], low: Fraction, high: Fraction
) -> Interval:
    """Intervals around v_i^T S(lambda) v_j for all low <= lambda <= high.

    Over a band a polynomial lies between its least and its largest Bernstein coefficient,
    sum_{k<=j} binom(j, k)/binom(N, k) a_k, a_k the coefficients in (lambda - low)/(high - low).
    Source: Bernstein's form, as in Cargo and Shisha (1966).

    >>> one_x_x2 = Interval.enclose([[[1]], [[-1]], [[1]]], 16)
    >>> entry = over_band(one_x_x2, [[2]], Fraction(0), Fraction(1))[0, 0]
    >>> float(entry.lower), float(entry.upper)
    (2.0, 4.0)
    """
    bits, degree = polynomial.bits, len(polynomial.lo) - 1
    V = np.array([list(v) for v in vectors], dtype=object).T
    a = polynomial.times(V).swapped().times(V)
    a = Interval.of(a.lo.copy(), a.hi.copy(), bits)
    start = Interval.enclose(low, bits)
    for k in range(degree):  # synthetic division: Taylor coefficients at low
        for j in range(degree - 1, k - 1, -1):
            step = a[j] + a[j + 1] * start
            a.lo[j], a.hi[j] = step.lo, step.hi
    if low == high:
        return a[0]
    powers = [(high - low) ** k for k in range(degree + 1)]
    shares = [
        [Fraction(comb(j, k), comb(degree, k)) * powers[k] for k in range(degree + 1)]
        for j in range(degree + 1)
    ]
    weights = Interval.enclose(shares, bits)[:, :, None, None]
    return (weights * a[None]).sum(1).hull()
