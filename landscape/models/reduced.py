"""The canonical reduced model (e, w, b)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from landscape.models.initial import standard
from landscape.models.parameters import Params


class ReducedModel(nn.Module):
    """The three-parameter model that the rank-one ansatz makes of the single-layer transformer.

    ``f(x) = e^2 (1 + 2 w|w|) x + b - e^2/2``, a function of the last symbol x alone. It is the
    branch e > 0 of the ansatz, continued to e < 0 as the literature does: twice differentiable
    everywhere, but for e < 0 not the ansatz. There the transformer's relu fires at x = 0, f(1) = b
    + e^2/2 and f(0) = f(1) - e^2 (1 + 2 w|w|): what the theorems call the reduced model. The two
    differ by a shift of b, and have the same loss at their best bias.

    Parameters: `embedding` e [], `feedforward` w [], `bias` b [].

    Args:
        dtype: torch.float64 or torch.float32.
        seed: seed of the standard initialisation the model starts from.

    Source: *Local to Global* (arXiv 2406.03072), the canonical parametrisation.

    >>> model = ReducedModel()
    >>> model(torch.tensor([[0, 1]])).shape
    torch.Size([1, 2, 2])
    """

    states = 2
    width = 1
    embedding_name = readout_name = "embedding"
    bias_name = "bias"
    linear_weights = ()
    mirror = False
    idle = free = ()

    def __init__(self, *, dtype: torch.dtype = torch.float64, seed: int = 0) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.zeros((), dtype=dtype))
        self.feedforward = nn.Parameter(torch.zeros((), dtype=dtype))
        self.bias = nn.Parameter(torch.zeros((), dtype=dtype))

        with torch.no_grad():
            for name, value in standard(self, seed).items():
                self.get_parameter(name).copy_(value)

    def _logits(self, x: Float[Tensor, "..."]) -> Float[Tensor, "... 2"]:
        e, w, b = self.embedding, self.feedforward, self.bias
        logit = e**2 * (1 + 2 * w * w.abs()) * x + b - e**2 / 2
        return torch.stack([torch.zeros_like(logit), logit], dim=-1)

    def forward(self, tokens: Int[Tensor, "B N"]) -> Float[Tensor, "B N 2"]:
        """Logits (0, f(x_n)) of the next symbol at every position."""
        return self._logits(tokens.to(self.bias.dtype))

    def context_logits(self, length: int) -> Float[Tensor, "contexts 2"]:
        """Logits after every context of lengths 1..length: the two values of f, in turn."""
        symbols = torch.arange(2, dtype=self.bias.dtype, device=self.bias.device)
        return self._logits(symbols).repeat(2**length - 1, 1)

    def ansatz(self, e: float, w: float, b: float, alpha: Float[Tensor, " 1"]) -> Params:
        """The model itself at (e, w, b): a scalar has no direction, and alpha does not enter."""
        values = {"embedding": e, "feedforward": w, "bias": b}
        return {name: torch.full_like(self.bias.detach(), x) for name, x in values.items()}
