"""What the unigram point is over a box of the (p, q) plane, with a certificate.

The signs depend on lambda = 1-p-q alone (`theory.certificates.enclosure`), so the box is cut into
bands of constant sign along p + q = const. These lines are parallel: a band inside a box is a
hexagon at most, with an exact rational area.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from theory.certificates.enclosure import Kink
from theory.certificates.signs import UnigramSigns, Witness, inertia_of, word_of
from theory.checker.format import Rows, exact_weights, sealed, write_number, write_weights
from theory.exact import Number, as_written, probability
from theory.spectra.universal_law import Tying

__all__ = ["DecidedBand", "PlaneCertificate", "UndecidedBand", "certify_plane"]

Box = tuple[tuple[Fraction, Fraction], tuple[Fraction, Fraction]]
Decide = Callable[[Fraction, Fraction], tuple[Witness | None, Witness | None]]

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


@dataclass(frozen=True)
class DecidedBand:
    """All (p, q) with low <= 1-p-q <= high and p + q != 1: one word, one inertia.

    Fields: `word`, 'local minimum' or 'saddle'; `inertia` of the block as in
    `theory.certificates.unigram.Certificate`, None where only the saddle is certain; `vectors`, the
    witness.
    """

    low: Fraction
    high: Fraction
    word: str
    inertia: tuple[int, int, int] | None
    vectors: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class UndecidedBand:
    """All (p, q) with low <= 1-p-q <= high, and why they are not decided."""

    low: Fraction
    high: Fraction
    reason: str

    def __str__(self) -> str:
        centre, width = float(1 - (self.low + self.high) / 2), float(self.high - self.low) / 2
        return f"p + q = {centre:.6g} +- {width:.2g}: {self.reason}"


@dataclass(frozen=True)
class PlaneCertificate:
    """What is certain about the unigram points of one transformer over a box of the plane.

    Fields:
        status: 'decided' where some band is; 'undecided'; 'not-applicable' exactly at a
            relu's kink.
        tying, box: what was asked, exact.
        decided, undecided: the bands of lambda = 1-p-q, ascending, which cover the box.
        decided_fraction: the share of the box's area that is decided, exact.
        weights: what `to_json` writes.
    """

    status: Literal["decided", "undecided", "not-applicable"]
    tying: Tying
    box: Box
    decided: tuple[DecidedBand, ...]
    undecided: tuple[UndecidedBand, ...]
    decided_fraction: Fraction
    weights: Mapping[str, Rows]

    def left(self) -> tuple[str, ...]:
        """What is left undecided, in words; the line p + q = 1 has no area but its own verdict."""
        low, high = lambda_range(self.box)
        line = "p + q = 1: degenerate, the unigram point is the bigram point"
        return (*(str(band) for band in self.undecided), *([line] if low <= 0 <= high else []))

    def to_json(self) -> dict[str, Any]:
        """The certificate as a JSON record for `theory.checker.check.check`."""
        bands = [
            {
                "lambda": [write_number(band.low), write_number(band.high)],
                "word": band.word,
                "inertia": None if band.inertia is None else list(band.inertia),
            }
            for band in self.decided
        ]
        left = [[write_number(band.low), write_number(band.high)] for band in self.undecided]
        return sealed(
            {
                "kind": "unigram-plane",
                "claim": {
                    "tying": self.tying,
                    "box": [[write_number(end) for end in side] for side in self.box],
                    "decided": write_number(self.decided_fraction),
                    "bands": bands,
                    "undecided": left,
                },
                "weights": write_weights(self.weights),
                "witness": [[list(v) for v in band.vectors] for band in self.decided],
                "theorems": ["universal-law"],
            }
        )


def certify_plane(
    weights: Mapping[str, np.ndarray],
    tying: Tying,
    box: tuple[tuple[Number, Number], tuple[Number, Number]],
    *,
    min_width: Number = 1e-4,
) -> PlaneCertificate:
    """What the unigram point is over a box of the (p, q) plane, as bands of lambda = 1-p-q.

    Arguments:
        weights: named and shaped as in `theory.transformer.representation`, finite floats, taken as
            exact.
        tying: 'tied' or 'untied'.
        box: ((p0, p1), (q0, q1)), 0 < p0 < p1 < 1 and 0 < q0 < q1 < 1, taken as written.
        min_width: bands of lambda are not halved below this width, > 0; each change of sign leaves
            about this much.

    Raises ValueError where an argument is not as above.
    Source: the criterion of `theory.spectra.universal_law`.

    >>> zero = np.zeros((2, 2))
    >>> weights = dict(positions=zero, query=zero, key=zero, value=zero, output=zero)
    >>> weights |= dict(hidden_in=np.zeros((8, 2)), hidden_out=np.zeros((2, 8)))
    >>> plane = certify_plane(weights, "tied", ((0.05, 0.95), (0.05, 0.95)))
    >>> plane.decided[0].word, plane.decided[-1].word
    ('local minimum', 'saddle')
    >>> print(plane.left()[0])
    p + q = 1 +- 5.5e-05: an eigenvalue changes sign here, and p + q = 1 is degenerate
    """
    if tying not in ("tied", "untied"):
        raise ValueError(f"tying = {tying!r} is not known: choose 'tied' or 'untied'")
    exact_box = read_box(box)
    smallest = as_written("min_width", min_width)
    if smallest <= 0:
        raise ValueError(f"min_width = {min_width} is not positive: give a width such as 1e-4")
    exact = exact_weights(weights)
    low, high = lambda_range(exact_box)
    try:
        signs = UnigramSigns(exact, tying)
    except Kink as kink:
        whole = UndecidedBand(low, high, str(kink))
        verdict: Literal["not-applicable", "undecided"]
        verdict = "not-applicable" if kink.exact else "undecided"
        return PlaneCertificate(verdict, tying, exact_box, (), (whole,), Fraction(0), exact)
    bands = subdivide(low, high, signs.decide, min_width=smallest)
    decided = tuple(
        DecidedBand(band.low, band.high, word_of(found), inertia_of(found), vectors=found.vectors)
        for band in bands
        if (found := band.witness)
    )
    undecided = tuple(
        UndecidedBand(band.low, band.high, reason(bands, k))
        for k, band in enumerate(bands)
        if band.witness is None
    )
    covered = sum((area(exact_box, band.low, band.high) for band in decided), Fraction(0))
    share = covered / area(exact_box, low, high)
    status: Literal["decided", "undecided"] = "decided" if decided else "undecided"
    return PlaneCertificate(status, tying, exact_box, decided, undecided, share, exact)


def read_box(box: tuple[tuple[Number, Number], tuple[Number, Number]]) -> Box:
    """The box in exact numbers; ValueError where it is not inside the unit square."""
    sides = []
    for name, (low, high) in zip(("p", "q"), box, strict=True):
        first, last = probability(f"box: {name}", low), probability(f"box: {name}", high)
        if first >= last:
            raise ValueError(
                f"box: {name} goes from {low} to {high}, but must ascend: "
                "give ((p0, p1), (q0, q1)) with p0 < p1 and q0 < q1"
            )
        sides.append((first, last))
    return sides[0], sides[1]


def reason(bands: list[Band], k: int) -> str:
    """Why band k is not decided, from what is certain on both sides of it."""
    band = bands[k]
    sides = [b.witness for b in (*bands[max(k - 1, 0) : k], *bands[k + 1 : k + 2]) if b.witness]
    said = "an eigenvalue is not separated from 0"
    if len({word_of(side) for side in sides}) == 2:
        said = "an eigenvalue changes sign here"
    if band.low <= 0 <= band.high:
        said += ", and p + q = 1 is degenerate"
    return said
