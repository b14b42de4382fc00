"""The unigram set of the attention-reduced model (e, w, a, b), and the loss's curvature there.

The set is e = 0, b = ln(p/q), w and a free. With logit_n = e^2 g_n + b the derivative in e^2 is
-lambda mean_n Cov(x_n, g_n), so the loss has a second-order expansion

    L = H_u + h e^2/2 + c (b - ln(p/q))^2/2 + ...,    c = pi0 pi1,
    h = -2 lambda mean_n Cov(x_n, g_n).

Kinks of g_n in a are multiplied by e^2. But g_n = s_n + 4 w|w| max(s_n, 0) for e > 0 and
s_n + 4 w|w| min(s_n, 0) for e < 0, and the two differ by 4 w|w| |s_n|: h has two one-sided values,
equal where w = 0, a = 0, N = 1, p = q or p+q = 1 (for |a| <= 1, there alone). Without attention
(a = 0) the loss is twice differentiable at e = 0; with it, it is not.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from theory.attention.loss import branch_logit, firing, firing_logit
from theory.chain.binary import second_eigenvalue, stationary_law
from theory.chain.running_mean import count_probabilities, require_count
from theory.reduced.critical_points import unigram_hessian
from theory.symbols import a, e, tau, w, x, xbar
from theory.transformer.reduced_logit import sign_symbol

__all__ = [
    "attention_unigram_hessian",
    "curvature_jump",
    "degenerate_level",
    "fires",
    "kappa",
    "neutral_strength",
    "unigram_curvature",
    "unigram_curvature_of",
]

kappa = sp.Symbol("kappa", positive=True)
"""The mean over n = 1..N of kappa_n, in (0, 1]; 1 at N = 1 alone."""


def fires(token: int, e_sign: int) -> int:
    """F where s_n has the sign of x_n - 1/2, as it has for all contexts if |a| <= 1."""
    return int(e_sign == 2 * token - 1)


@cache
def unigram_curvature(e_sign: int = 1) -> sp.Expr:
    """The curvature h of the loss in e at the unigram set, from the side of `e_sign`; |a| <= 1.

    Then s_n has the sign of x_n - 1/2 and g_n is linear in m_n given x_n. With Cov(x_n, g_n) =
    c (E[g_n | 1] - E[g_n | 0]) and the conditional means of m_n,

        h = 2c(p+q-1) {1 + a kappa + 2 w|w| [1 + a - 2 a pi_x (1 - kappa)]},

    x = 0 for e > 0 and x = 1 for e < 0. At p = q it is 2c(p+q-1)(1 + a kappa)(1 + 2 w|w|); at
    w = 0 it holds for every a (`unigram_curvature_of`).

    Arguments: `e_sign`, 1 or -1. Raises ValueError for another sign.
    Source: this project.

    >>> sp.factor(unigram_curvature(1).subs({a: 0}))
    2*p*q*(2*tau*w**2 + 1)*(p + q - 1)/(p + q)**2
    """
    sign_symbol(e_sign)
    pi0, pi1 = stationary_law()
    expected = []
    for token in (0, 1):
        form = firing_logit().subs({x: token, firing: fires(token, e_sign)}).coeff(e, 2)
        mean = pi1 - sp.S.Half + kappa * (token - pi1)
        expected.append(sp.expand(form).subs(xbar, sp.S.Half + mean))
    return sp.factor(-2 * second_eigenvalue() * pi0 * pi1 * (expected[1] - expected[0]))


@cache
def unigram_curvature_of(N: int, e_sign: int = 1) -> sp.Expr:
    """The same h for a given N and every a, as an expression with maxima in a.

    It is -2 lambda (1/N) sum_n Cov(x_n, g_n), summed over the law of (x_n, xbar_n).

    Arguments: `N`, an integer >= 1; `e_sign`, 1 or -1. Raises ValueError for another N or sign.

    >>> sp.factor(unigram_curvature_of(1).subs(tau, 0))
    2*p*q*(a + 1)*(p + q - 1)/(p + q)**2
    """
    require_count("N", N)
    form = branch_logit(e_sign).coeff(e, 2)
    pi1, total = stationary_law()[1], sp.S.Zero
    for n in range(1, N + 1):
        for (token, ones), weight in count_probabilities(n).items():
            value = form.subs({x: token, xbar: sp.Rational(ones, n)})
            total += weight * (token - pi1) * value
    return -2 * second_eigenvalue() * total / N


@cache
def attention_unigram_hessian(e_sign: int = 1) -> sp.ImmutableMatrix:
    """diag(h, 0, 0, c) in (e, w, a, b) at e = 0, b = ln(p/q), |a| <= 1, one-sided in e.

    >>> attention_unigram_hessian(1).shape
    (4, 4)
    """
    c = unigram_hessian(e_sign)[2, 2]
    return sp.ImmutableMatrix(sp.diag(unigram_curvature(e_sign), 0, 0, c))


def curvature_jump() -> sp.Expr:
    """h at e > 0 less h at e < 0: 8 c lambda w|w| a (1 - kappa)(pi0 - pi1), |a| <= 1.

    >>> curvature_jump().subs(tau, 0), curvature_jump().subs(a, 0), curvature_jump().subs(kappa, 1)
    (0, 0, 0)
    """
    return sp.factor(unigram_curvature(1) - unigram_curvature(-1))


def neutral_strength() -> sp.Expr:
    """a* = -1/kappa <= -1, where attention alone (w = 0) turns the sign of h.

    Without attention the sign at w = 0 is that of p+q-1, and with a > a* it still is.

    >>> neutral_strength()
    -1/kappa
    """
    (strength,) = sp.solve(unigram_curvature(1).subs(w, 0), a)
    return strength


@cache
def degenerate_level(e_sign: int = 1) -> sp.Expr:
    """The value of w|w| at which h = 0 from one side, |a| <= 1; -1/2 where a = 0 or p = q.

    It is -(1 + a kappa) / (2 [1 + a - 2 a pi_x (1 - kappa)]), x = 0 for e > 0 and 1 for e < 0. For
    |a| < 1 the bracket and 1 + a kappa are positive: h has the sign of (p+q-1)(w|w| - level), and
    attention moves the line w = -1/sqrt2 differently on the two sides of e = 0. Between the two
    the loss curves up on one side and down on the other.

    >>> degenerate_level(1).subs(a, 0)
    -1/2
    """
    level = sp.Symbol("W")
    (solution,) = sp.solve(unigram_curvature(e_sign).subs(tau, level / w**2), level)
    return sp.factor(solution)
