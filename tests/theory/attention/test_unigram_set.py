import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp

from tests.twins.attended_chain import (
    CHAINS,
    NEAR,
    at,
    decimal,
    differences,
    naive_loss,
    number,
    one_sided_curvature,
)
from theory.attention.critical_points import (
    attention_unigram_hessian,
    curvature_jump,
    degenerate_level,
    fires,
    kappa,
    neutral_strength,
    unigram_curvature,
    unigram_curvature_of,
)
from theory.attention.loss import attention_derivatives
from theory.attention.spectra import running_moments, unigram_curvatures
from theory.chain.binary import mean_memory
from theory.symbols import a, p, q, tau, w

BRANCHES = (1, -1)


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("e_sign", BRANCHES)
@pytest.mark.parametrize("strength", ["0", "0.7", "-0.9", "1"])
@pytest.mark.parametrize("N", [1, 2, 4])
def test_one_sided_curvature_is_that_of_the_loss(
    chain: tuple[Fraction, Fraction], e_sign: int, strength: str, N: int
) -> None:
    with mpmath.workdps(60):
        up, down = map(number, chain)
        at_w, at_a = decimal("-0.9"), decimal(strength)
        loss = naive_loss(up, down, N)
        point = [mpmath.mpf(0), at_w, at_a, mpmath.log(up / down)]
        measured = one_sided_curvature(loss, point, e_sign)
        values = {p: up, q: down, w: at_w, tau: -1, a: at_a}
        memory_of = {**values, kappa: at(mean_memory(N), {p: up, q: down})}
        assert abs(at(unigram_curvature(e_sign), memory_of) - measured) < NEAR
        assert abs(at(unigram_curvature_of(N, e_sign), values) - measured) < NEAR
        if at_a == 0:
            return
        later = at(mean_memory(N) * (1 - p - q), {p: up, q: down})  # a lag off by one
        for wrong in ({kappa: later}, {a: 0}, {kappa: -memory_of[kappa]}):
            mutated = at(unigram_curvature(e_sign), {**memory_of, **wrong})
            assert abs(mutated - measured) > 1e-3
        other = at(unigram_curvature(-e_sign), memory_of)
        assert (abs(other - measured) > 1e-4) == (N > 1)


@pytest.mark.parametrize("e_sign", BRANCHES)
@pytest.mark.parametrize("strength", ["-1.9", "2.6"])
@pytest.mark.parametrize("N", [1, 4])
def test_curvature_beyond_strength_one_is_that_of_the_loss(
    e_sign: int, strength: str, N: int
) -> None:
    chain = CHAINS[0]
    with mpmath.workdps(60):
        up, down = map(number, chain)
        at_w, at_a = decimal("0.8"), decimal(strength)
        point = [mpmath.mpf(0), at_w, at_a, mpmath.log(up / down)]
        measured = one_sided_curvature(naive_loss(up, down, N), point, e_sign)
        values = {p: up, q: down, w: at_w, tau: 1, a: at_a}
        assert abs(at(unigram_curvature_of(N, e_sign), values) - measured) < NEAR
        closed = {**values, kappa: at(mean_memory(N), {p: up, q: down})}
        # the closed form takes s_n to have the sign of x_n - 1/2; one token has no other than x_n
        assert (abs(at(unigram_curvature(e_sign), closed) - measured) > 1e-3) == (N > 1)
        flat = {**closed, w: 0}
        exact = at(unigram_curvature_of(N, e_sign), {**values, w: 0})
        assert abs(at(unigram_curvature(e_sign), flat) - exact) < NEAR
    both = unigram_curvatures(0.5, 0.8, 0.8, float(strength), N)
    assert abs(both[BRANCHES.index(e_sign)] - float(measured)) < 1e-14


def test_unigram_hessian_is_that_of_the_loss_from_one_side() -> None:
    with mpmath.workdps(60):
        up, down = map(number, CHAINS[0])
        point = [mpmath.mpf(0), decimal("0.4"), mpmath.mpf(0), mpmath.log(up / down)]
        gradient, H = differences(naive_loss(up, down, 3), point)  # at a = 0 the two sides agree
        values = {p: up, q: down, w: point[1], tau: 1, a: 0, kappa: mpmath.mpf(1)}
        derived = at(attention_unigram_hessian(1), values)
        assert max(abs(entry) for entry in gradient) < NEAR
        # the jump between the sides grows with a: the entry of e and a is off by the step, 1e-15
        assert max(abs(entry) for entry in derived - H) < mpmath.mpf(10) ** -15
        assert (
            max(abs(entry) for entry in at(attention_unigram_hessian(1), {**values, w: 0}) - H)
            > 0.01
        )


@pytest.mark.parametrize("e_sign", BRANCHES)
def test_derivatives_at_the_unigram_set_are_the_closed_form_at_hundreds_of_tokens(
    e_sign: int,
) -> None:
    N, at_w, at_a = 300, -0.5, 0.8
    closed = unigram_curvatures(0.9, 0.7, at_w, at_a, N)[BRANCHES.index(e_sign)]
    point = (0.0, at_w, at_a, math.log(0.9 / 0.7))
    found = attention_derivatives(0.9, 0.7, point, length=N, e_sign=e_sign)
    pi1 = 0.9 / 1.6
    expected = np.diag([closed, 0, 0, pi1 * (1 - pi1)])
    # laws after 300 steps, each relative to 300 roundings; the residuals cancel at order 1
    assert np.abs(found.gradient).max() < 1e-13
    assert np.abs(found.hessian - expected).max() < 1e-13
    wrong = unigram_curvatures(0.9, 0.7, at_w, at_a, 10)[BRANCHES.index(e_sign)]
    assert abs(found.hessian[0, 0] - wrong) > 1e-3


def test_sides_differ_by_the_jump_and_agree_at_equal_rates() -> None:
    c = p * q / (p + q) ** 2
    stated = 8 * c * (1 - p - q) * tau * w**2 * a * (1 - kappa) * (q - p) / (p + q)
    assert sp.simplify(curvature_jump() - stated) == 0
    assert sp.simplify(curvature_jump() + stated) != 0
    assert sp.factor(curvature_jump() - unigram_curvature(1) + unigram_curvature(-1)) == 0
    for nothing in ({p: q}, {a: 0}, {w: 0}, {kappa: 1}, {q: 1 - p}):
        assert sp.simplify(curvature_jump().subs(nothing)) == 0
    equal = unigram_curvature(1).subs(p, q)
    assert sp.simplify(equal - (2 * q - 1) / 2 * (1 + a * kappa) * (1 + 2 * tau * w**2)) == 0


def test_attention_alone_turns_the_sign_at_the_neutral_strength_and_not_above() -> None:
    N = 6
    memory_mean = float(running_moments(0.5, 0.8, N)[0])
    assert neutral_strength() == -1 / kappa
    for factor, sign in ((0.999, 1), (1.001, -1)):
        for curvature in unigram_curvatures(0.5, 0.8, 0.0, -factor / memory_mean, N):
            assert np.sign(curvature) == sign
    for strength in (-1.0, 0.0, 5.0):
        assert min(unigram_curvatures(0.5, 0.8, 0.0, strength, N)) > 0
        assert max(unigram_curvatures(0.2, 0.3, 0.0, strength, N)) < 0
        assert unigram_curvatures(0.25, 0.75, -0.3, strength, N) == (0, 0)


@pytest.mark.parametrize("e_sign", BRANCHES)
def test_attention_moves_the_degenerate_line_differently_on_the_two_sides(e_sign: int) -> None:
    N, at_a = 4, 0.8
    values = {p: 0.9, q: 0.7, a: at_a, kappa: running_moments(0.9, 0.7, N)[0]}
    level = float(at(degenerate_level(e_sign), values))
    assert abs(level + 0.5) > 1e-3
    for factor, sign in ((0.999, 1), (1.001, -1)):
        at_w = -math.sqrt(-level * factor)
        own = unigram_curvatures(0.9, 0.7, at_w, at_a, N)[BRANCHES.index(e_sign)]
        assert np.sign(own) == sign
    levels = [float(at(degenerate_level(side), values)) for side in BRANCHES]
    between = unigram_curvatures(0.9, 0.7, -math.sqrt(-sum(levels) / 2), at_a, N)
    assert between[0] * between[1] < 0
    assert sp.simplify(degenerate_level(e_sign).subs(p, q)) == -sp.S.Half


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"w = nan, a = 0\.0 are not both finite"):
        unigram_curvatures(0.5, 0.5, math.nan, 0.0, 2)
    with pytest.raises(ValueError, match="N = 0 is out of range"):
        unigram_curvatures(0.5, 0.5, 0.0, 2.0, 0)
    with pytest.raises(ValueError, match="N = 0 is out of range"):
        unigram_curvature_of(0)


@pytest.mark.parametrize("e_sign", BRANCHES)
def test_curvature_and_level_have_the_stated_form(e_sign: int) -> None:
    pi = (q / (p + q), p / (p + q))
    other = pi[0] if e_sign > 0 else pi[1]
    bracket = 1 + a - 2 * a * other * (1 - kappa)
    stated = 2 * pi[0] * pi[1] * (p + q - 1) * (1 + a * kappa + 2 * tau * w**2 * bracket)
    assert sp.factor(unigram_curvature(e_sign) - stated) == 0
    H = attention_unigram_hessian(e_sign)
    assert sp.simplify(H - sp.diag(stated, 0, 0, pi[0] * pi[1])) == sp.zeros(4, 4)
    level = -(1 + a * kappa) / (2 * bracket)
    assert sp.factor(degenerate_level(e_sign) - level) == 0
    assert sp.factor(stated.subs(tau, level / w**2)) == 0


def test_the_relu_fires_where_the_score_has_the_sign_of_e() -> None:
    assert [fires(token, sign) for sign in BRANCHES for token in (0, 1)] == [0, 1, 1, 0]


def test_the_neutral_strength_is_negative_and_turns_the_curvature() -> None:
    assert sp.factor(unigram_curvature(1).subs({w: 0, a: neutral_strength()})) == 0
    assert neutral_strength().is_negative
