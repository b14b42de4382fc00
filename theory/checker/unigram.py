"""The independent check of what is claimed about unigram points, in rational intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

from theory.checker.dual_numbers import UndecidedKink
from theory.checker.format import Malformed, Rows, read_list, read_number, read_weights
from theory.checker.intervals import Interval, largest
from theory.checker.lag_matrices import lag_polynomial, over_band

__all__ = ["check_plane", "check_unigram"]

GRIDS = (192, 384, 1024, 4096)
"""Bits of the grid, tried in this order."""


def check_unigram(certificate: dict[str, Any]) -> str | None:
    """What is wrong with a certificate for one point of the plane, or None."""
    claim = certificate["claim"]
    p, q = read_number(claim["p"]), read_number(claim["q"])
    word, status, inertia = claim["word"], claim["status"], claim["inertia"]
    if not (0 < p < 1 and 0 < q < 1):
        return "p and q must be in (0, 1)"
    weights, tying = read_weights(certificate["weights"]), read_tying(claim)
    if status == "degenerate":
        if certificate["theorems"] != ["degenerate-lines"] or not (
            word is inertia is certificate["witness"] is None
        ):
            return "a degenerate point rests on 'degenerate-lines' alone: no word, no witness"
        return None if p + q == 1 else "p + q is not 1: the point is not degenerate"
    if status != "decided":
        return f"it claims nothing that could be proved: its status is {str(status)[:40]!r}"
    if certificate["theorems"] != ["universal-law"]:
        return "it must rest on the theorem 'universal-law'"
    if p + q == 1:
        return "p + q = 1: the point is degenerate"
    value = 1 - p - q
    return check_bands(weights, tying, [(value, value)], [claim], [certificate["witness"]])


def check_plane(certificate: dict[str, Any]) -> str | None:
    """What is wrong with a certificate for a box of the plane, or None."""
    claim = certificate["claim"]
    if certificate["theorems"] != ["universal-law"]:
        return "it must rest on the theorem 'universal-law'"
    weights, tying = read_weights(certificate["weights"]), read_tying(claim)
    (p0, p1), (q0, q1) = (
        tuple(read_number(end) for end in read_list(side)) for side in claim["box"]
    )
    if not (0 < p0 < p1 < 1 and 0 < q0 < q1 < 1):
        return "the box must be inside the unit square"
    bands = [read_span(band["lambda"]) for band in claim["bands"]]
    left = [read_span(span) for span in claim["undecided"]]
    at, last = 1 - p1 - q1, 1 - p0 - q0
    for low, high in sorted(bands + left):
        if low != at or high <= low:
            return "the bands do not cover the box once, from its least lambda to its largest"
        at = high
    if at != last:
        return "the bands do not cover the box once, from its least lambda to its largest"
    covered = sum((strip(p0, p1, q0, q1, *band) for band in bands), Fraction(0))
    if read_number(claim["decided"]) != covered / ((p1 - p0) * (q1 - q0)):
        return "the decided share of the box is not that of its bands"
    return check_bands(weights, tying, bands, claim["bands"], certificate["witness"])


def check_bands(
    weights: Mapping[str, Rows],
    tying: str,
    bands: Sequence[tuple[Fraction, Fraction]],
    claims: Sequence[Mapping[str, Any]],
    witnesses: Any,
) -> str | None:
    """What is wrong with the word and the inertia claimed over each band, or None."""
    if not isinstance(witnesses, list) or len(witnesses) != len(bands):
        return "there must be one witness for each band"
    open_bands = list(zip(bands, claims, witnesses, strict=True))
    for bits in GRIDS:
        try:
            polynomial = lag_polynomial(weights, tying, bits)
        except UndecidedKink as kink:
            if bits == GRIDS[-1]:
                return str(kink)
            continue
        remaining = []
        for band, claim, witness in open_bands:
            vectors = read_vectors(witness, polynomial.lo.shape[-1])
            wrong = check_band(polynomial, band, claim, vectors)
            if wrong and (bits == GRIDS[-1] or not blurred(polynomial, band, vectors)):
                return f"{wrong} (1-p-q from {float(band[0])} to {float(band[1])})"
            if wrong:
                remaining.append((band, claim, witness))
        open_bands = remaining
        if not open_bands:
            break
    return None


def check_band(
    polynomial: Interval,
    band: tuple[Fraction, Fraction],
    claim: Mapping[str, Any],
    vectors: list[list[int]],
) -> str | None:
    """What is wrong with one band, or None."""
    size = polynomial.lo.shape[-1]
    if len(vectors) != (1 if claim["inertia"] is None else size):
        return f"a saddle needs one vector as witness, an inertia {size}"
    D = over_band(polynomial, vectors, *band)
    if claim["inertia"] is None:
        if claim["word"] != "saddle":
            return "without an inertia only a saddle can be claimed"
        return None if D.hi.item() < 0 else "v^T S v is not certainly negative"
    magnitude = largest(-D.lo, D.hi)
    rest = magnitude.sum(1) - magnitude.diagonal()
    low, high = D.lo.diagonal(), D.hi.diagonal()
    if not ((low > rest) | (-high > rest)).all():
        return "V^T S V is not certainly diagonally dominant"
    negative = int((high < 0).sum())
    if claim["inertia"] != [negative, 0, size - negative + 1]:
        return f"the inertia is {[negative, 0, size - negative + 1]}"
    expected = "saddle" if negative else "local minimum"
    return None if claim["word"] == expected else f"it is a {expected}"


def blurred(
    polynomial: Interval, band: tuple[Fraction, Fraction], vectors: list[list[int]]
) -> bool:
    """Whether a finer grid could change the answer: it shows at a single point of the band."""
    D = over_band(polynomial, vectors, band[0], band[0])
    return bool((D.hi - D.lo).max() << 16 > largest(-D.lo, D.hi).diagonal().min())


def strip(
    p0: Fraction, p1: Fraction, q0: Fraction, q1: Fraction, low: Fraction, high: Fraction
) -> Fraction:
    """The area with low <= 1-p-q <= high in a box, a trapezoid between each two corners."""
    corners = [1 - p - q for p in (p0, p1) for q in (q0, q1)]
    ends = sorted({low, high, *(corner for corner in corners if low < corner < high)})

    def length(value: Fraction) -> Fraction:
        return max(Fraction(0), min(p1, 1 - value - q0) - max(p0, 1 - value - q1))

    return sum(
        ((length(a) + length(b)) * (b - a) / 2 for a, b in pairwise(ends)),
        Fraction(0),
    )


def read_tying(claim: Mapping[str, Any]) -> str:
    """'tied' or 'untied'."""
    if claim["tying"] not in ("tied", "untied"):
        raise Malformed("tying is neither 'tied' nor 'untied'")
    return str(claim["tying"])


def read_span(record: Any) -> tuple[Fraction, Fraction]:
    """The two ends of a band."""
    low, high = read_list(record)
    return read_number(low), read_number(high)


def read_vectors(record: Any, size: int) -> list[list[int]]:
    """Integer vectors of the size of S."""
    if not read_list(record):
        raise Malformed("a witness has no vectors")
    for vector in record:
        if len(read_list(vector)) != size or not all(
            type(x) is int and abs(x) < 1 << 2048 for x in vector
        ):
            raise Malformed(f"a witness is not made of vectors of {size} integers")
    return [list(vector) for vector in record]
