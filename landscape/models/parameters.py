"""The parameters of a model: as a dictionary, as one vector, in its place for a call, unmoved."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.func import functional_call

from landscape.models.kernels import differentiable_kernels

Params = dict[str, Tensor]
"""Values by name, tied ones once: a point of parameter space."""


def trainable(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The parameters that are trained and measured, tied names once: those that require gradients.

    One with `requires_grad=False` is frozen: a constant of the model, in training and in every
    derivative.

    Raises:
        ValueError: for a complex parameter, whose gradient is not one number an entry.

    >>> model = nn.Linear(1, 1)
    >>> _ = model.bias.requires_grad_(False)
    >>> [name for name, _ in trainable(model)]
    ['weight']
    """
    for name, value in model.named_parameters():
        if value.requires_grad:
            _refuse_complex(name, value)
            yield name, value


def frozen(model: nn.Module) -> list[str]:
    """The names of the others, `requires_grad=False`: constants of the model."""
    return [name for name, value in model.named_parameters() if not value.requires_grad]


def _refuse_complex(name: str, value: Tensor) -> None:
    if value.is_complex():
        raise ValueError(
            f"parameter {name!r} is complex ({value.dtype}), and only real ones are trained and "
            "measured; keep its real and imaginary parts as one real parameter [..., 2] and take "
            "torch.view_as_complex of it in forward"
        )


def split(model: nn.Module, params: Mapping[str, Tensor]) -> tuple[Params, Params]:
    """Those parameters of a point that are measured, and those that the model holds frozen.

    Raises:
        ValueError: if every one is frozen.

    >>> model = nn.Linear(1, 1)
    >>> _ = model.bias.requires_grad_(False)
    >>> moving, held = split(model, dict(model.named_parameters()))
    >>> list(moving), list(held)
    (['weight'], ['bias'])
    """
    check_named(params)
    fixed = set(frozen(model))
    held = {name: value for name, value in params.items() if name in fixed}
    moving = {name: value for name, value in params.items() if name not in fixed}
    if not moving:
        raise ValueError(
            f"every parameter of {type(model).__name__} is frozen (requires_grad=False), so that "
            "nothing is left to train or to measure; call requires_grad_(True) on those that are "
            "to be"
        )
    return moving, held


def value_of(model: object, params: Mapping[str, Tensor], name: str) -> Tensor:
    """A parameter's value at a point, or the model's own where it is frozen and not listed."""
    if name in params or not isinstance(model, nn.Module):
        return params[name]
    return model.get_parameter(name).detach()


def parameters_of(model: nn.Module) -> Params:
    """The model's own parameters as detached clones: tied names once, frozen ones left out."""
    return {name: value.detach().clone() for name, value in trainable(model)}


def check_named(params: object, name: str = "params") -> None:
    """Raise TypeError unless parameters are given by name; the record of a point is no such thing.

    >>> check_named({"e": torch.zeros(2)})
    >>> check_named(torch.zeros(2))
    Traceback (most recent call last):
        ...
    TypeError: params is of type Tensor, and must be a mapping from names to tensors; ...
    """
    if isinstance(params, Mapping):
        return
    own = isinstance(getattr(params, "params", None), Mapping)
    hint = "those of a point are point.params" if own else "take parameters_of(model)"
    raise TypeError(
        f"{name} is of type {type(params).__name__}, and must be a mapping from names to tensors; "
        f"{hint}"
    )


def in_float64(params: Mapping[str, Tensor]) -> Params:
    """The parameters in float64, where curvature is measured whatever the training dtype was.

    Raises:
        ValueError: for a complex one, which would lose its imaginary part.

    >>> in_float64({"half": torch.ones(1).half()})["half"].dtype
    torch.float64
    """
    check_named(params)
    for name, value in params.items():
        _refuse_complex(name, value)
    return {
        name: value.detach().to(torch.float64) if value.is_floating_point() else value.detach()
        for name, value in params.items()
    }


def widened(value: Tensor, dtype: torch.dtype) -> Tensor:
    """A constant in a real dtype, or in the complex one of that precision: nothing else changes.

    Integers stay integers and complex numbers complex.

    >>> widened(torch.tensor([1 + 2j]), torch.float64), widened(torch.tensor(3), torch.float64)
    (tensor([1.+2.j], dtype=torch.complex128), tensor(3))
    """
    if value.is_complex():
        return value.to(dtype.to_complex())
    return value.to(dtype) if value.is_floating_point() else value


def to_dtype(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """The model itself, its parameters and buffers `widened` to a dtype in their places.

    `Module.to(dtype)` does the same, but drops the imaginary part of complex buffers.
    """

    def convert(module: nn.Module) -> None:
        for _, parameter in module.named_parameters(recurse=False):
            parameter.data = widened(parameter.data, dtype)
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, widened(buffer, dtype))

    return model.apply(convert)


def _constants(model: nn.Module, params: Mapping[str, Tensor]) -> Params:
    """Frozen parameters and buffers of less precision than the parameters, in theirs."""
    dtype = next((value.dtype for value in params.values() if value.is_floating_point()), None)
    if dtype is None:
        return {}
    found, eps = {}, torch.finfo(dtype).eps
    for name, value in chain(model.named_parameters(), model.named_buffers()):
        inexact = value.is_floating_point() or value.is_complex()
        if name not in params and inexact and torch.finfo(value.dtype).eps > eps:
            found[name] = widened(value.detach(), dtype)
    return found


def as_arrays(params: Mapping[str, Tensor]) -> dict[str, Float[np.ndarray, "..."]]:
    """The parameters as numpy arrays in float64: what a closed form may be told of a network."""
    return {name: value.cpu().numpy() for name, value in in_float64(params).items()}


class _Method(nn.Module):
    def __init__(self, model: nn.Module, method: str) -> None:
        super().__init__()
        self.model = model
        self.method = method

    def forward(self, *args: Any) -> Any:
        return getattr(self.model, self.method)(*args)


def call(model: nn.Module, params: Mapping[str, Tensor], method: str, *args: Any) -> Any:
    """Call `model.method(*args)` with `params` in place of its parameters; the model is unmoved.

    `functional_call` reaches only `forward`; wrapping the model for the length of the call makes
    every method reachable in the same pure way, under vmap, jvp and grad alike. The wrapper is
    built from inside, without registering hooks or changing train/eval mode.

    What is not in `params` is the model's own, in the precision of `params` if its own is less. The
    layers run on kernels that can be differentiated twice (`landscape.models.kernels`). Tied names
    are looked up here: `functional_call` does not give back what a module shared under two names
    had of its own.
    """
    check_named(params)
    wrapper = _Method(model, method)
    wrapper.training = model.training
    values = _under_all_names(model, {**_constants(model, params), **params})
    with differentiable_kernels(model):
        return functional_call(
            wrapper,
            {f"model.{name}": value for name, value in values.items()},
            args,
            tie_weights=False,
        )


def _under_all_names(model: nn.Module, values: Mapping[str, Tensor]) -> Params:
    """Values by every name that a module has them by; modules under two names are taken once."""
    names: dict[int, list[str]] = {}
    for prefix, module in model.named_modules():
        own = chain(module.named_parameters(recurse=False), module.named_buffers(recurse=False))
        for name, value in own:
            names.setdefault(id(value), []).append(f"{prefix}.{name}" if prefix else name)
    found = dict(values)
    for tied in names.values():
        given = next((values[name] for name in tied if name in values), None)
        if len(tied) > 1 and given is not None:
            found.update((name, values.get(name, given)) for name in tied)
    return found


@dataclass(frozen=True)
class Coordinates:
    """Names and shapes of the parameters, in the order in which they are laid out as one vector.

    >>> axes = Coordinates.of({"e": torch.zeros(2), "b": torch.zeros(())})
    >>> axes.size, axes.vector({"e": torch.ones(2), "b": torch.tensor(3.0)}).tolist()
    (3, [1.0, 1.0, 3.0])
    """

    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]

    @classmethod
    def of(cls, params: Mapping[str, Tensor]) -> Coordinates:
        """The coordinates of a parameter dictionary, in its own order."""
        check_named(params)
        return cls(tuple(params), tuple(value.shape for value in params.values()))

    @property
    def size(self) -> int:
        """Dimension D of the parameter space."""
        return sum(shape.numel() for shape in self.shapes)

    def vector(self, params: Mapping[str, Tensor]) -> Float[Tensor, " D"]:
        """The parameters as one vector."""
        return torch.cat([params[name].reshape(-1) for name in self.names])

    def params(self, vector: Float[Tensor, " D"]) -> Params:
        """The vector as a parameter dictionary."""
        pieces = vector.split([shape.numel() for shape in self.shapes])
        rows = zip(self.names, pieces, self.shapes, strict=True)
        return {name: piece.reshape(shape) for name, piece, shape in rows}

    def among(self, names: Collection[str], like: Tensor) -> Bool[Tensor, " D"]:
        """Which coordinates belong to parameters of these names, on the device of a tensor.

        >>> Coordinates.of({"e": torch.zeros(2), "b": torch.zeros(())}).among({"b"}, torch.ones(1))
        tensor([False, False,  True])
        """
        sizes = torch.tensor([shape.numel() for shape in self.shapes])
        chosen = torch.tensor([name in names for name in self.names])
        return chosen.repeat_interleave(sizes).to(like.device)

    def labels(self) -> list[str]:
        """One label per coordinate, such as ``hidden_in[3,0]``."""
        return [
            f"{name}[{','.join(map(str, index))}]" if shape else name
            for name, shape in zip(self.names, self.shapes, strict=True)
            for index in np.ndindex(*shape)
        ]


@contextmanager
def unchanged(model: nn.Module, params: Mapping[str, Tensor]) -> Iterator[None]:
    """Hold the block to leaving the model and the parameters of a point as they were.

    Compared are the values of all parameters, buffers and `params`, bit for bit (NaN equals NaN),
    every `requires_grad` and every module's train/eval mode. An error inside the block goes on.

    Raises:
        RuntimeError: at the end of the block, naming what has changed.

    >>> model = nn.Linear(1, 1)
    >>> with unchanged(model, {}):
    ...     _ = model.eval()
    Traceback (most recent call last):
        ...
    RuntimeError: the measurement changed the train/eval mode of Linear: ...
    """
    check_named(params)
    before = _state(model, params)
    yield
    after = _state(model, params)
    moved = [name for name in {**before, **after} if not _same(before.get(name), after.get(name))]
    if moved:
        more = f" and {len(moved) - 3} more" if len(moved) > 3 else ""
        raise RuntimeError(
            f"the measurement changed {', '.join(moved[:3])}{more}: an objective must be a "
            f"function of the parameters it is given; compute with torch.func.functional_call, "
            f"never in place, and leave train() and eval() to the caller"
        )


def _state(model: nn.Module, params: Mapping[str, Tensor]) -> dict[str, Tensor | bool]:
    found: dict[str, Tensor | bool] = {}
    for name, value in params.items():
        found[f"the point's {name!r}"] = value.detach().clone()
    for name, parameter in model.named_parameters():
        found[f"the model's parameter {name!r}"] = parameter.detach().clone()
        found[f"requires_grad of {name!r}"] = parameter.requires_grad
    for name, value in model.named_buffers():
        found[f"the model's buffer {name!r}"] = value.detach().clone()
    for name, module in model.named_modules():
        where = repr(name) if name else type(module).__name__
        found[f"the train/eval mode of {where}"] = module.training
    return found


def _same(one: Tensor | bool | None, other: Tensor | bool | None) -> bool:
    if not (isinstance(one, Tensor) and isinstance(other, Tensor)):
        return one is other
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return torch.equal(one, other) or bool(((one == other) | (one.isnan() & other.isnan())).all())
