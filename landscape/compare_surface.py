"""Theory's loss over a slice: the symbolic reduced loss, beside the surface that was measured."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float

from landscape.sources import BinaryMarkov, MarkovSource
from landscape.surface import LossSlice
from theory.loss import loss_at_best_bias, reduced_loss
from theory.numeric import function
from theory.symbols import b, e, p, q, s, tau, w
from theory.transformer import reduced_logit

SURFACE_TOLERANCE = 1e-10
"""Largest |measured - symbolic| in nats, times max(1, |loss|), that round-off may leave."""


def reduced_surface(
    source: BinaryMarkov,
    e: Float[np.ndarray, "..."],
    w: Float[np.ndarray, "..."],
    b: Float[np.ndarray, "..."] | None,
    *,
    mirror: bool = True,
) -> Float[np.ndarray, "..."]:
    """Theory's loss L(e, w, b) in nats at arrays of reduced coordinates; b None: at its best value.

    Args:
        source: the chain.
        e, w, b: coordinates, broadcasting.
        mirror: whether e < 0 is the transformer's mirror branch, or as e > 0 (the reduced model).

    >>> chain = BinaryMarkov(0.5, 0.8)
    >>> loss = reduced_surface(chain, np.zeros(1), np.zeros(1), None)[0]
    >>> bool(abs(loss - chain.unigram_entropy) < 1e-15)
    True
    """
    e, w = np.broadcast_arrays(e, w)
    sign = np.where(w < 0, -1.0, 1.0)
    chances = float(source.p), float(source.q)
    branches = [_loss(branch, b is None)(*chances, e, w, sign, 0.0 if b is None else b)
                for branch in ((1, -1) if mirror else (1, 1))]  # fmt: skip
    values: Float[np.ndarray, "..."] = np.where(e < 0, branches[1], branches[0])
    return values


def surface_of(
    found: LossSlice, source: MarkovSource, *, mirror: bool = True
) -> Float[np.ndarray, "A B"] | None:
    """What theory says of a slice: the reduced loss on a reduced chart, None on any other."""
    if found.chart != "reduced" or not isinstance(source, BinaryMarkov):
        return None
    axes = [found.alpha[:, None], found.beta[None, :]]
    at: dict[str, Any] = {name: np.asarray(value) for name, value in found.held.items()}
    for name, start, offset in zip(found.names, found.origin, axes, strict=False):
        at[name] = start + offset
    values = reduced_surface(source, at["e"], at["w"], at.get("b"), mirror=mirror)
    return np.broadcast_to(values, found.loss.shape).copy()


def surface_error(found: LossSlice, predicted: Float[np.ndarray, "A B"] | None) -> float | None:
    """The largest |measured - predicted| in nats over the finite losses; None without any."""
    if predicted is None or not np.isfinite(found.loss).any():
        return None
    return float(np.nanmax(np.abs(np.where(np.isfinite(found.loss), found.loss - predicted, 0.0))))


def surface_refuted(found: LossSlice, predicted: Float[np.ndarray, "A B"] | None) -> bool:
    """Whether a finite loss of the slice is not theory's, to `SURFACE_TOLERANCE`."""
    if predicted is None:
        return False
    known = np.isfinite(found.loss)
    measured, expected = found.loss[known], predicted[known]
    allowed = SURFACE_TOLERANCE * np.maximum(1.0, np.abs(expected))
    return not bool((np.abs(measured - expected) <= allowed).all())


@cache
def _loss(branch: int, best: bool) -> Any:
    """The symbolic loss as a function of p, q, e, w, sign(w) and b."""
    expression = reduced_loss(branch)
    if best:
        zero, one = reduced_logit(branch)
        expression = loss_at_best_bias().subs(s, one - zero)
    return function([p, q, e, w, tau, b], expression, np)
