"""What a training returns: losses on the way and where runs end, on exact and on sampled data."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from landscape.models import ReducedModel, SingleLayer
from landscape.models.initial import gaussian, standard
from landscape.objectives.batches import FreshBatches, stream
from landscape.objectives.sampled import SampledLoss
from landscape.sources import BinaryMarkov
from landscape.training.loop import train, train_together
from landscape.training.recipe import Recipe
from landscape.training.trajectory import Trajectory
from tests.landscape.training.binary_runs import drawn, exact
from tests.twins.single_layer import arrays, naive_divergence, naive_loss


def furthest(first: Trajectory, second: Trajectory, runs: Sequence[int] = (0,)) -> float:
    """Largest difference, in losses (nats) and end points, of some runs from those of another."""
    ends = [(first.params[k][[*runs]] - second.params[k]).abs().max().item() for k in first.params]
    return max(*ends, float(np.abs(first.loss[[*runs]] - second.loss).max()))


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
