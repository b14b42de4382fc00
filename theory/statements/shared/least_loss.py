"""Steps that several proofs share: the least loss l(s) at a gap s, and where it rises and falls.

With f(0) = `level` and f(1) = `level` + s, balance = dL/df(0) = rho0 + rho1 vanishes at one level
for each gap, the best one. There l'(s) = rho1 and l''(s) > 0, so that l' has the sign of s - s*.
The level stays a symbol where that is enough, with the balance as its condition. That there is
one, how it moves with the gap, and how far it and the best bias are from ln(p/q), is found from the
closed form `theory.reduced.loss.best_logit`.
"""

from functools import cache

import sympy as sp

from theory.chain.binary import entropy_rate, stationary_law, unigram_entropy
from theory.proving.domain import DEEP, EVERYWHERE, SHALLOW, UPWARD, Domain
from theory.proving.steps import Identity, Lemma, Sign, Step
from theory.proving.theorem import Hypothesis
from theory.reduced.critical_points import bigram_set, unigram_set
from theory.reduced.flow import balanced_residuals, curvature, gap, level, slope
from theory.reduced.loss import best_bias, best_logit, population_loss, reduced_loss
from theory.symbols import b, e, p, q, s, tau, w
from theory.transformer.forward import reduced_logit

BRANCHES = ((1, "e > 0"), (-1, "e < 0"))
"""Signs of e, in numbers and in words."""

HALVES = ((1, "w >= 0"), (-1, "w <= 0"))
"""Values of tau, and the half of the axis where each serves."""


REDUCED = Hypothesis(
    "the reduced model is that of the rank-one ansatz in the transformer, with s = e^2 (1 + "
    "2w|w|): f(0) = b - e^2/2 and f(1) = f(0) + s for e >= 0, f(1) = b + e^2/2 and f(0) = f(1) - s "
    "for e <= 0, loss sum_x pi_x [ln(1 + exp f(x)) - r(x) f(x)] with r(0) = p, r(1) = 1 - q "
    "(landscape.ReducedModel continues the first pair to e < 0, and is another function there)"
)
"""The reduced model at either sign of e, said once; a theorem that is about both assumes it."""

RISES = Lemma(
    "a function rises where its derivative is positive and falls where it is negative",
    "the mean value theorem",
    "Rudin, Principles of Mathematical Analysis, Theorem 5.11",
)


def root() -> sp.Expr:
    """The square root in the best level at a gap s."""
    return sp.sqrt((p - q) ** 2 + 4 * p * q * sp.exp(s))


def bracket() -> sp.Expr:
    """exp(f(0)) at the best bias and a gap s, written by hand."""
    return (p - q + root()) / (2 * q * sp.exp(s))


def factored_roots(expression: sp.Expr) -> sp.Expr:
    """The same with what is under each square root factored, and a square taken out of it."""
    return expression.replace(
        lambda part: part.is_Pow and part.exp == sp.S.Half,
        lambda part: sp.sqrt(sp.factor(part.base)),
    )


def bracket_steps() -> tuple[Step, ...]:
    """The bracket is positive, so that it has a logarithm."""
    return (
        Identity(
            "of root + (p-q) and root - (p-q) with root = sqrt((p-q)^2 + 4pq e^s) the product is "
            "4pq e^s",
            (root() + (p - q)) * (root() - (p - q)),
            4 * p * q * sp.exp(s),
        ),
        Sign("which is positive: they have the same sign", 4 * p * q * sp.exp(s), "positive"),
        Sign("and so has their sum: both are positive", 2 * root(), "positive"),
    )


def best_level_steps() -> tuple[Step, ...]:
    """There is a best f(0) at every gap, and |b* - ln(p/q)| <= e^2/2 + |s|."""
    shifts = []
    for sign, words in BRANCHES:
        state, kept = (0, level) if sign > 0 else (1, level + s)
        shift = b - reduced_logit(sign)[state]
        best = kept.subs(level, best_logit()).subs(s, gap(sign)) + shift
        away = "f(0) + e^2/2" if sign > 0 else "f(1) - e^2/2"
        shifts.append(
            Identity(
                f"{words}: b* = {away}, so |b* - ln(p/q)| <= e^2/2 + |s|: it exists, is continuous "
                "in e and w, and tends to ln(p/q) with e -> 0",
                best_bias(sign),
                best,
            )
        )
    return (
        *bracket_steps(),
        Identity(
            "so f0 = ln[(p - q + root)/(2q e^s)] is a number, and a smooth function of s",
            best_logit(),
            sp.log(bracket()),
        ),
        Identity(
            "at which dL/df0 = 0, at every gap: there is a best f0, and a best bias",
            sp.diff(population_loss(level, level + s), level).subs(level, best_logit()),
            sp.S.Zero,
        ),
        Identity(
            "it moves with the gap as df0/ds = -(root + p - q)/(2 root), and f1 = f0 + s as "
            "(root - (p-q))/(2 root): as both are positive, -1 < df0/ds < 0 < df1/ds < 1",
            sp.Matrix([sp.diff(best_logit(), s), sp.diff(best_logit() + s, s)]),
            sp.Matrix([-(root() + p - q), root() - (p - q)]) / (2 * root()),
        ),
        Identity(
            "at s = 0 the root is p + q and f0 = ln(p/q)",
            factored_roots(best_logit().subs(s, 0)),
            sp.log(p / q),
        ),
        Lemma(
            "so |f0 - ln(p/q)| <= |s| and |f1 - ln(p/q)| <= |s|",
            "the mean value theorem",
            "Rudin, Principles of Mathematical Analysis, Theorem 5.10",
        ),
        *shifts,
    )


def half(w_sign: int) -> Domain:
    """All p and q, with tau = `w_sign`."""
    return {**EVERYWHERE, tau: sp.Integer(w_sign)}


def balance() -> sp.Expr:
    """dL/df(0) at a fixed gap: rho0 + rho1, in `level` and s."""
    return balanced_residuals()[0] + slope()


@cache
def bigram_gap() -> sp.Expr:
    """s* = ln[(1-p)(1-q)/(pq)], the gap between the logits of the kernel, in nats.

    >>> bigram_gap()
    log((1 - p)*(1 - q)/(p*q))
    """
    zero, one = bigram_set().logits
    return sp.log(sp.exp(one) / sp.exp(zero))


def least_loss_steps() -> tuple[Step, ...]:
    """L(e, w, b) depends on e and w through the gap, and is least at one bias: L >= l(s)."""
    least = population_loss(level, level + s)
    reduced = []
    for sign, words in BRANCHES:
        zero, _ = reduced_logit(sign)
        bias = level - zero.subs(b, 0)
        reduced.append(
            Identity(
                f"{words}: with b such that f(0) = f0 the loss is that of f0 and the gap alone",
                reduced_loss(sign).subs(b, bias),
                least.subs(s, gap(sign)),
            )
        )
    return (
        *reduced,
        Identity("at a gap s, dL/df0 = rho0 + rho1", sp.diff(least, level), balance()),
        Sign(
            "it increases with f0, so it vanishes at one f0 at most, where L is least: L >= l(s)",
            sp.diff(balance(), level),
            "positive",
        ),
        *best_level_steps(),
    )


def bigram_gap_step() -> Step:
    """The sign of s*."""
    return Identity(
        "s* = ln[1 + (1-p-q)/(pq)] has the sign of 1-p-q",
        sp.exp(bigram_gap()),
        1 + (1 - p - q) / (p * q),
    )


def slope_sign_steps() -> tuple[Step, ...]:
    """The derivative l'(s) increases and vanishes at s*: it has the sign of s - s*."""
    h0, h1 = (
        chance * sp.exp(logit) / (1 + sp.exp(logit)) ** 2
        for chance, logit in zip(stationary_law(), (level, level + s), strict=True)
    )
    zero, one = sp.symbols("h0 h1", positive=True)
    kernel = {level: bigram_set().logits[0], s: bigram_gap()}
    return (
        Identity(
            "l'(s) = rho1, since dL/df0 = 0 at the best f0",
            sp.diff(population_loss(level, level + s), s),
            slope(),
        ),
        Identity(
            "with h_x = pi_x e^f(x)/(1 + e^f(x))^2 the derivatives of rho1 in s and in f0, and "
            "those of rho0 + rho1, are h1, h1, h1 and h0 + h1",
            sp.Matrix([sp.diff(part, z) for part in (slope(), balance()) for z in (s, level)]),
            sp.Matrix([h1, h1, h1, h0 + h1]),
        ),
        Lemma(
            "so f0 moves along rho0 + rho1 = 0, whose derivative in f0 is not 0, by df0/ds = "
            "-h1/(h0 + h1)",
            "the implicit function theorem",
            "Rudin, Principles of Mathematical Analysis, Theorem 9.28",
        ),
        Identity("and l'' = h1 + h1 df0/ds", one - one**2 / (zero + one), 1 / (1 / zero + 1 / one)),
        Identity("l''(s) = 1/(1/h0 + 1/h1)", curvature(), 1 / (1 / h0 + 1 / h1)),
        Sign("l''(s) > 0", curvature(), "positive"),
        Identity(
            "at s = s* the logits of the kernel are the best, and l'(s*) = 0: l' has the sign of "
            "s - s*",
            sp.Matrix([balance(), slope()]).subs(kernel),
            sp.zeros(2, 1),
        ),
        Identity("l(s*) = H_b", population_loss(level, level + s).subs(kernel), entropy_rate()),
        RISES,
        bigram_gap_step(),
    )


def unigram_gap_steps() -> tuple[Step, ...]:
    """At the gap 0 the least loss is H_u, and its slope has the sign of p+q-1."""
    pi0, pi1 = stationary_law()
    point = {level: unigram_set().b, s: sp.S.Zero}
    return (
        Identity(
            "at s = 0 the logits ln(p/q) are the best, and l'(0) = pi0 pi1 (p+q-1)",
            sp.Matrix([balance(), slope()]).subs(point),
            sp.Matrix([0, pi0 * pi1 * (p + q - 1)]),
        ),
        Identity("l(0) = H_u", population_loss(level, level + s).subs(point), unigram_entropy()),
    )


def gap_sign_steps() -> tuple[Step, ...]:
    """The gap s = e^2 (1 + 2w|w|) has the sign of w + 1/sqrt2 wherever e != 0."""
    factor = 1 + 2 * tau * w**2
    turn = {**EVERYWHERE, w: -1 / sp.sqrt(2), tau: sp.S.NegativeOne}
    return (
        Identity(
            "on both branches of e the gap is s = e^2 (1 + 2w|w|)",
            sp.Matrix([one - zero for zero, one in map(reduced_logit, (1, -1))]),
            e**2 * factor * sp.ones(2, 1),
        ),
        Sign("1 + 2w|w| > 0 for w > 0", factor, "positive", UPWARD),
        Identity("1 + 2w|w| = 1 at w = 0", factor, sp.S.One, {**EVERYWHERE, w: sp.S.Zero}),
        Sign("1 + 2w|w| > 0 for -1/sqrt2 < w < 0", factor, "positive", SHALLOW),
        Identity("1 + 2w|w| = 0 at w = -1/sqrt2", factor, sp.S.Zero, turn),
        Sign("1 + 2w|w| < 0 for w < -1/sqrt2", factor, "negative", DEEP),
    )
