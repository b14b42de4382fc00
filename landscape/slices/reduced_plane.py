"""Slices in the reduced coordinates (e, w, b): surfaces inside the real transformer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import jacrev

from landscape.models import ReducedModel, SingleLayer
from landscape.models.ansatz import (
    COORDINATES,
    _features,
    _frame,
    best_bias,
    reduced_coordinates,
)
from landscape.models.parameters import unchanged
from landscape.objectives.protocol import Objective
from landscape.slices.loss_slice import LossSlice
from landscape.slices.plane import STEP, measured_surface
from landscape.sources import BinaryMarkov


def coordinate_slice(
    model: SingleLayer | ReducedModel,
    objective: Objective,
    params: Mapping[str, Tensor],
    *,
    axes: Sequence[str] = ("e", "w"),
    bias: str = "best",
    resolution: int = 51,
    radius: float = 2.0,
) -> LossSlice:
    """The loss of the full model over one or two of the reduced coordinates (e, w, b).

    The parameters are those of the rank-one ansatz. They are linear in e and b and in each sign of
    w (its W_1 is proportional to |w|); a coordinate that is no axis keeps the value it has at the
    centre, except a best bias.

    Args:
        model: `SingleLayer` or `ReducedModel`.
        objective: the loss; its source gives the best bias.
        params: the centre, a point on the ansatz; query and key are free.
        axes: one or two of "e", "w", "b".
        bias: where b is no axis, "best" puts it at its best value b*(e, w) everywhere, as the
            papers draw the (e, w) plane; "fixed" keeps the centre's.
        resolution: points per axis, odd.
        radius: the axes run this far to either side of the centre's coordinates.

    Returns:
        A `LossSlice` with ``chart = "reduced"``; its directions are the tangents at the centre (at
        w = 0, of the side w > 0).

    Raises:
        ValueError: for other axes or another bias, a centre that is not on the ansatz or whose
            bias is not the best although it is asked for, and as `measured_surface` does.

    Source: *Local to Global* (arXiv 2406.03072), the canonical parametrisation.

    >>> from landscape import BinaryMarkov, ExactLoss
    >>> loss = ExactLoss(BinaryMarkov(0.5, 0.8), 3)
    >>> model = SingleLayer(width=2, length=3)
    >>> centre = ansatz(model, e=0.0, w=0.0, b=math.log(0.5 / 0.8))
    >>> found = coordinate_slice(model, loss, centre, resolution=5)
    >>> found.names, found.loss.shape, found.origin
    (('e', 'w'), (5, 5), (0.0, 0.0))
    """
    names = tuple(axes)
    if not 1 <= len(names) <= 2 or len(set(names)) < len(names) or set(names) - set(COORDINATES):
        raise ValueError(f"axes={names} are not reduced coordinates; give one or two of e, w, b")
    if bias not in ("best", "fixed"):
        raise ValueError(f"bias={bias!r} is unknown; give 'best' or 'fixed'")
    source: Any = getattr(objective, "source", None)
    follows = bias == "best" and "b" not in names
    if follows and not isinstance(source, BinaryMarkov):
        raise ValueError("the best bias is known for a BinaryMarkov source; give bias='fixed'")
    coordinates = reduced_coordinates(model, params)
    held = {n: x for n, x in coordinates.items() if n not in names and not (n == "b" and follows)}
    base, rows = _frame(model, params)
    mirror = not isinstance(model, ReducedModel)
    if follows:
        here = [base.new_tensor(coordinates[name]) for name in ("e", "w")]
        best = best_bias(source, *here, mirror=mirror).item()
        if abs(best - coordinates["b"]) > 1e-9 * max(1.0, abs(best)):
            raise ValueError(
                f"bias='best' does not lead through the centre: b={coordinates['b']:.6g} there and "
                f"b*={best:.6g}; give bias='fixed', or a centre with the best bias"
            )

    def features(offset: Float[Tensor, " k"]) -> Float[Tensor, "4"]:
        at = {name: offset.new_tensor(value) for name, value in coordinates.items()}
        at |= {name: at[name] + offset[k] for k, name in enumerate(names)}
        if follows:
            at["b"] = best_bias(source, at["e"], at["w"], mirror=mirror)
        return _features(torch.stack([at[name] for name in COORDINATES]))

    def chart(offset: Float[Tensor, " k"]) -> Float[Tensor, " D"]:
        return base + features(offset) @ rows

    centre = base.new_zeros(len(names))
    with unchanged(model, params):
        found = measured_surface(
            model,
            objective,
            params,
            chart,
            jacrev(features)(centre).T @ rows,
            names=names,
            resolution=resolution,
            radius=radius,
            # W_1 is proportional to |w|: across w = 0 the chart is bent
            smooth=[name != "w" or abs(coordinates["w"]) > 2 * STEP for name in names],
            affine=False,
        )
    origin = tuple(coordinates[name] for name in names)
    return replace(found, chart="reduced", origin=origin, held=held)
