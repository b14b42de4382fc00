"""A fresh kernel for every sequence, against integrals over the prior and counting by hand."""

import itertools
import math
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import torch
from scipy.integrate import quad

from landscape.sources import REFERENCES, InContext
from landscape.sources.dirichlet import binary_rate, follower_counts, sampled_rate, symbol_counts
from landscape.sources.in_context import enumerated_losses
from tests.twins.sources import Path, learning, loss, paths


def moment(concentration: float, ones: int, zeros: int) -> float:
    """E[p^ones (1-p)^zeros] of p ~ Beta(a, a), by quadrature over the prior."""
    options = {"epsabs": 1e-13, "epsrel": 1e-13}
    a = concentration - 1

    def integral(up: float, down: float) -> float:
        # the density's own powers are the weight function, integrable singularities included
        value = quad(lambda p: 1.0, 0, 1, weight="alg", wvar=(up, down), **options)[0]
        return float(value)

    return integral(a + ones, a + zeros) / integral(a, a)


def integrated(source: InContext, path: Path) -> float:
    """P(path): each of the two rows integrated out by itself, the steps counted one by one."""
    steps = list(itertools.pairwise(path))
    chance = float(source.start[path[0]])
    for state in (0, 1):
        ones, zeros = steps.count((state, 1)), steps.count((state, 0))
        chance *= moment(source.concentration, ones, zeros)
    return chance


@pytest.mark.parametrize("concentration", [0.5, 1.0, 2.5])
def test_context_laws_are_integrals_over_the_prior(concentration: float) -> None:
    source = InContext(2, concentration=concentration, start=[0.3, 0.7])
    for length in (1, 2, 5):
        law = source.context_law(length)
        following = source.next_law(length)
        for path, chance, r in zip(paths(2, length), law, following, strict=True):
            whole = integrated(source, path)
            assert abs(chance - whole) < 1e-12  # the quadrature's own tolerance
            assert abs(r[1] - integrated(source, (*path, 1)) / whole) < 1e-11
    other = InContext(2, concentration=concentration + 0.1, start=[0.3, 0.7])
    assert np.abs(other.context_law(5) - source.context_law(5)).max() > 1e-4


def test_three_states_are_integrated_over_the_simplex() -> None:
    source = InContext(3, concentration=1.0)
    path = (0, 1, 0, 2, 0)  # one row with one step to 1 and one to 2
    nodes, weights = np.polynomial.legendre.leggauss(8)  # polynomials of degree 4: exact
    x, w = (nodes + 1) / 2, weights / 2
    # the triangle p1 + p2 < 1 as p2 = (1-p1) v; its area is a half
    first = 2 * sum(
        wi * wj * (1 - xi) * xi * (1 - xi) * xj
        for (xi, wi), (xj, wj) in itertools.product(zip(x, w, strict=True), repeat=2)
    )
    # rows 1 and 2: a single step each, of mean 1/3
    expected = first / 27
    number = int("".join(map(str, path)), 3)
    assert abs(source.context_law(5)[number] - expected) < 1e-16
    assert abs(source.context_law(5)[number] - 1 / 3**5) > 1e-4


@pytest.mark.parametrize("order", [1, 2, 3])
def test_counts_by_sorting_are_counts_one_by_one(order: int) -> None:
    states = 3
    tokens = torch.randint(states, (2, 5, 40), generator=torch.Generator().manual_seed(0))
    followers = follower_counts(tokens, states, order)
    singles = symbol_counts(tokens, states)
    for index in itertools.product(range(2), range(5)):
        path = tuple(tokens[index].tolist())
        for n in range(1, 41):
            seen = path[:n]
            assert singles[index][n - 1].tolist() == [seen.count(t) for t in range(states)]
            windows = [seen[i : i + order + 1] for i in range(n - order)]
            context = seen[n - order :] if n >= order else None
            expected = [windows.count((*context, t)) if context else 0 for t in range(states)]
            assert followers[index][n - 1].tolist() == expected
    assert not torch.equal(follower_counts(tokens, states, order + 1), followers)


def test_bayes_is_the_add_one_bigram_for_the_uniform_prior_alone() -> None:
    tokens = torch.randint(2, (4, 30), generator=torch.Generator().manual_seed(1))
    uniform, other = InContext(2), InContext(2, concentration=0.5)
    assert torch.equal(uniform.predictor("optimal", tokens), uniform.predictor("bigram", tokens))
    assert not torch.equal(other.predictor("optimal", tokens), other.predictor("bigram", tokens))
    gaps = [s.loss_of("bigram", 8) - s.loss_of("optimal", 8) for s in (uniform, other)]
    assert gaps[0] == 0
    assert gaps[1] > 1e-3


def test_no_predictor_beats_bayes_and_all_end_above_the_entropy_rate() -> None:
    source = InContext(2, concentration=0.5)
    for length in (2, 4, 12, 400):
        found = {reference: source.loss_of(reference, length) for reference in REFERENCES}
        assert found["optimal"] < found["bigram"]
        assert found["optimal"] < found["unigram"]
        assert found["optimal"] > source.entropy_rate + 0.005
    # with length the bigram comes closer to Bayes, the unigram does not
    assert source.loss_of("bigram", 400) - source.entropy_rate < 0.03
    assert source.loss_of("unigram", 400) - source.entropy_rate > 0.1


def test_a_short_loss_is_exact_and_a_long_one_lies_within_its_error() -> None:
    source = InContext(2)
    assert source.loss_error("unigram", 16) == 0
    assert source.loss_error("unigram", 17) > 0
    twin = learning("long", source)
    # the loss of length N+1 by one position more: walked for N = 10 exactly
    assert abs(source.loss_of("unigram", 10) - loss(twin, "unigram", 10)) < 1e-13
    length = 20
    for reference in REFERENCES:
        # by counts, not by paths: 2^20 contexts of 20 symbols, a second route to the exact loss
        exact = exact_by_counts(reference, length)
        error = source.loss_error(reference, length)
        assert 0 < error < 0.002
        assert abs(source.loss_of(reference, length) - exact) < 4 * error
        assert abs(source.loss_of(reference, length) - exact * 1.02) > 4 * error


def exact_by_counts(reference: str, length: int) -> float:
    """The loss of the uniform binary prior from the law of (last symbol, four step counts)."""
    # weight of a class: integral of the steps, B(1+n01, 1+n00) B(1+n10, 1+n11), times how many
    classes = {(0, 0, 0, 0, 0): 1, (1, 0, 0, 0, 0): 1}
    total = 0.0
    for n in range(1, length + 1):
        longer: dict[tuple[int, int, int, int, int], int] = {}
        for (last, *steps), number in classes.items():
            chance = 0.5 * number * beta_moment(*steps[:2]) * beta_moment(*steps[2:])
            here = steps[2 * last : 2 * last + 2]
            # the first symbol is 1 if there are more arrivals at 1 than departures, or as many
            # and it is the last
            first = last - (steps[1] - steps[2])
            ones = steps[1] + steps[3] + first
            for t in (0, 1):
                r = (1 + here[t]) / (2 + sum(here))
                answer = r if reference != "unigram" else (1 + (ones if t else n - ones)) / (2 + n)
                total -= chance * r * math.log(answer)
                moved = list(steps)
                moved[2 * last + t] += 1
                key = (t, moved[0], moved[1], moved[2], moved[3])
                longer[key] = longer.get(key, 0) + number
        classes = longer
    return total / length


def beta_moment(zeros: int, ones: int) -> float:
    return math.factorial(zeros) * math.factorial(ones) / math.factorial(zeros + ones + 1)


def precise_rate(concentration: float) -> mpmath.mpf:
    """2 E[h(p) q/(p+q)], the mean over q a hypergeometric function, with 30 digits."""
    with mpmath.workdps(30):
        a = mpmath.mpf(concentration)

        def integrand(p: mpmath.mpf) -> mpmath.mpf:
            entropy = -p * mpmath.log(p) - (1 - p) * mpmath.log1p(-p)
            share = mpmath.hyp2f1(1, a + 1, 2 * a + 1, -1 / p) / (2 * p)
            return 2 * entropy * share * (p * (1 - p)) ** (a - 1) / mpmath.beta(a, a)

        return mpmath.quad(integrand, [0, 0.001, 0.1, 0.5, 0.9, 1])


@pytest.mark.parametrize("concentration", [0.05, 0.3, 2.5])
def test_the_mean_entropy_rate_is_the_integral_of_30_digits(concentration: float) -> None:
    rate = InContext(2, concentration=concentration).entropy_rate
    # a sum of some thousand positive terms
    assert abs(rate - precise_rate(concentration)) < 1e-14
    assert abs(binary_rate(concentration * 1.001) - rate) > 1e-6


def test_the_mean_entropy_rate_of_a_narrow_prior_is_a_double_gauss_sum() -> None:
    nodes, weights = np.polynomial.legendre.leggauss(100)  # the most that numpy vouches for
    p = (nodes + 1) / 2
    entropy = -p * np.log(p) - (1 - p) * np.log1p(-p)
    for concentration in (5.0, 30.0, 200.0):
        density = weights * (4 * p * (1 - p)) ** (concentration - 1)
        density /= density.sum()
        share = p[None, :] / (p[:, None] + p[None, :])
        rate = InContext(2, concentration=concentration).entropy_rate
        # a sum of some thousand positive terms on either side
        assert abs(rate - 2 * (density * entropy) @ share @ density) < 1e-14
        assert abs(binary_rate(concentration * 1.001) - rate) > 1e-7


def test_the_mean_entropy_rate_of_a_uniform_prior_is_a_single_integral() -> None:
    # the mean of q/(p+q) over uniform q is 1 - p ln(1 + 1/p)
    def integrand(p: float) -> float:
        entropy = -p * math.log(p) - (1 - p) * math.log1p(-p) if 0 < p < 1 else 0.0
        return 2 * entropy * (1 - p * math.log1p(1 / p))

    assert abs(InContext(2).entropy_rate - quad(integrand, 0, 1, epsabs=1e-13)[0]) < 1e-12


def test_the_sampled_entropy_rate_lies_within_its_error() -> None:
    for concentration in (0.3, 1.0, 5.0):
        rate, error = sampled_rate(2, 1, concentration)
        assert 0 < error < 0.002
        assert abs(rate - binary_rate(concentration)) < 4 * error
        assert abs(rate - binary_rate(concentration * 1.2)) > 4 * error
    source = InContext(3)
    assert source.entropy_rate_error > 0
    assert InContext(2).entropy_rate_error == 0
    assert source.entropy_rate < source.loss_of("optimal", 10) < math.log(3)


def test_by_symmetry_a_uniform_start_makes_every_symbol_uniform() -> None:
    source = InContext(3, concentration=0.4)
    assert source.starts_stationary
    assert not source.degenerate
    assert source.unigram_entropy == math.log(3)
    marginals = source.context_law(4).reshape(3, 3, 3, 3)
    for axes in ((1, 2, 3), (0, 2, 3), (0, 1, 2)):
        assert np.abs(marginals.sum(axes) - source.stationary).max() < 1e-15
    biased = InContext(3, concentration=0.4, start=[0.5, 0.3, 0.2])
    assert not biased.starts_stationary
    assert InContext(3, start=[1 / 3] * 3).starts_stationary
    last = biased.context_law(4).reshape(3, 3, 3, 3).sum((0, 1, 2))
    # a kernel that nobody has seen sends every first symbol anywhere, but comes back to it
    assert np.abs(last - source.stationary).max() > 1e-3


def test_losses_are_computed_once_for_equal_sources() -> None:
    enumerated_losses.cache_clear()
    assert InContext(2).loss_of("unigram", 5) == InContext(2).loss_of("unigram", 5)
    assert enumerated_losses.cache_info().misses == 1
    InContext(2, concentration=0.5).loss_of("unigram", 5)
    assert enumerated_losses.cache_info().misses == 2


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: InContext(1), r"states=1 is out of range; give an integer of at least 2"),
        (lambda: InContext(2, concentration=0.0),
         r"concentration=0\.0 is out of range; give a number above 0 and at most 1e\+06"),
        # S a would overflow, and rows no longer sum to 1
        (lambda: InContext(2, concentration=1e308), r"concentration=1e\+308 is out of range"),
        (lambda: InContext(3, order=60), r"states=3, order=60: a kernel .* is too large"),
        (lambda: InContext(2, order=0), r"order=0 is out of range; give an integer of at least 1"),
        (lambda: InContext(2, start=[0.5, 0.4]), r"start sums to 0\.9, not to 1"),
        (lambda: InContext(2, start=[1.0]), r"start has 1 entries; give a law of 2 numbers"),
    ],
)  # fmt: skip
def test_impossible_priors_are_refused(build: Callable[[], InContext], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
    with pytest.raises(ValueError, match=r"length=0 is out of range"):
        InContext(2).context_law(0)
