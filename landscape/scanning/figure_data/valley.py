"""The valley from a unigram that is a local minimum to a bigram point, at loss H_u and below."""

from __future__ import annotations

import xarray

from landscape.models import SingleLayer
from landscape.models.initial import gaussian
from landscape.objectives.exact import ExactLoss
from landscape.points.unigram import unigram_point
from landscape.sources import BinaryMarkov
from landscape.sublevel.valley import valley_path

__all__ = ["measured"]


def measured(
    *, p: float, q: float, width: int, length: int, deviation: float, seed: int
) -> xarray.Dataset:
    """`landscape.sublevel.valley.valley_path` of the tied single layer from a unigram with drawn
    weights.

    The corners' parameters are left out.

    >>> found = measured(p=0.5, q=0.8, width=2, length=3, deviation=0.1, seed=0)
    >>> bool(found.attrs["barrier"] < 1e-14), float(found["lowest"][0] > 0)
    (True, 1.0)
    """
    model, objective = (
        SingleLayer(width=width, length=length),
        ExactLoss(BinaryMarkov(str(p), str(q)), length),
    )
    start = unigram_point(model, objective, free=gaussian(model, deviation, seed))
    path = valley_path(model, objective, start)
    return path.to_xarray().drop_vars(["corners", "coordinate"])
