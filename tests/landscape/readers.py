"""Small models of a user's own: one that is what its names say, and some that are not."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Reader(nn.Module):
    """A tied model of the user's own on two symbols, with nothing between u and z but a method."""

    embedding_name, readout_name, bias_name = "embedding", "embedding", "bias"
    positions_name: str | None = "positions"

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.zeros(2, 2).double())
        self.positions = nn.Parameter(torch.tensor([[0.3, -0.4]]).double().repeat(3, 1))
        self.bias = nn.Parameter(torch.zeros(2).double())

    def represent(self, inputs: Tensor) -> Tensor:
        return torch.relu(inputs)

    def forward(self, tokens: Tensor) -> Tensor:
        u = self.embedding[tokens] + self.positions[: tokens.shape[1]]
        return self.represent(u) @ self.embedding.T + self.bias


class Scaled(Reader):
    def forward(self, tokens: Tensor) -> Tensor:
        u = 2**0.5 * self.embedding[tokens] + self.positions[: tokens.shape[1]]
        return self.represent(u) @ self.embedding.T + self.bias


class Tempered(Reader):
    def forward(self, tokens: Tensor) -> Tensor:
        return super().forward(tokens) / 2


class Shifted(Reader):
    positions_name = None
