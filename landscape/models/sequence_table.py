"""The single layer on sampled sequences, from one table of attention weights for all of them.

Query, key and value of a position depend on (position, symbol) only. So the unnormalised attention
weights of all sequences are entries of one table of (S N)^2 numbers, and a sequence chooses among
them by its symbols: its sums over keys are a matrix product of the table with the values it shows.
No array of sequences x queries x keys is ever made, and the exponentials are not per sequence.
"""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from landscape.models.single_layer import SingleLayer


def _attention_weights(scores: Float[Tensor, "S N S N"]) -> Float[Tensor, "S N S N"]:
    """exp(score - shift), 0 for later keys, with one shift for every query (symbol, position).

    A sequence holds every key with one symbol or another. So its largest score is at least the
    largest over keys of the least over symbols, and at most the spread over symbols above it. A
    quarter of the exponent range is left below that level, and the rest above it: the weights of a
    sequence neither all vanish nor overflow, unless a score moves by 110 nats (in float64 880) with
    the symbol of its key.
    """
    length = scores.shape[1]
    causal = torch.ones(length, length, dtype=scores.dtype, device=scores.device).tril()[:, None]
    seen = scores.detach().amin(dim=2).masked_fill(causal[:, 0] == 0, -torch.inf)
    shift = seen.amax(dim=-1) + math.log(torch.finfo(scores.dtype).max) / 4
    # masked before too: a later key's weight may overflow, and exp of -inf is slow
    return torch.exp((scores - shift[..., None, None]) * causal) * causal


def sequence_logits(
    model: SingleLayer, params: Mapping[str, Tensor], tokens: Int[Tensor, "B N"]
) -> Float[Tensor, "B N 2"]:
    """Logits (0, logit_n) at every position of every sequence; equal to `forward` up to rounding.

    NaN or infinite where a score moves by more than 110 nats (in float64 880) with the symbol of
    its key: `forward` then still has an answer.

    Args:
        model: gives sizes and tying; it is not changed.
        params: its parameters.
        tokens: sequences of symbols, no longer than the model's.

    Cost: about S^2 N^2 exponentials, and 2 S^2 N^2 B (d+1) multiplications in one matrix product.
    Raises ValueError for sequences longer than the model's.
    Source: this project, from the structure of *Attention with Markov* (arXiv 2402.04161).

    >>> model = SingleLayer(width=4, length=3)
    >>> tokens = torch.tensor([[0, 1, 1], [1, 0, 0]])
    >>> logits = sequence_logits(model, dict(model.named_parameters()), tokens)
    >>> torch.allclose(logits, model(tokens), rtol=0, atol=1e-15)
    True
    """
    length, embedding = tokens.shape[1], params["embedding"]
    if length > model.length:
        raise ValueError(
            f"tokens have length {length}, the model was built for at most {model.length}; "
            f"build it with length={length}"
        )
    symbols = torch.arange(model.states, device=tokens.device)
    u = symbols[:, None, None] * embedding + params["positions"][:length]
    query, key = u @ params["query"].T / math.sqrt(model.width), u @ params["key"].T
    scores = (query.flatten(0, 1) @ key.flatten(0, 1).T).unflatten(1, u.shape[:2])
    weights = _attention_weights(scores.unflatten(0, u.shape[:2]))
    values = u @ params["value"].T @ params["output"].T
    summands = torch.cat([values, torch.ones_like(values[..., :1])], dim=-1)
    # from here on the long axes, positions and sequences, are innermost
    shown = (symbols[:, None, None] == tokens.T).to(u.dtype)
    own = embedding[:, None, None] * tokens.T + params["positions"][:length].T[:, :, None]
    keys = (summands[..., None] * shown[:, :, None]).flatten(0, 1).flatten(1)
    sums = (weights.flatten(2).flatten(0, 1) @ keys).unflatten(0, u.shape[:2])
    sums = (sums.unflatten(2, (-1, len(tokens))) * shown[:, :, None]).sum(0)
    attended, total = sums.transpose(0, 1).split([model.width, 1])
    y = (own + attended / total).flatten(1)
    readout = params[model.readout_name]
    # the relu as in SingleLayer.context_logits: no array of hidden x sequences is differentiated
    opened = (params["hidden_in"].detach() @ y.detach() > 0).to(y.dtype)
    slope = ((params["hidden_out"].T @ readout)[:, None] * params["hidden_in"]).T @ opened
    logit = (y * (readout[:, None] + slope)).sum(0) + params["bias"]
    logit = logit.unflatten(0, (length, -1)).T
    return torch.stack([torch.zeros_like(logit), logit], dim=-1)
