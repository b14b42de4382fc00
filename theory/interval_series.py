"""Bounds on exp and ln at dyadic rationals, in integers: a series, and a bound on what it leaves.

Numbers are integers in units of 2^-bits. Sums are carried with more bits and rounded outward once
more at the end.
"""

from __future__ import annotations

__all__ = ["exp_bounds", "log_bounds"]

EXTRA = 32


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
