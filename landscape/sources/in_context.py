"""A fresh kernel for every sequence: what can be learnt about it from the sequence itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from torch import Tensor

from landscape.sources.dirichlet import (
    binary_rate,
    follower_counts,
    sampled_rate,
    smoothed,
    symbol_counts,
)
from landscape.sources.kernels import check_size, concentration_of, start_law, whole_number
from landscape.sources.protocol import REFERENCES, Reference, SampledSource, known_reference
from landscape.sources.sampling import (
    all_contexts,
    context_index,
    continued_paths,
    symbols,
    thresholds,
    uniforms,
)

LARGEST_KERNEL = 2**12
"""Most numbers of a kernel: every sequence of a sample has one of its own."""

ROUNDINGS = 8
"""How many eps a start law may be off the uniform law and still count as uniform."""


@dataclass(frozen=True)
class InContext:
    """Chains of order k whose kernels are drawn anew, all rows independent Dirichlet(a, ..., a).

    The first k symbols are independent of the kernel, so that the posterior after any context is a
    Dirichlet law again. With ``n_{c,t}`` the number of times that t has followed c, the last k
    symbols, and ``n_t`` the number of times that t has come up, the predictors are::

        optimal  (a + n_{c,t}) / (S a + n_c)       the posterior mean; the start law for n < k
        bigram   (1 + n_{x_n,t}) / (S + n_{x_n})   in-context bigram, add-one
        unigram  (1 + n_t) / (S + n)               in-context unigram, add-one

    With k = 1 and a = 1 the bigram is optimal. A process of this kind is not stationary, so there
    is no lag covariance: x_1 knows nothing of the kernel and later symbols do.

    Args:
        states: number S of symbols, at least 2.
        concentration: a of the prior; 1 is uniform on kernels.
        order: memory k of each chain, at least 1.
        start: law of each of the first k symbols, S numbers; uniform unless given.

    Raises:
        ValueError: if an argument is out of range, or start is no law.

    Source: Edelman et al., *The evolution of statistical induction heads* (arXiv 2402.11004).

    >>> source = InContext(2)
    >>> source.next_law(3)[0].tolist()  # after 0 0 0: (1+2)/(2+2)
    [0.75, 0.25]
    """

    states: int = field()
    concentration: float = field()
    order: int = field()
    first: tuple[float, ...] | None = field()

    def __init__(
        self,
        states: int = 2,
        *,
        concentration: float = 1.0,
        order: int = 1,
        start: ArrayLike | None = None,
    ) -> None:
        object.__setattr__(self, "states", whole_number("states", states, 2))
        object.__setattr__(self, "concentration", concentration_of(concentration))
        object.__setattr__(self, "order", whole_number("order", order, 1))
        check_size(self.states, self.order, LARGEST_KERNEL)
        law = None if start is None else tuple(start_law(start, self.states).tolist())
        object.__setattr__(self, "first", law)

    @cached_property
    def stationary(self) -> Float[np.ndarray, " S"]:
        """Law of a single symbol far from the start: uniform, since the prior is symmetric."""
        return np.full(self.states, 1 / self.states)

    @cached_property
    def start(self) -> Float[np.ndarray, " S"]:
        """Law of each of the first k symbols."""
        return self.stationary if self.first is None else np.array(self.first)

    @property
    def starts_stationary(self) -> bool:
        """Whether every symbol is uniform, the first ones too: whether they start so."""
        distance = np.abs(self.start - self.stationary).max()
        return bool(distance <= ROUNDINGS * np.finfo(np.float64).eps)

    @property
    def degenerate(self) -> bool:
        """False: a chain with independent symbols has no chance under the prior."""
        return False

    @cached_property
    def unigram_entropy(self) -> float:
        """ln S in nats: the entropy of the uniform law, which answers pi without counting."""
        return math.log(self.states)

    @cached_property
    def _rate(self) -> tuple[float, float]:
        if (self.states, self.order) == (2, 1):
            return binary_rate(self.concentration), 0.0
        return sampled_rate(self.states, self.order, self.concentration)

    @property
    def entropy_rate(self) -> float:
        """Prior mean of the entropy rate of a chain, in nats: the least loss on long contexts.

        By quadrature for two states and k = 1, otherwise from a fixed sample of kernels.
        """
        return self._rate[0]

    @property
    def entropy_rate_error(self) -> float:
        """Standard error of `entropy_rate`, in nats; 0 for two states and k = 1."""
        return self._rate[1]

    def conditional_law(self, tokens: Int[Tensor, "*rows N"]) -> Float[Tensor, "*rows N S"]:
        """r = P(x_{n+1} | x_1..x_n) at every position: the posterior mean of the kernel's row."""
        counts = follower_counts(tokens, self.states, self.order)
        law = smoothed(counts, self.concentration)
        law[..., : self.order - 1, :] = torch.tensor(self.start, device=tokens.device)
        return law

    def predictor(
        self, reference: Reference, tokens: Int[Tensor, "*rows N"]
    ) -> Float[Tensor, "*rows N S"]:
        """What a predictor answers at every position; "optimal" is `conditional_law`."""
        if known_reference(reference) == "optimal":
            return self.conditional_law(tokens)
        counts = symbol_counts if reference == "unigram" else follower_counts
        return smoothed(counts(tokens, self.states), 1.0)

    def context_law(self, length: int) -> Float[np.ndarray, " contexts"]:
        """P(x_1..x_n) for all S^n contexts, lexicographic: the product of the laws r along them."""
        tokens = all_contexts(self.states, whole_number("length", length, 1))
        along = self.conditional_law(tokens)[:, :-1].gather(-1, tokens[:, 1:, None])[..., 0]
        return np.asarray((torch.tensor(self.start)[tokens[:, 0]] * along.prod(-1)).numpy())

    def next_law(self, length: int) -> Float[np.ndarray, "contexts states"]:
        """Conditional law r of the next symbol after each of those contexts."""
        return self.predictor_table("optimal", length)

    def predictor_table(
        self, reference: Reference, length: int
    ) -> Float[np.ndarray, "contexts states"]:
        """What a predictor answers after each of those contexts; "optimal" is `next_law`."""
        tokens = all_contexts(self.states, whole_number("length", length, 1))
        return np.asarray(self.predictor(reference, tokens)[:, -1].numpy())

    def loss_of(self, reference: Reference, length: int) -> float:
        """Mean over n = 1..N of a predictor's cross-entropy after x_1..x_n, in nats.

        Exact over all contexts where S^N <= 2^16; otherwise the mean over a fixed sample of
        sequences, with the conditional law as target, and `loss_error` its standard error.

        >>> round(InContext(2).loss_of("unigram", 1), 6), round(math.log(2), 6)  # after one symbol
        (0.752039, 0.693147)
        """
        return self._losses(length)[known_reference(reference)][0]

    def loss_error(self, reference: Reference, length: int) -> float:
        """Standard error of `loss_of` in nats; 0 where S^N <= 2^16."""
        return self._losses(length)[known_reference(reference)][1]

    def _losses(self, length: int) -> dict[Reference, tuple[float, float]]:
        return enumerated_losses(self, whole_number("length", length, 1))

    def sample(
        self, batch: int, length: int, generator: torch.Generator
    ) -> Int[Tensor, "{batch} {length}"]:
        """Draw sequences, each of a chain of its own; one uniform a symbol, no loop over time.

        All randomness is the generator's, the kernels' too; the tokens lie on its device.

        Raises:
            ValueError: if batch or length is less than 1.

        >>> InContext(3).sample(2, 5, torch.Generator().manual_seed(0)).shape
        torch.Size([2, 5])
        """
        if batch < 1 or length < 1:
            raise ValueError(f"batch={batch}, length={length}: both must be at least 1")
        kernels = self.kernels(batch, generator)
        return self.paths(uniforms(batch, length, generator), kernels)

    def kernels(
        self, batch: int, generator: torch.Generator
    ) -> Float[Tensor, "{batch} contexts states"]:
        """Kernels of the prior, one a sequence; the generator moves on by one number."""
        seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
        alpha = np.full(self.states, self.concentration)
        drawn = np.random.default_rng(seed).dirichlet(alpha, (batch, self.states**self.order))
        return torch.from_numpy(drawn).to(generator.device)

    def paths(
        self, u: Float[Tensor, "B N"], kernels: Float[Tensor, "B contexts states"]
    ) -> Int[Tensor, "B N"]:
        """The sequences that uniform draws of [0, 1) make, each with its own kernel."""
        start = thresholds(torch.tensor(self.start, device=u.device))
        opening = symbols(u[:, : self.order], start)
        if u.shape[1] <= self.order:
            return opening
        contexts = context_index(opening, self.states)
        later = continued_paths(u[:, self.order :], contexts, thresholds(kernels))
        return torch.cat([opening, later], dim=1)


LARGEST_EXACT = 2**16
"""Contexts that a loss is enumerated over at most."""

SYMBOLS, LEAST, SEED = 2**19, 64, 0
"""Symbols of the sample that estimates the others, in at least so many sequences, and its seed."""


@lru_cache(maxsize=64)
def enumerated_losses(source: SampledSource, length: int) -> dict[Reference, tuple[float, float]]:
    """Mean over n = 1..N of every predictor's cross-entropy to the law r, and its standard error.

    Exact, with error 0, where S^N <= 2^16; otherwise the mean over a fixed sample of sequences.
    In nats; the source is hashable.

    >>> from landscape.sources import BinaryMarkov
    >>> value, error = enumerated_losses(BinaryMarkov(0.5, 0.8), 3)["unigram"]
    >>> round(value, 5), error
    (0.66628, 0.0)
    """
    exact = source.states**length <= LARGEST_EXACT
    if exact:
        tokens = all_contexts(source.states, length)
        weights = torch.from_numpy(source.context_law(length))
    else:
        batch = max(LEAST, SYMBOLS // length)
        tokens = source.sample(batch, length, torch.Generator().manual_seed(SEED))
        weights = torch.full((batch,), 1 / batch, dtype=torch.float64)
    law = source.conditional_law(tokens)
    losses: dict[Reference, tuple[float, float]] = {}
    for reference in REFERENCES:
        by_path = -torch.xlogy(law, source.predictor(reference, tokens)).sum(-1).mean(-1)
        error = 0.0 if exact else float(by_path.std() / math.sqrt(len(tokens)))
        losses[reference] = float(weights @ by_path), error
    return losses
