from collections.abc import Callable
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.twins.ansatz_points import naive_jacobian, naive_representation, unigram_weights
from theory.checker import intervals
from theory.checker.format import exact_weights
from theory.checker.intervals import Interval
from theory.checker.lag_matrices import dual_representation, over_band
from theory.transformer.representation import WEIGHTS

BITS = 40
numbers = st.fractions(min_value=-30, max_value=30, max_denominator=10**9)
widths = st.fractions(min_value=0, max_value=1, max_denominator=10**6)
shares = st.fractions(min_value=0, max_value=1, max_denominator=100)

RATIONAL: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "__add__": lambda x, y: x + y,
    "__sub__": lambda x, y: x - y,
    "__mul__": lambda x, y: x * y,
    "__truediv__": lambda x, y: x / y,
}
DIGITS: dict[str, Callable[[mpmath.mpf], mpmath.mpf]] = {
    "exp": mpmath.exp,
    "log": mpmath.log,
    "sqrt": mpmath.sqrt,
}


def holds_digits(interval: Interval, value: mpmath.mpf) -> bool:
    """Containment, with 60 digits against the 12 of the grid."""
    lower, upper = (mpmath.mpf(end.numerator) / end.denominator for end in _ends(interval))
    return bool(lower <= value <= upper)


def _ends(interval: Interval) -> tuple[Fraction, Fraction]:
    return interval.lower, interval.upper


def contained(name: str, x: Fraction, y: Fraction, share: Fraction, wide: Fraction) -> bool:
    """Whether the operation on intervals around x and y contains what it does to their numbers."""
    one, two = Interval.between(x, x + wide, BITS), Interval.between(y, y + wide, BITS)
    a, b = x + share * wide, y + share * wide
    if name in RATIONAL:
        return bool(getattr(one, name)(two).contains(RATIONAL[name](a, b)))
    with mpmath.workdps(60):
        return holds_digits(
            getattr(one, name)(), DIGITS[name](mpmath.mpf(a.numerator) / a.denominator)
        )


@pytest.mark.parametrize("name", [*RATIONAL, *DIGITS])
@given(numbers, numbers, shares, widths)
def test_every_operation_contains_the_exact_result(
    name: str, x: Fraction, y: Fraction, share: Fraction, wide: Fraction
) -> None:
    if name in ("log", "sqrt"):
        x = abs(x) + Fraction(1, 1000)
    if name == "__truediv__" and Interval.between(y, y + wide, BITS).contains(0):
        y += 32
    assert contained(name, x, y, share, wide)


@pytest.mark.parametrize("name", ["__mul__", *DIGITS])
def test_rounded_inward_it_does_not(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [(Fraction(k, 7), Fraction(5, 3)) for k in range(1, 30)]

    def all_contained() -> bool:
        return all(contained(name, x, y, Fraction(0), Fraction(0)) for x, y in points)

    assert all_contained()
    outward = intervals.down, intervals.up
    monkeypatch.setattr(intervals, "down", outward[1])
    monkeypatch.setattr(intervals, "up", outward[0])
    for bounds in ("exp_bounds", "log_bounds", "sqrt_bounds"):
        monkeypatch.setattr(intervals, bounds, inward(getattr(intervals, bounds)))
    assert not all_contained()


def inward(bounds: Callable[[int, int], tuple[int, int]]) -> Callable[[int, int], tuple[int, int]]:
    """The lower bound for the upper one, and the other way round."""
    return lambda number, bits: bounds(number, bits)[::-1]


@given(numbers)
def test_the_elementary_functions_are_sharp(x: Fraction) -> None:
    """Within two units of the grid for one argument, or 2^-110 of the value."""
    fine = 120
    point = Interval.of(int(x * 2**30) << (fine - 30), int(x * 2**30) << (fine - 30), fine)
    exponential = point.exp()
    assert exponential.width <= max(Fraction(2, 2**fine), exponential.upper / 2**110)
    positive = Interval.of(abs(point.lo) + 1, abs(point.lo) + 1, fine)
    assert positive.log().width <= Fraction(2, 2**fine)
    assert positive.sqrt().width <= Fraction(1, 2**fine)


def test_what_has_no_value_is_refused() -> None:
    one, about_zero = Interval.enclose(1, 8), Interval.between(Fraction(-1), Fraction(1), 8)
    with pytest.raises(ZeroDivisionError, match="the divisor contains 0"):
        _ = one / about_zero
    with pytest.raises(ValueError, match=r"ln of an interval down to 0 or below: its numbers"):
        about_zero.log()
    with pytest.raises(ValueError, match=r"sqrt of an interval below 0: its numbers"):
        about_zero.sqrt()
    with pytest.raises(ValueError, match=r"exp of an interval above 2\^20: its exponential"):
        Interval.enclose(1 << 21, 8).exp()
    with pytest.raises(ValueError, match="low = 2 exceeds high = 1"):
        Interval.between(Fraction(2), Fraction(1), 8)


@given(st.lists(numbers, min_size=1, max_size=6), numbers, widths, shares)
def test_a_polynomial_stays_within_its_bernstein_coefficients(
    coefficients: list[Fraction], low: Fraction, wide: Fraction, share: Fraction
) -> None:
    exact = sum(c * (low + share * wide) ** k for k, c in enumerate(coefficients))
    polynomial = Interval.enclose([[[c]] for c in coefficients], 200)
    inside = over_band(polynomial, [[1]], low, low + wide)
    assert inside.contains(exact)
    # at the ends of the band Bernstein's form is exact: it is not merely wide
    point = over_band(polynomial, [[1]], low, low)
    assert point.width < Fraction(1, 2**140)


def test_dual_numbers_give_the_jacobian_of_the_naive_forward_pass() -> None:
    size = {"width": 2, "hidden": 4, "length": 3}
    drawn = unigram_weights(np.random.default_rng(3), p=0.5, q=0.5, tying="tied", **size)
    weights = {name: drawn[name] for name in WEIGHTS}
    z, known = dual_representation(exact_weights(weights), 192), naive_representation(weights)
    J = naive_jacobian(weights)
    for n, i, k, m in np.ndindex(J.shape):
        slope, number = z.slope[n, k, 2 * i + m], z.value[n, k]
        assert abs(float(slope.lower) - J[n, i, k, m]) < 1e-13
        assert abs(float(number.lower) - known[n, k]) < 1e-13
        assert max(slope.width, number.width) < Fraction(1, 2**170)
