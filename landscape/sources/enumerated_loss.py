"""Losses of a source's own predictors, over all contexts where those can be listed."""

from __future__ import annotations

import math
from functools import lru_cache

import torch

from landscape.sources.contexts import all_contexts
from landscape.sources.protocol import REFERENCES, Reference, SampledSource

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
