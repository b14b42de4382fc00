"""Chains that look k symbols back and at nothing in between: k interleaved first-order chains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from landscape.sources.finite_memory import FiniteMemory
from landscape.sources.kernels import whole_number
from landscape.sources.markov import Markov, binary_chain


@dataclass(frozen=True)
class LagMarkov(FiniteMemory):
    """x_{n+1} depends on x_{n+1-k} alone, by the kernel of a first-order chain.

    Symbols k apart are a path of that chain, and its k interleaved paths are independent: with
    k > 1 the best bigram predictor is the unigram, ``C_j = 0`` unless k divides j, and the first k
    symbols are k independent draws of the chain's start law. Lag 1 is the chain itself.

    Args:
        chain: a first-order source: `BinaryMarkov`, `Markov` or `SwitchingMarkov`.
        lag: k, at least 1.

    Raises:
        ValueError: if lag is below 1 or the chain is of a higher order.

    Source: what the reference code of *Attention with Markov* (arXiv 2402.04161) calls order k.

    >>> from landscape.sources import BinaryMarkov
    >>> LagMarkov(BinaryMarkov(0.2, 0.3), 2).lag_covariance(1).tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """

    chain: FiniteMemory = field()
    lag: int = field()

    def __init__(self, chain: FiniteMemory, lag: int) -> None:
        if chain.order != 1:
            raise ValueError(
                f"chain is of order {chain.order}; give a first-order one: BinaryMarkov, Markov or "
                f"SwitchingMarkov"
            )
        object.__setattr__(self, "chain", chain)
        object.__setattr__(self, "lag", whole_number("lag", lag, 1))

    @classmethod
    def from_settings(cls, *, order: int = 1, **chain: Any) -> LagMarkov:
        """The source that a configuration describes: of the chain (p, q), or of a kernel.

        >>> LagMarkov.from_settings(order=2, p="0.2", q="0.3").entropy_rate.__round__(5)
        0.54459
        """
        return cls((binary_chain if "p" in chain else Markov.from_settings)(**chain), order)

    @property
    def degenerate(self) -> bool:
        """Whether the symbols are independent: whether the chain's are."""
        return self.chain.degenerate

    @cached_property
    def states(self) -> int:
        """Number S of symbols."""
        return self.chain.states

    @cached_property
    def order(self) -> int:
        """Memory: the lag k."""
        return self.lag

    @cached_property
    def kernel(self) -> Float[np.ndarray, "C S"]:
        """The chain's row of the oldest symbol, for all S^k contexts."""
        return np.repeat(self.chain.kernel, self.states ** (self.lag - 1), axis=0)

    @cached_property
    def stationary_contexts(self) -> Float[np.ndarray, " C"]:
        """Stationary law of k symbols in a row: independent ones, also where others exist."""
        return reduce(np.kron, [self.chain.stationary_contexts] * self.lag)

    @cached_property
    def stationary(self) -> Float[np.ndarray, " S"]:
        """Stationary law pi of a single symbol, the chain's."""
        return self.chain.stationary

    @cached_property
    def start(self) -> Float[np.ndarray, " C"]:
        """Law of the first k symbols: independent draws of the chain's start law."""
        return self.opening_law(self.lag)

    @cached_property
    def starts_stationary(self) -> bool:
        """Whether the chain does."""
        return self.chain.starts_stationary

    @cached_property
    def bigram(self) -> Float[np.ndarray, "S S"]:
        """P(x_{n+1}=t | x_n=s) at stationarity: pi_t, unless the lag is 1."""
        if self.lag == 1:
            return self.chain.kernel
        return np.tile(self.stationary, (self.states, 1))

    @cached_property
    def entropy_rate(self) -> float:
        """Entropy rate of the chain, in nats; for k > 1 below the bigram loss, which is H_u."""
        return self.chain.entropy_rate

    def opening_law(self, length: int) -> Float[np.ndarray, " contexts"]:
        """P(x_1..x_n) for n up to k: a product."""
        return reduce(np.kron, [self.chain.start] * length)

    def joints(self, length: int) -> Iterator[Float[np.ndarray, "memory S"]]:
        """P(memory, x_{n+1}) for n = 1..N, where memory is x_{n+1-k}; before it exists, x_n."""
        law = self.chain.start
        for n in range(1, length + 1):
            if n < self.lag:
                yield np.outer(law, law)
            else:
                yield law[:, None] * self.chain.kernel
            if (n + 1) % self.lag == 0 and n >= self.lag:
                law = law @ self.chain.kernel

    def lag_covariance(self, lag: int) -> Float[np.ndarray, "S S"]:
        """C_j of the chain at j/k where k divides the lag j, 0 elsewhere.

        Raises:
            ValueError: if lag is negative.
        """
        if lag % self.lag:
            return np.zeros((self.states, self.states))
        return self.chain.lag_covariance(lag // self.lag)

    def paths(self, u: Float[Tensor, "B N"]) -> Int[Tensor, "B N"]:
        """The sequences that uniform draws make: every k-th one drives one chain."""
        batch, length = u.shape
        steps = -(-length // self.lag)
        padded = torch.nn.functional.pad(u, (0, steps * self.lag - length))
        own = padded.reshape(batch, steps, self.lag).transpose(1, 2).reshape(-1, steps)
        tokens = self.chain.paths(own).reshape(batch, self.lag, steps).transpose(1, 2)
        return tokens.reshape(batch, -1)[:, :length]

    def conditional_law(self, tokens: Int[Tensor, "*rows N"]) -> Float[Tensor, "*rows N S"]:
        """r = P(x_{n+1} | x_1..x_n): the chain's row of x_{n+1-k}; its start law before that."""
        early = min(self.lag - 1, tokens.shape[-1])
        start = torch.tensor(self.chain.start, device=tokens.device)
        kernel = torch.tensor(self.chain.kernel, device=tokens.device)
        opening = start.expand(*tokens.shape[:-1], early, self.states)
        return torch.cat([opening, kernel[tokens[..., : tokens.shape[-1] - early]]], dim=-2)
