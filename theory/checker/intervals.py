"""Intervals with integer ends on a dyadic grid, every operation rounded outward.

An interval is [lo, hi] 2^-bits, so its ends are exact rationals and Python's integers do all the
arithmetic: no float, and no other library's rounding. Whatever numbers lie in the operands, the
result of the operation on them lies in the interval that is returned. Ends may be arrays, which
broadcast as numpy's do.

Source: Moore, *Interval Analysis* (1966).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import Shaped

__all__ = ["Interval"]

Integers = Shaped[np.ndarray, "..."]
"""Python's integers, of any size: dtype object."""

EXTRA = 32
"""Bits by which exp and ln are worked finer than the grid."""


def down(number: Any, bits: int) -> Any:
    """The largest integers <= number / 2^bits."""
    return number >> bits


def up(number: Any, bits: int) -> Any:
    """The smallest integers >= number / 2^bits."""
    return -(-number >> bits)


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """All real x with lo <= 2^bits x <= hi, entry by entry.

    Fields: `lo` <= `hi`, of one shape, integers; `bits`, how fine the grid is. Operands share one
    grid.

    >>> third = Interval.enclose(Fraction(1, 3), 8)
    >>> third.lower, third.upper, (third * third).lower, (third * third).upper
    (Fraction(85, 256), Fraction(43, 128), Fraction(7, 64), Fraction(29, 256))
    >>> Interval.enclose(1, 80).exp().width < Fraction(1, 2**76)
    True
    """

    lo: Integers
    hi: Integers
    bits: int

    @staticmethod
    def of(lo: Any, hi: Any, bits: int) -> Interval:
        """An interval from its ends in units of the grid."""
        return Interval(np.asarray(lo, dtype=object), np.asarray(hi, dtype=object), bits)

    @staticmethod
    def enclose(value: Any, bits: int) -> Interval:
        """The narrowest intervals of the grid around rational numbers: one, or lists of them."""
        return Interval.between(value, value, bits)

    @staticmethod
    def between(low: Any, high: Any, bits: int) -> Interval:
        """The narrowest intervals of the grid around [low, high].

        Raises ValueError where low > high.
        """
        below, above = np.asarray(low, dtype=object), np.asarray(high, dtype=object)
        if np.any(below > above):
            raise ValueError(f"low = {low} exceeds high = {high}: give the lower end first")
        grid = 1 << bits
        return Interval.of(
            np.frompyfunc(math.floor, 1, 1)(below * grid),
            np.frompyfunc(math.ceil, 1, 1)(above * grid),
            bits,
        )

    @property
    def lower(self) -> Fraction:
        """The lower end of a single interval."""
        return Fraction(self.lo.item(), 1 << self.bits)

    @property
    def upper(self) -> Fraction:
        """The upper end of a single interval."""
        return Fraction(self.hi.item(), 1 << self.bits)

    @property
    def width(self) -> Fraction:
        """upper - lower of a single interval."""
        return self.upper - self.lower

    def contains(self, value: Fraction | int) -> bool:
        """Whether a rational number lies in a single interval."""
        return self.lower <= value <= self.upper

    def __getitem__(self, index: Any) -> Interval:
        return Interval.of(self.lo[index], self.hi[index], self.bits)

    def __neg__(self) -> Interval:
        return Interval.of(-self.hi, -self.lo, self.bits)

    def __add__(self, other: Interval) -> Interval:
        return Interval.of(self.lo + other.lo, self.hi + other.hi, self.bits)

    def __sub__(self, other: Interval) -> Interval:
        return Interval.of(self.lo - other.hi, self.hi - other.lo, self.bits)

    def __mul__(self, other: Interval) -> Interval:
        a, b = self.lo * other.lo, self.lo * other.hi
        c, d = self.hi * other.lo, self.hi * other.hi
        low, high = least(least(a, b), least(c, d)), largest(largest(a, b), largest(c, d))
        return Interval.of(down(low, self.bits), up(high, self.bits), self.bits)

    def __truediv__(self, other: Interval) -> Interval:
        if np.any((other.lo <= 0) & (other.hi >= 0)):
            raise ZeroDivisionError("the divisor contains 0: raise the number of bits")
        pairs = [(x << self.bits, y) for x in (self.lo, self.hi) for y in (other.lo, other.hi)]
        low, high = (x // y for x, y in pairs), (-(-x // y) for x, y in pairs)
        return Interval.of(extreme(least, *low), extreme(largest, *high), self.bits)

    def times(self, integers: Integers) -> Interval:
        """The matrix product with a matrix of integers, exact."""
        plus, minus = largest(integers, 0), least(integers, 0)
        low = self.lo @ plus + self.hi @ minus
        return Interval.of(low, self.hi @ plus + self.lo @ minus, self.bits)

    def sum(self, axis: int) -> Interval:
        """The sum over an axis, exact."""
        return Interval.of(self.lo.sum(axis), self.hi.sum(axis), self.bits)

    def swapped(self) -> Interval:
        """The last two axes exchanged."""
        return Interval(self.lo.swapaxes(-1, -2), self.hi.swapaxes(-1, -2), self.bits)

    def hull(self) -> Interval:
        """The least interval around all along the first axis."""
        return Interval.of(extreme(least, *self.lo), extreme(largest, *self.hi), self.bits)

    def sqrt(self) -> Interval:
        """The square roots. Raises ValueError where an interval reaches below 0."""
        return self._rising("sqrt", sqrt_bounds)

    def exp(self) -> Interval:
        """The exponentials. Raises ValueError above 2^20: the result has over a million bits."""
        return self._rising("exp", exp_bounds)

    def log(self) -> Interval:
        """The natural logarithms. Raises ValueError where an interval reaches down to 0."""
        return self._rising("ln", log_bounds)

    def _rising(self, name: str, bounds: Callable[[int, int], tuple[int, int]]) -> Interval:
        """An increasing function, from the bounds of its values at the ends."""
        try:
            low = np.frompyfunc(lambda x: bounds(x, self.bits)[0], 1, 1)(self.lo)
            high = np.frompyfunc(lambda x: bounds(x, self.bits)[1], 1, 1)(self.hi)
        except ValueError as error:
            raise ValueError(f"{name} of an interval {error}") from error
        return Interval.of(low, high, self.bits)


def least(x: Any, y: Any) -> Any:
    """The smaller of each two integers."""
    return np.minimum(np.asarray(x, dtype=object), y)


def largest(x: Any, y: Any) -> Any:
    """The larger of each two integers."""
    return np.maximum(np.asarray(x, dtype=object), y)


def extreme(choose: Callable[[Any, Any], Any], first: Any, *others: Any) -> Any:
    """The extreme of any number of arrays."""
    for other in others:
        first = choose(first, other)
    return first


def sqrt_bounds(number: int, bits: int) -> tuple[int, int]:
    """floor and ceiling of sqrt(number 2^-bits) 2^bits."""
    if number < 0:
        raise ValueError("below 0: its numbers must be >= 0")
    root = math.isqrt(number << bits)
    return root, root + (root * root < number << bits)


def exp_bounds(number: int, bits: int) -> tuple[int, int]:
    """Integers below and above exp(number 2^-bits) 2^bits.

    exp(-x) = 1/exp(x), and for x > 0 exp(x) = exp(x/2^k)^(2^k) with x/2^k <= 1/2, where the Taylor
    terms after the j-th, j > 0, sum to less than it: each is at most 1/4 of the one before.
    Raises ValueError above 2^20.

    >>> exp_bounds(0, 8), exp_bounds(1 << 8, 8)
    ((256, 256), (695, 696))
    """
    size = abs(number)
    if number > 0 and size >> bits > 1 << 20:
        raise ValueError("above 2^20: its exponential is too large to write down")
    if number < 0 and size >> bits > bits:
        return 0, 1  # exp(-bits) < 2^-bits
    if number == 0:
        return 1 << bits, 1 << bits
    halvings = max(0, size.bit_length() - bits + 1)
    fine = bits + 4 * halvings + EXTRA
    x = size << (fine - bits - halvings)
    low = high = total_low = total_high = 1 << fine
    j = 0
    while high > 1:
        j += 1
        low, high = low * x // (j << fine), -(-high * x // (j << fine))
        total_low, total_high = total_low + low, total_high + high
    total_high += high
    for _ in range(halvings):
        total_low, total_high = total_low**2 >> fine, -(-(total_high**2) >> fine)
    if number < 0:
        one = 1 << 2 * fine
        total_low, total_high = one // total_high, -(-one // total_low)
    return total_low >> (fine - bits), -(-total_high >> (fine - bits))


def log_bounds(number: int, bits: int) -> tuple[int, int]:
    """Integers below and above ln(number 2^-bits) 2^bits.

    ln(2^k m) = k ln 2 - 2 atanh((1-m)/(1+m)) with 1/2 <= m < 1, and ln 2 = 2 atanh(1/3).
    Raises ValueError for number <= 0.

    >>> log_bounds(1 << 8, 8), log_bounds(2 << 8, 8)
    ((-1, 1), (177, 178))
    """
    if number <= 0:
        raise ValueError("down to 0 or below: its numbers must be > 0")
    length = number.bit_length()
    fine = bits + length.bit_length() + EXTRA
    two = atanh_bounds(1, 3, fine)
    rest = atanh_bounds((1 << length) - number, (1 << length) + number, fine)
    k = length - bits
    low = 2 * (k * two[0 if k >= 0 else 1] - rest[1])
    high = 2 * (k * two[1 if k >= 0 else 0] - rest[0])
    return low >> (fine - bits), -(-high >> (fine - bits))


def atanh_bounds(numerator: int, denominator: int, bits: int) -> tuple[int, int]:
    """Integers below and above atanh(y) 2^bits, y = numerator/denominator from 0 to 1/3.

    atanh(y) = y + y^3/3 + y^5/5 + ..., and what follows a term is less than its power of y.
    """
    low, high = (numerator << bits) // denominator, -(-(numerator << bits) // denominator)
    square_low, square_high = low * low >> bits, -(-high * high >> bits)
    total_low, total_high, j = low, high, 1
    while high > 1:
        j += 2
        low, high = low * square_low >> bits, -(-high * square_high >> bits)
        total_low, total_high = total_low + low // j, total_high - (-high // j)
    return total_low, total_high + high
