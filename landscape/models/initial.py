"""Initial parameters, each a named choice that returns a parameter dictionary."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

STANDARD_DEVIATION = 0.02
RESIDUAL_PROJECTIONS = ("output", "hidden_out")


def standard(model: nn.Module, seed: int) -> dict[str, Tensor]:
    """Normal initialisation of standard deviation 0.02, as in GPT-2 and the reference.

    The projections back into the residual stream (W_O, W_2) are divided by sqrt(2L), L = 1 layer;
    the bias starts at 0. The same seed gives the same numbers in float32 and float64 up to
    rounding: the draw is float64 on the CPU.

    Args:
        model: gives names, shapes, dtype and device.
        seed: any non-negative integer.

    >>> from landscape.models import SingleLayer
    >>> params = standard(SingleLayer(width=4, length=8), seed=1)
    >>> params["bias"].item(), params["hidden_in"].shape
    (0.0, torch.Size([16, 4]))
    """
    generator = torch.Generator().manual_seed(seed)
    params = {}
    for name, parameter in model.named_parameters():
        deviation = STANDARD_DEVIATION
        if name in RESIDUAL_PROJECTIONS:
            deviation /= math.sqrt(2)
        draw = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * deviation
        params[name] = (draw if name != "bias" else torch.zeros_like(draw)).to(parameter)
    return params


def gaussian(model: nn.Module, deviation: float, seed: int) -> dict[str, Tensor]:
    """Every entry independent normal with this standard deviation; 0 gives zeros.

    What the weights that are free at a critical point are drawn from.

    Raises:
        ValueError: if the deviation is negative or not finite.

    >>> from landscape.models import ReducedModel
    >>> gaussian(ReducedModel(), 0.0, seed=3)["bias"].item()
    0.0
    """
    if not 0 <= deviation < math.inf:
        raise ValueError(f"deviation={deviation} is out of range; give a number of at least 0")
    if deviation == 0:
        return {name: torch.zeros_like(value) for name, value in model.named_parameters()}
    generator = torch.Generator().manual_seed(seed)
    return {
        name: (torch.randn(value.shape, generator=generator, dtype=torch.float64) * deviation).to(
            value
        )
        for name, value in model.named_parameters()
    }
