from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest

from theory.certificates.bigram_root import certify_bigram_root
from theory.checker.check import check


@pytest.mark.parametrize(
    ("p", "q", "w", "e_sign"),
    [(0.2, 0.3, 0.0, 1), (0.2, 0.3, -0.7, -1), (0.5, 0.8, -1.2, 1), (0.9, 0.95, -3.0, -1)],
)
def test_the_bigram_root_is_where_the_predictions_are_the_kernel(
    p: float, q: float, w: float, e_sign: int
) -> None:
    root = certify_bigram_root(p, q, w, e_sign)
    assert check(root.to_json())

    def excess(e: Any, b: Any) -> list[Any]:
        """The logits of the literature, by branch, less those of the kernel."""
        p_, q_, w_ = mpmath.mpf(str(p)), mpmath.mpf(str(q)), mpmath.mpf(w)
        bend = e**2 * (1 + 2 * w_ * abs(w_))
        f0 = b - e**2 / 2 if e_sign > 0 else b + e**2 / 2 - bend
        return [f0 - mpmath.log(p_ / (1 - p_)), f0 + bend - mpmath.log((1 - q_) / q_)]

    with mpmath.workdps(50):
        start = [(float(low) + float(high)) / 2 * (1 + 1e-3) for low, high in root.unique_in]
        found = mpmath.findroot(excess, start)
        for (low, high), value in zip(root.root_in, found, strict=True):
            assert low <= Fraction(*np.array([int(value * 2**150), 2**150], dtype=object)) <= high
        assert np.sign(float(found[0])) == e_sign


def test_where_no_bigram_root_exists_none_is_certified() -> None:
    with pytest.raises(ValueError, match=r"w = -1\.2 has no bigram point at p = 0\.2, q = 0\.3"):
        certify_bigram_root(0.2, 0.3, -1.2)
    with pytest.raises(ValueError, match=r"w = 0\.0 has no bigram point at p = 0\.5, q = 0\.8"):
        certify_bigram_root(0.5, 0.8, 0)
    with pytest.raises(ValueError, match=r"have p \+ q = 1: the tokens are independent"):
        certify_bigram_root(0.9, 0.1, 0)
    with pytest.raises(ValueError, match="e_sign = 2 is no branch of e: choose 1 or -1"):
        certify_bigram_root(0.2, 0.3, 0, 2)
    with pytest.raises(ValueError, match="w = nan is not a finite number"):
        certify_bigram_root(0.2, 0.3, float("nan"))
