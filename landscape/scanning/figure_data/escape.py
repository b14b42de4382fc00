"""The escape radius of unigram points: of the reduced model over w, and of the full one."""

from __future__ import annotations

import numpy as np
import torch
import xarray

from landscape.models import ReducedModel, SingleLayer
from landscape.objectives.exact import ExactLoss
from landscape.points.unigram import unigram_point
from landscape.sources import BinaryMarkov
from landscape.sublevel.escape import escape_radius
from landscape.sublevel.escape_on_ansatz import escape_along_ansatz

__all__ = ["REACH", "measured"]

REACH = (-1.25, 0.75)
"""The values of w that are measured span this."""


def measured(
    *, p: float, q: float, points: int, width: int, length: int, steps: int
) -> xarray.Dataset:
    """How near a lower loss was found: `radius` [w] of the reduced model, and of the full one.

    `searched` [w] is the largest ball in which descent found nothing. The attributes `full` and
    `ansatz` are those of the tied single layer from all weights 0, over all directions and along
    the rank-one ansatz.

    >>> found = measured(p=0.5, q=0.8, points=2, width=2, length=2, steps=30)
    >>> bool(abs(found["radius"][1] - 0.75 - 0.5**0.5) < 0.01), bool(found["radius"][0] < 0.01)
    (True, True)
    """
    source = BinaryMarkov(str(p), str(q))
    reduced, short = ReducedModel(), ExactLoss(source, 1)
    places = np.linspace(*REACH, points)
    found = []
    for w in places:
        weights = {"feedforward": torch.tensor(w, dtype=torch.float64)}
        point = unigram_point(reduced, short, free=weights)
        found.append(escape_radius(reduced, short, point, steps=steps, first=2.0**-9))
    model, objective = SingleLayer(width=width, length=length), ExactLoss(source, length)
    zero = {name: torch.zeros_like(value) for name, value in model.named_parameters()}
    origin = unigram_point(model, objective, free=zero)
    return xarray.Dataset(
        {
            "radius": ("w", [each.radius for each in found]),
            "searched": ("w", [each.searched for each in found]),
        },
        coords={"w": places},
        attrs={
            "full": escape_radius(model, objective, origin, steps=steps).radius,
            "ansatz": escape_along_ansatz(model, objective, origin).radius,
        },
    )
