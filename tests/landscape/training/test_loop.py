import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import fisher_exact
from torch import Tensor, nn

from landscape.models import ReducedModel, SingleLayer
from landscape.models.initial import gaussian, standard
from landscape.models.parameters import parameters_of
from landscape.objectives.batches import FreshBatches, stream
from landscape.objectives.exact import ExactLoss
from landscape.objectives.sampled import SampledLoss
from landscape.sources import BinaryMarkov
from landscape.training.loop import train, train_together
from landscape.training.recipe import Recipe, one_cycle
from landscape.training.trajectory import Trajectory
from tests.check_values import agrees, entry, value
from tests.twins.single_layer import (
    LINEAR,
    arrays,
    bce,
    flatten,
    naive_divergence,
    naive_gradient,
    naive_logits,
    naive_loss,
    shapes,
    unflatten,
)


def exact(p: float, q: float, length: int) -> ExactLoss:
    return ExactLoss(BinaryMarkov(p, q), length)


def furthest(first: Trajectory, second: Trajectory, runs: Sequence[int] = (0,)) -> float:
    """Largest difference, in losses (nats) and end points, of some runs from those of another."""
    ends = [(first.params[k][[*runs]] - second.params[k]).abs().max().item() for k in first.params]
    return max(*ends, float(np.abs(first.loss[[*runs]] - second.loss).max()))


# --- the optimiser


def torch_one_cycle(steps: int, strategy: Any = "cos") -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(()))], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=2e-3, total_steps=steps, pct_start=0.02, div_factor=100,
        final_div_factor=0.05, anneal_strategy=strategy, cycle_momentum=False,
    )  # fmt: skip
    rates = [schedule.get_last_lr()[0]]
    while len(rates) < steps:
        optimizer.step()
        schedule.step()
        rates.append(schedule.get_last_lr()[0])
    return [float(rate) for rate in rates]


@pytest.mark.parametrize("steps", [150, 1000, 3000])
def test_the_schedule_is_the_one_cycle_of_the_reference(steps: int) -> None:
    rates = [one_cycle(step, steps, 2e-3) for step in range(steps)]
    # a cosine and two products: a few eps of the peak
    assert rates == pytest.approx(torch_one_cycle(steps), rel=0, abs=1e-17)
    assert rates != pytest.approx(torch_one_cycle(steps, "linear"), rel=0, abs=1e-6)
    assert rates[0] == pytest.approx(2e-5, rel=1e-14)
    assert rates[-1] == pytest.approx(4e-4, rel=1e-14)
    assert max(rates) == pytest.approx(2e-3, rel=1e-2)


@pytest.mark.parametrize("steps", [1, 2, 10, 50])
def test_a_short_schedule_falls_from_the_peak_to_a_fifth(steps: int) -> None:
    rates = [one_cycle(step, steps, 2e-3) for step in range(steps)]
    assert rates[0] == 2e-3
    assert rates == sorted(rates, reverse=True)
    if steps > 1:
        assert rates[-1] == pytest.approx(4e-4, rel=1e-14)


Layout = dict[str, tuple[int, ...]]


def half_cosine(step: int, steps: int, peak: float) -> float:
    """The rate of runs too short for a warm-up: from the peak to a fifth."""
    return peak * (0.2 + 0.8 * (1 + math.cos(math.pi * step / (steps - 1))) / 2)


def mask_of(layout: Layout, decayed: Iterable[str] = LINEAR) -> np.ndarray:
    return flatten({k: np.full(shape, float(k in decayed)) for k, shape in layout.items()}, layout)


def adamw_by_hand(
    weights: dict[str, np.ndarray],
    layout: Layout,
    decayed: Iterable[str] = LINEAR,
    *,
    lr: float = 2e-3,
    weight_decay: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.95),
    eps: float = 1e-8,
    coupled: bool = False,
    corrected: bool = True,
    sign: float = 1,
) -> tuple[list[float], np.ndarray]:
    """Ten steps of AdamW as published, on the gradient of the enumeration, at (p,q) = (.5,.8)."""
    p, q, length = 0.5, 0.8, layout["positions"][0]
    theta, first, second = (flatten(weights, layout) * factor for factor in (1.0, 0.0, 0.0))
    mask = mask_of(layout, decayed)
    losses = [float(naive_loss(weights, p, q, length))]
    for t in range(1, 11):
        rate = half_cosine(t - 1, 10, lr)
        g = sign * naive_gradient(unflatten(theta, layout), p, q, length, layout)
        if coupled:
            g = g + weight_decay * mask * theta
        else:
            theta = theta - rate * weight_decay * mask * theta
        first = betas[0] * first + (1 - betas[0]) * g
        second = betas[1] * second + (1 - betas[1]) * g**2
        m = first / (1 - betas[0] ** t) if corrected else first
        v = second / (1 - betas[1] ** t) if corrected else second
        theta = theta - rate * m / (np.sqrt(v) + eps)
        losses.append(float(naive_loss(unflatten(theta, layout), p, q, length)))
    return losses, theta


def steps_of(
    loss: ExactLoss | SampledLoss, *, tying: str = "tied", **options: Any
) -> tuple[dict[str, np.ndarray], Layout, Trajectory, np.ndarray]:
    """Steps of `train` from weights of order 1, so that no gradient is near Adam's eps; the end."""
    model = SingleLayer(width=2, length=loss.length, hidden=2, tying=tying)
    layout, start = shapes(2, loss.length, 2, tying), gaussian(model, 0.8, 4)
    done = train(model, loss, **{"steps": 10, "seeds": [0], **options}, initial=lambda seed: start)
    weights = {name: start[name].numpy() for name in layout}
    return weights, layout, done, flatten(arrays(done.end(0)), layout)


@pytest.mark.parametrize("tying", ["tied", "untied"])
def test_ten_steps_are_adamw_by_hand_on_the_gradient_of_the_enumeration(tying: str) -> None:
    weights, layout, done, end = steps_of(exact(0.5, 0.8, 2), tying=tying)
    expected, theta = adamw_by_hand(weights, layout)
    # gradients agree to 1e-15 of order-1 terms; Adam divides by gradients of 1e-3 and more
    assert done.loss[0].tolist() == pytest.approx(expected, rel=0, abs=1e-13)
    assert np.abs(end - theta).max() < 1e-12


@pytest.mark.parametrize(
    "mutation",
    [
        {"decayed": shapes(2, 2, 2)}, {"decayed": ()}, {"weight_decay": 1.1e-3},
        {"betas": (0.9, 0.999)}, {"betas": (0.95, 0.9)}, {"coupled": True}, {"corrected": False},
        {"lr": 1.999e-3}, {"eps": 1e-6}, {"sign": -1.0},
    ],
    ids=str,
)  # fmt: skip
def test_another_optimiser_is_refuted(mutation: dict[str, Any]) -> None:
    weights, layout, _, end = steps_of(exact(0.5, 0.8, 2))
    assert np.abs(end - adamw_by_hand(weights, layout, **mutation)[1]).max() > 1e-10


def test_a_model_that_names_no_linear_weights_has_its_matrices_decayed() -> None:
    class Bare(nn.Module):
        states = 2

        def __init__(self) -> None:
            super().__init__()
            self.matrix = nn.Parameter(torch.ones(1, 2, dtype=torch.float64))
            self.vector = nn.Parameter(torch.ones(2, dtype=torch.float64))

        def forward(self, tokens: Tensor) -> Tensor:
            flat = 0 * (self.matrix.sum() + self.vector.sum())
            return flat + torch.zeros(*tokens.shape, 2, dtype=torch.float64)

    options: dict[str, Any] = {"steps": 1, "seeds": [0], "lr": 0.1, "weight_decay": 0.5}
    start = parameters_of(Bare())
    end = train(Bare(), exact(0.5, 0.8, 2), **options, initial=lambda seed: start).end(0)
    # no gradient: one step multiplies what is decayed by 1 - lr * weight_decay
    assert end["matrix"].flatten().tolist() == [0.95, 0.95]
    assert end["vector"].tolist() == [1.0, 1.0]


# --- the record


def test_a_trajectory_holds_the_loss_before_the_first_step_and_after_the_last() -> None:
    model, loss = SingleLayer(width=3, length=4), exact(0.2, 0.3, 4)
    done = train(model, loss, steps=7, seeds=[2, 5])
    assert (done.steps, done.loss.shape) == (7, (2, 8))
    for run, seed in enumerate((2, 5)):
        # batched kernels: a few eps
        assert abs(done.loss[run, 0] - loss(model, standard(model, seed)).item()) < 1e-15
        assert abs(done.loss[run, -1] - loss(model, done.end(run)).item()) < 1e-15
        assert done.loss[run, -1] < done.loss[run, 0] - 1e-5
        for reference, distances in done.distance.items():
            naive = naive_divergence(arrays(done.end(run)), 0.2, 0.3, 4, reference)
            assert abs(distances[run] - naive) < 1e-14
    assert done.distance["unigram"][0] != done.distance["bigram"][0]
    assert 0 < done.seconds < 600


def test_no_steps_only_evaluate() -> None:
    model, loss = SingleLayer(width=3, length=4), exact(0.5, 0.8, 4)
    done, start = train(model, loss, steps=0, seeds=[1]), standard(model, 1)
    assert (done.steps, done.loss.shape) == (0, (1, 1))
    assert all(torch.equal(done.end(0)[name], start[name]) for name in start)
    assert abs(done.loss[0, 0] - loss(model, start).item()) < 1e-15
    assert not torch.equal(train(model, loss, steps=1).end(0)["key"], start["key"])


def test_the_dataset_has_the_names_and_units_of_the_record() -> None:
    model = ReducedModel()
    done = train(model, exact(0.2, 0.3, 2), steps=60, seeds=[4, 0], lr=0.2)
    data = done.to_xarray()
    assert dict(data.sizes) == {"seed": 2, "step": 61, "reference": 3}
    assert data["loss"].attrs["units"] == "nat"
    assert np.array_equal(data["loss"].values, done.loss)
    assert data["outcome"].values.tolist() == list(done.outcomes)
    escapes = [-1 if step is None else step for step in done.escape_steps]
    assert data["escape_step"].values.tolist() == escapes
    near = data["distance"].sel(reference="bigram").values
    assert np.array_equal(near, done.distance["bigram"])
    assert not np.array_equal(near, done.distance["unigram"])
    assert data["unigram_loss"].item() == done.source.unigram_entropy
    assert data["bigram_loss"].item() == done.source.entropy_rate


def test_float32_runs_stay_float32_and_near_the_float64_runs() -> None:
    chains = [exact(0.5, 0.8, 4), exact(0.2, 0.3, 4)]
    dtypes = (torch.float32, torch.float64)
    models = [SingleLayer(width=3, length=4, dtype=dtype) for dtype in dtypes]
    runs = [train_together(model, chains, Recipe(steps=20), seeds=[0, 1]) for model in models]
    for pair in zip(*runs, strict=True):
        for run, dtype in zip(pair, dtypes, strict=True):
            assert {end.dtype for end in run.params.values()} == {dtype}
        # rounding of one loss, a few eps of float32; no smaller, or it was not float32
        assert 0 < np.abs(pair[0].loss - pair[1].loss).max() < 1e-6


def test_the_mode_of_the_caller_does_not_stop_the_gradient_and_is_kept() -> None:
    model = SingleLayer(width=2, length=3)
    start = standard(model, 3)
    with torch.no_grad():
        done = train(model, exact(0.5, 0.8, 3), steps=3, seeds=[0], initial=lambda seed: start)
        assert not torch.is_grad_enabled()
    assert not torch.equal(done.end(0)["value"], start["value"])


def test_a_frozen_parameter_is_not_trained_whether_it_is_listed_or_not() -> None:
    model, loss = SingleLayer(width=2, length=3), exact(0.5, 0.8, 3)
    start = standard(model, 3)
    model.value.requires_grad_(False)
    own = model.value.detach().clone()
    listed = train(model, loss, steps=3, seeds=[0, 1], initial=lambda seed: start)
    for run in range(2):
        assert torch.equal(listed.end(run)["value"], start["value"])
        assert not torch.equal(listed.end(run)["query"], start["query"])
    with torch.no_grad():
        model.value.copy_(start["value"])
    short = {name: value for name, value in start.items() if name != "value"}
    done = train(model, loss, steps=3, seeds=[0, 1], initial=lambda seed: short)
    assert "value" not in done.params and "value" not in standard(model, 0)
    assert np.array_equal(done.loss, listed.loss)
    with torch.no_grad():
        model.value.copy_(own)
    free = train(model.requires_grad_(True), loss, steps=3, seeds=[0], initial=lambda seed: start)
    assert not torch.equal(free.end(0)["value"], start["value"])  # control
    with pytest.raises(ValueError, match="every parameter of SingleLayer is frozen"):
        train(model.requires_grad_(False), loss, steps=3, initial=lambda seed: start)


def test_progress_is_told_after_every_step() -> None:
    seen: list[tuple[int, int, float]] = []
    model, loss = SingleLayer(width=2, length=3), exact(0.5, 0.8, 3)
    done = train(model, loss, steps=5, seeds=[0, 1], progress=lambda *told: seen.append(told))
    assert [(step, steps) for step, steps, _ in seen] == [(n, 5) for n in range(1, 6)]
    means = done.loss.mean(axis=0)
    assert [loss for *_, loss in seen] == pytest.approx(means[:5].tolist(), rel=1e-15)
    assert means[0] > means[4] + 1e-6


EXACT, DRAWN = exact(0.5, 0.8, 2), SampledLoss(BinaryMarkov(0.5, 0.8), 2, batch=3, seed=0)
OTHER = SampledLoss(BinaryMarkov(0.5, 0.8), 5, batch=3, seed=0)


@pytest.mark.parametrize(
    ("losses", "settings", "message"),
    [
        ([EXACT], {"seeds": []}, r"seeds=\[\], objectives=1: give at least one of each"),
        ([], {}, r"objectives=0: give at least one of each"),
        ([EXACT, exact(0.5, 0.8, 3)], {}, r"objectives of different .* cannot be stacked"),
        ([DRAWN, OTHER], {}, r"objectives of different .* cannot be drawn together"),
        ([EXACT, DRAWN], {}, r"objectives of both kinds, exact and sampled"),
        ([EXACT], {"steps": -1}, r"steps=-1 is negative; give an integer of at least 0"),
        ([EXACT], {"lr": 0.0},
         r"lr=0\.0 is out of range; give a positive learning rate such as 2e-3"),
        ([EXACT], {"lr": math.nan}, r"lr=nan is out of range"),
        ([EXACT], {"lr": math.inf}, r"lr=inf is out of range"),
        ([EXACT], {"weight_decay": -0.1}, r"weight_decay=-0\.1 is out of range; give a number"),
        ([EXACT], {"weight_decay": math.nan}, r"weight_decay=nan is out of range"),
        ([EXACT], {"evaluate_every": 5}, r"evaluate_every=5 belongs to sampled data.*leave it out"),
        ([DRAWN], {"evaluate_every": 0},
         r"evaluate_every=0 is out of range; give an integer of at least 1"),
        ([DRAWN], {"optimizer": "adam"}, r"optimizer='adam' is unknown; give 'adamw' or 'sgd'"),
        ([DRAWN], {"momentum": 0.9}, r"momentum=0\.9 belongs to optimizer='sgd'; leave it out"),
        ([DRAWN], {"optimizer": "sgd", "momentum": 1.0},
         r"momentum=1\.0 is out of range; give a number in"),
        ([DRAWN], {"optimizer": "sgd", "momentum": math.nan}, r"momentum=nan is out of range"),
    ],
)  # fmt: skip
def test_impossible_training_is_refused(
    losses: list[Any], settings: dict[str, Any], message: str
) -> None:
    model = SingleLayer(width=2, length=5)
    seeds = {"seeds": settings.pop("seeds")} if "seeds" in settings else {}
    with pytest.raises(ValueError, match=message):
        train_together(model, losses, Recipe(**settings), **seeds)


# --- sampled data


def drawn(p: float, q: float, length: int, batch: int, seed: int = 0) -> SampledLoss:
    return SampledLoss(BinaryMarkov(p, q), length, batch=batch, seed=seed)


# length, batch: by context, and by sequence; at 17 no exact population loss
both_sizes = pytest.mark.parametrize("sizes", [(4, 40), (17, 3)], ids=str)


@both_sizes
def test_a_sampled_run_of_a_batch_is_the_run_trained_alone_on_its_own_data(
    sizes: tuple[int, int],
) -> None:
    model, options = SingleLayer(width=3, length=sizes[0]), {"steps": 20, "lr": 1e-2}
    losses = [drawn(*chain, *sizes) for chain in ((0.5, 0.8), (0.2, 0.3))]
    (batch, _) = train_together(model, losses, Recipe(**options), seeds=[3, 1])  # type: ignore[arg-type]  # two numbers
    alone, other = (
        train(model, loss, seeds=[1], **options)  # type: ignore[arg-type]  # as above
        for loss in (losses[0], drawn(0.5, 0.8, *sizes, seed=1))
    )
    # 20 steps of float64, whose rounding Adam's division amplifies
    assert furthest(batch, alone, [1]) < 1e-12
    assert furthest(batch, alone, [0]) > 1e-6
    assert furthest(batch, other, [1]) > 1e-9  # the data are the objective's: same start, others


@both_sizes
def test_the_same_seed_trains_to_the_same_bytes(sizes: tuple[int, int]) -> None:
    model = SingleLayer(width=3, length=sizes[0], dtype=torch.float32)
    first, again, other = (
        train(model, drawn(0.5, 0.8, *sizes), steps=5, seeds=[seed]).params for seed in (2, 2, 3)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def sgd_by_hand(
    weights: dict[str, np.ndarray],
    layout: Layout,
    gradients: Callable[[np.ndarray, int], np.ndarray],
    *,
    steps: int,
    momentum: float = 0.9,
    weight_decay: float = 1e-3,
    damped: bool = False,
    ahead: bool = False,
) -> np.ndarray:
    """Heavy ball on gradients(theta, step), weights decaying where they are linear."""
    theta = flatten(weights, layout)
    velocity = np.zeros(len(theta))
    for t in range(steps):
        g = gradients(theta, t) + weight_decay * mask_of(layout) * theta
        velocity = momentum * velocity + (1 - momentum * damped if t else 1) * g
        theta = theta - half_cosine(t, steps, 0.1) * (
            g + momentum * velocity if ahead else velocity
        )
    return theta


@pytest.mark.parametrize("momentum", [None, 0.5, 0.0])
def test_ten_steps_are_sgd_by_hand_on_the_gradient_of_the_enumeration(
    momentum: float | None,
) -> None:
    options: dict[str, Any] = {"lr": 0.1, "optimizer": "sgd", "momentum": momentum}
    weights, layout, _, end = steps_of(exact(0.5, 0.8, 2), **options)

    def gradients(theta: np.ndarray, _: int) -> np.ndarray:
        return naive_gradient(unflatten(theta, layout), 0.5, 0.8, 2, layout)

    def by_hand(**changes: Any) -> np.ndarray:
        own = {"momentum": 0.9 if momentum is None else momentum}
        return sgd_by_hand(weights, layout, gradients, steps=10, **(own | changes))

    # gradients agree to 1e-15 of order-1 terms, ten steps add them up
    assert np.abs(end - by_hand()).max() < 1e-13
    mutations: list[dict[str, Any]] = [{"momentum": 0.89}, {"weight_decay": 0.0}]
    if momentum != 0:
        mutations += [{"damped": True}, {"ahead": True}]
    for mutation in mutations:
        assert np.abs(end - by_hand(**mutation)).max() > 1e-7


@pytest.mark.parametrize(("length", "batch"), [(2, 9), (3, 2)])  # by context and by sequence
def test_every_step_descends_the_loss_of_the_next_batch_of_its_stream(
    length: int, batch: int
) -> None:
    options: dict[str, Any] = {"steps": 6, "seeds": [5], "lr": 0.1, "optimizer": "sgd"}
    weights, layout, _, end = steps_of(drawn(0.5, 0.8, length, batch, seed=7), **options)

    def by_hand(*, data_seed: int = 7, fresh: bool = True) -> np.ndarray:
        own = stream(data_seed, 5)
        batches = [BinaryMarkov(0.5, 0.8).sample(batch, length, own).numpy() for _ in range(6)]

        def gradients(theta: np.ndarray, step: int) -> np.ndarray:
            tokens = batches[step if fresh else 0]
            law = np.where(tokens == 1, 0.2, 0.5)
            moved = theta + 1e-30j * np.eye(len(theta))
            rows = [naive_logits(unflatten(row, layout), tokens) for row in moved]
            return np.array([np.imag(bce(row, law).mean()) / 1e-30 for row in rows])

        return sgd_by_hand(weights, layout, gradients, steps=6)

    assert np.abs(end - by_hand()).max() < 1e-13
    assert np.abs(end - by_hand(fresh=False)).max() > 1e-4
    assert np.abs(end - by_hand(data_seed=8)).max() > 1e-4


def test_the_population_loss_is_exact_and_in_float64_on_the_way() -> None:
    model = SingleLayer(width=3, length=4, dtype=torch.float32)
    done = train(model, drawn(0.2, 0.3, 4, 20), steps=25, seeds=[2, 5], lr=1e-2)
    assert done.times.tolist() == [0, 10, 20, 25]
    assert done.steps == 25
    assert done.loss.shape == (2, 4)
    assert not done.loss_error.any()
    assert {end.dtype for end in done.params.values()} == {torch.float32}
    for run in range(2):
        weights = arrays({name: end.double() for name, end in done.end(run).items()})
        naive = float(naive_loss(weights, 0.2, 0.3, 4))
        assert abs(done.loss[run, -1] - naive) < 1e-14  # float32 would leave 1e-8
        assert abs(done.loss[run, -2] - naive) > 1e-8
        for reference, distances in done.distance.items():
            expected = naive_divergence(weights, 0.2, 0.3, 4, reference)
            assert abs(distances[run] - expected) < 1e-14
    every = train(model, drawn(0.2, 0.3, 4, 20), steps=25, seeds=[2], lr=1e-2, evaluate_every=1)
    assert every.times.tolist() == list(range(26))
    assert np.abs(every.loss[0, done.times] - done.loss[0]).max() < 1e-6  # float32 runs


def test_the_population_loss_of_long_contexts_is_estimated_with_its_error() -> None:
    model = SingleLayer(width=3, length=20)
    start = gaussian(model, 0.5, 0)
    done = train(model, drawn(0.5, 0.8, 20, 4), steps=12, seeds=[0, 1], initial=lambda seed: start)
    assert done.times.tolist() == [0, 10, 12]
    gap = done.source.unigram_entropy - done.source.entropy_rate
    assert (done.loss_error > 0).all()
    assert (done.loss_error < gap / 5).all()
    assert np.array_equal(done.loss[0, 0], done.loss[1, 0])  # the same sequences for all runs
    other = drawn(0.5, 0.8, 20, 20_000, seed=11)
    better, error = other(model, done.end(0)).item(), other.standard_error(model, done.end(0))
    spread = math.hypot(done.loss_error[0, -1], error.item())
    assert 0 < abs(done.loss[0, -1] - better) < 4 * spread
    assert abs(done.loss[0, -1] - done.source.unigram_entropy) > 4 * spread
    near = other.divergence(model, done.end(0), "bigram").item()
    assert abs(done.distance["bigram"][0] - near) < 0.1 * near
    assert abs(done.distance["unigram"][0] - near) > 0.1 * near
    data = done.to_xarray()
    assert data["step"].values.tolist() == [0, 10, 12]
    assert np.array_equal(data["loss_error"].values, done.loss_error)


def test_an_escape_is_an_evaluated_step() -> None:
    model = ReducedModel()
    options: dict[str, Any] = {"steps": 60, "seeds": [4, 0], "lr": 0.2}
    coarse = train(model, drawn(0.2, 0.3, 2, 200), evaluate_every=7, **options)
    fine = train(model, drawn(0.2, 0.3, 2, 200), evaluate_every=1, **options)
    for late, first in zip(coarse.escape_steps, fine.escape_steps, strict=True):
        assert late is not None and first is not None
        assert late in coarse.times and first <= late < first + 7
    escapes = coarse.to_xarray()["escape_step"].values.tolist()
    assert escapes == list(coarse.escape_steps)


def test_runs_draw_what_their_source_draws_from_their_stream() -> None:
    objectives = [drawn(0.5, 0.8, 9, 4), drawn(0.2, 0.3, 9, 4)]
    batches = FreshBatches(objectives, seeds=[0, 6])
    own = [stream(0, seed) for _ in objectives for seed in (0, 6)]
    for _ in range(3):
        tokens = batches.tokens()
        for run, generator in enumerate(own):
            expected = objectives[run // 2].source.sample(4, 9, generator)
            assert torch.equal(tokens[run], expected)
        assert not torch.equal(tokens[0], tokens[1])


# --- the published survival numbers: width 4, length 8, 1000 steps, 12 seeds


PUBLISHED = {
    (0.5, 0.8): ("survivors_exact_50_80_steps_1000", "final_loss_exact_50_80"),
    (0.9, 0.9): ("survivors_exact_90_90_steps_1000", "final_loss_exact_90_90"),
    (0.2, 0.3): ("survivors_exact_20_30_steps_1000", "final_loss_exact_20_30"),
}
Survival = tuple[str, dict[tuple[float, float], Trajectory]]


@pytest.fixture(scope="module", params=["tied", pytest.param("untied", marks=pytest.mark.slow)])
def survival(request: pytest.FixtureRequest) -> Survival:
    model = SingleLayer(width=4, length=8, tying=request.param)
    losses = [exact(p, q, 8) for p, q in PUBLISHED]
    done = train_together(model, losses, Recipe(steps=1000), seeds=range(12))
    return request.param, dict(zip(PUBLISHED, done, strict=True))


def one_binomial(survivors: int, key: str) -> bool:
    """Whether both counts may be of one probability: Fisher's exact test at 1e-3."""
    published, of = int(value(key)), int(entry(key)["of"])
    table = [[survivors, 12 - survivors], [published, of - published]]
    return float(fisher_exact(table).pvalue) > 1e-3


def test_survival_is_the_published_one(survival: Survival) -> None:
    tying, done = survival
    for chain, (count, last) in PUBLISHED.items():
        trajectory = done[chain]
        ends = trajectory.loss[:, -1]
        # the "at H_u to 1e-4"; the outcome allows a tenth of the gap
        exactly = int((np.abs(ends - trajectory.source.unigram_entropy) < 1e-4).sum())
        about = trajectory.outcomes.count("unigram")
        if tying == "untied":
            assert (exactly, about) == (0, 0)
            assert trajectory.outcomes == ("bigram",) * 12
            assert one_binomial(0, count) is (value(count) == 0)
            continue
        assert one_binomial(exactly, count)
        assert one_binomial(about, count)
        if value(count) >= 11:  # nearly all: at a chance of 11/12, 7 of 12 or fewer has 4e-4
            assert min(exactly, about) >= 8
        assert not one_binomial(0 if value(count) else 12, count)
        assert agrees(last, float(np.median(ends)))
    if tying == "tied":
        at_90, at_20 = done[0.9, 0.9], done[0.2, 0.3]
        assert np.abs(at_90.loss[:, -1] - at_90.source.unigram_entropy).max() < 1e-4
        assert "unigram" not in at_20.outcomes
        assert all(agrees("final_loss_exact_20_30", float(end)) for end in at_20.loss[:, -1])


def test_a_few_untied_runs_leave_where_tied_ones_stay() -> None:
    for tying, end in (("tied", "unigram"), ("untied", "bigram")):
        model = SingleLayer(width=4, length=2, tying=tying)
        done = train(model, exact(0.9, 0.9, 2), steps=300, lr=3e-3, seeds=range(3))
        assert done.outcomes == (end,) * 3
        assert {step is None for step in done.escape_steps} == {tying == "tied"}


def test_escape_is_recorded_for_those_who_left_and_for_nobody_else(survival: Survival) -> None:
    _, done = survival
    for trajectory in done.values():
        chain = trajectory.source
        level = (chain.entropy_rate + chain.unigram_entropy) / 2
        pairs = zip(trajectory.outcomes, trajectory.escape_steps, trajectory.loss, strict=True)
        for end, step, curve in pairs:
            assert end != "unigram" or step is None
            assert end != "bigram" or step is not None
            if step is None:
                assert curve.min() >= level
            else:
                assert 0 < step <= 1000
                assert curve[step] < level <= curve[:step].min()
