"""The entropy rate of a random kernel with Dirichlet rows, averaged over the prior."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.special import digamma, expit, log_expit, xlogy
from torch import Tensor

from landscape.sources.kernels import context_matrix, irreducible_law
from landscape.sources.sampling import context_index

STEP, REACH = 0.25, 90.0
"""Step and range of the sum over log-odds: what they leave out is below rounding."""

DRAWS, ENTRIES, SEED = 2**13, 2**24, 0
"""Kernels of the Monte Carlo estimate; numbers in all their matrices, at most; the seed."""

LEAST = 1e-12
"""What no probability of a drawn kernel is below, so that elimination neither over- nor underflows;
a row that this changes has an entropy below 3e-11 S."""


def binary_rate(concentration: float) -> float:
    """E H_b of a binary first-order chain with p, q ~ Beta(a, a), in nats, to about 1e-14.

    By symmetry ``E H_b = 2 E[q h(p)/(p+q)]``. In the log-odds of p and q the integrand is analytic
    in a strip of half-width pi and falls exponentially, so that the trapezoidal sum converges like
    exp(-2 pi^2/step) times a power. Where q or 1-q is below rounding the density is exponential,
    and the rest of the sum a geometric series: small concentrations reach far out.

    Source: Trefethen and Weideman, *The exponentially convergent trapezoidal rule*, SIAM Review 56
    (2014).

    >>> round(binary_rate(1.0), 6)
    0.480889
    """
    a = concentration
    step = min(STEP, math.sqrt(2 / a) / 2.5)  # a large one is a narrow normal
    reach = min(REACH, 2 * math.log(2) + 42 / a)
    x = step * np.arange(-math.ceil(reach / step), math.ceil(reach / step) + 1)
    log_weight = a * (log_expit(x) + log_expit(-x))
    weight = np.exp(log_weight - log_weight.max())
    weight[[0, -1]] /= -math.expm1(-a * step)
    weight /= weight.sum()
    entropy = -expit(x) * log_expit(x) - expit(-x) * log_expit(-x)
    share = expit(np.subtract.outer(-log_expit(x), -log_expit(x)))  # q/(p+q), [p, q]
    return float(2 * (weight * entropy) @ share @ weight)


def sampled_rate(states: int, order: int, concentration: float) -> tuple[float, float]:
    """E H_b of kernels on S^k contexts with Dirichlet(a, ..., a) rows, and its standard error.

    A fixed sample of kernels; the mean entropy of a row is known,
    ``psi(S a + 1) - psi(a + 1)``, and only the difference from it is estimated.

    >>> rate, error = sampled_rate(3, 1, 1.0)
    >>> 0.79 < rate < 0.83, 0 < error < 0.001
    (True, True)
    """
    generator = np.random.default_rng(SEED)
    size = states**order
    draws = max(2, min(DRAWS, ENTRIES // size**2))
    kernels = generator.dirichlet(np.full(states, concentration), size=(draws, size))
    kernels = np.maximum(kernels, LEAST)
    matrices = np.stack([context_matrix(kernel) for kernel in kernels])
    rows = -xlogy(kernels, kernels).sum(-1)
    differences = (irreducible_law(matrices) * rows).sum(-1) - rows.mean(-1)
    known = float(digamma(states * concentration + 1) - digamma(concentration + 1))
    return known + float(differences.mean()), float(differences.std(ddof=1) / math.sqrt(draws))


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
