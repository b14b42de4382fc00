"""Every variant of GPT against plain numpy: logits, losses, derivatives, what it shows, its kinks.

The twin (`tests.twins.gpt`) attends position by position and head by head, enumerates every
sequence with its target, and differentiates by imaginary steps: it shares no code with the model.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import vmap

from landscape.models import GPT, Readable, SingleLayer
from landscape.models.initial import STANDARD_DEVIATION
from landscape.models.parameters import Coordinates, call
from landscape.objectives.exact import ExactLoss
from landscape.slices.plane import loss_slice
from landscape.sources import Markov
from landscape.spectra import kinks
from landscape.spectra.operators import FEW, gradient, hessian_products
from landscape.spectra.spectrum import hessian_spectrum
from tests.laws.variants import VARIANTS, Variant, name_of
from tests.twins.gpt import (
    Recipe,
    gpt_gradient,
    gpt_hessian_product,
    gpt_logits,
    gpt_loss,
    stationary_law,
    strings,
    traced,
)

Weights = dict[str, np.ndarray]

# sums of a dozen products of order 1, a few layers deep, and logits below 30: some ten roundings
LOGIT_ERROR = 1e-13

every_variant = pytest.mark.parametrize("variant", VARIANTS, ids=map(name_of, VARIANTS))


def weights_of(variant: Variant, seed: int = 0, deviation: float = 0.7) -> Weights:
    """Normal numbers for every parameter, gains and shifts included, in the twin's order.

    With seed 0 no relu unit of a variant is closed after every context, none switches within the
    steps of a difference, and no LayerNorm meets a variance near 0.
    """
    generator = np.random.default_rng(seed)
    layout = Recipe(**variant).layout()
    return {name: deviation * generator.standard_normal(shape) for name, shape in layout.items()}


def tensors(weights: Weights, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    return {name: torch.as_tensor(value, dtype=dtype) for name, value in weights.items()}


def flat(weights: Weights) -> np.ndarray:
    return np.concatenate([value.reshape(-1) for value in weights.values()])


def largest_error(measured: Tensor, expected: np.ndarray) -> float:
    assert measured.shape == expected.shape
    return float(np.abs(measured.detach().double().numpy() - expected).max())


def errors_of(variant: Variant, recipe: Recipe, weights: Weights | None = None) -> float:
    """How far the model's logits are from the twin's, over all sequences."""
    own = weights_of(variant)
    tokens = strings(recipe.states, recipe.length)
    logits = call(GPT(**variant), tensors(own), "forward", torch.from_numpy(tokens))
    return largest_error(logits, gpt_logits(weights or own, tokens, recipe))


@every_variant
def test_forward_is_gpt_written_in_loops(variant: Variant) -> None:
    recipe = Recipe(**variant)
    layout = {name: tuple(value.shape) for name, value in GPT(**variant).named_parameters()}
    assert layout == recipe.layout()
    assert errors_of(variant, recipe) < LOGIT_ERROR


@every_variant
def test_every_parameter_enters_as_in_the_loops(variant: Variant) -> None:
    # control of the test above, for all weights of all variants: a millionth more is seen
    recipe = Recipe(**variant)
    for name, value in weights_of(variant).items():
        generator = np.random.default_rng(1)
        moved = value + 1e-6 * generator.standard_normal(value.shape)
        error = errors_of(variant, recipe, weights_of(variant) | {name: moved})
        # the key's bias adds one number to all scores of a query, as does the distance 0 alone
        if name.endswith("key_bias") or (recipe.window == 1 and ("query" in name or "key" in name)):
            assert error < LOGIT_ERROR
        else:
            assert error > 1e-10


MUTATIONS: dict[str, tuple[int, dict[str, Any]]] = {
    "scores not divided": (0, {"divided": False}),
    "scores divided by sqrt(d)": (1, {"heads": 1}),
    "a key after the query is seen": (0, {"ahead": 1}),
    "LayerNorm's epsilon": (0, {"epsilon": 1e-6}),
    "no LayerNorm": (0, {"layer_norm": False}),
    "GELU by tanh": (0, {"tanh": True}),
    "relu for GELU": (4, {"activation": "relu"}),
    "GELU for relu": (3, {"activation": "gelu"}),
    "a window too wide": (7, {"window": 3}),
    "a window too narrow": (6, {"window": 2}),
    "no window": (8, {"window": None}),
    "distances from the other end": (5, {"mirrored": True}),
    "no relative positions": (12, {"positions": "none"}),
    "no learned positions": (10, {"positions": "none"}),
    "no biases": (1, {"biases": False}),
    "a layer less": (2, {"layers": 1}),
    "tied": (13, {"tying": "tied"}),
    "no attention": (9, {"attention": False}),
    "no feed-forward": (14, {"feedforward": False}),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutated_forward_pass_is_refuted(name: str) -> None:
    index, mistake = MUTATIONS[name]
    recipe = replace(Recipe(**VARIANTS[index]), **mistake)
    weights = {
        name: value
        for name, value in weights_of(VARIANTS[index]).items()
        if name in recipe.layout()
    }
    assert errors_of(VARIANTS[index], recipe, weights) > 1e-7


@settings(max_examples=40)
@given(
    sizes=st.tuples(st.integers(2, 4), st.integers(1, 3), st.integers(1, 3), st.integers(1, 4)),
    layers=st.integers(1, 3),
    hidden=st.integers(1, 6),
    names=st.tuples(
        st.sampled_from(["tied", "untied"]),
        st.sampled_from(["gelu", "relu"]),
        st.sampled_from(["learned", "relative", "none"]),
    ),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    window=st.sampled_from([None, 1, 2, 3, 9]),
)
def test_forward_is_gpt_written_in_loops_whatever_the_variant(
    sizes: tuple[int, int, int, int],
    layers: int,
    hidden: int,
    names: tuple[str, str, str],
    flags: tuple[bool, bool, bool],
    window: int | None,
) -> None:
    states, heads, part, length = sizes
    variant: Variant = {"states": states, "heads": heads, "width": heads * part, "length": length}
    variant |= {"layers": layers, "hidden": hidden, "window": window}
    variant |= dict(zip(("tying", "activation", "positions"), names, strict=True))
    variant |= dict(zip(("layer_norm", "biases", "feedforward"), flags, strict=True))
    assert errors_of(variant, Recipe(**variant)) < LOGIT_ERROR


def random_kernel(states: int) -> np.ndarray:
    """Rows drawn uniformly; not reversible for three states and more."""
    return np.random.default_rng(states).dirichlet(np.ones(states), states)


def symmetric_kernel(states: int) -> np.ndarray:
    """A mixture of permutations and of their inverses alike."""
    permutations = [np.eye(states)[list(p)] for p in itertools.permutations(range(states))]
    shares = np.random.default_rng(states).dirichlet(np.ones(len(permutations)))
    mixture = sum(share * p for share, p in zip(shares, permutations, strict=True))
    return np.asarray((mixture + mixture.T) / 2)


def test_the_kernels_of_the_tests_are_what_they_are_said_to_be() -> None:
    for states in (2, 3, 4):
        flow = stationary_law(random_kernel(states))[:, None] * random_kernel(states)
        assert (np.abs(flow - flow.T).max() > 1e-2) == (states > 2)
        symmetric = symmetric_kernel(states)
        assert np.array_equal(symmetric, symmetric.T)
        assert np.abs(symmetric.sum(1) - 1).max() < 1e-15


@pytest.mark.parametrize("kernel_of", [random_kernel, symmetric_kernel])
@every_variant
def test_the_exact_loss_is_the_sum_over_every_sequence_and_target(
    variant: Variant, kernel_of: Any
) -> None:
    recipe, weights = Recipe(**variant), weights_of(variant)
    kernel = kernel_of(recipe.states)
    objective = ExactLoss(Markov(kernel), recipe.length)
    value = objective(GPT(**variant), tensors(weights)).item()
    naive = gpt_loss(weights, kernel, recipe.length, recipe)
    assert abs(value - naive) < 1e-14 * max(1.0, naive)  # S^(N+1) <= 64 terms of a few roundings
    if recipe.states > 2:  # control: the chain run backwards, which only a kernel can tell
        law = stationary_law(kernel)
        backwards = kernel.T * law / law[:, None]
        error = abs(value - gpt_loss(weights, backwards, recipe.length, recipe))
        assert (error > 1e-6) == (kernel_of is random_kernel)
    other = (1 - 1e-6) * kernel + 1e-6 * np.eye(recipe.states)
    assert abs(value - gpt_loss(weights, other, recipe.length, recipe)) > 1e-9


# imaginary steps neither subtract nor truncate; erf of a complex number is good to 1e-13
GRADIENT_ERROR = 1e-13
# 4e-13 of the gradient's terms, which reach 10, and a seventh derivative of up to 1e9 next to the
# smallest variance that a LayerNorm divides by
PRODUCT_ERROR = 2e-11


@every_variant
def test_gradients_and_hessian_products_are_those_of_imaginary_steps(variant: Variant) -> None:
    recipe, weights = Recipe(**variant), weights_of(variant)
    kernel, length, theta = random_kernel(recipe.states), recipe.length, flat(weights)
    model, objective = GPT(**variant), ExactLoss(Markov(kernel), length)
    slope, _ = gradient(model, objective, tensors(weights))
    naive = gpt_gradient(theta, kernel, length, recipe)
    assert largest_error(slope, naive) < GRADIENT_ERROR
    other = (1 - 1e-9) * kernel + 1e-9 * np.eye(recipe.states)
    assert largest_error(slope, gpt_gradient(theta, other, length, recipe)) > GRADIENT_ERROR

    rows = np.random.default_rng(1).standard_normal((FEW + 1, len(theta)))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    product = gpt_hessian_product(theta, rows[0], kernel, length, recipe)
    for count in (FEW - 1, FEW + 1):  # reverse over reverse, and forward over reverse in a batch
        measured = hessian_products(
            model, objective, tensors(weights), torch.from_numpy(rows[:count])
        )
        assert largest_error(measured[0], product) < PRODUCT_ERROR
        assert largest_error(measured[1], product) > 1e-3  # control: another direction's product


@every_variant
def test_the_unigram_point_is_critical_and_its_loss_the_entropy_of_pi(variant: Variant) -> None:
    recipe, model = Recipe(**variant), GPT(**variant)
    kernel = random_kernel(recipe.states)
    law = stationary_law(kernel)
    point = weights_of(variant) | {"bias": np.log(law)}
    point |= {name: 0 * point[name] for name in (model.embedding_name, model.readout_name)}
    objective = ExactLoss(Markov(kernel), recipe.length)
    slope, value = gradient(model, objective, tensors(point))
    # LayerNorm at E = 0 and no positions multiplies by 1/sqrt(1e-5), layer by layer
    allowed = 1e-14 if recipe.positions == "learned" or not recipe.layer_norm else 1e-11
    assert slope.norm().item() < allowed
    assert abs(value - -(law * np.log(law)).sum()) < 1e-15
    uniform, _ = gradient(model, objective, tensors(point | {"bias": 0 * law}))
    assert uniform.norm().item() > 1e-2


@every_variant
def test_no_logit_looks_ahead(variant: Variant) -> None:
    model, params = GPT(**variant), tensors(weights_of(variant))
    tokens = torch.zeros(1, model.length, dtype=torch.long)
    tokens[:, ::2] = 1
    logits = call(model, params, "forward", tokens)
    for n in range(model.length):
        changed = tokens.clone()
        changed[:, n:] = 1 - changed[:, n:]
        after = call(model, params, "forward", changed)
        # a masked key enters with weight exp(-inf) = 0 exactly
        assert torch.equal(after[:, :n], logits[:, :n])
        assert bool((after[:, n] != logits[:, n]).any())
        prefix = call(model, params, "forward", tokens[:, : n + 1])
        assert largest_error(prefix, logits[:, : n + 1].numpy()) < LOGIT_ERROR


def test_a_window_bounds_the_memory_of_every_layer() -> None:
    variant: Variant = {"width": 3, "length": 7, "layers": 2, "window": 3}
    model, params = GPT(**variant), tensors(weights_of(variant))
    tokens = torch.tensor([[0, 1, 1, 0, 1, 0, 0]])
    last = call(model, params, "forward", tokens)[:, -1]
    for n in range(7):
        changed = tokens.clone()
        changed[:, n] = 1 - changed[:, n]
        same = torch.equal(call(model, params, "forward", changed)[:, -1], last)
        assert same == (n < 6 - 2 * 2)  # two layers, each of two keys before the query


@every_variant
def test_stacked_parameters_give_what_each_set_gives_alone(variant: Variant) -> None:
    model, sets = GPT(**variant), [weights_of(variant, seed) for seed in range(3)]
    tokens = torch.from_numpy(strings(model.states, model.length))
    stacked = {name: torch.stack([tensors(one)[name] for one in sets]) for name in sets[0]}
    mapped = vmap(lambda params: call(model, params, "forward", tokens))(stacked)
    alone = [call(model, tensors(one), "forward", tokens).numpy() for one in sets]
    # batched kernels may add in another order
    assert largest_error(mapped, np.stack(alone)) < LOGIT_ERROR
    assert largest_error(mapped, np.stack(alone[1:] + alone[:1])) > 1e-2
    # each with sequences of its own, as in training on samples
    drawn = torch.stack([tokens, tokens.flip(0), tokens.roll(1, 0)])
    mapped = vmap(lambda params, own: call(model, params, "forward", own))(stacked, drawn)
    for row, own, one in zip(mapped, drawn, sets, strict=True):
        assert largest_error(row, gpt_logits(one, own.numpy(), Recipe(**variant))) < LOGIT_ERROR


@every_variant
def test_float32_is_float64_up_to_its_rounding(variant: Variant) -> None:
    model = GPT(**variant, dtype=torch.float32, seed=4)
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    tokens = torch.from_numpy(strings(model.states, model.length))
    double = {name: value.detach().double() for name, value in model.named_parameters()}
    expected = call(GPT(**variant), double, "forward", tokens)
    assert model(tokens).dtype == torch.float32
    assert expected.dtype == torch.float64
    # inputs of 0.02 and less: LayerNorm's inverse deviation of up to 300 enlarges each rounding
    error = largest_error(model(tokens), expected.detach().numpy())
    assert 0 < error < 3e-6
    same = GPT(**variant, seed=4)
    assert all(
        torch.equal(value.float(), model.get_parameter(name))
        for name, value in same.named_parameters()
    )


def test_the_model_starts_from_the_standard_initialisation() -> None:
    before = torch.get_rng_state()
    model = GPT(states=3, width=32, length=4, layers=2, positions="relative", seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    params = dict(model.named_parameters())
    for name, value in params.items():
        last = name.rpartition(".")[2]
        if last == "gain" or last.endswith(("bias", "shift")):
            assert bool((value == (1 if last == "gain" else 0)).all())
        else:
            assert bool((value != 0).all())
            # deviations of 4096 numbers are known to 1/sqrt(8192), of 4 to a third: five of these
            residual = last in ("output", "hidden_out")
            expected = STANDARD_DEVIATION / math.sqrt(4 if residual else 1)
            spread = value.square().mean().sqrt().item() / expected
            assert abs(spread - 1) < 5 / math.sqrt(2 * value.numel())
    again = GPT(states=3, width=32, length=4, layers=2, positions="relative", seed=1)
    other = GPT(states=3, width=32, length=4, layers=2, positions="relative", seed=2)
    assert torch.equal(again.embedding, model.embedding)
    assert not torch.equal(other.embedding, model.embedding)


def test_names_say_what_the_logits_are_made_of_and_what_decays() -> None:
    model = GPT(width=4, length=3, layers=2, heads=2, tying="untied", seed=1)
    assert isinstance(model, Readable)
    names = (model.embedding_name, model.positions_name, model.readout_name, model.bias_name)
    assert names == ("embedding", "positions", "readout", "bias")
    assert (model.states, model.width, model.length, model.layers) == (2, 4, 3, 2)
    assert (model.heads, model.hidden, model.tying) == (2, 16, "untied")
    tokens = torch.tensor([[0, 1, 1]])
    inputs = model.get_parameter("embedding")[tokens] + model.get_parameter("positions")
    logits = model.represent(inputs) @ model.get_parameter("readout").T + model.bias
    assert largest_error(model(tokens), logits.detach().numpy()) < LOGIT_ERROR
    assert largest_error(model(1 - tokens), logits.detach().numpy()) > 1e-6

    tied = GPT(width=4, length=3, layers=2, positions="relative")
    assert (tied.positions_name, tied.readout_name) == (None, "embedding")
    inner = ("query", "key", "value", "output", "hidden_in", "hidden_out")
    expected = [f"blocks.{layer}.{name}" for layer in (0, 1) for name in inner]
    assert sorted(tied.linear_weights) == sorted(expected)
    assert sorted(model.linear_weights) == sorted([*expected, "readout"])
    assert set(model.linear_weights) <= {name for name, _ in model.named_parameters()}
    bare = GPT(width=4, length=3, attention=False, feedforward=False)
    assert bare.linear_weights == ()


def test_a_call_leaves_the_model_and_the_generator_alone() -> None:
    model = GPT(**VARIANTS[2]).train(False)
    model.blocks[0].get_parameter("query").requires_grad_(False)
    before = {name: (v.clone(), v.requires_grad) for name, v in model.named_parameters()}
    state = torch.get_rng_state()
    params = tensors(weights_of(VARIANTS[2]))
    tokens = torch.tensor([[0, 1, 1]])
    for method, argument in (("forward", tokens), ("observe", tokens)):
        call(model, params, method, argument)
    call(model, params, "context_preactivations", 3)
    gradient(model, ExactLoss(Markov(random_kernel(2)), 3), params)
    assert torch.equal(torch.get_rng_state(), state)
    assert not model.training
    for name, value in model.named_parameters():
        assert torch.equal(value, before[name][0])
        assert (value.requires_grad, value.grad) == (before[name][1], None)


@every_variant
def test_no_tensor_is_made_elsewhere_than_on_the_device_of_the_model(variant: Variant) -> None:
    model = GPT(**variant).to("meta")
    tokens = torch.zeros(2, model.length, dtype=torch.long, device="meta")
    assert model(tokens).device.type == "meta"
    assert all(value.device.type == "meta" for value in model.observe(tokens).values())
    with pytest.raises(RuntimeError, match="meta"):  # control: an array on another device
        model.represent(torch.zeros(2, model.length, model.width).double()) + tokens[..., None]


@every_variant
def test_what_attention_shows_is_what_the_loops_saw(variant: Variant) -> None:
    recipe, weights = Recipe(**variant), weights_of(variant)
    tokens = strings(recipe.states, recipe.length)
    shown = call(GPT(**variant), tensors(weights), "observe", torch.from_numpy(tokens))
    if not recipe.attention:
        assert shown == {}
        return
    saw = traced(weights, tokens, recipe)
    for name, lists in (("attended", saw.attended), ("stream", saw.stream)):
        expected = np.stack([np.stack(row, axis=-1) for row in lists], axis=1)
        assert largest_error(shown[name], expected) < LOGIT_ERROR
        assert largest_error(shown[name], np.roll(expected, 1, axis=-1)) > 1e-3
    attention = shown["attention"]
    n = recipe.length
    assert attention.shape == (len(tokens), recipe.layers, recipe.heads, n, n)
    assert (attention.sum(-1) - 1).abs().max().item() < 1e-15
    expected = np.zeros(attention.shape)
    for layer, rows in enumerate(saw.attention):
        for query, heads in enumerate(rows):
            for head, row in enumerate(heads):
                first = saw.first_key[query]
                expected[:, layer, head, query, first : query + 1] = row
    assert largest_error(attention, expected) < LOGIT_ERROR
    if recipe.window != 1:
        assert largest_error(attention, np.swapaxes(expected, -1, -2)) > 1e-2


def test_the_single_layer_shows_the_same() -> None:
    # a GPT without LayerNorm and biases whose symbol 0 embeds to 0 is the single layer
    model = SingleLayer(width=4, length=5, hidden=3, seed=2)
    recipe = Recipe(width=4, length=5, hidden=3, layer_norm=False, biases=False, activation="relu")
    generator = np.random.default_rng(0)
    own = {n: generator.standard_normal(tuple(v.shape)) for n, v in model.named_parameters()}
    inner = ("query", "key", "value", "output", "hidden_in", "hidden_out")
    twin = {f"blocks.0.{name}": own[name] for name in inner} | {"positions": own["positions"]}
    twin["embedding"] = np.stack([np.zeros(4), own["embedding"]])
    twin["bias"] = np.stack([np.zeros(()), own["bias"]])
    tokens = strings(2, 5)
    saw = traced(twin, tokens, recipe)
    shown = call(model, tensors(own), "observe", torch.from_numpy(tokens))
    assert shown["attention"].shape == (32, 1, 1, 5, 5)
    for name, lists in (("attended", saw.attended), ("stream", saw.stream)):
        expected = np.stack(lists[0], axis=-1)[:, None]
        assert largest_error(shown[name], expected) < LOGIT_ERROR
    for query, (row,) in enumerate(saw.attention[0]):
        assert largest_error(shown["attention"][:, 0, 0, query, : query + 1], row) < LOGIT_ERROR
        assert not shown["attention"][..., query, query + 1 :].any()
    # and so is the model itself
    gpt = GPT(
        width=4, length=5, hidden=3, layer_norm=False, biases=False, activation="relu"
    )  # fmt: skip
    logits = call(gpt, tensors(twin), "forward", torch.from_numpy(tokens))
    single = call(model, tensors(own), "forward", torch.from_numpy(tokens))
    assert largest_error(logits, single.numpy()) < LOGIT_ERROR


RELU = [variant for variant in VARIANTS if variant.get("activation") == "relu"]


@pytest.mark.parametrize("variant", RELU, ids=map(name_of, RELU))
def test_preactivations_are_those_of_the_loops_for_units_with_outgoing_weights(
    variant: Variant,
) -> None:
    recipe, weights = Recipe(**variant), weights_of(variant)
    weights["blocks.0.hidden_out"][:, 1] = 0
    expected = []
    for n in range(1, recipe.length + 1):
        inner = traced(weights, strings(recipe.states, n), recipe).preactivations
        expected.append(np.concatenate([layer[-1] for layer in inner], axis=-1))
    rows = np.delete(np.concatenate(expected), 1, axis=1)
    measured = call(GPT(**variant), tensors(weights), "context_preactivations", recipe.length)
    assert largest_error(measured, rows) < LOGIT_ERROR
    assert largest_error(measured, rows[::-1]) > 1e-2
    spectrum = hessian_spectrum(
        GPT(**variant), ExactLoss(Markov(random_kernel(recipe.states)), recipe.length),
        tensors(weights),
    )  # fmt: skip
    assert spectrum.min_preactivation is not None
    assert abs(spectrum.min_preactivation - np.abs(rows).min()) < LOGIT_ERROR
    assert (spectrum.kink, spectrum.one_sided) == (False, ())


@pytest.mark.parametrize("variant", [VARIANTS[0], VARIANTS[9], VARIANTS[11]])
def test_without_relu_there_is_no_kink(variant: Variant) -> None:
    model, weights = GPT(**variant), weights_of(variant)
    contexts = sum(2**n for n in range(1, model.length + 1))
    measured = call(model, tensors(weights), "context_preactivations", model.length)
    assert measured.shape == (contexts, 0)
    assert kinks.preactivations(model, tensors(weights), model.length) is None
    assert not kinks.may_kink(model)
    point = tensors(weights | {"embedding": 0 * weights["embedding"]})
    spectrum = hessian_spectrum(model, ExactLoss(Markov(random_kernel(2)), model.length), point)
    assert (spectrum.kink, spectrum.min_preactivation, spectrum.one_sided) == (False, None, ())


def kinked(states: int, tying: str) -> tuple[Variant, Weights, np.ndarray]:
    """A unigram point at which every pre-activation is 0: nothing but W E reaches a relu."""
    variant: Variant = {"states": states, "width": 2, "length": 2, "hidden": 2, "tying": tying}
    variant |= {"activation": "relu", "layer_norm": False, "biases": False, "positions": "none"}
    kernel = random_kernel(states)
    weights = weights_of(variant) | {"bias": np.log(stationary_law(kernel))}
    zero = {name: 0 * weights[name] for name in ("embedding", "readout") if name in weights}
    return variant, weights | zero, kernel


def naive_one_sided(
    theta: np.ndarray, direction: np.ndarray, kernel: np.ndarray, recipe: Recipe
) -> float:
    """2 (L(t) - L(0)) / t^2 for t -> 0+, at a point whose gradient vanishes.

    Extrapolated through t = h, h/2, h/4: the terms t and t^2 beyond it cancel and h^3 is left,
    1e-6 of a fifth derivative near 1 at h = 1e-2; the round-off 2 eps/t^2 is 1e-10 at h/4.
    """

    def along(t: float) -> float:
        moved, weights, start = theta + t * direction, {}, 0
        for name, shape in recipe.layout().items():
            size = math.prod(shape)
            weights[name] = moved[start : start + size].reshape(shape)
            start += size
        return float(gpt_loss(weights, kernel, recipe.length, recipe))

    centre, h = along(0.0), 1e-2
    slopes = [2 * (along(t) - centre) / t**2 for t in (h, h / 2, h / 4)]
    first = [2 * slopes[1] - slopes[0], 2 * slopes[2] - slopes[1]]
    return (4 * first[1] - first[0]) / 3


@pytest.mark.parametrize(("states", "tying"), [(2, "tied"), (2, "untied"), (3, "tied")])
def test_at_the_kink_of_the_unigram_point_curvatures_are_one_sided(
    states: int, tying: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant, weights, kernel = kinked(states, tying)
    model, recipe, theta = GPT(**variant), Recipe(**variant), flat(weights)
    monkeypatch.setattr(kinks, "MOST_DIRECTIONS", 3)
    spectrum = hessian_spectrum(model, ExactLoss(Markov(kernel), 2), tensors(weights))
    assert (spectrum.kink, spectrum.min_preactivation) == (True, 0.0)
    assert len(spectrum.one_sided) == 3 * (1 if tying == "tied" else 2)
    names = Coordinates.of(tensors(weights)).labels()
    for found in spectrum.one_sided:
        direction = found.direction.numpy()
        assert abs(np.linalg.norm(direction) - 1) < 1e-14
        moved = {name.partition("[")[0] for name, x in zip(names, direction, strict=True) if x}
        assert moved == {model.embedding_name, model.readout_name}
        for side, value in ((1, found.plus), (-1, found.minus)):
            naive = naive_one_sided(theta, side * direction, kernel, recipe)
            assert abs(naive - value) < 1e-5
    gaps = [abs(found.plus - found.minus) for found in spectrum.one_sided]
    assert max(gaps) > 1e-3  # control: exchanged sides would be seen


def test_the_directions_listed_at_a_kink_are_those_of_the_shortest_contexts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variant, weights, kernel = kinked(2, "tied")
    model, objective = GPT(**variant), ExactLoss(Markov(kernel), 2)
    whole = kinks.one_sided_curvatures(model, objective, tensors(weights))
    # two units and the contexts 0, 1, 00, 01, 10, 11; 00 and 11 open units as 0 and 1 do
    assert len(whole) == 2 * 4
    monkeypatch.setattr(kinks, "MOST_PLACES", 3)
    few = kinks.one_sided_curvatures(model, objective, tensors(weights))
    assert len(few) == 3
    for one, other in zip(few, whole, strict=False):
        assert (one.direction - other.direction).norm().item() < 1e-15
    # after context 0 a unit opens along its own row of W_1 (I + W_O W_V), and E_1 is not met
    block = {name: weights[f"blocks.0.{name}"] for name in ("output", "value", "hidden_in")}
    rows = block["hidden_in"] @ (np.eye(2) + block["output"] @ block["value"])
    for unit, found in enumerate(whole[:2]):
        expected = np.zeros(len(found.direction))
        expected[:2] = rows[unit] / np.linalg.norm(rows[unit])
        assert largest_error(found.direction, expected) < 1e-14


def test_a_slice_of_the_loss_is_that_of_the_loops() -> None:
    variant = VARIANTS[12]
    recipe, weights = Recipe(**variant), weights_of(variant)
    kernel, theta = random_kernel(3), flat(weights)
    directions = np.random.default_rng(2).standard_normal((2, len(theta)))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    measured = loss_slice(
        GPT(**variant), ExactLoss(Markov(kernel), 2), tensors(weights),
        torch.from_numpy(directions), resolution=3, radius=1.0,
    )  # fmt: skip
    for (i, alpha), (j, beta) in itertools.product(
        enumerate(measured.alpha), enumerate(measured.beta)
    ):
        moved, own, start = theta + np.array([alpha, beta]) @ directions, {}, 0
        for name, shape in recipe.layout().items():
            own[name] = moved[start : start + math.prod(shape)].reshape(shape)
            start += math.prod(shape)
        assert abs(measured.loss[i, j] - gpt_loss(own, kernel, 2, recipe)) < 1e-13
    assert np.ptp(measured.loss) > 1e-2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"states": 1}, r"states=1 is out of range; give an integer of at least 2"),
        ({"width": 0}, r"width=0 is out of range; give an integer of at least 1"),
        ({"length": 0}, r"length=0 is out of range; give an integer of at least 1"),
        ({"layers": 0}, r"layers=0 is out of range"),
        ({"heads": 0}, r"heads=0 is out of range"),
        ({"hidden": -1}, r"hidden=-1 is out of range"),
        ({"heads": 3}, r"heads=3 does not divide width=4; give a divisor of the width"),
        ({"tying": "tight"}, r"tying='tight' is unknown; give 'tied' or 'untied'"),
        ({"activation": "swish"}, r"activation='swish' is unknown; give 'gelu' or 'relu'"),
        (
            {"positions": "rotary"},
            r"positions='rotary' is unknown; give 'learned', 'relative' or 'none'",
        ),
        ({"window": 0}, r"window=0 is out of range; give an integer of at least 1, or None"),
        ({"attention": False, "window": 2}, r"window=2 belongs to attention; leave it out, or"),
        ({"attention": False, "positions": "relative"}, r"positions='relative' belongs to atten"),
        ({"dtype": torch.float16}, r"dtype=torch\.float16 is not supported; give torch\.float64"),
        (
            {"width": 2**14},
            r"states=2, width=16384, length=3, layers=1, hidden=65536 make 3\.22e\+09 parameters; "
            r"give sizes that make at most 2\.68e\+08",
        ),
        ({"layers": 2**27}, r"layers=134217728, hidden=16 make .* parameters; give sizes"),
    ],
)
def test_an_impossible_model_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GPT(**({"width": 4, "length": 3} | settings))


def test_tokens_longer_than_the_model_are_refused() -> None:
    message = r"tokens have length 4, the model was built for at most 3; build it with length=4"
    for method in ("forward", "observe"):
        with pytest.raises(ValueError, match=message):
            getattr(GPT(width=2, length=3), method)(torch.zeros(1, 4, dtype=torch.long))
    with pytest.raises(ValueError, match=message):
        GPT(width=2, length=3, activation="relu").context_preactivations(4)
