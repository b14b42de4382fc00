"""Chains of true order k: any kernel on the contexts of k symbols."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from landscape.sources.finite_memory import KernelTable
from landscape.sources.kernels import (
    check_size,
    closed_classes,
    context_kernel,
    context_matrix,
    dirichlet_rows,
    kernel_file,
    start_law,
    whole_number,
)


def _refuse_ambiguous(kernel: Float[np.ndarray, "C S"]) -> None:
    """A kernel with one stationary law, under which every symbol has a chance, or a ValueError."""
    states, order = kernel.shape[1], 0
    while states**order < len(kernel):
        order += 1
    closed = closed_classes(context_matrix(kernel))
    if len(closed) > 1:
        first, second = (np.unravel_index(part[0], (states,) * order) for part in closed[:2])
        raise ValueError(
            f"kernel has {len(closed)} stationary laws: contexts {tuple(map(int, first))} and "
            f"{tuple(map(int, second))} lead into parts that are never left; "
            f"give a kernel with a single recurrent class of contexts"
        )
    missing = np.setdiff1d(np.arange(states), closed[0] % states)
    if len(missing):
        raise ValueError(
            f"kernel never returns to symbol {missing[0]}: its stationary probability is 0; "
            f"leave it out, or give a kernel that leads to it"
        )


@dataclass(frozen=True)
class OrderKMarkov(KernelTable):
    """Chain of order k: ``K[c, t] = P(x_{n+1}=t | x_{n+1-k}..x_n = c)``, the oldest symbol slowest.

    Args:
        kernel: ``[S^k, S]``, or k+1 axes of S numbers; rows are divided by their sums.
        start: law of x_1..x_k, S^k numbers, or S numbers for k independent symbols of that law; the
            stationary law of k symbols in a row unless given.

    Raises:
        ValueError: if the kernel has another shape, S < 2, an entry is no probability, a row does
            not sum to 1, there is more than one stationary law or one without some symbol; or if
            start is no law.

    Source: MATH section 1: the finite-N floor of more memory than one is not the entropy rate.

    >>> chain = OrderKMarkov([[0.9, 0.1], [0.1, 0.9], [0.1, 0.9], [0.9, 0.1]])
    >>> chain.order, chain.loss_of("optimal", 3) > chain.entropy_rate
    (2, True)
    """

    def __init__(self, kernel: ArrayLike, *, start: ArrayLike | None = None) -> None:
        rows = context_kernel(kernel)
        _refuse_ambiguous(rows)
        object.__setattr__(self, "rows", tuple(map(tuple, rows.tolist())))
        law = None if start is None else start_law(start, rows.shape[1], self.order)
        object.__setattr__(self, "first", None if law is None else tuple(law.tolist()))

    @classmethod
    def from_file(cls, path: str | Path, *, start: ArrayLike | None = None) -> OrderKMarkov:
        """The chain whose kernel stands in a .npy file, or in a .csv file of S^k rows.

        Raises:
            ValueError: if the file cannot be read, or holds no such kernel.
        """
        return cls(kernel_file(path), start=start)

    @classmethod
    def dirichlet(
        cls, states: int, order: int, *, concentration: float = 1.0, seed: int
    ) -> OrderKMarkov:
        """A chain whose S^k rows are independent draws of Dirichlet(a, ..., a); a = 1 is uniform.

        >>> OrderKMarkov.dirichlet(2, 3, seed=0).kernel.shape
        (8, 2)
        """
        states, order = whole_number("states", states, 2), whole_number("order", order, 1)
        check_size(states, order)
        rows = dirichlet_rows(states**order, states, concentration=concentration, seed=seed)
        return cls(rows)

    @classmethod
    def from_settings(
        cls,
        *,
        order: int = 1,
        kernel: ArrayLike | None = None,
        states: int = 2,
        kernel_seed: int = 0,
        concentration: float = 1.0,
        start: ArrayLike | None = None,
    ) -> OrderKMarkov:
        """The chain that a configuration describes: of a kernel, or of one that a seed draws."""
        if kernel is not None:
            return cls(kernel, start=start)
        chain = cls.dirichlet(states, order, concentration=concentration, seed=kernel_seed)
        return chain if start is None else cls(chain.kernel, start=start)
