from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import vmap

from landscape.models import Readable, ReducedModel, SingleLayer
from landscape.models.ansatz import ansatz
from landscape.models.initial import gaussian, standard
from landscape.models.parameters import call, parameters_of
from tests.check_values import agrees
from tests.twins.single_layer import naive_logits, random_weights, sequences, shapes

Weights = dict[str, np.ndarray]


def tensors(weights: Weights, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    return {name: torch.as_tensor(value, dtype=dtype) for name, value in weights.items()}


def condition(weights: Weights, length: int) -> float:
    """Round-off of a logit in units of eps: the sum of all |terms|, times the largest |score|.

    A score of size S is off by about S eps, and its softmax weight by that relative error.
    """
    size = {name: np.abs(value) for name, value in weights.items()}
    u = size["embedding"] + size["positions"].max(axis=0)
    score = (size["query"] @ u) @ (size["key"] @ u) / math.sqrt(len(u))
    ones = np.ones(length, dtype=np.int64)
    uniform = size | {"query": 0 * size["query"], "positions": np.tile(u, (length, 1))}
    return float((1 + score) * naive_logits(uniform, ones).max())


def largest_error(measured: Tensor, expected: np.ndarray) -> float:
    return float(np.abs(measured.detach().double().numpy() - expected).max())


SIZES = [(1, 1, 1), (2, 3, 5), (3, 2, 4), (4, 16, 7), (5, 1, 2)]


@pytest.mark.parametrize("tying", ["tied", "untied"])
@pytest.mark.parametrize(("width", "hidden", "length"), SIZES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("deviation", [0.02, 1.0, 3.0])
def test_forward_is_the_paper_written_in_loops(
    tying: str, width: int, hidden: int, length: int, dtype: torch.dtype, deviation: float
) -> None:
    layout = shapes(width, length, hidden, tying)
    model = SingleLayer(width=width, hidden=hidden, length=length, tying=tying, dtype=dtype)
    assert {name: tuple(p.shape) for name, p in model.named_parameters()} == layout
    params = tensors(random_weights(np.random.default_rng(7), layout, deviation), dtype)
    weights = {name: value.double().numpy() for name, value in params.items()}
    paths = sequences(length)
    logits = call(model, params, "forward", torch.from_numpy(paths))
    assert logits.dtype == dtype
    assert logits.shape == (2**length, length, 2)
    assert bool((logits[..., 0] == 0).all())
    # a dozen operations deep, each off by half a unit of the terms it adds
    allowed = 16 * torch.finfo(dtype).eps * condition(weights, length)
    assert largest_error(logits[..., 1], naive_logits(weights, paths)) < allowed


@settings(max_examples=40)
@given(
    width=st.integers(1, 5),
    hidden=st.integers(1, 9),
    length=st.integers(1, 6),
    tying=st.sampled_from(["tied", "untied"]),
    seed=st.integers(0, 2**32),
)
def test_forward_is_the_paper_at_any_width_hidden_width_and_length(
    width: int, hidden: int, length: int, tying: str, seed: int
) -> None:
    layout = shapes(width, length, hidden, tying)
    weights = random_weights(np.random.default_rng(seed), layout)
    model = SingleLayer(width=width, hidden=hidden, length=length, tying=tying)
    paths = sequences(length)
    logits = call(model, tensors(weights), "forward", torch.from_numpy(paths))
    allowed = 16 * 2.3e-16 * condition(weights, length)  # as above
    assert largest_error(logits[..., 1], naive_logits(weights, paths)) < allowed


MUTATIONS: dict[str, Callable[[Weights], Weights]] = {
    "no W_O": lambda w: w | {"output": np.eye(3)},
    "W_V before W_O": lambda w: w | {"value": w["output"], "output": w["value"]},
    "W_Q and W_K exchanged": lambda w: w | {"query": w["key"], "key": w["query"]},
    "scores not divided by sqrt(d)": lambda w: w | {"query": w["query"] * math.sqrt(3)},
    "matrices transposed": lambda w: w | {"value": w["value"].T, "output": w["output"].T},
    "tied": lambda w: w | {"readout": w["embedding"]},
    "positions shifted": lambda w: w | {"positions": np.roll(w["positions"], 1, axis=0)},
    "no feed-forward": lambda w: w | {"hidden_out": 0 * w["hidden_out"]},
    "no relu": lambda w: w | {"hidden_in": -w["hidden_in"], "hidden_out": -w["hidden_out"]},
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutated_forward_pass_is_refuted(name: str) -> None:
    layout = shapes(3, 4, 5, "untied")
    weights = random_weights(np.random.default_rng(0), layout)
    paths = sequences(4)
    model = SingleLayer(width=3, length=4, hidden=5, tying="untied")
    logits = call(model, tensors(weights), "forward", torch.from_numpy(paths))[..., 1]
    assert largest_error(logits, naive_logits(MUTATIONS[name](weights), paths)) > 1e-2


@pytest.mark.parametrize("tying", ["tied", "untied"])
def test_no_logit_looks_ahead(tying: str) -> None:
    model = SingleLayer(width=3, length=6, tying=tying)
    params = tensors(random_weights(np.random.default_rng(1), shapes(3, 6, tying=tying)))
    tokens = torch.tensor([[0, 1, 1, 0, 1, 0]])
    logits = call(model, params, "forward", tokens)
    for n in range(6):
        changed = tokens.clone()
        changed[:, n:] = 1 - changed[:, n:]
        after = call(model, params, "forward", changed)
        # a masked key enters with weight exp(-inf) = 0 exactly
        assert torch.equal(after[:, :n], logits[:, :n])
        assert bool((after[:, n] != logits[:, n]).any())
        prefix = call(model, params, "forward", tokens[:, : n + 1])
        assert largest_error(prefix, logits[:, : n + 1].numpy()) < 1e-13  # other matrix shapes


@pytest.mark.parametrize("tying", ["tied", "untied"])
@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_context_logits_are_the_last_logits_of_every_context(tying: str, length: int) -> None:
    layout = shapes(3, 7, tying=tying)  # the model may be longer than the contexts
    weights = random_weights(np.random.default_rng(2), layout)
    model = SingleLayer(width=3, length=7, tying=tying)
    logits = call(model, tensors(weights), "context_logits", length)
    naive = [naive_logits(weights, sequences(n))[:, -1] for n in range(1, length + 1)]
    expected = np.concatenate(naive)
    allowed = 16 * 2.3e-16 * condition(weights, length)
    assert bool((logits[:, 0] == 0).all())
    assert largest_error(logits[:, 1], expected) < allowed
    reverse = np.concatenate([row[::-1] for row in naive])
    assert largest_error(logits[:, 1], reverse) > 1e-2


def test_context_logits_agree_with_50_digits_where_scores_are_large() -> None:
    # Next to exp(17) a table of differences between the symbols has one digit left of exp(-17):
    # after contexts without the high symbol its answer is noise.
    weights = large_score_weights(17)
    model = SingleLayer(width=4, length=5)
    logits = call(model, tensors(weights), "context_logits", 5)[:, 1]
    truth = precise_context_logits(weights, 5)
    # scores of 17 lose 17 eps; logits are of order 1
    assert largest_error(logits, truth) < 1e-14
    assert float(np.abs(logits_by_differences(weights, 5) - truth).max()) > 1e-3


@pytest.mark.parametrize("score", [800, 1e4])
def test_context_logits_are_finite_where_exp_of_a_score_is_not(score: float) -> None:
    weights = large_score_weights(score)
    params = {name: value.requires_grad_() for name, value in tensors(weights).items()}
    model = SingleLayer(width=4, length=5)
    logits = call(model, params, "context_logits", 5)[:, 1]
    truth = precise_context_logits(weights, 5)
    assert largest_error(logits, truth) < 1e-15 * score  # off by eps of the score
    gradients = torch.autograd.grad(logits.sum(), list(params.values()))
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)
    with pytest.raises(OverflowError):
        math.exp(score)


def large_score_weights(score: float) -> Weights:
    """Key 0 scores +score and key 1 -score, for every query; the values tell the positions."""
    weights = random_weights(np.random.default_rng(3), shapes(4, 5), 0.3)
    weights["embedding"] = np.array([1.0, 0.0, 0.3, -0.2])
    weights["positions"][:, :2] = [-0.5, 1.0]
    weights["query"] = np.zeros((4, 4))
    weights["query"][0, 1] = 1.0
    weights["key"] = np.zeros((4, 4))
    weights["key"][0, 0] = -4.0 * score  # u[0] = +-1/2, divided by sqrt(d) = 2
    return weights


def precise_context_logits(weights: Weights, length: int) -> np.ndarray:
    with mpmath.workdps(50):
        exact = {k: np.vectorize(mpmath.mpf, otypes=[object])(v) for k, v in weights.items()}
        exponential = np.frompyfunc(mpmath.exp, 1, 1)
        rows = [naive_logits(exact, sequences(n), exponential)[:, -1] for n in range(1, length + 1)]
    return np.concatenate(rows).astype(np.float64)


def logits_by_differences(weights: Weights, length: int) -> np.ndarray:
    """Sums over keys as (all keys 0) + sum of x_i * (key 1 - key 0): linear, and cancelling."""
    e, positions, readout = weights["embedding"], weights["positions"], weights["embedding"]
    logits = []
    for n in range(1, length + 1):
        for path in sequences(n):
            u = [positions[:n], positions[:n] + e]
            query = weights["query"] @ (positions[n - 1] + path[-1] * e)
            terms = []
            for symbol in (0, 1):
                factor = np.exp(u[symbol] @ weights["key"].T @ query / 2)
                values = u[symbol] @ weights["value"].T @ weights["output"].T
                terms.append(factor[:, None] * np.column_stack([np.ones(n), values]))
            sums = terms[0].sum(axis=0) + path @ (terms[1] - terms[0])
            y = u[path[-1]][n - 1] + sums[1:] / sums[0]
            z = y + weights["hidden_out"] @ np.maximum(weights["hidden_in"] @ y, 0)
            logits.append(readout @ z + weights["bias"])
    return np.array(logits)


def test_context_preactivations_are_those_of_units_with_outgoing_weights() -> None:
    weights = random_weights(np.random.default_rng(4), shapes(2, 3, 5))
    weights["hidden_out"][:, [1, 3]] = 0
    model = SingleLayer(width=2, length=3, hidden=5)
    measured = call(model, tensors(weights), "context_preactivations", 3)
    assert measured.shape == (2 + 4 + 8, 3)
    # y is read off the loops as a logit: no feed-forward, and a row of W_1 as readout
    for column, unit in enumerate([0, 2, 4]):
        bare = weights | {
            "hidden_out": 0 * weights["hidden_out"],
            "readout": weights["hidden_in"][unit],
            "bias": np.zeros(()),
        }
        rows = [naive_logits(bare, sequences(n))[:, -1] for n in (1, 2, 3)]
        expected = np.concatenate(rows)
        assert largest_error(measured[:, column], expected) < 1e-14  # sums of terms of order 1
        assert largest_error(measured[:, column], -expected) > 1e-2


def test_parameters_are_counted_as_published() -> None:
    model = SingleLayer(width=4, length=7)
    count = sum(value.numel() for value in model.parameters())
    assert agrees("bigram_parameters", count)
    assert agrees("bigram_parameters_without_output", count - model.output.numel())
    assert not agrees("bigram_parameters", count + 4)
    untied = SingleLayer(width=4, length=7, tying="untied")
    assert sum(value.numel() for value in untied.parameters()) == count + 4
    assert sum(value.numel() for value in ReducedModel().parameters()) == 3


@pytest.mark.parametrize("tying", ["tied", "untied"])
def test_the_readable_protocol_names_what_the_logits_are_made_of(tying: str) -> None:
    model = SingleLayer(width=3, length=4, tying=tying, seed=1)
    assert isinstance(model, Readable)
    params = dict(model.named_parameters())
    assert (model.readout_name == model.embedding_name) is (tying == "tied")
    tokens = torch.tensor([[0, 1, 1, 0]])
    u = tokens[..., None] * params[model.embedding_name] + params[model.positions_name]
    logit = model.represent(u) @ params[model.readout_name] + params[model.bias_name]
    assert torch.equal(model(tokens)[..., 1], logit)
    assert not torch.equal(model(1 - tokens)[..., 1], logit)


COORDINATES = [
    (e, w, b) for e in (0.3, 1.0, 1.7) for w in (-1.2, -0.4, 0.0, 0.8) for b in (-1, 0.4)
]


def reduced_logit(e: float, w: float, b: float, x: int) -> float:
    return e**2 * (1 + 2 * w * abs(w)) * x + b - e**2 / 2


def mirrored_logit(e: float, w: float, b: float, x: int) -> float:
    return e**2 / 2 + b if x else b - e**2 * (0.5 + 2 * w * abs(w))


@pytest.mark.parametrize("tying", ["tied", "untied"])
@pytest.mark.parametrize(("width", "hidden"), [(1, 4), (4, 16), (3, 5), (6, 1)])
@pytest.mark.parametrize(("e", "w", "b"), COORDINATES)
def test_the_ansatz_is_the_reduced_model_and_its_mirror_image(
    tying: str, width: int, hidden: int, e: float, w: float, b: float
) -> None:
    tokens = torch.tensor([[0, 1, 1, 0, 1]])
    model = SingleLayer(width=width, hidden=hidden, length=5, tying=tying)
    reduced = ReducedModel()

    def worst(sign: int, formula: Callable[[float, float, float, int], float]) -> float:
        logits = call(model, ansatz(model, sign * e, w, float(b)), "forward", tokens)[..., 1]
        expected = np.array([[formula(sign * e, w, b, int(x)) for x in tokens[0]]])
        return largest_error(logits, expected)

    # 1/sqrt(d) and 1/sqrt(r) round; the terms reach 4 e^2 w^2
    allowed = 1e-15 * (1 + abs(b) + e**2 * (1 + 4 * w**2))
    assert worst(+1, reduced_logit) < allowed
    assert worst(-1, mirrored_logit) < allowed
    for sign in (+1, -1):
        logits = call(reduced, ansatz(reduced, sign * e, w, float(b)), "forward", tokens)[..., 1]
        expected = np.array([[reduced_logit(e, w, b, int(x)) for x in tokens[0]]])
        assert largest_error(logits, expected) < allowed
    if w != 0:
        assert worst(-1, reduced_logit) > 1e-2
        assert worst(+1, lambda e, w, b, x: reduced_logit(e, w / math.sqrt(2), b, x)) > 1e-2


@pytest.mark.parametrize("tying", ["tied", "untied"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_ansatz_is_rank_one_along_a_unit_vector_of_equal_entries(
    tying: str, dtype: torch.dtype
) -> None:
    d, r, e, w, b = 4, 9, -1.5, -0.8, 0.25
    model = SingleLayer(width=d, hidden=r, length=3, tying=tying, dtype=dtype)
    params = ansatz(model, e, w, b)
    assert {name: value.shape for name, value in params.items()} == {
        name: value.shape for name, value in model.named_parameters()
    }
    assert {value.dtype for value in params.values()} == {dtype}
    alpha = params["embedding"].double() / e
    assert alpha.abs().tolist() == [0.5] * d
    ones = torch.ones(r, dtype=torch.float64)
    expected = {
        "embedding": e * alpha,
        "positions": torch.stack([-e / 2 * alpha] * 3),
        "query": torch.zeros(d, d),
        "key": torch.zeros(d, d),
        "value": torch.zeros(d, d),
        "output": torch.eye(d),
        "hidden_in": 2 * abs(w) / 3 * torch.outer(ones, alpha),
        "hidden_out": 2 * w / 3 * torch.outer(alpha, ones),
        "bias": torch.tensor(b),
    }
    if tying == "untied":
        expected["readout"] = e * alpha
    allowed = 2 * torch.finfo(dtype).eps  # two products
    errors = {name: (params[name] - expected[name]).abs().max() for name in expected}
    assert all(error < allowed for error in errors.values())
    assert (params["hidden_out"] + expected["hidden_out"]).abs().max() > 0.1


@pytest.mark.parametrize("name", ["embedding", "positions", "query", "output", "hidden_out"])
def test_standard_initialisation_has_the_deviation_of_gpt_2(name: str) -> None:
    model = SingleLayer(width=64, length=32)
    values = standard(model, 3)[name]
    deviation = 0.02 / math.sqrt(2) if name in ("output", "hidden_out") else 0.02

    def within(truth: float) -> bool:
        # 5 standard errors of the root mean square and of the mean of n normal numbers
        n = values.numel()
        spread = abs(values.square().mean().sqrt().item() - truth) < 5 * truth / math.sqrt(2 * n)
        return spread and abs(values.mean().item()) < 5 * truth / math.sqrt(n)

    assert within(deviation)
    if values.numel() > 100:  # 64 numbers do not tell .02 from .02/sqrt(2)
        assert not within(0.02 if deviation < 0.02 else 0.02 / math.sqrt(2))


@pytest.mark.parametrize("build", [lambda: SingleLayer(width=3, length=4), ReducedModel])
def test_initialisation_follows_the_seed_alone(build: Callable[[], nn.Module]) -> None:
    model = build()
    start, again, other = standard(model, 5), standard(model, 5), standard(model, 6)
    assert list(start) == [name for name, _ in model.named_parameters()]
    assert all(torch.equal(start[name], again[name]) for name in start)
    differs = {name for name in start if not torch.equal(start[name], other[name])}
    assert differs == set(start) - {"bias"}
    assert start["bias"].item() == 0


def test_a_model_starts_from_the_standard_initialisation_of_its_seed() -> None:
    model = SingleLayer(width=3, length=4, tying="untied", seed=5)
    start = standard(model, 5)
    own = parameters_of(model)
    assert all(torch.equal(own[name], start[name]) for name in start)
    assert not torch.equal(own["query"], standard(model, 6)["query"])
    reduced = ReducedModel(seed=2)
    assert reduced.embedding.item() == standard(reduced, 2)["embedding"].item() != 0


@pytest.mark.parametrize("draw", [standard, lambda model, seed: gaussian(model, 0.7, seed)])
def test_the_draw_in_float32_is_the_rounded_draw_in_float64(
    draw: Callable[[nn.Module, int], dict[str, Tensor]],
) -> None:
    single = SingleLayer(width=3, length=4, dtype=torch.float32)
    double = SingleLayer(width=3, length=4, dtype=torch.float64)
    first, second = draw(single, 1), draw(double, 1)
    assert all(torch.equal(first[name], second[name].float()) for name in first)
    assert not torch.equal(first["query"].double(), second["query"])


def test_a_gaussian_draw_has_its_deviation_everywhere_and_zero_means_zero() -> None:
    model = SingleLayer(width=32, length=8)
    draw = torch.cat([value.reshape(-1) for value in gaussian(model, 0.5, 1).values()])
    error = 5 / math.sqrt(2 * len(draw))  # 5 standard errors, relative
    assert abs(draw.square().mean().sqrt().item() / 0.5 - 1) < error
    assert abs(draw.square().mean().sqrt().item() / 0.45 - 1) > error
    assert gaussian(model, 0.5, 1)["bias"].item() != 0
    assert all(not value.any() for value in gaussian(model, 0.0, 1).values())


@pytest.mark.parametrize("deviation", [-0.1, math.nan, math.inf])
def test_an_impossible_deviation_is_refused(deviation: float) -> None:
    with pytest.raises(ValueError, match=rf"deviation={deviation} is out of range; give a number"):
        gaussian(ReducedModel(), deviation, 0)


def test_building_and_initialising_leave_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    model = SingleLayer(width=3, length=4)
    ReducedModel()
    standard(model, 1)
    gaussian(model, 1.0, 1)
    assert torch.equal(torch.get_rng_state(), before)
    nn.Linear(1, 1)  # torch's own initialisation draws from it
    assert not torch.equal(torch.get_rng_state(), before)


def observed(model: nn.Module) -> dict[str, Any]:
    """All that a call could move: values, identities, flags, modes, gradients, hooks."""
    return {
        "values": {k: v.detach().numpy().tobytes() for k, v in model.named_parameters()},
        "identities": {k: id(v) for k, v in model.named_parameters()},
        "flags": {k: v.requires_grad for k, v in model.named_parameters()},
        "gradients": {k: v.grad for k, v in model.named_parameters()},
        "modes": {k: v.training for k, v in model.named_modules()},
        "hooks": [len(model._forward_hooks), len(model._forward_pre_hooks)],
        "attributes": sorted(vars(model)),
    }


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("method", ["forward", "context_logits", "represent"])
def test_a_call_computes_with_the_given_parameters_and_leaves_the_model_alone(
    training: bool, method: str
) -> None:
    model = SingleLayer(width=2, length=3).train(training)
    model.query.requires_grad_(False)
    before = observed(model)
    params = standard(model, 9)
    argument: Any = {
        "forward": torch.tensor([[0, 1, 1]]),
        "context_logits": 3,
        "represent": torch.ones(1, 3, 2, dtype=torch.float64),
    }[method]
    result = call(model, params, method, argument)
    fresh = SingleLayer(width=2, length=3, seed=9)
    assert torch.equal(result, getattr(fresh, method)(argument))
    assert not torch.equal(result, getattr(model, method)(argument))

    requiring = {name: value.clone().requires_grad_() for name, value in params.items()}
    total = call(model, requiring, method, argument).sum()
    torch.autograd.grad(total, list(requiring.values()), allow_unused=True)
    stacked = {name: torch.stack([value, value]) for name, value in params.items()}
    mapped = vmap(lambda p: call(model, p, method, argument))(stacked)
    # batched kernels may add in another order: a few eps of numbers of order 1
    assert largest_error(mapped[1], result.numpy()) < 1e-15
    with pytest.raises(RuntimeError):
        call(model, params | {"output": torch.zeros(7, 7)}, method, argument)
    assert observed(model) == before


def test_a_change_of_the_model_would_be_observed() -> None:
    model = SingleLayer(width=2, length=3)
    before = observed(model)
    model.load_state_dict(standard(model, 9))
    assert observed(model) != before
    changes: list[Callable[[nn.Module], object]] = [
        lambda model: model.eval(),
        lambda model: model.requires_grad_(False),
        lambda model: model(torch.tensor([[0]])).sum().backward(),
    ]
    for change in changes:
        model = SingleLayer(width=2, length=3)
        before = observed(model)
        change(model)
        assert observed(model) != before


def test_parameters_of_a_model_are_copies() -> None:
    model = SingleLayer(width=2, length=3)
    copies = parameters_of(model)
    assert not any(value.requires_grad for value in copies.values())
    before = observed(model)
    for value in copies.values():
        value += 1
    assert observed(model) == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 0, "length": 3}, r"width=0 is out of range; give an integer of at least 1"),
        ({"width": 2, "length": 0}, r"length=0 is out of range; give an integer of at least 1"),
        ({"width": 2, "length": 3, "hidden": -1}, r"hidden=-1 is out of range"),
        ({"width": 2, "length": 3, "tying": "tight"}, r"tying='tight' is unknown; give 'tied' or"),
        ({"width": 2, "length": 3, "dtype": torch.float16}, r"dtype=torch\.float16 is not suppor"),
    ],
)
def test_an_impossible_model_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SingleLayer(**settings)


def test_tokens_longer_than_the_model_are_refused() -> None:
    message = r"tokens have length 4, the model was built for at most 3; build it with length=4"
    with pytest.raises(ValueError, match=message):
        SingleLayer(width=2, length=3)(torch.zeros(1, 4, dtype=torch.long))
