"""Training on the exact objective, many runs of one shape in one batched graph."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import vmap

from landscape.models.initial import standard
from landscape.models.readable import Params
from landscape.objective import ExactLoss, stacked_tables
from landscape.outcome import escape_step, outcome
from landscape.sources import MarkovSource

if TYPE_CHECKING:
    import xarray

BETAS = (0.9, 0.95)
WARM_UP = 0.02
START, END = 1 / 100, 1 / 5

Initial = Callable[[int], Mapping[str, Tensor]]
Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Trajectory:
    """What training did to one chain: all its seeds, every step's exact population loss.

    `loss[seed, t]` (nats) is the loss after t steps, t = 0..steps; `params` are the end points,
    stacked along a first axis of seeds. `distance` is the mean KL divergence over contexts, in
    nats, from the final prediction to the bigram's and to the unigram's.
    """

    source: MarkovSource
    seeds: tuple[int, ...]
    loss: Float[np.ndarray, "seeds times"]
    params: Params
    distance: Mapping[str, Float[np.ndarray, " seeds"]]
    seconds: float  # wall time of the whole batch this chain was trained in

    @property
    def steps(self) -> int:
        """Number of optimiser steps."""
        return int(self.loss.shape[1]) - 1

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Per seed: "bigram", "unigram", "other" or "degenerate"."""
        return tuple(outcome(float(end), self.source) for end in self.loss[:, -1])

    @property
    def escape_steps(self) -> tuple[int | None, ...]:
        """Per seed: first step below (H_u + H_b)/2, or None."""
        return tuple(escape_step(curve.tolist(), self.source) for curve in self.loss)

    def end(self, run: int) -> Params:
        """Final parameters of one seed, by its position."""
        return {name: value[run] for name, value in self.params.items()}

    def to_xarray(self) -> xarray.Dataset:
        """Curves, outcomes, escape steps (-1 for none) and distances, by seed and step."""
        import xarray

        escapes = [-1 if step is None else step for step in self.escape_steps]
        return xarray.Dataset(
            {
                "loss": (("seed", "step"), self.loss, {"units": "nat"}),
                "outcome": ("seed", list(self.outcomes)),
                "escape_step": ("seed", escapes, {"none": -1}),
                "distance": (
                    ("seed", "reference"),
                    np.stack([self.distance[k] for k in ("unigram", "bigram")], axis=1),
                    {"units": "nat"},
                ),
                "unigram_loss": ((), self.source.unigram_entropy, {"units": "nat"}),
                "bigram_loss": ((), self.source.entropy_rate, {"units": "nat"}),
            },
            coords={
                "seed": list(self.seeds),
                "step": np.arange(self.steps + 1),
                "reference": ["unigram", "bigram"],
            },
        )


def one_cycle(step: int, steps: int, peak: float) -> float:
    """Learning rate of a step: cosine from peak/100 up to peak at 2% of the steps, then to peak/5.

    The reference's schedule, 2e-5 -> 2e-3 -> 4e-4. Runs of fewer than 100 steps start at the peak.

    >>> [round(one_cycle(t, 1000, 2e-3), 6) for t in (0, 19, 999)]
    [2e-05, 0.002, 0.0004]
    """
    top = max(WARM_UP * steps - 1, 0.0)
    low, high, share = START, 1.0, step / top if top else 1.0
    if step >= top:
        low, high, share = 1.0, END, (step - top) / max(steps - 1 - top, 1.0)
    return peak * (high + (low - high) * (1 + math.cos(math.pi * share)) / 2)


def _optimizer(
    model: nn.Module, params: Params, peak: float, weight_decay: float
) -> torch.optim.Optimizer:
    linear = getattr(model, "linear_weights", None)
    if linear is None:
        linear = [name for name, value in model.named_parameters() if value.ndim >= 2]
    groups = [
        {"params": [v for k, v in params.items() if k in linear], "weight_decay": weight_decay},
        {"params": [v for k, v in params.items() if k not in linear], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=peak, betas=BETAS, fused=True
    )


def train_together(
    model: nn.Module,
    objectives: Sequence[ExactLoss],
    *,
    steps: int = 1000,
    seeds: Sequence[int] = (0, 1, 2, 3),
    lr: float = 2e-3,
    weight_decay: float = 1e-3,
    initial: Initial | None = None,
    progress: Progress | None = None,
) -> tuple[Trajectory, ...]:
    """Train every seed on every chain in one batched graph; one `Trajectory` a chain.

    Runs share no parameters and no arithmetic but the batched kernels, so each equals the run
    trained alone up to rounding. AdamW (betas 0.9, 0.95; weight decay on linear weights only) on
    the exact population gradient, learning rate `one_cycle`.

    Args:
        model: gives shapes, dtype and device; it is not changed.
        objectives: one exact loss per chain, all of one length.
        steps: optimiser steps; 0 only evaluates.
        seeds: one run per seed and chain.
        lr: peak learning rate.
        weight_decay: of the linear weights.
        initial: seed -> parameters; the standard initialisation by default.
        progress: called as progress(step, steps, mean loss) after every step.

    Raises:
        ValueError: for no seed, negative steps, a learning rate that is not positive, or a
            negative weight decay.
    """
    if not seeds or not objectives:
        raise ValueError(
            f"seeds={seeds!r}, objectives={len(objectives)}: give at least one of each"
        )
    if steps < 0:
        raise ValueError(f"steps={steps} is negative; give an integer of at least 0")
    if not (lr > 0 and math.isfinite(lr)):
        raise ValueError(f"lr={lr} is out of range; give a positive learning rate such as 2e-3")
    if not 0 <= weight_decay < math.inf:
        raise ValueError(
            f"weight_decay={weight_decay} is out of range; give a number of at least 0"
        )
    begin = time.perf_counter()
    initial = initial or (lambda seed: standard(model, seed))
    starts = [initial(seed) for seed in seeds]
    runs = len(objectives) * len(seeds)
    params = {
        name: torch.stack([start[name].detach() for start in starts] * len(objectives))
        .clone()
        .requires_grad_()
        for name in starts[0]
    }
    tables = [table.repeat_interleave(len(seeds), dim=0) for table in stacked_tables(objectives)]
    optimizer = _optimizer(model, params, lr, weight_decay)

    def losses() -> Float[Tensor, " runs"]:
        batched: Tensor = vmap(lambda p, w, j: objectives[0].evaluate(model, p, (w, j)))(
            params, *tables
        )
        return batched

    curves = torch.empty(steps + 1, runs, dtype=torch.float64)
    with torch.enable_grad():
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = one_cycle(step, steps, lr)
            optimizer.zero_grad()
            value = losses()
            value.sum().backward()
            optimizer.step()
            curves[step] = value.detach()
            if progress is not None:
                progress(step + 1, steps, float(curves[step].mean()))
    with torch.no_grad():
        curves[steps] = losses()
    ends = {name: value.detach() for name, value in params.items()}
    seconds = time.perf_counter() - begin

    trajectories = []
    for chain, objective in enumerate(objectives):
        mine = slice(chain * len(seeds), (chain + 1) * len(seeds))
        own = {name: value[mine] for name, value in ends.items()}
        distance = {
            reference: vmap(lambda p, o=objective, r=reference: o.divergence(model, p, r))(own)
            .cpu()
            .double()
            .numpy()
            for reference in ("unigram", "bigram")
        }
        curve = curves[:, mine].T.contiguous().numpy()
        trajectories.append(
            Trajectory(objective.source, tuple(seeds), curve, own, distance, seconds)
        )
    return tuple(trajectories)


def train(
    model: nn.Module,
    objective: ExactLoss,
    *,
    steps: int = 1000,
    seeds: Sequence[int] = (0, 1, 2, 3),
    lr: float = 2e-3,
    weight_decay: float = 1e-3,
    initial: Initial | None = None,
    progress: Progress | None = None,
) -> Trajectory:
    """Train one chain from several seeds; see `train_together`, which this is for one objective.

    >>> from landscape import BinaryMarkov, ExactLoss, SingleLayer
    >>> loss = ExactLoss(BinaryMarkov(0.2, 0.3), length=4)
    >>> model = SingleLayer(width=4, length=4)
    >>> train(model, loss, steps=300, seeds=[0], lr=1e-2).outcomes
    ('bigram',)
    """
    return train_together(
        model,
        [objective],
        steps=steps,
        seeds=seeds,
        lr=lr,
        weight_decay=weight_decay,
        initial=initial,
        progress=progress,
    )[0]
