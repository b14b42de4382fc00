"""What a model must offer, and the one way its methods are called with other parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call

Params = dict[str, Tensor]


@runtime_checkable
class Readable(Protocol):
    """A model whose critical points can be constructed and predicted.

    `represent` maps input vectors u_1..u_N to final representations z_1..z_N; the logits are the
    readout applied to z plus the output bias. The four names say which parameters are which;
    `readout` equals `embedding` when the weights are tied.
    """

    embedding_name: str
    bias_name: str

    @property
    def positions_name(self) -> str | None:
        """Name of the parameter added by position; None if there is none."""

    @property
    def readout_name(self) -> str:
        """Name of the parameter that reads z out: the embedding's when tied."""

    def represent(self, inputs: Float[Tensor, "B N d"]) -> Float[Tensor, "B N d"]:
        """z = Phi(u), causal in n."""


class _Method(nn.Module):
    def __init__(self, model: nn.Module, method: str) -> None:
        super().__init__()
        self.model = model
        self.method = method

    def forward(self, *args: Any) -> Any:
        return getattr(self.model, self.method)(*args)


def call(model: nn.Module, params: Mapping[str, Tensor], method: str, *args: Any) -> Any:
    """Call `model.method(*args)` with `params` in place of its parameters; the model is unmoved.

    `functional_call` reaches only `forward`; wrapping the model for the length of the call makes
    every method reachable in the same pure way, under vmap, jvp and grad alike. The wrapper is
    built from inside, without registering hooks or changing train/eval mode.
    """
    wrapper = _Method(model, method)
    wrapper.training = model.training
    return functional_call(
        wrapper, {f"model.{name}": value for name, value in params.items()}, args
    )


def parameters_of(model: nn.Module) -> Params:
    """The model's own parameters as detached clones, tied names once."""
    return {name: value.detach().clone() for name, value in model.named_parameters()}


@runtime_checkable
class Kinked(Protocol):
    """A model with relu units that tells their pre-activations."""

    embedding_name: str
    states: int

    @property
    def readout_name(self) -> str:
        """Name of the parameter that reads z out: the embedding's when tied."""

    def context_preactivations(self, length: int) -> Float[Tensor, "contexts r"]:
        """Pre-activations after every context, of the units with nonzero outgoing weights."""


@runtime_checkable
class ContextModel(Protocol):
    """A model that gives the logits after every context itself, cheaper than by enumeration."""

    def context_logits(self, length: int) -> Float[Tensor, "contexts S"]:
        """Logits after every context of lengths 1..length, each length lexicographic."""


@runtime_checkable
class Observable(Protocol):
    """A model that shows what its attention does."""

    def observe(self, tokens: Int[Tensor, "B N"]) -> Mapping[str, Tensor]:
        """Attention weights and norms along sequences, under `torch.func.vmap` as `forward` is.

        "attention" [B,L,H,N,N] are the softmax weights by layer and head, row n those of the query
        at position n; "attended" [B,L,N] the Euclidean norms of what the attention of a layer adds
        to the residual stream, and "stream" [B,L,N] those of the stream that it is added to. Empty
        for a model without attention.
        """
