"""Where the gradient of the reduced loss vanishes, and the curvatures there.

The loss depends on (e, w, b) through the two logits only. With the residuals rho_x = dL/df(x) the
gradient is rho_0 grad f(0) + rho_1 grad f(1); its b component rho_0 + rho_1 vanishes at a critical
point, which leaves rho_1 grad s = 0 for the gap s = f(1) - f(0). So either both residuals vanish
(the bigram set) or grad s does (e = 0, the unigram set): there are no other critical points.

In the full model at e = 0 with positions 0 every pre-activation of the hidden units is 0. Moving
the embedding along +alpha turns them on at x = 1, along -alpha it leaves them off, while the
positions stay: so at this kink the loss has two second derivatives and no Hessian. The reduced
model, whose positions move with e, has their mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import sympy as sp

from theory.chain.binary import kernel
from theory.exact import Number, probability
from theory.reduced.loss import population_loss, reduced_loss
from theory.symbols import b, e, p, q, tau, w
from theory.transformer.forward import ansatz, forward, in_coordinates, reduced_logit

__all__ = [
    "CriticalSet",
    "bigram_hessian",
    "bigram_set",
    "classify",
    "factored_gradient",
    "gradient",
    "kink_logits",
    "one_sided_curvature",
    "one_sided_curvatures",
    "unigram_hessian",
    "unigram_set",
]

_f = sp.symbols("f0 f1", real=True)
_rho = sp.symbols("rho0 rho1", real=True)


@dataclass(frozen=True)
class CriticalSet:
    """A family of critical points (e, w, b(e or w)), w free.

    Fields: `e_squared` and `b` as expressions in p, q, w, tau (and e), and `logits`, the values
    (f(0), f(1)) there.
    """

    e_squared: sp.Expr
    b: sp.Expr
    logits: tuple[sp.Expr, sp.Expr]


def gradient(e_sign: int = 1) -> sp.ImmutableMatrix:
    """(dL/de, dL/dw, dL/db) of the reduced loss on one branch of e.

    >>> gradient(1).shape
    (3, 1)
    """
    return sp.ImmutableMatrix([sp.diff(reduced_loss(e_sign), v) for v in (e, w, b)])


def logit_gradients(e_sign: int) -> tuple[sp.Matrix, sp.Matrix]:
    """The gradients of f(0) and f(1) in (e, w, b)."""
    zero, one = (
        sp.Matrix([sp.diff(logit, v) for v in (e, w, b)]) for logit in reduced_logit(e_sign)
    )
    return zero, one


def residuals() -> tuple[sp.Expr, sp.Expr]:
    """(dL/df(0), dL/df(1)) as functions of the logits f0, f1."""
    loss = population_loss(*_f)
    return sp.diff(loss, _f[0]), sp.diff(loss, _f[1])


@cache
def factored_gradient(e_sign: int = 1) -> tuple[sp.Expr, sp.Expr]:
    """(dL/de, dL/dw) where dL/db = 0, in factors: rho1 ds/de and rho1 ds/dw with rho1 = dL/df(1).

    >>> for component in factored_gradient(1):
    ...     print(component)
    2*e*rho1*(2*tau*w**2 + 1)
    4*e**2*rho1*tau*w
    """
    zero, one = logit_gradients(e_sign)
    total = _rho[0] * zero + _rho[1] * one
    (balance,) = sp.solve(total[2], _rho[0])
    along_e, along_w = (
        sp.factor(sp.expand(component.subs(_rho[0], balance))) for component in total[:2]
    )
    return along_e, along_w


@cache
def unigram_set(e_sign: int = 1) -> CriticalSet:
    """The critical points where the residuals do not vanish: e = 0, b = ln(p/q), any w.

    Both components of `factored_gradient` must vanish through ds/de and ds/dw. The second, e^2 tau
    w, needs e = 0 or w = 0, and at w = 0 the first, e (1 + 2 tau w^2), needs e = 0 again.

    Source: *Attention with Markov*, the unigram point.

    >>> unigram_set().e_squared, unigram_set().b
    (0, log(p/q))
    """
    flat = [component / _rho[1] for component in factored_gradient(e_sign)]
    for sign in (1, -1):
        solutions = sp.solve([component.subs(tau, sign) for component in flat], [e, w], dict=True)
        if {e: sp.S.Zero} not in solutions or any(solution[e] != 0 for solution in solutions):
            raise ArithmeticError(
                f"grad s = 0 has solutions {solutions} for tau = {sign}, not e = 0 alone"
            )
    zero, one = (logit.subs(e, 0) for logit in reduced_logit(e_sign))
    odds = sp.Symbol("y", positive=True)
    balance = sum(residuals()).subs({_f[0]: zero, _f[1]: one}).subs(sp.exp(b), odds)
    (solution,) = sp.solve(sp.numer(sp.together(balance)), odds)
    bias = sp.log(sp.factor(solution))
    return CriticalSet(sp.S.Zero, bias, (zero.subs(b, bias), one.subs(b, bias)))


@cache
def bigram_set(e_sign: int = 1) -> CriticalSet:
    """The critical points where both residuals vanish: f(x) = logit r(x), the global minima.

    Solving f(0) = ln(p/(1-p)) and f(1) = ln((1-q)/q) for e^2 and b gives, for e > 0,

        e^2 (1 + 2 tau w^2) = ln[(1-p)(1-q)/(pq)],    b = e^2/2 + ln(p/(1-p)),

    and for e < 0 the same gap with b = ln((1-q)/q) - e^2/2. It is real where 1 + 2w|w| has the
    sign of 1-p-q.

    Source: *Attention with Markov*, global minimum.

    >>> bigram_set(1).b
    e**2/2 + log(p/(1 - p))
    """
    targets = []
    for state, residual in enumerate(residuals()):
        odds = sp.Symbol("y", positive=True)
        numerator = sp.numer(sp.together(residual.subs(sp.exp(_f[state]), odds)))
        (solution,) = sp.solve(numerator, odds)
        expected = kernel()[state, 1] / kernel()[state, 0]
        if sp.simplify(solution - expected) != 0:
            raise ArithmeticError(
                f"the residual of state {state} vanishes at odds {solution}, not {expected}"
            )
        targets.append(sp.log(expected))
    square = sp.Symbol("e2")
    zero, one = (sp.expand(logit).subs(e**2, square) for logit in reduced_logit(e_sign))
    (gap,) = sp.solve(sp.expand(one - zero) - sp.Symbol("s"), square)
    e_squared = gap.subs(sp.Symbol("s"), sp.log(sp.exp(targets[1]) / sp.exp(targets[0])))
    # the state whose logit the relu leaves alone gives b in terms of e alone
    state = next(i for i, logit in enumerate((zero, one)) if not logit.has(w))
    (bias,) = sp.solve((zero, one)[state] - _f[state], b)
    bias = bias.subs({square: e**2, _f[state]: targets[state]})
    return CriticalSet(e_squared, bias, (targets[0], targets[1]))


def hessian_at(logits: tuple[sp.Expr, sp.Expr], e_sign: int) -> sp.Matrix:
    """The Hessian of L in (e, w, b) by the chain rule, where the logits have the given values."""
    values = dict(zip(_f, logits, strict=True))
    jacobian = sp.Matrix.hstack(*logit_gradients(e_sign))
    curvature = sp.hessian(population_loss(*_f), _f).subs(values)
    bending = [sp.hessian(logit, (e, w, b)) for logit in reduced_logit(e_sign)]
    slopes = [residual.subs(values) for residual in residuals()]
    H = jacobian * curvature * jacobian.T + slopes[0] * bending[0] + slopes[1] * bending[1]
    # tau is a sign: without tau^2 = 1 the factors would carry both abs(w)^2 and w^2
    return H.applyfunc(lambda entry: sp.factor(sp.expand(sp.together(entry)).subs(tau**2, 1)))


@cache
def unigram_hessian(e_sign: int = 1) -> sp.ImmutableMatrix:
    """The Hessian in (e, w, b) at e = 0, b = ln(p/q), a diagonal matrix.

    Its entries are 2 pi0 pi1 (p+q-1)(1 + 2 tau w^2), 0 and pi0 pi1.

    Source: *Attention with Markov*, bad local minimum and saddle; *Local to Global* for (e, w).

    >>> unigram_hessian()[0, 0]
    2*p*q*(2*tau*w**2 + 1)*(p + q - 1)/(p + q)**2
    """
    point = unigram_set(e_sign)
    return sp.ImmutableMatrix(hessian_at(point.logits, e_sign).subs(e, 0).applyfunc(sp.factor))


@cache
def bigram_hessian(e_sign: int = 1) -> sp.ImmutableMatrix:
    """The Hessian in (e, w, b) at the bigram set, of rank 2.

    It is pi0 p(1-p) g0 g0^T + pi1 q(1-q) g1 g1^T with g0, g1 the gradients of the two logits: the
    residuals vanish, so nothing else is left.

        e > 0:  g0 = (-e, 0, 1),                              g1 = (e(1+4 tau w^2), 4 tau w e^2, 1)
        e < 0:  g0 = (-e(1+4 tau w^2), -4 tau w e^2, 1),      g1 = (e, 0, 1)

    >>> bigram_hessian()[2, 2]
    -p*q*(p + q - 2)/(p + q)
    """
    return sp.ImmutableMatrix(hessian_at(bigram_set(e_sign).logits, e_sign).applyfunc(sp.factor))


def classify(p_value: Number, q_value: Number, w_value: Number | sp.Expr) -> str:
    """What the unigram point (0, w, ln(p/q)) is, decided without rounding.

    The answer is the sign of (p+q-1)(1+2w|w|).

    Arguments:
        p_value, q_value: probabilities in (0, 1), taken as the decimals they were written as.
        w_value: a number, a float standing for its exact binary value, or a real sympy number such
            as -1/sqrt(2).

    Returns 'local minimum' (positive; strict across the critical manifold), 'saddle' (negative) or
    'degenerate' (0).
    Raises ValueError for p or q outside (0, 1) or a w that is not a real number.
    Source: *Attention with Markov*, bad local minimum (p+q>1) and saddle (p+q<1), for every w.

    >>> classify(0.5, 0.8, 0), classify(0.5, 0.8, -1), classify(0.2, 0.8, 0)
    ('local minimum', 'saddle', 'degenerate')
    >>> classify(0.9, 0.9, -1 / sp.sqrt(2))
    'degenerate'
    """
    excess = probability("p", p_value) + probability("q", q_value) - 1
    if isinstance(w_value, sp.Expr):
        number = w_value
    elif math.isfinite(w_value):
        number = sp.Rational(*Fraction(w_value).as_integer_ratio())
    else:
        number = sp.nan
    if not (number.is_number and number.is_real):
        raise ValueError(
            f"w = {w_value!r} is not a real number: give a finite number or a sympy number"
        )
    sign = sp.sign(
        sp.Rational(excess.numerator, excess.denominator) * (1 + 2 * number * sp.Abs(number))
    )
    return {1: "local minimum", -1: "saddle", 0: "degenerate"}[int(sp.simplify(sign))]


@cache
def kink_logits(e_sign: int = 1) -> tuple[sp.Expr, sp.Expr]:
    """f(0) and f(1) along the ray e alpha, positions 0, on one side of e = 0.

    For e > 0 f(x) = e^2 (1 + 4w|w|) x + b, for e < 0 f(x) = e^2 x + b.
    Arguments: `e_sign`, 1 or -1. Raises ValueError for another sign.

    >>> sp.expand(kink_logits(1)[1]), sp.expand(kink_logits(-1)[1])
    (b + 4*e**2*tau*w**2 + e**2, b + e**2)
    """
    weights = ansatz([1], hidden=1, length=1, e_sign=e_sign)
    weights["positions"] *= 0
    zero, one = (in_coordinates(forward(weights, [token])[0]) for token in (0, 1))
    return zero, one


@cache
def one_sided_curvature(e_sign: int = 1) -> sp.Expr:
    """lim_{t->0+} d^2L/dt^2 along +alpha or -alpha at the unigram point.

    It is 2c(p+q-1)(1 + 4w|w|) for +alpha and 2c(p+q-1) for -alpha, c = pi0 pi1.
    Arguments: `e_sign`, 1 or -1. Raises ValueError for another sign.

    >>> sp.factor(one_sided_curvature(-1))
    2*p*q*(p + q - 1)/(p + q)**2
    """
    loss = population_loss(*kink_logits(e_sign))
    point = {e: sp.S.Zero, b: unigram_set().b}
    return sp.factor(sp.simplify(sp.diff(loss, e, 2).subs(point)))


def one_sided_curvatures(p_value: float, q_value: float, w_value: float) -> tuple[float, float]:
    """The curvatures along -alpha and +alpha, in float64.

    >>> [round(x, 3) for x in one_sided_curvatures(0.5, 0.8, -2.0)]
    [0.142, -2.13]
    """
    values = {p: p_value, q: q_value, w: w_value, tau: sp.sign(w_value)}
    minus, plus = (float(one_sided_curvature(sign).subs(values)) for sign in (-1, 1))
    return minus, plus
