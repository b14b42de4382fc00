"""A source by the name of its kind, as configurations write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np

from landscape.sources.binary import BinaryMarkov
from landscape.sources.finite_memory import FiniteMemory
from landscape.sources.in_context import InContext
from landscape.sources.lag import LagMarkov
from landscape.sources.markov import Markov, SwitchingMarkov
from landscape.sources.order_k import OrderKMarkov
from landscape.sources.protocol import SampledSource

Table = TypeVar("Table", Markov, OrderKMarkov)


def source_named(
    kind: str,
    *,
    p: Decimal | None = None,
    q: Decimal | None = None,
    states: int | None = None,
    order: int | None = None,
    kernel: Sequence[Sequence[float]] | None = None,
    kernel_seed: int | None = None,
    concentration: float | None = None,
    start: Sequence[float] | None = None,
) -> SampledSource:
    """The source of a kind, from those of the settings that it reads.

    Args:
        kind: "binary", "switching", "markov", "order-k", "lag" or "in-context".
        p, q: switching probabilities of the binary chain, or p of the switching chain.
        states: number S of symbols.
        order: k, or the lag; in context 1 unless given.
        kernel: rows of probabilities; without it, or p and q, it is drawn by `kernel_seed`.
        kernel_seed, concentration: of rows from a Dirichlet law.
        start: law of the first symbols.

    Raises:
        ValueError: for a kernel or a start that cannot be, as the sources themselves do.

    >>> source_named("lag", order=2, p=Decimal("0.2"), q=Decimal("0.3")).entropy_rate.__round__(5)
    0.54459
    """
    more: dict[str, Any] = {} if start is None else {"start": np.array(start)}
    symbols, concentration = states or 2, 1.0 if concentration is None else concentration
    if kind == "switching" and p is not None:
        return SwitchingMarkov(symbols, p, **more)
    if kind == "in-context":
        return InContext(symbols, concentration=concentration, order=order or 1, **more)
    drawn: dict[str, Any] = {"concentration": concentration, "seed": kernel_seed}
    rows = None if kernel is None else [list(row) for row in kernel]
    if kind == "order-k":
        if rows is not None:
            return OrderKMarkov(rows, **more)
        return _started(OrderKMarkov.dirichlet(symbols, order or 1, **drawn), more)
    chain: FiniteMemory
    if p is not None and q is not None:
        binary = BinaryMarkov(p, q)
        chain = Markov(binary.kernel, **more) if more else binary
    elif rows is not None:
        chain = Markov(rows, **more)
    else:
        chain = _started(Markov.dirichlet(symbols, **drawn), more)
    return LagMarkov(chain, order or 1) if kind == "lag" else chain


def _started(chain: Table, more: Mapping[str, Any]) -> Table:
    """The same kernel from the start law, if one is given."""
    # without one, not once more through the constructor, which divides rows by their sums
    return type(chain)(np.array(chain.rows), **more) if more else chain
