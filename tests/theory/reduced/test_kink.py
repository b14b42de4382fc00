"""One-sided curvatures at the relu kink, beside differences of an enumerated transformer."""

import mpmath
import pytest

from tests.check_values import agrees
from theory.reduced.kink import kink_logits, one_sided_curvature, one_sided_curvatures


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


@pytest.mark.parametrize("w", [0.7, -0.3, 0.0])
def test_the_logits_of_a_side_are_those_of_its_relu(w: float) -> None:
    sign = -1 if w < 0 else 1
    for e_sign in (1, -1):
        values = {"e": 0.9 * e_sign, "w": w, "tau": sign, "b": 0.3}
        found = [f.subs({x: values[x.name] for x in f.free_symbols}) for f in kink_logits(e_sign)]
        on = 1 + 4 * w * abs(w) * (e_sign > 0)
        # five roundings of numbers of order 1
        assert found == pytest.approx([0.3, 0.81 * on + 0.3], abs=1e-15)
    minus, plus = one_sided_curvatures(0.5, 0.8, w)
    c = 0.4 / 1.69
    assert (minus, plus) == pytest.approx((0.6 * c, 0.6 * c * (1 + 4 * w * abs(w))), rel=1e-14)
    assert (minus == plus) == (w == 0)


def test_without_a_sign_the_side_is_that_of_positive_e() -> None:
    assert kink_logits() == kink_logits(1) != kink_logits(-1)
    assert one_sided_curvature() == one_sided_curvature(1) != one_sided_curvature(-1)


def test_the_values_of_the_kink_at_50_80() -> None:
    minus, plus = one_sided_curvatures(0.5, 0.8, -2.0)
    for name, value in (
        ("kink_curvature_firing", plus),
        ("kink_curvature_silent", minus),
        ("kink_reduced_curvature", (plus + minus) / 2),
    ):
        assert agrees(name, value), (name, value)
