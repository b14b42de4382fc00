"""Steps evaluated at points in mpmath: no simplification, no assumption, no sympy arithmetic."""

import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import mpmath
import sympy as sp
from sympy.core.function import AppliedUndef

from theory.proving.steps import Identity, Sign

DIGITS, GUARD = 50, 30

Point = dict[str, sp.Rational]


def sides(step: Identity | Sign) -> Iterator[tuple[sp.Expr, sp.Expr]]:
    """Pairs (left, right) of entries in the symbols of the domain; a sign is against 0."""
    raw = (step.left, step.right) if isinstance(step, Identity) else (step.expression, 0)
    left, right = (entries(sp.sympify(side)) for side in raw)
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        yield concrete(one.subs(step.domain)), concrete(other.subs(step.domain))


def entries(side: Any) -> list[sp.Expr]:
    return list(side) if isinstance(side, sp.MatrixBase) else [side]


def concrete(expression: sp.Expr) -> sp.Expr:
    """A function of which nothing is said becomes a particular one, and derivatives are taken."""

    def sample(applied: sp.Expr) -> sp.Expr:
        seed = sum(map(ord, str(applied.func)))
        total = sum((seed % 7 + k + 2) * value / 9 for k, value in enumerate(applied.args))
        return sp.exp(total / 3) + total**3 / 5

    if expression.atoms(AppliedUndef):
        expression = expression.replace(lambda e: isinstance(e, AppliedUndef), sample)
    return expression.doit() if expression.atoms(sp.Derivative, sp.Sum, sp.Subs) else expression


def unknowns(*expressions: sp.Expr) -> list[sp.Expr]:
    """The symbols, and the entries of indexed ones, each a number of its own."""
    indexed = set().union(*(e.atoms(sp.Indexed) for e in expressions))
    names = {base for entry in indexed for base in entry.base.free_symbols}
    symbols = set().union(*(e.free_symbols for e in expressions)) - indexed - names
    return sorted(symbols | indexed, key=str)


def random_point(generator: random.Random, symbols: list[sp.Expr]) -> Point:
    """A rational in the range of each symbol, in size between 1/20 and 3."""
    point = {}
    for symbol in symbols:
        number = sp.Rational(generator.randint(5, 300), 101)
        if symbol.is_integer:
            number = sp.Integer(generator.randint(1, 5))
        negative = not symbol.is_nonnegative and generator.random() < 0.5
        point[str(symbol)] = -number if symbol.is_nonpositive or negative else number
    return point


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    sp.Add: lambda *terms: mpmath.fsum(terms),
    sp.Mul: lambda *factors: mpmath.fprod(factors),
    sp.Pow: mpmath.power,
    sp.exp: mpmath.exp,
    sp.log: mpmath.log,
    type(sp.E): lambda: +mpmath.e,
    sp.Abs: mpmath.fabs,
    sp.sign: mpmath.sign,
    sp.Max: max,
    sp.Min: min,
}


def value(expression: sp.Expr, point: Point) -> mpmath.mpf:
    """The number at a point, to 80 digits: the tree as it stands, from its leaves up."""
    found: dict[sp.Basic, Any] = {}

    def at(node: sp.Basic) -> Any:
        if node not in found:
            number = point.get(str(node)) if isinstance(node, sp.Symbol | sp.Indexed) else node
            if isinstance(number, sp.Rational):
                found[node] = mpmath.mpf(int(number.p)) / int(number.q)
            else:
                found[node] = FUNCTIONS[node.func](*map(at, node.args))
        return found[node]

    with mpmath.workdps(DIGITS + GUARD):
        return mpmath.mpmathify(at(expression))


def worst(step: Identity, *, points: int = 3, seed: int = 20240406) -> mpmath.mpf:
    """The largest distance between the sides of an identity, over its entries and some points.

    The distance is |left - right| over the larger of 1, |left| and |right|.
    """
    generator = random.Random(seed)
    found = [mpmath.mpf(0)]
    for left, right in sides(step):
        if left == right:
            continue  # the same expression: a 16 x 16 matrix has many
        symbols = unknowns(left, right)
        for _ in range(points if symbols else 1):
            point = random_point(generator, symbols)
            one, other = value(left, point), value(right, point)
            with mpmath.workdps(DIGITS + GUARD):
                found.append(abs(one - other) / max(1, abs(one), abs(other)))
    return max(found)


def named_point(reason: str) -> Point:
    """The point in the words of a refusal, such as "... at u = 25, v = 27"."""
    pairs = re.findall(r"([^\s,]+) = (-?\d+(?:/\d+)?)(?=,|$)", reason.rpartition(" at ")[2])
    return {name: sp.Rational(number) for name, number in pairs}
