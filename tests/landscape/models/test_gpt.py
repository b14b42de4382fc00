"""Every variant of GPT against plain numpy: derivatives, what it shows, its kinks.

The twin (`tests.twins.gpt`) attends position by position and head by head, enumerates every
sequence with its target, and differentiates by imaginary steps: it shares no code with the model.
"""

import math

import numpy as np
import pytest
import torch

from landscape.models import GPT, Readable, SingleLayer
from landscape.models.parameters import Coordinates, call
from landscape.objectives.exact import ExactLoss
from landscape.slices.plane import loss_slice
from landscape.sources import Markov
from landscape.spectra import kinks
from landscape.spectra.operators import FEW, gradient, hessian_products
from landscape.spectra.spectrum import hessian_spectrum
from tests.laws.models import LOGIT_ERROR, Weights, gpt, largest_error, tensors
from tests.laws.variants import VARIANTS, Variant, name_of
from tests.twins.gpt import (
    Recipe,
    gpt_gradient,
    gpt_hessian_product,
    gpt_loss,
    stationary_law,
    strings,
    traced,
)

every_variant = pytest.mark.parametrize("variant", VARIANTS, ids=map(name_of, VARIANTS))


def weights_of(variant: Variant) -> Weights:
    return gpt(variant).weights()


def flat(weights: Weights) -> np.ndarray:
    return np.concatenate([value.reshape(-1) for value in weights.values()])


def loss_at(theta: np.ndarray, kernel: np.ndarray, recipe: Recipe) -> float:
    """The loss by loops at all weights in one vector."""
    weights, start = {}, 0
    for name, shape in recipe.layout().items():
        weights[name] = theta[start : start + math.prod(shape)].reshape(shape)
        start += math.prod(shape)
    return float(gpt_loss(weights, kernel, recipe.length, recipe))


def random_kernel(states: int) -> np.ndarray:
    """Rows drawn uniformly; not reversible for three states and more."""
    return np.random.default_rng(states).dirichlet(np.ones(states), states)


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
        along = torch.from_numpy(rows[:count])
        measured = hessian_products(model, objective, tensors(weights), along)
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


INNER = ("query", "key", "value", "output", "hidden_in", "hidden_out")


def test_names_say_what_decays() -> None:
    model = GPT(width=4, length=3, layers=2, heads=2, tying="untied", seed=1)
    assert isinstance(model, Readable)
    names = (model.embedding_name, model.positions_name, model.readout_name, model.bias_name)
    assert names == ("embedding", "positions", "readout", "bias")
    assert (model.states, model.width, model.length, model.layers) == (2, 4, 3, 2)
    assert (model.heads, model.hidden, model.tying) == (2, 16, "untied")
    tied = GPT(width=4, length=3, layers=2, positions="relative")
    assert (tied.positions_name, tied.readout_name) == (None, "embedding")
    expected = [f"blocks.{layer}.{name}" for layer in (0, 1) for name in INNER]
    assert sorted(tied.linear_weights) == sorted(expected)
    assert sorted(model.linear_weights) == sorted([*expected, "readout"])
    assert set(model.linear_weights) <= {name for name, _ in model.named_parameters()}
    bare = GPT(width=4, length=3, attention=False, feedforward=False)
    assert bare.linear_weights == ()


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
    sizes: Variant = {"width": 4, "length": 5, "hidden": 3}
    model = SingleLayer(**sizes, seed=2)
    sizes |= {"layer_norm": False, "biases": False, "activation": "relu"}
    recipe = Recipe(**sizes)
    generator = np.random.default_rng(0)
    own = {n: generator.standard_normal(tuple(v.shape)) for n, v in model.named_parameters()}
    twin = {f"blocks.0.{name}": own[name] for name in INNER} | {"positions": own["positions"]}
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
    logits = call(GPT(**sizes), tensors(twin), "forward", torch.from_numpy(tokens))
    single = call(model, tensors(own), "forward", torch.from_numpy(tokens))
    assert largest_error(logits, single.numpy()) < LOGIT_ERROR


RELU = [variant for variant in VARIANTS if variant.get("activation") == "relu"]


@pytest.mark.parametrize("variant", RELU, ids=map(name_of, RELU))
def test_preactivations_are_those_of_loops_for_units_that_lead_on(variant: Variant) -> None:
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
    loss = ExactLoss(Markov(random_kernel(recipe.states)), recipe.length)
    spectrum = hessian_spectrum(GPT(**variant), loss, tensors(weights))
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
        return loss_at(theta + t * direction, kernel, recipe)

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
    loss, plane = ExactLoss(Markov(kernel), 2), torch.from_numpy(directions)
    measured = loss_slice(GPT(**variant), loss, tensors(weights), plane, resolution=3, radius=1.0)
    for i, j in np.ndindex(3, 3):
        moved = theta + np.array([measured.alpha[i], measured.beta[j]]) @ directions
        assert abs(measured.loss[i, j] - loss_at(moved, kernel, recipe)) < 1e-13
    assert np.ptp(measured.loss) > 1e-2
