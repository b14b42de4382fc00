"""The span of the logit's gradients at the ansatz, as functions of the context.

The components of `theory.statements.shared.logit_gradient` are combinations of the N + 2 functions
1, x_n, [n=j] K(x_n) for j < N, and K(x_n) m_n, with K = 1 + 4w|w| where the hidden units are on and
1 elsewhere, and m_n the attended mean of x_i - 1/2; and these are combinations of the components.
"""

from __future__ import annotations

import itertools

import sympy as sp

from theory.spectra.universal_law import Tying
from theory.statements.shared.logit_gradient import Slopes
from theory.symbols import tau
from theory.transformer.reduced_logit import absolute_w, sign_symbol

__all__ = [
    "attended",
    "basis",
    "carried",
    "chosen",
    "contexts",
    "determinant",
    "from_basis",
    "left",
    "slopes",
    "to_basis",
    "without_value",
]

Context = tuple[int, ...]


def contexts(length: int) -> list[Context]:
    """All contexts of at most N tokens."""
    return [c for n in range(1, length + 1) for c in itertools.product((0, 1), repeat=n)]


def attended(context: Context) -> sp.Expr:
    """m of a context: any number, but +-1/2 where all tokens are equal."""
    if len(set(context)) == 1:
        return context[0] - sp.S.Half
    return sp.Symbol("m_" + "".join(map(str, context)), real=True)


def slopes(length: int, sign: int, tying: Tying) -> Slopes:
    """The ansatz at d = r = 1; its components are those of any d and r."""
    return Slopes((1,), 1, length, sign, tying)


def carried(length: int, sign: int, tying: Tying) -> sp.Matrix:
    """The components of the gradient as functions of the context, one a column."""
    found = slopes(length, sign, tying)
    return sp.Matrix([list(found.components(c, attended(c)).values()) for c in contexts(length)])


def gain(sign: int, token: int) -> sp.Expr:
    """K(x) = 1 + 4 w|w| F(x)."""
    return 1 + 4 * tau * absolute_w**2 * slopes(1, sign, "tied").fires(token)


def basis(chosen: list[Context], length: int, sign: int) -> sp.Matrix:
    """The functions 1, x_n, [n=j] K(x_n) for j < N, and K(x_n) m_n, one a column."""
    rows = []
    for c in chosen:
        K = gain(sign, c[-1])
        at = [sp.Integer(len(c) == j) * K for j in range(1, length)]
        rows.append([sp.S.One, sp.Integer(c[-1]), *at, K * attended(c)])
    return sp.Matrix(rows)


def affine(values: tuple[sp.Expr, sp.Expr], length: int) -> sp.Matrix:
    """A function of x_n alone in the basis, from its values at 0 and 1."""
    return sp.Matrix([values[0], values[1] - values[0], *[0] * length])


def from_basis(length: int, sign: int, tying: Tying) -> sp.Matrix:
    """R with components = basis R."""
    E = sign_symbol(sign)
    found = slopes(length, sign, tying)
    zero, one = (found.components((x,), x - sp.S.Half) for x in (0, 1))
    unit = sp.eye(length + 2)
    columns = []
    for name in zero:
        if name == "value":
            columns.append(E**2 * unit[:, -1])
        elif name == f"p_{length}":  # what is left of K, a function of x_n
            rest = affine((gain(sign, 0), gain(sign, 1)), length)
            columns.append(E * (rest - sum((unit[:, 1 + j] for j in range(1, length)), 0 * rest)))
        elif name.startswith("p_"):
            columns.append(E * unit[:, 1 + int(name[2:])])
        else:
            columns.append(affine((zero[name], one[name]), length))
    return sp.Matrix.hstack(*columns)


def to_basis(length: int, sign: int, tying: Tying, *, bent: bool) -> sp.Matrix:
    """Q with basis = components Q; `bent` where w != 0, so that a hidden unit tells x_n."""
    E = sign_symbol(sign)
    names = list(slopes(length, sign, tying).components((0,), -sp.S.Half))
    Q = sp.zeros(len(names), length + 2)
    place = {name: row for row, name in enumerate(names)}
    Q[place["bias"], 0] = 1
    if bent:
        Q[place["hidden_out"], 1] = 1 / (absolute_w * E**2)
        Q[place["bias"], 1] = sp.Integer(sign < 0)
    elif tying == "tied":
        Q[place["embedding"], 1] = 1 / (2 * E)
        Q[place["bias"], 1] = sp.Rational(1, 4)
    else:
        Q[place["embedding"], 1] = 1 / E
    for j in range(1, length):
        Q[place[f"p_{j}"], 1 + j] = 1 / E
    Q[place["value"], -1] = 1 / E**2
    return Q


def chosen(length: int, sign: int) -> list[Context]:
    """N+2 contexts: N of equal tokens that fire nothing, the other token, and then the first."""
    still = 0 if sign > 0 else 1
    return [*((still,) * n for n in range(1, length + 1)), (1 - still,), (1 - still, still)]


def determinant(length: int, sign: int) -> sp.Expr:
    """Of the basis on those contexts."""
    return basis(chosen(length, sign), length, sign).det()


def left(sign: int) -> sp.Matrix:
    """1, x_n and K m_n on one equal token, the other, and the two of them, for any N."""
    still = 0 if sign > 0 else 1
    rows = []
    for c in ((still,), (1 - still,), (1 - still, still)):
        rows.append([sp.S.One, sp.Integer(c[-1]), gain(sign, c[-1]) * attended(c)])
    return sp.Matrix(rows)


def without_value(length: int, sign: int) -> sp.Expr:
    """The determinant of 1, x_n, [n=j] K for j < N on the first N+1 contexts."""
    return basis(chosen(length, sign)[:-1], length, sign)[:, :-1].det()
