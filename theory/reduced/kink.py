"""The ansatz at e = 0 with positions 0: one-sided curvatures of the full model at its relu kink.

With e = 0 and p_n = 0 every pre-activation of the hidden units is 0. Moving the embedding along
+alpha turns them on at x = 1, along -alpha it leaves them off, while the positions stay: so the
loss has two second derivatives there and no Hessian. The reduced model, whose positions move with
e, has their mean.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from theory.reduced.critical_points import unigram_set
from theory.reduced.loss import population_loss
from theory.symbols import b, e, p, q, tau, w
from theory.transformer.matrices import ansatz, forward, in_coordinates

__all__ = ["kink_logits", "one_sided_curvature", "one_sided_curvatures"]


@cache
def kink_logits(e_sign: int = 1) -> tuple[sp.Expr, sp.Expr]:
    """f(0) and f(1) along the ray e alpha, positions 0, on one side of e = 0.

    For e > 0 f(x) = e^2 (1 + 4w|w|) x + b, for e < 0 f(x) = e^2 x + b.
    Arguments: `e_sign`, 1 or -1. Raises ValueError for another sign.

    >>> sp.expand(kink_logits(1)[1]), sp.expand(kink_logits(-1)[1])
    (b + 4*e**2*tau*w**2 + e**2, b + e**2)
    """
    weights = ansatz([1], hidden=1, length=1, e_sign=e_sign)
    weights["positions"] *= 0
    zero, one = (in_coordinates(forward(weights, [token])[0]) for token in (0, 1))
    return zero, one


@cache
def one_sided_curvature(e_sign: int = 1) -> sp.Expr:
    """lim_{t->0+} d^2L/dt^2 along +alpha or -alpha at the unigram point.

    It is 2c(p+q-1)(1 + 4w|w|) for +alpha and 2c(p+q-1) for -alpha, c = pi0 pi1.
    Arguments: `e_sign`, 1 or -1. Raises ValueError for another sign.

    >>> sp.factor(one_sided_curvature(-1))
    2*p*q*(p + q - 1)/(p + q)**2
    """
    loss = population_loss(*kink_logits(e_sign))
    point = {e: sp.S.Zero, b: unigram_set().b}
    return sp.factor(sp.simplify(sp.diff(loss, e, 2).subs(point)))


def one_sided_curvatures(p_value: float, q_value: float, w_value: float) -> tuple[float, float]:
    """The curvatures along -alpha and +alpha, in float64.

    >>> [round(x, 3) for x in one_sided_curvatures(0.5, 0.8, -2.0)]
    [0.142, -2.13]
    """
    values = {p: p_value, q: q_value, w: w_value, tau: sp.sign(w_value)}
    minus, plus = (float(one_sided_curvature(sign).subs(values)) for sign in (-1, 1))
    return minus, plus
