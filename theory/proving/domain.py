"""Regions of the parameters, each the image of positive numbers, so that signs can be decided.

Sympy decides the sign of an expression whose symbols are positive, but knows no p < 1 and no
p + q > 1. With p = 1/(1+u), q = 1/(1+v) the open unit square is the image of u, v > 0, and

    p + q < 1  iff  uv > 1,    p + q = 1  iff  uv = 1,    p + q > 1  iff  uv < 1.
"""

from collections.abc import Mapping

import sympy as sp

from theory.symbols import p, q, tau, w

Domain = Mapping[sp.Symbol, sp.Expr]

u, v, t, y = sp.symbols("u v t y", positive=True)
"""Odds (1-p)/p and (1-q)/q of staying, and two distances from the boundary of a region."""


def square(second: sp.Expr) -> dict[sp.Symbol, sp.Expr]:
    """p and q with odds u and `second` of staying."""
    return {p: 1 / (1 + u), q: 1 / (1 + second)}


EVERYWHERE: Domain = square(v)
"""0 < p, q < 1."""

BELOW: Domain = square((1 + t) / u)
"""p + q < 1, uv = 1 + t."""

ON: Domain = square(1 / u)
"""p + q = 1."""

ABOVE: Domain = square(1 / (u * (1 + t)))
"""p + q > 1, uv = 1/(1+t)."""

UPWARD: Domain = {w: y, tau: sp.S.One}
"""w > 0."""

SHALLOW: Domain = {w: -1 / (sp.sqrt(2) * (1 + y)), tau: sp.S.NegativeOne}
"""-1/sqrt2 < w < 0."""

DEEP: Domain = {w: -(1 + y) / sp.sqrt(2), tau: sp.S.NegativeOne}
"""w < -1/sqrt2."""
