import math
from decimal import Decimal
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp

from tests.check_values import agrees
from tests.twins.ansatz_points import ansatz_weights
from tests.twins.attended_chain import at, bigram_point, differences, reduced_loss
from tests.twins.single_layer import naive_loss
from theory.reduced import critical_points
from theory.reduced.critical_points import (
    bigram_hessian,
    bigram_set,
    classify,
    factored_gradient,
    gradient,
    kink_logits,
    one_sided_curvatures,
    unigram_hessian,
    unigram_set,
)
from theory.symbols import b, e, p, q, tau, w
from theory.transformer.forward import reduced_logit

BRANCHES = (1, -1)
RHO = sp.Symbol("rho1", real=True)


def difference(left: sp.MatrixBase, right: sp.MatrixBase) -> sp.MatrixBase:
    """left - right with tau^2 = 1, in lowest terms."""
    return (left - right).applyfunc(
        lambda x: sp.simplify(sp.expand(sp.together(x)).subs(tau**2, 1))
    )


def largest(M: mpmath.matrix) -> float:
    return float(max(map(abs, M)))


@pytest.mark.parametrize("e_sign", BRANCHES)
def test_gradient_where_db_vanishes_is_the_residual_times_the_gradient_of_the_gap(
    e_sign: int,
) -> None:
    _, f1 = reduced_logit(e_sign)
    pi1 = p / (p + q)
    residual = pi1 * (sp.exp(f1) / (1 + sp.exp(f1)) - (1 - q))
    along_e, along_w = factored_gradient(e_sign)
    values = {e: 0.7 * e_sign, w: -0.4, tau: -1, p: 0.3, q: 0.45}
    slope = gradient(e_sign).subs(values)
    bias = sp.nsolve(slope[2], b, 0)
    rho = residual.subs(values).subs(b, bias)
    for component, factored in zip(slope[:2], (along_e, along_w), strict=True):
        measured = component.subs(b, bias)
        predicted = factored.subs(values).subs(RHO, rho)
        # nsolve leaves a residual near 1e-15
        assert abs(measured - predicted) < 1e-13
        assert abs(measured - 2 * predicted) > 1e-4


@pytest.mark.parametrize("e_sign", BRANCHES)
def test_gradient_vanishes_on_the_unigram_set(e_sign: int) -> None:
    point = unigram_set(e_sign)
    assert point.e_squared == 0
    assert sp.simplify(gradient(e_sign).subs(e, 0).subs(b, point.b)) == sp.zeros(3, 1)
    assert sp.simplify(point.b - sp.log(p / q)) == 0
    assert sp.simplify(gradient(e_sign).subs(e, 0).subs(b, sp.log(q / p))) != sp.zeros(3, 1)


@pytest.mark.parametrize("e_sign", BRANCHES)
@pytest.mark.parametrize(("up", "down", "w_value"), [("0.2", "0.3", "0.4"), ("0.5", "0.8", "-1.2")])
def test_gradient_vanishes_on_the_bigram_set(e_sign: int, up: str, down: str, w_value: str) -> None:
    values = {p: sp.Rational(up), q: sp.Rational(down), w: sp.Rational(w_value)}
    values[tau] = sp.sign(values[w])
    point = bigram_set(e_sign)
    values[e] = e_sign * sp.sqrt(point.e_squared.subs(values))
    slope = gradient(e_sign).subs({b: point.b}).subs(values)
    # 30 digits asked of expressions whose value is 0
    assert max(abs(component.evalf(30, chop=False)) for component in slope) < 1e-25
    other = gradient(e_sign).subs({b: bigram_set(-e_sign).b}).subs(values)
    assert max(abs(component.evalf(30)) for component in other) > 1e-3


@pytest.mark.parametrize("factor", [
    e * (e - 1),  # e = 0 and another e
    e * (e - (2 - tau) * (tau + 1)),  # another e for w > 0 alone
    e * (e - (1 - tau) * (tau + 2)),  # another e for w < 0 alone
    w,  # not e = 0
])  # fmt: skip
def test_other_zeros_of_the_gradient_of_the_gap_would_be_noticed(
    factor: sp.Expr, monkeypatch: pytest.MonkeyPatch
) -> None:
    def planted(value: sp.Expr) -> None:
        parts = RHO * value, RHO * e * value
        monkeypatch.setattr(critical_points, "factored_gradient", lambda e_sign: parts)

    planted(factor)
    with pytest.raises(ArithmeticError, match="not e = 0 alone"):
        unigram_set.__wrapped__()
    planted(e**2)
    assert unigram_set.__wrapped__().e_squared == 0


def test_bigram_set_has_the_published_form() -> None:
    star = sp.log((1 - p) * (1 - q) / (p * q))
    for e_sign, bias in ((1, e**2 / 2 + sp.log(p / (1 - p))), (-1, sp.log((1 - q) / q) - e**2 / 2)):
        point = bigram_set(e_sign)
        assert sp.simplify(point.e_squared * (1 + 2 * tau * w**2) - star) == 0
        assert sp.simplify(point.e_squared * (1 + tau * w**2) - star) != 0
        assert sp.simplify(point.b - bias) == 0
        assert sp.simplify(point.b - bias.subs({p: q, q: p}, simultaneous=True)) != 0


@pytest.mark.parametrize("e_sign", BRANCHES)
def test_unigram_hessian_has_the_published_form(e_sign: int) -> None:
    c = p * q / (p + q) ** 2
    published = sp.diag(2 * c * (p + q - 1) * (1 + 2 * tau * w**2), 0, c)
    assert difference(unigram_hessian(e_sign), published) == sp.zeros(3, 3)
    for mutated in (
        sp.diag(2 * c * (1 - p - q) * (1 + 2 * tau * w**2), 0, c),
        sp.diag(c * (p + q - 1) * (1 + 2 * tau * w**2), 0, c),
        sp.diag(2 * c * (p + q - 1) * (1 + 2 * tau * w), 0, c),
        sp.diag(2 * c * (p + q - 1) * (1 + 4 * tau * w**2), 0, c),
    ):
        assert difference(unigram_hessian(e_sign), mutated) != sp.zeros(3, 3)


@pytest.mark.parametrize("e_sign", BRANCHES)
def test_bigram_hessian_has_the_published_form(e_sign: int) -> None:
    pi0, pi1 = q / (p + q), p / (p + q)
    steep = sp.Matrix([e_sign * e * (1 + 4 * tau * w**2), e_sign * 4 * tau * w * e**2, 1])
    plain = sp.Matrix([-e_sign * e, 0, 1])
    g0, g1 = (plain, steep) if e_sign > 0 else (steep, plain)

    def form(h0: sp.Matrix, h1: sp.Matrix, r0: sp.Expr, r1: sp.Expr) -> sp.Matrix:
        return pi0 * r0 * (1 - r0) * h0 * h0.T + pi1 * r1 * (1 - r1) * h1 * h1.T

    H = bigram_hessian(e_sign)
    assert difference(H, form(g0, g1, p, q)) == sp.zeros(3, 3)
    assert difference(H, form(g0, g1, q, p)) != sp.zeros(3, 3)
    assert difference(H, form(g1, g0, p, q)) != sp.zeros(3, 3)
    assert difference(H, 2 * form(g0, g1, p, q)) != sp.zeros(3, 3)


@pytest.mark.parametrize("e_sign", BRANCHES)
def test_bigram_hessian_has_rank_two(e_sign: int) -> None:
    H = bigram_hessian(e_sign)
    assert sp.simplify(sp.expand(H.det()).subs({tau**3: tau, tau**2: 1})) == 0
    assert sp.simplify(H[0, 0] * H[2, 2] - H[0, 2] ** 2) != 0


@pytest.mark.parametrize("e_sign", BRANCHES)
@pytest.mark.parametrize(
    ("up", "down", "w_value"),
    [("0.2", "0.3", "0.4"), ("0.2", "0.3", "-0.5"), ("0.5", "0.8", "-1.2")],
)
def test_hessians_are_second_differences_of_the_naive_loss(
    e_sign: int, up: str, down: str, w_value: str
) -> None:
    with mpmath.workdps(60):
        P, Q, W = mpmath.mpf(up), mpmath.mpf(down), mpmath.mpf(w_value)
        E, _, B = bigram_point(P, Q, W, e_sign)
        values = {p: P, q: Q, w: W, e: E, tau: mpmath.sign(W)}
        _, bigram = differences(reduced_loss(P, Q), (E, W, B))
        # second differences: truncation 1e-30 relative, round-off 1e-60/1e-30
        assert largest(at(bigram_hessian(e_sign), values) - bigram) < 1e-26
        assert largest(at(bigram_hessian(-e_sign), values) - bigram) > 1e-2
        _, unigram = differences(reduced_loss(P, Q), (mpmath.mpf(0), W, mpmath.log(P / Q)))
        # at e = 0 the branches meet with different third derivatives: truncation of order 1e-15
        assert largest(at(unigram_hessian(e_sign), values) - unigram) < 1e-14
        values[w] = W + mpmath.mpf("1e-6")
        assert largest(at(unigram_hessian(e_sign), values) - unigram) > 1e-8


@pytest.mark.parametrize("e_sign", BRANCHES)
def test_hessians_hold_the_sign_of_w_once_and_never_its_square(e_sign: int) -> None:
    """tau^2 is 1: left in, a number with both forms would be rounded twice."""
    powers = {entry.as_poly(tau).degree() if entry.has(tau) else 0
              for H in (unigram_hessian(e_sign), bigram_hessian(e_sign))
              for entry in (sp.numer(sp.together(x)) for x in H)}  # fmt: skip
    assert powers == {0, 1}
    # the control: the square of a gradient has it
    slope = sp.diff(reduced_logit(e_sign)[(1 + e_sign) // 2], e)
    assert sp.expand(slope**2).as_poly(tau).degree() == 2


@pytest.mark.parametrize(("up", "down", "w_value", "expected"), [
    (0.5, 0.8, 0, "local minimum"), (0.5, 0.8, -1, "saddle"), (0.2, 0.3, 0, "saddle"),
    (0.2, 0.3, -1, "local minimum"),
    (Decimal("0.1"), Decimal("0.9"), 0, "degenerate"),
    (0.1, 0.9, -3, "degenerate"),
    (Decimal("0.7"), Decimal("0.30000000000000000001"), 0, "local minimum"),
    (Fraction(1, 3), Fraction(2, 3), 1, "degenerate"),
    (0.5, 0.8, -1 / sp.sqrt(2), "degenerate"),
    (0.5, 0.8, Fraction(-7071, 10000), "local minimum"),
    (0.5, 0.8, Fraction(-7072, 10000), "saddle"),
])  # fmt: skip
def test_classification_is_decided_exactly(
    up: float, down: float, w_value: Fraction, expected: str
) -> None:
    assert classify(up, down, w_value) == expected


def test_the_float_nearest_to_the_degenerate_w_is_not_degenerate() -> None:
    nearest = -math.sqrt(0.5)
    below, above = math.nextafter(nearest, -1), math.nextafter(nearest, 0)
    verdicts = [classify(0.5, 0.8, v) for v in (below, nearest, above)]
    assert verdicts[0] == "saddle"
    assert verdicts[2] == "local minimum"
    assert verdicts[1] in ("saddle", "local minimum")
    # float arithmetic does call it degenerate or worse: 1 + 2w|w| is a rounding away from 0
    assert abs(1 + 2 * nearest * abs(nearest)) < 3e-16


@pytest.mark.parametrize("w_value", [math.nan, math.inf, sp.I, sp.Symbol("u")])
def test_a_w_that_is_no_real_number_is_refused(w_value: float) -> None:
    with pytest.raises(ValueError, match="is not a real number: give a finite number"):
        classify(0.5, 0.8, w_value)


def curvature(p: str, q: str, w: float, side: int) -> mpmath.mpf:
    """(L(h) - L(0)) 2/h^2 of the paper's forward pass, width 1, one hidden unit, positions 0."""
    with mpmath.workdps(60):
        up, down, digits = mpmath.mpf(p), mpmath.mpf(q), np.frompyfunc(mpmath.mpf, 1, 1)
        floats = ansatz_weights(0.0, w, width=1, hidden=1, length=1)
        weights = {name: np.asarray(digits(array)) for name, array in floats.items()}
        weights["bias"] = np.array(mpmath.log(up / down))

        def loss(e: mpmath.mpf) -> mpmath.mpf:
            return naive_loss({**weights, "embedding": np.array([e])}, up, down, 1)

        h = side * mpmath.mpf(10) ** -15
        return (loss(h) - loss(mpmath.mpf(0))) * 2 / h**2


@pytest.mark.parametrize(
    ("p", "q", "w"), [("0.5", "0.8", -2.0), ("0.2", "0.3", 0.7), ("0.9", "0.9", -0.3)]
)
def test_the_curvatures_are_those_of_the_forward_pass(p: str, q: str, w: float) -> None:
    minus, plus = one_sided_curvatures(float(p), float(q), w)
    assert minus == pytest.approx(float(curvature(p, q, w, -1)), rel=1e-12)
    assert plus == pytest.approx(float(curvature(p, q, w, 1)), rel=1e-12)
    assert plus != pytest.approx(float(curvature(p, q, w, -1)), rel=1e-3)


@pytest.mark.parametrize("w", [0.7, -0.3, 0.0])
def test_the_logits_of_a_side_are_those_of_its_relu(w: float) -> None:
    sign = -1 if w < 0 else 1
    for e_sign in (1, -1):
        values = {"e": 0.9 * e_sign, "w": w, "tau": sign, "b": 0.3}
        found = [f.subs({x: values[x.name] for x in f.free_symbols}) for f in kink_logits(e_sign)]
        on = 1 + 4 * w * abs(w) * (e_sign > 0)
        # five roundings of numbers of order 1
        assert found == pytest.approx([0.3, 0.81 * on + 0.3], abs=1e-15)
    minus, plus = one_sided_curvatures(0.5, 0.8, w)
    c = 0.4 / 1.69
    assert (minus, plus) == pytest.approx((0.6 * c, 0.6 * c * (1 + 4 * w * abs(w))), rel=1e-14)
    assert (minus == plus) == (w == 0)


def test_the_values_of_the_kink_at_50_80() -> None:
    minus, plus = one_sided_curvatures(0.5, 0.8, -2.0)
    for name, value in (
        ("kink_curvature_firing", plus),
        ("kink_curvature_silent", minus),
        ("kink_reduced_curvature", (plus + minus) / 2),
    ):
        assert agrees(name, value), (name, value)
