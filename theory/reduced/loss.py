"""The population loss of a logit of the last token, and its minimum over the bias.

The target's conditional mean is r(0) = p, r(1) = 1-q, so with logits f(0), f(1)

    L = sum_x pi_x [softplus(f(x)) - r(x) f(x)]    (nats per token).
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from theory.chain.binary import kernel, stationary_law
from theory.symbols import b, p, q, s
from theory.transformer.forward import reduced_logit

__all__ = [
    "best_bias",
    "best_logit",
    "loss_at_best_bias",
    "population_loss",
    "reduced_loss",
    "softplus",
]


def softplus(argument: sp.Expr) -> sp.Expr:
    """ln(1 + exp(argument)), which `theory.numeric` evaluates without overflow."""
    return sp.log(1 + sp.exp(argument))


def population_loss(zero: sp.Expr, one: sp.Expr) -> sp.Expr:
    """The loss sum_x pi_x [softplus(f(x)) - r(x) f(x)] of two logits, in nats.

    Arguments: `zero` is f(0), `one` is f(1).

    >>> sp.simplify(population_loss(sp.S.Zero, sp.S.Zero))
    log(2)
    """
    loss = sp.S.Zero
    for state, logit in enumerate((zero, one)):
        loss += stationary_law()[state] * (softplus(logit) - kernel()[state, 1] * logit)
    return loss


def reduced_loss(e_sign: int = 1) -> sp.Expr:
    """The loss L(e, w, b) of the reduced model on one branch of e, in nats.

    Raises ValueError where `e_sign` is neither 1 nor -1.

    >>> sorted(map(str, reduced_loss(1).free_symbols))
    ['b', 'e', 'p', 'q', 'tau', 'w']
    """
    return population_loss(*reduced_logit(e_sign))


@cache
def best_logit() -> sp.Expr:
    """The logit f(0) that minimises the loss at a given gap s = f(1) - f(0).

    With y = exp(f(0)) the condition dL/df(0) = 0 is q e^s y^2 + (q-p) y - p = 0, whose roots have
    opposite signs; the positive one gives f(0) = ln([p - q + sqrt((p-q)^2 + 4pq e^s)] / (2q e^s)).

    >>> best_logit().subs({s: 0, p: sp.Rational(1, 2), q: sp.Rational(4, 5)})
    log(5/8)
    """
    y, f = sp.Symbol("y"), sp.Symbol("f")
    gap = sp.Symbol("S", positive=True)
    slope = sp.diff(population_loss(f, f + s), f)
    condition = sp.expand_power_exp(slope).subs({sp.exp(f): y, sp.exp(s): gap})
    numerator, _ = sp.fraction(sp.factor(condition))
    (quadratic,) = (
        factor for factor, _ in sp.factor_list(numerator)[1] if sp.degree(factor, y) == 2
    )
    leading, middle, last = sp.Poly(quadratic, y).all_coeffs()
    orientation = sp.sign(leading)
    if sp.sign(last) != -orientation:
        raise ArithmeticError(f"the roots of {quadratic} do not have opposite signs")
    # completing (p-q)^2 keeps the discriminant a sum of terms that are never negative
    rest = sp.expand(middle**2 - 4 * leading * last - (p - q) ** 2)
    root = (-orientation * middle + sp.sqrt((p - q) ** 2 + rest)) / (orientation * (2 * leading))
    if sp.expand(quadratic.subs(y, root)) != 0:
        raise ArithmeticError(f"{root} does not solve {quadratic}")
    return sp.log(sp.factor_terms(root).subs(gap, sp.exp(s)))


@cache
def best_bias(e_sign: int = 1) -> sp.Expr:
    """The bias b*(e, w) with dL/db = 0, where f(0) is `best_logit` of the gap.

    With s = e^2 (1 + 2 tau w^2) and the bracket of `best_logit`, b* = e^2/2 + ln[bracket] for e >
    0 and b* = e^2 (1/2 + 2 tau w^2) + ln[bracket] for e < 0.

    Arguments: `e_sign`, 1 or -1. Raises ValueError for another sign.
    Source: *Local to Global*, the bias eliminated from the canonical parametrisation.

    >>> from theory.symbols import e
    >>> best_bias(1).subs({e: 0, p: sp.Rational(1, 2), q: sp.Rational(4, 5)})
    log(5/8)
    """
    zero, one = reduced_logit(e_sign)
    gap = sp.factor(sp.expand(one - zero))
    # f(0) moves with the bias one for one
    (shift,) = sp.solve(zero, b)
    return sp.expand(shift) + best_logit().subs(s, gap)


@cache
def loss_at_best_bias() -> sp.Expr:
    """L as a function of the gap s = f(1) - f(0) alone, with the bias at its best value, in nats.

    It is the same function on both branches of e. Its minimum H_b is at s* = ln[(1-p)(1-q)/(pq)].

    >>> from theory.chain.binary import unigram_entropy
    >>> point = {s: 0, p: sp.Rational(1, 2), q: sp.Rational(4, 5)}
    >>> sp.simplify(sp.expand_log((loss_at_best_bias() - unigram_entropy()).subs(point)))
    0
    """
    return population_loss(best_logit(), best_logit() + s)
