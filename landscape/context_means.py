"""Means over contexts of what runs predict and attend to, computed in parts that fit the cache."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import vmap

from landscape.objective import ExactLoss
from landscape.observables import attention_shape, context_sums, symbol_weights
from landscape.population import ENTRIES
from landscape.sampled import SampledLoss

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
