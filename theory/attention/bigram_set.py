"""The bigram set of the attention-reduced model (e, w, a, b), and the loss's Hessian there.

It is that of the model without attention, with a = 0 wherever N >= 2. There f = r, so the Hessian
is the Gauss-Newton sum, in which a context of last token x enters through m_n = xbar_n - 1/2 alone:
`mean_m[x]` and `mean_m2[x]` stand for the means over n = 1..N of E[m_n | x_n = x] and
E[m_n^2 | x_n = x].
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from theory.attention.loss import firing, firing_logit
from theory.attention.unigram_set import fires, kappa
from theory.chain.binary import kernel, stationary_law
from theory.chain.running_mean import conditional_mean, conditional_square, mean_memory
from theory.symbols import a, b, e, tau, w, x, xbar
from theory.transformer.reduced_logit import sign_symbol

__all__ = [
    "attention_bigram_hessian",
    "attention_stiffness",
    "mean_m",
    "mean_m2",
    "moments",
    "same_token_gaps",
]

mean_m = sp.symbols("mu0 mu1", real=True)
"""mean_n E[xbar_n - 1/2 | x_n = x] for x = 0, 1."""

mean_m2 = sp.symbols("nu0 nu1", positive=True)
"""mean_n E[(xbar_n - 1/2)^2 | x_n = x] for x = 0, 1."""


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
