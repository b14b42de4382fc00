"""Certificates of the unigram point of a transformer: its signs, proved in ball arithmetic.

Nothing here is a float. Weights are the exact rationals that their floats are, p and q are the
decimals that were written, and every number between is a ball that contains the true one. A
certificate is a small JSON record; `theory.checker.check.check` validates it anew by other means:
rational intervals in place of balls, dual numbers in place of the closed-form Jacobian.

The Hessian at the unigram point is c M(lambda) in one block and 0 elsewhere (the theorem
'universal-law'), with c = pi0 pi1 > 0 and a matrix M whose only dependence on the chain is through
lambda = 1-p-q: see `theory.certificates.enclosure`. That an eigenvalue is exactly 0 is never
concluded from a ball: zeros come from that theorem alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from theory.certificates.enclosure import Kink
from theory.certificates.signs import UnigramSigns, Witness, inertia_of, word_of
from theory.checker.format import Rows, exact_weights, sealed, write_number, write_weights
from theory.exact import Number, probability
from theory.spectra.universal_law import Tying

__all__ = ["Certificate", "certify_unigram"]

Status = Literal["decided", "undecided", "not-applicable", "degenerate"]


@dataclass(frozen=True)
class Certificate:
    """What is certain about the unigram point of one transformer at one point of the plane.

    Fields:
        status: 'decided'; 'undecided', where no precision tried separates an eigenvalue or a
            pre-activation from 0; 'not-applicable', where a relu is exactly at its kink;
            'degenerate', where p + q = 1.
        tying, p, q: what was asked, p and q exact.
        word: 'local minimum' or 'saddle' across the critical manifold; None unless decided.
        inertia: (negative, zero, positive) of the block of size 1+d tied, 1+2d untied; the
            other parameters add zeros. None where not decided, or where a saddle is certain but
            not every sign.
        reason: why, in words.
        weights, witness: what `to_json` writes.
    """

    status: Status
    tying: Tying
    p: Fraction
    q: Fraction
    word: str | None
    inertia: tuple[int, int, int] | None
    reason: str
    weights: Mapping[str, Rows]
    witness: Witness | None

    def to_json(self) -> dict[str, Any]:
        """The certificate as a JSON record; the checker accepts what decides a word."""
        law = "degenerate-lines" if self.status == "degenerate" else "universal-law"
        return sealed(
            {
                "kind": "unigram",
                "claim": {
                    "status": self.status,
                    "tying": self.tying,
                    "p": write_number(self.p),
                    "q": write_number(self.q),
                    "word": self.word,
                    "inertia": None if self.inertia is None else list(self.inertia),
                },
                "weights": write_weights(self.weights),
                "witness": [list(v) for v in self.witness.vectors] if self.witness else None,
                "theorems": [law],
            }
        )


def certify_unigram(
    weights: Mapping[str, np.ndarray], *, p: Number, q: Number, tying: Tying
) -> Certificate:
    """The inertia at the unigram point of a single-layer transformer, with a certificate.

    inertia(block) = inertia(S(1-p-q)) + (0, 0, 1), S of `theory.certificates.enclosure`, where the
    inertia of S is that of the strictly diagonally dominant V^T S V.

    Arguments:
        weights: named and shaped as in `theory.transformer.representation`, finite floats, taken as
            exact.
        p, q: probabilities of leaving 0 and 1, in (0, 1), taken as the decimals they are.
        tying: 'tied' or 'untied'.

    Raises ValueError for weights that are missing, do not fit or are not finite, for p or q outside
    (0, 1), and for another tying.
    Source: *Attention with Markov*, bad local minimum and saddle, for the weights at hand; the
    criterion is this project's.

    Without weights every unigram point with p + q > 1 is a local minimum:

    >>> zero = np.zeros((2, 2))
    >>> weights = dict(positions=zero, query=zero, key=zero, value=zero, output=zero)
    >>> weights |= dict(hidden_in=np.zeros((8, 2)), hidden_out=np.zeros((2, 8)))
    >>> from theory.checker.check import check
    >>> found = certify_unigram(weights, p=0.5, q=0.8, tying="tied")
    >>> found.status, found.word, found.inertia, bool(check(found.to_json()))
    ('decided', 'local minimum', (0, 0, 3), True)
    >>> certify_unigram(weights, p=0.2, q=0.3, tying="tied").inertia
    (2, 0, 1)
    """
    up, down = probability("p", p), probability("q", q)
    if tying not in ("tied", "untied"):
        raise ValueError(f"tying = {tying!r} is not known: choose 'tied' or 'untied'")
    exact = exact_weights(weights)

    def answer(status: Status, reason: str, witness: Witness | None = None) -> Certificate:
        return Certificate(
            status=status,
            tying=tying,
            p=up,
            q=down,
            word=word_of(witness) if witness else None,
            inertia=inertia_of(witness) if witness else None,
            reason=reason,
            weights=exact,
            witness=witness,
        )

    if up + down == 1:
        return answer("degenerate", "p + q = 1: the unigram point is the bigram point")
    try:
        signs = UnigramSigns(exact, tying)
    except Kink as kink:
        return answer("not-applicable" if kink.exact else "undecided", str(kink))
    value = 1 - up - down
    inertia, saddle = signs.decide(value, value)
    if inertia is not None:
        return answer("decided", "V^T S V is strictly diagonally dominant", inertia)
    if saddle is not None:
        return answer("decided", "v^T S v < 0; not every sign is decided", saddle)
    bits = signs.precisions[-1]
    return answer("undecided", f"an eigenvalue is not separated from 0 with {bits} bits")
