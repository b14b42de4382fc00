"""What a model may offer beyond its forward pass; each algorithm asks for what it needs.

Any `torch.nn.Module` from tokens to logits can be trained, sliced and have its spectrum measured.
Whatever else is known of it is told by names and methods, which `isinstance` looks for: a model
need not inherit from anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor, nn

from landscape.models.parameters import Params


@runtime_checkable
class Named(Protocol):
    """A model that says which parameters are its embedding, its readout and its output bias."""

    embedding_name: str
    bias_name: str

    @property
    def readout_name(self) -> str:
        """Name of the parameter that reads z out: the embedding's when tied."""


@runtime_checkable
class Readable(Named, Protocol):
    """A model whose critical points can be constructed and predicted.

    `represent` maps input vectors u_1..u_N to final representations z_1..z_N; the logits are the
    readout applied to z plus the output bias. The four names say which parameters are which;
    `readout` equals `embedding` when the weights are tied.
    """

    @property
    def positions_name(self) -> str | None:
        """Name of the parameter added by position; None if there is none."""

    def represent(self, inputs: Float[Tensor, "B N d"]) -> Float[Tensor, "B N d"]:
        """z = Phi(u), causal in n."""


@runtime_checkable
class Kinked(Named, Protocol):
    """A model with relu units that tells their pre-activations."""

    states: int

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


@runtime_checkable
class HoldsAnsatz(Protocol):
    """A model of two symbols that can be put on the rank-one ansatz (`landscape.models.ansatz`)."""

    width: int

    def parameters(self) -> Iterator[nn.Parameter]:
        """Its parameters, which give dtype and device."""

    def ansatz(self, e: float, w: float, b: float, alpha: Float[Tensor, " d"]) -> Params:
        """All parameters at the reduced coordinates (e, w, b), along the unit vector alpha."""


@runtime_checkable
class OnAnsatz(HoldsAnsatz, Protocol):
    """A model that is the ansatz where it holds it: (e, w, b) are coordinates of its landscape.

    Bigram points, valleys and planes are then constructed in those coordinates.
    """

    @property
    def mirror(self) -> bool:
        """Whether e < 0 is a branch of its own, with the relu open at x = 0; else e is as -e."""

    @property
    def idle(self) -> tuple[str, ...]:
        """Names of the parameters that do nothing on the ansatz, whatever their values."""

    @property
    def free(self) -> tuple[str, ...]:
        """Those of the idle ones that the ansatz leaves open; at the others it has a value."""
