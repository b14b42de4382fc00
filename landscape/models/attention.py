"""Causal softmax attention written out, so that it has second derivatives in both modes."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor


class Lookback(NamedTuple):
    """Which keys each query sees, and how far back they are.

    `distance` is n - i, and 0 for the keys after the query, which it never sees. `mask` is added
    to the scores: 0 for the keys that are seen and -inf for all others. Adding it costs nothing
    in the backward pass, where filling the scores would cost one more array of N x N.
    """

    distance: Int[Tensor, "N N"]
    mask: Float[Tensor, "N N"]


def lookback(length: int, window: int | None, like: Tensor) -> Lookback:
    """Query n sees the keys i with 0 <= n-i < window, or all before it and itself.

    Args:
        length: number N of positions.
        window: how many keys a query sees at most, itself one of them; None sees all.
        like: gives dtype and device.

    >>> lookback(3, 2, torch.zeros(())).mask.tolist()
    [[0.0, -inf, -inf], [0.0, 0.0, -inf], [-inf, 0.0, 0.0]]
    """
    places = torch.arange(length, device=like.device)
    distance = places[:, None] - places
    unseen = distance < 0
    if window is not None:
        unseen = unseen | (distance >= window)
    zeros = torch.zeros(length, length, dtype=like.dtype, device=like.device)
    return Lookback(distance.clamp(min=0), zeros.masked_fill(unseen, -torch.inf))


def offsets(
    seen: Lookback, relative: Float[Tensor, "H longest"] | None
) -> Float[Tensor, "*heads N N"]:
    """What is added to the scores: the mask, and by head the learned scalar of each distance.

    Source: Raffel et al. (arXiv 1910.10683), the relative position biases of T5, each distance
    with a scalar of its own instead of buckets.
    """
    if relative is None:
        return seen.mask
    heads, n = len(relative), len(seen.mask)
    by_distance = relative.index_select(-1, seen.distance.flatten())
    return by_distance.reshape(heads, n, n) + seen.mask


def split_heads(vectors: Float[Tensor, "B N d"], heads: int) -> Float[Tensor, "B H N d_head"]:
    """Consecutive parts of the width, d/H each, one a head."""
    return vectors.reshape(*vectors.shape[:-1], heads, -1).transpose(-2, -3)


def attention_weights(
    queries: Float[Tensor, "B H N d_head"],
    keys: Float[Tensor, "B H N d_head"],
    added: Float[Tensor, "*heads N N"],
) -> Float[Tensor, "B H N N"]:
    """``att_{n,i} = softmax_i(<q_n, k_i>/sqrt(d_head) + added_{n,i})``; rows sum to 1.

    A key at -inf has the weight exp(-inf) = 0 exactly. Nothing is fused: torch's
    `scaled_dot_product_attention` has no second derivative and no forward mode on a CPU.

    >>> q = torch.zeros(1, 1, 2, 4)
    >>> attention_weights(q, q, lookback(2, None, q).mask).tolist()
    [[[[1.0, 0.0], [0.5, 0.5]]]]
    """
    scaled = queries / math.sqrt(queries.shape[-1])  # the shorter of the two arrays
    return torch.softmax(scaled @ keys.mT + added, dim=-1)
