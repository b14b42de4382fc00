"""A source that is nothing but its kernel and its start law, kept as hashable rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float

from landscape.sources.finite_memory import FiniteMemory


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
