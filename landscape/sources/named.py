"""A source by the name of its kind, as configurations write it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from landscape.sources.binary import BinaryMarkov
from landscape.sources.in_context import InContext
from landscape.sources.lag import LagMarkov
from landscape.sources.markov import Markov, SwitchingMarkov
from landscape.sources.order_k import OrderKMarkov
from landscape.sources.protocol import SampledSource


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
        order: k, or the lag.
        kernel: rows of probabilities; without it, or p and q, it is drawn by `kernel_seed`.
        kernel_seed, concentration: of rows from a Dirichlet law.
        start: law of the first symbols.

    Raises:
        ValueError: for a kernel or a start that cannot be, as the sources themselves do.

    >>> source_named("lag", order=2, p=Decimal("0.2"), q=Decimal("0.3")).entropy_rate.__round__(5)
    0.54459
    """
    more: dict[str, Any] = {} if start is None else {"start": np.array(start)}
    if kind == "binary" and p is not None and q is not None:
        chain = BinaryMarkov(p, q)
        return chain if start is None else Markov(chain.kernel, **more)
    symbols, concentration = states or 2, 1.0 if concentration is None else concentration
    if kind == "switching" and p is not None:
        return SwitchingMarkov(symbols, p, **more)
    if kind == "in-context":
        return InContext(symbols, concentration=concentration, **more)
    rows = None if kernel is None else np.array(kernel)
    drawn: dict[str, Any] = {"concentration": concentration, "seed": kernel_seed}
    if kind == "order-k":
        if rows is None:
            rows = np.array(OrderKMarkov.dirichlet(symbols, order or 1, **drawn).rows)
        return OrderKMarkov(rows, **more)
    if p is not None and q is not None:
        rows = BinaryMarkov(p, q).kernel
    elif rows is None:
        rows = np.array(Markov.dirichlet(symbols, **drawn).rows)
    first_order = Markov(rows, **more)
    return LagMarkov(first_order, order or 1) if kind == "lag" else first_order
