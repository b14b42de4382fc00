"""A step as plain text, as a terminal shows it."""

from __future__ import annotations

import sympy as sp

from theory.export.notation import LN, regions, relation, witness
from theory.proving.steps import Lemma, Step

__all__ = ["equation", "located", "plain", "where"]

SHORT = 240
"""Signs of the longest side that is printed: two or three lines of a terminal."""


def plain(side: sp.Expr | sp.MatrixBase) -> str:
    """An expression as text, with ln, ^, |x|, and a matrix as a list of its rows.

    >>> from theory.symbols import p, w
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

    >>> from theory.proving.steps import Sign
    >>> from theory.symbols import w
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

    >>> from theory.symbols import p, q
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
