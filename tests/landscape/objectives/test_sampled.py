import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import grad, vmap

from landscape.models import SingleLayer
from landscape.models.initial import gaussian
from landscape.models.parameters import call
from landscape.models.sequence_table import sequence_logits
from landscape.objectives.exact import ExactLoss
from landscape.objectives.population import population_loss
from landscape.objectives.sampled import SampledLoss
from landscape.points.bigram import bigram_point
from landscape.points.unigram import unigram_point
from landscape.sources import BinaryMarkov
from landscape.spectra.operators import hessian_products
from landscape.training.loop import train
from tests.twins.single_layer import (
    arrays,
    bce,
    flatten,
    naive_logits,
    naive_loss,
    shapes,
    unflatten,
)

CHAIN = BinaryMarkov(0.5, 0.8)
SHORT: dict[str, Any] = {"length": 4, "batch": 40}  # 2^5 < 160: by context
LONG: dict[str, Any] = {"length": 7, "batch": 3}  # by sequence


def naive_sampled(weights: Mapping[str, np.ndarray], tokens: np.ndarray) -> Any:
    """Mean over sequences and positions of the cross-entropy to r, query by query in numpy."""
    return bce(naive_logits(weights, tokens), np.where(tokens == 1, 0.2, 0.5)).mean()


@pytest.mark.parametrize("tying", ["tied", "untied"])
@pytest.mark.parametrize("deviation", [0.02, 1.0, 4.0])
def test_one_table_of_weights_serves_every_sequence_as_forward_does(
    tying: str, deviation: float
) -> None:
    model = SingleLayer(width=4, length=30, tying=tying)
    params = gaussian(model, deviation, 3)
    tokens = CHAIN.sample(5, 30, torch.Generator().manual_seed(1))
    found = sequence_logits(model, params, tokens)
    expected = call(model, params, "forward", tokens)
    scale = 1 + expected.abs().max()  # logits of order deviation^6; scores to 10^3 cost 3 digits
    assert ((found - expected).abs().max() / scale) < 1e-12
    flipped = call(model, params, "forward", 1 - tokens)
    assert ((found - flipped).abs().max() / scale) > 1e-6


def test_far_scores_neither_vanish_nor_overflow_in_float32() -> None:
    """Scores of thousands along the positions: exp of them is 0 or infinite."""
    model = SingleLayer(width=2, length=20, dtype=torch.float32)
    params = gaussian(model, 0.5, 0)
    params["query"] = params["key"] = 20 * torch.eye(2)
    params["positions"] = torch.linspace(-5, 5, 40).reshape(20, 2).flip(0)
    params["embedding"] = params["embedding"] / 200
    u = 20 * params["positions"]
    scores = (u @ u.T / math.sqrt(2)).exp()
    assert scores.isinf().any() and (scores == 0).any()
    tokens = CHAIN.sample(4, 20, torch.Generator().manual_seed(0))
    found = sequence_logits(model, params, tokens)
    expected = call(model, params, "forward", tokens)
    assert found.isfinite().all()
    # scores near 8000 are rounded to 5e-4 in float32, and so are the log-weights
    assert (found - expected).abs().max() < 1e-2 * expected.abs().max()


@pytest.mark.parametrize("sizes", [SHORT, LONG], ids=str)
def test_the_gradient_is_the_complex_step_of_the_sum_over_tokens(sizes: dict[str, Any]) -> None:
    layout = shapes(2, sizes["length"], 3)
    model = SingleLayer(width=2, length=sizes["length"], hidden=3)
    params = gaussian(model, 0.8, 4)
    loss = SampledLoss(CHAIN, **sizes, seed=2)
    tokens = loss.tokens.numpy()

    def naive_gradient(theta: np.ndarray) -> np.ndarray:
        steps = theta + 1e-30j * np.eye(len(theta))
        values = [naive_sampled(unflatten(row, layout), tokens) for row in steps]
        return np.imag(values) / 1e-30

    theta = flatten(arrays(params), layout)
    expected = naive_gradient(theta)
    found = grad(lambda p: loss(model, p))(params)
    assert np.abs(flatten(arrays(found), layout) - expected).max() < 1e-14  # round-off
    other = grad(lambda p: SampledLoss(CHAIN, **sizes, seed=3)(model, p))(params)
    assert np.abs(flatten(arrays(other), layout) - expected).max() > 1e-4

    direction = torch.ones(1, len(theta), dtype=torch.float64)
    product = hessian_products(model, loss, params, direction)[0].numpy()
    names = {name: value.shape for name, value in params.items()}
    step = 1e-5  # second order: truncation 1e-10 of third derivatives, round-off 1e-15/1e-5
    sides = [naive_gradient(theta + sign * step) for sign in (1, -1)]
    difference = unflatten((sides[0] - sides[1]) / (2 * step), layout)
    assert np.abs(product - flatten(difference, names)).max() < 1e-8
    assert np.abs(product).max() > 1e-2


# --- statistics


def calibrated(z: np.ndarray, batch: int) -> bool:
    """Whether the variance of z is that of Student's t with B - 1 degrees, to 4 of its errors."""
    error = math.sqrt(((z**2 - (z**2).mean()) ** 2).mean() / len(z))
    return bool(abs((z**2).mean() - (batch - 1) / (batch - 3)) < 4 * error)


@pytest.fixture(scope="module")
def drawn() -> tuple[dict[str, Tensor], np.ndarray]:
    """Weights, and by rows of 1000 seeds: estimates, standard errors, errors as if all positions
    were independent, and the first two post-stratified.
    """
    chain = BinaryMarkov(0.1, 0.08)  # correlation 0.82 from a symbol to the next
    model = SingleLayer(width=2, length=8)
    params = gaussian(model, 0.5, 6)
    params["bias"] = torch.tensor(1.5, dtype=torch.float64)  # much better at 1 than at 0
    columns = []
    for seed in range(1000):
        loss = SampledLoss(chain, 8, batch=60, seed=seed)
        logits = call(model, params, "forward", loss.tokens)
        law = chain.conditional_law(loss.tokens)[..., 1].numpy()
        wrong = bce((logits[..., 1] - logits[..., 0]).numpy(), law).std(ddof=1)
        parts = loss.post_stratified(model, params).numpy()
        spread, error = parts.std(ddof=1) / math.sqrt(60), loss.standard_error(model, params)
        plain = loss(model, params).item(), error.item(), wrong / math.sqrt(law.size)
        columns.append((*plain, parts.mean(), spread))
    return params, np.array(columns).T


def test_the_standard_error_is_calibrated_and_the_loss_unbiased(drawn: Any) -> None:
    params, (values, errors, wrong, *_) = drawn
    exact, elsewhere = (float(naive_loss(arrays(params), p, 0.08, 8)) for p in (0.1, 0.11))
    mean_error = values.std() / math.sqrt(len(values))
    assert abs(values.mean() - exact) < 4 * mean_error < abs(values.mean() - elsewhere)
    assert calibrated((values - exact) / errors, 60)
    assert not calibrated((values - exact) / wrong, 60)
    assert not calibrated((values - exact) / (1.15 * errors), 60)


def test_post_stratification_is_unbiased_calibrated_and_closer(drawn: Any) -> None:
    params, (plain, _, _, values, errors) = drawn
    exact = float(naive_loss(arrays(params), 0.1, 0.08, 8))
    # a ratio of two sums: a bias of the order of the variance, far below the error of the mean
    assert abs(values.mean() - exact) < 4 * values.std() / math.sqrt(len(values))
    assert calibrated((values - exact) / errors, 60)
    assert not calibrated((values - exact) / (1.2 * errors), 60)
    assert values.std() < 0.5 * plain.std()


def test_post_stratified_unigram_and_bigram_losses_have_no_sampling_error() -> None:
    model, loss = SingleLayer(width=4, length=24), SampledLoss(CHAIN, 24, batch=20, seed=3)
    short = ExactLoss(CHAIN, 4)  # its points, laid out at the other length
    known = {"unigram": CHAIN.unigram_entropy, "bigram": CHAIN.entropy_rate}
    for build in (unigram_point, bigram_point):
        point = build(model, short)
        parts = loss.post_stratified(model, point.params)
        value = known[point.kind]
        assert abs(parts.mean().item() - value) < 1e-14 and parts.std() < 1e-14
        assert abs(loss(model, point.params).item() - value) > 1e-4  # control: the plain mean


def test_where_a_symbol_never_shows_the_plain_mean_is_taken() -> None:
    rare, model = BinaryMarkov("1e-9", 0.5), SingleLayer(width=2, length=5)
    loss, params = SampledLoss(rare, 5, batch=4, seed=0), gaussian(model, 0.5, 0)
    assert not loss.tokens.any()
    both = loss.post_stratified(model, params), loss.by_sequence(model, params)
    assert torch.equal(*both)


def test_the_seeds_that_torch_cannot_tell_apart_are_refused() -> None:
    here, far = (torch.Generator().manual_seed(seed) for seed in (5, 5 + 2**32))
    assert torch.equal(torch.rand(3, generator=here), torch.rand(3, generator=far))
    for seed in (-1, 2**32, 2**64):
        with pytest.raises(ValueError, match=r"seed=.* is out of range.*4294967295"):
            SampledLoss(CHAIN, 5, batch=4, seed=seed)
    tokens = []
    for n in (24, 25):
        held_out = population_loss(SampledLoss(CHAIN, n, batch=2, seed=0))
        assert isinstance(held_out, SampledLoss)
        tokens.append(held_out.tokens)
    assert not torch.equal(tokens[0], tokens[1][: len(tokens[0]), :24])
    for seed in (0, 1):
        drawn = SampledLoss(CHAIN, 24, batch=len(tokens[0]), seed=seed).tokens
        assert not torch.equal(drawn, tokens[0])


def test_far_scores_do_not_end_a_run_that_forward_can_go_on_with() -> None:
    """Weights a hundred times too large: the table overflows in float32, softmax does not."""
    model = SingleLayer(width=8, length=20, dtype=torch.float32)
    start = {name: 100 * value.detach() for name, value in model.named_parameters()}
    loss = SampledLoss(CHAIN, 20, batch=8, seed=0)
    assert not sequence_logits(model, start, loss.tokens).isfinite().all()  # there is a need
    assert loss(model, start).isfinite()

    class Plain(SingleLayer):
        """The same model, of which no table is known."""

    plain = Plain(width=8, length=20, dtype=torch.float32)
    settings: dict[str, Any] = {"steps": 3, "seeds": [0], "initial": lambda seed: start}
    runs = [train(one, loss, **settings) for one in (model, plain)]
    assert np.isfinite(runs[0].loss).all()
    # float32 at logits of a few hundred, through three steps
    assert np.abs(runs[0].loss - runs[1].loss).max() < 1e-4 * np.abs(runs[1].loss).max()
    assert all(np.isfinite(value).all() for value in runs[0].distance.values())


def test_known_laws_as_targets_have_less_variance_than_drawn_symbols() -> None:
    model = SingleLayer(width=2, length=9)
    params = gaussian(model, 0.5, 6)
    known, drawn = [], []
    for seed in range(300):
        tokens = CHAIN.sample(16, 9, torch.Generator().manual_seed(seed)).numpy()
        logits = naive_logits(arrays(params), tokens)
        known.append(bce(logits, np.where(tokens == 1, 0.2, 0.5))[:, :-1].mean())
        drawn.append(bce(logits[:, :-1], tokens[:, 1:]).mean())
    # the ratio of two variances of 300 draws has an error of about 12%
    assert np.var(known) < 0.7 * np.var(drawn)
    assert abs(np.mean(known) - np.mean(drawn)) < 4 * np.std(drawn) / math.sqrt(300)


@pytest.mark.parametrize("reference", ["unigram", "bigram"])
def test_the_divergence_is_the_mean_over_its_tokens(reference: str) -> None:
    model = SingleLayer(width=3, length=20)
    params = gaussian(model, 0.6, 0)
    loss = SampledLoss(CHAIN, 20, batch=5, seed=0)
    tokens = loss.tokens.numpy()
    f = 1 / (1 + np.exp(-naive_logits(arrays(params), tokens)))
    laws = {"bigram": np.where(tokens == 1, 0.2, 0.5), "unigram": np.full(f.shape, 0.5 / 1.3)}

    def divergence(r: np.ndarray) -> float:
        return float((f * np.log(f / r) + (1 - f) * np.log((1 - f) / (1 - r))).mean())

    found = loss.divergence(model, params, reference).item()
    assert abs(found - divergence(laws.pop(reference))) < 1e-14
    assert abs(found - divergence(*laws.values())) > 1e-3
    message = r"reference='trigram' is unknown; give 'unigram', 'bigram'"
    with pytest.raises(ValueError, match=message):
        loss.divergence(model, params, "trigram")


# --- the interface


def test_a_subclass_is_evaluated_by_its_own_forward() -> None:
    class Louder(SingleLayer):
        def forward(self, tokens: Tensor) -> Tensor:
            return 2 * super().forward(tokens)

    louder, plain = (kind(width=2, length=7) for kind in (Louder, SingleLayer))
    params = gaussian(plain, 0.8, 1)
    loss = SampledLoss(CHAIN, **LONG, seed=0)
    logits = 2 * naive_logits(arrays(params), loss.tokens.numpy())
    expected = bce(logits, np.where(loss.tokens.numpy() == 1, 0.2, 0.5)).mean()
    assert abs(loss(louder, params).item() - expected) < 1e-14
    assert abs(loss(plain, params).item() - expected) > 1e-3


@pytest.mark.parametrize("sizes", [SHORT, LONG], ids=str)
def test_the_loss_is_batched_under_vmap(sizes: dict[str, Any]) -> None:
    model = SingleLayer(width=2, length=sizes["length"])
    loss = SampledLoss(CHAIN, **sizes, seed=0)
    rows = [gaussian(model, 0.5, seed) for seed in range(3)]
    stacked = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
    for quantity in (loss, loss.standard_error):
        together = vmap(lambda p, f=quantity: f(model, p))(stacked)
        alone = torch.stack([quantity(model, row) for row in rows])
        assert (together - alone).abs().max() < 1e-15
        assert (together - alone.flip(0)).abs().max() > 1e-5


def test_the_draw_is_the_sources_own_and_follows_from_the_seed() -> None:
    loss = SampledLoss(CHAIN, 9, batch=5, seed=3)
    expected = CHAIN.sample(5, 9, torch.Generator().manual_seed(3))
    assert torch.equal(loss.tokens, expected)
    assert torch.equal(SampledLoss(CHAIN, 9, batch=5, seed=3).tokens, expected)
    assert not torch.equal(SampledLoss(CHAIN, 9, batch=5, seed=4).tokens, expected)
    own = torch.Generator().manual_seed(1)
    first, second = (SampledLoss(CHAIN, 9, batch=5, seed=own) for _ in range(2))
    assert first.seed != second.seed
    assert torch.equal(SampledLoss(CHAIN, 9, batch=5, seed=first.seed).tokens, first.tokens)
    again = SampledLoss(CHAIN, 9, batch=5, seed=torch.Generator().manual_seed(1))
    assert torch.equal(again.tokens, first.tokens)


def test_samples_that_cannot_be_or_cannot_tell_are_refused() -> None:
    model = SingleLayer(width=2, length=5)
    params = gaussian(model, 0.5, 0)
    for name in ("length", "batch"):
        message = rf"{name}=0 is out of range; give an integer of at least 1"
        with pytest.raises(ValueError, match=message):
            SampledLoss(CHAIN, **{**LONG, name: 0}, seed=0)
    with pytest.raises(ValueError, match=r"tokens have length 7, .* build it with length=7"):
        SampledLoss(CHAIN, **LONG, seed=0)(model, params)
    with pytest.raises(ValueError, match=r"batch=1 has no standard error.*at least 2"):
        SampledLoss(CHAIN, 5, batch=1, seed=0).standard_error(model, params)
