"""Where the flow at the best bias ends: the two basins in closed form.

    p + q < 1:  unigram from {w < -1/sqrt2, |e| < e_sep(w)}, bigram from elsewhere;
    p + q > 1:  bigram from {w <= -1/sqrt2} and {-1/sqrt2 < w < 0, |e| > e_sep(w)}, unigram from
                elsewhere, all of w >= 0 included.

Points with e = 0 are unigram points and stay where they are. The flow on the separatrix ends at the
saddle (0, -1/sqrt2): a unigram point too, but flows from however close on one side do not. At
p + q = 1 the unigram is the bigram, and there is nothing to tell apart.
"""

import math
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath

from theory.exact import Number, probability
from theory.precision import workdps

_DIGITS = 50


def basin(p: Number, q: Number, e: float, w: float, *, resolution: float = 0.0) -> str | None:
    """'unigram' or 'bigram': where the flow with b at its best value ends, from (e, w).

    Which of |e| and e_sep(w) is larger is the sign of `energy_over_saddle`, decided without
    rounding.

    Arguments:
        p, q: probabilities in (0, 1), taken as the decimals they were written as.
        e, w: the start, each float standing for its exact binary value.
        resolution: the energy difference below which a flow that is computed cannot tell the sides.

    Returns None at p + q = 1, and within `resolution` of the separatrix.
    Raises ValueError for p or q outside (0, 1), for e or w not finite, or a negative resolution.
    Source: *Local to Global*, the basins of the two sets.

    >>> [basin(0.9, 0.9, e, -0.3) for e in (0.66, 0.67)], basin(0.1, 0.1, 1.5, -2.0)
    (['unigram', 'bigram'], 'unigram')
    >>> basin(0.2, 0.8, 1.0, 1.0) is None
    True
    """
    excess = probability("p", p) + probability("q", q) - 1
    x, y = exactly("e", e), exactly("w", w)
    if not resolution >= 0:
        raise ValueError(f"resolution = {resolution} is not an energy difference: give 0 or more")
    if excess == 0:
        return None
    if x == 0:
        return "unigram"
    beyond = y < 0 and 2 * y**2 > 1  # w < -1/sqrt2, which no fraction equals
    if excess < 0 and not beyond:
        return "bigram"
    if excess > 0 and beyond:
        return "bigram"
    if y >= 0:
        return "unigram"
    over = energy_over_saddle(e, w)
    if abs(over) <= resolution:
        return None
    return "bigram" if over > 0 else "unigram"


def energy_over_saddle(e: float, w: float) -> Any:
    """Energy(e, w) minus the saddle's, e^2 - e_sep(w)^2, for w < 0 and e != 0: an mpmath number.

    It is never 0: it is a rational number plus ln(sqrt2 |w|), which is transcendental (Lindemann),
    sqrt2 |w| being algebraic and not 1. So precision is raised until 15 digits are right, and a
    start that floats can name lies on one side of the separatrix, however close.

    Raises ValueError where e or w is not finite, e = 0, or w >= 0.

    >>> round(float(energy_over_saddle(1.0, -0.5)), 6)
    0.903426
    """
    x, y = exactly("e", e), negative(w)
    if x == 0:
        raise ValueError("e = 0.0 is a unigram point, which stays where it is: give e != 0")
    digits = _DIGITS
    while True:
        with workdps(digits):
            terms = (mpmath.mpf(x.numerator) / x.denominator) ** 2, evaluate("separatrix")(y, -1)
            over = terms[0] - terms[1]
            # a dozen roundings, of terms no larger than these, 1 and the square of w
            size = 1 + terms[0] + abs(terms[1]) + mpmath.mpf(y.numerator) ** 2 / y.denominator**2
            if abs(over) > mpmath.mpf(10) ** (17 - digits) * size:
                return over
        digits *= 2


def separatrix(w: float) -> float | None:
    """e_sep(w) >= 0, the separatrix above w, in float64; None for w >= 0, where there is none.

    It has the same values for every p and q. Raises ValueError where w is not finite.
    Source: *Local to Global*, the boundary of the basins.

    >>> round(separatrix(-0.3), 5), round(separatrix(-2.0), 5), separatrix(0.5)
    (0.66888, 1.56853, None)
    """
    if exactly("w", w) >= 0:
        return None
    with workdps(_DIGITS):
        # a square as small as 1e-33, next to -1/sqrt2, keeps 17 of the 50 digits
        return float(mpmath.sqrt(evaluate("separatrix")(negative(w), -1)))


def energy_at(e: float, w: float) -> float | None:
    """The conserved energy at (e, w) in float64; None at w = 0, where it is infinite.

    Raises ValueError where e or w is not finite.

    >>> energy_at(1.0, -1.0), energy_at(1.0, 0.0)
    (0.0, None)
    """
    x, y = exactly("e", e), exactly("w", w)
    if y == 0:
        return None
    with workdps(_DIGITS):
        return float(evaluate("energy")(x, y, -1 if y < 0 else 1))


def exactly(name: str, value: float) -> Fraction:
    """The binary value of a float as a fraction."""
    if not math.isfinite(value):
        raise ValueError(f"{name} = {value} is not a finite number: give a real number such as 0.5")
    return Fraction(float(value))


def negative(w: float) -> Fraction:
    """w as a fraction, where there is a separatrix."""
    number = exactly("w", w)
    if number >= 0:
        raise ValueError(f"w = {w} has no separatrix: it lies in w < 0, such as w = -0.3")
    return number


@cache
def evaluate(name: str) -> Any:
    """A closed form of `theory.reduced.flow` as a function of mpmath numbers."""
    from theory import symbols
    from theory.numeric import function
    from theory.reduced.flow import energy, separatrix_squared

    e, w, tau = symbols.e, symbols.w, symbols.tau
    if name == "energy":
        return function([e, w, tau], energy(), mpmath)
    return function([w, tau], separatrix_squared(), mpmath)
