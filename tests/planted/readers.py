"""Small models of a user's own: one that is what its names say, and some that are not."""

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


class Matrix(Reader):
    """z = W u without positions: constant where W = 0, and nowhere around."""

    positions_name = None

    def __init__(self, size: float) -> None:
        super().__init__()
        del self.positions
        self.weights = nn.Parameter(size * torch.tensor([[1.0, 0.5], [-0.5, 1.0]]).double())

    def represent(self, inputs: Tensor) -> Tensor:
        return inputs @ self.weights.T

    def forward(self, tokens: Tensor) -> Tensor:
        return self.represent(self.embedding[tokens]) @ self.embedding.T + self.bias


class Scaled(Reader):
    def forward(self, tokens: Tensor) -> Tensor:
        u = 2**0.5 * self.embedding[tokens] + self.positions[: tokens.shape[1]]
        return self.represent(u) @ self.embedding.T + self.bias


class Tempered(Reader):
    def forward(self, tokens: Tensor) -> Tensor:
        return super().forward(tokens) / 2


class Shifted(Reader):
    positions_name = None


class Lookup(nn.Module):
    """Logits looked up by the last symbol: it has nothing but `forward`."""

    def __init__(self, states: int = 2) -> None:
        super().__init__()
        self.states = states
        self.table = nn.Parameter(torch.zeros(states, states).double())

    def forward(self, tokens: Tensor) -> Tensor:
        return self.table[tokens]


class LastTwo(Lookup):
    """Logits looked up by the last two symbols; before the first stands a blank."""

    def __init__(self, states: int = 2) -> None:
        super().__init__(states)
        self.table = nn.Parameter(torch.zeros(states + 1, states, states).double())

    def forward(self, tokens: Tensor) -> Tensor:
        before = nn.functional.pad(tokens[:, :-1], (1, 0), value=self.states)
        return self.table[before, tokens]


class Shown(LastTwo):
    """Two layers of three heads that attend as the first symbol says; counts how often it looks."""

    looked = 0

    def observe(self, tokens: Tensor) -> dict[str, Tensor]:
        type(self).looked += 1
        batch, length = tokens.shape
        first = tokens[:, :1, None, None, None].double()
        shape = (batch, 2, 3, length, length)
        heads = torch.arange(6, dtype=torch.float64).reshape(2, 3, 1, 1)
        norms = torch.tensor([1.0, 3.0], dtype=torch.float64)[:, None].expand(batch, 2, length)
        return {
            "attention": (first + heads).expand(shape),
            "attended": norms * self.table.exp().mean(),
            "stream": torch.ones(batch, 2, length, dtype=torch.float64),
        }
