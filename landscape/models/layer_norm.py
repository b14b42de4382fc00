"""Layer normalisation written out."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

EPSILON = 1e-5


class LayerNorm(nn.Module):
    """``(x - mean x)/sqrt(var x + 1e-5) * gain + shift``, mean and variance over the last axis.

    Written out, it is differentiable twice in both modes and under vmap.

    Args:
        width: length d of the last axis.
        shift: whether a shift is added.
        dtype: of the parameters `gain` [d] and `shift` [d].

    Source: Ba, Kiros and Hinton (arXiv 1607.06450).

    >>> LayerNorm(2, shift=True, dtype=torch.float64)(torch.tensor([[3.0, 1.0]])).round().tolist()
    [[1.0, -1.0]]
    """

    def __init__(self, width: int, *, shift: bool, dtype: torch.dtype) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width, dtype=dtype))
        self.shift = nn.Parameter(torch.zeros(width, dtype=dtype)) if shift else None

    def forward(self, x: Float[Tensor, "*rows d"]) -> Float[Tensor, "*rows d"]:
        """The normalised vectors."""
        centred = x - x.mean(-1, keepdim=True)
        variance = (centred * centred).mean(-1, keepdim=True)
        normal = centred * torch.rsqrt(variance + EPSILON) * self.gain
        return normal if self.shift is None else normal + self.shift
