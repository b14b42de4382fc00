"""The flow, its energy and its basins, against a loss written out and differentiated here."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp

from tests.check_values import agrees
from tests.twins.attended_chain import best_bias, reduced_loss
from theory.numeric import function
from theory.reduced import basins, flow
from theory.reduced.basins import basin, energy_at, energy_over_saddle, separatrix
from theory.reduced.flow import energy, rate, saddle, saddle_energy, separatrix_squared
from theory.reduced.loss import best_logit
from theory.symbols import b, e, p, q, s, tau, w

CHAINS = [(0.5, 0.8), (0.2, 0.3), (0.07, 0.9)]
POINTS = [(0.9, 0.4), (0.7, -1.3), (-1.1, -0.4), (-0.8, 0.6)]
SYMBOLS = [e, w, tau, p, q, flow.level]


def best_level(x: Any, y: Any, up: Any, down: Any) -> Any:
    sign = -1 if y < 0 else 1
    height = function([e, w, tau], flow.gap(), mpmath)(x, y, sign)
    return function([s, p, q], best_logit(), mpmath)(height, up, down)


def gradient_of(f: Callable[..., Any], at: tuple[Any, ...]) -> list[Any]:
    n = len(at)
    return [mpmath.diff(f, at, tuple(int(i == k) for i in range(n))) for k in range(n)]


def hessian_of(f: Callable[..., Any], at: tuple[Any, ...]) -> list[list[Any]]:
    n = len(at)
    return [
        [mpmath.diff(f, at, tuple(int(i == k) + int(j == k) for k in range(n))) for j in range(n)]
        for i in range(n)
    ]


def distance(matrix: Any, rows: list[list[Any]]) -> Any:
    return max(
        abs(matrix[i, j] + value) for i, row in enumerate(rows) for j, value in enumerate(row)
    )


# mpmath differentiates at 45 digits; a first difference keeps 20 of them, a second 14.
FIRST, SECOND = mpmath.mpf(10) ** -18, mpmath.mpf(10) ** -12


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("point", POINTS)
def test_the_field_and_its_jacobian_are_differences_of_the_least_loss(
    chain: tuple[float, float], point: tuple[float, float]
) -> None:
    with mpmath.workdps(45):
        at, chances = tuple(map(mpmath.mpf, point)), tuple(map(mpmath.mpf, chain))
        side, sign = (-1 if value < 0 else 1 for value in point)
        values = (*at, sign, *chances, best_level(*at, *chances))
        field = function(SYMBOLS, flow.vector_field(side), mpmath)(*values)
        matrix = function(SYMBOLS, flow.jacobian(side), mpmath)(*values)
        expected = gradient_of(
            lambda x, y: reduced_loss(*chances)((x, y, best_bias(x, y, *chances))), at
        )
        curved = hessian_of(
            lambda x, y: reduced_loss(*chances)((x, y, best_bias(x, y, *chances))), at
        )
        assert distance(field, [[value] for value in expected]) < FIRST
        assert distance(matrix, curved) < SECOND
        assert distance(field, [[value] for value in reversed(expected)]) > 1e-3
        # the controls: the other sign of w, and the bias left where it is
        other = function(SYMBOLS, flow.vector_field(side), mpmath)(*at, -sign, *values[3:])
        assert distance(other, [[value] for value in expected]) > 1e-3
        fixed = flow.vector_field(side).jacobian([e, w])
        wrong = function(SYMBOLS, sp.ImmutableMatrix(fixed), mpmath)(*values)
        assert distance(wrong, curved) > 1e-5


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("point", POINTS)
def test_the_free_field_and_its_jacobian_are_differences_of_the_loss(
    chain: tuple[float, float], point: tuple[float, float]
) -> None:
    with mpmath.workdps(45):
        at = (*map(mpmath.mpf, point), mpmath.mpf("-0.3"))
        chances = tuple(map(mpmath.mpf, chain))
        side, sign = (-1 if value < 0 else 1 for value in point)
        arguments, values = [e, w, b, tau, p, q], (*at, sign, *chances)
        field = function(arguments, flow.free_vector_field(side), mpmath)(*values)
        matrix = function(arguments, flow.free_jacobian(side), mpmath)(*values)
        expected = gradient_of(lambda *x: reduced_loss(*chances)(x), at)
        curved = hessian_of(lambda *x: reduced_loss(*chances)(x), at)
        assert distance(field, [[value] for value in expected]) < FIRST
        assert distance(matrix, curved) < SECOND
        # the control: the other branch of e is another loss
        other = function(arguments, flow.free_vector_field(-side), mpmath)(*values)
        assert distance(other, [[value] for value in expected]) > 1e-3


@pytest.mark.parametrize("e_sign", [1, -1])
@pytest.mark.parametrize("w_sign", [1, -1])
def test_the_energy_is_conserved_exactly_and_nothing_near_it_is(e_sign: int, w_sign: int) -> None:
    assert rate(energy(), w_sign, e_sign) == 0
    for wrong in (
        e**2 - w**2 + tau * sp.log(tau * w),
        e**2 + w**2 - tau * sp.log(tau * w),
        e**2 - w**2 - tau * sp.log(tau * w) / 2,
        e**2 - w**2 - sp.log(tau * w) * (1 + tau) / 2,  # right for w > 0 alone
    ):
        vanishes = w_sign > 0 and wrong.has(1 + tau)
        assert (rate(wrong, w_sign, e_sign) == 0) == vanishes


def test_the_energy_is_the_published_one() -> None:
    value = function([e, w, tau], energy(), np)
    for x, y in POINTS:
        published = x**2 - y**2 - math.copysign(1, y) * math.log(abs(y))
        assert abs(value(x, y, math.copysign(1, y)) - published) < 1e-15
        assert energy_at(x, y) == pytest.approx(published, abs=1e-15)
        assert abs(value(x, 2 * y, math.copysign(1, y)) - published) > 0.1
    assert energy_at(1.0, 0.0) is None and energy_at(0.0, 1.0) == -1.0


def test_the_saddle_is_one_of_the_energy() -> None:
    assert saddle() == (0, -1 / sp.sqrt(2))
    point = {e: 0, w: saddle()[1], tau: -1}
    assert sp.hessian(energy(), (e, w)).subs(point) == sp.diag(2, -4)
    assert sp.simplify(saddle_energy() + (1 + sp.log(2)) / 2) == 0
    assert agrees("saddle_energy", float(saddle_energy()))
    assert not agrees("saddle_energy", float(saddle_energy()) + 1e-5)


def test_separatrix_has_the_published_values() -> None:
    slope = sp.diff(separatrix_squared().subs(tau, -1), w)
    assert [at for at in sp.solve(slope, w) if at < 0] == [-sp.sqrt(2) / 2]  # its minimum
    for key, at in (("separatrix_at_minus_0_3", -0.3), ("separatrix_at_minus_2", -2.0)):
        height = separatrix(at)
        assert height is not None
        assert agrees(key, height)
        published = at**2 - math.log(abs(at)) - (1 + math.log(2)) / 2
        assert height == pytest.approx(math.sqrt(published), abs=1e-15)
        assert not agrees(key, math.sqrt(published + 1e-4))
    assert separatrix(0.0) is separatrix(0.5) is None


@pytest.mark.parametrize("at", [-1e-3, -0.3, -0.7, -0.72, -2.0, -50.0])
def test_separatrix_is_the_level_of_the_saddle(at: float) -> None:
    """A root of Energy(e, w) - Energy(0, -1/sqrt2), bracketed in mpmath."""
    height = separatrix(at)
    assert height is not None
    with mpmath.workdps(40):
        level = -mpmath.mpf(1) / 2 + mpmath.log(1 / mpmath.sqrt(2))
        y = mpmath.mpf(at)

        def above(x: Any) -> Any:
            return x**2 - y**2 + mpmath.log(-y) - level

        root = mpmath.findroot(above, (0, 100), solver="anderson", tol=1e-35, maxsteps=500)
    assert abs(height - root) <= 1e-15 * max(1, abs(root))


@pytest.mark.parametrize("at", [-0.3, -0.7, -0.72, -0.9, -2.0])
@pytest.mark.parametrize("chain", [(0.9, 0.9), (0.1, 0.1)])
def test_the_basins_on_either_side_of_the_separatrix(chain: tuple[float, float], at: float) -> None:
    """The two floats next to e_sep, one on each side, are told apart."""
    height = separatrix(at)
    assert height is not None
    ends = [basin(*chain, sign * k * height, at) for sign in (1, -1) for k in (0.9, 1.1)]
    bounded = (at > -1 / math.sqrt(2)) == (sum(chain) > 1)
    assert ends == (["unigram", "bigram"] * 2 if bounded else ["bigram"] * 4)
    below, above = math.nextafter(height, 0), math.nextafter(height, 9)
    with mpmath.workdps(60):
        for near in (below, height, above):
            over = mpmath.mpf(near) ** 2 - mpmath.mpf(at) ** 2 + mpmath.log(-mpmath.mpf(at))
            over += (1 + mpmath.log(2)) / 2
            assert abs(energy_over_saddle(near, at) / over - 1) < 1e-14
            side = "bigram" if over > 0 else "unigram"
            assert basin(*chain, near, at) == (side if bounded else "bigram")
            assert basin(*chain, near, at, resolution=1e-9) == (None if bounded else "bigram")
    assert (energy_over_saddle(below, at) < 0) and (energy_over_saddle(above, at) > 0)


@pytest.mark.parametrize("size", [1e25, 1e150])
def test_where_the_squares_cancel_the_logarithm_is_left(size: float) -> None:
    """e = -w: the energy over the saddle's is ln|w| + (1 + ln 2)/2, beside squares of 1e50."""
    left = math.log(size) + (1 + math.log(2)) / 2
    assert float(energy_over_saddle(size, -size)) == pytest.approx(left, rel=1e-15)
    assert basin(0.9, 0.9, size, -size) == "bigram"
    assert basin(0.1, 0.1, size, -size) == "bigram"
    below = math.nextafter(size, 0)
    assert float(energy_over_saddle(below, -size)) < -1e15  # the control


def test_next_to_the_saddle_itself_the_sides_are_told_apart() -> None:
    """Squares of 1e-33 that agree in 16 digits: 50 digits of numbers of order 1 are not enough."""
    turn = -math.sqrt(0.5)
    for at in (turn, math.nextafter(turn, 0), math.nextafter(turn, -1)):
        height = separatrix(at)
        assert height is not None and 0 < height < 1e-15
        for near in (math.nextafter(height, 0), height, math.nextafter(height, 1)):
            with mpmath.workdps(150):
                y = mpmath.mpf(at)
                over = mpmath.mpf(near) ** 2 - y**2 + mpmath.log(-y) + (1 + mpmath.log(2)) / 2
                assert abs(energy_over_saddle(near, at) / over - 1) < 1e-14
            if 2 * Fraction(at) ** 2 < 1:
                assert basin(0.9, 0.9, near, at) == ("bigram" if over > 0 else "unigram")


def test_the_edges_of_the_basins() -> None:
    for chain in ((0.9, 0.9), (0.1, 0.1), (0.5, 0.8)):
        assert {basin(*chain, 0.0, at) for at in (-3.0, -0.3, 0.0, 2.0)} == {"unigram"}
        expected = "unigram" if sum(chain) > 1 else "bigram"
        assert {basin(*chain, 1.5, at) for at in (0.0, 1e-9, 0.8, 3.0)} == {expected}
        assert {basin(*chain, -9.0, at) for at in (0.0, 1e-9, 0.8, 3.0)} == {expected}
    turn = -math.sqrt(0.5)
    for near in (turn, math.nextafter(turn, 0), math.nextafter(turn, -1)):
        # at the turn the separatrix is at e = 0: whatever e, the flow ends at the bigram
        assert basin(0.9, 0.9, 1e-3, near) == basin(0.1, 0.1, 1e-3, near) == "bigram"
    assert basin(0.2, 0.8, 1.0, -1.0) is basin(Fraction(2, 10), 0.8, 0.0, -1.0) is None
    assert basin(0.7, 0.2 + 0.1, 1.0, -1.0) == "bigram"  # 0.30000000000000004 as it is written


def test_no_flow_crosses_the_axes() -> None:
    for side in (1, -1):
        for field in (flow.vector_field(side), flow.free_vector_field(side)):
            assert field[0].subs(e, 0) == 0 and field[1].subs(w, 0) == 0
            assert field[0].subs(w, 0) != 0  # the control: the other component does not vanish


def test_nothing_overflows_far_out_and_nothing_drowns_in_noise_near_zero() -> None:
    arguments = [e, w, tau, p, q, flow.level]
    field = function(arguments, flow.vector_field(), np)
    matrix = function(arguments, flow.jacobian(), np)
    exact = function(arguments, flow.vector_field(), mpmath)
    level = function([s, p, q], best_logit(), np)
    with np.errstate(over="raise", invalid="raise"):
        for x, y in ((30.0, 5.0), (30.0, -5.0), (200.0, 1.0)):
            height = x * x * (1 + 2 * y * abs(y))
            values = (x, y, math.copysign(1, y), 0.2, 0.7, level(height, 0.2, 0.7))
            assert np.isfinite(field(*values)).all() and np.isfinite(matrix(*values)).all()
    # a millionth beyond the bigram set of p = q = 1e-9
    tiny = 1e-9
    height = 2 * math.log1p(-tiny) - 2 * math.log(tiny) + 1e-6
    values = (math.sqrt(height), 0.0, 1, tiny, tiny, -height / 2)
    with mpmath.workdps(50):
        true = float(exact(*values)[0, 0])
    assert abs(field(*values)[0, 0] / true - 1) < 1e-8
    # the control: sigmoid(f) - (1 - q) as it stands has lost half of its digits
    plain = 0.5 * (1 / (1 + math.exp(-height / 2)) - (1 - tiny)) * -2 * values[0]
    assert abs(plain / true - 1) > 1e-5


def test_the_residuals_in_balance_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "stationary_law", lambda: (p / (p + q), q / (p + q)))
    with pytest.raises(ArithmeticError, match="is not the residual"):
        flow.balanced_residuals.__wrapped__()


def test_what_is_refused() -> None:
    nan = math.nan
    for refused, given, words in (
        (basin, (1.2, 0.5, 1.0, 1.0), r"p = 1.2 is outside the open interval \(0, 1\)"),
        (basin, (0.5, 0.8, nan, 1.0), "e = nan is not a finite number: give a real number"),
        (energy_over_saddle, (1.0, 0.5), r"w = 0\.5 has no separatrix: it lies in w < 0"),
        (energy_over_saddle, (1.0, 0.0), r"w = 0\.0 has no separatrix: it lies in w < 0"),
        (energy_over_saddle, (0.0, -0.5), r"e = 0\.0 is a unigram point"),
        (rate, (energy(), 0), "w_sign = 0 is not a branch"),
    ):
        with pytest.raises(ValueError, match=words):
            refused(*given)
    with pytest.raises(ValueError, match=r"resolution = -1\.0 is not an energy difference"):
        basin(0.5, 0.8, 1.0, 1.0, resolution=-1.0)
    assert basins.exactly("w", 0.5) == Fraction(1, 2)
