"""S(lambda) of a given transformer in rational intervals, and its range over a band.

S(lambda) is that of `theory.certificates.enclosure`, here from the forward pass of *Attention with
Markov*, carried out as it is written down in dual numbers at zero embedding. No formula for the
Jacobian is used: every input component carries its own infinitesimal. That makes this an
independent channel to the closed form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb
from typing import Any

import numpy as np

from theory.checker.format import Rows
from theory.checker.intervals import Interval

__all__ = ["UndecidedKink", "lag_polynomial", "over_band"]


class UndecidedKink(ValueError):
    """A pre-activation that is not separated from 0, though its outgoing weights are not 0."""


@dataclass(frozen=True, slots=True)
class Dual:
    """value + sum_k slope[..., k] eps_k with eps_j eps_k = 0.

    >>> one = Interval.enclose(1, 8)
    >>> two = Dual(one + one, one[None])
    >>> (two * two).value.contains(4), (two * two).slope[0].contains(4)
    (True, True)
    """

    value: Interval
    slope: Interval

    def __getitem__(self, index: Any) -> Dual:
        return Dual(self.value[index], self.slope[index])

    def __add__(self, other: Dual) -> Dual:
        return Dual(self.value + other.value, self.slope + other.slope)

    def __mul__(self, other: Dual) -> Dual:
        """(fg)' = f'g + fg'."""
        slope = self.slope * other.value[..., None] + other.slope * self.value[..., None]
        return Dual(self.value * other.value, slope)

    def __truediv__(self, other: Dual) -> Dual:
        """(f/g)' = (f' - (f/g) g')/g."""
        ratio = self.value / other.value
        change = self.slope - other.slope * ratio[..., None]
        return Dual(ratio, change / other.value[..., None])

    def scaled(self, factor: Interval) -> Dual:
        """The product with constants."""
        return Dual(self.value * factor, self.slope * factor[..., None])

    def exp(self) -> Dual:
        """exp(f)' = exp(f) f'."""
        value = self.value.exp()
        return Dual(value, self.slope * value[..., None])

    def sum(self, axis: int) -> Dual:
        """The sum over an axis of the values, counted from the front."""
        return Dual(self.value.sum(axis), self.slope.sum(axis))

    def through(self, matrix: Interval) -> Dual:
        """W x along the last axis of two."""
        return self[:, None, :].scaled(matrix).sum(2)


def dual_representation(weights: Mapping[str, Rows], bits: int) -> Dual:
    """z_n at u_i = p_i with its derivatives.

    Arguments: `weights`, exact, named and shaped as in `theory.transformer.representation`; `bits`,
    of the grid. Returns duals [N, d] with slopes [N, d, N d], the last axis being (i, k) of
    dz_n/du_{i,k}. Raises UndecidedKink where the derivative may not exist or is not decided at this
    many bits.
    """
    W = {name: Interval.enclose([list(row) for row in weights[name]], bits) for name in weights}
    length, width = W["positions"].lo.shape
    infinitesimals = np.eye(length * width, dtype=int).reshape(length, width, -1).astype(object)
    u = Dual(W["positions"], Interval.enclose(infinitesimals, bits))
    q, k, v = (u.through(W[name]) for name in ("query", "key", "value"))
    root = Interval.enclose(width, bits).sqrt()
    mixed = []
    for n in range(length):
        scores = (q[n][None] * k[: n + 1]).sum(1)
        scores = Dual(scores.value / root, scores.slope / root)
        # softmax is not changed by a constant; this one keeps the exponentials below 2
        top = scores.value.hi.max()
        raw = Dual(scores.value - Interval.of(top, top, bits), scores.slope).exp()
        attention = raw / raw.sum(0)[None]
        mixed.append((attention[:, None] * v[: n + 1]).sum(0))
    y = u + stacked(mixed).through(W["output"])
    hidden = y.through(W["hidden_in"])
    gate = switched_on(hidden.value, weights["hidden_out"])
    active = hidden.scaled(Interval.enclose(gate.astype(int).astype(object), bits))
    return y + active.through(W["hidden_out"])


def stacked(rows: Sequence[Dual]) -> Dual:
    """Duals of one shape along a new first axis."""

    def together(parts: Sequence[Interval]) -> Interval:
        ends = (np.stack([part.lo for part in parts]), np.stack([part.hi for part in parts]))
        return Interval.of(*ends, parts[0].bits)

    return Dual(together([row.value for row in rows]), together([row.slope for row in rows]))


def switched_on(hidden: Interval, hidden_out: Rows) -> Any:
    """Which relus [N, r] are on; one with zero outgoing weights counts as off."""
    used = np.array([any(column) for column in zip(*hidden_out, strict=True)])
    for n, unit in zip(*np.nonzero(used & (hidden.lo <= 0) & (hidden.hi >= 0)), strict=True):
        raise UndecidedKink(
            f"the pre-activation of hidden unit {unit} at position {n} is not separated from 0"
        )
    return used & (hidden.lo > 0)


def lag_polynomial(weights: Mapping[str, Rows], tying: str, bits: int) -> Interval:
    """The coefficients S_0..S_N, [N + 1, k, k], k = d tied and 2d untied.

    Raises UndecidedKink as `dual_representation` does.
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
