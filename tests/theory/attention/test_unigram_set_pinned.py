"""Curvatures of the attention-reduced model as exact rationals, over all contexts."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy as sp

from tests.twins.attended_chain import CHAINS, contexts, exact
from tests.twins.weights import probability
from theory.attention.unigram_set import (
    attention_unigram_hessian,
    curvature_jump,
    degenerate_level,
    fires,
    kappa,
    neutral_strength,
    unigram_curvature,
    unigram_curvature_of,
)
from theory.symbols import a, p, q, tau, w

HALF = Fraction(1, 2)
AT_W = Fraction(-2, 3)
BRANCHES = (1, -1)


def enumerated(chain: tuple[Fraction, Fraction], at_a: Fraction, N: int, e_sign: int) -> Fraction:
    """-2 lambda mean_n Cov(x_n, g_n), g_n = s_n + 4 w|w| times the part of s_n of one sign."""
    up, down = chain
    mean, total = up / (up + down), Fraction(0)
    for n in range(1, N + 1):
        for c in contexts(n):
            s = c[-1] - HALF + at_a * (Fraction(sum(c), n) - HALF)
            part = max(s, Fraction(0)) if e_sign > 0 else min(s, Fraction(0))
            g = s + 4 * AT_W * abs(AT_W) * part
            total += Fraction(probability(c, up, down)) * (c[-1] - mean) * g
    return -2 * (1 - up - down) * total / N


def memory_mean(chain: tuple[Fraction, Fraction], N: int) -> Fraction:
    """The mean over n of (1/n) sum_{k<n} lambda^k."""
    eigenvalue = 1 - sum(chain)
    return (
        sum(
            (sum((eigenvalue**k for k in range(n)), Fraction(0)) / n for n in range(1, N + 1)),
            Fraction(0),
        )
        / N
    )


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("e_sign", BRANCHES)
@pytest.mark.parametrize("N", [1, 2, 3])
def test_curvatures_are_those_of_the_contexts(
    chain: tuple[Fraction, Fraction], e_sign: int, N: int
) -> None:
    values = {p: exact(chain[0])}
    values |= {q: exact(chain[1]), w: exact(AT_W), tau: -1}
    for at_a in (Fraction(3, 4), Fraction(-5, 2)):
        expected = exact(enumerated(chain, at_a, N, e_sign))
        assert unigram_curvature_of(N, e_sign).subs({**values, a: exact(at_a)}) == expected
        closed = {**values, a: exact(at_a), kappa: exact(memory_mean(chain, N))}
        # for |a| > 1 not all scores have the sign of the last token; at N = 1 there is no other
        assert (unigram_curvature(e_sign).subs(closed) == expected) == (abs(at_a) < 1 or N == 1)


@pytest.mark.parametrize("e_sign", BRANCHES)
def test_curvature_and_level_have_the_stated_form(e_sign: int) -> None:
    pi = (q / (p + q), p / (p + q))
    other = pi[0] if e_sign > 0 else pi[1]
    bracket = 1 + a - 2 * a * other * (1 - kappa)
    stated = 2 * pi[0] * pi[1] * (p + q - 1) * (1 + a * kappa + 2 * tau * w**2 * bracket)
    assert sp.factor(unigram_curvature(e_sign) - stated) == 0
    H = attention_unigram_hessian(e_sign)
    assert sp.simplify(H - sp.diag(stated, 0, 0, pi[0] * pi[1])) == sp.zeros(4, 4)
    level = -(1 + a * kappa) / (2 * bracket)
    assert sp.factor(degenerate_level(e_sign) - level) == 0
    assert sp.factor(stated.subs(tau, level / w**2)) == 0


def test_the_relu_fires_where_the_score_has_the_sign_of_e() -> None:
    assert [fires(token, sign) for sign in BRANCHES for token in (0, 1)] == [0, 1, 1, 0]


def test_without_a_sign_the_branch_is_that_of_positive_e() -> None:
    assert unigram_curvature() == unigram_curvature(1) != unigram_curvature(-1)
    assert unigram_curvature_of(2) == unigram_curvature_of(2, 1) != unigram_curvature_of(2, -1)
    assert attention_unigram_hessian() == attention_unigram_hessian(1)
    assert attention_unigram_hessian() != attention_unigram_hessian(-1)
    assert degenerate_level() == degenerate_level(1) != degenerate_level(-1)


def test_jump_and_neutral_strength_are_those_of_the_two_curvatures() -> None:
    jump = unigram_curvature(1) - unigram_curvature(-1)
    assert sp.factor(curvature_jump() - jump) == 0 != sp.factor(curvature_jump() + jump)
    assert sp.factor(unigram_curvature(1).subs({w: 0, a: neutral_strength()})) == 0
    # kappa is positive: attention must be negative to turn the sign
    assert neutral_strength().is_negative
