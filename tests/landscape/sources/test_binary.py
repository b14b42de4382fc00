import itertools
import math
from decimal import Decimal
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from landscape.sources import BinaryMarkov, probability
from tests.check_values import agrees
from tests.twins.single_layer import path_probability

# p < 1-q keeps, p > 1-q flips, p+q = 1 forgets; then the corners of the square
REGIMES = [
    ("0.2", "0.3"), ("0.5", "0.8"), ("0.9", "0.9"), ("0.3", "0.7"), ("0.001", "0.002"),
    ("0.999", "0.998"), ("0.001", "0.999"), ("1e-12", "0.5"), ("0.999", "1e-9"),
]  # fmt: skip
EXTREMES = [*REGIMES, ("1e-300", "0.25"), ("0.999999999999999", "0.7")]
CHANCE = st.integers(1, 999).map(lambda thousandths: Decimal(thousandths) / 1000)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def stepwise(p: Fraction, q: Fraction, batch: int, length: int, seed: int) -> list[list[int]]:
    """One comparison a step with P(1 | x_n), the inverse of the conditional distribution."""
    u = torch.rand(batch, length, generator=generator(seed), dtype=torch.float64).tolist()
    paths = []
    for row in u:
        path = [int(row[0] < p / (p + q))]
        for number in row[1:]:
            path.append(int(number < (1 - q if path[-1] else p)))
        paths.append(path)
    return paths


@settings(max_examples=60)
@given(p=CHANCE, q=CHANCE, batch=st.integers(1, 4), length=st.integers(1, 40), seed=st.integers(0))
def test_loop_free_sampler_is_the_loop_over_steps(
    p: Decimal, q: Decimal, batch: int, length: int, seed: int
) -> None:
    seed %= 2**63
    tokens = BinaryMarkov(p, q).sample(batch, length, generator(seed))
    assert tokens.dtype == torch.int64
    assert tokens.tolist() == stepwise(Fraction(p), Fraction(q), batch, length, seed)


@pytest.mark.parametrize(("p", "q"), REGIMES)
def test_loop_free_sampler_is_the_loop_in_every_regime(p: str, q: str) -> None:
    tokens = BinaryMarkov(p, q).sample(50, 100, generator(1)).tolist()
    exact = Fraction(p), Fraction(q)
    assert tokens == stepwise(*exact, 50, 100, seed=1)
    # the chain with its rows reversed, on the same uniforms
    assert tokens != stepwise(1 - exact[0], 1 - exact[1], 50, 100, seed=1)


@pytest.mark.parametrize("name", ["50_80", "20_30", "10_10", "90_90"])
def test_entropies_are_the_published_ones(name: str) -> None:
    chain = BinaryMarkov(*(Decimal(part) / 100 for part in name.split("_")))
    assert agrees(f"entropy_rate_{name}", chain.entropy_rate)
    assert agrees(f"unigram_entropy_{name}", chain.unigram_entropy)
    assert not agrees(f"entropy_rate_{name}", chain.unigram_entropy)


def precise_entropies(p: str, q: str) -> tuple[mpmath.mpf, mpmath.mpf, mpmath.mpf]:
    """H_b, H_u and ln(p/q) with 400 digits, which 1 - 1e-300 needs."""

    def h(x: mpmath.mpf) -> mpmath.mpf:
        return -x * mpmath.log(x) - (1 - x) * mpmath.log(1 - x)

    with mpmath.workdps(400):
        a, b = mpmath.mpf(p), mpmath.mpf(q)
        return (b * h(a) + a * h(b)) / (a + b), h(a / (a + b)), mpmath.log(a / b)


@pytest.mark.parametrize(("p", "q"), EXTREMES)
def test_entropies_and_log_odds_are_those_of_400_digits(p: str, q: str) -> None:
    chain = BinaryMarkov(p, q)
    rate, unigram, log_odds = precise_entropies(p, q)
    # sums of four (two) terms below 1/e: a few eps; a single logarithm rounds relatively
    assert abs(chain.entropy_rate - rate) < 4e-16
    assert abs(chain.unigram_entropy - unigram) < 4e-16
    assert abs(chain.log_odds - log_odds) <= 4e-16 * max(1, abs(log_odds))


def test_entropies_of_a_chain_one_part_in_a_billion_away_are_refuted() -> None:
    chain, truths = BinaryMarkov("0.5", "0.8"), precise_entropies("0.5", "0.800000001")
    measured = (chain.entropy_rate, chain.unigram_entropy, chain.log_odds)
    assert min(abs(a - b) for a, b in zip(measured, truths, strict=True)) > 1e-11


@pytest.mark.parametrize(("p", "q"), [("0.2", "0.3"), ("0.5", "0.8"), ("0.9", "0.9")])
@pytest.mark.parametrize("lag", range(6))
def test_lag_covariance_is_enumerated_and_decays_with_the_second_eigenvalue(
    p: str, q: str, lag: int
) -> None:
    exact = Fraction(p), Fraction(q)
    measured = BinaryMarkov(p, q).lag_covariance(lag)
    law = [exact[1] / sum(exact), exact[0] / sum(exact)]
    paths = list(itertools.product((0, 1), repeat=lag + 1))
    for t, s in itertools.product((0, 1), repeat=2):
        joint = sum(path_probability(x, *exact) for x in paths if x[0] == t and x[-1] == s)
        enumerated = joint - law[t] * law[s]
        closed = law[0] * law[1] * (1 - sum(exact)) ** lag * (1 if t == s else -1)
        assert enumerated == closed  # rationals
        # entries below 1, a product of lag+1 matrices: a few eps
        assert abs(measured[t, s] - enumerated) < 1e-15
        assert abs(measured[t, s] - closed * (1 - sum(exact))) > 1e-4


@pytest.mark.parametrize(("p", "q"), REGIMES[:7])
@pytest.mark.parametrize("length", [1, 2, 5])
def test_contexts_are_weighed_by_explicit_products_in_lexicographic_order(
    p: str, q: str, length: int
) -> None:
    exact, chain = (Fraction(p), Fraction(q)), BinaryMarkov(p, q)
    law, following = chain.context_law(length), chain.next_law(length)
    paths = list(itertools.product((0, 1), repeat=length))
    assert (law.shape, following.shape) == ((2**length,), (2**length, 2))
    assert abs(law.sum() - 1) < 1e-15
    for path, chance, r in zip(paths, law, following, strict=True):
        explicit = path_probability(path, *exact)
        # `length` roundings of a product, each relative: length + 2 half-units
        assert abs(Fraction(float(chance)) / explicit - 1) < (length + 2) * 2.3e-16
        for symbol in (0, 1):
            conditional = path_probability((*path, symbol), *exact) / explicit
            assert abs(Fraction(float(r[symbol])) / conditional - 1) < 2.3e-16


def test_a_context_law_of_the_swapped_chain_is_refuted() -> None:
    chain, paths = BinaryMarkov("0.5", "0.8"), itertools.product((0, 1), repeat=5)
    swapped = [float(path_probability(path, 0.8, 0.5)) for path in paths]
    assert np.abs(chain.context_law(5) - swapped).max() > 1e-2
    # and the next law is that of the last symbol, not of the first
    assert chain.next_law(2)[1:3].tolist() == [[0.8, 0.2], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("p", "q", "independent"),
    [
        (0.1, 0.9, True),
        (0.3, 0.7, True),
        ("0.10", "9e-1", True),
        (Decimal("0.1"), 0.9, True),
        # 0.1 + 0.7 is the float 0.7999999999999999: with 0.2 it is not 1, and was not written so
        (0.1 + 0.7, 0.2, False),
        (0.8, 0.2, True),
        # 1 - 0.9 is the float 0.09999999999999998
        (0.9, 1 - 0.9, False),
        # sums that float64, or 28 digits, would round to 1
        ("0.5", "0.50000000000000000001", False),
        ("0.5", "0.5000000000000000000000000000000000000001", False),
        ("0.5", "0.4999999999999999999999999999999999999999", False),
        (0.5, 0.8, False),
    ],
)
def test_degenerate_is_decided_on_the_decimals_as_written(
    p: Decimal | float | str, q: Decimal | float | str, independent: bool
) -> None:
    chain = BinaryMarkov(p, q)
    assert chain.degenerate is independent
    assert chain.p == Decimal(str(p))
    assert chain.q == Decimal(str(q))


def test_float_and_default_decimal_sums_would_decide_wrongly() -> None:
    assert float("0.5") + float("0.50000000000000000001") == 1
    assert Decimal("0.5") + Decimal("0.5000000000000000000000000000000000000001") == 1
    assert 1 - 0.9 - 0.1 != 0


def test_at_p_plus_q_equal_to_1_the_entropies_agree_and_nothing_correlates() -> None:
    chain = BinaryMarkov("0.3", "0.7")
    # round-off of four terms
    assert abs(chain.entropy_rate - chain.unigram_entropy) < 4e-16
    assert np.abs(chain.lag_covariance(1)).max() < 1e-16
    chain = BinaryMarkov("0.3", "0.69")
    assert abs(chain.entropy_rate - chain.unigram_entropy) > 1e-5
    assert np.abs(chain.lag_covariance(1)).max() > 1e-3


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.0, r"p=0\.0 is outside \(0, 1\): p is a switching probability; give a decimal strictly"),
        (1.0, r"p=1\.0 is outside \(0, 1\)"),
        (1.2, r"p=1\.2 is outside \(0, 1\)"),
        (-0.1, r"p=-0\.1 is outside \(0, 1\)"),
        (math.nan, r"p=nan is outside \(0, 1\)"),
        ("sNaN", r"p=sNaN is outside \(0, 1\)"),
        (math.inf, r"p=inf is outside \(0, 1\)"),
        ("half", r"p='half' is not a number; give a decimal in \(0, 1\)"),
        ("", r"p='' is not a number"),
        ("1e-400", r"p=1e-400 rounds to 0\.0 in float64; give one inside \(0, 1\)"),
        ("0.99999999999999999999", r"p=0\.99999999999999999999 rounds to 1\.0 in float64"),
    ],
)
def test_a_switching_probability_outside_0_1_is_refused(value: float | str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BinaryMarkov(value, 0.5)
    with pytest.raises(ValueError, match=message.replace("p=", "q=").split(":")[0]):
        probability("q", value)
    assert probability("p", "0.5") == Decimal("0.5")


def test_a_negative_lag_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lag=-1 is negative; give a lag of at least 0"):
        BinaryMarkov(0.5, 0.8).lag_covariance(-1)
