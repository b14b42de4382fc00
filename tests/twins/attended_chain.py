"""The attention-reduced model over all contexts, one by one, with its relu as it stands."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
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
