"""Hessian products of a function of one vector, by either mode of automatic differentiation."""

from collections.abc import Callable
from threading import RLock

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import grad, jvp, vmap

Function = Callable[[Float[Tensor, " D"]], Float[Tensor, ""]]

FORWARD_MODE = RLock()
"""Held by whoever differentiates forward: that belongs to one thread at a time.

torch.func counts how deeply `jvp` and `jacfwd` are nested in a variable of the whole process: a
thread that leaves a derivative of its own ends that of every other, whose tangents then become zero
without a word.
"""


def slope_at(
    function: Function, vector: Float[Tensor, " D"], *, again: bool = False
) -> tuple[Float[Tensor, " D"], Float[Tensor, " D"], Float[Tensor, ""]]:
    """The vector as a leaf, the gradient and the value there; `again` keeps the gradient's graph.

    >>> slope_at(lambda x: (x**2).sum(), torch.tensor([3.0]))[1].item()
    6.0
    """
    point = vector.detach().requires_grad_()
    with torch.enable_grad():
        value = function(point)
        if not value.requires_grad:  # a constant
            return point, torch.zeros_like(point), value
        (slope,) = torch.autograd.grad(
            value, point, create_graph=again, allow_unused=True, materialize_grads=True
        )
    return point, slope, value


def forward_over_reverse(
    function: Function,
    vector: Float[Tensor, " D"],
    directions: Float[Tensor, "k D"],
    *,
    chunk: int | None = None,
) -> Float[Tensor, "k D"]:
    """H v for each row v: the gradient, computed once for all, differentiated along the rows.

    >>> forward_over_reverse(lambda x: (x**3).sum(), torch.ones(2), torch.eye(2)).tolist()
    [[6.0, 0.0], [0.0, 6.0]]
    """
    slope = grad(function)

    def product(direction: Tensor) -> Tensor:
        along: Tensor = jvp(slope, (vector,), (direction,))[1]
        return along

    with FORWARD_MODE:
        return vmap(product, chunk_size=chunk)(directions)


def reverse_over_reverse(
    function: Function, vector: Float[Tensor, " D"], directions: Float[Tensor, "k D"]
) -> Float[Tensor, "k D"]:
    """H v for each row v, one by one: the gradient of <gradient, v>.

    >>> reverse_over_reverse(lambda x: (x**3).sum(), torch.ones(2), torch.eye(2)).tolist()
    [[6.0, 0.0], [0.0, 6.0]]
    """
    point, slope, _ = slope_at(function, vector, again=True)
    if not slope.requires_grad:  # a linear function
        return torch.zeros_like(directions)
    products = [
        torch.autograd.grad(
            slope, point, direction, retain_graph=True, allow_unused=True, materialize_grads=True
        )[0]
        for direction in directions
    ]
    return torch.stack(products)
