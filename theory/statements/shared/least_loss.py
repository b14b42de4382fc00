"""Steps that several proofs share: the least loss l(s) at a gap s, and where it rises and falls.

With f(0) = `level` and f(1) = `level` + s, balance = dL/df(0) = rho0 + rho1 vanishes at one level
for each gap, the best one. There l'(s) = rho1 and l''(s) > 0, so that l' has the sign of s - s*.
The level stays a symbol in these steps, with the balance as its condition: the square root of
`theory.reduced.loss.best_logit` is not needed.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from theory.chain.binary import entropy_rate, stationary_law, unigram_entropy
from theory.proving.domain import DEEP, EVERYWHERE, SHALLOW, UPWARD, Domain
from theory.proving.steps import Identity, Sign, Step
from theory.reduced.critical_points import bigram_set, unigram_set
from theory.reduced.flow import balanced_residuals, curvature, gap, level, slope
from theory.reduced.loss import population_loss, reduced_loss
from theory.symbols import b, e, p, q, s, tau, w
from theory.transformer.forward import reduced_logit

__all__ = [
    "BRANCHES",
    "HALVES",
    "balance",
    "bigram_gap",
    "bigram_gap_step",
    "gap_sign_steps",
    "half",
    "least_loss_steps",
    "slope_sign_steps",
    "unigram_gap_steps",
]

BRANCHES = ((1, "e > 0"), (-1, "e < 0"))
"""Signs of e, in numbers and in words."""

HALVES = ((1, "w >= 0"), (-1, "w <= 0"))
"""Values of tau, and the half of the axis where each serves."""


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
        Identity(
            "so along rho0 + rho1 = 0, where df0/ds = -h1/(h0 + h1), l'' = h1 + h1 df0/ds",
            one - one**2 / (zero + one),
            1 / (1 / zero + 1 / one),
        ),
        Identity("l''(s) = 1/(1/h0 + 1/h1)", curvature(), 1 / (1 / h0 + 1 / h1)),
        Sign("l''(s) > 0", curvature(), "positive"),
        Identity(
            "at s = s* the logits of the kernel are the best, and l'(s*) = 0: l' has the sign of "
            "s - s*",
            sp.Matrix([balance(), slope()]).subs(kernel),
            sp.zeros(2, 1),
        ),
        Identity("l(s*) = H_b", population_loss(level, level + s).subs(kernel), entropy_rate()),
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
