"""Laws and losses of every source of finite memory, against paths walked one by one."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from landscape.sources import (
    REFERENCES,
    BinaryMarkov,
    LagMarkov,
    Markov,
    OrderKMarkov,
    SwitchingMarkov,
    known_reference,
)
from tests.twins.sources import (
    CYCLIC,
    FINITE,
    LAW,
    PAIRS,
    SECOND,
    SYMMETRIC,
    TERNARY,
    TWINS,
    Twin,
    loss,
    named,
    paths,
)

CHAIN, PAIRED = Markov(CYCLIC), OrderKMarkov(SECOND)
ROUND_OFF = 2e-14
"""Products of up to 6 factors below 1, or sums of some hundred such with logarithms, against a
least-squares solution whose condition is below 30: some hundred half-units of rounding."""


@pytest.mark.parametrize("twin", TWINS, ids=named)
@pytest.mark.parametrize("length", [1, 2, 4])
def test_contexts_and_what_follows_are_those_of_the_walked_paths(twin: Twin, length: int) -> None:
    law, following = twin.source.context_law(length), twin.source.next_law(length)
    contexts = paths(twin.states, length)
    walked = np.array([twin.chance(path) for path in contexts])
    assert np.abs(law - walked).max() < ROUND_OFF
    for path, chance, r in zip(contexts, walked, following, strict=True):
        if chance > 0:
            assert np.abs(r - twin.optimal(path)).max() < ROUND_OFF / chance
        assert abs(r.sum() - 1) < ROUND_OFF


def test_a_transposed_kernel_or_another_start_is_refuted() -> None:
    twin = next(twin for twin in FINITE if twin.name == "random from a law")
    walked = np.array([twin.chance(path) for path in paths(3, 3)])
    other = Markov(CYCLIC)
    turned = Markov(CYCLIC.T / CYCLIC.T.sum(1, keepdims=True), start=LAW)
    assert min(np.abs(s.context_law(3) - walked).max() for s in (other, turned)) > 1e-2


@pytest.mark.parametrize("twin", TWINS, ids=named)
@pytest.mark.parametrize("reference", REFERENCES)
def test_losses_are_the_sums_over_all_paths_and_their_targets(twin: Twin, reference: str) -> None:
    name = known_reference(reference)
    for length in (1, 2, 4):
        assert abs(twin.source.loss_of(name, length) - loss(twin, reference, length)) < ROUND_OFF
        assert twin.source.loss_error(name, length) == 0


@pytest.mark.parametrize("twin", TWINS, ids=named)
@pytest.mark.parametrize("reference", REFERENCES)
def test_predictors_answer_the_same_by_context_and_along_sequences(
    twin: Twin, reference: str
) -> None:
    length = 4
    name = known_reference(reference)
    contexts = paths(twin.states, length)
    along = twin.source.predictor(name, torch.tensor(contexts)[None])[0].numpy()
    assert along.shape == (len(contexts), length, twin.states)
    for row, path in enumerate(contexts):
        for n in range(1, length + 1):
            if twin.chance(path[:n]) > 0:
                answer = np.asarray(twin.answer(reference, path[:n]))
                allowed = ROUND_OFF / twin.chance(path[:n])
                assert np.abs(along[row, n - 1] - answer).max() < allowed
    assert np.abs(twin.source.predictor_table(name, length) - along[:, -1]).max() < ROUND_OFF
    single = twin.source.predictor(name, torch.tensor(contexts[1]))
    assert torch.equal(single, torch.from_numpy(along[1]))  # no leading axis needed


def test_the_loss_of_one_predictor_is_not_that_of_another() -> None:
    twin = next(twin for twin in FINITE if twin.name == "order 2, S=3")
    found = [twin.source.loss_of(reference, 4) for reference in REFERENCES]
    assert found[0] > found[1] + 1e-3 > found[2] + 2e-3


@pytest.mark.parametrize("twin", FINITE, ids=named)
def test_entropies_are_those_of_the_settled_source(twin: Twin) -> None:
    settled = twin.stationary_chance
    assert settled is not None
    order = 3
    rate = 0.0
    for path in paths(twin.states, order + 1):
        joint, before = settled(path), settled(path[:-1])
        rate -= joint * math.log(joint / before) if joint > 0 else 0.0
    single = [settled((s,)) for s in range(twin.states)]
    assert abs(twin.source.entropy_rate - rate) < ROUND_OFF
    assert np.abs(twin.source.stationary - single).max() < ROUND_OFF
    entropy = -sum(chance * math.log(chance) for chance in single)
    assert abs(twin.source.unigram_entropy - entropy) < ROUND_OFF
    assert abs(twin.source.unigram_entropy - rate) > 1e-4  # independent symbols would not do


@pytest.mark.parametrize("twin", FINITE, ids=named)
@pytest.mark.parametrize("lag", range(5))
def test_lag_covariances_are_enumerated(twin: Twin, lag: int) -> None:
    settled = twin.stationary_chance
    assert settled is not None
    joint = np.zeros((twin.states, twin.states))
    for path in paths(twin.states, lag + 1):
        joint[path[0], path[-1]] += settled(path)
    single = np.array([settled((s,)) for s in range(twin.states)])
    enumerated = joint - np.outer(single, single)
    source = twin.source
    assert isinstance(source, (BinaryMarkov, Markov, SwitchingMarkov, OrderKMarkov, LagMarkov))
    assert np.abs(source.lag_covariance(lag) - enumerated).max() < ROUND_OFF


def test_a_kernel_that_is_not_reversible_tells_a_lag_covariance_from_its_transpose() -> None:
    turned = [Markov(CYCLIC), OrderKMarkov(TERNARY), LagMarkov(Markov(CYCLIC), 2)]
    for source in turned:
        covariance = source.lag_covariance(2)
        assert np.abs(covariance - covariance.T).max() > 1e-2
    covariance = Markov(SYMMETRIC).lag_covariance(2)
    assert np.abs(covariance - covariance.T).max() < 1e-16


def test_with_more_memory_than_one_the_floor_is_above_the_entropy_rate() -> None:
    source = LagMarkov(BinaryMarkov("0.2", "0.3"), 2)
    # MATH section 1, five digits
    assert abs(source.loss_of("optimal", 8) - 0.56064) < 5e-6
    assert abs(source.entropy_rate - 0.54459) < 5e-6
    assert not source.lag_covariance(1).any()
    assert abs(source.loss_of("bigram", 8) - source.unigram_entropy) < 1e-15
    chain = BinaryMarkov("0.2", "0.3")
    assert chain.loss_of("optimal", 8) == chain.loss_of("bigram", 8) == chain.entropy_rate
    assert chain.loss_of("unigram", 8) == chain.unigram_entropy


def test_the_floor_of_a_long_context_needs_no_enumeration() -> None:
    chain = OrderKMarkov(SECOND, start=PAIRS)
    # the start is forgotten geometrically, so N times the excess settles
    excess = [1000 * n * (chain.loss_of("optimal", 1000 * n) - chain.entropy_rate) for n in (1, 2)]
    assert abs(excess[0] - excess[1]) < 1e-9  # 2000 terms, each rounded by eps
    assert abs(excess[0]) > 1e-3


@pytest.mark.parametrize(
    ("p", "rate"), [(0.1, 0.4637), (0.3, 1.0268), (0.6, 1.5048), (0.9, 1.5727)]
)
def test_switching_entropies_are_the_published_ones(p: float, rate: float) -> None:
    chain = SwitchingMarkov(5, p)
    assert abs(chain.entropy_rate - rate) < 5e-5  # four digits
    assert abs(chain.unigram_entropy - math.log(5)) < 4e-16
    assert abs(SwitchingMarkov(5, p + 0.01).entropy_rate - rate) > 1e-3


def test_switching_between_two_states_is_the_binary_chain() -> None:
    chain, binary = SwitchingMarkov(2, "0.3"), BinaryMarkov("0.3", "0.3")
    assert chain.kernel.tolist() == binary.kernel.tolist()
    assert chain.entropy_rate == binary.entropy_rate


def test_independent_symbols_are_told_without_rounding() -> None:
    assert SwitchingMarkov(5, 0.8).degenerate
    assert not SwitchingMarkov(5, "0.8000000000000000000000000000000001").degenerate
    assert not SwitchingMarkov(3, 2 / 3).degenerate  # a float is not two thirds
    assert Markov([[0.3, 0.7]] * 2).degenerate
    assert not Markov([[0.3, 0.7], [0.3 + 6e-17, 0.7]]).degenerate
    assert LagMarkov(BinaryMarkov("0.3", "0.7"), 2).degenerate
    assert not LagMarkov(BinaryMarkov("0.3", "0.6"), 2).degenerate
    assert OrderKMarkov([[0.3, 0.7]] * 4).degenerate
    assert not OrderKMarkov([[0.3, 0.7]] * 3 + [[0.7, 0.3]]).degenerate


def test_starting_at_stationarity_is_told_from_starting_elsewhere() -> None:
    chain = Markov(CYCLIC)
    assert chain.starts_stationary
    assert Markov(CYCLIC, start=chain.stationary).starts_stationary
    assert not Markov(CYCLIC, start=LAW).starts_stationary
    pairs = OrderKMarkov(SECOND)
    assert OrderKMarkov(SECOND, start=pairs.stationary_contexts).starts_stationary
    # single symbols of the law pi, but independent ones
    assert not OrderKMarkov(SECOND, start=pairs.stationary).starts_stationary
    assert LagMarkov(chain, 2).starts_stationary
    assert not LagMarkov(Markov(CYCLIC, start=LAW), 2).starts_stationary


def test_a_long_lag_needs_no_table_of_contexts() -> None:
    source = LagMarkov(BinaryMarkov("0.2", "0.3"), 100)
    tokens = source.sample(3, 250, torch.Generator().manual_seed(0))
    law = source.conditional_law(tokens)
    assert law.shape == (3, 250, 2)
    assert law[:, :99].unique().tolist() == source.stationary.tolist()[::-1]
    expected = 99 * source.unigram_entropy + 151 * source.entropy_rate
    assert abs(source.loss_of("optimal", 250) - expected / 250) < 1e-14  # 99 roundings


def test_sources_are_equal_where_their_numbers_are() -> None:
    chain, turned = Markov(CYCLIC), Markov(CYCLIC.T / CYCLIC.T.sum(1)[:, None])
    assert chain == Markov(CYCLIC.tolist())
    assert hash(chain) == hash(Markov(CYCLIC.copy()))
    assert chain != Markov(CYCLIC, start=LAW) != turned
    assert LagMarkov(chain, 2) == LagMarkov(Markov(CYCLIC), 2) != LagMarkov(chain, 3)
    assert SwitchingMarkov(3, "0.5") == SwitchingMarkov(3, 0.5) != SwitchingMarkov(4, 0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: known_reference("trigram"),
            "reference='trigram' is unknown; give 'unigram', 'big",
        ),
        (lambda: CHAIN.context_law(0), "length=0 is out of range; give an integer of at least 1"),
        (lambda: CHAIN.loss_of("optimal", 0), "length=0 is out of range"),
        (lambda: CHAIN.lag_covariance(-1), "lag=-1 is negative; give a lag of at least 0"),
        (lambda: LagMarkov(CHAIN, 0), "lag=0 is out of range; give an integer of at least 1"),
        (lambda: LagMarkov(PAIRED, 2), "chain is of order 2; give a first-order one: BinaryM"),
        (
            lambda: SwitchingMarkov(1, 0.5),
            "states=1 is out of range; give an integer of at least 2",
        ),
        (lambda: SwitchingMarkov(3, 1.0), r"p=1\.0 is outside \(0, 1\): p is a switching prob"),
    ],
)
def test_impossible_references_lengths_and_lags_are_refused(
    call: Callable[[], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        call()
