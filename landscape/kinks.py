"""Where the loss has a relu kink: distance to it, and one-sided curvatures across it.

Automatic differentiation returns a number at a kink, but not a curvature. There the loss is
positively homogeneous of degree two along rays without being quadratic, so its curvature is asked
for one ray at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import grad, jvp

from landscape.curvature import Coordinates, Objective, in_float64
from landscape.forward_mode import FORWARD_MODE
from landscape.models.readable import call
from landscape.objective import LONGEST_EXACT

EPS = torch.finfo(torch.float64).eps


@runtime_checkable
class Kinked(Protocol):
    """A model with relu units that tells their pre-activations."""

    embedding_name: str
    states: int

    @property
    def readout_name(self) -> str:
        """Name of the parameter that reads z out: the embedding's when tied."""

    def context_preactivations(self, length: int) -> Float[Tensor, "contexts r"]:
        """Pre-activations after every context, of the units with nonzero outgoing weights."""


@dataclass(frozen=True)
class OneSided:
    """Curvatures of the loss along +v and -v, per unit length squared, at a kink.

    ``plus = lim_{t->0+} d^2/dt^2 L(theta + t v)``, `minus` the same along -v. `direction` is the
    unit vector v in parameter space, [D].
    """

    minus: float
    plus: float
    direction: Float[Tensor, " D"]


def preactivations(
    model: nn.Module, params: Mapping[str, Tensor], length: int
) -> Float[Tensor, "contexts r"] | None:
    """Pre-activations of the units that matter, after every context.

    None without relu units, and where there are too many contexts to look at each.
    """
    if not isinstance(model, Kinked) or model.states**length > 2**LONGEST_EXACT:
        return None
    values: Tensor = call(model, in_float64(params), "context_preactivations", length)
    return values if values.numel() else None


def at_kink(values: Float[Tensor, "contexts r"] | None) -> bool:
    """Whether a pre-activation is 0 to rounding, relative to the largest of them."""
    if values is None:
        return False
    size = values.abs()
    return bool(size.min() <= 16 * EPS * size.max())


def curvature_along_ray(
    objective: Objective,
    model: nn.Module,
    params: Mapping[str, Tensor],
    direction: Float[Tensor, " D"],
    *,
    step: float = 2.0**-10,
) -> float:
    """lim_{t->0+} d^2/dt^2 L(theta + t v), from the second derivatives at t = h, 2h, 3h, 4h.

    Beyond the kink the loss is smooth, so the cubic through the four values extrapolates to t = 0
    with error O(h^4).
    """
    params = in_float64(params)
    axes = Coordinates.of(params)
    centre = axes.vector(params)

    def along(t: Tensor) -> Tensor:
        return objective(model, axes.params(centre + t * direction))

    def second(t: float) -> float:
        point = torch.tensor(t, dtype=torch.float64, device=centre.device)
        with FORWARD_MODE:
            value: Tensor = jvp(grad(along), (point,), (torch.ones_like(point),))[1]
        return value.item()

    return 4 * second(step) - 6 * second(2 * step) + 4 * second(3 * step) - second(4 * step)


def one_sided_curvatures(
    objective: Objective, model: nn.Module, params: Mapping[str, Tensor]
) -> list[OneSided]:
    """One-sided curvatures along the embedding directions that open or close a kinked unit.

    For each relu unit whose pre-activation is 0 after some context, v is the gradient of that
    pre-activation with respect to the token embedding, normalised: moving along +v opens the unit,
    along -v closes it. With a readout of its own the loss is flat along the embedding alone, so
    embedding and readout then move together, along (v, v)/sqrt(2) and (v, -v)/sqrt(2). Equal
    directions are listed once. Empty away from kinks, and where the embedding moves no kinked unit.
    """
    values = preactivations(model, params, objective.length)
    if values is None or not at_kink(values) or not isinstance(model, Kinked):
        return []
    params = in_float64(params)
    axes = Coordinates.of(params)
    embedding, readout = model.embedding_name, model.readout_name

    def opening(moved: Tensor) -> Tensor:
        name = "context_preactivations"
        shifted: Tensor = call(model, {**params, embedding: moved}, name, objective.length)
        return shifted

    with FORWARD_MODE:
        slopes = torch.func.jacfwd(opening)(params[embedding]).flatten(2)
    slopes = slopes[values.abs() <= 16 * EPS * values.abs().max()]
    slopes = slopes[slopes.norm(dim=1) > 0]
    found: list[OneSided] = []
    seen: list[Tensor] = []
    for slope in slopes / slopes.norm(dim=1, keepdim=True):
        if any(abs(float(slope @ other)) > 1 - 1e-9 for other in seen):
            continue
        seen.append(slope)
        for sign in (None,) if embedding == readout else (1, -1):
            moves = {name: torch.zeros_like(value) for name, value in params.items()}
            moves[embedding] = slope.reshape(params[embedding].shape)
            if sign is not None:
                moves[readout] = sign * moves[embedding]
            direction = axes.vector(moves)
            direction = direction / direction.norm()
            plus = curvature_along_ray(objective, model, params, direction)
            minus = curvature_along_ray(objective, model, params, -direction)
            found.append(OneSided(minus, plus, direction))
    return found
