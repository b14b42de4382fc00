"""Slices in the reduced coordinates (e, w, b): surfaces inside the real transformer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import jacrev

from landscape.models.ansatz import (
    COORDINATES,
    Frame,
    best_bias,
    features,
    on_ansatz,
    reduced_coordinates,
)
from landscape.models.parameters import unchanged
from landscape.objectives.protocol import Objective, Sourced
from landscape.slices.loss_slice import LossSlice
from landscape.slices.plane import STEP, measured_surface
from landscape.sources import TwoState


def coordinate_slice(
    model: nn.Module,
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
        model: `SingleLayer`, `ReducedModel` or another that is `OnAnsatz`.
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
        ValueError: for other axes, another bias or model, a centre that is not on the ansatz or
            whose bias is not the best although it is asked for, and as `measured_surface` does.

    Source: *Local to Global* (arXiv 2406.03072), the canonical parametrisation.

    >>> from landscape import BinaryMarkov, ExactLoss, SingleLayer
    >>> from landscape.models.ansatz import ansatz
    >>> loss = ExactLoss(BinaryMarkov(0.5, 0.8), 3)
    >>> model = SingleLayer(width=2, length=3)
    >>> centre = ansatz(model, e=0.0, w=0.0, b=loss.source.log_odds)
    >>> found = coordinate_slice(model, loss, centre, resolution=5)
    >>> found.names, found.loss.shape, found.origin
    (('e', 'w'), (5, 5), (0.0, 0.0))
    """
    names = tuple(axes)
    if not 1 <= len(names) <= 2 or len(set(names)) < len(names) or set(names) - set(COORDINATES):
        raise ValueError(f"axes={names} are not reduced coordinates; give one or two of e, w, b")
    if bias not in ("best", "fixed"):
        raise ValueError(f"bias={bias!r} is unknown; give 'best' or 'fixed'")
    chain: TwoState | None = None  # that the best bias follows, where it does
    if bias == "best" and "b" not in names:
        if not isinstance(objective, Sourced) or not isinstance(objective.source, TwoState):
            raise ValueError("the best bias is known for a BinaryMarkov source; give bias='fixed'")
        chain = objective.source
    coordinates = reduced_coordinates(model, params)
    moving = {*names} if chain is None else {*names, "b"}
    held = {name: value for name, value in coordinates.items() if name not in moving}
    frame = Frame(model, params, on_ansatz(model).free)
    mirror = on_ansatz(model).mirror
    if chain is not None:
        here = [frame.base.new_tensor(coordinates[name]) for name in ("e", "w")]
        best = best_bias(chain, *here, mirror=mirror).item()
        if abs(best - coordinates["b"]) > 1e-9 * max(1.0, abs(best)):
            raise ValueError(
                f"bias='best' does not lead through the centre: b={coordinates['b']:.6g} there and "
                f"b*={best:.6g}; give bias='fixed', or a centre with the best bias"
            )

    def place(offset: Float[Tensor, " k"]) -> Float[Tensor, "3"]:
        at = {name: offset.new_tensor(value) for name, value in coordinates.items()}
        at |= {name: at[name] + offset[k] for k, name in enumerate(names)}
        if chain is not None:
            at["b"] = best_bias(chain, at["e"], at["w"], mirror=mirror)
        return torch.stack([at[name] for name in COORDINATES])

    centre = frame.base.new_zeros(len(names))
    with unchanged(model, params):
        found = measured_surface(
            model,
            objective,
            params,
            lambda offset: frame.points(place(offset)),
            jacrev(lambda offset: features(place(offset)))(centre).T @ frame.rows,
            names=names,
            resolution=resolution,
            radius=radius,
            # W_1 is proportional to |w|: across w = 0 the chart is bent
            smooth=[name != "w" or abs(coordinates["w"]) > 2 * STEP for name in names],
            affine=False,
        )
    origin = tuple(coordinates[name] for name in names)
    return replace(found, chart="reduced", origin=origin, held=held)
