"""The Hessian of the reduced loss at the bigram set: a Gauss-Newton matrix of rank two."""

import sympy as sp

from theory.chain.binary import kernel, stationary_law
from theory.proving.domain import BELOW, EVERYWHERE, Domain, t, y
from theory.proving.steps import Identity, Sign, Step
from theory.proving.theorem import ANY_CHAIN, Control, Scope, Theorem
from theory.reduced.critical_points import bigram_hessian, bigram_set, logit_gradients, residuals
from theory.reduced.loss import population_loss, reduced_loss
from theory.statements.reduced.critical_points import composed
from theory.statements.shared.least_loss import BRANCHES, HALVES, REDUCED, half
from theory.symbols import b, e, tau, w
from theory.transformer.forward import reduced_logit

_logits = sp.symbols("f0 f1", real=True)
_curvature = sp.symbols("A B", positive=True)
_root = sp.Symbol("x", real=True)


def curvatures() -> tuple[sp.Expr, sp.Expr]:
    """pi_x r(1-r), the second derivatives of the loss in the two logits."""
    found = [law * row[0] * row[1] for law, row in zip(stationary_law(), rows(), strict=True)]
    return found[0], found[1]


def rows() -> list[list[sp.Expr]]:
    """The rows of the kernel."""
    return [[kernel()[state, 0], kernel()[state, 1]] for state in (0, 1)]


def gradients(sign: int) -> tuple[sp.Matrix, sp.Matrix]:
    """g0 and g1, the gradients of the two logits in (e, w, b), in closed form."""
    still = sp.Matrix([-sign * e, 0, 1])
    moving = sp.Matrix([sign * e * (1 + 4 * tau * w**2), sign * 4 * tau * w * e**2, 1])
    return (still, moving) if sign > 0 else (moving, still)


def gauss_newton(sign: int) -> sp.Matrix:
    """A g0 g0^T + B g1 g1^T, the curvatures A and B positive symbols."""
    zero, one = gradients(sign)
    return _curvature[0] * zero * zero.T + _curvature[1] * one * one.T


def squares(sign: int) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """g0.g0, g1.g1 and g0.g1."""
    zero, one = gradients(sign)
    return zero.dot(zero), one.dot(one), zero.dot(one)


def trace(sign: int) -> sp.Expr:
    """T = A |g0|^2 + B |g1|^2."""
    return _curvature[0] * squares(sign)[0] + _curvature[1] * squares(sign)[1]


def minors() -> sp.Expr:
    """M = 4 A B e^2 [(1 + 2w|w|)^2 + 4 w^2 e^2 (1 + e^2)], the same on both branches."""
    return 4 * _curvature[0] * _curvature[1] * e**2 * spread()


def spread() -> sp.Expr:
    """|g0 x g1|^2 over 4 e^2."""
    return (1 + 2 * tau * w**2) ** 2 + 4 * w**2 * e**2 * (1 + e**2)


def hessian_steps(sign: int, words: str) -> tuple[Step, ...]:
    """The Hessian by the chain rule, and what is left of it at the bigram set."""
    at = dict(zip(_logits, reduced_logit(sign), strict=True))
    total = sp.zeros(3, 3)
    for state, (slope, g) in enumerate(zip(composed(sign), logit_gradients(sign), strict=True)):
        bend = sp.diff(residuals()[state], _logits[state]).subs(at)
        total += bend * g * g.T + slope * sp.hessian(reduced_logit(sign)[state], (e, w, b))
    values = dict(zip(_curvature, curvatures(), strict=True))
    return (
        Identity(
            f"{words}: Hess L = sum_x [L_xx grad f(x) grad f(x)^T + rho_x Hess f(x)]",
            sp.hessian(reduced_loss(sign), (e, w, b)),
            total,
        ),
        Identity(
            f"{words}: grad f(0) and grad f(1)",
            sp.Matrix.hstack(*logit_gradients(sign)),
            sp.Matrix.hstack(*gradients(sign)),
        ),
        *(
            Identity(
                f"{words}, {side}: at the bigram set it is A g0 g0^T + B g1 g1^T",
                bigram_hessian(sign),
                gauss_newton(sign).subs(values),
                half(w_sign),
            )
            for w_sign, side in HALVES
        ),
    )


def spectrum_steps(sign: int, words: str) -> tuple[Step, ...]:
    """The characteristic polynomial and its discriminant."""
    zero, one, cross = squares(sign)
    tangent = sp.Matrix([2 * tau * w * e, -1 - 2 * tau * w**2, sign * 2 * tau * w * e**2])
    bound = sp.Matrix([sp.diff(b - bigram_set(sign).b, z) for z in (e, w, b)])
    A, B = _curvature
    return (
        *(
            Identity(
                f"{words}, {side}: det(x - Hess L) = x (x^2 - T x + M), so one eigenvalue is 0",
                (_root * sp.eye(3) - gauss_newton(sign)).det(),
                _root * (_root**2 - trace(sign) * _root + minors()),
                half(w_sign),
            )
            for w_sign, side in HALVES
        ),
        *(
            Identity(
                f"{words}, {side}: T^2 - 4M is a sum of squares, so the roots are real",
                trace(sign) ** 2 - 4 * minors(),
                (A * zero - B * one) ** 2 + 4 * A * B * cross**2,
                half(w_sign),
            )
            for w_sign, side in HALVES
        ),
        Sign(
            f"{words}: the squares are not negative",
            (A * zero - B * one) ** 2 + 4 * A * B * cross**2,
            "nonnegative",
        ),
        Sign(f"{words}: T > 0", trace(sign), "positive"),
        Identity(
            f"{words}: the null vector (2|w|e, -1 - 2w|w|, 2|w|e^2 sign(e)) is tangent to the set",
            sp.Matrix([g.dot(tangent) for g in (*gradients(sign), bound)]),
            sp.zeros(3, 1),
        ),
    )


def steps() -> tuple[Step, ...]:
    at = dict(zip(_logits, bigram_set().logits, strict=True))
    somewhere: Domain = {**EVERYWHERE, e: t}
    up, down = {**somewhere, w: y, tau: sp.S.One}, {**somewhere, w: -y, tau: sp.S.NegativeOne}
    return (
        Identity(
            "at the logits of the kernel rho0 = rho1 = 0",
            sp.Matrix(residuals()).subs(at),
            sp.zeros(2, 1),
        ),
        Identity(
            "and the second derivatives in them are A = pi0 p(1-p), B = pi1 q(1-q)",
            sp.hessian(population_loss(*_logits), _logits).subs(at),
            sp.diag(*curvatures()),
        ),
        Sign("A > 0", curvatures()[0], "positive"),
        Sign("B > 0", curvatures()[1], "positive"),
        *(step for sign, words in BRANCHES for step in hessian_steps(sign, words)),
        *(
            Identity(
                f"{words}: w|w| has two second derivatives at w = 0, and at the bigram set the "
                "Hessian has one value from both sides of it",
                bigram_hessian(sign).subs({w: 0, tau: 1}),
                bigram_hessian(sign).subs({w: 0, tau: -1}),
            )
            for sign, words in BRANCHES
        ),
        *(step for sign, words in BRANCHES for step in spectrum_steps(sign, words)),
        Sign("w > 0, e != 0: M/(4ABe^2) > 0", spread(), "positive", up),
        Sign("w = 0, e != 0: M/(4ABe^2) > 0", spread().subs(w, 0), "positive", somewhere),
        Sign("w < 0, e != 0: M/(4ABe^2) > 0: both roots are positive", spread(), "positive", down),
    )


def control() -> Control:
    values = dict(zip(_curvature, curvatures(), strict=True))
    size = sp.sqrt(sp.log(1 + t) / (1 + 2 * w**2))  # s* = ln(1+t) below p + q = 1
    return Control(
        "the bigram points of both branches of e at one w have the same eigenvalues",
        Identity(
            "T is the same for e > 0 and e < 0, e^2 (1 + 2w^2) = s*",
            trace(1).subs(values).subs({e: size, tau: 1}),
            trace(-1).subs(values).subs({e: -size, tau: 1}),
            {**BELOW, w: y},
        ),
    )


THEOREM = Theorem(
    id="bigram-spectrum",
    title="Spectrum at the bigram set",
    statement=(
        "At the bigram points (e, w, b) with e != 0 the Hessian of the reduced loss is A g0 g0^T "
        "+ B g1 g1^T with A = pi0 p(1-p), B = pi1 q(1-q). For e > 0, g0 = (-e, 0, 1) and g1 = "
        "(e(1 + 4w|w|), 4|w|e^2, 1); for e < 0, g0 = (-e(1 + 4w|w|), -4|w|e^2, 1) and g1 = (e, "
        "0, 1). It has one eigenvalue 0, along the bigram set, and two positive ones, (T +- "
        "sqrt(T^2 - 4M))/2 with T = A|g0|^2 + B|g1|^2 and M = 4 A B e^2 [(1 + 2w|w|)^2 + 4w^2 "
        "e^2 (1 + e^2)]."
    ),
    latex=(
        r"At the bigram points $(e, w, b)$ with $e \ne 0$ the Hessian of the reduced loss is $A "
        r"g_0 g_0^T + B g_1 g_1^T$ with $A = \pi_0 p(1-p)$, $B = \pi_1 q(1-q)$ and "
        r"\[\begin{aligned} e > 0: &\quad g_0 = (-e, 0, 1), \quad g_1 = (e(1 + 4w|w|),\, "
        r"4|w|e^2,\, 1), \\ e < 0: &\quad g_0 = (-e(1 + 4w|w|),\, -4|w|e^2,\, 1), \quad g_1 = (e, "
        r"0, 1). \end{aligned}\] It has one eigenvalue $0$, along the bigram set, and two "
        r"positive ones, \[\frac{T \pm \sqrt{T^2 - 4M}}{2}, \quad T = A|g_0|^2 + B|g_1|^2, \quad "
        r"M = 4ABe^2 \left[(1 + 2w|w|)^2 + 4w^2e^2(1 + e^2)\right].\]"
    ),
    hypotheses=(ANY_CHAIN, REDUCED),
    source="Attention with Markov, global minimum; the closed form of the spectrum: this project",
    steps=steps,
    control=control,
    tests=(
        ""
        "tests/theory/spectra/test_reduced.py::test_reduced_bigram_spectrum_is_that_of_the_two_gradients",
        "tests/theory/reduced/test_critical_points.py::test_bigram_hessian_has_the_published_form",
        "tests/theory/reduced/test_critical_points.py::"
        "test_hessians_are_second_differences_of_the_naive_loss",
    ),
    scope=Scope(checks=(("bigram", "spectrum"), ("bigram", "inertia")), models=("reduced",)),
)
