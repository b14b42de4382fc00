"""The one door from symbols to numbers: float64 arrays, tensors or mpmath numbers.

An expression is first written with functions that do not overflow on the way (`stable`), and then
evaluated with those of one namespace. Rationals are divided by the namespace itself when the
function is called: under mpmath at whatever precision is then in force.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from types import ModuleType
from typing import Any

import sympy as sp
from sympy.printing.lambdarepr import LambdaPrinter

__all__ = ["function"]

Function = Callable[..., Any]


class ExactPrinter(LambdaPrinter):  # type: ignore[misc]  # sympy has no annotations
    """Python source in which a rational is a call, so that the namespace divides and not Python."""

    def _print_Rational(self, expression: sp.Rational) -> str:
        return f"ratio({expression.p}, {expression.q})"

    _print_Half = _print_Rational


def function(
    arguments: Sequence[sp.Symbol],
    expression: sp.Expr | sp.MatrixBase | Sequence[sp.Expr],
    namespace: ModuleType,
) -> Function:
    """A numerical function of `arguments` that returns the value of `expression`.

    Arguments:
        arguments: the symbols, in the order of the function's parameters.
        expression: a scalar, a matrix, or a sequence of scalars.
        namespace: the module numpy, torch or mpmath, handed by the caller.

    Returns a function of arrays that broadcast (numpy), of tensors (torch; differentiable), or of
    anything mpmath reads, Fraction and Decimal included. A matrix comes back with rows and columns
    as its last two axes, or as an mpmath.matrix; a sequence as a list.
    Raises ValueError for another namespace, or where the expression has a symbol that is not among
    the arguments.

    >>> import numpy
    >>> f = sp.Symbol("f", real=True)
    >>> function([f], sp.log(1 + sp.exp(f)), numpy)(numpy.array([-800.0, 800.0])).tolist()
    [0.0, 800.0]
    """
    name = getattr(namespace, "__name__", repr(namespace))
    if name not in NAMESPACES:
        raise ValueError(
            f"namespace = {name} is not known: hand over one of {', '.join(NAMESPACES)}"
        )
    supplied = NAMESPACES[name](namespace)
    matrix = expression if isinstance(expression, sp.MatrixBase) else None
    # an ImmutableMatrix is an Expr too
    scalar = matrix is None and isinstance(expression, sp.Expr)
    entries = [sp.sympify(entry) for entry in ([expression] if scalar else expression)]
    free = set().union(*(entry.free_symbols for entry in entries))
    if missing := sorted(str(symbol) for symbol in free - set(arguments)):
        raise ValueError(
            f"arguments = {list(arguments)} lacks {', '.join(missing)}: "
            "add every symbol of the expression, or substitute a number for it"
        )
    evaluate = sp.lambdify(
        list(arguments),
        [stable(entry) for entry in entries],
        modules=[supplied.names],
        printer=ExactPrinter({"fully_qualified_modules": False, "allow_unknown_functions": True}),
        cse=True,
    )

    def call(*values: Any) -> Any:
        results = evaluate(*map(supplied.read, values))
        if matrix is not None:
            return supplied.gather(results, matrix.shape)
        return results[0] if scalar else results

    return call


logaddexp, loghypot, choose, maximum, signum = (
    sp.Function(name, real=True)
    for name in ("logaddexp", "loghypot", "choose", "maximum", "signum")
)
"""Supplied by every namespace; choose(A, yes, no) is yes where A >= 0."""


def stable(expression: sp.Expr) -> sp.Expr:
    """The same value, written with functions that neither overflow nor cancel.

    >>> f = sp.Symbol("f", real=True)
    >>> stable(sp.log(1 + sp.exp(f))), stable(sp.exp(f) / (1 + sp.exp(f)))
    (logaddexp(0, f), exp(f - logaddexp(0, f)))
    """
    if not expression.args:
        return expression
    if isinstance(expression, sp.log) and positive(expression.args[0]):
        return logarithm(expression.args[0])
    if isinstance(expression, sp.Mul):
        hot = [factor for factor in expression.args if factor.has(sp.exp) and positive(factor)]
        if any(factor.is_Pow and factor.base.is_Add for factor in hot):
            rest = [stable(factor) for factor in expression.args if factor not in hot]
            return sp.Mul(*rest) * sp.exp(sp.Add(*map(logarithm, hot)))
    arguments = [stable(argument) for argument in expression.args]
    if isinstance(expression, sp.Max):
        return reduce(maximum, arguments)
    if isinstance(expression, sp.sign):
        return signum(*arguments)
    return expression.func(*arguments)


def conjugate_pair(expression: sp.Expr) -> tuple[sp.Expr, sp.Expr] | None:
    """(A, C) where `expression` is A + sqrt(A^2 + C) with C > 0, else None."""
    if not expression.is_Add:
        return None
    for root in expression.args:
        if root.is_Pow and root.exp == sp.S.Half:
            A = expression - root
            C = sp.expand(root.base - A**2)
            if positive(C):
                return A, C
    return None


def positive(expression: sp.Expr) -> bool:
    """Whether `expression` is positive for all values of its symbols, as far as can be told."""
    if expression.is_positive or conjugate_pair(expression):
        return True
    if expression.is_Add or expression.is_Mul:
        return all(positive(argument) for argument in expression.args)
    return bool(expression.is_Pow and positive(expression.base) and expression.exp.is_real)


def logarithm(expression: sp.Expr) -> sp.Expr:
    """ln(expression) of a positive expression, term by term and factor by factor."""
    terms = [log_factor(factor) for factor in sp.Mul.make_args(expression)]
    split = next((term for term in terms if isinstance(term, tuple)), None)
    if split is None:
        return sp.Add(*terms)
    A, yes, no = split
    rest = sp.expand(sp.Add(*(term for term in terms if term is not split)))
    return choose(A, sp.expand(yes + rest), sp.expand(no + rest))


def log_factor(factor: sp.Expr) -> sp.Expr | tuple[sp.Expr, sp.Expr, sp.Expr]:
    """ln(factor), or (A, value where A >= 0, value where A < 0) for a factor A + sqrt(A^2 + C)."""
    if isinstance(factor, sp.exp):
        return stable(factor.args[0])
    pair = conjugate_pair(factor)
    if pair:
        A, C = pair
        size = loghypot(A, logarithm(C))
        return A, size, logarithm(C) - size
    if factor.is_Pow and positive(factor.base):
        return factor.exp * logarithm(factor.base)
    if factor.is_Add and all(positive(term) for term in factor.args):
        return reduce(
            logaddexp, sorted((logarithm(term) for term in factor.args), key=sp.default_sort_key)
        )
    return sp.log(stable(factor))


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
