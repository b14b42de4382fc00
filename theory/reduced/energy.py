"""The energy that the flow at the best bias conserves, its saddle, and the level through it.

    Energy(e, w) = e^2 - w^2 - sign(w) ln|w|,    w != 0.

It is the integral of de/dw = (1 + 2 tau w^2)/(2 tau e w), the quotient of the two components of the
flow, from which l'(s) has dropped out: so it is conserved for every p and q. A flow of the bias
beside e and w does not conserve it.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from theory.reduced.flow import vector_field
from theory.symbols import e, tau, w

__all__ = ["energy", "rate", "saddle", "saddle_energy", "separatrix_squared"]


def energy() -> sp.Expr:
    """Energy(e, w) = e^2 - w^2 - tau ln(tau w), with tau = sign(w) and so tau w = abs(w) > 0.

    Source: *Local to Global*, the conserved energy.

    >>> energy()
    e**2 - tau*log(tau*w) - w**2
    """
    return e**2 - w**2 - tau * sp.log(tau * w)


def rate(quantity: sp.Expr, w_sign: int, e_sign: int = 1) -> sp.Expr:
    """d/dt of a function of (e, w) along the flow at the best bias, simplified on one branch.

    It is 0 exactly where the quantity is conserved. The value of the logit f(0) is left open: it
    drops out.

    Arguments: `quantity`, in e, w and tau; `w_sign` and `e_sign`, each 1 or -1.
    Raises ValueError for another sign.

    >>> [rate(energy(), sign) for sign in (1, -1)]
    [0, 0]
    """
    if w_sign not in (1, -1):
        raise ValueError(f"w_sign = {w_sign} is not a branch: choose 1 (w > 0) or -1 (w < 0)")
    slopes = sp.Matrix([sp.diff(quantity, v) for v in (e, w)])
    return sp.simplify((slopes.T * vector_field(e_sign))[0].subs(tau, w_sign))


@cache
def saddle() -> tuple[sp.Expr, sp.Expr]:
    """The one point (e, w) where the gradient of the energy vanishes: (0, -1/sqrt2).

    The energy has second derivatives 2 and -4 there. It is where the unigram line turns from local
    minima to saddles of the loss.

    >>> saddle()
    (0, -sqrt(2)/2)
    """
    found = []
    for sign in (1, -1):
        size = sp.Symbol("m", positive=True)
        slopes = [sp.diff(energy(), v).subs({w: sign * size, tau: sign}) for v in (e, w)]
        for point in sp.solve(slopes, [e, size], dict=True):
            found.append((point[e], sign * point[size]))
    (point,) = found
    return point[0], point[1]


@cache
def saddle_energy() -> sp.Expr:
    """The energy of the saddle, -(1 + ln 2)/2.

    >>> saddle_energy()
    -1/2 - log(2)/2
    """
    at_e, at_w = saddle()
    value = energy().subs({e: at_e, w: at_w, tau: sp.sign(at_w)})
    return sp.expand(sp.expand_log(value))


@cache
def separatrix_squared() -> sp.Expr:
    """e_sep(w)^2 = w^2 + tau ln(tau w) - (1 + ln 2)/2: the energy level of the saddle, w < 0.

    With tau = -1 it is positive except at w = -1/sqrt2, where it has its minimum 0. (For w > 0 the
    level has no meaning for the flow: nothing crosses w = 0.)

    Source: *Local to Global*, the boundary of the basins.

    >>> separatrix_squared()
    tau*log(tau*w) + w**2 - 1/2 - log(2)/2
    """
    square = sp.Symbol("e2")
    (solution,) = sp.solve(energy().subs(e**2, square) - saddle_energy(), square)
    return sp.expand(solution)
