from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp

from tests.twins.attended_chain import (
    CHAINS,
    at,
    contexts,
    decimal,
    differences,
    naive_loss,
    number,
)
from theory.attention.derivatives import attention_derivatives
from theory.attention.loss import attention_loss, branch_logit
from theory.symbols import a, b, e, p, q, tau, w, x, xbar
from theory.transformer.matrices import ansatz, forward, in_coordinates

BRANCHES = (1, -1)


@pytest.mark.parametrize("e_sign", BRANCHES)
@pytest.mark.parametrize("strength", [sp.Rational(3, 5), sp.Rational(-7, 3)])
def test_closed_logit_is_that_of_the_explicit_transformer(
    e_sign: int, strength: sp.Rational
) -> None:
    weights = ansatz([1, -1], hidden=2, length=3, e_sign=e_sign, attention=True)
    point = {e: e_sign * sp.Rational(4, 3), a: strength}
    for c in contexts(3):
        for n, logit in enumerate(forward(weights, c), start=1):
            mean = sp.Rational(sum(c[:n]), n)
            closed = branch_logit(e_sign).subs({x: c[n - 1], xbar: mean})
            assert sp.expand((in_coordinates(logit) - closed).subs(point)) == 0
            without = closed.subs(a, 0)
            same = sp.expand((in_coordinates(logit) - without).subs(point)) == 0
            assert same == (sp.expand((closed - without).subs(point)) == 0)


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("e_sign", BRANCHES)
@pytest.mark.parametrize("N", [1, 2, 4])
def test_symbolic_loss_is_the_sum_over_all_contexts(
    chain: tuple[Fraction, Fraction], e_sign: int, N: int
) -> None:
    with mpmath.workdps(40):
        up, down = map(number, chain)
        point = [e_sign * decimal("0.9"), decimal("-1.1"), decimal("-1.7"), decimal("0.2")]
        exact = naive_loss(up, down, N)(point)
        values = {p: up, q: down, e: point[0], w: point[1], tau: -1, a: point[2], b: point[3]}
        # every operation is rounded at 40 digits
        assert abs(at(attention_loss(N, e_sign), values) - exact) < mpmath.mpf(10) ** -36
        assert abs(at(attention_loss(N, -e_sign), values) - exact) > 1e-4
        assert abs(at(attention_loss(N, e_sign), {**values, a: 0}) - exact) > 1e-4


@pytest.mark.parametrize("chain", [(0.5, 0.8), (0.2, 0.3)])
@pytest.mark.parametrize("point", [(0.9, 0.6, 0.7, -0.3), (-1.1, -0.9, -2.3, 0.4)])
def test_derivatives_are_the_differences_of_the_sum_over_contexts(
    chain: tuple[float, float], point: tuple[float, float, float, float]
) -> None:
    found = attention_derivatives(*chain, point, length=5)
    with mpmath.workdps(60):
        up, down = (decimal(str(value)) for value in chain)
        gradient, H = differences(naive_loss(up, down, 5), [mpmath.mpf(v) for v in point])
        value = naive_loss(up, down, 5)([mpmath.mpf(v) for v in point])
    measured = np.array(H.tolist(), float)
    # 30 terms of order 1, each with a few roundings
    assert abs(found.loss - float(value)) < 1e-14
    assert np.abs(found.gradient - np.array(gradient.tolist(), float)[:, 0]).max() < 1e-14
    assert np.abs(found.hessian - measured).max() < 1e-13
    assert found.kink > 1e-3
    shorter = attention_derivatives(*chain, point, length=4)
    assert np.abs(shorter.hessian - measured).max() > 1e-4


def test_derivatives_at_a_thousand_tokens_are_those_of_one_token_where_attention_is_off() -> None:
    point = (0.8, -0.4, 0.0, 0.3)
    one, many = (attention_derivatives(0.3, 0.6, point, length=N) for N in (1, 1000))
    rest = np.ix_([0, 1, 3], [0, 1, 3])
    # a thousand laws, each the outcome of up to a thousand sums of two terms
    assert np.abs(one.hessian[rest] - many.hessian[rest]).max() < 1e-12
    assert np.abs(one.gradient[[0, 1, 3]] - many.gradient[[0, 1, 3]]).max() < 1e-12
    assert np.abs(one.hessian - many.hessian).max() > 1e-3


def test_a_kink_is_told() -> None:
    assert attention_derivatives(0.5, 0.8, (0.5, 0.3, -1.0, 0.0), length=3).kink == 0
    assert attention_derivatives(0.5, 0.8, (0.5, 0.3, 0.0, 0.0), length=3).kink == 0.5


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="N = 0 is out of range: give an integer of at least 1"):
        attention_loss(0)
    with pytest.raises(ValueError, match="length = 0 is out of range"):
        attention_derivatives(0.5, 0.5, (0.0, 0.0, 0.0, 0.0), length=0)
    with pytest.raises(ValueError, match="is not finite: give four real numbers"):
        attention_derivatives(0.5, 0.5, (math.inf, 0.0, 0.0, 0.0), length=2)
    with pytest.raises(ValueError, match="e_sign = 2 is not a branch"):
        attention_derivatives(0.5, 0.5, (0.0,) * 4, length=1, e_sign=2)
    with pytest.raises(ValueError, match="e_sign = 2 is not a branch"):
        branch_logit(2)
