import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from theory.exact import Number, as_written, probability


@pytest.mark.parametrize("text", ["0.1", "0.7", "1e-9", "0.30000000000000004", "5e-324"])
def test_a_float_is_read_as_the_decimal_that_prints_it(text: str) -> None:
    assert as_written("p", float(text)) == Fraction(text) == as_written("p", Decimal(text))
    assert as_written("p", float(np.float64(text))) == as_written("p", np.float64(text))


def test_its_binary_value_would_be_refuted() -> None:
    assert as_written("p", 0.1) + as_written("q", 0.9) == 1
    assert Fraction(0.1) + Fraction(0.9) != 1


@pytest.mark.parametrize("value", [0, 1, 1.2, -0.1, Decimal(1), Fraction(3, 2)])
def test_a_value_outside_the_open_interval_is_refused(value: Number) -> None:
    with pytest.raises(ValueError, match=r"q = .* is outside the open interval \(0, 1\): choose q"):
        probability("q", value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, Decimal("NaN")])
def test_a_value_that_is_no_number_is_refused(value: Number) -> None:
    with pytest.raises(ValueError, match="is not a finite number: give p as a decimal"):
        probability("p", value)


def test_the_ends_of_the_interval_are_excluded_and_nothing_else() -> None:
    assert probability("p", Decimal("1e-30")) > 0
    assert probability("p", 1 - Fraction(1, 10**30)) < 1
