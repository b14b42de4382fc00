"""Numbers as they were written, kept exact until a sign has been decided.

Whether p + q equals 1, or which sign (p+q-1)(1+2w|w|) has, is a question about the numbers a
person typed, and the sum of two floats cannot answer it: 0.9 + 0.1 is 1.0 but 0.7 + 0.2 + 0.1 is
not. So probabilities become fractions first and floats last.
"""

import math
from decimal import Decimal
from fractions import Fraction

Number = int | float | Decimal | Fraction


def as_written(name: str, value: Number) -> Fraction:
    """The fraction that the decimal notation of `value` denotes.

    A float stands for the shortest decimal that prints it, so 0.1 is one tenth and not
    3602879701896397/36028797018963968.

    Arguments: `name`, how an error should call the number; `value`, a finite number.
    Raises ValueError where `value` is not a finite number.

    >>> as_written("p", 0.1), as_written("p", Decimal("0.10"))
    (Fraction(1, 10), Fraction(1, 10))
    """
    if not isinstance(value, int | float | Decimal | Fraction) or not math.isfinite(value):
        raise ValueError(
            f"{name} = {value!r} is not a finite number: give {name} as a decimal such as 0.5"
        )
    return Fraction(repr(float(value))) if isinstance(value, float) else Fraction(value)


def probability(name: str, value: Number) -> Fraction:
    """A transition probability as an exact fraction.

    Arguments: `name`, how an error should call it; `value`, strictly between 0 and 1.
    Raises ValueError outside the open interval: at 0 or 1 the chain is not ergodic or a logit is
    infinite.

    >>> probability("q", 0.8)
    Fraction(4, 5)
    """
    fraction = as_written(name, value)
    if not 0 < fraction < 1:
        raise ValueError(
            f"{name} = {value} is outside the open interval (0, 1): "
            f"choose {name} strictly between 0 and 1, such as 0.001 or 0.999"
        )
    return fraction
