"""The attention-reduced model over all contexts, one by one, with its relu as it stands."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import sympy as sp

from tests.twins.single_layer import path_probability
from theory.numeric import function

Point = Sequence[Any]
Loss = Callable[[Point], Any]

CHAINS = [(Fraction(1, 2), Fraction(4, 5)), (Fraction(1, 5), Fraction(3, 10))]
"""Values of p and q on both sides of p + q = 1."""

NEAR = mpmath.mpf(10) ** -25
"""A bound on `differences` and `one_sided_curvature`, which are off by about 1e-29."""


def number(value: Fraction) -> Any:
    """A fraction at the precision in force."""
    return mpmath.mpf(value.numerator) / value.denominator


def decimal(value: str) -> Any:
    return number(Fraction(value))


def exact(value: Fraction) -> sp.Rational:
    return sp.Rational(value.numerator, value.denominator)


def at(expression: Any, values: Mapping[sp.Symbol, Any]) -> Any:
    """The number, or matrix of numbers, that an expression has at a point."""
    return function(list(values), expression, mpmath)(*values.values())


def contexts(n: int) -> list[tuple[int, ...]]:
    return list(itertools.product((0, 1), repeat=n))


@cache
def count_law(chain: tuple[Fraction, Fraction], n: int) -> dict[tuple[int, int], Fraction]:
    """P(x_n = x, n xbar_n = k) in rationals, from the law before."""
    up, down = chain
    if n == 1:
        return {(0, 0): down / (up + down), (1, 1): up / (up + down)}
    found: dict[tuple[int, int], Fraction] = {}
    for (token, ones), weight in count_law(chain, n - 1).items():
        leave = down if token else up
        for target, chance in ((token, 1 - leave), (1 - token, leave)):
            key = (target, ones + target)
            found[key] = found.get(key, Fraction(0)) + weight * chance
    return found


def moments_at(chain: tuple[Fraction, Fraction], n: int) -> list[Fraction]:
    """Corr(x_n, xbar_n), and the means of m = xbar_n - 1/2 and m^2 given x_n = 0 and 1."""
    law, pi1 = count_law(chain, n), chain[0] / sum(chain)
    cross = sum((Fraction(k, n) * weight for (x, k), weight in law.items() if x), Fraction(0))
    given = [
        sum(((Fraction(k, n) - Fraction(1, 2)) ** power * weight
             for (token, k), weight in law.items() if token == t), Fraction(0)) / share
        for power in (1, 2) for t, share in ((0, 1 - pi1), (1, pi1))
    ]  # fmt: skip
    return [(cross - pi1**2) / (pi1 * (1 - pi1)), *given]


def naive_logit(point: Point, context: tuple[int, ...]) -> Any:
    """The logit after the last token of a context, at (e, w, a, b)."""
    e, w, a, b = point
    half = mpmath.mpf(1) / 2
    s = context[-1] - half + a * (mpmath.mpf(sum(context)) / len(context) - half)
    return e**2 * s + 4 * w * abs(w) * e * max(mpmath.mpf(0), e * s) + b


def naive_loss(p: Any, q: Any, length: int) -> Loss:
    """The mean cross-entropy of the next token over every context of up to `length` tokens."""
    every = [c for n in range(1, length + 1) for c in contexts(n)]
    chances = [(path_probability((*c, 0), p, q), path_probability((*c, 1), p, q)) for c in every]

    def loss(point: Point) -> Any:
        total = mpmath.mpf(0)
        for context, (zero, one) in zip(every, chances, strict=True):
            logit = naive_logit(point, context)
            total += zero * mpmath.log1p(mpmath.exp(logit))
            total += one * mpmath.log1p(mpmath.exp(-logit))
        return total / length

    return loss


def reduced_loss(p: Any, q: Any) -> Loss:
    """That of the reduced model at (e, w, b): one token, and no attention."""
    loss = naive_loss(p, q, 1)
    return lambda point: loss([*point[:2], mpmath.mpf(0), point[2]])


def best_bias(e: Any, w: Any, p: Any, q: Any) -> Any:
    """Where the reduced loss is least: the mean prediction is pi1, by a root finder."""

    def excess(b: Any) -> Any:
        zero, one = (naive_logit((e, w, 0, b), (token,)) for token in (0, 1))
        return q / (1 + mpmath.exp(-zero)) + p / (1 + mpmath.exp(-one)) - p

    return mpmath.findroot(excess, mpmath.log(p / q))


def bigram_point(p: Any, q: Any, w: Any, e_sign: int) -> tuple[Any, Any, Any]:
    """(e, w, b) of the reduced model, solved from the targets by hand."""
    star = mpmath.log((1 - p) * (1 - q) / (p * q))
    e = e_sign * mpmath.sqrt(star / (1 + 2 * w * abs(w)))
    b = mpmath.log(p / (1 - p)) + e**2 / 2 if e_sign > 0 else mpmath.log((1 - q) / q) - e**2 / 2
    return e, w, b


def differences(loss: Loss, point: Point) -> tuple[mpmath.matrix, mpmath.matrix]:
    """Gradient and Hessian by central differences, step 1e-15 at 60 digits: errors near 1e-29."""
    h, size = mpmath.mpf(10) ** -15, len(point)
    gradient, H = mpmath.matrix(size, 1), mpmath.matrix(size, size)

    def moved(steps: dict[int, int]) -> Any:
        return loss([value + steps.get(k, 0) * h for k, value in enumerate(point)])

    here = loss(point)
    for i in range(size):
        up, down = moved({i: 1}), moved({i: -1})
        gradient[i] = (up - down) / (2 * h)
        H[i, i] = (up - 2 * here + down) / h**2
        for j in range(i):
            corners = [si * sj * moved({i: si, j: sj}) for si in (1, -1) for sj in (1, -1)]
            H[i, j] = H[j, i] = sum(corners) / (4 * h**2)
    return gradient, H


def one_sided_curvature(loss: Loss, point: Point, e_sign: int) -> Any:
    """2 (L(e) - L(0))/e^2 at e = +-1e-15: the loss has no term in e, and the next is e^4."""
    e = e_sign * mpmath.mpf(10) ** -15
    return 2 * (loss([e, *point[1:]]) - loss([mpmath.mpf(0), *point[1:]])) / e**2
