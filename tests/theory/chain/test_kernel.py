"""Law, lag covariances and unigram loss of a chain, against sums over all of its paths."""

import math
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from tests.twins.chain_paths import covariances_of, paths_of
from theory.chain.binary import unigram_entropy
from theory.chain.kernel import Chain, chain_of, law_entropy
from theory.spectra.universal_law import lag_covariances
from theory.symbols import p as p_symbol, q as q_symbol

ROUNDED = 4e-16  # entries below 1, rounded once from 50 digits


def rows(count: int, states: int, seed: int) -> list[list[Fraction]]:
    """Kernel rows with small denominators, so that paths can be summed exactly."""
    weights = np.random.default_rng(seed).integers(1, 9, size=(count, states))
    return [[Fraction(int(w), int(row.sum())) for w in row] for row in weights]


@pytest.mark.parametrize(("states", "order"), [(2, 1), (3, 1), (4, 1), (2, 2), (3, 2), (2, 3)])
def test_lag_covariances_are_those_of_all_paths(states: int, order: int) -> None:
    kernel = rows(states**order, states, seed=states + 10 * order)
    found = chain_of(kernel, length=3)
    known = covariances_of(*paths_of(np.array(kernel, float), 3 + order), 3)
    # sums of up to 243 products of 6 numbers, each rounded
    assert np.abs(found.covariance - known).max() < 1e-15
    assert not found.degenerate
    # controls: the transpose, and one lag too many
    if states > 2:
        transposed = found.covariance.transpose(0, 2, 1)
        assert np.abs(transposed - known).max() > 1e-3
    assert np.abs(found.covariance[1:] - known[:-1]).max() > 1e-3


def test_of_a_first_order_chain_they_are_the_powers_of_its_kernel() -> None:
    kernel = rows(3, 3, seed=0)
    found = chain_of(kernel, length=4)
    P, pi = np.array(kernel, dtype=float), found.stationary
    for k in range(5):
        power = np.diag(pi) @ np.linalg.matrix_power(P, k) - np.outer(pi, pi)
        assert np.abs(found.covariance[k] - power).max() < ROUNDED
    # of an order-2 chain they are not: its bigram kernel does not say where it goes in two steps
    second = chain_of(rows(9, 3, seed=1), length=2)
    B = second.covariance[1] / second.stationary[:, None] + second.stationary
    power = np.diag(second.stationary) @ B @ B - np.outer(second.stationary, second.stationary)
    assert np.abs(second.covariance[2] - power).max() > 1e-3


@pytest.mark.parametrize(("p", "q"), [(0.5, 0.8), (0.1, 0.1), (Decimal("0.99"), 0.9)])
def test_of_the_binary_chain_they_are_the_closed_form(p: Decimal | float, q: float) -> None:
    a, b = Fraction(str(p)), Fraction(str(q))
    found = chain_of([[1 - a, a], [b, 1 - b]], length=6)
    closed = lag_covariances(p=p, q=q, length=6)
    assert np.abs(found.covariance - closed).max() < ROUNDED
    exact = unigram_entropy().subs({p_symbol: p, q_symbol: q})
    assert abs(found.unigram_loss - float(exact)) < ROUNDED
    assert abs(found.stationary[1] - float(a / (a + b))) < ROUNDED


@pytest.mark.parametrize("lag", [2, 3])
def test_interleaved_chains_are_correlated_at_multiples_of_the_lag_only(lag: int) -> None:
    kernel = rows(3, 3, seed=2)
    apart, alone = chain_of(kernel, length=7, lag=lag), chain_of(kernel, length=7 // lag)
    # the same source as a chain of order k, whose contexts carry the interleaved symbols
    contexts = [kernel[c // 3 ** (lag - 1)] for c in range(3**lag)]
    as_order = chain_of(contexts, length=7)
    assert np.abs(apart.covariance - as_order.covariance).max() < ROUNDED
    assert np.array_equal(apart.covariance[::lag], alone.covariance)
    assert not apart.covariance[[k for k in range(8) if k % lag]].any()


@pytest.mark.parametrize(("kernel", "degenerate"), [
    ([[0.1, 0.9], [0.1, 0.9]], True), ([[Fraction(1, 3)] * 3] * 3, True),
    ([[0.1, 0.2, 0.7]] * 9, True),
    ([["0.1", "0.9"], ["0.10000000000000001", "0.89999999999999999"]], False),
])  # fmt: skip
def test_independence_is_decided_on_the_numbers_as_written(
    kernel: list[list[str | float | Fraction]], degenerate: bool
) -> None:
    exact = [[Decimal(x) if isinstance(x, str) else x for x in row] for row in kernel]
    found = chain_of(exact, length=2)
    assert found.degenerate is degenerate
    # exactly 0, and not by rounding; a covariance of 1e-17 is a covariance
    assert bool(found.covariance[1:].any()) is not degenerate


def test_a_row_counts_by_its_proportions() -> None:
    counts, shares = (
        chain_of([[1, 1], [4, 1]], length=3),
        chain_of([[0.5, 0.5], [0.8, 0.2]], length=3),
    )
    assert np.array_equal(counts.covariance, shares.covariance)
    assert counts.unigram_loss == shares.unigram_loss
    # the control: other proportions are another chain
    assert not np.array_equal(chain_of([[1, 1], [3, 1]], length=3).covariance, shares.covariance)


def test_periodic_and_partly_transient_chains_have_their_one_law() -> None:
    cycle: Chain = chain_of([[0, 1, 0], [0, 0, 1], [0.5, 0.5, 0]], length=1)
    assert np.abs(cycle.stationary - [0.2, 0.4, 0.4]).max() < ROUNDED
    assert law_entropy([1.0, 0.0]) == 0.0
    assert abs(law_entropy([0.2, 0.4, 0.4]) - cycle.unigram_loss) < ROUNDED


@pytest.mark.parametrize(("kernel", "lag", "words"), [
    ([[1, 0], [0, 1]], 1, "kernel has more than one stationary law"),
    ([[0.5, 0.5]] * 3, 1, r"kernel has 3 rows of \[2\] numbers: give S\^k rows of S numbers"),
    ([[1.0]], 1, r"kernel has 1 rows of \[1\] numbers"),
    ([[1.0], [1.0]], 1, r"kernel has 2 rows of \[1\] numbers"),
    ([[0.5, 0.5], [0.2, 0.3, 0.5]], 1, r"kernel has 2 rows of \[2, 3\] numbers"),
    ([], 1, r"kernel has 0 rows of \[\] numbers"),
    ([[1.5, -0.5], [0.5, 0.5]], 1, "kernel has a negative entry"),
    ([[0.5, 0.5], [0, 0]], 1, "kernel has a negative entry or an empty row"),
    ([[0.5, 0.5]] * 4, 2, "lag = 2 with a kernel of 4 rows: give the 2 x 2 kernel"),
    ([[math.nan, 0.5], [0.5, 0.5]], 1, "kernel = nan is not a finite number"),
])  # fmt: skip
def test_bad_kernels_are_refused(kernel: Sequence[Sequence[float]], lag: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        chain_of(kernel, length=2, lag=lag)
