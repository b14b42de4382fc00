"""Gradients, Hessian products and dense Hessians of an objective, on parameter dictionaries."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import grad, jvp, vmap

from landscape.models.kernels import fused, of_the_package
from landscape.models.parameters import Coordinates, Params, in_float64, split
from landscape.models.soundness import cause
from landscape.numerics.differentiation import (
    FORWARD_MODE,
    Function,
    forward_over_reverse,
    reverse_over_reverse,
    slope_at,
)
from landscape.objectives.protocol import Objective, chunk_of

LARGEST_DENSE = 20_000
"""Most parameters of a dense Hessian: 3.2 GB a matrix, of which the eigensolver needs a few."""

FEW = 4
"""Hessian products that cost less one by one: each needs half the time of a batch of its own."""


def _of_vector(
    model: nn.Module, objective: Objective, params: Mapping[str, Tensor], held: Params
) -> tuple[Function, Float[Tensor, " D"]]:
    """The loss as a function of one vector, and the point as one; what is held is a constant."""
    axes = Coordinates.of(params)

    def loss(vector: Tensor) -> Tensor:
        return objective(model, {**held, **axes.params(vector)})

    return loss, axes.vector(params)


def gradient(
    model: nn.Module, objective: Objective, params: Mapping[str, Tensor]
) -> tuple[Float[Tensor, " D"], float]:
    """Gradient of the loss in float64, and the loss itself.

    Frozen parameters (`requires_grad=False` in the model) are constants and have no entry.
    """
    with fused():
        _, slope, value = slope_at(*_of_vector(model, objective, *split(model, in_float64(params))))
    return slope, value.item()


def hessian_products(
    model: nn.Module,
    objective: Objective,
    params: Mapping[str, Tensor],
    directions: Float[Tensor, "k D"],
    *,
    chunk: int | None = None,
) -> Float[Tensor, "k D"]:
    """H v for each row v of `directions`, in float64, in the coordinates of all that is given.

    Many at once go forward over reverse, which computes the loss and its gradient once for all; a
    few go reverse over reverse, one by one, which spares each operation the price of batching. So
    do all where an operation of the model has no forward mode.

    Args:
        model: gives the function; it is not changed.
        objective: the loss.
        params: the point.
        directions: the vectors v.
        chunk: how many products are formed at once; by default as many as keep the memory of
            one intermediate near a hundred megabytes.

    Raises:
        ValueError: if an operation of the model cannot be differentiated twice.
    """
    return _products(model, objective, in_float64(params), {}, directions, chunk)


def _products(
    model: nn.Module,
    objective: Objective,
    params: Mapping[str, Tensor],
    held: Params,
    directions: Float[Tensor, "k D"],
    chunk: int | None = None,
) -> Float[Tensor, "k D"]:
    loss, vector = _of_vector(model, objective, params, held)
    if len(directions) > FEW:
        chunk = chunk or chunk_of(model, objective, 2**18)
        try:
            return forward_over_reverse(loss, vector, directions, chunk=chunk)
        except (NotImplementedError, RuntimeError) as error:
            if of_the_package(model) or isinstance(error, torch.OutOfMemoryError):
                raise
    try:
        return reverse_over_reverse(loss, vector, directions)
    except (NotImplementedError, RuntimeError) as error:
        if of_the_package(model) or isinstance(error, torch.OutOfMemoryError):
            raise
        why, hint = cause(model, error)
        raise ValueError(
            f"{type(model).__name__} has no second derivatives: {why}; {hint}"
        ) from error


def dense_hessian(
    model: nn.Module, objective: Objective, params: Mapping[str, Tensor]
) -> Float[Tensor, "D D"]:
    """The Hessian H = d^2 L / d theta^2 in float64, symmetrised, D products with unit vectors.

    Frozen parameters (`requires_grad=False` in the model) are constants and have no row.

    Raises:
        ValueError: for more than `LARGEST_DENSE` parameters, if all are frozen, or if an operation
            of the model cannot be differentiated twice.
    """
    moving, held = split(model, in_float64(params))
    axes = Coordinates.of(moving)
    if axes.size > LARGEST_DENSE:
        raise ValueError(
            f"a model of {axes.size} parameters is too large for a dense Hessian, which takes "
            f"{8e-9 * axes.size**2:.3g} GB; give a smaller width, hidden width or length: at most "
            f"{LARGEST_DENSE} parameters"
        )
    device = next(iter(params.values())).device
    unit = torch.eye(axes.size, dtype=torch.float64, device=device)
    matrix = _products(model, objective, moving, held, unit)
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
