"""Initial parameters, each a named choice that returns a parameter dictionary."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from landscape.models.parameters import trainable

STANDARD_DEVIATION = 0.02
RESIDUAL_PROJECTIONS = ("output", "hidden_out")


def _weights(model: nn.Module, draw: Callable[[str, torch.Size], Tensor]) -> dict[str, Tensor]:
    """Parameters whose weights are drawn, in float64 on the CPU, one after the other.

    What only shifts an activation starts at 0, and what only scales one at 1.
    """
    params = {}
    for name, parameter in trainable(model):
        last = name.rpartition(".")[2]
        value = draw(name, parameter.shape)
        if last == "gain":
            value = torch.ones_like(value)
        elif last.endswith(("bias", "shift")):
            value = torch.zeros_like(value)
        params[name] = value.to(parameter)
    return params


def _deviation(model: nn.Module, name: str) -> float:
    """0.02, over sqrt(2L) for the projections back into the residual stream."""
    if name.rpartition(".")[2] in RESIDUAL_PROJECTIONS:
        return STANDARD_DEVIATION / math.sqrt(2 * int(getattr(model, "layers", 1)))
    return STANDARD_DEVIATION


def standard(model: nn.Module, seed: int) -> dict[str, Tensor]:
    """Normal initialisation of standard deviation 0.02, as in GPT-2 and the reference.

    The projections back into the residual stream (W_O, W_2) are divided by sqrt(2L), L layers;
    biases and shifts start at 0, gains at 1. The same seed gives the same numbers in float32 and
    float64 up to rounding: the draw is float64 on the CPU.

    Args:
        model: gives names, shapes, dtype and device.
        seed: any non-negative integer.

    >>> from landscape.models import SingleLayer
    >>> params = standard(SingleLayer(width=4, length=8), seed=1)
    >>> params["bias"].item(), params["hidden_in"].shape
    (0.0, torch.Size([16, 4]))
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(name: str, shape: torch.Size) -> Tensor:
        normal = torch.randn(shape, generator=generator, dtype=torch.float64)
        return normal * _deviation(model, name)

    return _weights(model, draw)


def low_rank(model: nn.Module, seed: int) -> dict[str, Tensor]:
    """Every weight of rank one, with random signs: entries +-0.02, of `standard`'s size.

    A matrix is ``sigma s t^T`` with vectors s, t of independent fair signs, a vector ``sigma s``;
    every axis as long as the model's width has the same signs alpha. So the weights lie on
    the rank-one manifold that gradient flow keeps to, up to the signs of the hidden units.

    Args:
        model: gives names, shapes, dtype and device.
        seed: any non-negative integer.

    Source: *Local to Global* (arXiv 2406.03072), the rank-one parametrisation and its low-rank
    initialisation.

    >>> from landscape.models import SingleLayer
    >>> weight = low_rank(SingleLayer(width=4, length=8), seed=1)["hidden_in"]
    >>> weight.abs().unique().tolist(), int(torch.linalg.matrix_rank(weight))
    ([0.02], 1)
    """
    generator = torch.Generator().manual_seed(seed)
    width = int(getattr(model, "width", 0))
    alpha = random_signs(width, generator)

    def draw(name: str, shape: torch.Size) -> Tensor:
        weight = torch.tensor(_deviation(model, name), dtype=torch.float64)
        for size in shape:
            signs = alpha if size == width else random_signs(size, generator)
            weight = weight[..., None] * signs
        return weight

    return _weights(model, draw)


def random_signs(size: int, generator: torch.Generator) -> Tensor:
    """A vector of independent fair signs, in float64.

    >>> random_signs(2, torch.Generator().manual_seed(0)).abs().tolist()
    [1.0, 1.0]
    """
    return torch.randint(2, (size,), generator=generator).double() * 2 - 1


def free_weights(model: nn.Module, deviation: float | None, seed: int) -> dict[str, Tensor] | None:
    """The weights that are free at a critical point: `gaussian`; None, the model's own, for None.

    >>> from landscape.models import ReducedModel
    >>> free_weights(ReducedModel(), None, seed=0) is None
    True
    """
    return None if deviation is None else gaussian(model, deviation, seed)


def gaussian(model: nn.Module, deviation: float, seed: int) -> dict[str, Tensor]:
    """Every entry independent normal with this standard deviation, about 0; 0 gives zeros.

    What the weights that are free at a critical point are drawn from. The gains of LayerNorms are
    drawn about 1: without them there would be no network.

    Raises:
        ValueError: if the deviation is negative or not finite.

    >>> from landscape.models import ReducedModel
    >>> gaussian(ReducedModel(), 0.0, seed=3)["bias"].item()
    0.0
    """
    if not 0 <= deviation < math.inf:
        raise ValueError(f"deviation={deviation} is out of range; give a number of at least 0")
    generator = torch.Generator().manual_seed(seed)
    params = {}
    for name, value in trainable(model):
        normal = torch.randn(value.shape, generator=generator, dtype=torch.float64)
        middle = 1.0 if name.rpartition(".")[2] == "gain" else 0.0
        params[name] = (middle + normal * deviation).to(value)
    return params
