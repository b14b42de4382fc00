"""Causal attention over every context at once, from a table of scores.

In a single-layer model the query, key and value of a position depend on (position, symbol) only.
For a fixed query (n, s) softmax attention is a quotient of two sums over i of terms that depend on
(i, x_i) alone, so both are linear in the one-hot context. The sums over the first and the second
half of a context are tabulated apart and added: S^(n-1) additions of d+1 numbers, with no
per-sequence attention.

Each term of the denominator is positive, so nothing cancels that does not cancel in the softmax
itself (a table of differences between the symbols' terms would lose digits at large scores).
"""

from __future__ import annotations

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor


@lru_cache(maxsize=128)
def _one_hot_contexts(
    states: int, length: int, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "contexts {length}*{states}"]:
    """All S^length symbol strings in lexicographic order, one-hot, flattened over (i, symbol)."""
    if length == 0:
        return torch.zeros(1, 0, device=device, dtype=dtype)
    symbols = torch.cartesian_prod(*[torch.arange(states)] * length).reshape(-1, length)
    one_hot = torch.nn.functional.one_hot(symbols, states).reshape(-1, length * states)
    return one_hot.to(device=device, dtype=dtype)


def attention_over_contexts(
    scores: Float[Tensor, "N S N S"], values: Float[Tensor, "N S d"]
) -> Float[Tensor, "contexts d"]:
    """Attention output sum_i att_{n,i} v_i at the last position of every context of length <= N.

    Args:
        scores: scores[n, s, i, t] of query (n, symbol s) on key (i, symbol t), already divided by
            sqrt(d).
        values: value vectors v[i, t].

    Returns:
        One row per context, lengths 1..N in turn, each length in lexicographic order.

    Cost: S^N (d+1) additions and as many divisions for the longest length, the others together
    less than 1/(S-1) of that. Source: this project, exact evaluation by score tables.
    """
    length, states, width = values.shape
    past = torch.ones(length, length, dtype=torch.bool, device=scores.device).tril(-1)
    past_scores = scores.masked_fill(~past[:, None, :, None], -torch.inf)
    own_score = scores.diagonal(dim1=0, dim2=2).diagonal(dim1=0, dim2=1)
    shift = torch.maximum(past_scores.amax(dim=(2, 3)), own_score).detach()
    values = torch.cat([torch.ones_like(values[..., :1]), values], dim=-1)
    own = torch.exp(own_score - shift)[..., None] * values
    # (i, t) before (s, d+1), so that one matrix product tabulates a half for every query
    weight = torch.exp(past_scores - shift[..., None, None]).permute(0, 2, 3, 1)
    terms = weight[..., None] * values[:, :, None]
    half = (length - 1) // 2

    def table(first: int, last: int) -> Tensor:
        one_hot = _one_hot_contexts(states, last - first, scores.dtype, scores.device)
        rows = one_hot @ terms[:, first:last].flatten(1, 2).flatten(2)
        return rows.reshape(length, -1, states, width + 1)

    left, right = table(0, half) + own[:, None], table(half, length - 1)
    rows = []
    for n in range(length):  # positions 0..n-1 of the context; the unused ones are set to symbol 0
        used_left, used_right = min(n, half), max(n - half, 0)
        sums = left[n, :: states ** (half - used_left), None]
        if used_right:
            sums = sums + right[n, :: states ** (length - 1 - half - used_right)]
        rows.append(sums.flatten(0, 2))
    denominator, numerator = torch.cat(rows).split([1, width], dim=-1)
    attention: Tensor = numerator / denominator
    return attention
