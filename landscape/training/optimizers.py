"""The optimisers of the papers' runs, and their learning rate."""

from __future__ import annotations

import math

import torch
from torch import nn

from landscape.models.protocols import Params

BETAS = (0.9, 0.95)
MOMENTUM = 0.9
OPTIMIZERS = ("adamw", "sgd")
SCHEDULES = ("one-cycle", "constant")
WARM_UP = 0.02
START, END = 1 / 100, 1 / 5


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


def learning_rate(schedule: str, step: int, steps: int, peak: float) -> float:
    """Learning rate of a step: "one-cycle" as in `one_cycle`, or "constant", the peak always.

    Raises:
        ValueError: for another schedule.

    >>> learning_rate("constant", 0, 1000, 2e-3)
    0.002
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule={schedule!r} is unknown; give 'one-cycle' or 'constant'")
    return one_cycle(step, steps, peak) if schedule == "one-cycle" else peak


def optimizer_for(
    model: nn.Module,
    params: Params,
    *,
    name: str = "adamw",
    lr: float,
    weight_decay: float,
    momentum: float | None = None,
) -> torch.optim.Optimizer:
    """An optimiser of `params`, the parameters of many runs of `model` along a first axis.

    "adamw": betas 0.9 and 0.95, decoupled weight decay. "sgd": heavy ball, ``v <- momentum v + g +
    weight_decay theta``, ``theta <- theta - lr v``, with momentum 0.9 unless given. Weights decay
    where they are linear: those that `model.linear_weights` names, else all of two or more
    dimensions.

    Raises:
        ValueError: for another name, a learning rate that is not positive, a negative weight
            decay, a momentum outside [0, 1), or one for AdamW.
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"optimizer={name!r} is unknown; give 'adamw' or 'sgd'")
    if not (lr > 0 and math.isfinite(lr)):
        raise ValueError(f"lr={lr} is out of range; give a positive learning rate such as 2e-3")
    if not 0 <= weight_decay < math.inf:
        raise ValueError(
            f"weight_decay={weight_decay} is out of range; give a number of at least 0"
        )
    if momentum is not None and name != "sgd":
        raise ValueError(f"momentum={momentum} belongs to optimizer='sgd'; leave it out")
    momentum = MOMENTUM if momentum is None else momentum
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum={momentum} is out of range; give a number in [0, 1)")
    linear = getattr(model, "linear_weights", None)
    if linear is None:
        linear = [name for name, value in model.named_parameters() if value.ndim >= 2]
    groups = [
        {"params": [v for k, v in params.items() if k in linear], "weight_decay": weight_decay},
        {"params": [v for k, v in params.items() if k not in linear], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if name == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=momentum)
    return torch.optim.AdamW(groups, lr=lr, betas=BETAS, fused=True)
