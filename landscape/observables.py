"""What a model is like at a point, beside its loss: predictions, attention, rank of matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from landscape.models.readable import call


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


def observed(
    model: nn.Module, params: Mapping[str, Tensor], tokens: Int[Tensor, "B N"]
) -> Mapping[str, Tensor]:
    """What `model` with `params` shows of its attention; nothing if it has no `observe`.

    >>> from landscape import ReducedModel
    >>> observed(ReducedModel(), {}, torch.zeros(1, 2, dtype=torch.long))
    {}
    """
    if not isinstance(model, Observable):
        return {}
    shown: Mapping[str, Tensor] = call(model, params, "observe", tokens)
    return shown


def attention_shape(model: nn.Module, tokens: Int[Tensor, "B N"]) -> tuple[int, ...] | None:
    """(L, H, N, N): what `model` shows of its attention along one sequence; None if nothing.

    >>> from landscape import ReducedModel
    >>> attention_shape(ReducedModel(), torch.zeros(1, 2, dtype=torch.long)) is None
    True
    """
    with torch.no_grad():
        shown = observed(model, dict(model.named_parameters()), tokens[:1])
    return tuple(shown["attention"].shape[1:]) if shown else None


def symbol_weights(
    tokens: Int[Tensor, "B N"], weights: Float[Tensor, " B"], states: int
) -> Float[Tensor, "N S"]:
    """``P(x_n = s)`` under the weights of the sequences, at every position.

    >>> symbol_weights(torch.tensor([[0, 0], [0, 1]]), torch.tensor([0.25, 0.75]), 2).tolist()
    [[1.0, 0.0], [0.25, 0.75]]
    """
    shown = tokens[..., None] == torch.arange(states, device=tokens.device)
    return torch.einsum("b,bns->ns", weights, shown.to(weights.dtype))


def context_sums(
    model: nn.Module,
    params: Mapping[str, Tensor],
    tokens: Int[Tensor, "B N"],
    weights: Float[Tensor, " B"],
) -> dict[str, Tensor]:
    """Weighted sums over sequences, from which all means over contexts are made.

    Sums over parts of the sequences add up to the sums over all. With P the weights::

        "joint"     [N,S,S]     sum_b P_b 1{x_bn = s} softmax(l_bn)_t
        "attention" [L,H,N,N]   sum_b P_b attention_b
        "attended"  [L]         sum_{b,n} P_b |a_bn|
        "stream"    [L]         sum_{b,n} P_b |u_bn|

    the last three for an `Observable` model with attention. Batched under `torch.func.vmap`.

    >>> from landscape import ReducedModel
    >>> model, tokens = ReducedModel(), torch.tensor([[0, 0], [0, 1]])
    >>> params = {name: value.detach() * 0 for name, value in model.named_parameters()}
    >>> sums = context_sums(model, params, tokens, torch.tensor([0.25, 0.75]))
    >>> sums["joint"][1].tolist()  # half of the weight of each symbol
    [[0.125, 0.125], [0.375, 0.375]]
    """
    law = torch.softmax(call(model, params, "forward", tokens), dim=-1)
    weights = weights.to(law.dtype)
    shown = tokens[..., None] == torch.arange(law.shape[-1], device=tokens.device)
    sums = {"joint": torch.einsum("b,bns,bnt->nst", weights, shown.to(law.dtype), law)}
    for name, value in observed(model, params, tokens).items():
        whole = value if name == "attention" else value.sum(-1)
        sums[name] = torch.tensordot(weights.to(value.dtype), whole, dims=1)
    return sums


def rank_one_energy(matrix: Float[Tensor, "*runs m n"]) -> Float[Tensor, "*runs"]:
    """Share ``sigma_1^2 / sum_i sigma_i^2`` of a matrix in its best approximation of rank one.

    Between 1/min(m,n) and 1, which it is at rank one. In float64; NaN for a matrix of zeros, and
    for one that training has driven out of the finite numbers.

    Source: Eckart and Young (1936); the energy that *Attention with Markov* (arXiv 2402.04161)
    reports of the feed-forward weights.

    >>> rank_one_energy(torch.tensor([[3.0, 0.0], [0.0, 1.0]])).item()
    0.9
    """
    finite = matrix.isfinite().all(-1).all(-1)
    energies = torch.linalg.svdvals(matrix.double().where(finite[..., None, None], 0.0)) ** 2
    share: Tensor = energies[..., 0] / energies.sum(-1)
    return share
