"""Training runs of the three scalars from starts all over the (w, e) plane, and where they end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
import xarray
from torch import Tensor

from landscape.models import ReducedModel
from landscape.models.ansatz import best_bias
from landscape.objectives.exact import ExactLoss
from landscape.sources import BinaryMarkov
from landscape.training.loop import train

__all__ = ["EXTENT", "measured"]

EXTENT = 1.8
"""The starts are uniform in [-EXTENT, EXTENT] in w and in e."""


def measured(
    *, chains: Sequence[float], runs: int, steps: int, lr: float, seed: int
) -> xarray.Dataset:
    """Gradient descent on the exact loss from uniform starts, on each chain p = q.

    The bias starts at its best value for (e, w) and is trained too. Returns `start` and `end`
    [chain, run, coordinate] in (e, w, b) and `outcome` [chain, run], judged from the loss at the
    end.

    >>> found = measured(chains=[0.9], runs=4, steps=20, lr=1e-2, seed=0)
    >>> found["start"].shape, bool(abs(found["start"]).max() < 20)
    ((1, 4, 3), True)
    """
    model = ReducedModel()
    starts = np.random.default_rng(seed).uniform(-EXTENT, EXTENT, (runs, 2))
    e, w = torch.from_numpy(starts).T
    begin, end, outcome = [], [], []
    for chance in chains:
        source = BinaryMarkov(str(chance), str(chance))
        b = best_bias(source, e, w, mirror=False)
        first = {"embedding": e, "feedforward": w, "bias": b}
        trajectory = train(
            model,
            ExactLoss(source, 1),
            steps=steps,
            seeds=range(runs),
            optimizer="sgd",
            momentum=0.0,
            lr=lr,
            schedule="constant",
            weight_decay=0.0,
            initial=partial(_start, first),
        )
        last = [trajectory.params[name] for name in first]
        begin.append(torch.stack([*first.values()], dim=-1).numpy())
        end.append(torch.stack(last, dim=-1).detach().numpy())
        outcome.append(list(trajectory.outcomes))
    each = ("chain", "run", "coordinate")
    return xarray.Dataset(
        {"start": (each, begin), "end": (each, end), "outcome": (each[:2], outcome)},
        coords={"chain": list(chains), "coordinate": ["e", "w", "b"]},
    )


def _start(first: Mapping[str, Tensor], run: int) -> dict[str, Tensor]:
    return {name: value[run] for name, value in first.items()}
