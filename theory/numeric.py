"""The one door from symbols to numbers: float64 arrays, tensors or mpmath numbers.

Expressions pass through `theory.stable` first, so nothing overflows on the way. Rationals are
divided by the namespace itself when the function is called: under mpmath at whatever precision is
then in force.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import sympy as sp
from sympy.printing.lambdarepr import LambdaPrinter

from theory.namespaces import NAMESPACES
from theory.stable import stable

__all__ = ["function"]


class ExactPrinter(LambdaPrinter):  # type: ignore[misc]  # sympy has no annotations
    """Python source in which a rational is a call, so that the namespace divides and not Python."""

    def _print_Rational(self, expression: sp.Rational) -> str:
        return f"ratio({expression.p}, {expression.q})"

    _print_Half = _print_Rational


def function(
    arguments: Sequence[sp.Symbol],
    expression: sp.Expr | sp.MatrixBase | Sequence[sp.Expr],
    namespace: ModuleType,
) -> Callable[..., Any]:
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
