"""Contexts and their numbers: n symbols read as digits in base S, the oldest slowest."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor


def context_index(tokens: Int[Tensor, "*rows n"], states: int) -> Int[Tensor, "*rows"]:
    """Place of each row of n symbols among the S^n contexts in lexicographic order.

    >>> context_index(torch.tensor([[0, 2], [2, 1]]), 3).tolist()
    [2, 7]
    """
    places = states ** torch.arange(tokens.shape[-1] - 1, -1, -1, device=tokens.device)
    return (tokens * places).sum(-1)


def all_contexts(states: int, length: int) -> Int[Tensor, "contexts {length}"]:
    """The S^n contexts of length n in lexicographic order: `context_index` backwards.

    >>> all_contexts(2, 2).tolist()
    [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    places = states ** torch.arange(length - 1, -1, -1)
    return torch.arange(states**length)[:, None] // places % states
