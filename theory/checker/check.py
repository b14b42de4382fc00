"""The independent checker of certificates.

It shares nothing with the search for them but the JSON format: no ball, no closed-form Jacobian and
no float. Unigram points rest on dual numbers carried through the forward pass
(`theory.checker.lag_matrices`), with ranges over a band from Bernstein's form and areas from
trapezoids; a bigram root on the interval Newton operator with Cramer's rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from theory.checker.format import Malformed, Rows, digest, read_list, read_number, read_weights
from theory.checker.intervals import Interval, largest
from theory.checker.lag_matrices import UndecidedKink, lag_polynomial, over_band

__all__ = ["CheckResult", "check"]

Span = tuple[Fraction, Fraction]

GRIDS = (192, 384, 1024, 4096)
"""Bits of the grid for unigram points, tried in this order."""

ROOT_GRIDS = (256, 1024)
"""And for a bigram root: small p or e need a finer one."""


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
    gap = "the bands do not cover the box once, from its least lambda to its largest"
    for low, high in sorted(bands + left):
        if low != at or high <= low:
            return gap
        at = high
    if at != last:
        return gap
    covered = sum((strip(p0, p1, q0, q1, *band) for band in bands), Fraction(0))
    if read_number(claim["decided"]) != covered / ((p1 - p0) * (q1 - q0)):
        return "the decided share of the box is not that of its bands"
    return check_bands(weights, tying, bands, claim["bands"], certificate["witness"])


def check_bands(
    weights: Mapping[str, Rows],
    tying: str,
    bands: Sequence[Span],
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
    polynomial: Interval, band: Span, claim: Mapping[str, Any], vectors: list[list[int]]
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


def blurred(polynomial: Interval, band: Span, vectors: list[list[int]]) -> bool:
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

    areas = ((length(a) + length(b)) * (b - a) / 2 for a, b in pairwise(ends))
    return sum(areas, Fraction(0))


def read_tying(claim: Mapping[str, Any]) -> str:
    """'tied' or 'untied'."""
    if claim["tying"] not in ("tied", "untied"):
        raise Malformed("tying is neither 'tied' nor 'untied'")
    return str(claim["tying"])


def read_span(record: Any) -> Span:
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
        if not any(newton(p, q, w, e_sign, box, bits) for bits in ROOT_GRIDS):
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
    within_e = e_low <= to_e.lower and to_e.upper <= e_high
    return within_e and b_low <= to_b.lower and to_b.upper <= b_high


@dataclass(frozen=True)
class CheckResult:
    """Whether a certificate proves its claim, and why not; true or false as such.

    >>> bool(CheckResult(False, "for the example"))
    False
    """

    valid: bool
    reason: str

    def __bool__(self) -> bool:
        return self.valid


_ODD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)

CHECKS: Mapping[str, Callable[[dict[str, Any]], str | None]] = {
    "unigram": check_unigram,
    "unigram-plane": check_plane,
    "bigram-root": check_bigram_root,
}


KEYS: Mapping[str, frozenset[str]] = {
    "unigram": frozenset({"tying", "p", "q", "word", "status", "inertia"}),
    "unigram-plane": frozenset({"tying", "box", "decided", "bands", "undecided"}),
    "bigram-root": frozenset({"p", "q", "w", "e_sign", "unique_in", "root_in"}),
}
"""What a claim of each kind says, and all that it says."""

BAND = frozenset({"lambda", "word", "inertia"})
ALWAYS = frozenset({"kind", "claim", "theorems", "sha256"})


def surplus(certificate: dict[str, Any]) -> str | None:
    """What a record says beyond what is checked, or lacks: such a claim would pass unread."""
    kind, claim = certificate["kind"], certificate["claim"]
    inputs = frozenset() if kind == "bigram-root" else frozenset({"weights", "witness"})
    parts = [(certificate, ALWAYS | inputs, "the record"), (claim, KEYS[kind], "its claim")]
    if kind == "unigram-plane":
        parts += [(band, BAND, "a band of its claim") for band in claim["bands"]]
    for part, keys, name in parts:
        if set(part) != keys:
            return f"{name} has the keys {sorted(map(str, part))}, not {sorted(keys)}"
    for part, _, name in parts:
        counts = part.get("inertia")
        if counts is not None and any(type(count) is not int for count in counts):
            return f"the inertia in {name} is not made of integers"
    return None


def check(certificate: object) -> CheckResult:
    """Whether a certificate, as parsed from JSON, proves what it claims.

    The digest finds an accident; then every claim is proved anew from the exact inputs that the
    certificate names. It is valid for those inputs: that they are the ones you mean is for you to
    compare. What it takes from `theory.statements.registry`, its list `theorems` says.

    Never raises: what is no certificate is refused with a reason.

    >>> check({"kind": "unigram"}).reason
    'refused: the record is not what its sha256 says'
    >>> check([]).reason
    'refused: not a JSON object with a kind that is known'
    """
    try:
        if not isinstance(certificate, dict) or certificate.get("kind") not in CHECKS:
            return CheckResult(False, "refused: not a JSON object with a kind that is known")
        if certificate.get("sha256") != digest(certificate):
            return CheckResult(False, "refused: the record is not what its sha256 says")
        objection = surplus(certificate) or CHECKS[certificate["kind"]](certificate)
    except Malformed as error:
        return CheckResult(False, f"refused: {error}")
    except _ODD as error:
        return CheckResult(False, f"refused: malformed, {type(error).__name__}: {error}")
    if objection is not None:
        return CheckResult(False, f"refused: {objection}")
    return CheckResult(True, "every claim was proved anew")
