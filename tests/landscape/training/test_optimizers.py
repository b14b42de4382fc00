"""Steps are those of AdamW and of SGD by hand, at the rates of the schedule."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from landscape.models import SingleLayer
from landscape.models.initial import gaussian
from landscape.models.parameters import parameters_of
from landscape.objectives.batches import stream
from landscape.objectives.exact import ExactLoss
from landscape.objectives.sampled import SampledLoss
from landscape.sources import BinaryMarkov
from landscape.training.loop import train
from landscape.training.recipe import one_cycle
from landscape.training.trajectory import Trajectory
from tests.landscape.training.binary_runs import drawn, exact
from tests.twins.single_layer import (
    LINEAR,
    arrays,
    bce,
    flatten,
    naive_gradient,
    naive_logits,
    naive_loss,
    shapes,
    unflatten,
)


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
