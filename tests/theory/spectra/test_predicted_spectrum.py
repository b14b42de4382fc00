import numpy as np
import pytest

from theory.spectra.predicted_spectrum import PredictedSpectrum, count_signs


def test_full_interleaves_the_exact_zeros() -> None:
    spectrum = PredictedSpectrum(np.array([-2.0, 1.0, 3.0]), 5, 2, (1, 2, 2), "saddle", "")
    assert spectrum.full().tolist() == [-2.0, 0.0, 0.0, 1.0, 3.0]


def test_signs_are_counted_within_the_backward_error() -> None:
    assert count_signs(np.array([-1.0, -4e-16, 0.0, 4e-16, 1.0]), 7) == (1, 5, 1)
    assert count_signs(np.array([-1.0, -4e-15, 0.0, 4e-15, 1.0]), 7) == (2, 3, 2)
    assert count_signs(np.array([]), 3) == (0, 3, 0)
    assert count_signs(np.zeros(2), 3) == (0, 3, 0)


def test_the_unit_of_the_parameters_has_no_say_in_the_signs() -> None:
    values = np.array([-1.0, -1e-3, 1e-20, 2.0])
    for unit in (2.0**-200, 1.0, 2.0**200):
        assert count_signs(unit * values, 6) == (2, 3, 1)


def test_a_block_may_be_the_whole_hessian() -> None:
    spectrum = PredictedSpectrum(np.array([-1.0, 2.0]), 2, 0, (1, 0, 1), "saddle", "")
    assert spectrum.full().tolist() == [-1.0, 2.0]


def test_contradictory_records_are_refused() -> None:
    with pytest.raises(ValueError, match="parameters = 1 is less than the 2 eigenvalues"):
        PredictedSpectrum(np.ones(2), 1, 0, (0, 0, 1), "local minimum", "")
    with pytest.raises(ValueError, match=r"inertia = \(0, 1, 2\) does not split parameters = 3"):
        PredictedSpectrum(np.ones(2), 3, 2, (0, 1, 2), "local minimum", "")
