from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp

from tests.twins.attended_chain import (
    CHAINS,
    NEAR,
    at,
    bigram_point,
    contexts,
    decimal,
    differences,
    exact,
    moments_at,
    naive_logit,
    naive_loss,
    number,
)
from theory.attention.critical_points import (
    attention_bigram_hessian,
    attention_stiffness,
    kappa,
    mean_m,
    mean_m2,
    moments,
    same_token_gaps,
)
from theory.attention.loss import attention_derivatives, branch_logit
from theory.attention.spectra import attention_bigram_spectrum, running_moments
from theory.reduced.critical_points import bigram_hessian, bigram_set
from theory.symbols import a, e, p, q, tau, w, x, xbar

BRANCHES = (1, -1)


@pytest.mark.parametrize(("chain", "at_w"), [(CHAINS[0], "-1.2"), (CHAINS[1], "-0.5")])
@pytest.mark.parametrize("e_sign", BRANCHES)
@pytest.mark.parametrize("N", [1, 2, 4])
def test_bigram_hessian_is_that_of_the_loss(
    chain: tuple[Fraction, Fraction], at_w: str, e_sign: int, N: int
) -> None:
    with mpmath.workdps(60):
        up, down = map(number, chain)
        at_e, _, bias = bigram_point(up, down, decimal(at_w), e_sign)
        point = [at_e, decimal(at_w), mpmath.mpf(0), bias]
        gradient, H = differences(naive_loss(up, down, N), point)
        mean = {s: at(value, {p: up, q: down}) for s, value in moments(N).items() if s != kappa}
        values = {p: up, q: down, e: point[0], w: point[1], tau: -1, **mean}
        derived = at(attention_bigram_hessian(e_sign), values)
        assert max(abs(entry) for entry in gradient) < NEAR
        assert max(abs(entry) for entry in derived - H) < NEAR
        for wrong in (
            {mean_m2[1]: mean[mean_m[1]] ** 2, mean_m2[0]: mean[mean_m[0]] ** 2},
            {tau: 1},
        ):
            mutated = at(attention_bigram_hessian(e_sign), {**values, **wrong})
            changed = max(abs(entry) for entry in mutated - H) > 1e-4
            assert changed == (N > 1 or tau in wrong)
        # H v and the eigenvalues by mpmath: the number of zeros
        found = sorted(mpmath.eigsy(H, eigvals_only=True))
        zeros = 1 if N > 1 else 2
        assert max(abs(value) for value in found[:zeros]) < NEAR
        assert found[zeros] > 1e-4
        # what e, w and b leave of H_aa; the block is completed along its null line, the tangent
        stiffness = at(attention_stiffness(e_sign), values)
        slope = -(1 + 2 * point[1] * abs(point[1])) / (2 * abs(point[1]) * point[0])
        null = mpmath.matrix([1, slope, e_sign * point[0]])
        block = mpmath.matrix([[H[i, j] for j in (0, 1, 3)] for i in (0, 1, 3)])
        assert max(abs(entry) for entry in block * null) < NEAR
        column = mpmath.matrix([H[i, 2] for i in (0, 1, 3)])
        solved = mpmath.lu_solve(block + null * null.T, column)
        # the system's condition number is below 100
        assert abs(H[2, 2] - (column.T * solved)[0] - stiffness) < 100 * NEAR
        assert (stiffness > 1e-4) == (N > 1)


@pytest.mark.parametrize("e_sign", BRANCHES)
def test_bigram_hessian_without_attention_is_the_block_of_the_reduced_model(e_sign: int) -> None:
    block = attention_bigram_hessian(e_sign).extract([0, 1, 3], [0, 1, 3])
    residual = (block - bigram_hessian(e_sign)).applyfunc(
        lambda entry: sp.simplify(sp.expand(sp.together(entry)).subs(tau**2, 1))
    )
    assert residual == sp.zeros(3, 3)
    other = (block - bigram_hessian(-e_sign)).applyfunc(sp.simplify)
    assert other != sp.zeros(3, 3)


@pytest.mark.parametrize("e_sign", BRANCHES)
def test_spectrum_is_that_of_the_sums_at_the_bigram_point(e_sign: int) -> None:
    for N, rank in ((1, 2), (50, 3)):
        predicted = attention_bigram_spectrum(0.5, 0.8, -1.2, N, e_sign)
        with mpmath.workdps(30):
            exact = bigram_point(mpmath.mpf(1) / 2, mpmath.mpf(4) / 5, mpmath.mpf(-1.2), e_sign)
        at_e, at_w, at_b = map(float, exact)
        found = attention_derivatives(0.5, 0.8, (at_e, at_w, 0.0, at_b), length=N)
        values = np.linalg.eigvalsh(found.hessian)
        # round-off of a 4 x 4 matrix of norm near 4
        assert np.abs(values[-rank:] - predicted.eigenvalues).max() < 1e-12
        assert np.abs(values[:-rank]).max() < 1e-12
        assert predicted.inertia == (0, 4 - rank, rank)
        other = attention_bigram_spectrum(0.5, 0.8, -1.2, N + 1, e_sign)
        assert other.eigenvalues.size != rank or (
            np.abs(values[-rank:] - other.eigenvalues).max() > 1e-6
        )


@pytest.mark.parametrize("e_sign", BRANCHES)
@pytest.mark.parametrize(("strength", "strong"), [("0.6", False), ("-0.8", False), ("-1.7", True)])
def test_gaps_between_contexts_of_one_last_token_are_those_of_the_logits(
    e_sign: int, strength: str, strong: bool
) -> None:
    with mpmath.workdps(30):
        point = [e_sign * decimal("0.9"), decimal("-0.6"), decimal(strength), decimal("0.3")]
        values = {w: point[1], tau: -1, a: point[2]}
        pairs = (((0,), (1, 0)), ((1,), (0, 1)), ((1,), (0,)))
        gaps = same_token_gaps(e_sign, strong=strong)
        others = same_token_gaps(e_sign, strong=not strong)
        wrong = 0
        for (one, other), gap, swapped in zip(pairs, gaps, others, strict=True):
            measured = (naive_logit(point, one) - naive_logit(point, other)) / point[0] ** 2
            assert abs(at(gap, values) - measured) < mpmath.mpf(10) ** -27
            wrong += bool(abs(at(swapped, values) - measured) > 1e-3)
        assert wrong == 2  # the third gap is the same on both


@pytest.mark.parametrize("e_sign", BRANCHES)
def test_no_bigram_point_has_attention(e_sign: int) -> None:
    first, last, third = same_token_gaps(e_sign)
    plain = first if e_sign > 0 else last
    assert sp.solve(plain, a) == [0]
    first, last, third = same_token_gaps(e_sign, strong=True)
    level = sp.Symbol("W")
    equations = [gap.subs(tau, level / w**2) for gap in (first, last)]
    solutions = sp.solve(equations, [a, level], dict=True)
    assert {a: -2, level: -sp.S.Half} in solutions
    assert [solution for solution in solutions if solution[a] < -1] == [{a: -2, level: -sp.S.Half}]
    assert third.subs(tau, level / w**2).subs({a: -2, level: -sp.S.Half}) == 0
    # at that point two tokens see a constant logit, three do not
    with mpmath.workdps(30):
        point = [mpmath.mpf(e_sign), -1 / mpmath.sqrt(2), mpmath.mpf(-2), mpmath.mpf(0)]
        short = {mpmath.nstr(naive_logit(point, c), 20) for n in (1, 2) for c in contexts(n)}
        long = {mpmath.nstr(naive_logit(point, c), 20) for c in contexts(3)}
    assert (len(short), len(long)) == (1, 3)


def test_at_one_token_attention_rescales_the_gap() -> None:
    point = bigram_set(1)
    for at_a in (sp.Rational(1, 2), sp.Rational(-3, 4)):
        one, zero = (branch_logit(1).subs({x: t, xbar: t, a: at_a}) for t in (1, 0))
        gap = sp.expand((one - zero) / e**2)
        assert sp.simplify(gap - (1 + at_a) * (1 + 2 * tau * w**2)) == 0
        assert sp.simplify(gap - (1 + 2 * tau * w**2)) != 0
    assert sp.simplify(point.e_squared * (1 + 2 * tau * w**2)).has(w) is False


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"q = 1\.2 is outside the open interval"):
        running_moments(0.5, 1.2, 3)
    with pytest.raises(ValueError, match=r"w = 0\.0 has no bigram point"):
        attention_bigram_spectrum(0.5, 0.8, 0.0, 3)


@pytest.mark.parametrize("N", [1, 2, 3])
def test_the_moments_are_means_over_positions_and_contexts(N: int) -> None:
    up, down = map(exact, CHAINS[0])
    found = [moments(N)[symbol].subs({p: up, q: down}) for symbol in (kappa, *mean_m, *mean_m2)]
    each = zip(*(moments_at(CHAINS[0], n) for n in range(1, N + 1)), strict=True)
    assert found == [exact(sum(values, Fraction(0)) / N) for values in each]
    assert found[1:3] != found[3:]


def test_a_square_of_the_sign_of_w_is_one() -> None:
    """The entries hold the sign at most once, for rank and signs are read off them."""
    for e_sign in BRANCHES:
        degrees = {sp.degree(sp.expand(entry), tau) for entry in attention_bigram_hessian(e_sign)}
        assert max(degrees) == 1


def test_unless_told_otherwise_attention_is_not_strong() -> None:
    assert same_token_gaps(1) == same_token_gaps(1, strong=False) != same_token_gaps(1, strong=True)


def test_means_are_real_and_means_of_squares_positive() -> None:
    assert all(symbol.is_real for symbol in mean_m)
    assert all(symbol.is_positive for symbol in mean_m2)
    assert kappa.is_positive
