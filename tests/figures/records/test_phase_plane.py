"""The field of the theory panel is what the loss itself does around the unigram point."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from figures.records.phase_plane import curvature_field, lowest_curvature, region_names, transverse
from tests.planted.scans import lowest
from theory.spectra.states import states_spectrum
from theory.spectra.universal_law import lag_covariances
from theory.transformer.representation import single_layer_representation

POINTS = [(0.5, 0.8), (0.2, 0.3), (0.9, 0.9), (0.1, 0.1), (0.3, 0.95), (0.4, 0.6)]
TYINGS = ["tied", "untied"]


def hessian(loss: Callable[[np.ndarray], float], at: np.ndarray, h: float = 1e-3) -> np.ndarray:
    """Second central differences, error h^2/12 times a fourth derivative."""
    steps = np.eye(len(at)) * h
    return np.array(
        [
            [
                (loss(at + i + j) - loss(at + i - j) - loss(at - i + j) + loss(at - i - j))
                / (4 * h * h)
                for j in steps
            ]
            for i in steps
        ]
    )


def measured_lowest(p: float, q: float, tying: str) -> float:
    """From the loss of a transformer of width 1 without weights, which is logit = x e a + b."""

    def loss(theta: np.ndarray) -> float:
        a, e, b = (theta[0], *theta) if tying == "tied" else theta
        total = 0.0
        for x, weight, r in ((0, q / (p + q), p), (1, p / (p + q), 1 - q)):
            logit = x * e * a + b
            total += weight * (np.logaddexp(0, logit) - r * logit)
        return float(total)

    b = np.log(p / q)
    at = np.array([0.0, b] if tying == "tied" else [0.0, 0.0, b])
    return float(np.linalg.eigvalsh(hessian(loss, at))[0])


@pytest.mark.parametrize("tying", TYINGS)
@pytest.mark.parametrize(("p", "q"), POINTS)
def test_the_lowest_curvature_is_that_of_the_loss(p: float, q: float, tying: str) -> None:
    # Truncation h^2/12 L'''' ~ 1e-7 at h = 1e-3; round-off eps/h^2 ~ 1e-10.
    found = lowest_curvature(p, q, tying)  # type: ignore[arg-type]  # a str out of a list
    assert abs(found - measured_lowest(p, q, tying)) < 1e-6


def test_the_same_comparison_refutes_a_closed_form_that_is_wrong() -> None:
    # 2c(p+q-1) alone is not the lowest curvature beyond p+q = 3/2: there the bias has less.
    p, q = 0.9, 0.9
    wrong = 2 * 0.25 * (p + q - 1)
    assert abs(wrong - measured_lowest(p, q, "tied")) > 0.1


@pytest.mark.parametrize("tying", TYINGS)
def test_the_field_is_the_closed_form_in_exact_fractions(tying: str) -> None:
    n = 10
    field = curvature_field(tying, n)  # type: ignore[arg-type]  # a str out of a list
    at = [str(Fraction(2 * k + 1, 2 * n)) for k in range(n)]
    exact = np.array([[lowest((tying, p, q)) for p in at] for q in at])
    # Eigenvalues of a 3x3 matrix no larger than 1: a few eps.
    assert np.abs(field - exact).max() < 1e-15
    # The control: p and q are not interchanged with anything else, e.g. p with 1-p.
    assert np.abs(field[:, ::-1] - exact).max() > 0.1


@pytest.mark.parametrize("tying", TYINGS)
def test_width_and_length_do_not_matter_without_weights(tying: str) -> None:
    d, N, r = 4, 6, 16
    zero = np.zeros((d, d))
    weights = {name: zero for name in ("query", "key", "value", "output")}
    weights |= {"positions": np.zeros((N, d)), "hidden_in": np.zeros((r, d))}
    z, J = single_layer_representation(weights | {"hidden_out": np.zeros((d, r))})
    for p, q in POINTS:
        C = lag_covariances(p=p, q=q, length=N)
        wide = states_spectrum(z, J, C, tying=tying, parameters=300, head="logit")  # type: ignore[arg-type]  # a str out of a list
        narrow = lowest_curvature(p, q, tying)  # type: ignore[arg-type]  # a str out of a list
        assert abs(wide.eigenvalues[0] - narrow) < 1e-15  # a few eps


def test_the_regions_are_named_as_the_sign_of_the_curvature_says() -> None:
    assert region_names("tied") == ("saddle", "local minimum")
    assert region_names("untied") == ("saddle", "saddle")
    assert lowest_curvature(0.25, 0.25, "tied") < 0 < lowest_curvature(0.75, 0.75, "tied")


def test_transverse_curvature_ignores_the_directions_along_the_set() -> None:
    minimum = np.array([-3e-17, -1e-17, 2e-17, 0.1, 0.25])
    assert transverse(minimum, 2) == 0.1
    assert transverse(minimum[::-1].copy(), 2) == 0.1
    assert transverse(np.array([-0.2, -1e-17, 1e-17, 0.25]), 2) == -0.2
    # The control: the lowest of all of them is round-off.
    assert minimum.min() == -3e-17


@pytest.mark.parametrize("block", [0, 4])
def test_a_block_that_does_not_fit_is_refused(block: int) -> None:
    with pytest.raises(ValueError, match=rf"block = {block} is not in 1\.\.3: give the number"):
        transverse(np.zeros(3), block)
