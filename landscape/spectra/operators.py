"""Gradients, Hessian products and dense Hessians of an objective, on parameter dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import RLock

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import grad, jvp, vmap

from landscape.models.parameters import Coordinates, in_float64
from landscape.objectives.protocol import Objective, chunk_of

FORWARD_MODE = RLock()
"""Held by whoever differentiates forward: that belongs to one thread at a time.

torch.func counts how deeply `jvp` and `jacfwd` are nested in a variable of the whole process: a
thread that leaves a derivative of its own ends that of every other, whose tangents then become zero
without a word.
"""

LARGEST_DENSE = 20_000
"""Most parameters of a dense Hessian: 3.2 GB a matrix, of which the eigensolver needs a few."""

FEW = 4
"""Hessian products that cost less one by one: each needs half the time of a batch of its own."""


def _slope(
    model: nn.Module, objective: Objective, params: Mapping[str, Tensor], *, again: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """A point as one vector, and the gradient and loss there; `again` lets it be differentiated."""
    axes = Coordinates.of(params)
    point = axes.vector(params).detach().requires_grad_()
    with torch.enable_grad():
        value = objective(model, axes.params(point))
        (slope,) = torch.autograd.grad(value, point, create_graph=again)
    return point, slope, value


def gradient(
    model: nn.Module, objective: Objective, params: Mapping[str, Tensor]
) -> tuple[Float[Tensor, " D"], float]:
    """Gradient of the loss in float64, and the loss itself."""
    _, slope, value = _slope(model, objective, in_float64(params))
    return slope, value.item()


def hessian_products(
    model: nn.Module,
    objective: Objective,
    params: Mapping[str, Tensor],
    directions: Float[Tensor, "k D"],
    *,
    chunk: int | None = None,
) -> Float[Tensor, "k D"]:
    """H v for each row v of `directions`, in float64.

    Many at once go forward over reverse, which computes the loss and its gradient once for all; a
    few go reverse over reverse, one by one, which spares each operation the price of batching.

    Args:
        model: gives the function; it is not changed.
        objective: the loss.
        params: the point.
        directions: the vectors v.
        chunk: how many products are formed at once; by default as many as keep the memory of
            one intermediate near a hundred megabytes.
    """
    params = in_float64(params)
    if len(directions) <= FEW:
        return _one_by_one(model, objective, params, directions)
    axes = Coordinates.of(params)

    def slope(vector: Tensor) -> Tensor:
        there: Tensor = grad(lambda v: objective(model, axes.params(v)))(vector)
        return there

    def product(direction: Tensor) -> Tensor:
        products: Tensor = jvp(slope, (axes.vector(params),), (direction,))[1]
        return products

    with FORWARD_MODE:
        chunk = chunk or chunk_of(model, objective, 2**18)
        return vmap(product, chunk_size=chunk)(directions)


def _one_by_one(
    model: nn.Module,
    objective: Objective,
    params: Mapping[str, Tensor],
    directions: Float[Tensor, "k D"],
) -> Float[Tensor, "k D"]:
    point, slope, _ = _slope(model, objective, params, again=True)
    if not slope.requires_grad:  # a linear loss
        return torch.zeros_like(directions)
    products = [
        torch.autograd.grad(
            slope, point, direction, retain_graph=True, allow_unused=True, materialize_grads=True
        )[0]
        for direction in directions
    ]
    return torch.stack(products)


def dense_hessian(
    model: nn.Module, objective: Objective, params: Mapping[str, Tensor]
) -> Float[Tensor, "D D"]:
    """The Hessian H = d^2 L / d theta^2 in float64, symmetrised, D products with unit vectors.

    Raises:
        ValueError: for more than `LARGEST_DENSE` parameters.
    """
    axes = Coordinates.of(params)
    if axes.size > LARGEST_DENSE:
        raise ValueError(
            f"a model of {axes.size} parameters is too large for a dense Hessian, which takes "
            f"{8e-9 * axes.size**2:.3g} GB; give a smaller width, hidden width or length: at most "
            f"{LARGEST_DENSE} parameters"
        )
    device = next(iter(params.values())).device
    unit = torch.eye(axes.size, dtype=torch.float64, device=device)
    matrix = hessian_products(model, objective, params, unit)
    return (matrix + matrix.T) / 2


RAY_STEP = 2.0**-10
"""Of the second derivatives that are extrapolated along a ray, in multiples of its direction."""


def curvatures_along_rays(
    loss: Callable[[Float[Tensor, " D"]], Float[Tensor, ""]],
    points: Float[Tensor, "n D"],
    direction: Float[Tensor, " D"],
    *,
    step: float = RAY_STEP,
    chunk: int | None = None,
) -> Float[Tensor, " n"]:
    """lim_{t->0+} d^2/dt^2 L(theta + t v) at every point, on the far side of a kink too.

    Beyond the kink the loss is smooth, so the cubic through the second derivatives at
    t = h, 2h, 3h, 4h extrapolates to t = 0 with error O(h^4).

    Args:
        loss: of a parameter vector, in float64.
        points: where.
        direction: v, of any length.
        step: h.
        chunk: how many second derivatives are formed at once; all by default.

    >>> hinge = lambda x: x.clamp(min=0).square().sum()
    >>> points, up = torch.zeros(1, 1).double(), torch.ones(1).double()
    >>> [round(curvatures_along_rays(hinge, points, v).item(), 9) for v in (up, -up)]
    [2.0, 0.0]
    """
    multiples = torch.arange(1, 5, dtype=points.dtype, device=points.device)

    def second(point: Tensor, multiple: Tensor) -> Tensor:
        def along(t: Tensor) -> Tensor:
            return loss(point + t * direction)

        value: Tensor = jvp(grad(along), (multiple * step,), (torch.ones_like(multiple),))[1]
        return value

    starts = points.repeat_interleave(4, 0)
    with FORWARD_MODE:
        values = vmap(second, chunk_size=chunk)(starts, multiples.repeat(len(points)))
    return values.reshape(-1, 4) @ values.new_tensor([4.0, -6.0, 4.0, -1.0])
