from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial

import pytest
import sympy as sp

from tests.twins.attended_chain import CHAINS, contexts, exact
from tests.twins.weights import probability
from theory.attention.bigram_set import moments
from theory.attention.unigram_set import kappa
from theory.chain.running_mean import (
    conditional_mean,
    conditional_square,
    count_probabilities,
    mean_memory,
    memory,
)
from theory.symbols import length, p, q


@pytest.mark.parametrize("chain", [*CHAINS, (Fraction(1, 3), Fraction(2, 3))])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_law_of_count_and_last_token_is_that_of_the_contexts(
    chain: tuple[Fraction, Fraction], n: int
) -> None:
    counted: dict[tuple[int, int], Fraction] = {}
    for c in contexts(n):
        state = (c[-1], sum(c))
        counted[state] = counted.get(state, Fraction(0)) + probability(c, *chain)
    values = {p: exact(chain[0])}
    values[q] = exact(chain[1])
    derived = {key: weight.subs(values) for key, weight in count_probabilities(n).items()}
    assert derived == {k: exact(v) for k, v in counted.items()}
    mirrored = {k: v.subs({p: values[q], q: values[p]}) for k, v in count_probabilities(n).items()}
    assert mirrored != derived


@pytest.mark.parametrize("chain", [*CHAINS, (Fraction(1, 3), Fraction(2, 3))])
@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_moments_of_the_running_mean_are_those_of_the_contexts(
    chain: tuple[Fraction, Fraction], n: int
) -> None:
    values = {p: exact(chain[0])}
    values[q] = exact(chain[1])
    pi1 = chain[0] / sum(chain)
    cross = Fraction(0)
    for token in (0, 1):
        weights = {c: probability(c, *chain) for c in contexts(n) if c[-1] == token}
        m = {c: Fraction(sum(c), n) - Fraction(1, 2) for c in weights}
        total = sum(weights.values())
        first = sum(weights[c] * m[c] for c in weights) / total
        second = sum(weights[c] * m[c] ** 2 for c in weights) / total
        cross += token * total * (first + Fraction(1, 2))
        assert conditional_mean(token, n).subs(values) == exact(first)
        assert conditional_square(token, n).subs(values) == exact(second)
        assert conditional_square(token, n + 1).subs(values) != exact(second)
    correlation = (cross - pi1**2) / (pi1 * (1 - pi1))
    assert memory(n).subs(values) == exact(correlation)
    # a lag off by one
    assert (memory(n) * (1 - p - q)).subs(values) != memory(n).subs(values)


@pytest.mark.parametrize("N", [1, 2, 5])
def test_mean_memory_by_harmonic_numbers_is_the_mean_over_positions(N: int) -> None:
    values = {p: sp.Rational(7, 9), q: sp.Rational(3, 8)}
    mean = sum((memory(length).subs(length, n).subs(values) for n in range(1, N + 1)), sp.S.Zero)
    assert mean_memory(N).subs(values) == mean / N
    assert moments(N)[kappa].subs(values) == mean / N
    assert mean_memory(N + 1).subs(values) != mean / N


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize("chain", [(0.3, 0.4), (0.9, 0.8)])
def test_moments_of_any_number_of_tokens_are_those_of_each(
    n: int, chain: tuple[float, float]
) -> None:
    values = {p: sp.Rational(str(chain[0])), q: sp.Rational(str(chain[1]))}
    moments_of: list[Callable[..., sp.Expr]] = [memory]
    moments_of += [partial(m, k) for m in (conditional_mean, conditional_square) for k in (0, 1)]
    for moment in moments_of:
        assert moment(length).subs(length, n).subs(values) == moment(n).subs(values)
        assert moment(length).subs(length, n + 1).subs(values) != moment(n).subs(values)


@pytest.mark.parametrize("build", [count_probabilities, mean_memory])
def test_a_number_of_tokens_below_one_is_refused(build: Callable[[int], object]) -> None:
    with pytest.raises(
        ValueError, match=r"[nN] = 0 is out of range: give an integer of at least 1"
    ):
        build(0)
