import itertools
import math
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings, strategies as st
from torch import Tensor
from torch.func import grad, jvp, vmap

from landscape.models import ReducedModel, SingleLayer
from landscape.models.ansatz import ansatz
from landscape.models.initial import gaussian
from landscape.models.parameters import Params
from landscape.objectives.exact import ExactLoss, enumerated_context_logits, stacked_tables
from landscape.sources import BinaryMarkov, MarkovSource, SwitchingMarkov
from tests.laws.models import Weights, condition, tensors
from tests.twins.single_layer import (
    arrays,
    flatten,
    naive_divergence,
    naive_gradient,
    naive_hessian_product,
    naive_logits,
    naive_loss,
    random_weights,
    sequences,
    shapes,
)

ROOT = Path(__file__).parents[3]
CHAIN = BinaryMarkov(0.5, 0.8)


def flat(params: Params, layout: dict[str, tuple[int, ...]]) -> np.ndarray:
    return flatten(arrays(params), layout)


def drawn(
    seed: int, width: int, length: int, tying: str = "tied", deviation: float = 0.6
) -> tuple[SingleLayer, dict[str, tuple[int, ...]], Weights]:
    layout = shapes(width, length, tying=tying)
    model = SingleLayer(width=width, length=length, tying=tying)
    return model, layout, random_weights(np.random.default_rng(seed), layout, deviation)


CHANCE = st.integers(1, 99).map(lambda percent: percent / 100)


@settings(max_examples=60)
@given(
    p=CHANCE,
    q=CHANCE,
    width=st.integers(1, 5),
    length=st.integers(1, 6),
    tying=st.sampled_from(["tied", "untied"]),
    deviation=st.sampled_from([0.02, 1.0, 3.0]),
    seed=st.integers(0, 2**32),
)
# all scores of a context lie so far below the table's largest that their exp is 0, or subnormal
@example(p=0.5, q=0.8, width=5, length=5, tying="tied", deviation=3.0, seed=3)
@example(p=0.5, q=0.8, width=5, length=5, tying="tied", deviation=3.0, seed=4)
def test_exact_loss_holds_at_weights_of_any_size(
    p: float, q: float, width: int, length: int, tying: str, deviation: float, seed: int
) -> None:
    # at standard deviation 3 scores reach thousands, where exp overflows and underflows
    model, _, weights = drawn(seed, width, length, tying, deviation)
    loss = ExactLoss(BinaryMarkov(p, q), length)(model, tensors(weights)).item()
    allowed = 16 * 2.3e-16 * (1 + condition(weights, length))
    assert abs(loss - naive_loss(weights, p, q, length)) < allowed


def iid_loss(weights: Weights, p: float, q: float, length: int) -> float:
    """What the loss would be if each symbol were drawn afresh from the stationary law."""
    return float(naive_loss(weights, p / (p + q), q / (p + q), length))


@pytest.mark.parametrize(
    "mutated",
    [
        iid_loss,
        lambda w, p, q, n: naive_loss(w, q, p, n),
        lambda w, p, q, n: naive_loss(w, p, q, n - 1),
        lambda w, p, q, n: naive_loss(w, p, q, n) * n,
        lambda w, p, q, n: naive_loss(w | {"output": np.eye(2)}, p, q, n),
    ],
    ids=["independent symbols", "p and q exchanged", "last target dropped", "sum", "no W_O"],
)
def test_a_mutated_loss_is_refuted(mutated: Callable[[Weights, float, float, int], float]) -> None:
    model, _, weights = drawn(1, 2, 4)
    loss = ExactLoss(CHAIN, 4)(model, tensors(weights)).item()
    assert abs(loss - naive_loss(weights, 0.5, 0.8, 4)) < 1e-15
    assert abs(loss - mutated(weights, 0.5, 0.8, 4)) > 1e-3


def test_in_float32_the_loss_is_rounded_and_stays_float32() -> None:
    model = SingleLayer(width=3, length=5, dtype=torch.float32)
    single = tensors(drawn(2, 3, 5)[2], torch.float32)
    weights = {name: value.double().numpy() for name, value in single.items()}
    loss = ExactLoss(CHAIN, 5)(model, single)
    assert loss.dtype == torch.float32
    # eps of float32 times terms of order 1
    assert 0 < abs(loss.item() - naive_loss(weights, 0.5, 0.8, 5)) < 64 * 1.2e-7


@pytest.mark.parametrize("length", [1, 2, 3, 5, 7, 10])
@pytest.mark.parametrize("tying", ["tied", "untied"])
def test_score_tables_give_the_logits_of_forward_on_every_sequence(length: int, tying: str) -> None:
    model, _, weights = drawn(3, 3, length + 2, tying)  # a model may be longer than the contexts
    params = tensors(weights)
    table = ExactLoss(CHAIN, length).context_logits(model, params)
    assert bool((table[:, 0] == 0).all())
    enumerated = enumerated_context_logits(model, params, 2, length)
    assert table.shape == enumerated.shape == (2 ** (length + 1) - 2, 2)
    naive = [naive_logits(weights, sequences(n))[:, -1] for n in range(1, length + 1)]
    allowed = 16 * 2.3e-16 * condition(weights, length)
    assert np.abs(table[:, 1].numpy() - np.concatenate(naive)).max() < allowed
    assert np.abs(enumerated[:, 1].numpy() - np.concatenate(naive)).max() < allowed
    assert np.abs(table[:, 1].numpy() - np.concatenate(naive)[::-1]).max() > 1e-2


def test_the_reduced_model_is_enumerated_by_its_two_values() -> None:
    model = ReducedModel()
    params = ansatz(model, 1.3, -0.4, 0.2)
    table = ExactLoss(CHAIN, 4).context_logits(model, params)
    assert torch.equal(table, enumerated_context_logits(model, params, 2, 4))
    assert table[0, 1] != table[1, 1]


# --- derivatives


CASES = [(0.5, 0.8, 2, 3, "tied"), (0.2, 0.3, 3, 2, "untied"), (0.9, 0.9, 2, 4, "untied")]


@pytest.mark.parametrize(("p", "q", "width", "length", "tying"), CASES)
def test_gradient_is_that_of_the_enumeration_in_both_modes(
    p: float, q: float, width: int, length: int, tying: str
) -> None:
    model, layout, weights = drawn(5, width, length, tying)
    loss, params = partial(ExactLoss(BinaryMarkov(p, q), length), model), tensors(weights)
    naive = naive_gradient(weights, p, q, length, layout)
    reverse = flat(grad(loss)(params), layout)
    # an imaginary step neither truncates nor subtracts; terms of order 1
    assert np.abs(reverse - naive).max() < 1e-14
    direction = random_weights(np.random.default_rng(6), layout)
    forward = jvp(loss, (params,), (tensors(direction),))[1].item()
    assert abs(forward - naive @ flatten(direction, layout)) < 1e-13
    elsewhere = naive_gradient(weights, q / 2, p / 2, length, layout)
    assert np.abs(reverse - elsewhere).max() > 1e-3


@pytest.mark.parametrize("name", ["query", "hidden_in", "embedding", "bias"])
def test_the_naive_gradient_is_a_central_difference(name: str) -> None:
    _, layout, weights = drawn(5, 2, 2)
    h = 1e-5
    up, down = (weights | {name: weights[name] + step} for step in (h, -h))
    slope = (naive_loss(up, 0.5, 0.8, 2) - naive_loss(down, 0.5, 0.8, 2)) / (2 * h)
    ones = {key: np.full(shape, float(key == name)) for key, shape in layout.items()}
    gradient = naive_gradient(weights, 0.5, 0.8, 2, layout) @ flatten(ones, layout)
    # truncation h^2/6 of the third derivative, round-off eps/h
    assert abs(slope - gradient) < 1e-9
    assert abs(gradient) > 1e-3


@pytest.mark.parametrize(("p", "q", "width", "length", "tying"), CASES)
def test_hessian_product_is_that_of_the_enumeration_in_every_pair_of_modes(
    p: float, q: float, width: int, length: int, tying: str
) -> None:
    model, layout, weights = drawn(7, width, length, tying)
    value = partial(ExactLoss(BinaryMarkov(p, q), length), model)
    direction = random_weights(np.random.default_rng(8), layout)
    norm = float(np.linalg.norm(flatten(direction, layout)))
    direction = {name: value / norm for name, value in direction.items()}
    params, v = tensors(weights), tensors(direction)

    def slope(x: Params) -> Tensor:
        along: Tensor = jvp(value, (x,), (v,))[1]
        return along

    def paired(x: Params) -> Tensor:
        g = grad(value)(x)
        return torch.stack([(g[name] * v[name]).sum() for name in g]).sum()

    # forward over reverse, reverse over reverse, reverse over forward
    products = [jvp(grad(value), (params,), (v,))[1], grad(paired)(params), grad(slope)(params)]
    modes = [flat(product, layout) for product in products]
    naive = naive_hessian_product(weights, direction, p, q, length, layout)
    for mode in modes:
        # differences at step 1e-4 of a gradient with terms of order 1: 2 eps/1e-4, times 10
        assert np.abs(mode - naive).max() < 4e-11
        assert np.abs(mode - 1.01 * naive).max() > 1e-5
        assert np.abs(mode - modes[0]).max() < 1e-14
    twice = jvp(slope, (params,), (v,))[1].item()
    assert abs(twice - naive @ flatten(direction, layout)) < 4e-11


def test_batched_over_parameters_and_chains_it_is_the_loop() -> None:
    model = SingleLayer(width=3, length=5, tying="untied")
    losses = [ExactLoss(BinaryMarkov(p, q), 5) for p, q in ((0.5, 0.8), (0.2, 0.3), (0.9, 0.9))]
    starts = [gaussian(model, 0.7, seed) for seed in range(3)]
    stacked = {name: torch.stack([start[name] for start in starts]) for name in starts[0]}
    tables = stacked_tables(losses)

    def value(params: Params, weights: Tensor, joint: Tensor) -> Tensor:
        return losses[0].evaluate(model, params, (weights, joint))

    batched, gradients = vmap(value)(stacked, *tables), vmap(grad(value))(stacked, *tables)
    for run, (loss, start) in enumerate(zip(losses, starts, strict=True)):
        # batched kernels add in another order: a few eps of terms of order 1
        assert abs(batched[run] - loss(model, start)).item() < 1e-14
        alone = grad(partial(loss, model))(start)
        assert all((gradients[k][run] - alone[k]).abs().max() < 1e-14 for k in alone)
        assert abs(batched[run] - losses[run - 1](model, start)).item() > 1e-3


def test_objectives_of_different_shapes_cannot_be_stacked() -> None:
    message = (
        r"objectives of different \(length, states\) \[\(2, 2\), \(3, 2\)\] cannot be stacked; "
        r"train each shape in its own call"
    )
    with pytest.raises(ValueError, match=message):
        stacked_tables([ExactLoss(CHAIN, 3), ExactLoss(CHAIN, 2)])


# --- values known in closed form


def entropies(p: float, q: float) -> tuple[float, float]:
    """H_b and H_u with 30 digits."""

    def h(x: mpmath.mpf) -> mpmath.mpf:
        return -x * mpmath.log(x) - (1 - x) * mpmath.log(1 - x)

    with mpmath.workdps(30):
        a, b = mpmath.mpf(str(p)), mpmath.mpf(str(q))
        return float((b * h(a) + a * h(b)) / (a + b)), float(h(a / (a + b)))


@pytest.mark.parametrize("tying", ["tied", "untied"])
@pytest.mark.parametrize(("p", "q", "w"), [(0.5, 0.8, -1.2), (0.2, 0.3, 0.4), (0.9, 0.9, -0.8)])
def test_the_loss_is_an_entropy_at_the_unigram_and_bigram_points(
    p: float, q: float, w: float, tying: str
) -> None:
    rate, unigram = entropies(p, q)
    model = SingleLayer(width=4, length=6, tying=tying)
    loss = ExactLoss(BinaryMarkov(p, q), 6)

    def at(e: float, b: float) -> float:
        return loss(model, ansatz(model, e, w, b)).item()

    s = math.log((1 - p) * (1 - q) / (p * q))
    e = math.sqrt(s / (1 + 2 * w * abs(w)))
    # sums of 126 positive terms below 1
    assert abs(at(0.0, math.log(p / q)) - unigram) < 1e-14
    assert abs(at(e, e**2 / 2 + math.log(p / (1 - p))) - rate) < 1e-14
    # both are minima of what the predictor can see: any other bias, or another e, costs more
    assert at(0.0, math.log(p / q) + 0.1) > unigram + 1e-4
    assert at(e, math.log(p / (1 - p))) > rate + 1e-4
    assert at(1.1 * e, 1.21 * e**2 / 2 + math.log(p / (1 - p))) > rate + 1e-4


@pytest.mark.parametrize("reference", ["unigram", "bigram"])
@pytest.mark.parametrize(("p", "q"), [(0.5, 0.8), (0.2, 0.3)])
def test_divergence_is_the_mean_over_contexts_of_the_divergence_from_the_prediction(
    reference: str, p: float, q: float
) -> None:
    model, _, weights = drawn(9, 2, 4)
    loss = ExactLoss(BinaryMarkov(p, q), 4)
    measured = loss.divergence(model, tensors(weights), reference).item()
    naive = naive_divergence(weights, p, q, 4, reference)
    assert abs(measured - naive) < 1e-14  # terms of order 1
    other = "bigram" if reference == "unigram" else "unigram"
    assert abs(measured - naive_divergence(weights, p, q, 4, other)) > 1e-3


def test_divergence_to_a_predictor_is_zero_at_that_predictor_and_positive_elsewhere() -> None:
    p, q, w = 0.5, 0.8, -1.2
    model, loss = ReducedModel(), ExactLoss(CHAIN, 3)
    e = math.sqrt(math.log((1 - p) * (1 - q) / (p * q)) / (1 + 2 * w * abs(w)))
    points: dict[str, dict[str, Tensor]] = {
        "unigram": ansatz(model, 0.0, w, math.log(p / q)),
        "bigram": ansatz(model, e, w, e**2 / 2 + math.log(p / (1 - p))),
    }
    for here, reference in itertools.product(points, points):
        divergence = loss.divergence(model, points[here], reference).item()
        if here == reference:
            assert abs(divergence) < 1e-15  # round-off of terms that sum to 0
        else:
            assert divergence > 1e-2


def test_an_unknown_reference_is_refused() -> None:
    model = ReducedModel()
    message = r"reference='trigram' is unknown; give 'unigram', 'bigram' or 'optimal'"
    with pytest.raises(ValueError, match=message):
        ExactLoss(CHAIN, 2).divergence(model, dict(model.named_parameters()), "trigram")


# --- sizes


@pytest.mark.parametrize(
    ("source", "length", "message"),
    [
        (CHAIN, 17, r"length=17 is too long for exact enumeration: 2\^17 = 1\.31e\+05 contexts, "
         r"about 0\.00105 GB for one number each; give a length of at most 16, or estimate the "
         r"loss from samples \(SampledLoss\)"),
        (CHAIN, 40, r"length=40 is too long .*2\^40 = 1\.1e\+12 contexts"),
        (CHAIN, 0, r"length=0 is out of range; give an integer of at least"),
        (SwitchingMarkov(3, "0.3"), 11, r"3\^11 = .* give a length of at most 10"),
    ],
)  # fmt: skip
def test_a_length_without_exact_contexts_is_refused_with_its_cost(
    source: MarkovSource, length: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ExactLoss(source, length)
    assert ExactLoss(CHAIN, 16).weights.shape == (2**17 - 2,)


def memory(length: int, way: str) -> float:
    """MiB by which loss and gradient raise the peak of a process of their own."""
    program = str(Path(__file__).with_name("exact_memory.py"))
    # A shell in between: the peak of this process would be inherited by the one it starts.
    shell = ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, program, str(length), way]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(shell, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout)


@pytest.mark.slow
def test_length_16_fits_into_300_mebibytes_and_enumeration_does_not() -> None:
    assert memory(16, "table") < 300
    assert memory(16, "enumeration") > 300
