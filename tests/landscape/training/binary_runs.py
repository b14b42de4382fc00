"""Losses of binary chains, and the records of short runs on them."""

from typing import Any

from torch import nn

from landscape.objectives.exact import ExactLoss
from landscape.objectives.sampled import SampledLoss
from landscape.sources import BinaryMarkov
from landscape.training.checkpoints import Checkpoints
from landscape.training.loop import train
from landscape.training.trajectory import Trajectory

P, Q = 0.2, 0.3


def exact(p: float, q: float, length: int) -> ExactLoss:
    return ExactLoss(BinaryMarkov(p, q), length)


def drawn(p: float, q: float, length: int, batch: int, seed: int = 0) -> SampledLoss:
    return SampledLoss(BinaryMarkov(p, q), length, batch=batch, seed=seed)


def sampled(length: int) -> SampledLoss:
    return drawn(P, Q, length, batch=4, seed=1)


def recorded(trajectory: Trajectory) -> Checkpoints:
    assert trajectory.checkpoints is not None
    return trajectory.checkpoints


def record_of(model: nn.Module, loss: Any, start: Any = None, **more: Any) -> Any:
    """The record of a run with two checkpoints at its start, unless told otherwise."""
    options = {"steps": 0, "seeds": [0], "checkpoints": 2, **more}
    return recorded(train(model, loss, initial=start and (lambda seed: start), **options))
