"""Causal attention over every context at once, from a table of scores.

In a single-layer model the query, key and value of a position depend on (position, symbol) only.
For a fixed query (n, s) softmax attention is a quotient of two sums over i of terms that depend on
(i, x_i) alone, so each half of a context can be attended to apart: a table of half-averages and
of log-sums of weights. A whole context mixes the two averages with the weight
``sigmoid(log-sum of one half - log-sum of the other)``: no per-sequence attention.

Nothing overflows, underflows or cancels that does not do so in the softmax itself: a half is
shifted by the scores it holds, not by the largest of the table, beside which all the scores of a
context may vanish; and a table of differences between the symbols' terms would lose digits.
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

    Cost: S^N sigmoids and d times as many interpolations for the longest length, the others
    together less than 1/(S-1) of that. Source: this project, exact evaluation by score tables.
    """
    length, states, _ = values.shape
    past = torch.ones(length, length, dtype=torch.bool, device=scores.device).tril(-1)
    own_score = scores.diagonal(dim1=0, dim2=2).diagonal(dim1=0, dim2=1)
    half = (length - 1) // 2

    def table(first: int, last: int, query: int) -> tuple[Tensor, Tensor]:
        """Averages and log-sums over the keys first..last-1 for the queries query..length-1."""
        one_hot = _one_hot_contexts(states, last - first, scores.dtype, scores.device)
        one_hot = one_hot.unflatten(1, (last - first, states))
        logs = torch.einsum("cit,nsit->ncsi", one_hot, scores[query:, :, first:last])
        logs = logs.masked_fill(~past[query:, None, None, first:last], -torch.inf)
        attended = torch.einsum("cit,itd->cid", one_hot, values[first:last])
        if query:
            return torch.softmax(logs, -1) @ attended, torch.logsumexp(logs, -1)
        # the left half holds the query's own position, so that it is never empty
        own = own_score[:, None, :, None].expand(-1, logs.shape[1], -1, -1)
        logs = torch.cat([logs, own], dim=-1)
        weight = torch.softmax(logs, dim=-1)
        average = weight[..., :-1] @ attended + weight[..., -1:] * values[:, None]
        return average, torch.logsumexp(logs, -1)

    left, left_log = table(0, half, 0)
    right, right_log = table(half, length - 1, half + 1)
    rows = []
    for n in range(length):  # positions 0..n-1 of the context; the unused ones are set to symbol 0
        step = states ** (half - min(n, half))
        average, log = left[n, ::step], left_log[n, ::step]
        if n > half:
            step = states ** (length - 1 - n)
            weight = torch.sigmoid(right_log[n - half - 1, ::step] - log[:, None])
            average = torch.lerp(average[:, None], right[n - half - 1, ::step], weight[..., None])
        rows.append(average.flatten(0, -2))
    return torch.cat(rows)
