"""From the table `source` of a configuration to the source it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from landscape.sections.source import Source
from landscape.sources import (
    BinaryMarkov,
    FiniteMemory,
    InContext,
    LagMarkov,
    Markov,
    OrderKMarkov,
    SampledSource,
    SwitchingMarkov,
)

Table = TypeVar("Table", Markov, OrderKMarkov)


def source_of(settings: Source) -> SampledSource:
    """The source that the settings describe.

    Raises:
        ValueError: for a kernel or a start that cannot be, as the sources themselves do.

    >>> source_of(Source(p="0.5", q="0.8")).entropy_rate.__round__(5)
    0.61901
    """
    kind, start = settings.kind, settings.start
    more: dict[str, Any] = {} if start is None else {"start": np.array(start)}
    if kind == "binary" and settings.p is not None and settings.q is not None:
        return BinaryMarkov(settings.p, settings.q)
    if kind == "switching" and settings.p is not None:
        return SwitchingMarkov(settings.symbols, settings.p, **more)
    concentration = 1.0 if settings.concentration is None else settings.concentration
    if kind == "in-context":
        return InContext(settings.symbols, concentration=concentration, **more)
    drawn: dict[str, Any] = {"concentration": concentration, "seed": settings.kernel_seed}
    rows = None if settings.kernel is None else [list(row) for row in settings.kernel]
    order = settings.order or 1
    if kind == "order-k":
        if rows is not None:
            return OrderKMarkov(rows, **more)
        return _started(OrderKMarkov.dirichlet(settings.symbols, order, **drawn), more)
    chain: FiniteMemory
    if settings.p is not None and settings.q is not None:
        binary = BinaryMarkov(settings.p, settings.q)
        chain = Markov(binary.kernel, **more) if more else binary
    elif rows is not None:
        chain = Markov(rows, **more)
    else:
        chain = _started(Markov.dirichlet(settings.symbols, **drawn), more)
    return LagMarkov(chain, order) if kind == "lag" else chain


def _started(chain: Table, more: Mapping[str, Any]) -> Table:
    """The same kernel from the start law, if one is given."""
    # without one, not once more through the constructor, which divides rows by their sums
    return type(chain)(np.array(chain.rows), **more) if more else chain
