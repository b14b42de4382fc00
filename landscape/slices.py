"""Losses on a line or plane through a point, with the plane's own checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import vmap

from landscape.curvature import Coordinates, Objective, hessian_products, in_float64
from landscape.spectrum import Spectrum

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True)
class LossSlice:
    """L(theta + alpha d_1 + beta d_2) on a grid, the directions exactly as given.

    `alpha` and `beta` multiply the directions; along a unit direction they are distances in
    parameter space. `curvature_error` is the largest difference between d^T H d and a second
    difference of the loss along each direction: the slice is the one that was asked for.
    """

    center_loss: float  # nats, the loss at alpha = beta = 0 evaluated on its own
    alpha: Float[np.ndarray, " A"]
    beta: Float[np.ndarray, " B"]  # [0.] for a line
    loss: Float[np.ndarray, "A B"]  # nats
    directions: Float[np.ndarray, "k D"]  # k = 1 or 2 rows
    names: tuple[str, ...]
    gram: Float[np.ndarray, "k k"]  # inner products of the directions
    norms: Float[np.ndarray, " k"]
    curvature_error: float

    def to_xarray(self) -> xarray.Dataset:
        """The grid of losses with its axes, Gram matrix and checks."""
        import xarray

        return xarray.Dataset(
            {
                "loss": (("alpha", "beta"), self.loss, {"units": "nat"}),
                "center_loss": ((), self.center_loss, {"units": "nat"}),
                "direction": (("axis", "coordinate"), self.directions),
                "gram": (("axis", "other_axis"), self.gram),
                "norm": ("axis", self.norms),
                "curvature_error": ((), self.curvature_error),
            },
            coords={"alpha": self.alpha, "beta": self.beta, "axis": list(self.names)},
        )


def eigen_directions(spectrum: Spectrum) -> tuple[Float[Tensor, "2 D"], tuple[str, str]]:
    """Eigenvectors of the lowest and of the highest eigenvalue that does not count as zero.

    Where fewer than two are nonzero (p+q = 1), flat directions fill the plane.

    Raises:
        ValueError: if the model has a single parameter.
    """
    if spectrum.parameters < 2:
        raise ValueError("a model of 1 parameter has no plane; give one direction of your own")
    zero = spectrum.eigenvalues.abs() <= spectrum.zero_bound
    order = torch.cat([torch.nonzero(~zero).flatten(), torch.nonzero(zero).flatten()])
    last = max(int((~zero).sum()), 2) - 1
    ends = sorted([int(order[0]), int(order[last])])
    return spectrum.eigenvectors[:, ends].T, (f"eigenvector {ends[0]}", f"eigenvector {ends[1]}")


def loss_slice(
    model: nn.Module,
    objective: Objective,
    params: Mapping[str, Tensor],
    directions: Float[Tensor, "k D"],
    *,
    names: Sequence[str] | None = None,
    resolution: int = 51,
    radius: float = 2.0,
) -> LossSlice:
    """The loss on a grid through `params` along one or two directions, in float64.

    Args:
        model: gives the function; it is not changed.
        objective: the loss.
        params: the centre of the slice.
        directions: one or two rows; used as they are, never normalised.
        names: one name per direction.
        resolution: points per axis, an odd number so that the centre is one of them.
        radius: the axes run from -radius to radius, in multiples of the directions.

    Raises:
        ValueError: for directions that are not one or two finite, independent rows of length D,
            an even resolution or one below 3, or a radius that is not positive.

    >>> from landscape import BinaryMarkov, ExactLoss, ReducedModel, unigram_point
    >>> model, loss = ReducedModel(), ExactLoss(BinaryMarkov(0.5, 0.8), 1)
    >>> axes = torch.eye(3, dtype=torch.float64)[[0, 2]]
    >>> result = loss_slice(model, loss, unigram_point(model, loss).params, axes, resolution=5)
    >>> result.loss.shape, bool(result.loss[2, 2] == result.loss.min())
    ((5, 5), True)
    """
    params = in_float64(params)
    axes = Coordinates.of(params)
    count = directions.shape[0]
    if count not in (1, 2) or directions.shape[1] != axes.size or not directions.isfinite().all():
        raise ValueError(
            f"directions of shape {tuple(directions.shape)} do not span a slice of a model of "
            f"{axes.size} parameters; give one or two finite rows of that length"
        )
    directions = directions.to(torch.float64)
    gram = directions @ directions.T
    if torch.linalg.matrix_rank(gram, hermitian=True) < count:
        raise ValueError("directions are linearly dependent or zero; give independent ones")
    if resolution < 3 or resolution % 2 == 0:
        raise ValueError(f"resolution={resolution} is out of range; give an odd integer >= 3")
    if not 0 < radius < float("inf"):
        raise ValueError(f"radius={radius} is out of range; give a positive number")
    names = tuple(names) if names else tuple(f"direction {k}" for k in range(count))
    centre = axes.vector(params)

    def at(offset: Float[Tensor, " k"]) -> Float[Tensor, ""]:
        return objective(model, axes.params(centre + offset @ directions))

    chunk = max(1, 2 ** (17 - objective.length))
    axis = torch.linspace(-radius, radius, resolution, dtype=torch.float64)
    axis = (axis - axis.flip(0)) / 2  # exactly symmetric, so that the middle is exactly 0
    other = axis if count == 2 else torch.zeros(1, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, other)[:, :count].to(centre.device)
    losses = vmap(at, chunk_size=chunk)(grid).reshape(resolution, len(other))

    unit = torch.eye(count, dtype=torch.float64, device=centre.device)
    exact = (hessian_products(objective, model, params, directions) * directions).sum(1)
    middle = at(0 * unit[0])
    step = 1e-3 / directions.norm(dim=1, keepdim=True)  # truncation and rounding near 1e-8
    sides = torch.stack([vmap(at)(unit * step), vmap(at)(-unit * step)])
    difference = (sides.sum(0) - 2 * middle) / step[:, 0] ** 2
    scale = directions.norm(dim=1) ** 2
    return LossSlice(
        center_loss=middle.item(),
        alpha=axis.numpy(),
        beta=other.numpy(),
        loss=losses.cpu().numpy(),
        directions=directions.cpu().numpy(),
        names=names,
        gram=gram.cpu().numpy(),
        norms=directions.norm(dim=1).cpu().numpy(),
        curvature_error=((difference - exact) / scale).abs().max().item(),
    )
