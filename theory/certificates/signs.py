"""The signs of a symmetric matrix polynomial S(lambda) over a band of lambda, and their witnesses.

Inertia: an integer matrix V for which V^T S(lambda) V is strictly diagonally dominant over the
whole band. Such a matrix is nonsingular and so is V; its eigenvalues have the signs of its
diagonal (Gershgorin), which are those of S(lambda) (Sylvester's law of inertia).
Saddle: an integer vector v with v^T S(lambda) v < 0 over the whole band.

V comes from floating-point eigenvectors and may be anything: only the check, in balls of growing
precision, counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb
from typing import Any

import numpy as np
from flint import arb, arb_mat
from jaxtyping import Shaped

from theory.certificates.enclosure import Kink, fraction_of, symmetric_polynomial
from theory.checker.format import Rows
from theory.precision import workprec
from theory.spectra.universal_law import Tying

PRECISIONS = (128, 256, 512)
"""Bits of the balls, tried in this order."""

BITS = 12
"""Bits of the smallest column of V."""

ROUNDS = 4
"""How often V is refined where an eigenvalue is smaller than float64 resolves."""


@dataclass(frozen=True)
class Witness:
    """Integer vectors and what they show.

    Fields: `vectors`, the columns of V, or the one vector v; `negative`, how many eigenvalues are
    negative, the others being positive, or None where only v^T S v < 0 is shown.
    """

    vectors: tuple[tuple[int, ...], ...]
    negative: int | None


def over_band(
    coefficients: Sequence[arb_mat], V: arb_mat, low: Fraction, high: Fraction
) -> arb_mat:
    """A ball matrix around V^T S(lambda) V for all low <= lambda <= high.

    By Taylor's formula at the midpoint m: S(m + t) = sum_j t^j sum_k binom(k, j) m^{k-j} S_k, exact
    for a polynomial, so that what cancels at m cancels before |t| <= (high - low)/2 is put in.

    >>> one = arb_mat([[1]])
    >>> ball = over_band([one, -one, one], one, Fraction(0), Fraction(1))[0, 0]
    >>> round(float(ball.mid()), 6), round(float(ball.upper()), 6)
    (0.75, 1.0)
    """
    m, radius = arb(fraction_of((low + high) / 2)), arb(fraction_of((high - low) / 2))
    left = V.transpose()
    terms = [left * S * V for S in coefficients]
    total = arb_mat(V.ncols(), V.ncols())
    for j in range(len(terms) if low < high else 1):
        shifted = arb_mat(V.ncols(), V.ncols())
        for k in range(len(terms) - 1, j - 1, -1):
            shifted = shifted * m + terms[k] * comb(k, j)
        spread = arb(0, 1) if j else arb(1)
        total += shifted * (radius**j * spread)
    return total


def dominant_signs(D: arb_mat) -> int | None:
    """How many diagonal entries are negative, if D is certainly strictly diagonally dominant."""
    negative = 0
    for i, row in enumerate(D.tolist()):
        rest = sum((abs(x).upper() for j, x in enumerate(row) if j != i), arb(0))
        if not row[i].abs_lower() > rest:
            return None
        negative += bool(row[i] < 0)
    return negative


def diagonalizer(coefficients: Sequence[arb_mat], value: Fraction) -> arb_mat:
    """An integer matrix V that makes V^T S(value) V nearly diagonal and +-1 up to scale.

    One round is enough unless an eigenvalue is near 0. Then float64 sees at most its size, but
    after a scaling by V it sees more.
    """
    size = coefficients[0].nrows()
    V: Shaped[np.ndarray, "k k"] = np.array(
        [[int(i == j) for j in range(size)] for i in range(size)]
    )
    V = V.astype(object)
    for _ in range(ROUNDS):
        values = normalized(over_band(coefficients, arb_mat(V.tolist()), value, value))
        if not np.isfinite(values).all() or not values.any():
            break
        eigenvalues, vectors = np.linalg.eigh(values)
        largest = np.abs(eigenvalues).max()
        scale = np.sqrt(largest / np.maximum(np.abs(eigenvalues), 1e-18 * largest))
        integers = [[round(x) for x in row] for row in (2.0**BITS * vectors * scale).tolist()]
        V = V @ np.array(integers, dtype=object)
        D = over_band(coefficients, arb_mat(V.tolist()), value, value)
        if dominant_signs(D) is not None:
            break
    return arb_mat(V.tolist())


def normalized(D: arb_mat) -> Any:
    """The midpoints of a ball matrix, divided by the largest, as floats."""
    largest = max((abs(x.mid()) for x in D.entries()), key=float)
    if largest.is_zero() or not largest.is_finite():
        return np.zeros((D.nrows(), D.ncols()))
    values = np.array([[float((x.mid() / largest).mid()) for x in row] for row in D.tolist()])
    return (values + values.T) / 2


def inertia_witness(
    coefficients: Sequence[arb_mat], V: arb_mat, low: Fraction, high: Fraction
) -> Witness | None:
    """The witness V of the inertia over [low, high], if it is one."""
    negative = dominant_signs(over_band(coefficients, V, low, high))
    return None if negative is None else Witness(columns(V), negative)


def saddle_witness(
    coefficients: Sequence[arb_mat], V: arb_mat, low: Fraction, high: Fraction
) -> Witness | None:
    """The first column of V as witness of a negative eigenvalue over [low, high], if it is one."""
    v = arb_mat([row[:1] for row in V.tolist()])
    negative = over_band(coefficients, v, low, high)[0, 0] < 0
    return Witness(columns(v), None) if negative else None


def columns(V: arb_mat) -> tuple[tuple[int, ...], ...]:
    """The columns of an integer matrix."""
    return tuple(tuple(int(x.fmpz()) for x in row) for row in V.transpose().tolist())


class UnigramSigns:
    """S(lambda) of `theory.certificates.enclosure` for one set of weights, as precise as needed.

    Arguments: `weights`, exact; `tying`.
    Raises Kink where the Jacobian is not known to exist at any of the precisions.
    """

    def __init__(self, weights: Mapping[str, Rows], tying: Tying) -> None:
        self.weights, self.tying = weights, tying
        self._polynomials: dict[int, list[arb_mat]] = {}
        for bits in PRECISIONS:
            try:
                self.polynomial(bits)
            except Kink as kink:
                if kink.exact or bits == PRECISIONS[-1]:
                    raise
            else:
                self.precisions = PRECISIONS[PRECISIONS.index(bits) :]
                break

    def polynomial(self, bits: int) -> list[arb_mat]:
        """S_0..S_N in balls of this many bits."""
        if bits not in self._polynomials:
            polynomial = symmetric_polynomial(self.weights, tying=self.tying, bits=bits)
            self._polynomials[bits] = polynomial
        return self._polynomials[bits]

    def decide(self, low: Fraction, high: Fraction) -> tuple[Witness | None, Witness | None]:
        """A witness of the inertia over low <= lambda <= high and one of a saddle, or None.

        The precision is raised until the midpoint is decided: after that it is the band that is
        too wide.
        """
        middle = (low + high) / 2
        saddle = None
        for bits in self.precisions:
            polynomial = self.polynomial(bits)
            with workprec(bits):
                V = diagonalizer(polynomial, middle)
                inertia = inertia_witness(polynomial, V, low, high)
                saddle = saddle or saddle_witness(polynomial, V, low, high)
                if inertia or inertia_witness(polynomial, V, middle, middle):
                    return inertia, saddle
        return None, saddle


def inertia_of(witness: Witness) -> tuple[int, int, int] | None:
    """(negative, zero, positive) of the block, b included, or None where only a saddle is shown."""
    if witness.negative is None:
        return None
    return witness.negative, 0, len(witness.vectors) - witness.negative + 1


def word_of(witness: Witness) -> str:
    """What the point is: 'local minimum' where no eigenvalue is negative and none is 0."""
    return "local minimum" if witness.negative == 0 else "saddle"
