"""From the table `source` of a configuration to the source it stands for."""

from __future__ import annotations

from typing import Any

import numpy as np

from landscape.sections.source import Source
from landscape.sources import (
    BinaryMarkov,
    InContext,
    LagMarkov,
    Markov,
    OrderKMarkov,
    SampledSource,
    SwitchingMarkov,
)


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
    kernel = None if settings.kernel is None else np.array(settings.kernel)
    drawn: dict[str, Any] = {"concentration": concentration, "seed": settings.kernel_seed}
    order = settings.order or 1
    if kind == "order-k":
        if kernel is None:
            kernel = np.array(OrderKMarkov.dirichlet(settings.symbols, order, **drawn).rows)
        return OrderKMarkov(kernel, **more)
    if settings.p is not None and settings.q is not None:
        kernel = BinaryMarkov(settings.p, settings.q).kernel
    elif kernel is None:
        kernel = np.array(Markov.dirichlet(settings.symbols, **drawn).rows)
    chain = Markov(kernel, **more)
    return LagMarkov(chain, order) if kind == "lag" else chain
