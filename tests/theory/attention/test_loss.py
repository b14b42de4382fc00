"""The loss of the attention-reduced model: the sum over contexts, at numbers, and by hand."""

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
    count_law,
    decimal,
    differences,
    exact,
    naive_loss,
    number,
)
from theory.attention.loss import (
    attention_derivatives,
    attention_loss,
    branch_logit,
    counts,
    firing,
    firing_logit,
    score,
)
from theory.symbols import a, b, e, p, q, tau, w, x, xbar
from theory.transformer.forward import attention_logit

BRANCHES = (1, -1)


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


# e, w, a, b
POINTS = [
    (Fraction(3, 2), Fraction(2, 3), Fraction(1, 5), Fraction(-1, 7)),
    (Fraction(-5, 4), Fraction(-3, 4), Fraction(-7, 3), Fraction(2, 9)),
]
TOKENS = [(0, Fraction(1, 3)), (1, Fraction(3, 4)), (1, Fraction(1, 2)), (0, Fraction(0))]


def values(point: tuple[Fraction, ...], token: int, mean: Fraction) -> dict[sp.Symbol, sp.Expr]:
    numbers = dict(zip((e, w, a, b), map(exact, point), strict=True))
    return {**numbers, tau: -1 if point[1] < 0 else 1, x: token, xbar: exact(mean)}


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize(("token", "mean"), TOKENS)
def test_the_logit_is_that_of_the_relu(
    point: tuple[Fraction, ...], token: int, mean: Fraction
) -> None:
    at_e, at_w, at_a, at_b = point
    half = Fraction(1, 2)
    s = token - half + at_a * (mean - half)
    at = values(point, token, mean)
    assert score().subs(at) == exact(s)
    for on in (0, 1):
        by_hand = at_e**2 * s * (1 + 4 * at_w * abs(at_w) * on) + at_b
        assert firing_logit().subs({**at, firing: on}) == exact(by_hand)
    by_hand = at_e**2 * s + 4 * at_w * abs(at_w) * at_e * max(at_e * s, Fraction(0)) + at_b
    sign = 1 if at_e > 0 else -1
    assert branch_logit(sign).subs(at) == exact(by_hand)
    assert branch_logit(-sign).subs(at) != exact(by_hand)


def test_an_indicator_is_not_negative() -> None:
    assert firing.is_nonnegative


def test_a_logit_with_the_indicator_that_differs_between_the_signs_of_e_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def planted(e_sign: int) -> sp.Expr:
        return attention_logit(e_sign) + sp.Rational(1 + e_sign, 2)

    monkeypatch.setattr("theory.attention.loss.attention_logit", planted)
    with pytest.raises(ValueError, match="too many values to unpack"):
        firing_logit.__wrapped__()


CHAIN = (0.5, 0.8)


@pytest.mark.parametrize("chain", [CHAIN, (0.2, 0.3)])
@pytest.mark.parametrize("length", [2, 5])
@pytest.mark.parametrize("point", [(0.9, -0.6, 0.7, -0.3), (-1.1, 0.9, -2.3, 0.4),
                                   (0.9, 0.6, 0.7, -0.3), (-1.1, -0.9, -2.3, 0.4)])  # fmt: skip
def test_derivatives_are_the_differences_of_the_sum_over_contexts(
    chain: tuple[float, float], length: int, point: tuple[float, float, float, float]
) -> None:
    found = attention_derivatives(*chain, point, length=length)
    with mpmath.workdps(60):
        up, down = (decimal(str(value)) for value in chain)
        loss = naive_loss(up, down, length)
        gradient, H = differences(loss, [mpmath.mpf(v) for v in point])
        value = float(loss([mpmath.mpf(v) for v in point]))
    measured = np.array(H.tolist(), float)
    # 30 terms of order 1, each with a few roundings
    assert abs(found.loss - value) < 1e-14
    assert np.abs(found.gradient - np.array(gradient, float)).max() < 1e-14
    assert np.abs(found.hessian - measured).max() < 1e-13
    assert found.kink > 1e-3
    other = attention_derivatives(*chain, point, length=length - 1)
    assert np.abs(other.hessian - measured).max() > 1e-4
    mirrored = attention_derivatives(*chain, (-point[0], *point[1:]), length=length)
    assert abs(mirrored.loss - value) > 1e-4


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
    steps = zip(counts(*CHAIN, 3), counts(*CHAIN[::-1], 3), strict=True)
    for n, ((found, mean), (mirrored, _)) in enumerate(steps, start=1):
        law = np.zeros((2, n + 1))
        for place, weight in count_law(CHAINS[0], n).items():
            law[place] = float(weight)
        assert mean.tolist() == [ones / n for ones in range(n + 1)]
        assert np.abs(found - law).max() < 1e-16
        assert np.abs(mirrored - law).max() > 1e-2


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
