"""The record of a critical point: where it lies, and how critical it is as measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from landscape.models.parameters import Params
from landscape.objectives.protocol import Objective
from landscape.spectra.operators import gradient

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True)
class CriticalPoint:
    """A point of parameter space with its loss (nats) and gradient norm, as measured there.

    `kind` is "unigram", "bigram" or "trained"; `coordinates` holds the reduced (e, w, b) where the
    point was built from them. `steps` and `moved` (Euclidean distance) tell of a refinement.
    """

    kind: str
    params: Params
    loss: float
    gradient_norm: float
    coordinates: Mapping[str, float] | None = None
    steps: int = 0
    moved: float = 0.0

    def to_xarray(self) -> xarray.Dataset:
        """Loss, gradient norm and reduced coordinates; the parameters are kept as weights."""
        import xarray

        return xarray.Dataset(
            {
                "loss": ((), self.loss, {"units": "nat"}),
                "gradient_norm": ((), self.gradient_norm),
                "moved": ((), self.moved),
            },
            attrs={"kind": self.kind, **(self.coordinates or {})},
        )


def measured_point(
    model: nn.Module,
    objective: Objective,
    params: Params,
    kind: str,
    coordinates: Mapping[str, float] | None = None,
) -> CriticalPoint:
    """The record of a point of this kind, its loss and gradient norm measured there."""
    slope, value = gradient(model, objective, params)
    return CriticalPoint(kind, params, value, slope.norm().item(), coordinates)
