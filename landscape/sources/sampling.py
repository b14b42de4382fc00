"""Paths of chains from uniform draws, without a loop over time.

A uniform draw u fixes a whole map of contexts, ``F_u(c)``: the context after c when the next symbol
is the inverse of the distribution function at u. A path is ``F_{u_n}(... F_{u_1}(c_0))``, and the
compositions of all prefixes come out of log2 N rounds of doubling (a parallel prefix scan).

Source: Hillis and Steele, *Data parallel algorithms*, CACM 29 (1986).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def thresholds(law: Float[Tensor, "*rows S"]) -> Float[Tensor, "*rows tails"]:
    """P(x >= t) for t = 1..S-1: the symbol of a draw u of [0, 1) is how many of these exceed u.

    Of two states that is ``x = 1{u < P(1)}``, as in `BinaryMarkov`. A sum of zeros adds nothing, so
    a symbol of probability 0 has an empty interval; below the least symbol that has a chance the
    threshold is 1 itself and not a rounded sum.

    >>> thresholds(torch.tensor([0.0, 0.5, 0.0, 0.5]).double()).tolist()
    [1.0, 0.5, 0.5]
    """
    tails = law.flip(-1).cumsum(-1).flip(-1)[..., 1:]
    nothing_below = (law > 0).cumsum(-1)[..., :-1] == 0
    return torch.where(nothing_below, 1.0, tails)


def symbols(u: Float[Tensor, "*rows"], tails: Float[Tensor, "... tails"]) -> Int[Tensor, "..."]:
    """The symbol that each draw gives under the thresholds P(x >= t) beside it.

    >>> symbols(torch.tensor([0.1, 0.6, 0.99]), torch.tensor([0.75, 0.5])).tolist()
    [2, 1, 0]
    """
    return (u[..., None] < tails).sum(-1)


def compose(maps: Int[Tensor, "B N C"]) -> Int[Tensor, "B N C"]:
    """All prefixes ``F_n o ... o F_1`` of N maps of the numbers 0..C-1, each by its C values.

    >>> compose(torch.tensor([[[1, 2, 0], [1, 2, 0], [0, 0, 0]]])).tolist()
    [[[1, 2, 0], [2, 0, 1], [0, 0, 0]]]
    """
    shift = 1
    while shift < maps.shape[1]:
        later = maps[:, shift:].gather(-1, maps[:, :-shift])
        maps = torch.cat([maps[:, :shift], later], dim=1)
        shift *= 2
    return maps


def continued_paths(
    u: Float[Tensor, "B N"], contexts: Int[Tensor, " B"], tails: Float[Tensor, "kernels C tails"]
) -> Int[Tensor, "B N"]:
    """The N symbols that follow the context of each row, one draw a symbol.

    Args:
        u: uniform draws of [0, 1).
        contexts: number of the last k symbols of each row, below C = S^k.
        tails: `thresholds` of the kernel; one kernel for all rows, or one a row.

    >>> tails = torch.tensor([[[0.2], [0.7]]]).double()
    >>> u = torch.tensor([[0.1, 0.6, 0.8]]).double()
    >>> continued_paths(u, torch.tensor([0]), tails).tolist()
    [[1, 1, 0]]
    """
    size, states = tails.shape[1], tails.shape[2] + 1
    drawn = symbols(u[:, :, None], tails[:, None])
    maps = (torch.arange(size, device=u.device) * states + drawn) % size
    start = contexts[:, None, None].expand(-1, maps.shape[1], 1)
    return compose(maps).gather(-1, start)[..., 0] % states


def uniforms(
    batch: int, length: int, generator: torch.Generator
) -> Float[Tensor, "{batch} {length}"]:
    """The uniform draws of [0, 1) behind `batch` sequences: one a symbol, in float64."""
    device = generator.device
    return torch.rand(batch, length, generator=generator, dtype=torch.float64, device=device)


def binary_paths(
    u: Float[Tensor, "chains B N"],
    kernels: Float[Tensor, "chains 2 2"],
    ones: Float[Tensor, " chains"],
) -> Int[Tensor, "chains B N"]:
    """The paths of many chains at once, each from its own uniform draws; no loop over time.

    A chain's paths depend on its own draws alone; `BinaryMarkov.paths` says how.

    Args:
        u: uniform draws of [0, 1).
        kernels: transition matrices P[s, t], one a chain.
        ones: stationary probability of the symbol 1, one a chain.

    >>> u = torch.tensor([[[0.3, 0.9, 0.6]], [[0.6, 0.6, 0.6]]], dtype=torch.float64)
    >>> kernels = torch.tensor([[[0.8, 0.2], [0.3, 0.7]], [[0.1, 0.9], [0.9, 0.1]]]).double()
    >>> binary_paths(u, kernels, torch.tensor([0.4, 0.5]).double()).tolist()
    [[[1, 0, 0]], [[0, 1, 0]]]
    """
    from_zero, from_one = kernels[:, 0, 1, None, None], kernels[:, 1, 1, None, None]
    one = u < torch.minimum(from_zero, from_one)
    between = ~one & (u < torch.maximum(from_zero, from_one))
    one[..., 0] = u[..., 0] < ones[:, None]  # x_1 follows the stationary law
    between[..., 0] = False
    index = torch.arange(u.shape[-1], device=u.device)
    reset = torch.where(between, 0, index).cummax(dim=-1).values
    # in between, a chain with from_zero > from_one flips its symbol, another keeps it
    flips = (between & (from_zero > from_one)).cumsum(dim=-1)
    odd = (flips - flips.gather(-1, reset)) % 2 == 1
    return (one.gather(-1, reset) ^ odd).long()


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
