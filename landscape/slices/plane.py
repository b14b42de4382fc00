"""Losses on a line or plane through a point, with the plane's own checks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import vmap

from landscape.errors import refused
from landscape.models.parameters import Coordinates, in_float64, unchanged
from landscape.models.protocols import Kinked
from landscape.models.representation import KINK
from landscape.models.soundness import refuse_unsound
from landscape.objectives.protocol import LONGEST_EXACT, Objective, chunk_of
from landscape.slices.directions import as_rows
from landscape.slices.loss_slice import CURVATURE_TOLERANCE, LossSlice, PlanePoint
from landscape.spectra.kinks import EPS, at_kink, may_kink, own_jump, preactivations
from landscape.spectra.operators import hessian_products

PREDICTIONS = 2**16
"""Predictions of all grid points at once: intermediates of a few megabytes, which caches hold."""

STEP = 2e-3
"""Of the second difference, in parameter distance; 2 STEP for its extrapolation."""

REFINED = (1.0, 0.1, 0.01)
"""Shares of STEP, tried in turn until the difference is the Hessian's: a LayerNorm whose input has
no variance, as at the unigram without weights, bends within sqrt(1e-5) of the point."""


def loss_slice(
    model: nn.Module,
    objective: Objective,
    params: Mapping[str, Tensor],
    directions: Float[Tensor, "k D"] | Any,
    *,
    names: Sequence[str] | None = None,
    resolution: int = 51,
    radius: float = 2.0,
    points: Mapping[str, Mapping[str, Tensor]] | None = None,
) -> LossSlice:
    """The loss on a grid through `params` along one or two directions, in float64.

    Args:
        model: gives the function; it is not changed.
        objective: the loss.
        params: the centre of the slice.
        directions: one or two rows, a tensor or array [k, D]; used as they are, never normalised.
        names: one name per direction.
        resolution: points per axis, an odd number so that the centre is one of them.
        radius: the axes run from -radius to radius, in multiples of the directions.
        points: parameters of other points that lie in the plane, by name; each is located, and the
            plane's loss there compared with its own.

    Raises:
        ValueError: for a model without curvature to measure, as `hessian_spectrum` does; for
            directions that are not one or two finite, independent rows of length D,
            names of another number, an even resolution or one below 3, a radius that is not
            positive, or a point that does not lie in the plane.
        RuntimeError: if the objective changes the model or the point.

    >>> from landscape import BinaryMarkov, ExactLoss, ReducedModel, unigram_point
    >>> model, loss = ReducedModel(), ExactLoss(BinaryMarkov(0.5, 0.8), 1)
    >>> axes = torch.eye(3, dtype=torch.float64)[[0, 2]]
    >>> result = loss_slice(model, loss, unigram_point(model, loss).params, axes, resolution=5)
    >>> result.loss.shape, bool(result.loss[2, 2] == result.loss.min()), result.faults()
    ((5, 5), True, ())
    """
    refuse_unsound(model, params, getattr(objective, "states", None), objective.length)
    centre = in_float64(params)
    axes = Coordinates.of(centre)
    base = axes.vector(centre)
    rows = as_rows(directions, axes.size).to(base.device)
    count = len(rows)
    names = tuple(f"direction {k}" for k in range(count)) if names is None else tuple(names)
    if len(names) != count:
        raise ValueError(f"names={names} are {len(names)} for {count} directions; give one each")

    def flat(offset: Float[Tensor, " k"]) -> Float[Tensor, " D"]:
        return base + offset @ rows

    located = {
        name: (_inside(name, axes.vector(in_float64(other)) - base, rows), other)
        for name, other in (points or {}).items()
    }
    with unchanged(model, params):
        found = measured_surface(
            model, objective, params, flat, rows, names=names, resolution=resolution, radius=radius
        )
        marked = []
        for name, (at, other) in located.items():
            own = objective(model, in_float64(other)).item()
            error = abs(objective(model, axes.params(flat(at))).item() - own)
            marked.append(PlanePoint(name, tuple(at.tolist()), own, error))
    return replace(found, points=tuple(marked))


def measured_surface(
    model: nn.Module,
    objective: Objective,
    params: Mapping[str, Tensor],
    chart: Callable[[Float[Tensor, " k"]], Float[Tensor, " D"]],
    tangents: Float[Tensor, "k D"],
    *,
    names: tuple[str, ...],
    resolution: int,
    radius: float,
    smooth: Sequence[bool] | None = None,
    affine: bool = True,
) -> LossSlice:
    """The loss on the image of a grid under a map from k offsets to parameters, and its checks.

    Args:
        model, objective: the loss.
        params: the centre, which the chart should take the offset 0 to; the record says if not.
        chart: from offsets [k] to a parameter vector [D], under vmap.
        tangents: its derivatives at the offset 0, known beforehand: the curvature check holds the
            chart to them.
        names: of the k axes, one or two.
        resolution, radius: of the grid of offsets, as in `loss_slice`.
        smooth: for each axis, whether the chart is twice differentiable along it at the centre.
        affine: whether the chart should be the centre plus multiples of the tangents everywhere:
            the displacement check holds it to that at the corners of the grid.

    Raises:
        ValueError: for an even resolution or one below 3, or a radius that is not positive.
    """
    if not hasattr(resolution, "__index__") or resolution < 3 or resolution % 2 == 0:
        allowed = "an odd whole number of at least 3"
        raise refused("resolution", resolution, allowed=allowed, hint="take 51")
    if not 0 < radius < float("inf"):
        raise refused("radius", radius, allowed="a positive number", hint="take 2")
    params = in_float64(params)
    axes, count = Coordinates.of(params), len(names)
    device = next(iter(params.values())).device

    def at(offset: Float[Tensor, " k"]) -> Float[Tensor, ""]:
        return objective(model, axes.params(chart(offset)))

    axis = torch.linspace(-radius, radius, resolution, dtype=torch.float64)
    axis = (axis - axis.flip(0)) / 2  # exactly symmetric, so that the middle is exactly 0
    other = axis if count == 2 else torch.zeros(1, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, other)[:, :count].to(device)
    chunk = chunk_of(model, objective, PREDICTIONS)
    losses = vmap(at, chunk_size=chunk)(grid).reshape(resolution, len(other))

    origin = torch.zeros(count, dtype=torch.float64, device=device)
    norms = tangents.norm(dim=1)
    step = torch.diag(STEP / norms)
    flags = [True] * count if smooth is None else smooth
    sound = [
        flag and not _kinked(model, axes, chart, 2 * row, params, objective.length)
        for flag, row in zip(flags, step, strict=True)
    ]
    curved = torch.full_like(norms, torch.nan)
    errors = curved.clone()
    if any(sound):
        products = hessian_products(model, objective, params, tangents)
        curvatures = (products * tangents).sum(1) / norms**2
        allowed = CURVATURE_TOLERANCE * curvatures.abs().clamp(min=1)
        gaps = torch.full_like(norms, torch.inf)
        for finer in REFINED:
            moves = torch.cat([finer * step, -finer * step, 2 * finer * step, -2 * finer * step])
            up, down, far_up, far_down = vmap(at, chunk_size=chunk)(moves).reshape(4, count) - at(
                origin
            )
            near, far = up + down, far_up + far_down
            second = (4 * near - far / 4) / (3 * (finer * STEP) ** 2)
            gaps = torch.minimum(gaps, (second - curvatures).abs().nan_to_num(torch.inf))
            if bool((gaps <= allowed).all()):
                break
        chosen = torch.tensor(sound, device=device)
        curved, errors = torch.where(chosen, curvatures, curved), torch.where(chosen, gaps, errors)
    displaced = _displacement(chart, axes.vector(params), tangents, radius) if affine else torch.nan
    own = objective(model, params).item()
    return LossSlice(
        center_loss=own,
        alpha=axis.numpy(),
        beta=other.numpy(),
        loss=losses.cpu().numpy(),
        directions=tangents.cpu().numpy(),
        names=names,
        gram=(tangents @ tangents.T).cpu().numpy(),
        center=axes.vector(params).cpu().numpy(),
        norms=norms.cpu().numpy(),
        curvatures=curved.cpu().numpy(),
        curvature_errors=errors.cpu().numpy(),
        displacement_error=displaced,
        center_error=abs(losses[resolution // 2, len(other) // 2].item() - own),
        not_finite=int((~losses.isfinite()).sum()),
        origin=(0.0,) * count,
    )


def _kinked(
    model: nn.Module,
    axes: Coordinates,
    chart: Callable[[Tensor], Tensor],
    step: Float[Tensor, " k"],
    params: Mapping[str, Tensor],
    length: int,
) -> bool:
    """Whether a relu kink lies at the point or within the step on either side of it.

    True as well where the contexts are too many to look at every one.
    """
    if isinstance(model, Kinked) and may_kink(model) and model.states**length > 2**LONGEST_EXACT:
        return True
    values = preactivations(model, params, length)
    if values is None:
        return (own_jump(model, params, length) or 0.0) > KINK
    ends = [preactivations(model, axes.params(chart(s * step)), length) for s in (1, -1)]
    if at_kink(values) or any(end is None or end.shape != values.shape for end in ends):
        return True
    return any(bool(((end > 0) != (values > 0)).any()) for end in ends if end is not None)


def _displacement(
    chart: Callable[[Float[Tensor, " k"]], Float[Tensor, " D"]],
    centre: Float[Tensor, " D"],
    tangents: Float[Tensor, "k D"],
    radius: float,
) -> float:
    """The largest |chart(c) - centre - c @ tangents| / |c @ tangents| over the grid's corners c.

    An entry's round-off, four units in the last place of what is added, counts as none.
    """
    ends = torch.tensor([-radius, radius], dtype=torch.float64, device=centre.device)
    corners = torch.cartesian_prod(*[ends] * len(tangents)).reshape(-1, len(tangents))
    moves = corners @ tangents
    gap = (vmap(chart)(corners) - (centre + moves)).abs()
    rounding = 4 * EPS * (centre.abs() + corners.abs() @ tangents.abs())
    gap = torch.where(gap <= rounding, 0.0, gap)
    return float((gap.norm(dim=1) / moves.norm(dim=1)).nan_to_num(torch.inf).max())


def _inside(name: str, offset: Float[Tensor, " D"], rows: Float[Tensor, "k D"]) -> Tensor:
    """The coordinates of an offset in the span of the rows; ValueError if it is not in it."""
    at: Tensor = torch.linalg.lstsq(rows.T, offset[:, None]).solution[:, 0]
    left = (offset - at @ rows).norm().item()
    if not left <= 1e-9 * max(1.0, offset.norm().item()):
        raise ValueError(
            f"points[{name!r}] lies {left:.2g} outside the plane; give directions that span it"
        )
    return torch.where(at.abs() < 1e-14, 0.0, at)  # round-off of the solver
