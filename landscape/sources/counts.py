"""How often each symbol has been seen so far, and how often after the present context."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from landscape.sources.contexts import context_index


def symbol_counts(tokens: Int[Tensor, "*rows N"], states: int) -> Float[Tensor, "*rows N S"]:
    """n_t: how many of x_1..x_n are t, for every n.

    >>> symbol_counts(torch.tensor([0, 1, 1]), 2).tolist()
    [[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]
    """
    return torch.nn.functional.one_hot(tokens, states).double().cumsum(-2)


def follower_counts(
    tokens: Int[Tensor, "*rows N"], states: int, order: int = 1
) -> Float[Tensor, "*rows N S"]:
    """n_{c,t}: how often t has followed c in x_1..x_n, where c are the k symbols up to x_n.

    No loop over time: sorted by context, the positions of each follow one another in time, and
    running sums count what followed. Zeros for n < k.

    >>> follower_counts(torch.tensor([0, 1, 0, 0, 1]), 2).tolist()
    [[0.0, 0.0], [0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]]
    """
    counts = torch.zeros(*tokens.shape, states, dtype=torch.float64, device=tokens.device)
    if tokens.shape[-1] <= order:
        return counts
    contexts = context_index(tokens.unfold(-1, order, 1), states)
    grouped, place = contexts.sort(dim=-1, stable=True)
    followers = torch.nn.functional.one_hot(tokens[..., order:], states).double()
    followers = torch.nn.functional.pad(followers, (0, 0, 0, 1))  # nothing follows x_N yet
    columns = place[..., None].expand_as(followers)
    followers = followers.gather(-2, columns)
    before = followers.cumsum(-2) - followers
    index = torch.arange(grouped.shape[-1], device=tokens.device)
    begins = torch.nn.functional.pad(grouped[..., 1:] != grouped[..., :-1], (1, 0), value=True)
    first = torch.where(begins, index, 0).cummax(-1).values
    within = before - before.gather(-2, first[..., None].expand_as(before))
    counts[..., order - 1 :, :] = torch.empty_like(within).scatter_(-2, columns, within)
    return counts


def smoothed(counts: Float[Tensor, "*rows S"], alpha: float) -> Float[Tensor, "*rows S"]:
    """(alpha + n_t) / (S alpha + n): the posterior mean of a Dirichlet(alpha, ..., alpha) law.

    >>> smoothed(torch.tensor([3.0, 0.0]), 0.5).tolist()
    [0.875, 0.125]
    """
    return (alpha + counts) / (counts.shape[-1] * alpha + counts.sum(-1, keepdim=True))
