"""What numpy, torch and mpmath each supply to an expression: the same names, no overflow.

The module is handed in by the caller; nothing here imports torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

__all__ = ["NAMESPACES", "Namespace"]

Function = Callable[..., Any]


@dataclass(frozen=True)
class Namespace:
    """One numerical namespace.

    Fields: `names`, every function the printed source may call; `read`, applied to each argument;
    `gather`, which makes a matrix of given shape out of its entries in row order.
    """

    names: dict[str, Function]
    read: Callable[[Any], Any]
    gather: Callable[[list[Any], tuple[int, int]], Any]


def names(
    *,
    log: Function,
    exp: Function,
    sqrt: Function,
    logaddexp: Function,
    where: Function,
    ratio: Function,
) -> dict[str, Function]:
    """Every name an expression uses, from the six that differ between namespaces."""

    def loghypot(A: Any, log_square: Any) -> Any:
        size = log(abs(A))
        return logaddexp(size, logaddexp(2 * size, log_square) / 2)

    return {
        "log": log,
        "exp": exp,
        "sqrt": sqrt,
        "ratio": ratio,
        "logaddexp": logaddexp,
        "loghypot": loghypot,
        "choose": lambda A, yes, no: where(A >= 0, yes, no),
        "maximum": lambda u, v: where(u >= v, u, v),
        "signum": lambda u: where(u > 0, 1, where(u < 0, -1, 0)),
    }


def divide(numerator: int, denominator: int) -> float:
    """A rational in float64."""
    return numerator / denominator


def numpy_namespace(np: Any) -> Namespace:
    """Arrays that broadcast; float64 in, float64 out."""

    def log(u: Any) -> Any:
        with np.errstate(divide="ignore"):  # ln 0 = -inf is meant where p = q
            return np.log(u)

    def gather(entries: list[Any], shape: tuple[int, int]) -> Any:
        flat = np.stack(np.broadcast_arrays(*entries), -1)
        return flat.reshape(*flat.shape[:-1], *shape)

    def where(condition: Any, yes: Any, no: Any) -> Any:
        return np.where(condition, yes, no)[()]

    return Namespace(
        names=names(
            log=log, exp=np.exp, sqrt=np.sqrt, logaddexp=np.logaddexp, where=where, ratio=divide
        ),
        read=lambda value: value,
        gather=gather,
    )


def torch_namespace(torch: Any) -> Namespace:
    """Tensors, differentiable; a constant stays a float and never raises a tensor's dtype."""

    def either(on_tensor: Function, on_float: Callable[[float], float]) -> Function:
        return lambda u: on_tensor(u) if isinstance(u, torch.Tensor) else on_float(u)

    def tensors(*values: Any) -> list[Any]:
        float64 = torch.zeros((), dtype=torch.float64)
        like = next((value for value in values if isinstance(value, torch.Tensor)), float64)
        return [
            value
            if isinstance(value, torch.Tensor)
            else torch.as_tensor(value, dtype=like.dtype, device=like.device)
            for value in values
        ]

    def where(condition: Any, yes: Any, no: Any) -> Any:
        if isinstance(condition, torch.Tensor):
            return torch.where(condition, *tensors(yes, no))
        return yes if condition else no

    def logaddexp(u: Any, v: Any) -> Any:
        # softplus is wrong by 2e-9 above 20, and the second derivative of torch.logaddexp is nan
        # where the arguments differ by more than 709
        u, v = tensors(u, v)
        logsigmoid = torch.nn.functional.logsigmoid
        return torch.where(u >= v, u - logsigmoid(u - v), v - logsigmoid(v - u))

    def gather(entries: list[Any], shape: tuple[int, int]) -> Any:
        flat = torch.stack(torch.broadcast_tensors(*tensors(*entries)), -1)
        return flat.reshape(*flat.shape[:-1], *shape)

    return Namespace(
        names=names(
            log=either(torch.log, lambda u: math.log(u) if u else -math.inf),
            exp=either(torch.exp, math.exp),
            sqrt=either(torch.sqrt, math.sqrt),
            logaddexp=logaddexp,
            where=where,
            ratio=divide,
        ),
        read=lambda value: value,
        gather=gather,
    )


def mpmath_namespace(mp: Any) -> Namespace:
    """mpmath numbers at the precision in force at the call; fractions are divided there."""

    def ratio(numerator: int, denominator: int) -> Any:
        return mp.mpf(numerator) / denominator

    def read(value: Any) -> Any:
        if isinstance(value, Fraction | Decimal):
            return ratio(*value.as_integer_ratio())
        return mp.mpmathify(value)

    def logaddexp(u: Any, v: Any) -> Any:
        small, large = (u, v) if u <= v else (v, u)
        return large + (mp.log1p(mp.exp(small - large)) if small > -mp.inf else 0)

    def gather(entries: list[Any], shape: tuple[int, int]) -> Any:
        rows, columns = shape
        return mp.matrix([entries[row * columns : (row + 1) * columns] for row in range(rows)])

    return Namespace(
        names=names(
            log=mp.log,
            exp=mp.exp,
            sqrt=mp.sqrt,
            logaddexp=logaddexp,
            where=lambda condition, yes, no: yes if condition else no,
            ratio=ratio,
        ),
        read=read,
        gather=gather,
    )


NAMESPACES: dict[str, Callable[[Any], Namespace]] = {
    "numpy": numpy_namespace,
    "torch": torch_namespace,
    "mpmath": mpmath_namespace,
}
