"""Paths of binary chains from uniform draws, many chains at once and without a loop over time."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def uniforms(
    batch: int, length: int, generator: torch.Generator
) -> Float[Tensor, "{batch} {length}"]:
    """The uniform draws of [0, 1) behind `batch` sequences: one a symbol, in float64."""
    device = generator.device
    return torch.rand(batch, length, generator=generator, dtype=torch.float64, device=device)


def binary_paths(
    u: Float[Tensor, "chains B N"],
    kernels: Float[Tensor, "chains 2 2"],
    ones: Float[Tensor, " chains"],
) -> Int[Tensor, "chains B N"]:
    """The paths of many chains at once, each from its own uniform draws; no loop over time.

    A chain's paths depend on its own draws alone; `BinaryMarkov.paths` says how.

    Args:
        u: uniform draws of [0, 1).
        kernels: transition matrices P[s, t], one a chain.
        ones: stationary probability of the symbol 1, one a chain.

    >>> u = torch.tensor([[[0.3, 0.9, 0.6]], [[0.6, 0.6, 0.6]]], dtype=torch.float64)
    >>> kernels = torch.tensor([[[0.8, 0.2], [0.3, 0.7]], [[0.1, 0.9], [0.9, 0.1]]]).double()
    >>> binary_paths(u, kernels, torch.tensor([0.4, 0.5]).double()).tolist()
    [[[1, 0, 0]], [[0, 1, 0]]]
    """
    from_zero, from_one = kernels[:, 0, 1, None, None], kernels[:, 1, 1, None, None]
    one = u < torch.minimum(from_zero, from_one)
    between = ~one & (u < torch.maximum(from_zero, from_one))
    one[..., 0] = u[..., 0] < ones[:, None]  # x_1 follows the stationary law
    between[..., 0] = False
    index = torch.arange(u.shape[-1], device=u.device)
    reset = torch.where(between, 0, index).cummax(dim=-1).values
    # in between, a chain with from_zero > from_one flips its symbol, another keeps it
    flips = (between & (from_zero > from_one)).cumsum(dim=-1)
    odd = (flips - flips.gather(-1, reset)) % 2 == 1
    return (one.gather(-1, reset) ^ odd).long()
