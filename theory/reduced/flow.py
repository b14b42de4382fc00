"""Gradient flow of the reduced loss: minus its gradient, the Jacobian of that, and its energy.

With the bias at its best value the loss is a function l(s) of the gap s = e^2 (1 + 2 tau w^2)
alone, on both branches of e, and the flow is

    e' = -l'(s) ds/de = -2 l'(s) e (1 + 2 tau w^2),    w' = -l'(s) ds/dw = -4 l'(s) tau e^2 w,

with l'(s) = dL/df(1) by the envelope theorem. Both lines e = 0 and w = 0 are invariant: no flow
crosses them, so the signs of e and w are constants of it. Its orbits are those of grad s, the same
for every p and q; the chain decides only which way they are run through and where they end. So

    Energy(e, w) = e^2 - w^2 - sign(w) ln|w|,    w != 0,

the integral of de/dw = (1 + 2 tau w^2)/(2 tau e w), from which l'(s) has dropped out, is conserved
for every p and q. A flow of the bias beside e and w does not conserve it.

The expressions keep f(0) as a symbol of its own, `level`, so that `theory.numeric` can evaluate the
logit first and nothing overflows: `theory.reduced.loss.best_logit` of the gap for the best bias.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from theory.chain.binary import kernel, stationary_law
from theory.reduced.critical_points import factored_gradient, residuals
from theory.reduced.loss import reduced_loss
from theory.symbols import b, e, s, tau, w
from theory.transformer.forward import reduced_logit

__all__ = [
    "balanced_residuals",
    "curvature",
    "energy",
    "free_jacobian",
    "free_vector_field",
    "gap",
    "jacobian",
    "level",
    "rate",
    "saddle",
    "saddle_energy",
    "separatrix_squared",
    "slope",
    "vector_field",
]

level = sp.Symbol("f0", real=True)
"""The logit f(0) in nats."""

_one, _rho1 = sp.symbols("f1 rho1", real=True)
_logits = (level, _one)


@cache
def gap(e_sign: int = 1) -> sp.Expr:
    """The gap s = f(1) - f(0) in nats; it does not depend on b, nor on the sign of e.

    >>> gap(1), gap(-1) - gap(1)
    (e**2*(2*tau*w**2 + 1), 0)
    """
    zero, one = reduced_logit(e_sign)
    return sp.factor(sp.expand(one - zero))


@cache
def balanced_residuals() -> tuple[sp.Expr, sp.Expr]:
    """dL/df(x) = pi_x [(1 - r) sigmoid(f) - r sigmoid(-f)] with r = r(x), in `level` and f1.

    Equal to pi_x [sigmoid(f) - r], but near an equilibrium its round-off is a share of r (1 - r),
    as the rates of the flow are: without it, flows of p or q near 0 or 1 drown in noise.
    """
    found = []
    for state, (residual, logit) in enumerate(zip(residuals(), _logits, strict=True)):
        on = sp.exp(logit) / (1 + sp.exp(logit))
        off = 1 / (1 + sp.exp(logit))
        stay, move = kernel()[state, 0], kernel()[state, 1]
        form = stationary_law()[state] * (stay * on - move * off)
        if sp.simplify(form - residual) != 0:
            raise ArithmeticError(f"{form} is not the residual {residual} of state {state}")
        found.append(form)
    return found[0], found[1]


@cache
def slope() -> sp.Expr:
    """l'(s) = dL/df(1), in `level` and s: it has the sign of s - s*.

    The bias that moves with s changes nothing to first order, since dL/db = 0 there.

    >>> slope().free_symbols == set(sp.symbols("p q", positive=True)) | {level, s}
    True
    """
    return balanced_residuals()[1].subs(_one, level + s)


@cache
def curvature() -> sp.Expr:
    """l''(s) = 1/(1/h0 + 1/h1) > 0 with h_x = d2L/df(x)^2, in `level` and s.

    Differentiating dL/df(0) + dL/df(1) = 0 gives df(0)/ds = -h1/(h0 + h1), and so
    l'' = h1 (1 + df(0)/ds).

    >>> sp.factor(curvature().subs({level: 0, s: 0}))
    p*q/(4*(p + q)**2)
    """
    total = sp.S.Zero
    odds = sp.Symbol("y", positive=True)
    for residual, logit in zip(residuals(), _logits, strict=True):
        stiffness = sp.diff(residual, logit).subs(sp.exp(logit), odds)
        # (e^f + 2 + e^-f)/pi_x, a sum of positive terms: evaluated without overflow
        total += sp.expand(sp.cancel(1 / stiffness)).subs(odds, sp.exp(logit))
    return 1 / total.subs(_one, level + s)


@cache
def vector_field(e_sign: int = 1) -> sp.ImmutableMatrix:
    """(e', w') of the flow with the bias at its best value, in e, w, tau, p, q and `level`.

    Arguments: `e_sign`, 1 or -1. Raises ValueError for another sign.
    Source: *Local to Global*, gradient flow in the canonical parametrisation.

    >>> vector_field(1).subs(e, 0)
    Matrix([
    [0],
    [0]])
    """
    rate = slope().subs(s, gap(e_sign))
    return sp.ImmutableMatrix([-part.subs(_rho1, rate) for part in factored_gradient(e_sign)])


@cache
def jacobian(e_sign: int = 1) -> sp.ImmutableMatrix:
    """d(e', w')/d(e, w) = -(l'' grad s grad s^T + l' Hess s), symmetric, in the same symbols.

    Off w = 0; there it is the one-sided Jacobian of the branch tau.

    >>> jacobian(1).shape
    (2, 2)
    """
    height = gap(e_sign)
    rise = sp.Matrix([sp.diff(height, v) for v in (e, w)])
    bend = slope() * sp.hessian(height, (e, w)) + curvature() * rise * rise.T
    return sp.ImmutableMatrix(-bend.subs(s, height))


@cache
def free_vector_field(e_sign: int = 1) -> sp.ImmutableMatrix:
    """(e', w', b') of the flow in which the bias moves too, in e, w, b, tau, p and q.

    It is minus sum_x dL/df(x) grad f(x). Arguments: `e_sign`, 1 or -1. Raises ValueError for
    another sign.

    >>> free_vector_field(1).subs(e, 0)[:2]
    [0, 0]
    """
    field = sp.zeros(3, 1)
    for residual, symbol, logit in zip(
        balanced_residuals(), _logits, reduced_logit(e_sign), strict=True
    ):
        rise = sp.Matrix([sp.factor(sp.diff(logit, v)) for v in (e, w, b)])
        field -= residual.subs(symbol, sp.expand(logit)) * rise
    return sp.ImmutableMatrix(field)


@cache
def free_jacobian(e_sign: int = 1) -> sp.ImmutableMatrix:
    """d(e', w', b')/d(e, w, b), minus the Hessian of the reduced loss.

    >>> free_jacobian(1).shape
    (3, 3)
    """
    return sp.ImmutableMatrix(-sp.hessian(reduced_loss(e_sign), (e, w, b)))


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
