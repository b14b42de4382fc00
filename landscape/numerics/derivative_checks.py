"""Whether a function rounds below float64, and whether its derivatives are those of its values."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.overrides import TorchFunctionMode

from landscape.numerics.differentiation import Function, reverse_over_reverse, slope_at

NEARBY = 0.1
"""Deviation of the points at which a function is looked at: generic ones, beside its own."""

TRIES = 3
"""Points that must agree before a function is called rough: at one, a kink may lie by chance."""

FINE = 2.0**-22
"""Step of the fourth difference: a few roundings of a float32 of size 1. Coarser ones leave a
function constant over such a step, and its quotients are not its derivative."""

ROUGH = 1e-12
"""Fourth difference, over the value, from which on it is no round-off of float64: that is 16 eps
times the condition of the function, of which this leaves a factor of 300. What float32 leaves is
2e-7 times the share that went through it; h^4 of the smooth part is 3e-27."""

STEPS = (1e-4, 1e-5, 1e-3, 1e-6)
"""Steps of the central difference quotients, tried in turn: truncation h^4, round-off eps/h."""

RELATIVE, ABSOLUTE = 1e-5, 1e-7
"""Difference of a derivative from its quotient that is truncation and round-off at one step."""


def _eps(value: Tensor) -> float:
    if value.is_floating_point() or value.is_complex():
        return float(torch.finfo(value.dtype).eps)
    return 0.0


class _Narrowings(TorchFunctionMode):
    """Records the operations that take a differentiable tensor to less precision."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[Any, str]] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        given = [x for x in (*args, *(kwargs or {}).values()) if isinstance(x, Tensor)]
        finest = min((_eps(x) for x in given if x.requires_grad and _eps(x)), default=0.0)
        # what is written into in place is an argument, and the result may be none
        made = [*(result if isinstance(result, tuple) else (result,)), *given[:1]]
        for out in made:
            if isinstance(out, Tensor) and 0 < finest < _eps(out) and out.grad_fn is not None:
                name = getattr(func, "__name__", str(func)).strip("_")
                self.found.append((out.grad_fn, f"{name} to {str(out.dtype).rpartition('.')[2]}"))
        return result


def ancestors(node: Any) -> Iterator[Any]:
    """The nodes of the graph that a value was computed by."""
    seen: set[Any] = set()
    ahead = [node]
    while ahead:
        here = ahead.pop()
        if here is None or here in seen:
            continue
        seen.add(here)
        yield here
        ahead.extend(parent for parent, _ in here.next_functions)


def _nearby(vector: Float[Tensor, " D"], tries: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Points beside a vector and directions there, the same ones every time."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(tries):
        drawn = torch.randn(2, len(vector), generator=generator, dtype=torch.float64)
        offset, direction = drawn.to(vector.device)
        yield vector.detach() + NEARBY * offset, direction


def narrowing(function: Function, vector: Float[Tensor, " D"]) -> str | None:
    """The operation by which a function of float64 rounds to less precision inside, if one does.

    Found in the graph of the value; or, where it hides from that, by the fourth difference
    ``f(-2h) - 4 f(-h) + 6 f(0) - 4 f(h) + f(2h)``, which of a smooth function is h^4 and round-off.

    >>> point = torch.ones(3, dtype=torch.float64)
    >>> narrowing(lambda x: x.float().sin().double().sum(), point)
    'float to float32'
    >>> narrowing(lambda x: x.sin().sum(), point) is None
    True
    """
    point = vector.detach().requires_grad_()
    narrowings = _Narrowings()
    with torch.enable_grad(), narrowings:
        value = function(point)
    if narrowings.found:
        nodes = set(ancestors(value.grad_fn))
        for node, name in narrowings.found:
            if node in nodes:
                return name
    with torch.no_grad():
        if all(_rough(function, *there) for there in _nearby(vector, TRIES)):
            return "an operation of less precision than float64"
    return None


def _rough(function: Function, point: Tensor, direction: Tensor) -> bool:
    values = [function(point + k * FINE * direction).double() for k in (-2, -1, 0, 1, 2)]
    far, near, middle, close, beyond = (float(value) for value in values)
    left = far - 4 * near + 6 * middle - 4 * close + beyond
    return abs(left) > ROUGH * max(1.0, abs(middle))


def wrong_derivative(function: Function, vector: Float[Tensor, " D"]) -> str | None:
    """Which derivative, "first" or "second", is not that of the function's values, if one is not.

    Both are compared with central difference quotients of fourth order at points nearby, of the
    values and of the gradients. An operation whose backward pass is another function's (a
    straight-through estimator, `detach`) has a wrong first derivative, and some of torch's fused
    kernels have a wrong second one. Points at which the function is not finite tell nothing.

    >>> point = torch.ones(3, dtype=torch.float64)
    >>> wrong_derivative(lambda x: (x * x.detach()).sum(), point)
    'first'
    >>> wrong_derivative(lambda x: (x**3).sum(), point) is None
    True
    """
    found = [_wrong_at(function, *there) for there in _nearby(vector, TRIES - 1)]
    return next(iter(found)) if all(found) else None


def _wrong_at(function: Function, point: Tensor, direction: Tensor) -> str | None:
    def value(moved: Tensor) -> Tensor:
        with torch.no_grad():
            return function(moved).double()

    _, slope, middle = slope_at(function, point)
    if not (middle.isfinite() and slope.isfinite().all()):
        return None
    if not _agrees(slope @ direction, value, point, direction):
        return "first"
    product = reverse_over_reverse(function, point, direction[None])[0]
    if not _agrees(product, lambda moved: slope_at(function, moved)[1], point, direction):
        return "second"
    return None


def _agrees(
    derivative: Tensor, quantity: Callable[[Tensor], Tensor], point: Tensor, direction: Tensor
) -> bool:
    for h in STEPS:
        up, down, far_up, far_down = (quantity(point + k * h * direction) for k in (1, -1, 2, -2))
        quotient = (8 * (up - down) - (far_up - far_down)) / (12 * h)
        size = torch.maximum(derivative.abs().max(), quotient.abs().max())
        if bool((derivative - quotient).abs().max() <= RELATIVE * size + ABSOLUTE):
            return True
    return False
