"""Sources of finite memory: drawn without a loop over time, and known along what was drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from landscape.sources.memory_law import MemoryLaw
from landscape.sources.protocol import Reference, known_reference
from landscape.sources.sampling import context_index, continued_paths, symbols, thresholds, uniforms


class FiniteMemory(MemoryLaw):
    """A source whose next symbol depends on its last k: its laws, its samples, its predictors."""

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
