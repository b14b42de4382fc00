"""The witness of a lower loss is the point that is stated, and as near as any float asks."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import pytest

from theory.reduced.escape import (
    escape_radius,
    full_model_distance,
    gain,
    positions_scale,
    tokens,
    witness,
)


def stated(p: str, q: str, w: float, radius: float) -> tuple[mpmath.mpf, mpmath.mpf, mpmath.mpf]:
    """(e, w', ln of the odds that the bias is, at e = 0) by the docstring, at 60 digits."""
    up, down = (mpmath.mpf(Fraction(x).numerator) / Fraction(x).denominator for x in (p, q))
    root, start = 1 / mpmath.sqrt(2), mpmath.mpf(w)
    toward = -1 if up + down > 1 else 1
    inside = -toward * (start + root)
    slack = mpmath.mpf(min(radius - max(inside, 0), 1))
    beyond = (-root if inside > 0 else start) + toward * slack / 4
    steepness = abs(1 + 2 * beyond * abs(beyond))
    star = abs(mpmath.log((1 - up) * (1 - down) / (up * down)))
    bounds = [(slack / 4) ** 2, slack / 4 / (0.5 + steepness), star / steepness]
    gap = min(bounds) * (1 + 2 * beyond * abs(beyond))
    bracket = up - down + mpmath.sqrt((up - down) ** 2 + 4 * up * down * mpmath.exp(gap))
    bias = min(bounds) / 2 + mpmath.log(bracket / (2 * down * mpmath.exp(gap)))
    return mpmath.sqrt(min(bounds)), beyond, bias


CASES = [
    # e <= D/4 binds, on both sides of p + q = 1 and of the line, and where w' > 0
    ("1/2", "4/5", 0.0, 0.75),
    ("1/2", "4/5", 0.0, 1.25),
    ("1/5", "3/10", -1.25, 0.75),
    ("1/2", "4/5", -0.875, 0.5),
    ("1/5", "3/10", 0.25, 0.5),
    ("1/5", "3/10", -0.0625, 0.25),
    # the slack is 1 at most
    ("1/2", "4/5", 0.0, 5.0),
    # the move of the bias binds
    ("1/5", "3/10", 3.0, 1.0),
    ("1/2", "4/5", -3.0, 0.75),
    # |s| <= |s*| binds
    ("49/100", "1/2", 3.0, 1.0),
    ("2/5", "61/100", -2.0, 0.75),
]


@pytest.mark.parametrize(("p", "q", "w", "radius"), CASES)
def test_the_witness_is_the_point_that_is_stated(p: str, q: str, w: float, radius: float) -> None:
    found = witness(Fraction(p), Fraction(q), w, radius)
    with mpmath.workdps(60):
        expected = stated(p, q, w, radius)
        # both are rounded at 60 digits or more
        for number, other in zip(found, expected, strict=True):
            assert abs(number - other) < mpmath.mpf(10) ** -57
        nearer = stated(p, q, w, 0.9 * radius)
        assert max(abs(x - y) for x, y in zip(found, nearer, strict=True)) > 1e-3 or radius == 5


def test_all_three_bounds_bind_somewhere() -> None:
    e_values = [float(witness(Fraction(p), Fraction(q), w, radius)[0]) for p, q, w, radius in CASES]
    least = [float(Fraction(escape_radius(Fraction(p), Fraction(q), w))) for p, q, w, _ in CASES]
    slack = [min(radius - own, 1) for (*_, radius), own in zip(CASES, least, strict=True)]
    at_most = [e == pytest.approx(D / 4, rel=1e-12) for e, D in zip(e_values, slack, strict=True)]
    assert at_most == [True] * 7 + [False] * 4


@pytest.mark.parametrize("w", [-1.3, -0.875])
@pytest.mark.parametrize("radius", [1e-60, 1e-300, 5e-324])
def test_a_witness_is_as_near_to_a_saddle_as_any_float_asks(w: float, radius: float) -> None:
    at_e, at_w, at_b = witness(0.5, 0.8, w, radius)
    with mpmath.workdps(1400):
        up, down = mpmath.mpf(1) / 2, mpmath.mpf(4) / 5
        start, total = mpmath.log(up / down), mpmath.mpf(0)
        for token, weight, target in ((0, down, up), (1, up, 1 - down)):
            u = at_e * (token - mpmath.mpf(1) / 2)
            logit = at_e * (u + 4 * at_w * abs(at_w) * max(u, 0)) + at_b
            rise = mpmath.log1p(mpmath.exp(logit)) - mpmath.log1p(mpmath.exp(start))
            total += weight / (up + down) * (rise - target * (logit - start))
        assert total < 0
        distance = mpmath.sqrt(at_e**2 + (at_w - mpmath.mpf(w)) ** 2 + (at_b - start) ** 2)
        assert 0 < distance < mpmath.mpf(radius)


@pytest.mark.parametrize("w", [0.0, -1.0])
def test_at_the_radius_itself_there_is_none(w: float) -> None:
    radius = escape_radius(0.5, 0.8, w)
    with pytest.raises(ValueError, match="is not above the escape radius"):
        witness(0.5, 0.8, w, radius)
    assert len(witness(0.5, 0.8, w, math.nextafter(radius, 1))) == 3


def test_the_distance_of_the_full_model_is_positive() -> None:
    assert full_model_distance().is_positive
    assert gain.is_positive
    assert positions_scale.is_positive
    assert tokens.is_integer
    # and does not go to 0 with the positions
    assert full_model_distance().subs(positions_scale, 0).is_positive
