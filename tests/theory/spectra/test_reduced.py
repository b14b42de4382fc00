import math
from decimal import Decimal

import mpmath
import numpy as np
import pytest

from theory.spectra.reduced import ansatz_bigram, reduced_bigram_spectrum, reduced_unigram_spectrum

POINTS = [(0.2, 0.3, 0.5), (0.2, 0.3, 0.0), (0.05, 0.6, -0.6), (0.5, 0.8, -1.2), (0.9, 0.9, -2.0)]


@pytest.mark.parametrize("e_sign", [1, -1])
@pytest.mark.parametrize(("p", "q", "w"), POINTS)
def test_ansatz_predicts_the_kernel(p: float, q: float, w: float, e_sign: int) -> None:
    e, _, b = ansatz_bigram(p, q, w, e_sign)
    assert math.copysign(1, e) == e_sign

    def chance(token: int, bias: float) -> float:
        u = e * (token - 0.5)
        return 1 / (1 + math.exp(-(e * (u + 4 * w * abs(w) * max(u, 0)) + bias)))

    # logits of a few units, each a handful of roundings
    assert abs(chance(0, b) - p) < 4e-15
    assert abs(chance(1, b) - (1 - q)) < 4e-15
    assert abs(chance(0, -b) - p) > 1e-3


@pytest.mark.parametrize("e_sign", [1, -1])
@pytest.mark.parametrize(("p", "q", "w"), POINTS)
def test_reduced_bigram_spectrum_is_that_of_the_two_gradients(
    p: float, q: float, w: float, e_sign: int
) -> None:
    e, _, _ = ansatz_bigram(p, q, w, e_sign)
    steep = np.array([e_sign * e * (1 + 4 * w * abs(w)), e_sign * 4 * abs(w) * e**2, 1.0])
    plain = np.array([-e_sign * e, 0.0, 1.0])
    g0, g1 = (plain, steep) if e_sign > 0 else (steep, plain)

    def eigenvalues(up: float, down: float) -> np.ndarray:
        rows = np.array(
            [
                math.sqrt(down / (up + down) * p * (1 - p)) * g0,
                math.sqrt(up / (up + down) * q * (1 - q)) * g1,
            ]
        )
        return np.sort(np.append(np.linalg.svd(rows, compute_uv=False) ** 2, 0))

    spectrum = reduced_bigram_spectrum(p, q, w, e_sign)
    # the squares of singular values, accurate to eps times the largest
    allowed = 16 * 2.0**-52 * spectrum.eigenvalues[-1]
    assert np.abs(spectrum.full() - eigenvalues(p, q)).max() <= allowed
    assert p == q or np.abs(spectrum.full() - eigenvalues(q, p)).max() > 1e-3
    assert (spectrum.inertia, spectrum.classification) == ((0, 1, 2), "global minimum")


@pytest.mark.parametrize(("p", "q", "w", "inertia", "classification"), [
    (0.5, 0.8, 0.0, (0, 1, 2), "local minimum"), (0.5, 0.8, -1.0, (1, 1, 1), "saddle"),
    (0.2, 0.3, 0.0, (1, 1, 1), "saddle"), (0.2, 0.3, -1.0, (0, 1, 2), "local minimum"),
    (Decimal("0.1"), Decimal("0.9"), 0.0, (0, 2, 1), "degenerate"),
    (0.1, 0.9, 5.0, (0, 2, 1), "degenerate"),
])  # fmt: skip
def test_reduced_unigram_spectrum_has_the_published_signs(
    p: float, q: float, w: float, inertia: tuple[int, int, int], classification: str
) -> None:
    spectrum = reduced_unigram_spectrum(p, q, w)
    assert (spectrum.inertia, spectrum.classification) == (inertia, classification)
    up, down = float(p), float(q)
    c = up * down / (up + down) ** 2
    values = [2 * c * (up + down - 1) * (1 + 2 * w * abs(w)), 0.0, c]
    assert np.abs(spectrum.full() - np.sort(values)).max() < 1e-15
    wrong = [c * (up + down - 1) * (1 + 2 * w * abs(w)), 0.0, c]
    assert up + down == 1 or np.abs(spectrum.full() - np.sort(wrong)).max() > 1e-2


@pytest.mark.parametrize(("p", "q", "side"), [(0.2, 0.3, 1), (0.5, 0.8, -1)])
def test_bigram_points_end_where_the_logits_no_longer_rise_with_e(
    p: float, q: float, side: int
) -> None:
    turn = -math.sqrt(0.5)
    for near in (1e-3, 1e-9, 0.1):
        e, w, _ = ansatz_bigram(p, q, turn + side * near)
        gap = math.log((1 - p) * (1 - q) / (p * q))
        # 1 + 2w|w| has lost what its size is below 1
        assert abs(e**2 * (1 + 2 * w * abs(w)) / gap - 1) < 1e-15 / near
        with pytest.raises(ValueError, match="has no bigram point at"):
            ansatz_bigram(p, q, turn - side * near)


def test_nothing_is_lost_near_independence() -> None:
    p, q = Decimal("0.3"), Decimal("0.69999999999999999999")
    e, _, _ = ansatz_bigram(p, q, 0.0)
    with mpmath.workdps(60):
        up, down = mpmath.mpf(str(p)), mpmath.mpf(str(q))
        exact = float(mpmath.sqrt(mpmath.log((1 - up) * (1 - down) / (up * down))))
    assert abs(e / exact - 1) < 4e-16
    # floats cannot tell this chain from an independent one
    assert float(p) + float(q) == 1
    with pytest.raises(ValueError, match=r"have p \+ q = 1"):
        ansatz_bigram(float(p), float(q), 0.0)
