"""The optimisers of the papers' runs."""

from __future__ import annotations

import math

import torch
from torch import nn

from landscape.models.parameters import Params
from landscape.training.recipe import MOMENTUM, OPTIMIZERS, Recipe

BETAS = (0.9, 0.95)


def optimizer_for(model: nn.Module, params: Params, recipe: Recipe) -> torch.optim.Optimizer:
    """An optimiser of `params`, the parameters of many runs of `model` along a first axis.

    "adamw": betas 0.9 and 0.95, decoupled weight decay. "sgd": heavy ball, ``v <- momentum v + g +
    weight_decay theta``, ``theta <- theta - lr v``, with momentum 0.9 unless given. Weights decay
    where they are linear: those that `model.linear_weights` names, else all of two or more
    dimensions.

    Raises:
        ValueError: for another name, a learning rate that is not positive, a negative weight
            decay, a momentum outside [0, 1), or one for AdamW.
    """
    name, lr, weight_decay = recipe.optimizer, recipe.lr, recipe.weight_decay
    if name not in OPTIMIZERS:
        raise ValueError(f"optimizer={name!r} is unknown; give 'adamw' or 'sgd'")
    if not (lr > 0 and math.isfinite(lr)):
        raise ValueError(f"lr={lr} is out of range; give a positive learning rate such as 2e-3")
    if not 0 <= weight_decay < math.inf:
        raise ValueError(
            f"weight_decay={weight_decay} is out of range; give a number of at least 0"
        )
    if recipe.momentum is not None and name != "sgd":
        raise ValueError(f"momentum={recipe.momentum} belongs to optimizer='sgd'; leave it out")
    momentum = MOMENTUM if recipe.momentum is None else recipe.momentum
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
