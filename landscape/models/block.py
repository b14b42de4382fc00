"""One block of a transformer: attention, then feed-forward, each added to the stream.

All is written out, so that it has second derivatives in both modes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import gelu


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


@dataclass(frozen=True)
class Shape:
    """What a block is made of: sizes d, H, r, and which of its parts it has.

    `reach` is the number of distances that have a learned score of their own; 0 for none.
    """

    width: int
    heads: int
    hidden: int
    layer_norm: bool
    activation: str
    biases: bool
    attention: bool
    feedforward: bool
    reach: int


class Block(nn.Module):
    """``y <- y + W_O att(LN(y)) + c_O``, then ``y <- y + W_2 act(W_1 LN(y) + c_1) + c_2``.

    Parameters, as far as the shape has them: `query`, `key`, `value`, `output` [d,d] and their
    `query_bias`, ... [d]; `relative` [H,N]; `hidden_in` [r,d], `hidden_in_bias` [r], `hidden_out`
    [d,r], `hidden_out_bias` [d]; `attention_norm` and `feedforward_norm`. All start at 0, gains
    at 1.

    >>> sizes = Shape(4, 2, 8, True, "gelu", False, True, True, 0)
    >>> [name for name, _ in Block(sizes, torch.float64).named_parameters()][-2:]
    ['attention_norm.gain', 'feedforward_norm.gain']
    """

    hidden_out: nn.Parameter

    def __init__(self, shape: Shape, dtype: torch.dtype) -> None:
        super().__init__()
        self.shape = shape
        d, r = shape.width, shape.hidden
        matrices: dict[str, tuple[int, int]] = {}
        if shape.attention:
            matrices |= dict.fromkeys(("query", "key", "value", "output"), (d, d))
        if shape.feedforward:
            matrices |= {"hidden_in": (r, d), "hidden_out": (d, r)}
        self.matrices = tuple(matrices)

        def zeros(*size: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(*size, dtype=dtype))

        def normalised() -> nn.Module:
            if shape.layer_norm:
                return LayerNorm(d, shift=shape.biases, dtype=dtype)
            return nn.Identity()

        for name, size in matrices.items():
            self.register_parameter(name, zeros(*size))
            self.register_parameter(f"{name}_bias", zeros(size[0]) if shape.biases else None)
        if shape.attention:
            self.relative = zeros(shape.heads, shape.reach) if shape.reach else None
            self.attention_norm = normalised()
        if shape.feedforward:
            self.feedforward_norm = normalised()

    def _map(self, name: str, x: Tensor) -> Tensor:
        """W x + c."""
        bias: Tensor | None = getattr(self, f"{name}_bias")
        image: Tensor = x @ getattr(self, name).T
        return image if bias is None else image + bias

    def attend(
        self, stream: Float[Tensor, "B N d"], seen: Lookback
    ) -> tuple[Float[Tensor, "B N d"], Float[Tensor, "B H N N"]]:
        """What attention adds to the stream, and its weights."""
        x = self.attention_norm(stream)
        queries, keys, values = (
            split_heads(self._map(name, x), self.shape.heads) for name in ("query", "key", "value")
        )
        weights = attention_weights(queries, keys, offsets(seen, self.relative))
        mixed = (weights @ values).transpose(-2, -3).flatten(-2)
        return self._map("output", mixed), weights

    def preactivations(self, stream: Float[Tensor, "B N d"]) -> Float[Tensor, "B N r"]:
        """What the hidden units act on, W_1 LN(y) + c_1."""
        return self._map("hidden_in", self.feedforward_norm(stream))

    def respond(self, preactivations: Float[Tensor, "B N r"]) -> Float[Tensor, "B N d"]:
        """What the hidden units add to the stream."""
        act = gelu if self.shape.activation == "gelu" else torch.relu
        return self._map("hidden_out", act(preactivations))

    def feed(self, stream: Float[Tensor, "B N d"]) -> Float[Tensor, "B N d"]:
        """The stream after the hidden units, if there are any."""
        if not self.shape.feedforward:
            return stream
        return stream + self.respond(self.preactivations(stream))

    def forward(self, stream: Float[Tensor, "B N d"], seen: Lookback) -> Float[Tensor, "B N d"]:
        """The stream after the block."""
        if self.shape.attention:
            stream = stream + self.attend(stream, seen)[0]
        return self.feed(stream)


EPSILON = 1e-5


class LayerNorm(nn.Module):
    """``(x - mean x)/sqrt(var x + 1e-5) * gain + shift``, mean and variance over the last axis.

    Written out, it is differentiable twice in both modes and under vmap.

    Args:
        width: length d of the last axis.
        shift: whether a shift is added.
        dtype: of the parameters `gain` [d] and `shift` [d].

    Source: Ba, Kiros and Hinton (arXiv 1607.06450).

    >>> LayerNorm(2, shift=True, dtype=torch.float64)(torch.tensor([[3.0, 1.0]])).round().tolist()
    [[1.0, -1.0]]
    """

    def __init__(self, width: int, *, shift: bool, dtype: torch.dtype) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width, dtype=dtype))
        self.shift = nn.Parameter(torch.zeros(width, dtype=dtype)) if shift else None

    def forward(self, x: Float[Tensor, "*rows d"]) -> Float[Tensor, "*rows d"]:
        """The normalised vectors."""
        centred = x - x.mean(-1, keepdim=True)
        variance = (centred * centred).mean(-1, keepdim=True)
        normal = centred * torch.rsqrt(variance + EPSILON) * self.gain
        return normal if self.shift is None else normal + self.shift
