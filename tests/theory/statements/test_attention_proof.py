"""The proof of the reduced model with attention: what it refuses, and what it says at a kink."""

from fractions import Fraction

import mpmath
import pytest
import sympy as sp

from tests.theory.statements.replaced import refused, replaced
from tests.twins.attended_chain import CHAINS, count_law, naive_loss, number
from theory.attention.critical_points import attention_bigram_hessian, attention_stiffness
from theory.chain.binary import conditional_square
from theory.proving.steps import check_step
from theory.statements.shared.least_loss import BRANCHES
from theory.statements.transformer.attention_bigram import (
    bigram_control,
    hessian_steps,
    variance_steps,
)

BARE = attention_bigram_hessian.__wrapped__


def without_attention(e_sign: int = 1) -> sp.ImmutableMatrix:
    """Of rank 2: the row and the column of a are 0."""
    H = sp.Matrix(BARE(e_sign))
    H[2, :], H[:, 2] = sp.zeros(1, 4), sp.zeros(4, 1)
    return sp.ImmutableMatrix(H)


WRONG = {
    "the row and the column of a are 0": (attention_bigram_hessian, without_attention),
    "e < 0 as e > 0": (attention_bigram_hessian, lambda e_sign=1: BARE(1)),
    "e > 0 as e < 0": (attention_bigram_hessian, lambda e_sign=1: BARE(-1)),
    "the stiffness of e > 0": (
        attention_stiffness,
        lambda e_sign=1: attention_stiffness.__wrapped__(1),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_bigram_hessian_is_refused(name: str) -> None:
    original, wrong = WRONG[name]
    with replaced(original, wrong):
        found = [claim for sign, words in BRANCHES for claim in refused(hessian_steps(sign, words))]
    assert found
    branch = {"e < 0 as e > 0": "e < 0", "e > 0 as e < 0": "e > 0"}.get(name)
    assert branch is None or all(claim.startswith(branch) for claim in found)


def test_the_right_one_is_accepted_and_a_variance_of_nothing_is_not() -> None:
    steps = tuple(step for sign, words in BRANCHES for step in hessian_steps(sign, words))
    assert refused((*steps, *variance_steps())) == []
    with replaced(conditional_square, lambda token, n: conditional_square(1 - token, n)):
        assert len(refused(variance_steps())) == 1
    assert check_step(bigram_control().step).false


@pytest.mark.parametrize("chain", CHAINS)
def test_the_variances_exceed_their_bound_and_vanish_for_one_token(
    chain: tuple[Fraction, Fraction],
) -> None:
    """V_x over positions and contexts, by the recursion in rationals."""
    for N in (1, 2, 5):
        for token in (0, 1):
            pi = (chain[1], chain[0])[token] / sum(chain)
            terms = [
                (weight / pi / N, sp.Rational(k, n))
                for n in range(1, N + 1)
                for (x, k), weight in count_law(chain, n).items()
                if x == token
            ]
            mean = sum(weight * m for weight, m in terms)
            variance = sum(weight * (m - mean) ** 2 for weight, m in terms)
            bound = chain[token] / (4 * N * (1 + chain[token]))
            assert (variance == 0) if N == 1 else (variance >= bound)


@pytest.mark.parametrize("strength", [-1, 3, -3])
def test_the_expansion_holds_at_a_kink(strength: int) -> None:
    """N = 3, w = 1: dL/da has two values at e = .5, and the second order is one all the same."""
    p, q = CHAINS[0]
    with mpmath.workdps(40):
        up, down = number(p), number(q)
        loss, a = naive_loss(up, down, 3), mpmath.mpf(strength)
        h = mpmath.mpf(10) ** -12
        here = [mpmath.mpf(".5"), mpmath.mpf(1), a, mpmath.log(up / down)]
        sides = [(loss([*here[:2], a + k * h, here[3]]) - loss(here)) / (k * h) for k in (1, -1)]
        # there is no Hessian in the strict sense next to the point
        assert abs(sides[0] - sides[1]) > 1e-4
        start = [mpmath.mpf(0), *here[1:]]

        def rest(t: mpmath.mpf) -> mpmath.mpf:
            """The loss over H_u at a step t in all four coordinates, over t^2."""
            moved = [z + t * v for z, v in zip(start, (1, 2, -1, 1), strict=True)]
            return (loss(moved) - loss(start)) / t**2

        limit = rest(mpmath.mpf(10) ** -9)
        for t in (mpmath.mpf(10) ** -3, mpmath.mpf(10) ** -4):
            assert abs(rest(t) - limit) < 40 * t  # of third order
        c = up * down / (up + down) ** 2
        flat = [z + mpmath.mpf(10) ** -9 * v for z, v in zip(start, (1, 0, 0, 0), strict=True)]
        curvature = (loss(flat) - loss(start)) * mpmath.mpf(10) ** 18
        assert abs(limit - (curvature + c / 2)) < 1e-7  # w and a have no part in it
        assert abs(limit - curvature) > 0.1  # the control
