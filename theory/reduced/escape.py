"""How far from a unigram point the nearest lower loss lies: the escape radius.

It is the infimum of the distance in (e, w, b) from (0, w, ln(p/q)) to points of lower loss, and

    radius = max(0, sign(p+q-1)(w + 1/sqrt2)),   infinite at p+q = 1.

Lower bound. L(e, w', b) >= l(s), s = e^2 (1 + 2w'|w'|), and l is convex
(`theory.reduced.flow.curvature`) with l'(0) = c(p+q-1). So L < H_u = l(0) needs an s strictly
between 0 and the other root of l(s) = H_u, on the side of s*, whose sign is that of 1-p-q. Hence e
!= 0, and 1 + 2w'|w'| has that sign: w' lies on the other side of -1/sqrt2, and |w' - w| >
sign(p+q-1)(w + 1/sqrt2). At p+q = 1, s* = 0 and no loss is lower than H_u.

Upper bound. At w' beyond -1/sqrt2 by eta and e so small that 0 < |s| <= |s*|, l(s) < l(0): l is
strictly monotone from 0 to s*. The bias moves by |b* - ln(p/q)| <= e^2/2 + |s|, since
-1 < df(0)/ds < 0. As eta and e go to 0 the distance goes to |w + 1/sqrt2|, or to 0 from beyond. The
infimum is not attained: the points of lower loss are an open set.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import mpmath
import sympy as sp

from theory.chain.binary import stationary_law
from theory.exact import Number, probability
from theory.numeric import function
from theory.precision import workdps
from theory.reduced.critical_points import classify
from theory.reduced.flow import gap
from theory.reduced.loss import best_bias
from theory.symbols import e, p, q, tau, w

_DIGITS = 700
"""The bias moves by the square of the slack, which has to show in its digits; the least float is
5e-324, and 50 digits are left."""

gain = sp.Symbol("k", positive=True)
"""The product of the two weights of the hidden unit of `full_model_bound`, with its sign turned."""

positions_scale = sp.Symbol("epsilon", positive=True)
"""The length of every position vector there."""

tokens = sp.Symbol("N", integer=True, positive=True)
"""The number of positions."""


def escape_radius(p_value: Number, q_value: Number, w_value: Number | sp.Expr) -> float:
    """max(0, sign(p+q-1)(w + 1/sqrt2)), 0 at a saddle and inf at p+q = 1, decided exactly.

    Arguments:
        p_value, q_value: probabilities in (0, 1), as the decimals they were written as.
        w_value: a number, a float standing for its exact binary value, or a real sympy number.

    Raises ValueError for p or q outside (0, 1) or a w that is not a real number.
    Source: this project.

    >>> escape_radius(0.5, 0.8, 0), escape_radius(0.5, 0.8, -1), escape_radius(0.2, 0.8, 0)
    (0.7071067811865476, 0.0, inf)
    """
    kind = classify(p_value, q_value, w_value)
    if probability("p", p_value) + probability("q", q_value) == 1:
        return math.inf
    if kind != "local minimum":
        return 0.0
    number = w_value if isinstance(w_value, sp.Expr) else sp.Rational(w_value)
    with workdps(_DIGITS):
        return float(sp.Abs(number + 1 / sp.sqrt(2)).evalf(_DIGITS))


def witness(
    p_value: Number, q_value: Number, w_value: float, radius: float
) -> tuple[mpmath.mpf, mpmath.mpf, mpmath.mpf]:
    """A point (e, w', b) of loss below H_u within `radius` of (0, w, ln(p/q)), to 700 digits.

    With the slack D = min(radius - escape radius, 1): w' lies beyond -1/sqrt2 (or beyond w) by D/4,
    e <= D/4 and e^2 (1/2 + |1 + 2w'|w'||) <= D/4, |s| <= |s*|, b = b*. So the distance is at most
    the escape radius and 3D/4, and the loss is lower for the reasons above.

    Arguments: p, q and w as in `escape_radius`, w a number; `radius`, above the escape radius.
    Raises ValueError where it is not, or where p+q = 1.

    >>> [round(float(x), 3) for x in witness(0.5, 0.8, 0.0, 0.75)]
    [0.011, -0.718, -0.47]
    """
    least = escape_radius(p_value, q_value, w_value)
    up, down = probability("p", p_value), probability("q", q_value)
    if up + down == 1:
        raise ValueError(
            f"p = {p_value}, q = {q_value} have p + q = 1: no loss is lower; choose p + q != 1"
        )
    if not (math.isfinite(radius) and radius > least):
        raise ValueError(
            f"radius = {radius} is not above the escape radius {least}: no loss is lower there; "
            "give a larger finite radius"
        )
    side = math.copysign(1, up + down - 1)
    with workdps(_DIGITS):
        start, root = mpmath.mpf(w_value), -1 / mpmath.sqrt(2)
        distance = max(mpmath.mpf(0), side * (start - root))
        slack = min(radius - distance, mpmath.mpf(1))
        beyond = side * min(side * start, side * root) - side * slack / 4
        sign = mpmath.sign(beyond)
        steepness = abs(evaluate("gap")(1, beyond, sign))
        odds = (1 - up) * (1 - down) / (up * down)
        bigram_gap = abs(mpmath.log(mpmath.mpf(odds.numerator) / odds.denominator))
        square = min(
            (slack / 4) ** 2, slack / 4 / (mpmath.mpf(1) / 2 + steepness), bigram_gap / steepness
        )
        embedding = mpmath.sqrt(square)
        return embedding, beyond, evaluate("bias")(up, down, embedding, beyond, sign)


@cache
def evaluate(name: str) -> Callable[..., Any]:
    """The gap s, or the best bias, on the branch e > 0."""
    if name == "gap":
        return function([e, w, tau], gap(1), mpmath)
    return function([p, q, e, w, tau], best_bias(1), mpmath)


def full_model_bound() -> float:
    """sqrt2: an upper bound on the escape radius of the single-layer transformer, tied, p+q > 1.

    It is from all weights and positions 0, b = ln(p/q). Take one hidden unit, W_1 = sqrt(k) alpha^T
    and W_2 = -sqrt(k) alpha with |alpha| = 1, and every position epsilon alpha, epsilon > 0. The
    relu is on at u = p_n, and J = I - k alpha alpha^T, z^0 = (1-k) epsilon alpha at every n. With
    the bias eliminated, z^0 drops out of the block of the embedding and b, and the curvature along
    alpha is 2c(p+q-1)(1-k), negative for k > 1. These parameters are still on the unigram set, at
    the distance sqrt(2k + N epsilon^2), which goes to sqrt2, and lower losses lie next to them.

    Without attention no hidden units do better: v^T W_2 W_1 v < -1 for a unit v needs |W_1|^2 +
    |W_2|^2 >= 2 |W_1 v| |W_2^T v| > 2. Along the rank-one ansatz the distance is 2.

    >>> round(full_model_bound(), 5)
    1.41421
    """
    limit = sp.limit(full_model_distance().subs(gain, 1), positions_scale, 0, "+")
    return float(limit)


def hidden_unit() -> tuple[sp.Expr, sp.Expr]:
    """The weights of the hidden unit of `full_model_bound` along alpha, into it and out of it."""
    return sp.sqrt(gain), -sp.sqrt(gain)


def full_model_distance() -> sp.Expr:
    """sqrt(2k + N epsilon^2), from the origin to the parameters of `full_model_bound`.

    >>> full_model_distance()
    sqrt(N*epsilon**2 + 2*k)
    """
    hidden_in, hidden_out = hidden_unit()
    return sp.sqrt(hidden_in**2 + hidden_out**2 + tokens * positions_scale**2)


def full_model_curvature() -> sp.Expr:
    """2c(p+q-1)(1-k), along alpha with the bias at its best, at `full_model_bound`'s parameters.

    The block is c[z z^T - lambda (J + J^T)] with J = 1-k along alpha and z = z^0 there, less the
    part c z z^T that the bias removes.

    >>> full_model_curvature().subs(gain, 1)
    0
    """
    pi0, pi1 = stationary_law()
    c, eigenvalue = pi0 * pi1, 1 - p - q
    hidden_in, hidden_out = hidden_unit()
    jacobian = 1 + hidden_in * hidden_out
    z = jacobian * positions_scale
    block = c * (z**2 - 2 * eigenvalue * jacobian)
    return sp.factor(sp.expand(block - (c * z) ** 2 / c))


def full_model_ansatz_distance() -> sp.Expr:
    """2 sqrt2 |w|, from the origin along the rank-one ansatz with e -> 0: 2 at w = -1/sqrt2.

    Both W_1 = (2|w|/sqrt r) 1 alpha^T and W_2 = (2w/sqrt r) alpha 1^T have the norm 2|w|.

    >>> full_model_ansatz_distance().subs(w, -1 / sp.sqrt(2))
    2
    """
    return sp.sqrt((2 * sp.Abs(w)) ** 2 + (2 * w) ** 2)
