"""Slices through random weights along rows that are neither unit nor orthogonal."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from landscape.models import SingleLayer
from landscape.models.initial import gaussian
from landscape.models.parameters import Coordinates, Params
from landscape.objectives.exact import ExactLoss
from landscape.slices.loss_slice import LossSlice
from landscape.slices.plane import loss_slice
from landscape.sources import BinaryMarkov
from tests.twins.single_layer import arrays, naive_loss

P, Q, N = 0.5, 0.8, 3
EXACT = 1e-14  # 2^(N+1) terms, a few roundings each
# step 1e-3 of a unit direction: truncation t^2/12 of a fourth derivative of order 10, 1e-6, and
# round-off 4 eps/t^2, 1e-9
CURVATURE_ERROR = 1e-5

CHAIN = BinaryMarkov(P, Q)
TIED, WIDER = SingleLayer(width=2, hidden=3, length=N), SingleLayer(width=2, length=N)
LOSS, PARAMS = ExactLoss(CHAIN, N), gaussian(TIED, 0.7, 4)


def skewed(size: int = 37) -> Tensor:
    """Two rows that are neither unit nor orthogonal."""
    rows = np.random.default_rng(3).normal(size=(2, size))
    rows[1] = 0.3 * rows[1] + 0.1 * rows[0]
    return torch.from_numpy(rows)


ROWS = skewed()


def sliced(
    rows: Any = ROWS, *, model: Any = TIED, loss: Any = LOSS, params: Params = PARAMS, **more: Any
) -> LossSlice:
    """A slice of the random tied model at its random weights unless told otherwise."""
    return loss_slice(model, loss, params, rows, **{"resolution": 3, **more})


def naive_at(offset: Any, rows: Tensor = ROWS, params: Params = PARAMS) -> float:
    axes = Coordinates.of(params)
    there = axes.vector(params) + torch.tensor(offset, dtype=torch.float64) @ rows
    return float(naive_loss(arrays(axes.params(there)), P, Q, N))
