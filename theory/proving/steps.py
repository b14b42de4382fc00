"""Proofs as lists of steps that a machine accepts or refuses.

A step is of one of three kinds. An `Identity` is accepted where left - right simplifies to exactly
0. A `Sign` is accepted where sympy decides it from the assumptions on the symbols. A `Lemma` is a
theorem of the literature, named and cited: it is the only kind that is believed, and says what it
is used for. Where a step is refused, a point is looked for at which it is false.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import sympy as sp

from theory.precision import workdps
from theory.proving.domain import EVERYWHERE, Domain

SignName = Literal["positive", "negative", "nonnegative", "nonpositive", "nonzero"]

TRIES, DIGITS = 12, 40


@dataclass(frozen=True)
class Identity:
    """left = right for all values of the symbols in the domain.

    Fields: `claim` in words; `left` and `right`, scalars or matrices of equal shape; `domain`, what
    p and q (and others) are replaced by, the open unit square unless it says otherwise.
    """

    claim: str
    left: sp.Expr | sp.MatrixBase
    right: sp.Expr | sp.MatrixBase
    domain: Domain = field(default_factory=lambda: EVERYWHERE)

    def residuals(self) -> Iterator[sp.Expr]:
        """The entries of left - right, in the symbols of the domain."""
        difference = sp.sympify(self.left) - sp.sympify(self.right)
        entries = difference if isinstance(difference, sp.MatrixBase) else [difference]
        for entry in entries:
            yield entry.subs(self.domain)


@dataclass(frozen=True)
class Sign:
    """An expression has a sign for all values of the symbols in the domain."""

    claim: str
    expression: sp.Expr
    sign: SignName
    domain: Domain = field(default_factory=lambda: EVERYWHERE)


@dataclass(frozen=True)
class Lemma:
    """A theorem of the literature: its name, where it is found, and what it gives here."""

    claim: str
    name: str
    citation: str


Step = Identity | Sign | Lemma


@dataclass(frozen=True)
class Outcome:
    """Whether a step was accepted, and why, in words: at which point it is false, if one is known.

    `false` is True only where such a point was found.
    """

    accepted: bool
    reason: str
    false: bool = False


def check_step(step: Step) -> Outcome:
    """Accept or refuse one step.

    >>> x = sp.Symbol("x", real=True)
    >>> check_step(Identity("a square", (x + 1) ** 2, x**2 + 2 * x + 1)).accepted
    True
    >>> check_step(Identity("not one", (x + 1) ** 2, x**2 + 1)).reason
    'refuted: left - right = -50 at x = -25'
    >>> check_step(Sign("a sum of squares", x**2 + 1, "positive")).accepted
    True
    """
    if isinstance(step, Lemma):
        return Outcome(True, f"{step.name} ({step.citation})")
    with workdps(DIGITS):  # sympy sets the precision of mpmath wherever it evaluates
        return _check_identity(step) if isinstance(step, Identity) else _check_sign(step)


def _check_identity(step: Identity) -> Outcome:
    left, right = sp.sympify(step.left), sp.sympify(step.right)
    if getattr(left, "shape", ()) != getattr(right, "shape", ()):
        return Outcome(False, "refuted: the two sides have different shapes", false=True)
    for residual in step.residuals():
        if vanishes(residual):
            continue
        for point in points(residual):
            value = residual.subs(point).evalf(DIGITS)
            if value.is_number and abs(value) > sp.Float(10) ** (-DIGITS // 2):
                return Outcome(False, f"refuted: left - right = {at(value, point)}", false=True)
        return Outcome(False, f"not decided: the residual {residual} did not simplify to 0")
    return Outcome(True, "left - right simplifies to 0")


def _check_sign(step: Sign) -> Outcome:
    expression = sp.sympify(step.expression).subs(step.domain)
    forms: tuple[Callable[[], sp.Expr], ...] = (
        lambda: expression,
        lambda: normal(expression),
        lambda: sp.factor(expression),
    )
    for form in forms:
        if getattr(form(), f"is_{step.sign}"):
            return Outcome(True, f"{step.sign} under the assumptions on the symbols")
    for point in points(expression):
        exact = expression.subs(point)
        value = exact.evalf(DIGITS)
        if value.is_real and _contradicts(exact, value, step.sign):
            return Outcome(False, f"refuted: the value is {at(value, point)}", false=True)
    return Outcome(False, f"not decided: whether {normal(expression)} is {step.sign}")


def _contradicts(exact: sp.Expr, value: sp.Expr, sign: SignName) -> bool:
    small = sp.Float(10) ** (-DIGITS // 2)
    if exact == 0:
        return sign in ("positive", "negative", "nonzero")
    if sign in ("positive", "nonnegative"):
        return bool(value < -small)
    if sign in ("negative", "nonpositive"):
        return bool(value > small)
    return False


def vanishes(residual: sp.Expr) -> bool:
    """Whether an expression simplifies to exactly 0, by the cheapest of several ways.

    >>> a, b = sp.symbols("a b", positive=True)
    >>> vanishes(sp.log(a * b) - sp.log(a) - sp.log(b)), vanishes(a - b)
    (True, False)
    """
    ways: tuple[Callable[[], sp.Expr], ...] = (
        lambda: residual,
        lambda: sp.expand(residual),
        lambda: normal(residual),
        lambda: sp.simplify(residual),
        lambda: sp.simplify(sp.expand_log(sp.expand_power_exp(residual))),
    )
    return any(way() == 0 for way in ways)


def normal(expression: sp.Expr) -> sp.Expr:
    """One fraction in lowest terms, with the logarithms of products and quotients taken apart."""
    apart = sp.expand_log(
        expression.replace(sp.log, lambda argument: sp.log(sp.factor(sp.together(argument))))
    )
    return sp.factor(sp.cancel(sp.together(apart)))


def points(expression: sp.Expr) -> Iterator[dict[sp.Symbol, sp.Rational]]:
    """A few exact points of the symbols' ranges, the same ones each time."""
    generator = random.Random(0)
    symbols = sorted(expression.free_symbols, key=str)
    for attempt in range(TRIES):
        point = {}
        for symbol in symbols:
            size = sp.Rational(generator.randint(1, 40), generator.randint(1, 16) if attempt else 1)
            if symbol.is_integer:
                size = sp.Integer(max(1, round(size)))
            sign = 1 if symbol.is_nonnegative or generator.random() < 0.5 else -1
            point[symbol] = -abs(size) if symbol.is_nonpositive else sign * size
        yield point


def at(value: sp.Expr, point: dict[sp.Symbol, sp.Rational]) -> str:
    """A value and the point it was found at, in words."""
    where = ", ".join(f"{symbol} = {number}" for symbol, number in point.items())
    number = f"{float(value):.6g}" if value.is_real else str(sp.N(value, 6))
    return f"{number} at {where}" if where else number
