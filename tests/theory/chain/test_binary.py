import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial

import mpmath
import numpy as np
import pytest
import sympy as sp

from tests.check_values import agrees, value
from tests.twins.attended_chain import count_law, exact, moments_at
from tests.twins.single_layer import path_probability
from theory.attention.critical_points import kappa, moments
from theory.chain.binary import (
    autocovariance,
    conditional_mean,
    conditional_square,
    count_probabilities,
    entropy_rate,
    h,
    kernel,
    mean_memory,
    memory,
    second_eigenvalue,
    stationary_law,
    unigram_entropy,
)
from theory.numeric import function
from theory.symbols import length, p, q

CHAINS = [
    (Fraction(1, 2), Fraction(4, 5)),
    (Fraction(1, 5), Fraction(3, 10)),
    (Fraction(9, 10),) * 2,
]


def at(expression: sp.Expr, chain: tuple[Fraction, Fraction]) -> sp.Expr:
    return expression.subs({p: sp.Rational(chain[0]), q: sp.Rational(chain[1])})


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("lag", range(5))
def test_autocovariance_is_that_of_enumerated_sequences(
    chain: tuple[Fraction, Fraction], lag: int
) -> None:
    joint = sum(
        path_probability(path, *chain)
        for path in itertools.product((0, 1), repeat=lag + 1)
        if path[0] == path[-1] == 1
    )
    mean = chain[0] / (chain[0] + chain[1])
    enumerated = joint - mean**2
    # rationals on both sides: equality, no tolerance
    assert at(autocovariance(lag), chain) == sp.Rational(enumerated)
    assert at(autocovariance(lag + 1), chain) != sp.Rational(enumerated)


def test_autocovariance_holds_at_a_symbolic_lag() -> None:
    k = sp.Symbol("k", integer=True, nonnegative=True)
    for lag in range(4):
        assert sp.simplify(autocovariance(k).subs(k, lag) - autocovariance(lag)) == 0
    with pytest.raises(ValueError, match=r"k = -1 is negative: a lag is an integer >= 0"):
        autocovariance(-1)


def test_stationary_law_is_the_left_eigenvector_that_sums_to_one() -> None:
    law = sp.Matrix([stationary_law()])
    assert sp.simplify(law * kernel() - law) == sp.zeros(1, 2)
    assert sp.simplify(sum(law)) == 1
    swapped = sp.Matrix([stationary_law()[::-1]])
    assert sp.simplify(swapped * kernel() - swapped) != sp.zeros(1, 2)


def test_second_eigenvalue_is_the_trace_minus_one() -> None:
    assert sp.expand(second_eigenvalue() - (kernel().trace() - 1)) == 0
    assert second_eigenvalue() in kernel().eigenvals()


@pytest.mark.parametrize(("p_value", "q_value", "rate_key", "unigram_key"), [
    (0.5, 0.8, "entropy_rate_50_80", "unigram_entropy_50_80"),
    (0.2, 0.3, "entropy_rate_20_30", "unigram_entropy_20_30"),
    (0.1, 0.1, "entropy_rate_10_10", "unigram_entropy_10_10"),
    (0.9, 0.9, "entropy_rate_90_90", "unigram_entropy_90_90"),
])  # fmt: skip
def test_entropies_are_the_published_ones(
    p_value: float, q_value: float, rate_key: str, unigram_key: str
) -> None:
    rate, unigram = (
        function([p, q], f(), np)(p_value, q_value) for f in (entropy_rate, unigram_entropy)
    )
    assert agrees(rate_key, rate) and agrees(unigram_key, unigram)
    assert not agrees(rate_key, unigram)


@pytest.mark.parametrize("chain", CHAINS)
def test_entropies_are_those_of_enumerated_sequences(chain: tuple[Fraction, Fraction]) -> None:
    def block(size: int) -> float:
        paths = itertools.product((0, 1), repeat=size)
        weights = [float(path_probability(path, *chain)) for path in paths]
        return -sum(chance * math.log(chance) for chance in weights)

    rate, unigram = (float(at(f(), chain)) for f in (entropy_rate, unigram_entropy))
    # differences of entropies of 64 terms: round-off below 64 eps
    assert abs(block(6) - block(5) - rate) < 1e-14
    assert abs(block(1) - unigram) < 1e-14
    assert abs(block(1) - rate) > 1e-3


def test_floor_of_a_lag_2_chain_exceeds_its_entropy_rate() -> None:
    # x_2 knows nothing of x_1, every later token its second predecessor
    rate, unigram = (
        function([p, q], f(), mpmath)(0.2, 0.3) for f in (entropy_rate, unigram_entropy)
    )
    floor = (unigram + 7 * rate) / 8
    assert agrees("lag_2_floor_20_30_length_8", float(floor))
    assert not agrees("lag_2_floor_20_30_length_8", value("entropy_rate_20_30"))


def test_entropy_of_a_coin_is_symmetric_and_at_most_ln_2() -> None:
    x = sp.Symbol("x", positive=True)
    assert sp.simplify(h(x) - h(1 - x)) == 0
    assert sp.solve(sp.diff(h(x), x), x) == [sp.Rational(1, 2)]
    assert sp.simplify(h(sp.Rational(1, 2))) == sp.log(2)


@pytest.mark.parametrize("chain", [*CHAINS[:2], (Fraction(1, 3), Fraction(2, 3))])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_law_of_count_and_last_token_is_that_of_the_contexts(
    chain: tuple[Fraction, Fraction], n: int
) -> None:
    values = dict(zip((p, q), map(exact, chain), strict=True))
    derived = {key: weight.subs(values) for key, weight in count_probabilities(n).items()}
    assert derived == {k: exact(v) for k, v in count_law(chain, n).items()}
    mirrored = {k: v.subs({p: values[q], q: values[p]}) for k, v in count_probabilities(n).items()}
    assert mirrored != derived


@pytest.mark.parametrize("chain", [*CHAINS[:2], (Fraction(1, 3), Fraction(2, 3))])
@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_moments_of_the_running_mean_are_those_of_the_contexts(
    chain: tuple[Fraction, Fraction], n: int
) -> None:
    values = dict(zip((p, q), map(exact, chain), strict=True))
    correlation, *given = map(exact, moments_at(chain, n))
    assert [conditional_mean(token, n).subs(values) for token in (0, 1)] == given[:2]
    assert [conditional_square(token, n).subs(values) for token in (0, 1)] == given[2:]
    for token in (0, 1):
        assert conditional_square(token, n + 1).subs(values) != given[2 + token]
    assert memory(n).subs(values) == correlation
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
