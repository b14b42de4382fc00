"""Derivatives of the attention-reduced loss over two tokens, and what is said of its kinks."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from tests.twins.attended_chain import contexts, decimal, differences, naive_loss
from tests.twins.weights import probability
from theory.attention.derivatives import attention_derivatives, next_count

CHAIN = (0.5, 0.8)


def measured(point: tuple[float, ...], length: int = 2) -> tuple[float, np.ndarray, np.ndarray]:
    """Loss, gradient and Hessian by differences at 60 digits, over all contexts."""
    with mpmath.workdps(60):
        up, down = (decimal(str(value)) for value in CHAIN)
        loss = naive_loss(up, down, length)
        at = [mpmath.mpf(value) for value in point]
        gradient, H = differences(loss, at)
        return float(loss(at)), np.array(gradient, float), np.array(H.tolist(), float)


@pytest.mark.parametrize("point", [(0.9, -0.6, 0.7, -0.3), (-1.1, 0.9, -2.3, 0.4)])
def test_the_derivatives_are_differences_where_the_signs_of_e_w_and_a_differ(
    point: tuple[float, float, float, float],
) -> None:
    found = attention_derivatives(*CHAIN, point, length=2)
    loss, gradient, H = measured(point)
    # six terms of order 1, a few roundings each
    assert abs(found.loss - loss) < 1e-14
    assert np.abs(found.gradient - gradient).max() < 1e-14
    assert np.abs(found.hessian - H).max() < 1e-13
    mirrored = (-point[0], *point[1:])
    other = attention_derivatives(*CHAIN, mirrored, length=2)
    assert abs(other.loss - loss) > 1e-4


def test_at_w_0_the_second_derivative_in_w_is_that_from_above() -> None:
    point = (0.9, 0.0, 0.7, -0.3)
    found = attention_derivatives(*CHAIN, point, length=2).hessian[1, 1]

    def curvature(side: int) -> float:
        with mpmath.workdps(60):
            up, down = (decimal(str(value)) for value in CHAIN)
            loss = naive_loss(up, down, 2)
            h = side * mpmath.mpf(10) ** -15

            def at(step: mpmath.mpf) -> mpmath.mpf:
                return loss([mpmath.mpf(point[0]), step, *map(mpmath.mpf, point[2:])])

            return float((at(2 * h) - 2 * at(h) + at(mpmath.mpf(0))) / h**2)

    # off by the third derivative times the step
    assert abs(found - curvature(1)) < 1e-13
    assert abs(found - curvature(-1)) > 0.1


@pytest.mark.parametrize("e_value", [0.8, -0.8])
def test_at_a_kink_the_relu_is_off(e_value: float) -> None:
    """One token and a = -1: s_1 = 0 for both contexts."""
    point = (e_value, 0.5, -1.0, 0.2)
    found = attention_derivatives(*CHAIN, point, length=1)
    assert found.kink == 0
    # f = e^2 s + b, df/da = e^2 (x - 1/2); with the relu on, 1 + 4 w|w| = 2 times that
    up, down = CHAIN
    pi, r = (down / (up + down), up / (up + down)), (up, 1 - down)
    on = 1 / (1 + np.exp(-0.2))
    slope = sum(pi[t] * (on - r[t]) * e_value**2 * (t - 0.5) for t in (0, 1))
    assert abs(found.gradient[2] - slope) < 1e-15
    assert abs(found.gradient[2] - 2 * slope) > 1e-2


@pytest.mark.parametrize("strength", [-2.5, -1.3, 0.0, 0.6, 1.0, 3.0])
@pytest.mark.parametrize("length", [1, 2, 5])
def test_the_kink_is_the_least_score_of_a_context_that_occurs(strength: float, length: int) -> None:
    a = Fraction(strength)
    half = Fraction(1, 2)
    scores = [
        abs(c[-1] - half + a * (Fraction(sum(c), n) - half))
        for n in range(1, length + 1)
        for c in contexts(n)
    ]
    found = attention_derivatives(*CHAIN, (0.9, 0.3, strength, 0.0), length=length).kink
    assert abs(found - float(min(scores))) < 1e-15
    assert length == 1 or strength == 0 or abs(found - float(max(scores))) > 0.1


def test_a_step_of_the_count_is_that_of_the_contexts() -> None:
    up, down = Fraction(1, 2), Fraction(4, 5)
    laws = []
    for n in (2, 3):
        law = np.zeros((2, n + 1))
        for c in contexts(n):
            law[c[-1], sum(c)] += float(probability(c, up, down))
        laws.append(law)
    assert np.abs(next_count(laws[0], *CHAIN) - laws[1]).max() < 1e-16
    assert np.abs(next_count(laws[0], *CHAIN[::-1]) - laws[1]).max() > 1e-2


def test_the_branch_at_e_0_is_the_positive_one_unless_told() -> None:
    point = (0.0, 0.6, 0.7, -0.3)
    plain, plus, minus = (
        attention_derivatives(*CHAIN, point, length=2, **side).hessian[0, 0]
        for side in ({}, {"e_sign": 1}, {"e_sign": -1})
    )
    assert plain == plus != minus
    # e has its own sign where it has one
    point = (-0.5, 0.6, 0.7, -0.3)
    both = [attention_derivatives(*CHAIN, point, length=2, e_sign=k).loss for k in (1, -1)]
    assert both[0] == both[1]
