import mpmath
import pytest
import sympy as sp

from tests.twins.attended_chain import best_bias, decimal, reduced_loss
from theory.numeric import function
from theory.reduced.degenerate import (
    derivatives_at_unigram,
    expansion,
    gap_near_saddle,
    leading_term,
    level_slope,
    offset,
    remainder,
)
from theory.reduced.flow import level
from theory.symbols import e, p, q, s, tau, w

CHAINS = ["1/2 4/5", "1/5 3/10", "3/10 7/10"]


def rates(chain: str) -> list[mpmath.mpf]:
    """p and q at the precision in force."""
    return list(map(decimal, chain.split()))


def excess(at_e: mpmath.mpf, at_w: mpmath.mpf, up: mpmath.mpf, down: mpmath.mpf) -> mpmath.mpf:
    """The loss at the best bias less H_u."""
    loss, bias = reduced_loss(up, down), best_bias(at_e, at_w, up, down)
    return loss((at_e, at_w, bias)) - loss((mpmath.mpf(0), at_w, mpmath.log(up / down)))


@pytest.mark.parametrize("chain", CHAINS)
def test_derivatives_at_the_unigram_are_those_of_the_least_loss(chain: str) -> None:
    with mpmath.workdps(60):
        up, down = rates(chain)
        h = mpmath.mpf(10) ** -8

        def l_of(gap: mpmath.mpf) -> mpmath.mpf:  # w = 0 reaches s > 0, w = -1 s < 0
            size = mpmath.sqrt(abs(gap))
            return excess(size, mpmath.mpf(0 if gap >= 0 else -1), up, down)

        at = {k: l_of(k * h) for k in (-2, -1, 1, 2)}
        measured = (
            (8 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12 * h),
            (16 * (at[1] + at[-1]) - (at[2] + at[-2])) / (12 * h**2),
            (at[2] - 2 * at[1] + 2 * at[-1] - at[-2]) / (2 * h**3),
        )
        derived = function([p, q], derivatives_at_unigram(), mpmath)(up, down)
        # truncation h^4, h^4 and h^2, each times a derivative below 1
        for found, expected, bound in zip(measured, derived, (1e-30, 1e-30, 1e-15), strict=True):
            assert abs(found - expected) < bound
        c = up * down / (up + down) ** 2
        assert abs(measured[1] - c) > 0.1


def test_derivatives_at_the_unigram_have_their_closed_forms() -> None:
    c = p * q / (p + q) ** 2
    stated = (c * (p + q - 1), c**2, c**2 * (q - p) ** 2 / (p + q) ** 2)
    for derived, closed in zip(derivatives_at_unigram(), stated, strict=True):
        assert sp.simplify(derived - closed) == 0
        assert sp.simplify(derived - 2 * closed) != 0
    on_the_line = [value.subs(q, 1 - p) for value in derivatives_at_unigram()]
    assert sp.simplify(on_the_line[0]) == 0
    assert sp.simplify(on_the_line[1] - p**2 * (1 - p) ** 2) == 0


def test_the_best_logit_falls_by_pi1_at_the_unigram() -> None:
    assert sp.simplify(level_slope().subs({level: sp.log(p / q), s: 0}) + p / (p + q)) == 0
    assert sp.simplify(level_slope().subs({level: 0, s: 1}) + p / (p + q)) != 0


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("order", [1, 2, 3])
def test_remainder_is_of_the_next_order(chain: str, order: int) -> None:
    up, down = (sp.Rational(text) for text in chain.split())
    value = function([s], remainder(order).subs({p: up, q: down}), mpmath)
    with mpmath.workdps(80):
        ratio = [value(mpmath.mpf(10) ** -k) * 10 ** (k * (order + 1)) for k in (8, 9)]
        # the quotient tends to a derivative, with an error of order s
        assert abs(ratio[0] - ratio[1]) < 1e-7
        assert abs(value(mpmath.mpf(10) ** -9) * 10 ** (9 * (order + 2))) > 1e2 or (
            abs(ratio[1]) < 1e-7
        )


@pytest.mark.parametrize("order", [0, 4])
def test_another_order_is_refused(order: int) -> None:
    with pytest.raises(ValueError, match=f"order = {order} is not available: choose 1, 2 or 3"):
        expansion(order)


@pytest.mark.parametrize("chance", ["3/10 7/10", "1/2 1/2", "9/10 1/10"])
@pytest.mark.parametrize("at_w", ["0.4", "-0.3", "-1.5"])
def test_on_p_plus_q_equal_1_the_loss_rises_with_the_fourth_power(chance: str, at_w: str) -> None:
    with mpmath.workdps(60):
        up, down = rates(chance)
        number = mpmath.mpf(at_w)
        values = {p: up, w: number, tau: 1 if number > 0 else -1}
        for k in (6, 8):
            at_e = mpmath.mpf(10) ** -k
            term = function([*values, e], leading_term("p+q=1"), mpmath)(*values.values(), at_e)
            measured = excess(at_e, number, up, down)
            # the next term is smaller by e^2
            assert abs(measured / term - 1) < 100 * at_e**2
            assert measured > 0
            assert abs(measured / (term / at_e**2) - 1) > 0.9
            assert abs(2 * measured / term - 1) > 0.9


@pytest.mark.parametrize("chain", CHAINS[:2])
def test_beside_the_saddle_the_loss_has_both_signs(chain: str) -> None:
    with mpmath.workdps(60):
        up, down = rates(chain)
        root, term = 1 / mpmath.sqrt(2), leading_term("w=-1/sqrt2")
        formula = function([p, q, e, offset], term, mpmath)
        signs = set()
        for k, side in ((6, 1), (6, -1), (9, 1), (9, -1)):
            step = mpmath.mpf(10) ** -k
            measured = excess(step, side * step - root, up, down)
            expected = formula(up, down, step, side * step)
            # the next terms are smaller by e or v
            assert abs(measured / expected - 1) < 100 * step
            assert abs(measured / formula(up, down, step, -side * step) - 1) > 0.9
            signs.add(int(mpmath.sign(measured)))
        assert signs == {1, -1}


@pytest.mark.parametrize("chain", CHAINS)
def test_along_the_degenerate_line_the_loss_is_constant(chain: str) -> None:
    with mpmath.workdps(60):
        up, down = rates(chain)
        root = 1 / mpmath.sqrt(2)
        for at_e in (mpmath.mpf(1) / 10, mpmath.mpf(2)):
            # round-off at 60 digits
            assert abs(excess(at_e, -root, up, down)) < mpmath.mpf(10) ** -55
            assert abs(excess(at_e, -root + 0.1, up, down)) > 1e-8
        assert gap_near_saddle().subs(offset, 0) == 0


@pytest.mark.parametrize("chain", ["3/10 7/10", "1/2 1/2"])
def test_where_both_lines_meet_the_loss_is_of_order_six(chain: str) -> None:
    with mpmath.workdps(60):
        up, down = rates(chain)
        root = 1 / mpmath.sqrt(2)
        formula = function([p, e, offset], leading_term("both"), mpmath)
        for step in (mpmath.mpf(10) ** -4, -(mpmath.mpf(10) ** -6)):
            measured = excess(abs(step), step - root, up, down)
            expected = formula(up, step, step)
            assert abs(measured / expected - 1) < 100 * abs(step)
            assert abs(measured / (2 * expected) - 1) > 0.4
            assert measured > 0


def test_an_offset_has_both_signs() -> None:
    assert offset.is_real
    assert offset.is_positive is None


def test_leading_terms_have_their_closed_forms() -> None:
    c = p * q / (p + q) ** 2
    on = p**2 * (1 - p) ** 2
    stated = {
        "p+q=1": on * (1 + 2 * tau * w**2) ** 2 * e**4 / 2,
        "w=-1/sqrt2": 2 * sp.sqrt(2) * c * (p + q - 1) * e**2 * offset,
        "both": 4 * on * e**4 * offset**2,
    }
    for line, closed in stated.items():
        assert sp.simplify(leading_term(line) - closed) == 0
        assert sp.simplify(leading_term(line) - closed * e) != 0
    with pytest.raises(ValueError, match=r"line = 'p=q' is not known: choose 'p\+q=1'"):
        leading_term("p=q")
