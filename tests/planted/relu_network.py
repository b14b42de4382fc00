"""A network of a user's own, whose relu units tell nobody that they are there."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu


class ReluNetwork(nn.Module):
    """``z = u + W_2 act(W_1 u)``, symbol after symbol, without positions: at E = 0 all is a kink.

    Args:
        states, width: S and d.
        act: the activation.
        tied: whether the embedding reads z out too.
        level: added to what the units act on; away from 0 there is no kink at E = 0.
    """

    embedding_name, positions_name, bias_name = "wte", None, "bias"

    def __init__(
        self,
        states: int = 2,
        width: int = 4,
        act: Callable[[Tensor], Tensor] = torch.relu,
        tied: bool = True,
        level: float = 0.0,
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)

        def drawn(*size: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(*size, generator=generator, dtype=torch.float64) / 2)

        self.act, self.level = act, level
        self.wte = drawn(states, width)
        self.out = None if tied else drawn(states, width)
        self.readout_name = "wte" if tied else "out"
        self.bias = nn.Parameter(torch.zeros(states, dtype=torch.float64))
        self.up, self.down = drawn(4 * width, width), drawn(width, 4 * width)

    def represent(self, u: Tensor) -> Tensor:
        return u + self.act(u @ self.up.T + self.level) @ self.down.T

    def forward(self, tokens: Tensor) -> Tensor:
        readout: Tensor = getattr(self, self.readout_name)
        return self.represent(self.wte[tokens]) @ readout.T + self.bias


class SmoothNetwork(ReluNetwork):
    """The same with gelu, which has no kinks."""

    def __init__(self, states: int = 2, width: int = 4) -> None:
        super().__init__(states, width, gelu)
