"""The loss of the attention-reduced model (e, w, a, b) over a context of N tokens, exactly.

    L = (1/N) sum_{n<=N} E[softplus(logit_n) - r(x_n) logit_n],
    logit_n = e^2 s_n + 4 w|w| e relu(e s_n) + b,   s_n = (x_n - 1/2) + a (xbar_n - 1/2).

The logit depends on the context through (x_n, n xbar_n) only, whose law has 2n points: a sum of
N(N+1) terms in place of 2^N contexts.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from theory.chain.binary import kernel
from theory.chain.running_mean import count_probabilities, require_count
from theory.reduced.loss import softplus
from theory.symbols import a, x, xbar
from theory.transformer.reduced_logit import attention_logit, sign_symbol

__all__ = ["attention_loss", "branch_logit", "firing", "firing_logit", "score"]

firing = sp.Symbol("F", nonnegative=True)
"""1 where the relu is on, e s_n > 0, and 0 where it is off."""


def score() -> sp.Expr:
    """s_n = (x_n - 1/2) + a (xbar_n - 1/2), what the relu's argument is proportional to."""
    return x - sp.S.Half + a * (xbar - sp.S.Half)


@cache
def firing_logit() -> sp.Expr:
    """The logit with the indicator F in place of the relu, the same for both signs of e.

    >>> from theory.symbols import b, e, tau, w
    >>> sp.expand(firing_logit() - b - e**2 * score() * (1 + 4 * tau * w**2 * firing))
    0
    """
    found = {
        sp.expand(attention_logit(e_sign).replace(sp.Max, lambda *terms: firing * sum(terms)))
        for e_sign in (1, -1)
    }
    (logit,) = found
    return logit


@cache
def branch_logit(e_sign: int = 1) -> sp.Expr:
    """The logit on one branch of e, as b + e^2 times a piecewise linear function of s_n.

    It is e^2 (s + 4 tau w^2 max(s, 0)) + b for e > 0, e^2 (s + 4 tau w^2 min(s, 0)) + b for e < 0.

    Arguments: `e_sign`, 1 or -1. Raises ValueError for another sign.

    >>> from theory.symbols import b
    >>> branch_logit(1).subs({x: 1, a: 0, b: 0})
    2*e**2*tau*w**2 + e**2/2
    """
    sign_symbol(e_sign)
    on = firing_logit().coeff(firing)
    slope = sp.factor(on / score())
    return firing_logit().subs(firing, 0) + e_sign * (slope * sp.Max(0, e_sign * score()))


@cache
def attention_loss(N: int, e_sign: int = 1) -> sp.Expr:
    """The loss over N tokens on one branch of e, in e, w, tau, a, b, p and q, in nats.

    Arguments: `N`, an integer >= 1 (the expression has N(N+1) terms); `e_sign`, 1 or -1.
    Raises ValueError for another N or sign.

    >>> from theory.reduced.loss import reduced_loss
    >>> from theory.symbols import b, e, p, q, w
    >>> point = {a: 0, e: 1, w: 0, b: 0, p: sp.Rational(1, 2), q: sp.Rational(4, 5)}
    >>> abs((attention_loss(2) - reduced_loss()).subs(point).evalf()) < 1e-15
    True
    """
    require_count("N", N)
    total = sp.S.Zero
    for n in range(1, N + 1):
        for (token, ones), weight in count_probabilities(n).items():
            logit = branch_logit(e_sign).subs({x: token, xbar: sp.Rational(ones, n)})
            total += weight * (softplus(logit) - kernel()[token, 1] * logit)
    return total / N
