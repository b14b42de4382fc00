"""Every model on every source: the exact loss by enumeration, and a batch of runs as single runs.

Sequences are weighted by `tests.twins.sources`, which walk them symbol by symbol, and
logits come from the loops of `tests.twins.single_layer` and `tests.twins.gpt`: plain numpy, and
nothing of `landscape` but the objects under test.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings, strategies as st
from torch import Tensor, nn

from landscape.models import GPT, ReducedModel, SingleLayer
from landscape.models.initial import low_rank, standard
from landscape.objectives.exact import ExactLoss
from landscape.objectives.sampled import SampledLoss
from landscape.sources import (
    BinaryMarkov,
    InContext,
    LagMarkov,
    Markov,
    OrderKMarkov,
    SampledSource,
    SwitchingMarkov,
)
from landscape.training.loop import train, train_together
from landscape.training.recipe import Recipe
from landscape.training.trajectory import Trajectory
from tests.laws.models import MODELLED, Modelled, gpt, named as model_name, single_layer
from tests.planted.readers import LastTwo
from tests.twins.sources import (
    Twin,
    first_order,
    lagged,
    learning,
    named,
    paths,
    random_rows,
    remembering,
    table,
)

# --- the exact loss and the sampled one, by enumeration -----------------------------------------


KERNELS = {states: random_rows(states, states, 19) for states in (2, 3, 4)}


def symmetric(states: int) -> np.ndarray:
    rows = random_rows(states, states, 7)
    mixture = (rows + rows.T) / (2 * states)
    return np.asarray(mixture + np.diag(1 - mixture.sum(1)))


def twins_of(states: int) -> list[Twin]:
    """Each kind of source on so many symbols, beside the rule that its paths are walked by."""
    kernel, second = KERNELS[states], random_rows(states**2, states, 4)
    start = random_rows(1, states, 5)[0]
    binary = np.array([[0.8, 0.2], [0.3, 0.7]])
    own = [first_order("binary", BinaryMarkov("0.2", "0.3"), binary)] if states == 2 else []
    return [
        *own,
        first_order("non-reversible", Markov(kernel), kernel),
        first_order("symmetric", Markov(symmetric(states)), symmetric(states)),
        first_order("from a law", Markov(kernel, start=start), kernel, start),
        remembering("order 2", OrderKMarkov(second), 2, table(second)),
        lagged("lag 2", LagMarkov(Markov(kernel), 2), kernel),
        learning("in context", InContext(states)),
    ]


PAIRS = Modelled(
    "last two symbols", lambda: LastTwo(3), {"table": (4, 3, 3)},
    lambda w, tokens: w["table"][np.c_[np.full(len(tokens), 3), tokens[:, :-1]], tokens], 3, 3,
)  # fmt: skip


def cross_entropy(logits: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """-<r, ln softmax(l)> of logits l [..., S] and laws r."""
    largest = logits.max(-1, keepdims=True)
    logs = logits - largest - np.log(np.exp(logits - largest).sum(-1, keepdims=True))
    return np.asarray(-(answers * logs).sum(-1))


def loss_over_paths(logits_of: Callable[[np.ndarray], np.ndarray], twin: Twin, length: int) -> Any:
    """(1/N) sum P(x_1..x_{N+1}) sum_n CE(l_n, x_{n+1}) over all S^(N+1) sequences."""
    every = paths(twin.states, length + 1)
    chances = np.array([twin.chance(path) for path in every])
    tokens = np.array(every)
    targets = np.eye(twin.states)[tokens[:, 1:]]
    return chances @ cross_entropy(logits_of(tokens[:, :-1]), targets).mean(1)


@pytest.mark.parametrize("case", [*MODELLED, PAIRS], ids=model_name)
def test_the_exact_loss_is_the_sum_over_every_sequence_of_every_source(case: Modelled) -> None:
    twins = twins_of(case.states)
    values = {}
    for twin in twins:
        values[twin.name] = ExactLoss(twin.source, case.length)(case.model, case.params).item()
        naive = loss_over_paths(case.logits, twin, case.length)
        # up to 256 terms of order 1 with a few roundings each
        assert abs(values[twin.name] - naive) < 1e-14 * max(1.0, naive)
    for name in ("non-reversible", "symmetric"):  # control: of another kernel a millionth is seen
        kernel = symmetric(case.states) if name == "symmetric" else KERNELS[case.states]
        near = (1 - 1e-6) * kernel + 1e-6 * np.roll(np.eye(case.states), 1, axis=1)
        naive = loss_over_paths(case.logits, first_order(name, Markov(near), near), case.length)
        assert abs(values[name] - naive) > 1e-9
    if case.states > 2:  # control: the chain run backwards, which only a kernel can tell
        kernel = KERNELS[case.states]
        law = Markov(kernel).stationary
        backwards = kernel.T * law / law[:, None]
        turned = first_order("backwards", Markov(backwards), backwards)
        naive = loss_over_paths(case.logits, turned, case.length)
        assert abs(values["non-reversible"] - naive) > 1e-6
    # control: the sequences of another source of as many symbols
    for twin, other in zip(twins, twins[1:] + twins[:1], strict=True):
        naive = loss_over_paths(case.logits, other, case.length)
        assert abs(values[twin.name] - naive) > 1e-6


def test_a_loss_that_forgets_the_oldest_symbol_is_refuted() -> None:
    """The bigram's chain has the pairs of an order-2 source, and another loss: triples count."""
    case = gpt({"width": 3, "length": 3, "hidden": 4})
    rows = random_rows(4, 2, 4)
    twin = remembering("order 2", OrderKMarkov(rows), 2, table(rows))
    pairs = np.array([twin.bigram((s,)) for s in range(2)])
    forgetful = first_order("pairs", Markov(pairs), pairs)
    value = ExactLoss(twin.source, 3)(case.model, case.params).item()
    assert abs(value - loss_over_paths(case.logits, twin, 3)) < 1e-14
    assert abs(value - loss_over_paths(case.logits, forgetful, 3)) > 1e-5


TERNARY = gpt({"states": 3, "width": 4, "length": 5, "hidden": 4, "heads": 2, "layers": 2})
SAMPLED = [
    # by context where those are fewer than the positions, else by sequence
    *[(twin, TERNARY, *sizes) for twin in twins_of(3) for sizes in ((2, 40), (5, 6))],
    *[(twins_of(3)[2], PAIRS, *sizes) for sizes in ((3, 60), (8, 4))],
    *[(twins_of(2)[0], case, 4, 40) for case in MODELLED[:3]],
    *[(twins_of(2)[0], single_layer(tying, 3, 24, 12), 24, 2) for tying in ("tied", "untied")],
]


@pytest.mark.parametrize(
    ("twin", "case", "length", "batch"), SAMPLED, ids=lambda x: getattr(x, "name", x)
)
def test_the_sampled_loss_is_the_mean_over_its_own_sequences(
    twin: Twin, case: Modelled, length: int, batch: int
) -> None:
    loss = SampledLoss(twin.source, length, batch=batch, seed=3)
    tokens = loss.tokens.numpy()
    laws = np.array([[twin.optimal(tuple(row[: n + 1])) for n in range(length)] for row in tokens])
    logits = case.logits(tokens)
    terms = cross_entropy(logits, laws)
    value = loss(case.model, case.params).item()
    assert abs(value - terms.mean()) < 1e-14
    assert abs(loss.by_sequence(case.model, case.params).mean().item() - terms.mean()) < 1e-14
    if case in MODELLED[:3]:
        assert loss.rows(case.model) == 2**5 - 2  # contexts, not 160 positions
    error = loss.standard_error(case.model, case.params).item()
    assert abs(error - terms.mean(1).std(ddof=1) / math.sqrt(batch)) < 1e-15
    # controls: the spread of B, not B - 1; each position with the law of the one before it, and
    # the symbols that were drawn for their laws
    assert abs(error - terms.mean(1).std() / math.sqrt(batch)) > 1e-6
    moved = cross_entropy(logits, np.roll(laws, 1, axis=1)).mean()
    drawn = cross_entropy(logits[:, :-1], np.eye(case.states)[tokens[:, 1:]]).mean()
    assert min(abs(value - moved), abs(value - drawn)) > 1e-4


@pytest.mark.parametrize("twin", twins_of(3)[3:] + twins_of(3)[:1], ids=named)
def test_sampled_losses_spread_about_the_exact_one_as_they_say(twin: Twin) -> None:
    seeds, batch, length = 100, 8, 4
    given = TERNARY.model, TERNARY.params
    drawn = [SampledLoss(twin.source, length, batch=batch, seed=seed) for seed in range(seeds)]
    pairs = [(loss(*given).item(), loss.standard_error(*given).item()) for loss in drawn]
    losses, errors = np.array(pairs).T
    exact = loss_over_paths(TERNARY.logits, twin, length)
    stated = math.sqrt((errors**2).mean() / seeds)
    assert abs(losses.mean() - exact) < 4 * stated  # missed by one right source in 16000
    # a variance estimated from 100 normal losses is known to a share sqrt(2/99) = .14
    assert 0.5 < losses.var(ddof=1) / (errors**2).mean() < 1.7
    # control: the same comparison with a loss 5 of its errors away
    assert abs(losses.mean() - (exact + 9 * stated)) > 4 * stated


# --- a batch of runs is its single runs ---------------------------------------------------------

SHARES = st.integers(1, 19).map(lambda twentieths: f"{twentieths / 20:.2f}")
SEEDS = st.integers(0, 999)


SOURCES: dict[str, Callable[[Any, int], SampledSource]] = {
    "binary": lambda draw, states: BinaryMarkov(draw(SHARES), draw(SHARES)),
    "switching": lambda draw, states: SwitchingMarkov(states, draw(SHARES)),
    "random kernel": lambda draw, states: Markov.dirichlet(states, seed=draw(SEEDS)),
    "from a law": lambda draw, states: Markov(
        random_rows(states, states, draw(SEEDS)), start=random_rows(1, states, draw(SEEDS))[0]
    ),
    "order 2": lambda draw, states: OrderKMarkov.dirichlet(states, 2, seed=draw(SEEDS)),
    "lag 2": lambda draw, states: LagMarkov(Markov.dirichlet(states, seed=draw(SEEDS)), 2),
    "in context": lambda draw, states: InContext(
        states, concentration=draw(st.sampled_from([0.3, 0.5, 1.0, 2.0]))
    ),
}


YES = st.sampled_from([True, False])  # the first of each is what hypothesis shrinks to


def any_gpt(draw: Any, states: int, length: int) -> GPT:
    heads, attention = draw(st.integers(1, 2)), draw(YES)
    part = draw(st.integers(1 if heads > 1 else 2, 3))  # LayerNorm of one number forgets it
    positions = ["learned", *(["relative"] if attention else []), "none"]
    return GPT(
        states=states,
        length=length,
        heads=heads,
        width=heads * part,
        layers=draw(st.sampled_from([2, 1])),
        hidden=draw(st.integers(1, 4)),
        tying=draw(st.sampled_from(["tied", "untied"])),
        layer_norm=draw(YES),
        activation=draw(st.sampled_from(["gelu", "relu"])),
        biases=draw(YES),
        positions=draw(st.sampled_from(positions)),
        window=draw(st.sampled_from([None, 1, 2])) if attention else None,
        attention=attention,
        feedforward=draw(YES),
    )


def any_single_layer(draw: Any, states: int, length: int) -> SingleLayer:
    tying = draw(st.sampled_from(["tied", "untied"]))
    return SingleLayer(width=draw(st.integers(2, 4)), length=length, tying=tying)


KINDS: dict[str, Callable[[Any, int, int], nn.Module]] = {
    "single-layer": any_single_layer,
    "reduced": lambda draw, states, length: ReducedModel(),
    "gpt": any_gpt,
}


@dataclass(frozen=True)
class Runs:
    """Two chains, two seeds, and how they are trained."""

    model: nn.Module
    chains: tuple[SampledSource, SampledSource]
    length: int
    batch: int | None  # of sampled data; None is exact
    options: dict[str, Any]
    one_by_one: bool  # the batch in parts of a run each

    def objective(self, chain: SampledSource) -> ExactLoss | SampledLoss:
        if self.batch is None:
            return ExactLoss(chain, self.length)
        return SampledLoss(chain, self.length, batch=self.batch, seed=0)

    def told_apart(self, first: int, second: int) -> bool:
        """Whether two seeds differ: few signs may well be drawn twice."""
        start = self.options["initial"] or (lambda seed: standard(self.model, seed))
        one, other = start(first), start(second)
        return self.batch is not None or any(not torch.equal(one[k], other[k]) for k in one)


def any_runs(draw: Any, source: str, kind: str) -> Runs:
    """Random runs of a model of this kind on a source of that kind.

    Rank-one starts go with SGD. They lie on exact cancellations, ``E_s + p_n = 0``, where gradients
    are 0 or mere rounding, which Adam divides by itself: see the last test of this file.
    """
    states = 2 if kind != "gpt" or source == "binary" else draw(st.integers(2, 3))
    length = draw(st.integers(2, 4 if states == 2 else 3))
    chains = (SOURCES[source](draw, states), SOURCES[source](draw, states))
    assume(chains[0] != chains[1])
    model = KINDS[kind](draw, states, length)
    optimizer = draw(st.sampled_from(["adamw", "sgd"]))
    options: dict[str, Any] = {"steps": 20, "optimizer": optimizer, "initial": None}
    if optimizer == "sgd":
        options["lr"] = draw(st.sampled_from([2e-3, 0.1]))
        if kind != "reduced" and draw(YES):
            options["initial"] = lambda seed: low_rank(model, seed)
    batch = draw(st.sampled_from([None, 3, 30]))
    return Runs(model, chains, length, batch, options, draw(YES))


def furthest(first: Trajectory, run: int, second: Trajectory, other: int = 0) -> float:
    """Largest difference of two runs in a loss (nats) or a parameter."""
    ends = [first.params[k][run] - second.params[k][other] for k in first.params]
    curves = np.abs(first.loss[run] - second.loss[other]).max()
    return max(*(end.abs().max().item() for end in ends), float(curves))


def check_that_runs_are_their_own(runs: Runs) -> None:
    seeds = [3, 1]
    objectives = [runs.objective(chain) for chain in runs.chains]
    with patch("landscape.objectives.population.ENTRIES", 1 if runs.one_by_one else 2**22):
        options = dict(runs.options)
        initial = options.pop("initial")
        recipe = Recipe(**options)
        together = train_together(runs.model, objectives, recipe, seeds=seeds, initial=initial)
    for objective, batch, other in zip(objectives, together, reversed(together), strict=True):
        assert (batch.source, batch.seeds) == (objective.source, tuple(seeds))
        for run, seed in enumerate(seeds):
            alone = train(runs.model, objective, seeds=[seed], **runs.options)
            # the promise: 20 steps of float64, whose rounding Adam's division amplifies
            assert furthest(batch, run, alone) < 1e-12
            if runs.told_apart(*seeds):  # control: the other seed
                assert furthest(batch, 1 - run, alone) > 1e-9
            if runs.options["initial"] is None:  # control: the other chain
                assert furthest(other, run, alone) > 1e-9


every_source = pytest.mark.parametrize("source", SOURCES)
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.mark.parametrize(
    ("source", "kind"), [(s, k) for s in SOURCES for k in KINDS if s == "binary" or k == "gpt"]
)
@settings(max_examples=2)
@given(data=st.data())
def test_a_run_of_a_batch_is_the_run_trained_alone(
    source: str, kind: str, data: st.DataObject
) -> None:
    check_that_runs_are_their_own(any_runs(data.draw, source, kind))


@pytest.mark.slow
@every_kind
@every_source
@settings(max_examples=12)
@given(data=st.data())
def test_a_run_of_a_batch_is_the_run_trained_alone_in_many_more_cases(
    source: str, kind: str, data: st.DataObject
) -> None:
    check_that_runs_are_their_own(any_runs(data.draw, source, kind))


def test_from_an_exact_cancellation_adam_amplifies_the_least_change_of_a_run() -> None:
    """Why rank-one starts go with SGD above: no batch is needed to move them under Adam.

    The change is planted, far above the rounding of any machine: the same run from embeddings
    larger by one part in 10^10. The controls are SGD from there, and Adam from another start.
    """
    model = GPT(states=3, width=6, length=2, heads=2, layers=2, hidden=4, layer_norm=False,
                biases=False)  # fmt: skip
    loss = SampledLoss(InContext(3), 2, batch=3, seed=0)
    start, change = low_rank(model, 1), 1e-10
    assert bool(((start["embedding"] + start["positions"][0]) == 0).all())

    def end_of(optimizer: str, start: dict[str, Tensor]) -> Trajectory:
        options: dict[str, Any] = {"steps": 20, "lr": 1e-2, "optimizer": optimizer}
        return train(model, loss, seeds=[1], initial=lambda seed: start, **options)

    def amplified_by(optimizer: str, start: dict[str, Tensor]) -> float:
        changed = {**start, "embedding": start["embedding"] * (1 + change)}
        return furthest(end_of(optimizer, start), 0, end_of(optimizer, changed)) / change

    assert amplified_by("adamw", start) > 1e7
    assert amplified_by("sgd", start) < 1
    assert amplified_by("adamw", standard(model, 1)) < 10
