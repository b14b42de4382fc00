"""The block of (b, E) at the unigram point on S symbols where each z_n moves with its own input."""

from __future__ import annotations

import sympy as sp

from theory.statements.shared.unigram_jet import Unigram, marginal, stationary_words

__all__ = ["SIZE", "block", "entry", "generic_law", "shifted", "universal_block", "variance"]

SIZE = 3
"""Symbols of the block that is written out."""


def generic_law() -> tuple[sp.Matrix, sp.Matrix, sp.Matrix]:
    """pi, G and C_1 of any stationary law of pairs on three symbols."""
    pairs = stationary_words(SIZE, 2)
    pi = sp.Matrix([marginal(pairs, (0,), (t,)) for t in range(SIZE)])
    C_1 = sp.Matrix(SIZE, SIZE, lambda t, s: pairs[t, s]) - pi * pi.T
    return pi, sp.diag(*pi) - pi * pi.T, C_1


def block() -> tuple[sp.Matrix, sp.Matrix, sp.Matrix]:
    """The block of (b, E) at J = I, one component and equal z_n = z, with G and C_1 free."""
    names = [f"{i}{j}" for i in range(SIZE) for j in range(SIZE)]
    C = sp.Matrix(SIZE, SIZE, [sp.Symbol(f"C_{name}", real=True) for name in names])
    G = sp.Matrix(SIZE, SIZE, lambda i, j: sp.Symbol(f"G_{min(i, j)}{max(i, j)}", real=True))
    z = sp.Symbol("z", real=True)
    H = sp.Matrix(sp.BlockMatrix([[G, G * z], [G * z, G * z**2 - C - C.T]]))
    return H, G, C


def universal_block() -> tuple[sp.Matrix, sp.Matrix]:
    """The universal law's block at J = I and equal z, and what it should be, any stationary law."""
    unigram = Unigram(SIZE, 1, 2, "tied", "softmax")
    z = sp.Symbol("z", real=True)
    values: dict[sp.Symbol, sp.Expr] = {unigram.z(n)[0]: z for n in (1, 2)}
    values |= {unigram.J(n, i)[0]: sp.Integer(n == i) for n in (1, 2) for i in range(1, n + 1)}
    symbols = range(SIZE)
    G, C_1 = (
        sp.Matrix([[unigram.covariance(k, t, s) for s in symbols] for t in symbols]) for k in (0, 1)
    )
    expected = sp.Matrix(sp.BlockMatrix([[G, G * z], [G * z, G * z**2 - C_1 - C_1.T]]))
    return unigram.closed_form()[:-1, :-1].subs(values), expected


def entry() -> tuple[sp.Matrix, sp.Matrix]:
    """Entry (s, t) of the block of b and two components of E after the shear, and its value.

    The shear of b by z is the same for every symbol, so it acts on each pair of symbols alone.
    """
    G, C = sp.Symbol("G_st", real=True), sp.Symbol("C_st", real=True)
    back = sp.Symbol("C_ts", real=True)
    z = sp.Matrix(sp.symbols("z_0:2", real=True))
    inner = G * z * z.T - (C + back) * sp.eye(2)
    H = sp.Matrix(sp.BlockMatrix([[G * sp.eye(1), G * z.T], [G * z, inner]]))
    shear = sp.eye(3)
    shear[0, 1:] = -z.T
    return shear.T * H * shear, sp.diag(G, -C - back, -C - back)


def shifted() -> tuple[sp.Matrix, sp.Matrix]:
    """Input of a symbol s and difference of the logits of s and t, before and after the move."""
    E_s, E_t, c, position, z = sp.symbols("E_s E_t c_v p_i z_v", real=True)
    b_s, b_t, beta = sp.symbols("b_s b_t beta_v", real=True)
    moved = (E_s + c) * z + b_s + beta - (E_t + c) * z - b_t - beta
    return (
        sp.Matrix([(E_s + c) + position, moved]),
        sp.Matrix([E_s + (position + c), E_s * z + b_s - E_t * z - b_t]),
    )


def variance() -> tuple[sp.Expr, sp.Expr]:
    """sum_s pi_s (v_s - m)^2 with m, A the sums of pi_s v_s and pi_s v_s^2, and v^T G v = A - m^2.

    Term by term over any S symbols, whose pi_s sum to 1.
    """
    chance, v = sp.Symbol("pi_s", positive=True), sp.Symbol("v_s", real=True)
    m, A = sp.symbols("m_v A_v", real=True)
    term = sp.Poly(sp.expand(chance * (v - m) ** 2 / chance), v)
    sums = {2: A, 1: m, 0: sp.S.One}
    total = sum((c * sums[power] for (power,), c in term.terms()), sp.S.Zero)
    return total, A - m**2
