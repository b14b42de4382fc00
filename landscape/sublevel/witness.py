"""The record of an escape radius, and the witness that proves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from landscape.models.parameters import Coordinates, Params
from landscape.objectives.exact import ExactLoss, enumerated_context_logits
from landscape.points.critical_point import CriticalPoint

if TYPE_CHECKING:
    import xarray

MARGIN = 1e-12
"""nats below the unigram at which a point counts as lower: the loss is a sum of 2^(N+1) terms of
total weight 1 and is rounded by some 1e-15, so that a thousand such errors are allowed for."""

SAFE = 1.01
"""Of the margin, that a point found is lower by: it is looked at a second time, with other
roundings."""


@dataclass(frozen=True)
class Witness:
    """A point of lower loss: it proves that the escape radius is at most its distance.

    Its loss and the unigram's are evaluated twice: as the objective does it, for the single layer
    by the score table and the softplus, and by running `forward` on every sequence, with
    attention written out and log-sum-exp. Both ways it is lower by the margin.
    """

    params: Params
    distance: float  # Euclidean, from the unigram point
    loss: float  # nats
    decrease: float  # loss of the unigram point minus `loss`, nats
    enumerated_decrease: float  # the same by the second evaluation, nats


@dataclass(frozen=True)
class EscapeRadius:
    """How near a unigram point a lower loss was found: an upper bound of the escape radius.

    `radius` is the witness's distance, infinite without one. `searched` is the radius of the
    largest ball in which descent found nothing, nan where there were no balls: an observation about
    the descent, no lower bound.
    The three arrays tell of every ball, in the order in which they were searched.
    """

    radius: float
    witness: Witness | None
    searched: float
    unigram_loss: float  # of the point itself, nats
    margin: float  # nats
    starts: int  # descents in each ball
    method: str
    balls: Float[np.ndarray, " k"]  # radii
    lowest: Float[np.ndarray, " k"]  # least (L - L_0) / |E|^2 met in the ball; see `escape_radius`
    lower: Bool[np.ndarray, " k"]  # whether the ball held a witness

    def to_xarray(self) -> xarray.Dataset:
        """The balls and the witness's parameters; scalars as attributes."""
        import xarray

        variables: dict[str, object] = {
            "lowest": ("ball", self.lowest, {"units": "nat"}),
            "lower": ("ball", self.lower.astype(np.int8)),
        }
        coords: dict[str, object] = {"ball": self.balls}
        attrs: dict[str, object] = {
            "radius": self.radius,
            "searched": self.searched,
            "unigram_loss": self.unigram_loss,
            "margin": self.margin,
            "starts": self.starts,
            "method": self.method,
        }
        if self.witness is not None:
            axes = Coordinates.of(self.witness.params)
            variables["witness"] = ("coordinate", axes.vector(self.witness.params).cpu().numpy())
            coords["coordinate"] = axes.labels()
            attrs |= {
                "loss": self.witness.loss,
                "decrease": self.witness.decrease,
                "enumerated_decrease": self.witness.enumerated_decrease,
            }
        return xarray.Dataset(variables, coords=coords, attrs=attrs)


def witness(
    model: nn.Module,
    objective: ExactLoss,
    origin: CriticalPoint,
    params: Mapping[str, Tensor],
    margin: float,
) -> Witness | None:
    """The record of a point of lower loss, or None if it is not lower by the margin, both ways."""
    axes = Coordinates.of(origin.params)
    loss = objective(model, params).item()
    decrease = origin.loss - loss
    again = enumerated_loss(model, objective, origin.params)
    again -= enumerated_loss(model, objective, params)
    if not min(decrease, again) >= margin:
        return None
    distance = (axes.vector(params) - axes.vector(origin.params)).norm().item()
    return Witness(dict(params), distance, loss, decrease, again)


def enumerated_loss(model: nn.Module, objective: ExactLoss, params: Mapping[str, Tensor]) -> float:
    """The population loss by `forward` on all S^N sequences and log-sum-exp, in nats.

    >>> import math
    >>> from landscape import BinaryMarkov, ReducedModel
    >>> model, loss = ReducedModel(), ExactLoss(BinaryMarkov(0.5, 0.8), 2)
    >>> params = {name: 0 * value.detach() for name, value in model.named_parameters()}
    >>> abs(enumerated_loss(model, loss, params) - math.log(2)) < 1e-15
    True
    """
    logits = enumerated_context_logits(model, params, objective.states, objective.length)
    weights, joint = objective.tables
    return float(weights @ torch.logsumexp(logits, dim=-1) - (joint * logits).sum())
