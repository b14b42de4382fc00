"""Sources of finite memory: every law, loss and sample from one kernel on the last k symbols."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.special import xlogy
from torch import Tensor

from landscape.sources.kernels import context_matrix, stationary_contexts, whole_number
from landscape.sources.protocol import Reference, known_reference
from landscape.sources.sampling import context_index, continued_paths, symbols, thresholds, uniforms

ROUNDINGS = 8
"""How many eps a start law may be off the stationary law and still count as stationary."""


class FiniteMemory(ABC):
    """A source whose next symbol depends on its last k: ``K[c, t] = P(t | context c)``.

    Its laws and losses follow from the kernel; it is drawn without a loop over time, and known
    along what was drawn.

    A context is the number of its k symbols in base S, the oldest slowest. A subclass names its
    `kernel`, and whatever it knows better than the general formula.
    """

    first: tuple[float, ...] | None = None
    """Law of the first k symbols as it was given; None starts at stationarity."""

    @property
    @abstractmethod
    def kernel(self) -> Float[np.ndarray, "C S"]:
        """K[c, t] = P(x_{n+1}=t | the last k symbols are the context c), C = S^k."""

    @cached_property
    def states(self) -> int:
        """Number S of symbols."""
        return int(self.kernel.shape[1])

    @cached_property
    def order(self) -> int:
        """Memory k: how many symbols back the next one may look."""
        return round(math.log(len(self.kernel), self.states))

    @cached_property
    def stationary_contexts(self) -> Float[np.ndarray, " C"]:
        """Stationary law of k symbols in a row."""
        return stationary_contexts(self.kernel)

    @cached_property
    def stationary(self) -> Float[np.ndarray, " S"]:
        """Stationary law pi of a single symbol."""
        return np.asarray(self.stationary_contexts.reshape(-1, self.states).sum(0))

    @cached_property
    def start(self) -> Float[np.ndarray, " C"]:
        """Law of the first k symbols."""
        return self.stationary_contexts if self.first is None else np.array(self.first)

    @cached_property
    def starts_stationary(self) -> bool:
        """Whether the first k symbols have the stationary law, to within 8 eps if one was given."""
        if self.first is None:
            return True
        distance = np.abs(self.start - self.stationary_contexts).max()
        return bool(distance <= ROUNDINGS * np.finfo(np.float64).eps)

    @property
    def degenerate(self) -> bool:
        """Whether all rows of the kernel are one: independent symbols, and H_b = H_u."""
        return bool((self.kernel == self.kernel[0]).all())

    @cached_property
    def bigram(self) -> Float[np.ndarray, "S S"]:
        """P(x_{n+1}=t | x_n=s) at stationarity: the kernel of a first-order chain."""
        if self.order == 1:
            return self.kernel
        joint = (self.stationary_contexts[:, None] * self.kernel).reshape(-1, *2 * (self.states,))
        pairs = joint.sum(0)
        return np.asarray(pairs / pairs.sum(1, keepdims=True))

    @cached_property
    def entropy_rate(self) -> float:
        """-sum_c pi_c sum_t K[c,t] ln K[c,t] in nats; the bigram loss H_b of a first-order chain.

        The least loss after k symbols or more. What can be reached on contexts of lengths 1..N is
        ``loss_of("optimal", N)``, and with more memory than one that is larger.
        """
        return float(-(self.stationary_contexts[:, None] * xlogy(self.kernel, self.kernel)).sum())

    @cached_property
    def unigram_entropy(self) -> float:
        """Unigram loss H_u = -sum_s pi_s ln pi_s, in nats."""
        return float(-xlogy(self.stationary, self.stationary).sum())

    def opening_law(self, length: int) -> Float[np.ndarray, " contexts"]:
        """P(x_1..x_n) for n up to k, the last symbol fastest: a marginal of the start law."""
        return np.asarray(self.start.reshape(self.states**length, -1).sum(1))

    def context_law(self, length: int) -> Float[np.ndarray, " contexts"]:
        """P(x_1..x_n) for all S^n contexts of the given length n, last symbol fastest."""
        known = min(whole_number("length", length, 1), self.order)
        law = self.opening_law(known)
        for _ in range(length - known):
            law = (law.reshape(-1, *self.kernel.shape[:1], 1) * self.kernel).reshape(-1)
        return law

    def next_law(self, length: int) -> Float[np.ndarray, "contexts states"]:
        """r = P(x_{n+1} | x_1..x_n) for those contexts: the kernel's row of the last k symbols.

        Before there are k, the conditional of the start law; after what cannot happen, pi.
        """
        if whole_number("length", length, 1) >= self.order:
            return np.tile(self.kernel, (self.states ** (length - self.order), 1))
        joint = self.opening_law(length + 1).reshape(-1, self.states)
        chance = joint.sum(1, keepdims=True)
        return np.where(chance > 0, joint / np.where(chance > 0, chance, 1), self.stationary)

    def predictor_table(
        self, reference: Reference, length: int
    ) -> Float[np.ndarray, "contexts states"]:
        """What a predictor answers after each of those contexts; "optimal" is `next_law`."""
        if known_reference(reference) == "optimal":
            return self.next_law(length)
        whole_number("length", length, 1)
        if reference == "unigram":
            return np.tile(self.stationary, (self.states**length, 1))
        return np.tile(self.bigram, (self.states ** (length - 1), 1))

    def joints(self, length: int) -> Iterator[Float[np.ndarray, "memory S"]]:
        """P(memory, x_{n+1}) for n = 1..N, where memory is the last min(n, k) symbols."""
        for n in range(1, min(self.order, length + 1)):
            yield self.opening_law(n + 1).reshape(-1, self.states)
        law = self.start
        for _ in range(self.order, length + 1):
            joint = law[:, None] * self.kernel
            yield joint
            law = joint.reshape(self.states, -1).sum(0)  # the oldest symbol is forgotten

    def loss_of(self, reference: Reference, length: int) -> float:
        """Mean over n = 1..N of a predictor's cross-entropy after x_1..x_n, in nats.

        "optimal" is the floor, mean_n H(x_{n+1} | x_1..x_n); "unigram" always answers pi, "bigram"
        `bigram`. No context is enumerated beyond the memory. Infinite where a predictor
        excludes what happens.

        >>> from landscape.sources import BinaryMarkov, LagMarkov
        >>> lag = LagMarkov(BinaryMarkov(0.2, 0.3), 2)
        >>> round(lag.loss_of("optimal", 8), 5), round(lag.entropy_rate, 5)
        (0.56064, 0.54459)
        """
        known_reference(reference)
        whole_number("length", length, 1)
        if not self.starts_stationary:
            return sum(self._cost(reference, joint) for joint in self.joints(length)) / length
        if reference == "unigram":
            return self.unigram_entropy
        if reference == "bigram":
            return float(-(self.stationary[:, None] * xlogy(self.bigram, self.bigram)).sum())
        early = [
            self._cost("optimal", joint) for joint in islice(self.joints(length), self.order - 1)
        ]
        return self.entropy_rate + sum(cost - self.entropy_rate for cost in early) / length

    def loss_error(self, reference: Reference, length: int) -> float:
        """Standard error of `loss_of`: 0, it is exact."""
        return 0.0

    def _cost(self, reference: Reference, joint: Float[np.ndarray, "memory S"]) -> float:
        if reference == "optimal":
            return float(xlogy(rows := joint.sum(1), rows).sum() - xlogy(joint, joint).sum())
        pairs = joint.reshape(-1, *2 * (self.states,)).sum(0)
        answer = self.bigram if reference == "bigram" else np.tile(self.stationary, (len(pairs), 1))
        return float(-xlogy(pairs, answer).sum())

    def lag_covariance(self, lag: int) -> Float[np.ndarray, "S S"]:
        """C_k[t, s] = Cov(1{x_i=t}, 1{x_{i+k}=s}) at stationarity.

        Of a first-order chain that is diag(pi) P^k - pi pi^T.

        Raises:
            ValueError: if lag is negative.
        """
        if lag < 0:
            raise ValueError(f"lag={lag} is negative; give a lag of at least 0")
        power = np.linalg.matrix_power(context_matrix(self.kernel), lag)
        ends = np.tile(np.eye(self.states), (len(self.kernel) // self.states, 1))
        joint = (ends.T * self.stationary_contexts) @ power @ ends
        return np.asarray(joint - np.outer(self.stationary, self.stationary))

    def sample(
        self, batch: int, length: int, generator: torch.Generator
    ) -> Int[Tensor, "{batch} {length}"]:
        """Draw sequences from the start law on: one uniform a symbol, no loop over time.

        A symbol is the inverse of its distribution function at its draw (`thresholds`); `compose`
        strings the steps together.

        Args:
            batch: number of independent sequences.
            length: symbols per sequence.
            generator: source of all randomness; the global state is not touched.

        Returns:
            int64 tokens, on the generator's device.

        Raises:
            ValueError: if batch or length is less than 1.

        >>> from landscape.sources import SwitchingMarkov
        >>> SwitchingMarkov(5, 0.1).sample(2, 7, torch.Generator().manual_seed(0)).shape
        torch.Size([2, 7])
        """
        if batch < 1 or length < 1:
            raise ValueError(f"batch={batch}, length={length}: both must be at least 1")
        return self.paths(uniforms(batch, length, generator))

    def paths(self, u: Float[Tensor, "B N"]) -> Int[Tensor, "B N"]:
        """The sequences that uniform draws of [0, 1) make, a symbol a draw."""
        tokens = u.new_zeros(len(u), 0, dtype=torch.int64)
        for n in range(min(self.order, u.shape[1])):  # over the order, not over time
            law = self.next_law(n) if n else self.opening_law(1)[None]
            tails = thresholds(torch.tensor(law, device=u.device))[
                context_index(tokens, self.states)
            ]
            tokens = torch.cat([tokens, symbols(u[:, n], tails)[:, None]], dim=1)
        if u.shape[1] <= self.order:
            return tokens
        tails = thresholds(torch.tensor(self.kernel, device=u.device))
        contexts = context_index(tokens, self.states)
        return torch.cat(
            [tokens, continued_paths(u[:, self.order :], contexts, tails[None])], dim=1
        )

    def conditional_law(self, tokens: Int[Tensor, "*rows N"]) -> Float[Tensor, "*rows N S"]:
        """r = P(x_{n+1} | x_1..x_n) at every position: the kernel's row of the last k symbols.

        >>> from landscape.sources import Markov
        >>> Markov([[0.5, 0.5], [0.75, 0.25]]).conditional_law(torch.tensor([[0, 1]])).tolist()
        [[[0.5, 0.5], [0.75, 0.25]]]
        """
        k, length = self.order, tokens.shape[-1]
        laws = []
        for n in range(1, min(k, length + 1)):
            early = torch.tensor(self.next_law(n), device=tokens.device)
            laws.append(early[context_index(tokens[..., :n], self.states)][..., None, :])
        if length >= k:
            contexts = context_index(tokens.unfold(-1, k, 1), self.states)
            laws.append(torch.tensor(self.kernel, device=tokens.device)[contexts])
        return torch.cat(laws, dim=-2)

    def predictor(
        self, reference: Reference, tokens: Int[Tensor, "*rows N"]
    ) -> Float[Tensor, "*rows N S"]:
        """What a predictor answers at every position; "optimal" is `conditional_law`."""
        if known_reference(reference) == "optimal":
            return self.conditional_law(tokens)
        if reference == "bigram":
            return torch.tensor(self.bigram, device=tokens.device)[tokens]
        pi = torch.tensor(self.stationary, device=tokens.device)
        return pi.expand(*tokens.shape, self.states)


@dataclass(frozen=True)
class KernelTable(FiniteMemory):
    """A kernel on contexts and the law of the first k symbols, checked by the subclass.

    Two of them are equal where every number is.
    """

    rows: tuple[tuple[float, ...], ...] = field()
    first: tuple[float, ...] | None = None

    @cached_property
    def kernel(self) -> Float[np.ndarray, "C S"]:
        """K[c, t] = P(x_{n+1}=t | the last k symbols are the context c), C = S^k."""
        return np.array(self.rows)
