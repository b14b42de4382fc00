"""The gradient of the single-layer transformer's logit at the rank-one ansatz, and its span.

Where e and w are not 0 no hidden unit is at its kink, and near the ansatz the relu multiplies by a
constant, 1 where e t > 0 and 0 elsewhere, t = x_n - 1/2. So the logit is differentiated with that
constant in the place of the relu, at widths that are numbers, with the query, the key and the
output matrix anything.

As functions of the context the components of the gradient are combinations of the N + 2 functions
1, x_n, [n=j] K(x_n) for j < N, and K(x_n) m_n, with K = 1 + 4w|w| where the hidden units are on and
1 elsewhere, and m_n the attended mean of x_i - 1/2; and these are combinations of the components.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from theory.spectra.universal_law import Tying
from theory.symbols import tau
from theory.transformer.forward import absolute_w, ansatz, sign_symbol

__all__ = [
    "Slopes",
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

_step = sp.Symbol("h", real=True)

Weights = Mapping[str, sp.Matrix]
Context = tuple[int, ...]


@dataclass(frozen=True)
class Slopes:
    """The ansatz of width d = len(signs), hidden width r and length N on one branch of e.

    Fields: `signs`, of alpha; `hidden` r; `length` N; `e_sign`, 1 or -1; `tying`.
    """

    signs: tuple[int, ...]
    hidden: int
    length: int
    e_sign: int
    tying: Tying

    @property
    def alpha(self) -> sp.Matrix:
        """The unit vector, [d, 1]."""
        return sp.Matrix(self.signs) / sp.sqrt(len(self.signs))

    @property
    def weights(self) -> dict[str, sp.Matrix]:
        """The ansatz with W_V = 0, its readout, and free matrices W_Q, W_K, W_O."""
        found = ansatz(self.signs, hidden=self.hidden, length=self.length, e_sign=self.e_sign)
        for name in ("query", "key", "output"):
            found[name] = free(name, found[name])
        return {**found, "readout": found["embedding"]}

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters, in the order of a gradient; tied, the readout is the embedding."""
        return tuple(n for n in self.weights if n != "readout" or self.tying == "untied")

    def fires(self, token: int) -> int:
        """F, 1 where the hidden units are on after this token."""
        return int(self.e_sign * (2 * token - 1) > 0)

    def logit(self, weights: Weights, context: Sequence[int]) -> sp.Expr:
        """<a, z_n> + b after a context, the relu held as it is at the ansatz."""
        n, d = len(context), len(self.signs)
        u = [x * weights["embedding"] + weights["positions"][i, :].T for i, x in enumerate(context)]
        query = weights["query"] * u[-1]
        scores = [sp.exp((query.T * weights["key"] * key)[0] / sp.sqrt(d)) for key in u]
        mixed = sum((s * weights["value"] * v for s, v in zip(scores, u, strict=True)), 0 * u[0])
        y = u[n - 1] + weights["output"] * mixed / sum(scores)
        on = self.fires(context[-1])
        z = y + on * weights["hidden_out"] * weights["hidden_in"] * y
        value: sp.Expr = (weights["readout"].T * z)[0] + weights["bias"][0]
        return value

    def gradient(self, context: Sequence[int]) -> sp.Matrix:
        """The gradient of the logit at the ansatz in all weights, one after the other."""
        point = self.weights
        moves = {name: free(f"D{name}", point[name]) for name in self.names}
        if self.tying == "tied":
            moves["readout"] = moves["embedding"]
        moved = {name: point[name] + _step * moves[name] for name in point}
        slope = sp.diff(self.logit(moved, context), _step).subs(_step, 0)
        entries = [entry for name in self.names for entry in moves[name]]
        still = dict.fromkeys(entries, sp.S.Zero)
        # linear in the moves: the coefficient of one is the value where it is 1 and all others 0
        found = sp.Matrix([slope.xreplace({**still, entry: sp.S.One}) for entry in entries])
        return found.replace(sp.exp, lambda score: sp.exp(sp.expand(score)))

    def attended(self, context: Sequence[int]) -> sp.Expr:
        """m = sum_i att_i (x_i - 1/2), a key x_i scored by e^2 t (x_i - 1/2) kappa."""
        halves = [x - sp.S.Half for x in context]
        e, score = sign_symbol(self.e_sign), self.weights["query"].T * self.weights["key"]
        kappa = (self.alpha.T * score * self.alpha)[0] / sp.sqrt(len(self.signs))
        shares = [sp.exp(sp.expand(e**2 * halves[-1] * half * kappa)) for half in halves]
        total = sum(share * half for share, half in zip(shares, halves, strict=True))
        return total / sum(shares)

    def components(self, context: Sequence[int], attended: sp.Expr) -> dict[str, sp.Expr]:
        """The components of a gradient in the directions that carry it: `theory.spectra.bigram`.

        >>> slopes = Slopes((1,), 1, 1, 1, "tied")
        >>> slopes.components((0,), -sp.S.Half)["embedding"]
        -e/2
        """
        e, n, x = sign_symbol(self.e_sign), len(context), context[-1]
        t, F = x - sp.S.Half, self.fires(x)
        K = 1 + 4 * tau * absolute_w**2 * F
        found = {"bias": sp.S.One, "embedding": x * e * K, "readout": e * t * K}
        if self.tying == "tied":
            found["embedding"] += found.pop("readout")
        found |= {f"p_{j}": sp.Integer(n == j) * e * K for j in range(1, self.length + 1)}
        found["value"] = e**2 * K * attended
        found["hidden_out"] = 2 * absolute_w * e**2 * t * F
        found["hidden_in"] = 2 * tau * absolute_w * e**2 * t * F
        return found

    def carried(self, context: Sequence[int]) -> sp.Matrix:
        """The gradient put together from its components, in the order of `gradient`."""
        point, part = self.weights, self.components(context, self.attended(context))
        alpha, ones = self.alpha, sp.ones(self.hidden, 1) / sp.sqrt(self.hidden)
        rows = [part[f"p_{j}"] * alpha.T for j in range(1, self.length + 1)]
        blocks = {name: sp.zeros(*point[name].shape) for name in self.names}
        blocks |= {name: part[name] * alpha for name in ("embedding", "readout") if name in part}
        blocks |= {
            "bias": sp.Matrix([part["bias"]]),
            "positions": sp.Matrix.vstack(*rows),
            "value": part["value"] * point["output"].T * alpha * alpha.T,
            "hidden_out": part["hidden_out"] * alpha * ones.T,
            "hidden_in": part["hidden_in"] * ones * alpha.T,
        }
        return sp.Matrix([entry for name in self.names for entry in blocks[name]])


def free(name: str, like: sp.Matrix) -> sp.Matrix:
    """A matrix of free symbols of the shape of another."""
    return sp.Matrix(*like.shape, lambda i, j: sp.Symbol(f"{name}_{i}{j}", real=True))


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
