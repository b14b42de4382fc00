"""Steps on the bigram set of the reduced model with attention: a = 0, and a Hessian of rank 3.

The Hessian is built from the terms of the loss. A term after a context of last token x is r(1-r)
g g^T there, and g = (h_x, e^2 K_x m) with h_x the slopes in (e, w, b) and m = xbar_n - 1/2; its
mean over contexts and positions is A g0 g0^T + B g1 g1^T, in which m is its mean mu_x, and beside
it S in the entry of a alone, with S the sum of the variances V_x of m. So the rank is 3 where h_0
and h_1 are independent and a variance is positive.
"""

import sympy as sp

from theory.attention.critical_points import (
    attention_bigram_hessian,
    attention_stiffness,
    fires,
    mean_m,
    mean_m2,
    moments,
    same_token_gaps,
)
from theory.attention.loss import firing, firing_logit
from theory.chain.binary import count_probabilities, kernel, stationary_law
from theory.proving.domain import BELOW, EVERYWHERE, UPWARD, Domain, t, y
from theory.proving.steps import Identity, Lemma, Sign, Step
from theory.proving.theorem import Control
from theory.reduced.critical_points import bigram_hessian
from theory.statements.reduced.bigram_spectrum import curvatures, gradients, spread, squares
from theory.statements.shared.least_loss import BRANCHES, HALVES, half
from theory.symbols import a, b, e, p, q, tau, w, x, xbar

_axes = (e, w, a, b)

_m = sp.Symbol("m", real=True)
_variances = sp.symbols("V0 V1", positive=True)
_one, _two, _centre = sp.symbols("m_1 m_2 mu", real=True)
_share, _other = sp.symbols("P_1 P_2", positive=True)
_positions = sp.Symbol("N", integer=True, positive=True)
_lead = sp.Symbol("E", positive=True)


def gain(sign: int, token: int) -> sp.Expr:
    """K_x, written by hand: 1 + 4 w|w| where the hidden units are on, x = 1 for e > 0."""
    return 1 + 4 * tau * w**2 if (sign > 0) == (token == 1) else sp.S.One


def slope(sign: int, token: int, mean: sp.Expr) -> sp.Matrix:
    """g in (e, w, a, b), written by hand, m being `mean`."""
    along_e, along_w, along_b = gradients(sign)[token]
    return sp.Matrix([along_e, along_w, e**2 * gain(sign, token) * mean, along_b])


def stiffness(sign: int) -> sp.Expr:
    """S = e^4 (A K_0^2 V_0 + B K_1^2 V_1), written by hand."""
    weights = zip(curvatures(), _variances, strict=True)
    return e**4 * sum(
        weight * gain(sign, token) ** 2 * variance
        for token, (weight, variance) in enumerate(weights)
    )


def variances() -> Domain:
    """The mean squares of m by its means and variances."""
    return {mean_m2[token]: mean_m[token] ** 2 + _variances[token] for token in (0, 1)}


def term_hessian(sign: int, token: int) -> sp.Matrix:
    """Of softplus(logit) - r logit at a = 0, where the logit is that of the kernel."""
    logit = firing_logit().subs({x: token, xbar: sp.S.Half + _m, firing: fires(token, sign)})
    stay, move = kernel()[token, 0], kernel()[token, 1]
    bias = sp.log(move / stay) - logit.subs({a: 0, b: 0})
    term = sp.log(1 + sp.exp(logit)) - move * logit
    return sp.hessian(term, _axes).subs(a, 0).subs(b, bias)


def mean_hessian(sign: int) -> sp.Matrix:
    """A g0 g0^T + B g1 g1^T with m at its mean, and S in the entry of a."""
    total = sp.zeros(4, 4)
    for token, weight in enumerate(curvatures()):
        g = slope(sign, token, mean_m[token])
        total += weight * g * g.T
    total[2, 2] += stiffness(sign)
    return total


def hessian_steps(sign: int, words: str) -> tuple[Step, ...]:
    """The Hessian on one branch of e, from a term of the loss to its mean."""
    rows = [kernel()[token, 1] for token in (0, 1)]
    kept = [0, 1, 3]
    H = attention_bigram_hessian(sign)
    return (
        *(
            Identity(
                f"{words}: a term after a context that ends in {token} has there the Hessian "
                f"r(1-r) g g^T in (e, w, a, b), g = (h_{token}, e^2 K_{token} m), m = xbar_n - 1/2",
                term_hessian(sign, token),
                rows[token] * (1 - rows[token]) * slope(sign, token, _m) * slope(sign, token, _m).T,
            )
            for token in (0, 1)
        ),
        *(
            step
            for w_sign, side in HALVES
            for step in (
                Identity(
                    f"{words}, {side}: so the mean over contexts and positions is A g0 g0^T + B g1 "
                    "g1^T, m at its mean mu_x, and S = e^4 (A K_0^2 V_0 + B K_1^2 V_1) more in the "
                    "entry of a, V_x the variance of m after x; A = pi0 p(1-p), B = pi1 q(1-q)",
                    H.subs(variances()),
                    mean_hessian(sign),
                    half(w_sign),
                ),
                Identity(
                    f"{words}, {side}: without the row and column of a it is that of the model "
                    "without attention",
                    sp.ImmutableMatrix(H.extract(kept, kept)),
                    bigram_hessian(sign),
                    half(w_sign),
                ),
            )
        ),
        Identity(
            f"{words}: S is the Schur complement of the rest, attention's own stiffness",
            attention_stiffness(sign).subs(variances()),
            stiffness(sign),
        ),
        Sign(
            f"{words}: S > 0 where the variances are positive, as one of the K_x is 1",
            stiffness(sign).subs(e, sign * _lead),
            "positive",
        ),
        *(
            Identity(
                f"{words}, {side}: |h_0|^2 |h_1|^2 - (h_0.h_1)^2 = 4 e^2 [(1 + 2w|w|)^2 + 4 w^2 "
                "e^2 (1 + e^2)]",
                squares(sign)[0] * squares(sign)[1] - squares(sign)[2] ** 2,
                4 * e**2 * spread(),
                half(w_sign),
            )
            for w_sign, side in HALVES
        ),
    )


def variance_steps() -> tuple[Step, ...]:
    """The variance of m after each token is positive for N >= 2: two contexts suffice."""
    pi, two = stationary_law(), count_probabilities(2)
    centre = (_share * _one + _other * _two) / (_share + _other)
    least = _share * _other / (_share + _other)
    leave = (p, q)
    at = {_share: 1 / _positions, _one - _two: sp.S.Half}
    return (
        Identity(
            "two values of m, m_1 with probability P_1 and m_2 with P_2, add at least P_1 P_2 (m_1 "
            "- m_2)^2/(P_1 + P_2) to its variance about any centre mu",
            _share * (_one - _centre) ** 2 + _other * (_two - _centre) ** 2,
            least * (_one - _two) ** 2 + (_share + _other) * (_centre - centre) ** 2,
        ),
        Identity(
            "N >= 2: of the N positions n = 1 has the context x alone, m = x - 1/2, and n = 2 has "
            "1-x, x with m = 0, by the recursion with probability p after x = 0 and q after x = 1",
            sp.Matrix([two[token, 1] / pi[token] for token in (0, 1)]),
            sp.Matrix(leave),
        ),
        *(
            Sign(
                f"so V_{token} > 0 with P_1 = 1/N, P_2 = {'pq'[token]}/N and |m_1 - m_2| = 1/2",
                (least / 4).subs(at).subs(_other, leave[token] / _positions),
                "positive",
            )
            for token in (0, 1)
        ),
        Identity(
            "N = 2: by the closed forms V_0 = p(2-p)/16 and V_1 = q(2-q)/16; N = 1: both are 0, "
            "and the rank is 2",
            sp.Matrix(
                [
                    (mean_m2[token] - mean_m[token] ** 2).subs(moments(N))
                    for N in (2, 1)
                    for token in (0, 1)
                ]
            ),
            sp.Matrix([p * (2 - p) / 16, q * (2 - q) / 16, 0, 0]),
        ),
    )


def bigram_steps() -> tuple[Step, ...]:
    """The bigram set has a = 0, and attention adds one positive eigenvalue."""
    first, last, _ = same_token_gaps(1)
    mirrored_first, mirrored_last, _ = same_token_gaps(-1)
    somewhere: Domain = {**EVERYWHERE, e: t}
    sides: tuple[tuple[str, Domain], ...] = (
        ("w > 0", {w: y, tau: sp.S.One}),
        ("w = 0", {w: sp.S.Zero}),
        ("w < 0", {w: -y, tau: sp.S.NegativeOne}),
    )
    return (
        Identity(
            "a bigram point has equal logits after contexts that end alike, and for a >= -1 those "
            "of 0 and 10 (e > 0), of 1 and 01 (e < 0), differ by e^2 a/2 in size: so a = 0",
            sp.Matrix([first**2, mirrored_last**2]),
            sp.Matrix([a**2 / 4, a**2 / 4]),
        ),
        Identity(
            "at a = 0 they are equal",
            sp.Matrix([first, last, mirrored_first, mirrored_last]).subs(a, 0),
            sp.zeros(4, 1),
        ),
        *(step for sign, words in BRANCHES for step in hessian_steps(sign, words)),
        *variance_steps(),
        *(
            Sign(
                f"{side}, e != 0: (1 + 2w|w|)^2 + 4 w^2 e^2 (1 + e^2) > 0, so h_0 and h_1 are "
                "independent",
                spread(),
                "positive",
                {**somewhere, **where},
            )
            for side, where in sides
        ),
        Lemma(
            "a sum of c_k g_k g_k^T with all c_k > 0 is positive semidefinite, and its rank is the "
            "dimension of the span of the g_k: g0, g1 and the axis of a span three, as h_0 and h_1 "
            "two. So there are three positive eigenvalues, one more than without attention, and "
            "one zero",
            "the rank of G D G^T, D positive definite, is that of G",
            "Horn and Johnson, Matrix Analysis, 0.4.6",
        ),
    )


def bigram_control() -> Control:
    """A false statement on the bigram half."""
    two = dict(zip(_variances, (p * (2 - p) / 16, q * (2 - q) / 16), strict=True))
    weights = zip(curvatures(), _variances, strict=True)
    true = attention_stiffness(1).subs(e, 1).subs(variances())
    return Control(
        "at the bigram set the hidden units do not matter to the stiffness of a: S = e^4 (A V_0 + "
        "B V_1)",
        Identity(
            "S/e^4 = A V_0 + B V_1, N = 2",
            sp.factor(true.subs(two)),
            sp.factor(sum(weight * V for weight, V in weights).subs(two)),
            {**BELOW, **UPWARD},
        ),
    )
