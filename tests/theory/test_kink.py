"""One-sided curvatures at the relu kink, beside differences of an enumerated transformer."""

import mpmath
import pytest

from tests.check_values import agrees
from theory.kink import one_sided_curvatures


def curvature(p: str, q: str, w: float, side: int) -> mpmath.mpf:
    """(L(h) - L(0)) 2/h^2 of the paper's forward pass, width 1, one hidden unit, positions 0."""
    with mpmath.workdps(60):
        up, down, height = mpmath.mpf(p), mpmath.mpf(q), mpmath.mpf(w)
        pi = (down / (up + down), up / (up + down))

        def loss(e: mpmath.mpf) -> mpmath.mpf:
            total = mpmath.mpf(0)
            for x, target in ((0, up), (1, 1 - down)):
                y = x * e
                z = y + 2 * height * max(2 * abs(height) * y, mpmath.mpf(0))
                f = e * z + mpmath.log(up / down)
                total += pi[x] * (mpmath.log1p(mpmath.exp(f)) - target * f)
            return total

        h = side * mpmath.mpf(10) ** -15
        return (loss(h) - loss(mpmath.mpf(0))) * 2 / h**2


@pytest.mark.parametrize(
    ("p", "q", "w"), [("0.5", "0.8", -2.0), ("0.2", "0.3", 0.7), ("0.9", "0.9", -0.3)]
)
def test_the_curvatures_are_those_of_the_forward_pass(p: str, q: str, w: float) -> None:
    minus, plus = one_sided_curvatures(float(p), float(q), w)
    assert minus == pytest.approx(float(curvature(p, q, w, -1)), rel=1e-12)
    assert plus == pytest.approx(float(curvature(p, q, w, 1)), rel=1e-12)
    assert plus != pytest.approx(float(curvature(p, q, w, -1)), rel=1e-3)


def test_the_values_of_the_kink_at_50_80() -> None:
    minus, plus = one_sided_curvatures(0.5, 0.8, -2.0)
    for name, value in (
        ("kink_curvature_firing", plus),
        ("kink_curvature_silent", minus),
        ("kink_reduced_curvature", (plus + minus) / 2),
    ):
        assert agrees(name, value), (name, value)
