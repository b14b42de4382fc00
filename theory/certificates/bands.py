"""Bands of lambda = 1-p-q in a box of the (p, q) plane, and their subdivision.

The lines of constant lambda are parallel, so a band of lambda inside a box is a hexagon at most,
with an exact rational area.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from theory.certificates.inertia_witness import Witness

__all__ = ["Band", "Box", "area", "lambda_range", "subdivide"]

Box = tuple[tuple[Fraction, Fraction], tuple[Fraction, Fraction]]

ENOUGH = 32
"""The width at which a saddle is worth no more halving, in least widths."""

PROBES = (Fraction(3, 8), Fraction(11, 16))
"""Where else a band is looked at before it is called hopeless, as fractions of it."""


@dataclass(frozen=True)
class Band:
    """All (p, q) with low <= 1-p-q <= high, and what decides them: None where nothing does."""

    low: Fraction
    high: Fraction
    witness: Witness | None


def lambda_range(box: Box) -> tuple[Fraction, Fraction]:
    """The least and the largest 1-p-q of a box.

    >>> half = (Fraction(0), Fraction(1, 2))
    >>> lambda_range((half, half))
    (Fraction(0, 1), Fraction(1, 1))
    """
    (p0, p1), (q0, q1) = box
    return 1 - p1 - q1, 1 - p0 - q0


def area(box: Box, low: Fraction, high: Fraction) -> Fraction:
    """The area of the band low <= 1-p-q <= high inside a box.

    The part of an a x b box with coordinates summing to at most s has area
    (s_+^2 - (s-a)_+^2 - (s-b)_+^2 + (s-a-b)_+^2)/2.

    >>> unit = (Fraction(0), Fraction(1))
    >>> area((unit, unit), Fraction(0), Fraction(1))
    Fraction(1, 2)
    """
    (p0, p1), (q0, q1) = box
    a, b = p1 - p0, q1 - q0

    def below(value: Fraction) -> Fraction:
        s = value - p0 - q0
        corners = ((1, s), (-1, s - a), (-1, s - b), (1, s - a - b))
        return sum((sign * max(x, Fraction(0)) ** 2 for sign, x in corners), Fraction(0)) / 2

    return below(1 - low) - below(1 - high)


Decide = Callable[[Fraction, Fraction], tuple[Witness | None, Witness | None]]


def subdivide(low: Fraction, high: Fraction, decide: Decide, *, min_width: Fraction) -> list[Band]:
    """Bands that cover [low, high] in order, halved where they are not decided.

    A saddle without its inertia is accepted in a band of 32 least widths, so that certificates stay
    short, and where not even the midpoint has its inertia decided. A band in which neither its
    midpoint nor two other points are decided is given up whole.

    Arguments:
        decide: (low, high) to a witness of the inertia and one of a saddle, None where there is
            none.
        min_width: below it a band is not halved.
    """

    def parts(low: Fraction, high: Fraction) -> Iterator[Band]:
        inertia, saddle = decide(low, high)
        if inertia is not None:
            yield Band(low, high, inertia)
            return
        middle = (low + high) / 2
        at_middle = decide(middle, middle)
        narrow = high - low <= ENOUGH * min_width
        if saddle is not None and (narrow or at_middle[0] is None):
            yield Band(low, high, saddle)
            return
        places = (low + (high - low) * share for share in PROBES)
        hopeful = any(at_middle) or any(any(decide(place, place)) for place in places)
        if high - low <= min_width or not hopeful:
            yield Band(low, high, None)
            return
        yield from parts(low, middle)
        yield from parts(middle, high)

    return merged(list(parts(low, high)))


def merged(bands: list[Band]) -> list[Band]:
    """The bands with undecided neighbours made one."""
    result: list[Band] = []
    for band in bands:
        if result and band.witness is None and result[-1].witness is None:
            result[-1] = Band(result[-1].low, band.high, None)
        else:
            result.append(band)
    return result
