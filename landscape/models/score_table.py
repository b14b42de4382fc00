"""Causal attention over every context at once, from a table of scores.

In a single-layer model the query, key and value of a position depend on (position, symbol) only.
For a fixed query (n, s) softmax attention is an average over i of terms that depend on (i, x_i)
alone. Two averages over disjoint sets of keys, each with the log-sum of its weights, merge into
that over their union::

    average = lerp(first, second, sigmoid(log-sum of second - log-sum of first))

So each half of a context is attended to apart, key after key, for all its strings of symbols at
once; a whole context merges one average of the left half with one of the right. No per-sequence
attention, and nothing overflows, underflows or cancels that does not do so in the softmax itself:
weights are only ever compared with weights of the same context.

Layout: the innermost axis of every large array is a long one, contexts or queries; width and
symbol axes are short, and processors are slow on them.
"""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from landscape.numerics.softplus import softplus

Half = tuple[list[Tensor], list[Tensor]]


def _half(
    keys: Float[Tensor, "keys S queries S"],
    values: Float[Tensor, "keys S d"],
    mean: Float[Tensor, "first d queries S"],
    log: Float[Tensor, "first queries S"],
    own: Float[Tensor, "queries S d"],
) -> Half:
    """Averages [d, S, contexts] and log-sums [S, contexts] of the keys so far, per query.

    Extends every string of symbols by each symbol of the next key, earlier positions slowest; at
    last the query's own vector is added, which merging two halves leaves alone.
    """
    for score, value in zip(keys.unbind(0), values.unbind(0), strict=True):
        gap = score - log[:, None]
        weight = torch.sigmoid(gap)[:, :, None]
        mean = torch.lerp(mean[:, None], value[:, :, None, None], weight).flatten(0, 1)
        log = (log[:, None] + softplus(gap)).flatten(0, 1)
    mean = mean + own.permute(2, 0, 1).contiguous()
    # Unbound before the copy, so that gradients come back in the layout of the loop above too.
    means = [query.permute(1, 2, 0).contiguous() for query in mean.unbind(2)]
    return means, [query.mT.contiguous() for query in log.unbind(1)]


def attention_over_contexts(
    scores: Float[Tensor, "N S N S"], values: Float[Tensor, "N S d"], inputs: Float[Tensor, "N S d"]
) -> Float[Tensor, "d contexts"]:
    """u_n + sum_i att_{n,i} v_i at the last position n of every context of length <= N.

    Args:
        scores: scores[n, s, i, t] of query (n, symbol s) on key (i, symbol t), already divided by
            sqrt(d).
        values: value vectors v[i, t].
        inputs: input vectors u[n, s], which the residual connection adds.

    Returns:
        One column per context, lengths 1..N in turn; within a length the last symbol varies
        slowest and the others are in lexicographic order (`in_lexicographic_order` sorts them).

    Cost: S^N sigmoids and d times as many interpolations for the longest length, the others
    together less than 1/(S-1) of that. Source: this project, exact evaluation by score tables.
    """
    length, states, _ = values.shape
    half = (length - 1) // 2
    past = torch.ones(length, length, dtype=torch.bool, device=scores.device).tril(-1)
    keys = scores.masked_fill(~past[:, None, :, None], -torch.inf).permute(2, 3, 0, 1).contiguous()
    own_score = scores.diagonal(dim1=0, dim2=2).diagonal(dim1=0, dim2=1)
    own_value = values.permute(2, 0, 1)
    # The left half starts from the query's own position and the right half from its first key,
    # which all its queries see: neither is ever empty.
    left, left_log = _half(
        keys[:half],
        values[:half],
        own_value[None].contiguous(),
        own_score[None].contiguous(),
        inputs,
    )
    later = length - half - 1
    if later:
        start = values[half][:, :, None, None].expand(-1, -1, later, states)
        queries = keys[half:-1, :, half + 1 :]
        right, right_log = _half(
            queries[1:],
            values[half + 1 : -1],
            start.contiguous(),
            queries[0].contiguous(),
            inputs[half + 1 :],
        )
    rows = []
    for n in range(length):  # positions 0..n-1 of the context; the unused ones are set to symbol 0
        step = states ** (half - min(n, half))
        average, log = left[n][..., ::step], left_log[n][..., ::step]
        if n > half:
            step = states ** (length - 1 - n)
            other, other_log = right[n - half - 1], right_log[n - half - 1]
            weight = torch.sigmoid(other_log[..., None, ::step] - log[..., None])
            average = torch.lerp(average[..., None], other[..., None, ::step], weight)
        rows.append(average.flatten(1))
    return torch.cat(rows, dim=-1)


def in_lexicographic_order(
    rows: Float[Tensor, "*rows contexts"], states: int, length: int
) -> Float[Tensor, "*rows contexts"]:
    """Rows in the order of `attention_over_contexts`, the contexts of each length sorted.

    >>> in_lexicographic_order(torch.arange(6.0), states=2, length=2).tolist()
    [0.0, 1.0, 2.0, 4.0, 3.0, 5.0]
    """
    places = torch.from_numpy(_lexicographic(states, length))
    return rows.index_select(-1, places.to(rows.device))


@lru_cache(maxsize=128)
def _lexicographic(states: int, length: int) -> Int[np.ndarray, " contexts"]:
    """The places, as numpy: a tensor that is made inside a transform belongs to it alone."""
    sizes = [states**n for n in range(1, length + 1)]
    parts = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    return np.concatenate([part.reshape(states, -1).T.ravel() for part in parts])
