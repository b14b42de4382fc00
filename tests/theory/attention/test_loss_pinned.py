"""The logit of the attention-reduced model at exact numbers, worked out by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy as sp

from tests.twins.attended_chain import exact
from theory.attention.loss import attention_loss, branch_logit, firing, firing_logit, score
from theory.symbols import a, b, e, tau, w, x, xbar
from theory.transformer.reduced_logit import attention_logit

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


def test_without_a_sign_the_branch_is_that_of_positive_e() -> None:
    assert branch_logit() == branch_logit(1) != branch_logit(-1)
    assert attention_loss(1) == attention_loss(1, 1) != attention_loss(1, -1)


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
