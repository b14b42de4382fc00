"""Samples of every source against its exact law; each pitfall of the reference code by name."""

import math
import random
from collections.abc import Callable
from fractions import Fraction
from itertools import accumulate

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy.stats import chi2
from torch import Tensor

from landscape.sources import BinaryMarkov, FiniteMemory, InContext, LagMarkov, Markov, OrderKMarkov
from landscape.sources.sampling import compose, symbols as drawn_symbols, thresholds
from tests.twins.sources import (
    CYCLIC,
    FINITE,
    LEARNING,
    ROTATION,
    SPARSE,
    TWINS,
    Law,
    Path,
    Rule,
    Twin,
    named,
    paths,
    random_rows,
    table,
)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(law: Law, u: float) -> int:
    """How many of P(x >= 1), ..., P(x >= S-1) exceed u, in rationals."""
    tails = list(accumulate(Fraction(float(chance)) for chance in reversed(law)))[::-1]
    return sum(Fraction(u) * tails[0] < tail for tail in tails[1:])


def stepwise(rule: Rule, u: Tensor) -> list[list[int]]:
    """One symbol after the other, each from the law after the symbols before it."""
    rows = []
    for numbers in u.tolist():
        path: Path = ()
        for number in numbers:
            path = (*path, drawn(rule(path), number))
        rows.append(list(path))
    return rows


def following(twin: Twin) -> Rule:
    """The law of the next symbol after each prefix, as the quotient of path probabilities."""

    def rule(path: Path) -> list[float]:
        return [twin.chance((*path, t)) / twin.chance(path) for t in range(twin.states)]

    return rule


@pytest.mark.parametrize("twin", FINITE, ids=named)
def test_no_step_loop_the_composed_maps_are_the_loop_over_steps(twin: Twin) -> None:
    u = torch.rand(6, 23, generator=generator(3), dtype=torch.float64)
    tokens = twin.source.sample(6, 23, generator(3))
    assert tokens.dtype == torch.int64
    assert tokens.tolist() == stepwise(following(twin), u)
    assert tokens.tolist() != stepwise(following(twin), u.flip(1))


@settings(max_examples=40)
@given(
    states=st.integers(2, 4),
    order=st.integers(1, 3),
    lagged=st.booleans(),
    batch=st.integers(1, 3),
    length=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_step_loop_for_any_kernel_memory_and_length(
    states: int, order: int, lagged: bool, batch: int, length: int, seed: int
) -> None:
    rows = random_rows(states if lagged else states**order, states, seed)
    start: np.ndarray = random_rows(1, states, seed + 1)[0]
    source: FiniteMemory = (
        LagMarkov(Markov(rows, start=start), order) if lagged else OrderKMarkov(rows, start=start)
    )
    next_law = table(rows)

    def rule(path: Path) -> Law:
        if len(path) < order:
            return start
        return next_law(path[-order : 1 - order or None] if lagged else path[-order:])

    u = torch.rand(batch, length, generator=generator(seed), dtype=torch.float64)
    assert source.sample(batch, length, generator(seed)).tolist() == stepwise(rule, u)


@pytest.mark.parametrize("twin", LEARNING, ids=named)
def test_no_step_loop_when_every_sequence_has_its_own_kernel(twin: Twin) -> None:
    source = twin.source
    assert isinstance(source, InContext)
    own = generator(4)
    kernels = source.kernels(5, own)
    u = torch.rand(5, 23, generator=own, dtype=torch.float64)
    tokens = source.sample(5, 23, generator(4))
    assert (kernels[0] != kernels[1]).any()
    for row in range(5):
        after = table(kernels[row].numpy())

        def rule(path: Path, after: Callable[[Path], Law] = after) -> Law:
            return source.start if len(path) < source.order else after(path[-source.order :])

        assert tokens[row].tolist() == stepwise(rule, u[row : row + 1])[0]


def test_the_binary_chain_draws_as_the_same_kernel_does_by_composition() -> None:
    for p, q in (("0.2", "0.3"), ("0.5", "0.8"), ("0.3", "0.7")):
        binary = BinaryMarkov(p, q)
        other = Markov(binary.kernel, start=binary.stationary)
        assert torch.equal(binary.sample(7, 300, generator(1)), other.sample(7, 300, generator(1)))
        lagged = LagMarkov(binary, 3).sample(7, 300, generator(1))
        assert torch.equal(lagged, LagMarkov(other, 3).sample(7, 300, generator(1)))


def test_maps_compose_in_the_order_of_time() -> None:
    maps = torch.randint(4, (3, 13, 4), generator=generator(0))
    composed = compose(maps)
    for row in range(3):
        for start in range(4):
            at = start
            for n in range(13):
                at = int(maps[row, n, at])
                assert composed[row, n, start] == at
    assert not torch.equal(compose(maps.flip(1))[:, -1], composed[:, -1])


LAST, ZERO = 1 - 2.0**-53, 0.0
"""The largest number below 1 and the smallest that a uniform draw gives."""


@pytest.mark.parametrize(
    "law", [[0, 0.3, 0.7], [0.3, 0, 0.7], [0.3, 0.7, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]
)
def test_a_symbol_of_probability_zero_is_never_drawn(law: list[float]) -> None:
    u = torch.tensor([ZERO, 2.0**-53, 0.3, 0.7, 0.5, LAST], dtype=torch.float64)
    tails = thresholds(torch.tensor(law, dtype=torch.float64))
    seen = set(drawn_symbols(u, tails).tolist())
    assert seen == {t for t in range(3) if law[t] > 0}


def test_a_draw_close_to_1_gives_a_symbol_that_has_a_chance() -> None:
    law = torch.tensor([0.0, *[0.1] * 10, 0.0], dtype=torch.float64)
    last = torch.tensor([LAST], dtype=torch.float64)
    assert drawn_symbols(last, thresholds(law)).tolist() == [1]
    rounded = law.flip(-1).cumsum(-1).flip(-1)[1:]  # ten tenths are below 1
    assert rounded[0] < 1
    assert drawn_symbols(last, rounded).tolist() == [0]


def test_forbidden_steps_never_happen_in_a_sample() -> None:
    for kernel in (SPARSE, ROTATION):
        tokens = Markov(kernel).sample(200, 300, generator(0))
        assert (kernel[tokens[:, :-1], tokens[:, 1:]] > 0).all()
        assert not (kernel.T[tokens[:, :-1], tokens[:, 1:]] > 0).all()


BATCH, LENGTH, LEVEL = 20_000, 4, 1e-3
"""Sequences and symbols of a frequency test, and its level: the seeds are fixed, so it holds once
and for all. A law that is off by a few percent is rejected below `REJECTED`."""

REJECTED = 1e-12


def p_value(tokens: Tensor, chances: np.ndarray, states: int) -> float:
    """Pearson's chi-square test of whole sequences, those expected less than 5 times as one."""
    places = states ** np.arange(tokens.shape[1])[::-1]
    counts = np.bincount(tokens.numpy() @ places, minlength=len(chances))
    expected = chances * len(tokens)
    assert counts[chances == 0].sum() == 0
    rare = expected < 5
    seen, hoped = counts[~rare], expected[~rare]
    if expected[rare].sum() > 5:
        seen = np.append(seen, counts[rare].sum())
        hoped = np.append(hoped, expected[rare].sum())
    return float(chi2.sf(((seen - hoped) ** 2 / hoped).sum(), len(hoped) - 1))


@pytest.mark.parametrize("twin", TWINS, ids=named)
def test_sampled_frequencies_are_the_law_of_the_walked_paths(twin: Twin) -> None:
    chances = np.array([twin.chance(path) for path in paths(twin.states, LENGTH)])
    tokens = twin.source.sample(BATCH, LENGTH, generator(11))
    assert p_value(tokens, chances, twin.states) > LEVEL
    reversed_in_time = tokens.flip(1)
    if twin.name == "random":
        assert p_value(reversed_in_time, chances, twin.states) < REJECTED


def test_sampled_frequencies_reject_another_kernel() -> None:
    for twin in TWINS:
        chances = np.array([twin.chance(path) for path in paths(twin.states, LENGTH)])
        if not (chances > 0).all():
            continue
        tilted = chances * (1 + 0.1 * np.cos(np.pi * np.arange(len(chances))))
        tokens = twin.source.sample(BATCH, LENGTH, generator(11))
        assert p_value(tokens, tilted / tilted.sum(), twin.states) < REJECTED


@pytest.mark.parametrize("twin", [t for t in TWINS if t.source.starts_stationary], ids=named)
def test_pitfall_the_first_symbol_follows_the_stationary_law(twin: Twin) -> None:
    source = twin.source
    first = source.sample(BATCH, 1, generator(5))
    assert p_value(first, source.stationary, twin.states) > LEVEL
    law = source.stationary[::-1]
    if np.abs(law - source.stationary).max() > 0.05:  # the reference's binary chain swaps them
        assert p_value(first, law, twin.states) < REJECTED


def test_pitfall_a_swapped_stationary_law_is_a_control_that_was_used() -> None:
    swapped = [
        t.name for t in TWINS if abs(t.source.stationary[0] - t.source.stationary[-1]) > 0.05
    ]
    assert {"binary", "order 2", "lag 2"} <= set(swapped)


@pytest.mark.parametrize("twin", TWINS, ids=named)
def test_pitfall_the_seed_is_honoured_and_nothing_else_is_touched(twin: Twin) -> None:
    def ambient() -> tuple[bytes, str, object]:
        state = torch.get_rng_state().numpy().tobytes()
        return state, str(np.random.get_state()), random.getstate()

    before = ambient()
    first, again, other = (twin.source.sample(20, 30, generator(seed)) for seed in (5, 5, 6))
    assert ambient() == before
    assert first.numpy().tobytes() == again.numpy().tobytes()
    assert not torch.equal(first, other)
    own = generator(5)
    assert not torch.equal(twin.source.sample(20, 30, own), twin.source.sample(20, 30, own))
    torch.rand(1)
    assert ambient() != before


@pytest.mark.parametrize("twin", TWINS, ids=named)
def test_pitfall_the_last_target_is_a_real_one(twin: Twin) -> None:
    contexts = [path for path in paths(twin.states, 4) if twin.chance(path) > 0]
    law = twin.source.conditional_law(torch.tensor(contexts))
    assert law.shape == (len(contexts), 4, twin.states)
    worst = 0.0
    for row, path in enumerate(contexts):
        real = [twin.chance((*path, t)) / twin.chance(path) for t in range(twin.states)]
        # quotients of products of up to 5 factors
        assert np.abs(law[row, -1].numpy() - real).max() < 1e-13
        worst = max(worst, abs(float(law[row, -1, 0]) - float(path[0] == 0)))
    assert worst > 0.1  # a target rolled round to the first symbol would be 0 or 1


@pytest.mark.parametrize("twin", TWINS, ids=named)
def test_pitfall_the_rows_of_the_kernel_sum_to_one(twin: Twin) -> None:
    source = twin.source
    if isinstance(source, InContext):
        rows = source.kernels(50, generator(0)).flatten(0, 1).numpy()
    else:
        assert isinstance(source, FiniteMemory)
        rows = source.kernel
    assert np.abs(rows.sum(1) - 1).max() < 4 * twin.states * np.finfo(np.float64).eps
    assert (rows >= 0).all()


@pytest.mark.parametrize("twin", TWINS, ids=named)
def test_impossible_batches_and_lengths_are_refused(twin: Twin) -> None:
    with pytest.raises(ValueError, match=r"batch=0, length=3: both must be at least 1"):
        twin.source.sample(0, 3, generator(0))
    with pytest.raises(ValueError, match=r"batch=3, length=0: both must be at least 1"):
        twin.source.sample(3, 0, generator(0))
    assert twin.source.sample(1, 1, generator(0)).shape == (1, 1)


def test_a_sample_longer_than_a_power_of_two_keeps_its_law_to_the_end() -> None:
    chain = Markov(CYCLIC)
    tokens = chain.sample(BATCH, 131, generator(8))
    joint = (chain.stationary[:, None] * chain.kernel).reshape(-1)
    assert p_value(tokens[:, -2:], joint, 3) > LEVEL
    assert p_value(tokens[:, [-1, -2]], joint, 3) < REJECTED
    assert math.isclose(joint.sum(), 1)
