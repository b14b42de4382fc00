"""The record of losses on a line or a surface through a point, and what vouches for it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    import xarray

VALUE_TOLERANCE = 1e-12  # times max(1, |loss|): one sum over contexts in two orders of summation
CURVATURE_TOLERANCE = 1e-5  # times max(1, |curvature|): truncation, h^4 times a sixth derivative
DISPLACEMENT_TOLERANCE = 1e-12  # relative; what round-off leaves is already counted as none


@dataclass(frozen=True)
class PlanePoint:
    """A point that lies in the plane: where, its own loss, and how far the plane's is from it."""

    name: str
    at: tuple[float, ...]  # its coordinates (alpha, beta)
    loss: float  # nats, evaluated at the point's own parameters
    error: float  # |loss of the plane at those coordinates - loss|, nats


@dataclass(frozen=True)
class LossSlice:
    """L(theta + alpha d_1 + beta d_2) on a grid, the directions exactly as given.

    `alpha` and `beta` multiply the directions; `distance` has the same axes in units of parameter
    distance, whatever the norms. For ``chart = "reduced"`` the surface is not a plane but the
    image of the reduced coordinates (e, w, b): the coordinates named by `names` take the values
    ``origin + (alpha, beta)``, those in `held` stay, a bias in neither is at its best value, and
    the directions are the tangents at the centre.

    The record carries its own checks. `center_error` compares the grid's middle with the loss of
    the point itself, evaluated on its own. `displacement_error` compares the parameters at the
    grid's corners with the centre plus multiples of the directions: the plane is the one that was
    asked for, in flat directions too. `curvature_errors` compare d^T H d with a second difference
    of the surface, axis by axis, per unit length squared: the losses are those of that plane.
    Losses that are not finite stay in the grid as they are, and are counted in `not_finite`.
    """

    center_loss: float  # nats, of the point itself: not taken from the grid
    alpha: Float[np.ndarray, " A"]
    beta: Float[np.ndarray, " B"]  # [0.] for a line
    loss: Float[np.ndarray, "A B"]  # nats
    directions: Float[np.ndarray, "k D"]  # k = 1 or 2 rows
    names: tuple[str, ...]
    gram: Float[np.ndarray, "k k"]  # inner products of the directions
    center: Float[np.ndarray, " D"]  # the point itself
    norms: Float[np.ndarray, " k"]  # parameter distance per unit of alpha, of beta
    curvatures: Float[np.ndarray, " k"]  # d^T H d / |d|^2, nat per squared distance; nan at a kink
    curvature_errors: Float[np.ndarray, " k"]  # same unit; nan where the curvature is
    center_error: float  # nats
    not_finite: int  # how many losses of the grid are NaN or infinite
    displacement_error: float = math.nan  # relative; nan on a chart that is not affine
    chart: str = "affine"  # or "reduced"
    origin: tuple[float, ...] = (0.0, 0.0)  # the coordinates of the centre
    held: Mapping[str, float] = field(default_factory=dict)  # reduced coordinates that stay
    points: tuple[PlanePoint, ...] = ()  # named points in the plane

    @property
    def distance(self) -> tuple[Float[np.ndarray, " A"], Float[np.ndarray, " B"]]:
        """The two axes in units of Euclidean distance in parameter space.

        On a reduced chart it is the length of the coordinate line through the centre: exact where
        the bias stays, to first order where it follows.
        """
        norms = np.append(self.norms, 1.0)
        return self.alpha * norms[0], self.beta * norms[1]

    @property
    def curvature_error(self) -> float:
        """The largest of the axes' curvature errors; nan if no axis has a second derivative."""
        known = self.curvature_errors[~np.isnan(self.curvature_errors)]
        return float(known.max()) if known.size else math.nan

    def faults(self) -> tuple[str, ...]:
        """What the record's own checks found wrong, in words; empty if nothing."""
        if not math.isfinite(self.center_loss):
            return ("the loss at the point itself is not finite",)
        found = []
        if not self.center_error <= VALUE_TOLERANCE * max(1.0, abs(self.center_loss)):
            found.append(
                f"the grid's middle is {self.center_error:.1e} nat away from the loss at the point"
            )
        for name, curvature, error in zip(
            self.names, self.curvatures.tolist(), self.curvature_errors.tolist(), strict=True
        ):
            if error > CURVATURE_TOLERANCE * max(1.0, abs(curvature)):
                found.append(
                    f"the surface is not curved as the Hessian says along {name}, by {error:.1e}: "
                    f"it does not run along that direction"
                )
        if self.displacement_error > DISPLACEMENT_TOLERANCE:
            found.append(
                f"the grid's corners are not where the directions lead, by "
                f"{self.displacement_error:.1e} of the way"
            )
        for point in self.points:
            if not point.error <= VALUE_TOLERANCE * max(1.0, abs(point.loss)):
                found.append(f"the plane's loss at {point.name} is off by {point.error:.1e} nat")
        return tuple(found)

    def to_xarray(self) -> xarray.Dataset:
        """The grid of losses with its directions and Gram matrix; scalars and checks as attributes.

        Few variables: each costs milliseconds in a netCDF file.
        """
        import xarray

        return xarray.Dataset(
            {
                "loss": (("alpha", "beta"), self.loss, {"units": "nat"}),
                "center": ("coordinate", self.center),
                "direction": (("axis", "coordinate"), self.directions),
                "gram": (("axis", "other_axis"), self.gram),
            },
            coords={"alpha": self.alpha, "beta": self.beta, "axis": list(self.names)},
            attrs={
                "center_loss": self.center_loss,
                "center_error": self.center_error,
                "norms": self.norms,
                "curvatures": self.curvatures,
                "curvature_errors": self.curvature_errors,
                "curvature_error": self.curvature_error,
                "displacement_error": self.displacement_error,
                "not_finite": self.not_finite,
                "chart": self.chart,
                "origin": self.origin,
                "held": json.dumps(dict(self.held)),
                "points": json.dumps([asdict(point) for point in self.points]),
            },
        )
