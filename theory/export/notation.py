"""Steps in the notation of the papers: which relation is claimed, where, and where it fails.

The derivation writes tau = sign(w); the papers write w|w| for tau w^2. It decides signs in positive
symbols, whose odds u and v the papers do not have: those are said in words, and a point found in
them is given in p and q as well. As plain text that is what a terminal shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import sympy as sp

from theory.proving.domain import ABOVE, BELOW, DEEP, EVERYWHERE, ON, SHALLOW, UPWARD, Domain
from theory.proving.steps import Identity, Lemma, Sign, Step
from theory.symbols import p, q, tau, w

__all__ = [
    "ODDS",
    "Region",
    "Relation",
    "equation",
    "kind",
    "located",
    "papers",
    "plain",
    "regions",
    "relation",
    "where",
    "witness",
]

Side: TypeAlias = sp.Expr | sp.MatrixBase

ODDS = "u = (1-p)/p and v = (1-q)/q are the odds of staying"
"""What the symbols of `theory.proving.domain` mean, for a reader of a witness."""
SHORT = 240
"""Signs of the longest side that is printed: two or three lines of a terminal."""


class Relation(NamedTuple):
    """What a step claims: `left` `sign` `right`, the sign one of = > < >= <= !=."""

    left: Side
    sign: str
    right: Side


class Region(NamedTuple):
    """Where a step holds: in words, and as LaTeX."""

    words: str
    latex: str


LN, EXP = sp.Function("ln"), sp.Function("exp")

SIGNS = {"positive": ">", "negative": "<", "nonnegative": ">=", "nonpositive": "<="}

SQUARE = Region("0 < p, q < 1", "0 < p, q < 1")

NAMED: tuple[tuple[Domain, Region], ...] = (
    (BELOW, Region("p + q < 1", "p + q < 1")),
    (ON, Region("p + q = 1", "p + q = 1")),
    (ABOVE, Region("p + q > 1", "p + q > 1")),
    (EVERYWHERE, SQUARE),
    (UPWARD, Region("w > 0", "w > 0")),
    (SHALLOW, Region("-1/sqrt2 < w < 0", r"-1/\sqrt{2} < w < 0")),
    (DEEP, Region("w < -1/sqrt2", r"w < -1/\sqrt{2}")),
)


def kind(step: Step) -> str:
    """The kind of a step: "identity", "sign" or "lemma"."""
    return type(step).__name__.lower()


def papers(side: Side) -> Side:
    """An expression with tau w^k written |w| w^(k-1), and what is left of tau as sign(w).

    The exponential is a function by name, for e is the embedding; the logarithm is ln.

    >>> papers(1 + 2 * tau * w**2), papers(sp.log(1 + sp.exp(w)))
    (2*w*Abs(w) + 1, ln(exp(w) + 1))
    """
    if isinstance(side, sp.MatrixBase):
        entries: Side = side.applyfunc(papers)
        return entries
    bars = sp.sympify(side).replace(_has_absolute_value, _with_absolute_value)
    signs = bars.subs(tau, sp.sign(w)).replace(sp.log, LN).replace(sp.exp, EXP)
    named: Side = signs.xreplace({sp.E: EXP(1)})
    return named


def _has_absolute_value(expression: sp.Basic) -> bool:
    powers = expression.as_powers_dict() if expression.is_Mul else {}
    return powers.get(tau) == 1 and bool(powers.get(w, sp.S.Zero).is_positive)


def _with_absolute_value(product: sp.Expr) -> sp.Expr:
    return product / (tau * w) * sp.Abs(w)


def relation(step: Identity | Sign) -> Relation:
    """The relation of a step, in the notation of the papers.

    >>> relation(Sign("a square", w**2 + 1, "positive"))
    Relation(left=w**2 + 1, sign='>', right=0)
    """
    if isinstance(step, Sign):
        return Relation(papers(step.expression), SIGNS.get(step.sign, "!="), sp.S.Zero)
    return Relation(papers(step.left), "=", papers(step.right))


def regions(step: Step) -> tuple[Region, ...]:
    """Where a step holds, as far as that restricts the symbols in it to less than 0 < p, q < 1.

    >>> [region.words for region in regions(Sign("p is positive", p, "positive", BELOW))]
    ['p + q < 1']
    """
    if isinstance(step, Lemma):
        return ()
    sides = (step.expression,) if isinstance(step, Sign) else (step.left, step.right)
    present = set().union(*(sp.sympify(side).free_symbols for side in sides))
    if present & {p, q}:
        present |= {p, q}  # a region of the square restricts the two together
    if tau in present:
        present.add(w)
    rest = {symbol: value for symbol, value in step.domain.items() if symbol in present}
    return tuple(_named(rest))


def _named(rest: dict[sp.Symbol, sp.Expr]) -> Iterator[Region]:
    for domain, region in NAMED:
        inside = {symbol: value for symbol, value in domain.items() if symbol in rest}
        if inside and inside.items() <= rest.items() and (p in inside or w in inside):
            rest = {symbol: value for symbol, value in rest.items() if symbol not in domain}
            if region is not SQUARE:  # which is where every step holds that says nothing else
                yield region
    for symbol, value in rest.items():
        yield Region(
            f"{symbol} = {sp.sstr(value).replace('**', '^').replace('*', ' ')}",
            f"{sp.latex(symbol)} = {sp.latex(papers(value), ln_notation=True)}",
        )
    for symbol in sorted(set().union(*(v.free_symbols for v in rest.values())), key=str):
        if symbol.is_positive and symbol not in rest:
            yield Region(f"{symbol} > 0", f"{sp.latex(symbol)} > 0")


def witness(step: Step, reason: str) -> dict[str, str]:
    """The symbols of the domain at the point that a refusal names, such as p and q.

    Empty where the reason names no point, or where the point is in those symbols already.

    >>> witness(Sign("false", p - q, "positive"), "refuted: the value is -0.5 at u = 3, v = 1")
    {'p': '1/4', 'q': '1/2'}
    """
    if isinstance(step, Lemma):
        return {}
    pairs = re.findall(r"(\w+) = (-?\d+(?:/\d+)?)(?=,|$)", reason.rpartition(" at ")[2])
    found = {name: sp.Rational(number) for name, number in pairs}
    at = {}
    for symbol, value in step.domain.items():
        number = value.subs({free: found.get(str(free), free) for free in value.free_symbols})
        if value.free_symbols and number.is_number and str(symbol) not in found:
            at[str(symbol)] = str(number) if number.is_Rational else f"{float(number):.6g}"
    return at


def plain(side: sp.Expr | sp.MatrixBase) -> str:
    """An expression as text, with ln, ^, |x|, and a matrix as a list of its rows.

    >>> plain(sp.Abs(w) * sp.log(p) ** 2)
    '|w| ln(p)^2'
    """
    if isinstance(side, sp.MatrixBase):
        rows = (", ".join(plain(entry) for entry in row) for row in side.tolist())
        return "[" + ", ".join(f"[{row}]" for row in rows) + "]"
    bars = {value: sp.Symbol(f"|{plain(value.args[0])}|") for value in side.atoms(sp.Abs)}
    text: str = sp.sstr(side.subs(bars).replace(sp.log, LN))
    return text.replace("**", "^").replace("*", " ")


def equation(step: Step, *, short: int | None = SHORT) -> tuple[str, str]:
    """What a step claims: the left side, and the relation with the right side.

    A side longer than `short` is given by its size. A lemma is its name, and where it is found.

    >>> equation(Sign("a square", w**2 + 1, "positive"))
    ('w^2 + 1', '> 0')
    """
    if isinstance(step, Lemma):
        return step.name, f"({step.citation})"
    left, sign, right = relation(step)
    return _within(left, short), f"{sign} {_within(right, short)}"


def _within(side: sp.Expr | sp.MatrixBase, short: int | None) -> str:
    text = plain(side)
    return text if short is None or len(text) <= short else f"[{size(side)}]"


def size(side: sp.Expr | sp.MatrixBase) -> str:
    """How large an expression is, in words, where it is too large to print.

    >>> size(p + q * p)
    'an expression of 2 operations in p, q'
    """
    names = ", ".join(sorted(str(symbol) for symbol in side.free_symbols))
    counted = f"{int(sp.count_ops(side))} operations" + (f" in {names}" if names else "")
    if isinstance(side, sp.MatrixBase):
        return f"a {side.rows} x {side.cols} matrix of {counted}"
    return f"an expression of {counted}"


def where(step: Step, claim: str = "") -> str:
    """The region of a step, such as "for p + q < 1", less what the claim says itself."""
    words = ", ".join(region.words for region in regions(step) if region.words not in claim)
    return f"for {words}" if words else ""


def located(step: Step, reason: str) -> str:
    """A reason, with the point at which a step fails in p and q as well."""
    at = ", ".join(f"{name} = {value}" for name, value in witness(step, reason).items())
    return f"{reason} ({at})" if at else reason
