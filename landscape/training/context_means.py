"""Means over contexts of what runs predict and attend to, computed in parts that fit the cache."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import vmap

from landscape.models.parameters import call
from landscape.models.protocols import Observable
from landscape.objectives.exact import ExactLoss
from landscape.objectives.population import ENTRIES
from landscape.objectives.sampled import SampledLoss

HELD_OUT = 64
"""Sequences that means over contexts are taken over, where the contexts are not enumerated."""

Weighted = tuple[Int[Tensor, "B N"], Float[Tensor, " B"]]
"""Sequences and their weights, which sum to 1."""


def weighted_contexts(loss: ExactLoss | SampledLoss) -> Weighted:
    """The sequences of length N that stand for the source, with their weights.

    All S^N with their probabilities for an exact loss; for a sampled one the first 64 of its own,
    with equal weights.

    >>> from landscape import BinaryMarkov
    >>> tokens, weights = weighted_contexts(ExactLoss(BinaryMarkov(0.2, 0.3), 2))
    >>> tokens.tolist(), weights.round(decimals=2).tolist()
    ([[0, 0], [0, 1], [1, 0], [1, 1]], [0.48, 0.12, 0.12, 0.28])
    """
    if isinstance(loss, ExactLoss):
        symbols = torch.arange(loss.states, device=loss.weights.device)
        tokens = torch.cartesian_prod(*[symbols] * loss.length).reshape(-1, loss.length)
        return tokens, torch.from_numpy(loss.source.context_law(loss.length)).to(symbols.device)
    tokens = loss.tokens[:HELD_OUT]
    return tokens, torch.full_like(tokens[:, 0], 1, dtype=torch.float64) / len(tokens)


def context_means(
    model: nn.Module, params: Mapping[str, Tensor], contexts: Weighted
) -> dict[str, Tensor]:
    """What the runs whose parameters are stacked predict and attend to, on average, in float64.

    With the expectation over the weighted sequences, u_n the residual stream and a_n what the
    attention of a layer adds to it::

        "probability"      [runs,N,S,S]    E[softmax(l_n)_t | x_n = s]
        "attention_share"  [runs,L]        sum_n E|a_n| / sum_n (E|u_n| + E|a_n|)
        "attention"        [runs,L,H,N,N]  E[attention weights], row n those of the n-th query

    The last two for a model that shows its attention. NaN where no sequence has x_n = s. No graph
    is built.

    >>> from landscape import BinaryMarkov, ReducedModel
    >>> contexts = weighted_contexts(ExactLoss(BinaryMarkov(0.2, 0.3), 1))
    >>> params = {"embedding": torch.zeros(1), "feedforward": torch.ones(1), "bias": torch.ones(1)}
    >>> context_means(ReducedModel(), params, contexts)["probability"][0, 0, :, 1]
    tensor([0.7311, 0.7311], dtype=torch.float64)
    """
    tokens, weights = contexts
    length = tokens.shape[1]
    layers, heads, *_ = attention_shape(model, tokens) or (1, 1)
    widest = max(max(value.shape[1:], default=1) for value in params.values())
    rows = max(1, ENTRIES // (length * max(length * layers * heads, widest)))
    sums: dict[str, Tensor] = {}
    for part, share in zip(tokens.split(rows), weights.split(rows), strict=True):
        one = partial(context_sums, model, tokens=part, weights=share)
        with torch.no_grad():
            found = vmap(one, chunk_size=max(1, rows // len(part)))(dict(params))
        sums = {name: sums.get(name, 0) + value.double() for name, value in found.items()}
    seen = symbol_weights(tokens, weights, sums["joint"].shape[-1])
    means = {"probability": sums["joint"] / seen[..., None]}
    if "attention" in sums:
        means["attention_share"] = sums["attended"] / (sums["attended"] + sums["stream"])
        means["attention"] = sums["attention"]
    return means


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
