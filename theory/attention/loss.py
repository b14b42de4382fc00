"""The loss of the attention-reduced model (e, w, a, b) over a context of N tokens, exactly.

    L = (1/N) sum_{n<=N} E[softplus(logit_n) - r(x_n) logit_n],
    logit_n = e^2 s_n + 4 w|w| e relu(e s_n) + b,   s_n = (x_n - 1/2) + a (xbar_n - 1/2).

The logit depends on the context through (x_n, n xbar_n) only, whose law has 2n points: a sum of
N(N+1) terms in place of 2^N contexts. Where the relu's argument e s_n is not 0,

    logit_n = e^2 s_n (1 + 4 w|w| F) + b,   F = [e s_n > 0],

with F locally constant. Derivatives follow from that, and with the residual sigmoid - r

    grad L = (1/N) sum_n E[(sigmoid - r) grad logit_n],
    Hess L = (1/N) sum_n E[sigmoid (1 - sigmoid) grad logit_n grad logit_n^T
                           + (sigmoid - r) Hess logit_n].
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import sympy as sp
from jaxtyping import Float

from theory.chain.binary import count_probabilities, kernel, require_count
from theory.exact import Number, probability
from theory.numeric import function
from theory.reduced.loss import softplus
from theory.symbols import a, b, e, tau, w, x, xbar
from theory.transformer.forward import attention_logit, sign_symbol

__all__ = [
    "AttentionDerivatives",
    "attention_derivatives",
    "attention_loss",
    "branch_logit",
    "firing",
    "firing_logit",
    "score",
]

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


@dataclass(frozen=True)
class AttentionDerivatives:
    """The loss and its derivatives at a point (e, w, a, b).

    Fields: `loss` in nats; `gradient` [4]; `hessian` [4, 4]; `kink`, the smallest |s_n| over the
    contexts that occur. Where it is 0 and e is not, the derivatives are those of the relu off at
    s_n = 0. At e = 0 the kinks are multiplied by e^2 and do no harm, and the derivatives are
    one-sided in e.
    """

    loss: float
    gradient: Float[np.ndarray, "4"]
    hessian: Float[np.ndarray, "4 4"]
    kink: float


def attention_derivatives(
    p: Number, q: Number, point: tuple[float, float, float, float], *, length: int, e_sign: int = 1
) -> AttentionDerivatives:
    """The loss, gradient and Hessian over N tokens, as sums of N(N+1) terms.

    Arguments:
        p, q: probabilities of leaving 0 and 1, in (0, 1).
        point: (e, w, a, b), finite.
        length: N, an integer >= 1; a thousand tokens take about a second.
        e_sign: the branch taken at e = 0, 1 or -1; elsewhere e has its own sign.

    Raises ValueError where an argument is out of range.

    >>> found = attention_derivatives(0.5, 0.8, (0.0, 0.0, 0.0, -0.47000363), length=3)
    >>> found.hessian.diagonal().round(4).tolist()
    [0.142, 0.0, 0.0, 0.2367]
    """
    require_count("length", length)
    sign_symbol(e_sign)
    if not np.isfinite(point).all():
        raise ValueError(f"point = {point} is not finite: give four real numbers (e, w, a, b)")
    up, down = float(probability("p", p)), float(probability("q", q))
    side = np.sign(point[0]) or float(e_sign)
    token = np.array([[0.0], [1.0]])
    target = np.array([[up], [1 - down]])
    loss, gradient, hessian, kink = 0.0, np.zeros(4), np.zeros((4, 4)), np.inf
    for law, mean in counts(up, down, length):
        context = (*point, 1.0 if point[1] >= 0 else -1.0, token, mean)
        # the score comes before the relu: it does not depend on whether that is on
        s = evaluate("score")(*context, np.nan)
        # ending in 0, with fewer ones than tokens; those that end in 1 mirror them
        kink = min(kink, float(np.abs(s[0, :-1]).min()))
        f, rise, bend = (
            evaluate(name)(*context, (side * s > 0).astype(float))
            for name in ("logit", "gradient", "hessian")
        )
        on, off = np.exp(-np.logaddexp(0, -f)), np.exp(-np.logaddexp(0, f))
        # equal to on - target; near 0 its round-off is a share of each term
        residual = law * ((1 - target) * on - target * off)
        rise = rise[..., 0]
        loss += float((law * (np.logaddexp(0, f) - target * f)).sum())
        gradient += np.tensordot(residual, rise, 2)
        hessian += np.tensordot((law * on * off)[..., None] * rise, rise, ((0, 1), (0, 1)))
        hessian += np.tensordot(residual, bend, 2)
    return AttentionDerivatives(loss / length, gradient / length, hessian / length, kink)


def counts(
    up: float, down: float, length: int
) -> Iterator[tuple[Float[np.ndarray, "2 k"], Float[np.ndarray, " k"]]]:
    """The law of (x_n, number of ones), [2, n + 1], and the means xbar_n, for n = 1..N.

    >>> [law.tolist() for law, _ in counts(0.5, 0.5, 2)][1]
    [[0.25, 0.25, 0.0], [0.0, 0.25, 0.25]]
    """
    law = np.array([[down, 0.0], [0.0, up]]) / (up + down)
    for n in range(1, length + 1):
        yield law, np.arange(n + 1.0) / n
        longer = np.zeros((2, n + 2))
        longer[0, :-1] = law[0] * (1 - up) + law[1] * down
        longer[1, 1:] = law[0] * up + law[1] * (1 - down)
        law = longer


@cache
def evaluate(name: str) -> Callable[..., Any]:
    """The score, the logit, or a derivative of it, as a function of arrays."""
    coordinates = (e, w, a, b)
    expressions = {
        "score": score(),
        "logit": firing_logit(),
        "gradient": sp.Matrix([sp.diff(firing_logit(), v) for v in coordinates]),
        "hessian": sp.hessian(firing_logit(), coordinates),
    }
    return function([*coordinates, tau, x, xbar, firing], expressions[name], np)
