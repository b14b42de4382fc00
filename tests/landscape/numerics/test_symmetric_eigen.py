"""Eigenvalues are found where one LAPACK gives up, and nothing is made up where both do."""

import numpy as np
import pytest
import torch

from landscape import GPT, BinaryMarkov, ExactLoss, hessian_spectrum, unigram_point
from landscape.numerics.symmetric_eigen import symmetric_eigen


def gives_up(matrix: torch.Tensor) -> None:
    raise RuntimeError("linalg.eigh: The algorithm failed to converge")


def test_the_other_library_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = torch.randn(9, 9, generator=torch.Generator().manual_seed(0)).double()
    matrix = drawn + drawn.T
    first = symmetric_eigen(matrix)
    monkeypatch.setattr(torch.linalg, "eigh", gives_up)
    values, vectors = symmetric_eigen(matrix)
    assert (values - first[0]).abs().max() < 1e-13
    assert (vectors @ torch.diag(values) @ vectors.T - matrix).abs().max() < 1e-13


def test_where_both_give_up_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def too(matrix: np.ndarray) -> None:
        raise np.linalg.LinAlgError("Eigenvalues did not converge")

    monkeypatch.setattr(torch.linalg, "eigh", gives_up)
    monkeypatch.setattr(np.linalg, "eigh", too)
    with pytest.raises(ValueError, match="2 x 2 Hessian did not converge"):
        symmetric_eigen(torch.eye(2).double())


@pytest.mark.parametrize("tying", ["tied", "untied"])
def test_a_hessian_of_almost_all_zeros_has_its_spectrum(tying: str) -> None:
    """270 x 270 with four nonzero eigenvalues, on which a divide and conquer has failed."""
    model = GPT(width=4, length=2, tying=tying)
    loss = ExactLoss(BinaryMarkov("0.9", "0.9"), 2)
    zeros = {name: 0 * value for name, value in model.named_parameters()}
    spectrum = hessian_spectrum(model, loss, unigram_point(model, loss, free=zeros).params)
    assert spectrum.eigenvalues.isfinite().all()
