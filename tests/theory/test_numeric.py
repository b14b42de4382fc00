import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp
import torch

from theory.numeric import function, stable
from theory.reduced.critical_points import bigram_hessian, gradient
from theory.reduced.loss import best_logit, loss_at_best_bias, population_loss, softplus
from theory.symbols import b, e, p, q, s, tau, w

EPS = 2.0**-52
f = sp.Symbol("f", real=True)
f0, f1 = sp.symbols("f0 f1", real=True)
CHAINS = [(0.5, 0.8), (0.2, 0.3), (0.4, 0.4), (1e-9, 0.5), (1 - 1e-9, 1e-9), (1e-9, 1e-9)]
GAPS = [-2000.0, -30.0, -1e-9, 0.0, 0.7, 40.0, 2000.0]
EVERYWHERE = [(gap, *chain) for gap in GAPS for chain in CHAINS]


def exactly(arguments: list[sp.Symbol], expression: sp.Expr, values: list[float]) -> mpmath.mpf:
    """The unrewritten expression in mpmath, with digits enough to survive exp(4000)."""
    with mpmath.workdps(2000):
        plain = sp.lambdify(arguments, expression, modules="mpmath")
        return +plain(*map(mpmath.mpf, values))


def in_numpy(arguments: list[sp.Symbol], expression: sp.Expr, values: list[float]) -> float:
    return float(function(arguments, expression, np)(*map(np.float64, values)))


def in_torch(arguments: list[sp.Symbol], expression: sp.Expr, values: list[float]) -> float:
    tensors = [torch.tensor(value, dtype=torch.float64) for value in values]
    return float(function(arguments, expression, torch)(*tensors))


def in_mpmath(arguments: list[sp.Symbol], expression: sp.Expr, values: list[float]) -> float:
    with mpmath.workdps(15):
        return float(function(arguments, expression, mpmath)(*values))


FLOATS = [in_numpy, in_torch, in_mpmath]


LOGISTIC = sp.diff(softplus(f), f)
FORMS: dict[str, tuple[list[sp.Symbol], sp.Expr, list[Any], Callable[..., Any]]] = {
    # the tail below exp(-745) is 0 in float64
    "softplus": ([f], softplus(f), [(x,) for x in (-800, -37, -1, 0, 1e-8, 19, 21, 36, 800)],
                 lambda truth, x: 4 * EPS * truth + 1e-300),
    # an exponent rounded at |f| is a relative error of |f| eps
    "logistic": ([f], LOGISTIC, [(x,) for x in (-800, -37, 0.3, 37, 800)],
                 lambda truth, x: (4 + abs(x)) * EPS * truth + 1e-300),
    # logarithms of size 20 at 1e-9, and s itself where it does not cancel out of the answer
    "best logit": ([s, p, q], best_logit(), EVERYWHERE,
                   lambda truth, *_: 4 * EPS * (40 + abs(truth))),
    # terms as large as the gap, a few of them
    "best loss": ([s, p, q], loss_at_best_bias(), EVERYWHERE,
                  lambda truth, gap, *_: 8 * EPS * (40 + abs(gap))),
    "loss": ([f0, f1, p, q], population_loss(f0, f1),
             [(*ends, 0.3, 0.9) for ends in ((800, -800), (-800, 800), (0.3, -25))],
             lambda truth, *_: 8 * EPS * 800),
}  # fmt: skip


@pytest.mark.parametrize("evaluate", FLOATS)
@pytest.mark.parametrize("name", FORMS)
def test_a_form_neither_overflows_nor_cancels(evaluate: Callable[..., float], name: str) -> None:
    arguments, expression, points, allowed = FORMS[name]
    for point in points:
        values = list(map(float, point))
        truth = exactly(arguments, expression, values)
        error = abs(evaluate(arguments, expression, values) - truth)
        assert error <= allowed(truth, *values), point


def test_the_softplus_of_torch_would_be_refuted() -> None:
    value = 20.5
    truth = exactly([f], softplus(f), [value])
    threshold = float(torch.nn.functional.softplus(torch.tensor(value, dtype=torch.float64)))
    assert abs(threshold - truth) > 1e-10 > 4 * EPS * truth


def test_the_plain_expression_does_overflow() -> None:
    logistic = sp.lambdify([f], LOGISTIC, modules="numpy")
    with np.errstate(over="ignore", invalid="ignore"):
        assert math.isnan(logistic(np.float64(800.0)))


def test_at_a_gap_of_minus_2000_the_best_logit_keeps_its_digits() -> None:
    # the answer, ln(p/(q-p)), is of order 1: carrying s through as a float would cost 2e-13
    value = in_numpy([s, p, q], best_logit(), [-2000.0, 0.2, 0.7])
    assert abs(value - math.log(0.2 / 0.5)) < 1e-15


def test_all_three_agree_at_random_points() -> None:
    symbols = [e, w, b, tau, p, q]
    rng = np.random.default_rng(3)
    H, g = bigram_hessian(1), gradient(1)
    for _ in range(20):
        values = [*rng.normal(size=3), 1.0, *rng.uniform(0.05, 0.95, size=2)]
        for expression in (H, g):
            arrays = function(symbols, expression, np)(*values)
            tensors = function(symbols, expression, torch)(
                *(torch.tensor(v, dtype=torch.float64) for v in values)
            )
            exact = function(symbols, expression, mpmath)(*values)
            exact = np.array(exact.tolist(), dtype=float)
            # entries are polynomials of a dozen terms
            allowed = 64 * EPS * (1 + np.abs(exact).max())
            assert np.abs(arrays - exact).max() <= allowed
            assert np.abs(tensors.numpy() - exact).max() <= allowed
            assert np.abs(2 * arrays - exact).max() > allowed


def test_rationals_are_divided_at_the_working_precision() -> None:
    third = function([f], f / 3 + sp.Rational(1, 7) + f ** sp.Rational(1, 3), mpmath)
    with mpmath.workdps(60):
        error = third(mpmath.mpf(8)) - (mpmath.mpf(8) / 3 + mpmath.mpf(1) / 7 + mpmath.cbrt(8))
        assert abs(error) < mpmath.mpf(10) ** -58
        assert abs(8 / 3 + 1 / 7 + 8 ** (1 / 3) - third(mpmath.mpf(8))) > 1e-20


@pytest.mark.parametrize("third", [Fraction(1, 3), Decimal(1) / 8])
def test_fractions_and_decimals_enter_mpmath_exactly(third: Fraction | Decimal) -> None:
    with mpmath.workdps(60):
        value = function([f], 3 * f, mpmath)(third)
        numerator, denominator = third.as_integer_ratio()
        assert abs(value - mpmath.mpf(3 * numerator) / denominator) < mpmath.mpf(10) ** -58


def test_arrays_broadcast_and_matrices_come_last() -> None:
    matrix = sp.Matrix([[f0, 1, 0], [f1, f0 * f1, 2]])
    u, v = np.arange(3.0)[:, None], np.arange(4.0)
    values = function([f0, f1], matrix, np)(u, v)
    assert values.shape == (3, 4, 2, 3)
    assert values[2, 3].tolist() == [[2, 1, 0], [3, 6, 2]]
    tensors = function([f0, f1], matrix, torch)(torch.tensor(u), torch.tensor(v))
    assert tensors.numpy().tolist() == values.tolist()
    assert function([f0, f1], [f0, f1], np)(1.0, 2.0) == [1.0, 2.0]


def test_torch_functions_differentiate_and_keep_float32() -> None:
    loss = function([s, p, q], loss_at_best_bias(), torch)
    gap = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(loss(gap, 0.4, 0.4), gap)
    with mpmath.workdps(30):
        exact = mpmath.diff(
            lambda x: function([s, p, q], loss_at_best_bias(), mpmath)(x, 0.4, 0.4), 0.3
        )
    # p = q: the branch point ln|p-q| = -inf must not poison the derivative
    assert abs(float(slope) - exact) < 1e-14
    assert loss(torch.tensor(0.3), 0.4, 0.5).dtype == torch.float32


def test_maximum_and_sign_are_supplied() -> None:
    values: Any = function([f], [sp.Max(0, f, 2 * f), sp.sign(f)], np)(np.array([-2.0, 0.0, 3.0]))
    assert [v.tolist() for v in values] == [[0, 0, 6], [-1, 0, 1]]
    # each argument is the largest once
    largest = function([f], sp.Max(-f, 1, 2 * f), np)(np.array([-2.0, 0.0, 3.0]))
    assert largest.tolist() == [2, 1, 6]


def test_a_logarithm_of_something_of_unknown_sign_is_left_alone() -> None:
    assert stable(sp.log(1 - p)) == sp.log(1 - p)
    assert stable(sp.log(p + q)) != sp.log(p + q)


def test_a_positive_sum_with_a_negative_term_is_not_split() -> None:
    difference = 2 - sp.sqrt(2)
    assert difference.is_positive
    value = function([f], f + sp.log(difference), np)(1.0)
    assert abs(value - (1 + math.log(2 - math.sqrt(2)))) < 2 * EPS


def test_bad_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="namespace = math is not known: hand over one of numpy"):
        function([f], f, math)
    with pytest.raises(ValueError, match=r"arguments = \[f\] lacks q: add every symbol"):
        function([f], f * q, np)


@pytest.mark.parametrize("gap", [-2000.0, -30.0, 0.3, 40.0, 2000.0])
def test_second_derivatives_in_torch_are_finite_and_right(gap: float) -> None:
    loss = function([s, p, q], loss_at_best_bias(), torch)
    point = torch.tensor(gap, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(loss(point, 0.5, 0.8), point, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, point)
    with mpmath.workdps(60):
        exact = function([s, p, q], loss_at_best_bias(), mpmath)
        truth = mpmath.diff(lambda x: exact(x, 0.5, 0.8), gap, 2)
    # differences of probabilities: absolute round-off
    assert abs(float(curvature) - truth) < 1e-15
    assert gap != 0.3 or abs(2 * float(curvature) - truth) > 1e-3
