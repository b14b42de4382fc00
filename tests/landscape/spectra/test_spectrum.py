"""The spectrum at a point, dense: its eigenpairs, its own diagnostics, and what it leaves alone."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor

from landscape.models import ReducedModel, SingleLayer
from landscape.models.initial import gaussian
from landscape.models.parameters import Coordinates
from landscape.objectives.exact import ExactLoss
from landscape.points.bigram import bigram_point
from landscape.points.unigram import unigram_point
from landscape.sources import BinaryMarkov
from landscape.spectra import spectrum as spectra
from landscape.spectra.spectrum import Spectrum, hessian_spectrum, inertia
from tests.landscape.cli.running import Run
from tests.twins.single_layer import arrays, naive_gradient, naive_hessian_product, naive_loss

P, Q = 0.5, 0.8
EPS = float(np.finfo(np.float64).eps)
# tests/twins/single_layer.py's differences: 2 eps/step of gradients near 1, room for ten of them
STEP_ERROR = 1e-11


def naive_hessian(params: dict[str, Tensor], length: int) -> np.ndarray:
    """Column by column from differences of imaginary-step gradients, in numpy."""
    axes = Coordinates.of(params)
    units = (arrays(axes.params(unit)) for unit in torch.eye(axes.size, dtype=torch.float64))
    return np.array([naive_hessian_product(arrays(params), v, P, Q, length) for v in units])


@pytest.mark.parametrize("tying", ["tied", "untied"])
@pytest.mark.parametrize("kind", ["unigram", "generic"])
def test_eigenvalues_are_those_of_numpys_hessian(tying: str, kind: str) -> None:
    model = SingleLayer(width=2, hidden=2, length=2, tying=tying)
    objective = ExactLoss(BinaryMarkov(P, Q), 2)
    params = gaussian(model, 0.7, 1)
    if kind == "unigram":
        params = unigram_point(model, objective, free=params).params
    spectrum = hessian_spectrum(model, objective, params)
    naive = naive_hessian(params, 2)
    expected = np.linalg.eigvalsh((naive + naive.T) / 2)
    # Weyl: no eigenvalue moves by more than the norm of the error, D times its entries at most
    allowed = spectrum.parameters * STEP_ERROR
    measured = spectrum.eigenvalues.numpy()
    assert np.abs(measured - expected).max() < allowed
    assert np.abs(-measured[::-1] - expected).max() > 1e-2  # control: the Hessian of -L


@pytest.fixture(scope="module")
def measured() -> tuple[SingleLayer, ExactLoss, dict[str, Tensor], Spectrum]:
    model = SingleLayer(width=2, hidden=3, length=3, tying="untied")
    objective = ExactLoss(BinaryMarkov(P, Q), 3)
    params = gaussian(model, 0.7, 2)
    return model, objective, params, hessian_spectrum(model, objective, params)


def test_eigenvectors_satisfy_their_equation_and_are_orthonormal(measured: Any) -> None:
    _, _, params, spectrum = measured
    for k in (0, 1, -2, -1):
        v = spectrum.eigenvectors[:, k]
        direction = arrays(spectrum.coordinates.params(v))
        product = naive_hessian_product(arrays(params), direction, P, Q, 3)
        assert np.abs(product - spectrum.eigenvalues[k].item() * v.numpy()).max() < STEP_ERROR
        # control: a neighbour's eigenvalue
        other = spectrum.eigenvalues[k + (1 if k in (0, -2) else -1)].item()
        assert np.abs(product - other * v.numpy()).max() > 1e-4
    gram = spectrum.eigenvectors.T @ spectrum.eigenvectors
    identity = torch.eye(spectrum.parameters, dtype=torch.float64)
    assert (gram - identity).abs().max() < spectrum.parameters * EPS


def test_loss_and_gradient_norm_are_those_of_the_enumerated_loss(measured: Any) -> None:
    _, _, params, spectrum = measured
    assert abs(spectrum.loss - naive_loss(arrays(params), P, Q, 3)) < 1e-14
    slope = np.linalg.norm(naive_gradient(arrays(params), P, Q, 3))
    assert abs(spectrum.gradient_norm - slope) < 1e-14
    assert spectrum.gradient_norm > 1e-2  # control: not a point where any gradient would do


def test_the_zero_bound_inertia_and_gap_are_their_definitions(measured: Any) -> None:
    spectrum = measured[-1]
    values, bound = spectrum.eigenvalues.numpy(), spectrum.zero_bound
    assert (np.diff(values) >= 0).all()
    assert spectrum.parameters == len(values)
    assert bound == len(values) * EPS * np.linalg.norm(values, np.inf)
    counted = values < -bound, np.abs(values) <= bound, values > bound
    assert spectrum.inertia == tuple(int(signs.sum()) for signs in counted)
    size = np.sort(np.abs(values))
    assert spectrum.gap == (size[size <= bound].max(initial=0.0), size[size > bound].min())


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=8), st.integers(0, 4))
@settings(max_examples=60)
def test_inertia_counts_signs_within_the_bound(values: list[float], zeros: int) -> None:
    everything = sorted([*values, *[0.0] * zeros])
    counts, bound, gap = inertia(torch.tensor(everything, dtype=torch.float64))
    assert bound == len(everything) * EPS * max(abs(x) for x in everything)
    assert counts == (
        sum(x < -bound for x in everything),
        sum(-bound <= x <= bound for x in everything),
        sum(x > bound for x in everything),
    )
    assert sum(counts) == len(everything)
    assert gap[0] <= bound < gap[1] or bound == 0.0


def test_the_bound_itself_counts_as_zero_and_the_next_float_does_not() -> None:
    bound = 3 * EPS
    row = [-1.0, bound, bound]
    assert inertia(torch.tensor(row, dtype=torch.float64))[0] == (1, 2, 0)
    row[2] = math.nextafter(bound, 1)
    counts, _, gap = inertia(torch.tensor(row, dtype=torch.float64))
    assert counts == (1, 1, 1)
    assert gap == (bound, row[2])


def test_without_zeros_or_with_nothing_else_the_gap_says_so() -> None:
    assert inertia(torch.tensor([1.0, 2.0], dtype=torch.float64))[2] == (0.0, 1.0)
    counts, bound, gap = inertia(torch.zeros(3, dtype=torch.float64))
    assert (counts, bound, gap) == ((0, 3, 0), 0.0, (0.0, math.inf))


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["bias", "hidden_in", "positions"])
def test_parameters_that_are_not_finite_are_refused(name: str, wrong: float) -> None:
    model, objective = SingleLayer(width=2, length=2), ExactLoss(BinaryMarkov(P, Q), 2)
    params = gaussian(model, 0.5, 1)
    assert hessian_spectrum(model, objective, params).parameters == 57 - 2  # control: finite
    params[name].view(-1)[0] = wrong
    with pytest.raises(ValueError, match=r"derivatives are not all finite; give parameters at"):
        hessian_spectrum(model, objective, params)


def test_the_spectrum_of_a_float32_point_is_that_of_the_same_numbers_in_float64() -> None:
    small = SingleLayer(width=2, length=3, dtype=torch.float32)
    large = SingleLayer(width=2, length=3)
    params = {name: value.detach() for name, value in small.named_parameters()}
    objective = ExactLoss(BinaryMarkov(P, Q), 3)
    first = hessian_spectrum(small, objective, params)
    second = hessian_spectrum(large, objective, {n: x.double() for n, x in params.items()})
    assert torch.equal(first.eigenvalues, second.eigenvalues)
    # control: the weights before they were rounded to float32
    exact = {name: value.detach() for name, value in large.named_parameters()}
    assert not torch.equal(first.eigenvalues, hessian_spectrum(large, objective, exact).eigenvalues)


@pytest.mark.parametrize("kind", ["unigram", "bigram"])
def test_the_reduced_model_has_its_closed_form_spectrum(kind: str) -> None:
    model, objective, w = ReducedModel(), ExactLoss(BinaryMarkov(P, Q), 2), -1.2
    growth = 1 + 2 * w * abs(w)
    pi0, pi1 = Q / (P + Q), P / (P + Q)
    if kind == "unigram":
        free = {"feedforward": torch.tensor(w, dtype=torch.float64)}
        point = unigram_point(model, objective, free=free)
        H = np.diag([2 * pi0 * pi1 * (P + Q - 1) * growth, 0, pi0 * pi1])
    else:
        point = bigram_point(model, objective, w=w)
        e = math.sqrt(math.log((1 - P) * (1 - Q) / (P * Q)) / growth)
        g0 = np.array([-e, 0, 1])
        g1 = np.array([e * (1 + 4 * w * abs(w)), 4 * abs(w) * e**2, 1])
        H = pi0 * P * (1 - P) * np.outer(g0, g0) + pi1 * Q * (1 - Q) * np.outer(g1, g1)
    spectrum = hessian_spectrum(model, objective, point.params)
    expected = np.linalg.eigvalsh(H)
    # a dozen roundings of terms of the size of H
    assert np.abs(spectrum.eigenvalues.numpy() - expected).max() < 1e-14 * np.abs(expected).max()
    assert spectrum.inertia == ((1, 1, 1) if kind == "unigram" else (0, 1, 2))


def test_the_spectrum_survives_as_a_dataset(measured: Any) -> None:
    _, _, _, spectrum = measured
    dataset = spectrum.to_xarray()
    assert dataset["eigenvalue"].values.tolist() == spectrum.eigenvalues.tolist()
    assert dataset["zero_bound"].item() == spectrum.zero_bound
    assert dataset["gap"].values.tolist() == list(spectrum.gap)
    counts = zip(("negative", "zero", "positive"), spectrum.inertia, strict=True)
    assert all(dataset["inertia"].sel(sign=sign).item() == count for sign, count in counts)
    assert dataset["min_preactivation"].item() == spectrum.min_preactivation
    assert dataset["kink"].item() == 0
    assert dataset["one_sided"].shape == (0, 2)
    size = spectrum.parameters
    assert dataset["end"].values.tolist() == [0, 1, size - 2, size - 1]
    for end in dataset["end"].values:
        vector = dataset["eigenvector"].sel(end=end).values
        assert vector.tolist() == spectrum.eigenvectors[:, int(end)].tolist()
    assert dataset["coordinate"].values.tolist() == spectrum.coordinates.labels()


def test_a_model_of_few_parameters_stores_each_eigenvector_once() -> None:
    model, objective = ReducedModel(), ExactLoss(BinaryMarkov(P, Q), 2)
    dataset = hessian_spectrum(model, objective, unigram_point(model, objective).params).to_xarray()
    assert dataset["end"].values.tolist() == [0, 1, 2]
    assert math.isnan(dataset["min_preactivation"].item())


@pytest.mark.parametrize(("smallest", "told"), [(4e-15, True), (6e-15, False)])
def test_a_gap_below_a_factor_of_ten_is_said_beside_the_counts(
    smallest: float, told: bool, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    """Of three eigenvalues up to 1 the bound is 6.7e-16: one is below it, and one above."""
    values = torch.tensor([5e-16, smallest, 1.0], dtype=torch.float64)
    monkeypatch.setattr(spectra, "symmetric_eigen", lambda _: (values, torch.eye(3).double()))
    _, out, _ = run("spectrum --p .5 --q .8 --at unigram --model reduced")
    said = "the largest taken for zero is 5.0e-16, the smallest other one 4.0e-15"
    assert (said in " ".join(out.split())) is told
