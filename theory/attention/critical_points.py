"""The unigram and the bigram set of the attention-reduced model (e, w, a, b), and curvatures there.

The unigram set is e = 0, b = ln(p/q), w and a free. With logit_n = e^2 g_n + b the derivative in
e^2 is -lambda mean_n Cov(x_n, g_n), so the loss has a second-order expansion

    L = H_u + h e^2/2 + c (b - ln(p/q))^2/2 + ...,    c = pi0 pi1,
    h = -2 lambda mean_n Cov(x_n, g_n).

Kinks of g_n in a are multiplied by e^2. But g_n = s_n + 4 w|w| max(s_n, 0) for e > 0 and
s_n + 4 w|w| min(s_n, 0) for e < 0, and the two differ by 4 w|w| |s_n|: h has two one-sided values,
equal where w = 0, a = 0, N = 1, p = q or p+q = 1 (for |a| <= 1, there alone). Without attention
(a = 0) the loss is twice differentiable at e = 0; with it, it is not.

The bigram set is that of the model without attention, with a = 0 wherever N >= 2. There f = r, so
the Hessian is the Gauss-Newton sum, in which a context of last token x enters through
m_n = xbar_n - 1/2 alone: `mean_m[x]` and `mean_m2[x]` stand for the means over n = 1..N of
E[m_n | x_n = x] and E[m_n^2 | x_n = x].
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from theory.attention.loss import branch_logit, firing, firing_logit
from theory.chain.binary import (
    conditional_mean,
    conditional_square,
    count_probabilities,
    kernel,
    mean_memory,
    require_count,
    second_eigenvalue,
    stationary_law,
)
from theory.reduced.critical_points import unigram_hessian
from theory.symbols import a, b, e, tau, w, x, xbar
from theory.transformer.forward import sign_symbol

__all__ = [
    "attention_bigram_hessian",
    "attention_stiffness",
    "attention_unigram_hessian",
    "curvature_jump",
    "degenerate_level",
    "fires",
    "kappa",
    "mean_m",
    "mean_m2",
    "moments",
    "neutral_strength",
    "same_token_gaps",
    "unigram_curvature",
    "unigram_curvature_of",
]

kappa = sp.Symbol("kappa", positive=True)
"""The mean over n = 1..N of kappa_n, in (0, 1]; 1 at N = 1 alone."""

mean_m = sp.symbols("mu0 mu1", real=True)
"""mean_n E[xbar_n - 1/2 | x_n = x] for x = 0, 1."""

mean_m2 = sp.symbols("nu0 nu1", positive=True)
"""mean_n E[(xbar_n - 1/2)^2 | x_n = x] for x = 0, 1."""


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


@cache
def moments(N: int) -> dict[sp.Symbol, sp.Expr]:
    """The values of `kappa`, `mean_m` and `mean_m2` at N tokens, in p and q.

    Arguments: `N`, an integer >= 1. Raises ValueError for another.

    >>> moments(1)[kappa], sp.simplify(moments(1)[mean_m[0]]), sp.simplify(moments(1)[mean_m2[1]])
    (1, -1/2, 1/4)
    """
    found = {kappa: mean_memory(N)}
    for token in (0, 1):
        for symbols, moment in ((mean_m, conditional_mean), (mean_m2, conditional_square)):
            terms = [moment(token, n) for n in range(1, N + 1)]
            found[symbols[token]] = sum(terms, sp.S.Zero) / N
    return found


@cache
def same_token_gaps(e_sign: int = 1, *, strong: bool = False) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """Logit differences over e^2, which a bigram point must bring to 0, 0 and not 0.

    The first two are between contexts that end in the same token x = 0, 1: (x) less (1-x, x). The
    third is between the contexts (1) and (0). For a >= -1 (`strong` False) s_n has the sign of
    x_n - 1/2 there, and one of the first two is plus or minus a/2: a = 0. For a < -1 (`strong`
    True) s_1 has the other sign; with K = 1 + 4 w|w| the first two give K = 1 + a and K (1 + a) =
    1, hence K = 1 + a = -1, and the third is 0: no bigram point unless p+q = 1.

    Arguments: `e_sign`, 1 or -1; `strong`, whether a < -1. Raises ValueError for another sign.

    >>> same_token_gaps(1)[0], same_token_gaps(-1)[1]
    (-a/2, a/2)
    """
    sign_symbol(e_sign)

    def form(token: int, mean: sp.Expr, on: int) -> sp.Expr:
        chosen = {x: token, xbar: mean, firing: on}
        return sp.expand(firing_logit().subs(chosen)).coeff(e, 2)

    alone = [form(t, sp.Integer(t), fires(1 - t if strong else t, e_sign)) for t in (0, 1)]
    second = [form(t, sp.S.Half, fires(t, e_sign)) for t in (0, 1)]
    first, last = (sp.factor(alone[t] - second[t]) for t in (0, 1))
    return first, last, sp.factor(alone[1] - alone[0])


def logit_moments(e_sign: int) -> tuple[sp.Matrix, sp.Matrix]:
    """E[grad logit_n grad logit_n^T | x_n = x] over positions at a = 0, for x = 0 and 1."""
    found = []
    m = sp.Symbol("m")
    for token in (0, 1):
        logit = firing_logit().subs({x: token, firing: fires(token, e_sign)})
        rise = sp.Matrix([sp.diff(logit, v) for v in (e, w, a, b)])
        rise = rise.subs({a: 0, xbar: sp.S.Half + m}).applyfunc(sp.factor)
        product = (rise * rise.T).applyfunc(sp.expand)
        averaged = product.subs(m**2, mean_m2[token]).subs(m, mean_m[token])
        found.append(averaged.applyfunc(sp.factor))
    return found[0], found[1]


@cache
def attention_bigram_hessian(e_sign: int = 1) -> sp.ImmutableMatrix:
    """The Hessian in (e, w, a, b) at the bigram set, of rank 3 for N >= 2 and 2 for N = 1.

    It is A M_0 + B M_1 with A = pi0 p(1-p), B = pi1 q(1-q), M_x = E[g_x g_x^T] over positions. For
    e > 0, with K = 1 + 4 w|w|,

        g_0 = (-e, 0, e^2 m, 1),   g_1 = (e K, 4 |w| e^2, e^2 K m, 1),

    for e < 0 g_0 = (-e K, -4 |w| e^2, e^2 K m, 1) and g_1 = (e, 0, e^2 m, 1). Without the row and
    column of a it is `theory.reduced.critical_points.bigram_hessian`. In `mean_m`, `mean_m2`: see
    `moments`. Raises ValueError for a sign that is neither 1 nor -1.
    Source: this project.

    >>> attention_bigram_hessian(1).subs(e, 0)[:3, :3] == sp.zeros(3, 3)
    True
    """
    sign_symbol(e_sign)
    H = sp.zeros(4, 4)
    for token, moment in enumerate(logit_moments(e_sign)):
        H += stationary_law()[token] * kernel()[token, 0] * kernel()[token, 1] * moment
    # tau is a sign
    return sp.ImmutableMatrix(
        H.applyfunc(lambda entry: sp.factor(sp.expand(entry).subs(tau**2, 1)))
    )


@cache
def attention_stiffness(e_sign: int = 1) -> sp.Expr:
    """The Schur complement of the (e, w, b) block in the bigram Hessian, in closed form.

        e^4 [A K_0^2 V_0 + B K_1^2 V_1],   V_x = mean_m2[x] - mean_m[x]^2,

    with K_x = 1 + 4 w|w| where the relu is on and 1 elsewhere: the part of H_aa that e, w and b
    cannot imitate is the variance of m_n, over positions and contexts, given the last token. It is
    positive for N >= 2, since V_x > 0 and one of the K_x is 1; 0 for N = 1. So attention adds one
    positive eigenvalue, adds no zero and lifts none.

    >>> sp.simplify(attention_stiffness(1).subs(moments(1)))
    0
    """
    sign_symbol(e_sign)
    total = sp.S.Zero
    for token in (0, 1):
        gain = firing_logit().subs(firing, fires(token, e_sign)).coeff(e, 2).coeff(a).coeff(xbar)
        spread = mean_m2[token] - mean_m[token] ** 2
        weight = stationary_law()[token] * kernel()[token, 0] * kernel()[token, 1]
        total += weight * (e**2 * gain) ** 2 * spread
    return total
