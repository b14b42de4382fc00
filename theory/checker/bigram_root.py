"""The independent check of a bigram root: interval Newton with Cramer's rule, in rationals."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from theory.checker.format import Malformed, read_list, read_number
from theory.checker.intervals import Interval

__all__ = ["check_bigram_root"]

GRIDS = (256, 1024)
"""Bits of the grid, tried in this order: small p or e need a finer one."""

Span = tuple[Fraction, Fraction]


def check_bigram_root(certificate: dict[str, Any]) -> str | None:
    """What is wrong with the certificate, or None.

    A box X holds exactly one root of F if 0 is not in det F'(X) and x - F'(X)^-1 F(x) lies in X for
    its midpoint x.
    Source: Neumaier, *Interval Methods for Systems of Equations* (1990), on Newton's operator.
    """
    claim = certificate["claim"]
    if certificate["theorems"] != ["global-minimum"]:
        return "it must rest on the theorem 'global-minimum'"
    p, q, w = (read_number(claim[name]) for name in ("p", "q", "w"))
    e_sign = claim["e_sign"]
    if not (0 < p < 1 and 0 < q < 1):
        return "p and q must be in (0, 1)"
    if type(e_sign) is not int or e_sign not in (1, -1):
        return "e_sign must be 1 or -1"
    wide, narrow = read_box(claim["unique_in"]), read_box(claim["root_in"])
    for outer, inner in zip(wide, narrow, strict=True):
        if not outer[0] <= inner[0] < inner[1] <= outer[1]:
            return "root_in is not inside unique_in"
    if min(e_sign * end for end in wide[0]) <= 0:
        return "the box of e is not on the branch of e_sign"
    for box, name in ((wide, "unique_in"), (narrow, "root_in")):
        if not any(newton(p, q, w, e_sign, box, bits) for bits in GRIDS):
            return f"Newton's operator does not map {name} into itself"
    return None


def read_box(record: Any) -> tuple[Span, Span]:
    """Spans of e and b."""
    spans = [tuple(read_number(end) for end in read_list(span)) for span in read_list(record)]
    if [len(span) for span in spans] != [2, 2]:
        raise Malformed("a box is not two spans of two ends each")
    (e_low, e_high), (b_low, b_high) = spans
    return (e_low, e_high), (b_low, b_high)


def newton(
    p: Fraction, q: Fraction, w: Fraction, e_sign: int, box: tuple[Span, Span], bits: int
) -> bool:
    """Whether Newton's operator certainly maps the box into itself.

    By the rank-one ansatz the gap is s = f(1) - f(0) = e^2 (1 + 2w|w|), and the token at which the
    relu is off has the logit b - e_sign e^2/2.
    """
    (e_low, e_high), (b_low, b_high) = box

    def number(value: Fraction | int) -> Interval:
        return Interval.enclose(value, bits)

    def logarithm(odds: Fraction) -> Interval:
        top, bottom = (number(part).log() for part in (odds.numerator, odds.denominator))
        return top - bottom

    slope = number(e_sign * (1 + 2 * w * abs(w)))
    zero, one = logarithm(p / (1 - p)), logarithm((1 - q) / q)
    first, second = (zero, one) if e_sign > 0 else (one, zero)
    middle_e, middle_b = (e_low + e_high) / 2, (b_low + b_high) / 2
    e, b = number(middle_e), number(middle_b)
    # the relu is off at the first of the two tokens and on at the second
    off = b - number(Fraction(e_sign, 2)) * e * e
    F = (off - first, off + slope * e * e - second)
    E = Interval.between(e_low, e_high, bits)
    # rows (2 E c, 1) of F'(X): c = -e_sign/2 off, and -e_sign/2 + slope on
    left = -number(e_sign) * E
    right = left + number(2) * slope * E
    determinant = left - right
    if determinant.contains(0):
        return False
    step_e = (F[0] - F[1]) / determinant
    step_b = (left * F[1] - right * F[0]) / determinant
    to_e, to_b = e - step_e, b - step_b
    return (
        e_low <= to_e.lower
        and to_e.upper <= e_high
        and b_low <= to_b.lower
        and to_b.upper <= b_high
    )
