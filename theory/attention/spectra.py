"""Curvatures and spectra of the attention-reduced model, in numbers.

The closed forms of `theory.attention.critical_points` are evaluated with 50 digits from the
probabilities as written, the moments of the running mean summed over positions, and rounded once:
O(N) in the number of tokens.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import numpy as np
from jaxtyping import Float

from theory.attention.critical_points import (
    attention_bigram_hessian,
    kappa,
    mean_m,
    mean_m2,
    unigram_curvature,
)
from theory.attention.loss import branch_logit, counts
from theory.chain.binary import conditional_mean, conditional_square, memory, require_count
from theory.exact import Number, probability
from theory.numeric import function
from theory.precision import workdps
from theory.spectra.predicted_spectrum import PredictedSpectrum
from theory.spectra.reduced import ansatz_bigram, embedding, tau as sign
from theory.symbols import a, e, length, p, q, tau, w, x, xbar

_DIGITS = 50


def running_moments(up: Number, down: Number, N: int) -> Float[np.ndarray, "5"]:
    """kappa, mean_m[0], mean_m[1], mean_m2[0] and mean_m2[1] over N tokens.

    Arguments: `up` and `down`, the probabilities p and q of leaving 0 and 1; `N`, an integer >= 1.
    Raises ValueError where an argument is out of range.

    >>> running_moments(0.5, 0.8, 1).tolist()
    [1.0, -0.5, 0.5, 0.25, 0.25]
    """
    with workdps(_DIGITS):
        return np.array([float(value) for value in exact_moments(up, down, N)])


def exact_moments(up: Number, down: Number, N: int) -> list[Any]:
    """The five moments as mpmath numbers, to the precision in force."""
    require_count("N", N)
    chances = probability("p", up), probability("q", down)
    each = [evaluate("moments")(*chances, n) for n in range(1, N + 1)]
    return [mpmath.fsum(values) / N for values in zip(*each, strict=True)]


def unigram_curvatures(
    up: Number, down: Number, at_w: float, at_a: float, N: int
) -> tuple[float, float]:
    """The curvature h in e at the unigram set, from e > 0 and from e < 0.

    For |a| <= 1 the closed form; for larger ones -2 lambda mean_n Cov(x_n, g_n), the covariance
    summed over the law of (x_n, xbar_n) in float64, in O(N^2). At p+q = 1 both are exactly 0.

    Arguments: `up`, `down`, the probabilities p and q; `at_w`, `at_a`, the coordinates w and a;
    `N`, an integer >= 1. Raises ValueError where an argument is out of range.

    >>> [round(h, 4) for h in unigram_curvatures(0.5, 0.8, 0.0, 0.0, 5)]
    [0.142, 0.142]
    """
    if not (np.isfinite(at_w) and np.isfinite(at_a)):
        raise ValueError(f"w = {at_w}, a = {at_a} are not both finite: give two real numbers")
    require_count("N", N)
    chances = probability("p", up), probability("q", down)
    if abs(at_a) > 1:
        eigenvalue = float(1 - sum(chances))
        plus, minus = (-2 * eigenvalue * shared(*chances, at_w, at_a, N, k) for k in (1, -1))
        return plus, minus
    number = Fraction(float(at_w))
    with workdps(_DIGITS):
        memory_mean = exact_moments(up, down, N)[0]
        values = (*chances, number, sign(number), Fraction(float(at_a)), memory_mean)
        plus, minus = evaluate("curvatures")(*values)
        return float(plus), float(minus)


def shared(up: Fraction, down: Fraction, at_w: float, at_a: float, N: int, e_sign: int) -> float:
    """mean_n Cov(x_n, g_n), where the logit on the branch is e^2 g_n + b."""
    token = np.array([[0.0], [1.0]])
    form, total = evaluate("form", e_sign), 0.0
    for law, mean in counts(float(up), float(down), N):
        values = form(at_w, float(sign(Fraction(at_w))), at_a, token, mean)
        total += float((law * (token - float(up / (up + down))) * values).sum())
    return total / N


def attention_bigram_spectrum(
    up: Number, down: Number, at_w: float, N: int, e_sign: int = 1
) -> PredictedSpectrum:
    """The Hessian spectrum in (e, w, a, b) at the bigram point of a given w, a = 0.

    Three positive eigenvalues and one zero for N >= 2, two and two for N = 1.

    Arguments: `up`, `down`, the probabilities p and q, p + q != 1; `at_w`, the coordinate w; `N`,
    an integer >= 1; `e_sign`, the branch of e.
    Raises ValueError where there is no bigram point or an argument is out of range.

    >>> attention_bigram_spectrum(0.2, 0.3, 0.5, 4).inertia
    (0, 1, 3)
    """
    ansatz_bigram(up, down, at_w, e_sign)  # refuses a w without a bigram point
    number, chances = Fraction(float(at_w)), (probability("p", up), probability("q", down))
    with workdps(_DIGITS):
        at_e = embedding(*chances, number, e_sign)
        values = (*chances, number, sign(number), at_e, *exact_moments(up, down, N)[1:])
        H = evaluate("hessian", e_sign)(*values)
        rank = 3 if N >= 2 else 2
        eigenvalues = sorted(mpmath.eigsy(H, eigvals_only=True))[-rank:]
    return PredictedSpectrum(
        eigenvalues=np.array([float(value) for value in eigenvalues]),
        parameters=4,
        zeros=4 - rank,
        inertia=(0, 4 - rank, rank),
        classification="global minimum",
        method=f"closed-form Gauss-Newton matrix of the reduced model with attention, rank {rank}; "
        "no measured input",
    )


@cache
def evaluate(name: str, *e_sign: int) -> Callable[..., Any]:
    """A closed form, of a branch where it has two, of mpmath numbers; the form g_n, of arrays."""
    if name == "moments":
        expressions = [memory(), *(conditional_mean(k) for k in (0, 1))]
        squares = [conditional_square(k) for k in (0, 1)]
        return function([p, q, length], [*expressions, *squares], mpmath)
    if name == "curvatures":
        both = [unigram_curvature(side) for side in (1, -1)]
        return function([p, q, w, tau, a, kappa], both, mpmath)
    if name == "form":
        return function([w, tau, a, x, xbar], branch_logit(*e_sign).coeff(e, 2), np)
    H = attention_bigram_hessian(*e_sign)
    return function([p, q, w, tau, e, *mean_m, *mean_m2], H, mpmath)
