"""Spectra of the reduced model (e, w, b), evaluated from `theory.reduced.critical_points`.

The expressions are evaluated with 50 digits from the probabilities as written and rounded once, so
that nothing is lost near p + q = 1. Sympy is loaded by the first evaluation: the predictions on
arrays beside this file do without it.
"""

from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import numpy as np

from theory.exact import Number, probability
from theory.precision import workdps
from theory.spectra.predicted_spectrum import PredictedSpectrum

_DIGITS = 50


def ansatz_bigram(p: Number, q: Number, w: float, e_sign: int = 1) -> tuple[float, float, float]:
    """The bigram point (e, w, b) of the reduced model at a given w, as floats.

    Arguments:
        p, q: probabilities of leaving 0 and 1, in (0, 1), p + q != 1.
        w: the feed-forward coordinate, > -1/sqrt2 for p + q < 1 and < -1/sqrt2 for p + q > 1, so
            that 1 + 2w|w| has the sign of 1 - p - q.
        e_sign: 1 or -1, the branch of e.

    Raises ValueError where there is no bigram point at this w, saying which w to take.
    Source: *Attention with Markov*, global minimum.

    >>> [round(x, 4) for x in ansatz_bigram(0.2, 0.3, 0.0)]
    [1.4945, 0.0, -0.2695]
    """
    up, down, number = point(p, q, w)
    require_bigram(up, down, number)
    with workdps(_DIGITS):
        e = embedding(up, down, number, e_sign)
        return float(e), float(number), float(evaluate("bias", e_sign)(up, down, e))


def reduced_unigram_spectrum(p: Number, q: Number, w: float) -> PredictedSpectrum:
    """The Hessian spectrum of the reduced model at its unigram point (0, w, ln(p/q)).

    It is 2c(p+q-1)(1+2w|w|), 0 and c with c = pi0 pi1; the zero, along w, is not listed.
    Raises ValueError for p or q outside (0, 1) or w not finite.
    Source: *Attention with Markov*, bad local minimum and saddle.

    >>> reduced_unigram_spectrum(0.5, 0.8, 0.0).eigenvalues.round(4).tolist()
    [0.142, 0.2367]
    """
    from theory.reduced.critical_points import classify

    up, down, number = point(p, q, w)
    with workdps(_DIGITS):
        H = evaluate("unigram_hessian", 1)(up, down, number, tau(number))
        values = np.array(sorted([float(H[0, 0]), float(H[2, 2])]))
    inertia = (int((values < 0).sum()), 1 + int((values == 0).sum()), int((values > 0).sum()))
    return PredictedSpectrum(
        eigenvalues=values,
        parameters=3,
        zeros=inertia[1],
        inertia=inertia,
        classification=classify(p, q, w),
        method="closed-form Hessian of the reduced model at e = 0; no measured input",
    )


def reduced_bigram_spectrum(p: Number, q: Number, w: float, e_sign: int = 1) -> PredictedSpectrum:
    """The Hessian spectrum of the reduced model at its bigram point: two positive, one zero.

    The two solve x^2 - T x + M = 0, T the trace and M the sum of the principal 2 x 2 minors of the
    rank-2 Gauss-Newton matrix. Raises ValueError as `ansatz_bigram` does.
    Source: *Attention with Markov*, global minimum.

    >>> reduced_bigram_spectrum(0.2, 0.3, 0.0).inertia
    (0, 1, 2)
    """
    up, down, number = point(p, q, w)
    require_bigram(up, down, number)
    with workdps(_DIGITS):
        e = embedding(up, down, number, e_sign)
        H = evaluate("bigram_hessian", e_sign)(up, down, number, tau(number), e)
        trace = H[0, 0] + H[1, 1] + H[2, 2]
        minors = sum(H[i, i] * H[j, j] - H[i, j] * H[j, i] for i, j in ((0, 1), (0, 2), (1, 2)))
        larger = (trace + mpmath.sqrt(trace**2 - 4 * minors)) / 2
        values = np.array([float(minors / larger), float(larger)])
    return PredictedSpectrum(
        eigenvalues=values,
        parameters=3,
        zeros=1,
        inertia=(0, 1, 2),
        classification="global minimum",
        method="closed-form Gauss-Newton matrix of the reduced model; no measured input",
    )


def point(p: Number, q: Number, w: float) -> tuple[Fraction, Fraction, Fraction]:
    """p and q as written and w as its exact binary value."""
    up, down = probability("p", p), probability("q", q)
    if not np.isfinite(w):
        raise ValueError(f"w = {w} is not a finite number: give a real w such as 0 or -1.2")
    return up, down, Fraction(float(w))


def require_bigram(p: Fraction, q: Fraction, w: Fraction) -> None:
    """Refuse a point at which no bigram point of the ansatz exists."""
    given = f"p = {float(p)}, q = {float(q)}"
    if p + q == 1:
        raise ValueError(
            f"{given} have p + q = 1: the tokens are independent and the bigram point is the "
            "unigram point; choose p + q != 1"
        )
    if (1 + 2 * w * abs(w)) * (1 - p - q) <= 0:
        side, example = ("<", "-1.2") if p + q > 1 else (">", "0")
        raise ValueError(
            f"w = {float(w)} has no bigram point at {given}: "
            f"choose w {side} -1/sqrt(2) = -0.7071, such as w = {example}"
        )


def tau(w: Fraction) -> int:
    """sign(w) for the expressions; at w = 0 either sign gives the same value."""
    return -1 if w < 0 else 1


def embedding(p: Fraction, q: Fraction, w: Fraction, e_sign: int) -> Any:
    """The coordinate e of the bigram point, an mpmath number."""
    return e_sign * mpmath.sqrt(evaluate("e_squared", e_sign)(p, q, w, tau(w)))


@cache
def evaluate(name: str, e_sign: int) -> Any:
    """A closed form of `theory.reduced.critical_points` as a function of mpmath numbers."""
    from theory import symbols
    from theory.numeric import function
    from theory.reduced import critical_points

    p, q, w, sign, e = symbols.p, symbols.q, symbols.w, symbols.tau, symbols.e
    if name == "e_squared":
        return function([p, q, w, sign], critical_points.bigram_set(e_sign).e_squared, mpmath)
    if name == "bias":
        return function([p, q, e], critical_points.bigram_set(e_sign).b, mpmath)
    if name == "unigram_hessian":
        return function([p, q, w, sign], critical_points.unigram_hessian(e_sign), mpmath)
    return function([p, q, w, sign, e], critical_points.bigram_hessian(e_sign), mpmath)
