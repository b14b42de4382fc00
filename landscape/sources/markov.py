"""First-order chains on S states: any irreducible kernel, and the switching chain."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from landscape.sources.binary import BinaryMarkov, probability
from landscape.sources.finite_memory import FiniteMemory, KernelTable
from landscape.sources.kernels import (
    check_size,
    dirichlet_rows,
    kernel_file,
    square_kernel,
    start_law,
    whole_number,
)
from landscape.sources.protocol import Exact


@dataclass(frozen=True)
class Markov(KernelTable):
    """First-order chain of any irreducible kernel ``P[s, t] = P(x_{n+1}=t | x_n=s)``.

    Args:
        kernel: S rows of S numbers, zeros allowed, periodic or not; rows are divided by their sums.
        start: law of x_1, S numbers; the stationary law unless given.

    Raises:
        ValueError: if the kernel is not square, S < 2, an entry is no probability, a row does not
            sum to 1 within 8 eps S, or a state cannot be reached from another; if start is no law.

    Source: MATH section 1; the S-state chains of *Attention with Markov* (arXiv 2402.04161).

    >>> Markov([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.5, 0.5, 0.0]]).stationary.tolist()
    [0.2, 0.4, 0.4]
    """

    def __init__(self, kernel: ArrayLike, *, start: ArrayLike | None = None) -> None:
        rows = square_kernel(kernel)
        law = None if start is None else tuple(start_law(start, len(rows)).tolist())
        object.__setattr__(self, "rows", tuple(map(tuple, rows.tolist())))
        object.__setattr__(self, "first", law)

    @classmethod
    def from_file(cls, path: str | Path, *, start: ArrayLike | None = None) -> Markov:
        """The chain whose kernel stands in a .npy file, or in a .csv file without a header.

        Raises:
            ValueError: if the file cannot be read, or holds no such kernel.
        """
        return cls(kernel_file(path), start=start)

    @classmethod
    def dirichlet(cls, states: int, *, concentration: float = 1.0, seed: int) -> Markov:
        """A chain whose rows are independent draws of Dirichlet(a, ..., a); a = 1 is uniform.

        >>> Markov.dirichlet(3, seed=0) == Markov.dirichlet(3, seed=0)
        True
        """
        states = whole_number("states", states, 2)
        check_size(states, 1)
        return cls(dirichlet_rows(states, states, concentration=concentration, seed=seed))

    @classmethod
    def from_settings(
        cls,
        *,
        kernel: ArrayLike | None = None,
        states: int = 2,
        kernel_seed: int = 0,
        concentration: float = 1.0,
        start: ArrayLike | None = None,
    ) -> Markov:
        """The chain that a configuration describes: of a kernel, or of one that a seed draws."""
        if kernel is not None:
            return cls(kernel, start=start)
        chain = cls.dirichlet(states, concentration=concentration, seed=kernel_seed)
        return chain if start is None else cls(chain.kernel, start=start)


def binary_chain(
    p: Exact | float | str, q: Exact | float | str, *, start: ArrayLike | None = None
) -> BinaryMarkov | Markov:
    """The chain (p, q): exact in its probabilities, or by its kernel where a start law is given."""
    chain = BinaryMarkov(p, q)
    return chain if start is None else Markov(chain.kernel, start=start)


@dataclass(frozen=True)
class SwitchingMarkov(FiniteMemory):
    """First-order chain that keeps its symbol with probability 1-p, else takes any other alike.

    Kernel ``P[s, s] = 1-p``, ``P[s, t] = p/(S-1)``, stationary law uniform, second eigenvalue
    ``1 - p S/(S-1)``, of multiplicity S-1. p is kept as the decimal it was written as, so that
    ``p = (S-1)/S`` is decided without rounding.

    Args:
        states: number S of symbols, at least 2.
        p: probability of leaving a symbol, strictly between 0 and 1.
        start: law of x_1, S numbers; uniform unless given.

    Raises:
        ValueError: if an argument is out of range.

    Source: the S-state experiments of *Attention with Markov* (arXiv 2402.04161).

    >>> round(SwitchingMarkov(5, 0.9).entropy_rate, 4)
    1.5727
    """

    states: int = field()
    p: Exact = field()
    first: tuple[float, ...] | None = None

    def __init__(
        self, states: int, p: Exact | float | str, *, start: ArrayLike | None = None
    ) -> None:
        object.__setattr__(self, "states", whole_number("states", states, 2))
        check_size(self.states, 1)
        object.__setattr__(self, "p", probability("p", p))
        law = None if start is None else tuple(start_law(start, self.states).tolist())
        object.__setattr__(self, "first", law)

    @property
    def degenerate(self) -> bool:
        """Whether p = (S-1)/S exactly: the symbols are independent and H_b = H_u = ln S."""
        return Fraction(self.p) == Fraction(self.states - 1, self.states)

    @cached_property
    def kernel(self) -> Float[np.ndarray, "S S"]:
        """Transition matrix P[s, t] = P(x_{n+1}=t | x_n=s); complements taken in decimals."""
        kernel = np.full((self.states, self.states), float(self.p / (self.states - 1)))
        np.fill_diagonal(kernel, float(1 - self.p))
        return kernel

    @cached_property
    def stationary_contexts(self) -> Float[np.ndarray, " S"]:
        """Stationary law pi = 1/S of every symbol."""
        return np.full(self.states, 1 / self.states)
