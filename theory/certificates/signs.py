"""The signs at the unigram point, decided in balls of growing precision."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import flint
from flint import arb_mat

from theory.certificates.enclosure import Kink, symmetric_polynomial
from theory.certificates.inertia_witness import (
    Witness,
    diagonalizer,
    inertia_witness,
    saddle_witness,
)
from theory.checker.format import Rows
from theory.spectra.universal_law import Tying

__all__ = ["PRECISIONS", "UnigramSigns", "inertia_of", "word_of"]

PRECISIONS = (128, 256, 512)
"""Bits of the balls, tried in this order."""


class UnigramSigns:
    """S(lambda) of `theory.certificates.enclosure` for one set of weights, as precise as it has to
    be.

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
            with flint.ctx.workprec(bits):
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
