"""The loss of the full transformer over the (e, w) plane of its ansatz, at the best bias."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import xarray

from landscape.models import SingleLayer
from landscape.models.ansatz import ansatz
from landscape.objectives.exact import ExactLoss
from landscape.points.unigram import unigram_point
from landscape.slices.reduced_plane import coordinate_slice
from landscape.sources import BinaryMarkov

__all__ = ["RADIUS", "measured"]

RADIUS = 2.5
"""Of the square around the unigram point with w = 0, in e and in w."""


def measured(
    *, chains: Sequence[Sequence[float]], width: int, length: int, resolution: int
) -> xarray.Dataset:
    """The exact loss `loss` [chain, e, w] of the tied single layer, in nats, on each (p, q).

    >>> found = measured(chains=[[0.5, 0.8]], width=2, length=2, resolution=5)
    >>> found["loss"].shape, round(float(found["loss"][0, 2, 2]), 5)
    ((1, 5, 5), 0.66628)
    """
    model, rows = SingleLayer(width=width, length=length), []
    for p, q in chains:
        objective = ExactLoss(BinaryMarkov(str(p), str(q)), length)
        with torch.no_grad():
            point = unigram_point(model, objective, free=ansatz(model, 0.0, 0.0, 0.0))
        found = coordinate_slice(
            model,
            objective,
            point.params,
            axes=("e", "w"),
            bias="best",
            resolution=resolution,
            radius=RADIUS,
        )
        rows.append(found.loss)
    return xarray.Dataset(
        {"loss": (("chain", "e", "w"), rows, {"units": "nat"})},
        coords={
            "e": found.alpha,
            "w": found.beta,
            "p": ("chain", [p for p, _ in chains]),
            "q": ("chain", [q for _, q in chains]),
        },
    )
