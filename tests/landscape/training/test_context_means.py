"""Means over the contexts: the predicted law, attention and its share, and the rank of matrices."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from landscape.models import SingleLayer
from landscape.models.gpt import GPT
from landscape.models.initial import gaussian, standard
from landscape.models.parameters import parameters_of
from landscape.objectives.exact import ExactLoss
from landscape.objectives.population import Population
from landscape.objectives.sampled import SampledLoss
from landscape.points.bigram import bigram_point
from landscape.sources.markov import Markov
from landscape.training import context_means as means_module
from landscape.training.context_means import context_means, rank_one_energy, weighted_contexts
from tests.landscape.training.binary_runs import P, Q, exact, record_of, sampled
from tests.planted.readers import LastTwo, Shown
from tests.twins.single_layer import Weights, arrays, naive_logits, path_probability, sequences

LENGTH = 4
KERNEL = np.array([[1 - P, P], [Q, 1 - Q]])


def single(seed: int = 0) -> tuple[SingleLayer, dict[str, Tensor]]:
    """A small model and weights of order 1, for which attention is far from uniform."""
    model = SingleLayer(width=3, length=LENGTH, tying="untied")
    return model, gaussian(model, 1.0, seed)


def stacked(params: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value[None] for name, value in params.items()}


def chances(paths: np.ndarray) -> np.ndarray:
    return np.array([float(path_probability(tuple(path), P, Q)) for path in paths])


def naive_probability(weights: Weights, paths: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """E[prediction | x_n = s], [N,2,2], sequence by sequence."""
    total, seen = np.zeros((paths.shape[1], 2, 2)), np.zeros((paths.shape[1], 2, 1))
    for path, share in zip(paths, chance, strict=True):
        for n, (symbol, logit) in enumerate(zip(path, naive_logits(weights, path), strict=True)):
            one = 1 / (1 + math.exp(-float(logit)))
            total[n, symbol] += share * np.array([1 - one, one])
            seen[n, symbol] += share
    return total / seen


def naive_attention(weights: Weights, paths: np.ndarray) -> tuple[np.ndarray, ...]:
    """Attention [B,N,N], and norms of what it adds and of the stream, [B,N], query by query."""
    seen: list[dict[str, Any]] = []
    naive_logits(weights, paths, seen=seen)
    matrices = np.zeros((*paths.shape, paths.shape[1]))
    for n, at in enumerate(seen):
        matrices[:, n, : n + 1] = np.stack(at["shares"], axis=-1)
    added, stream = (np.array([at[name] for at in seen]) for name in ("added", "stream"))
    return matrices, *(np.sqrt((x**2).sum(-1)).T for x in (added, stream))


# --- the predicted law


@pytest.mark.parametrize("seed", [0, 1])
def test_the_predicted_law_is_the_mean_prediction_after_a_symbol(seed: int) -> None:
    model, params = single(seed)
    contexts = weighted_contexts(exact(P, Q, LENGTH))
    found = context_means(model, stacked(params), contexts)["probability"][0].numpy()
    paths = sequences(LENGTH)
    expected = naive_probability(arrays(params), paths, chances(paths))
    # sums of 16 numbers of order 1 with weights that sum to 1: a few eps
    assert np.abs(found - expected).max() < 1e-14
    unweighted = naive_probability(arrays(params), paths, np.full(len(paths), 1 / len(paths)))
    assert np.abs(found - unweighted).max() > 1e-3
    for wrong in (expected.swapaxes(1, 2), expected[::-1]):
        assert np.abs(found - wrong).max() > 1e-2


def test_at_the_bigram_point_the_predicted_law_is_the_kernel_at_every_position() -> None:
    model, loss = SingleLayer(width=4, length=3), exact(P, Q, 3)
    record = record_of(model, loss, start=bigram_point(model, loss, w=0.5).params)
    assert record.probability.shape == (1, 1, 3, 2, 2)
    assert record.probability.dtype == np.float32
    # stored in float32: half an eps of numbers below 1
    assert np.abs(record.probability[0, 0] - KERNEL).max() < 6e-8
    assert np.abs(record.probability[0, 0] - KERNEL.T).max() > 0.05
    energies = dict(zip(record.matrices, record.rank_one[0, 0], strict=True))
    assert abs(energies["hidden_in"] - 1) < 1e-14
    assert abs(energies["output"] - 1 / 4) < 1e-14  # the identity
    assert math.isnan(energies["value"])  # zero
    nearest = dict(zip(record.references, record.distance[0, 0], strict=True))
    # a distance is quadratic: eps of the logits leaves nothing
    assert max(abs(nearest["bigram"]), abs(nearest["optimal"])) < 1e-15
    assert nearest["unigram"] > 0.1


def test_the_symbols_before_are_weighted_by_the_reversed_chain() -> None:
    generator = np.random.default_rng(3)
    kernel, table = generator.dirichlet(np.ones(3), 3), generator.standard_normal((4, 3, 3))
    loss = ExactLoss(Markov(kernel), 3)
    record = record_of(LastTwo(3), loss, start={"table": torch.from_numpy(table)})
    law = np.exp(table) / np.exp(table).sum(-1, keepdims=True)
    pi = np.linalg.matrix_power(kernel, 4096)[0]
    reversed_chain = (pi[:, None] * kernel / pi).T  # P(x_{n-1} = r | x_n = s), [s, r]
    expected = np.einsum("sr,rst->st", reversed_chain, law[:3])
    assert np.abs(record.probability[0, 0, 1:] - expected).max() < 6e-8  # float32
    assert np.abs(record.probability[0, 0, 0] - law[3]).max() < 6e-8  # after a blank
    for wrong in (kernel, np.tile(pi, (3, 1)), np.full((3, 3), 1 / 3)):
        mixed = np.einsum("sr,rst->st", wrong, law[:3])
        assert np.abs(record.probability[0, 0, 1:] - mixed).max() > 1e-2
    assert record.attention is record.attention_share is None
    assert record.matrices == ()
    assert record.rank_one.shape == (1, 1, 0)


def test_long_contexts_are_the_first_64_of_those_held_out() -> None:
    model, loss = SingleLayer(width=2, length=20), sampled(20)
    start = gaussian(model, 1.0, 2)
    record = record_of(model, loss, start=start)
    held_out = Population(model, [loss], 1).losses[0]
    assert isinstance(held_out, SampledLoss)
    tokens = held_out.tokens.numpy()
    assert record.contexts == 64 < len(tokens)
    expected, others = (
        naive_probability(arrays(start), part, np.full(64, 1 / 64))
        for part in (tokens[:64], tokens[-64:])
    )
    assert np.abs(record.probability[0, 0] - expected).max() < 1e-6  # float32
    assert np.abs(record.probability[0, 0] - others).max() > 1e-3


def test_a_symbol_that_never_shows_has_no_predicted_law() -> None:
    tokens, weights = torch.tensor([[0, 1], [0, 0]]), torch.tensor([0.5, 0.5]).double()
    params = stacked(parameters_of(LastTwo(2)))
    found = context_means(LastTwo(2), params, (tokens, weights))["probability"][0]
    assert found[0, 0].tolist() == [0.5, 0.5]
    assert found[0, 1].isnan().all()
    assert found[1].tolist() == [[0.5, 0.5], [0.5, 0.5]]


@pytest.mark.parametrize("entries", [1, 12, 200, 700])
def test_the_means_do_not_depend_on_the_parts_they_are_computed_in(
    entries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, starts = single()[0], [single(seed)[1] for seed in range(3)]
    params = {name: torch.stack([start[name] for start in starts]) for name in starts[0]}
    contexts = weighted_contexts(exact(P, Q, LENGTH))
    whole = context_means(model, params, contexts)
    monkeypatch.setattr(means_module, "ENTRIES", entries)
    parts = context_means(model, params, contexts)
    assert parts.keys() == whole.keys()
    for name, value in whole.items():
        assert (parts[name] - value).abs().max() < 1e-14  # another order of summation
    less = context_means(model, params, (contexts[0][:-1], contexts[1][:-1]))
    assert (less["probability"] - whole["probability"]).abs().max() > 1e-3


# --- attention


@pytest.mark.parametrize("seed", [0, 1])
def test_attention_and_its_share_are_those_of_the_enumeration(seed: int) -> None:
    model, params = single(seed)
    found = context_means(model, stacked(params), weighted_contexts(exact(P, Q, LENGTH)))
    paths = sequences(LENGTH)
    weights = chances(paths)
    matrices, added, stream = naive_attention(arrays(params), paths)
    mean, attention = np.einsum("b,bnm->nm", weights, matrices), found["attention"][0, 0, 0].numpy()
    # sums of 16 contexts of order 1
    assert np.abs(attention - mean).max() < 1e-14
    assert np.abs(attention - matrices.mean(0)).max() > 1e-3
    assert np.abs(attention - mean.T).max() > 1e-1
    share = found["attention_share"][0, 0].item()
    a, u = weights @ added.sum(1), weights @ stream.sum(1)
    assert abs(share - a / (a + u)) < 1e-14
    for wrong in (a / u, u / (a + u), weights @ (added / (added + stream)).mean(1)):
        assert abs(share - wrong) > 1e-4


@pytest.mark.parametrize("zero", [("query",), ("key",), ("query", "value")], ids=str)
def test_without_query_or_key_attention_is_uniform(zero: tuple[str, ...]) -> None:
    uniform = np.tril(np.ones((LENGTH, LENGTH))) / np.arange(1, LENGTH + 1)[:, None]
    model, params = single(2)
    loss = exact(P, Q, LENGTH)
    record = record_of(model, loss, start=params | {name: params[name] * 0 for name in zero})
    assert record.attention.dtype == np.float32
    assert np.abs(record.attention[0, 0, 0, 0] - uniform).max() < 6e-8  # float32
    assert (record.attention_share[0, 0, 0] == 0) == ("value" in zero)
    means = context_means(model, stacked(params), weighted_contexts(loss))
    assert np.abs(means["attention"][0, 0, 0].numpy() - uniform).max() > 1e-2


def test_a_deep_model_is_recorded_layer_by_layer_and_head_by_head() -> None:
    loss = ExactLoss(Markov(np.random.default_rng(0).dirichlet(np.ones(3), 3)), 3)
    sizes: dict[str, Any] = {"states": 3, "width": 4, "length": 3, "layers": 2, "heads": 2}
    options: dict[str, Any] = {"steps": 3, "seeds": [0, 1], "lr": 0.1, "checkpoints": 3}
    records = [record_of(GPT(**sizes, window=window), loss, **options) for window in (1, None)]
    near, far = (record.attention for record in records)
    assert near.shape == far.shape == (2, 3, 2, 2, 3, 3)
    assert np.array_equal(near, np.broadcast_to(np.eye(3), near.shape))  # each sees itself alone
    assert np.abs(far - np.eye(3)).max() > 0.1
    assert np.abs(far.sum(-1) - 1).max() < 2e-7  # float32
    assert not np.array_equal(far[:, 2, 0], far[:, 2, 1])
    assert not np.array_equal(far[:, 2, :, 0], far[:, 2, :, 1])
    assert any(name.endswith(".hidden_in") for name in records[0].matrices)
    assert len(set(records[0].matrices)) == records[0].rank_one.shape[-1]


def test_layers_and_heads_keep_their_places() -> None:
    record = record_of(Shown(2), exact(P, Q, 3), start=parameters_of(Shown(2)))
    assert record.attention.shape == (1, 1, 2, 3, 3, 3)
    # P(x_1 = 1) = .4 and the number of the head
    expected = 0.4 + np.arange(6).reshape(2, 3)
    assert record.attention[0, 0, :, :, 2, 1] == pytest.approx(expected, rel=1e-7)  # float32
    assert record.attention_share[0, 0] == pytest.approx([1 / 2, 3 / 4], rel=1e-14)


def test_a_model_that_shows_nothing_has_no_attention_in_its_record() -> None:
    class Silent(LastTwo):
        def observe(self, tokens: Tensor) -> dict[str, Tensor]:
            return {}

    record = record_of(Silent(2), exact(P, Q, 3), steps=1)
    assert record.attention is record.attention_share is None
    assert "attention" not in record.to_xarray()


# --- the rank of matrices


@pytest.mark.parametrize("values", [(3.0, 1.0), (2.0, 2.0), (5.0, 0.0), (1e-9, 1e-10)])
def test_rank_one_energy_is_the_share_of_the_chosen_singular_value(
    values: tuple[float, float],
) -> None:
    generator = np.random.default_rng(4)
    left = np.linalg.qr(generator.standard_normal((5, 5)))[0][:, :2]
    right = np.linalg.qr(generator.standard_normal((3, 3)))[0][:, :2]
    matrix = torch.from_numpy(left @ np.diag(values) @ right.T)
    found = rank_one_energy(matrix).item()
    squares = [value**2 for value in values]
    assert found == pytest.approx(squares[0] / sum(squares), rel=1e-13)
    assert rank_one_energy(matrix.T).item() == pytest.approx(found, rel=1e-13)
    if values[1] not in (0.0, values[0]):
        assert found != pytest.approx(values[0] / sum(values), rel=1e-2)


def test_a_matrix_that_has_no_share_spoils_no_other() -> None:
    matrices = torch.eye(2).repeat(4, 1, 1)
    matrices[1] = 0
    matrices[2, 0, 1] = math.inf
    matrices[3, 1, 1] = math.nan
    found = rank_one_energy(matrices)
    assert found[0] == 0.5
    assert found[1:].isnan().all()


def test_every_matrix_is_named_and_nothing_else() -> None:
    model, loss = SingleLayer(width=2, length=3), exact(P, Q, 3)
    record, start = record_of(model, loss, steps=1), arrays(standard(model, 0))
    linear = ("query", "key", "value", "output", "hidden_in", "hidden_out")
    assert record.matrices == ("positions", *linear)
    for name, energy in zip(record.matrices, record.rank_one[0, 0], strict=True):
        squares = np.linalg.eigvalsh(start[name].T @ start[name])  # another algorithm
        assert energy == pytest.approx(squares[-1] / squares.sum(), rel=1e-12)
    # a single column has rank one and nothing to tell
    assert record_of(SingleLayer(width=1, length=3), loss, steps=1).matrices == ()
