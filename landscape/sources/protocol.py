"""What the rest of the package asks of a source of symbols."""

from decimal import Decimal
from fractions import Fraction
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

Exact = Decimal | Fraction
"""A probability as it was written: a decimal, or a fraction that is none, such as 1/3."""

Reference = Literal["unigram", "bigram", "optimal"]
REFERENCES: tuple[Reference, ...] = ("unigram", "bigram", "optimal")
"""Predictors that a model is held against, for a source of one kernel:

"unigram" answers the stationary law pi, "bigram" P(x_{n+1} | x_n), "optimal" P(x_{n+1} | x_1..x_n).
For a first-order chain the last two are one. A source that draws a kernel for each sequence answers
the first two from the counts of the context.
"""


def known_reference(name: str) -> Reference:
    """A reference by its name.

    Raises:
        ValueError: for any other name.

    >>> known_reference("optimal")
    'optimal'
    """
    for reference in REFERENCES:
        if name == reference:
            return reference
    raise ValueError(f"reference={name!r} is unknown; give 'unigram', 'bigram' or 'optimal'")


@runtime_checkable
class MarkovSource(Protocol):
    """What an objective needs to know of a source of symbols 0..S-1."""

    @property
    def states(self) -> int:
        """Number S of symbols."""

    @property
    def stationary(self) -> Float[np.ndarray, " S"]:
        """Law pi of a single symbol, far from the start."""

    @property
    def starts_stationary(self) -> bool:
        """Whether every symbol has the law pi, the first one too."""

    @property
    def entropy_rate(self) -> float:
        """Least loss after long contexts, in nats; H_b of a first-order chain."""

    @property
    def degenerate(self) -> bool:
        """Whether the symbols are independent, so that H_b = H_u; decided without rounding."""

    @property
    def unigram_entropy(self) -> float:
        """Entropy H_u of pi in nats."""

    def loss_of(self, reference: Reference, length: int) -> float:
        """Population loss of a predictor over contexts of lengths 1..N, in nats.

        Of "optimal" that is the floor, mean_n H(x_{n+1} | x_1..x_n): the entropy rate only if one
        symbol is all that the source remembers.
        """

    def loss_error(self, reference: Reference, length: int) -> float:
        """Standard error of `loss_of` in nats; 0 where that is exact."""

    def context_law(self, length: int) -> Float[np.ndarray, " contexts"]:
        """Probability of each of the S^length contexts, in lexicographic order."""

    def next_law(self, length: int) -> Float[np.ndarray, "contexts states"]:
        """Conditional law r of the next symbol after each of those contexts."""

    def predictor_table(
        self, reference: Reference, length: int
    ) -> Float[np.ndarray, "contexts states"]:
        """What a predictor answers after each of those contexts; "optimal" is `next_law`."""


@runtime_checkable
class SampledSource(MarkovSource, Protocol):
    """A source that can also be drawn from, and that knows its law along what was drawn."""

    def sample(
        self, batch: int, length: int, generator: torch.Generator
    ) -> Int[Tensor, "{batch} {length}"]:
        """Independent sequences, one a row; all randomness is the generator's."""

    def conditional_law(self, tokens: Int[Tensor, "*rows N"]) -> Float[Tensor, "*rows N S"]:
        """r = P(x_{n+1} | x_1..x_n) at every position n of every sequence, in float64."""

    def predictor(
        self, reference: Reference, tokens: Int[Tensor, "*rows N"]
    ) -> Float[Tensor, "*rows N S"]:
        """What a predictor answers at every position; "optimal" is `conditional_law`."""


@runtime_checkable
class TwoState(Protocol):
    """The first-order chain on {0, 1} started at stationarity, for which there are closed forms.

    Whatever source has these names is taken to be that chain.
    """

    @property
    def p(self) -> Exact:
        """P(1|0), as it was written."""

    @property
    def q(self) -> Exact:
        """P(0|1), likewise."""

    @property
    def degenerate(self) -> bool:
        """Whether p+q = 1, decided without rounding."""

    @property
    def log_odds(self) -> float:
        """ln(pi1/pi0) = ln(p/q), the unigram logit in nats."""
