"""The bigram Hessian of the attention-reduced model as exact rationals, context by context."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy as sp

from tests.twins.attended_chain import CHAINS, contexts, exact
from tests.twins.weights import probability
from theory.attention.bigram_set import (
    attention_bigram_hessian,
    attention_stiffness,
    mean_m,
    mean_m2,
    moments,
    same_token_gaps,
)
from theory.attention.unigram_set import kappa
from theory.symbols import a, e, p, q, tau, w

HALF = Fraction(1, 2)
AT_E, AT_W = Fraction(4, 3), Fraction(-5, 6)
BRANCHES = (1, -1)


def rates(chain: tuple[Fraction, Fraction]) -> dict[sp.Symbol, sp.Rational]:
    return dict(zip((p, q), map(exact, chain), strict=True))


def gauss_newton(chain: tuple[Fraction, Fraction], N: int, e_sign: int) -> sp.Matrix:
    """mean_n E[r(1-r) g g^T] with g the gradient of e^2 s (1 + 4 w|w| F) + b at a = 0."""
    total = sp.zeros(4, 4)
    at_e = e_sign * AT_E
    r = (chain[0], 1 - chain[1])
    for n in range(1, N + 1):
        for c in contexts(n):
            t, m = c[-1] - HALF, Fraction(sum(c), n) - HALF
            on = int(at_e * t > 0)
            K = 1 + 4 * AT_W * abs(AT_W) * on
            g = sp.Matrix([2 * at_e * t * K, 8 * abs(AT_W) * at_e**2 * t * on, at_e**2 * m * K, 1])
            weight = Fraction(probability(c, *chain)) * r[c[-1]] * (1 - r[c[-1]]) / N
            total += exact(weight) * g * g.T
    return total


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("e_sign", BRANCHES)
@pytest.mark.parametrize("N", [1, 2, 3])
def test_the_hessian_is_a_mean_over_contexts(
    chain: tuple[Fraction, Fraction], e_sign: int, N: int
) -> None:
    means = {symbol: value.subs(rates(chain)) for symbol, value in moments(N).items()}
    values = {**rates(chain), e: exact(e_sign * AT_E), w: exact(AT_W), tau: -1, **means}
    expected = gauss_newton(chain, N, e_sign)
    assert attention_bigram_hessian(e_sign).subs(values) == expected
    assert attention_bigram_hessian(-e_sign).subs(values) != expected
    # what e, w and b leave of the entry of a: they share a null line, so b and w do for them
    block, column = expected.extract([1, 3], [1, 3]), expected.extract([1, 3], [2])
    left = expected[2, 2] - (column.T * block.inv() * column)[0]
    assert attention_stiffness(e_sign).subs(values) == left
    assert (left > 0) == (N > 1)


@pytest.mark.parametrize("N", [1, 2, 3])
def test_the_moments_are_means_over_positions_and_contexts(N: int) -> None:
    chain = CHAINS[0]
    for token in (0, 1):
        total = [Fraction(0), Fraction(0)]
        for n in range(1, N + 1):
            chosen = {c: Fraction(probability(c, *chain)) for c in contexts(n) if c[-1] == token}
            for power in (1, 2):
                terms = (
                    weight * (Fraction(sum(c), n) - HALF) ** power for c, weight in chosen.items()
                )
                total[power - 1] += sum(terms, Fraction(0)) / sum(chosen.values()) / N
        found = [moments(N)[symbol[token]].subs(rates(chain)) for symbol in (mean_m, mean_m2)]
        assert found == [exact(value) for value in total]
        assert found[0] != found[1]


def test_a_square_of_the_sign_of_w_is_one() -> None:
    """The entries hold the sign at most once, for rank and signs are read off them."""
    for e_sign in BRANCHES:
        degrees = {sp.degree(sp.expand(entry), tau) for entry in attention_bigram_hessian(e_sign)}
        assert max(degrees) == 1


@pytest.mark.parametrize("strong", [False, True])
@pytest.mark.parametrize("e_sign", BRANCHES)
def test_the_gaps_are_differences_of_scores_times_the_gain(e_sign: int, strong: bool) -> None:
    at_a = Fraction(-9, 4) if strong else Fraction(2, 5)

    def over_e2(context: tuple[int, ...]) -> Fraction:
        s = context[-1] - HALF + at_a * (Fraction(sum(context), len(context)) - HALF)
        return s * (1 + 4 * AT_W * abs(AT_W) * (e_sign * s > 0))

    pairs = (((0,), (1, 0)), ((1,), (0, 1)), ((1,), (0,)))
    expected = [exact(over_e2(one) - over_e2(other)) for one, other in pairs]
    values = {w: exact(AT_W), tau: -1, a: exact(at_a)}
    found = [gap.subs(values) for gap in same_token_gaps(e_sign, strong=strong)]
    assert found == expected
    swapped = [gap.subs(values) for gap in same_token_gaps(e_sign, strong=not strong)]
    assert swapped != expected


def test_unless_told_otherwise_e_is_positive_and_attention_is_not_strong() -> None:
    assert same_token_gaps() == same_token_gaps(1, strong=False) != same_token_gaps(1, strong=True)
    assert attention_bigram_hessian() == attention_bigram_hessian(1)
    assert attention_stiffness() == attention_stiffness(1) != attention_stiffness(-1)


def test_means_are_real_and_means_of_squares_positive() -> None:
    assert all(symbol.is_real for symbol in mean_m)
    assert all(symbol.is_positive for symbol in mean_m2)
    assert kappa.is_positive
