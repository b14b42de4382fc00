"""A slice is the plane that was asked for, through the point that was asked for."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from landscape import slices
from landscape.curvature import Coordinates, dense_hessian, hessian_products
from landscape.models import ReducedModel, SingleLayer
from landscape.models.initial import gaussian
from landscape.objective import ExactLoss
from landscape.points import unigram_point
from landscape.slices import LossSlice, eigen_directions, loss_slice
from landscape.sources import BinaryMarkov
from landscape.spectrum import hessian_spectrum
from tests.brute_force import naive_loss
from theory.loss import reduced_loss
from theory.numeric import function
from theory.symbols import b, e, p, q, tau, w

P, Q, N = 0.5, 0.8, 3
Params = dict[str, Tensor]
EXACT = 1e-14  # 2^(N+1) terms, a few roundings each
# step 1e-3 of a unit direction: truncation t^2/12 of a fourth derivative of order 10, 1e-6, and
# round-off 4 eps/t^2, 1e-9
CURVATURE_ERROR = 1e-5


def at_random(tying: str = "tied") -> tuple[SingleLayer, ExactLoss, Params]:
    model = SingleLayer(width=2, hidden=3, length=N, tying=tying)
    return model, ExactLoss(BinaryMarkov(P, Q), N), gaussian(model, 0.7, 4)


def skewed(size: int) -> Tensor:
    """Two rows that are neither unit nor orthogonal."""
    rows = np.random.default_rng(3).normal(size=(2, size))
    rows[1] = 0.3 * rows[1] + 0.1 * rows[0]
    return torch.from_numpy(rows)


def naive_at(params: Params, rows: np.ndarray, offset: np.ndarray) -> float:
    axes = Coordinates.of(params)
    theta = axes.vector(params).numpy() + offset @ rows
    weights = {name: x.numpy() for name, x in axes.params(torch.from_numpy(theta)).items()}
    return float(naive_loss(weights, P, Q, N))


@pytest.mark.parametrize("tying", ["tied", "untied"])
def test_every_grid_point_is_the_enumerated_loss_at_that_combination(tying: str) -> None:
    model, objective, params = at_random(tying)
    rows = skewed(Coordinates.of(params).size)
    found = loss_slice(model, objective, params, rows, resolution=5, radius=0.4)
    for i, alpha in enumerate(found.alpha):
        for j, beta in enumerate(found.beta):
            offset = np.array([alpha, beta])
            assert abs(found.loss[i, j] - naive_at(params, rows.numpy(), offset)) < EXACT
    assert abs(found.center_loss - naive_at(params, rows.numpy(), np.zeros(2))) < EXACT
    assert found.loss[2, 2] == pytest.approx(found.center_loss, abs=EXACT)
    # controls: axes exchanged, and directions normalised
    corner = np.array([found.alpha[0], found.beta[-1]])
    unit = (rows / rows.norm(dim=1, keepdim=True)).numpy()
    assert abs(found.loss[0, -1] - naive_at(params, rows.numpy(), corner[::-1])) > 1e-3
    assert abs(found.loss[0, -1] - naive_at(params, unit, corner)) > 1e-3


def test_directions_are_used_verbatim_and_described() -> None:
    model, objective, params = at_random()
    rows = skewed(Coordinates.of(params).size)
    found = loss_slice(model, objective, params, rows, names=("long", "short"), resolution=3)
    array = rows.numpy()
    assert found.directions.tolist() == array.tolist()
    # inner products of D numbers, in another order of summation
    assert np.abs(found.gram - array @ array.T).max() < 1e-13
    assert np.abs(found.norms - np.sqrt((array**2).sum(1))).max() < 1e-13
    assert found.names == ("long", "short")
    assert abs(found.gram[0, 1]) > 1e-2  # control: neither orthogonal
    assert np.abs(found.norms - 1).min() > 1e-2  # nor unit
    assert loss_slice(model, objective, params, rows, resolution=3).names == (
        "direction 0",
        "direction 1",
    )


def test_the_axes_are_symmetric_and_hit_the_centre() -> None:
    model, objective, params = at_random()
    rows = skewed(Coordinates.of(params).size)
    for resolution in (3, 7, 51):
        found = loss_slice(model, objective, params, rows[:1], resolution=resolution, radius=0.7)
        assert found.alpha[resolution // 2] == 0.0
        assert found.alpha.tolist() == (-found.alpha[::-1]).tolist()
        assert (found.alpha[0], found.alpha[-1]) == (-0.7, 0.7)
        assert np.abs(np.diff(found.alpha) - 1.4 / (resolution - 1)).max() < 1e-15
        assert found.beta.tolist() == [0.0]
        assert found.loss.shape == (resolution, 1)


def test_a_line_is_the_middle_of_a_plane() -> None:
    model, objective, params = at_random()
    rows = skewed(Coordinates.of(params).size)
    plane = loss_slice(model, objective, params, rows, resolution=5)
    line = loss_slice(model, objective, params, rows[:1], resolution=5)
    # the same points, batched otherwise
    assert np.abs(line.loss[:, 0] - plane.loss[:, 2]).max() < EXACT


def test_the_curvature_check_passes_for_the_plane_that_was_asked_for() -> None:
    model, objective, params = at_random()
    rows = skewed(Coordinates.of(params).size)
    for directions in (rows, rows[:1], 1e-3 * rows, 1e3 * rows):
        found = loss_slice(model, objective, params, directions, resolution=3, radius=1e-3)
        assert found.curvature_error < CURVATURE_ERROR


class Renormalised(ExactLoss):
    """The loss on the line through `centre`, its direction silently taken to length one."""

    centre: Params
    norm: float

    def __call__(self, model: Any, params: Any) -> Tensor:
        centre = self.centre
        unit = {name: centre[name] + (params[name] - centre[name]) / self.norm for name in centre}
        return super().__call__(model, unit)


def test_the_curvature_check_catches_a_direction_that_was_renormalised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, objective, params = at_random()
    row = skewed(Coordinates.of(params).size)[:1]
    planted = Renormalised(objective.source, N)
    planted.centre, planted.norm = params, row.norm().item()
    monkeypatch.setattr(
        slices,
        "hessian_products",  # the check's own channel, which keeps the true loss
        lambda _, model, params, rows: hessian_products(objective, model, params, rows),
    )
    honest = loss_slice(model, objective, params, row, resolution=3)
    assert honest.curvature_error < CURVATURE_ERROR
    wrong = loss_slice(model, planted, params, row, resolution=3)
    assert wrong.center_loss == pytest.approx(honest.center_loss, abs=EXACT)
    assert wrong.curvature_error > 100 * CURVATURE_ERROR


class Elsewhere(ExactLoss):
    """The loss with its bias displaced: exact, and of another point."""

    def __call__(self, model: Any, params: Any) -> Tensor:
        return super().__call__(model, {**params, "bias": params["bias"] + 0.5})


def test_a_moved_centre_is_caught_by_its_loss_and_curvature(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, objective, params = at_random()
    rows = skewed(Coordinates.of(params).size)
    monkeypatch.setattr(
        slices,
        "hessian_products",
        lambda _, model, params, rows: hessian_products(objective, model, params, rows),
    )
    moved = loss_slice(model, Elsewhere(objective.source, N), params, rows, resolution=3)
    assert abs(moved.center_loss - naive_at(params, rows.numpy(), np.zeros(2))) > 1e-3
    assert moved.curvature_error > 100 * CURVATURE_ERROR


def test_second_differences_of_the_grid_are_the_hessian_in_the_plane() -> None:
    model, objective, params = at_random()
    rows = skewed(Coordinates.of(params).size)
    H = (rows @ dense_hessian(objective, model, params) @ rows.T).numpy()
    found = loss_slice(model, objective, params, rows, resolution=3, radius=1e-3)
    L, h2 = found.loss, 1e-6
    along = (L[2, 1] - 2 * L[1, 1] + L[0, 1]) / h2, (L[1, 2] - 2 * L[1, 1] + L[1, 0]) / h2
    mixed = (L[2, 2] - L[2, 0] - L[0, 2] + L[0, 0]) / (4 * h2)
    scale = found.norms**2
    # truncation h^2/12 |d|^4 and round-off 4 eps/h^2, relative to |d|^2
    assert abs(along[0] - H[0, 0]) < CURVATURE_ERROR * scale[0] ** 2
    assert abs(along[1] - H[1, 1]) < CURVATURE_ERROR * scale[0] ** 2
    assert abs(mixed - H[0, 1]) < CURVATURE_ERROR * scale[0] ** 2
    assert abs(along[0] - H[1, 1]) > 100 * CURVATURE_ERROR  # control: the axes exchanged


@pytest.mark.parametrize(("p_value", "q_value"), [(0.5, 0.8), (0.2, 0.3)])
def test_the_e_w_plane_of_the_reduced_model_is_the_symbolic_loss(
    p_value: float, q_value: float
) -> None:
    model, objective = ReducedModel(), ExactLoss(BinaryMarkov(p_value, q_value), 2)
    bias = 0.2
    params = {name: torch.tensor(0.0, dtype=torch.float64) for name in ("embedding", "feedforward")}
    params["bias"] = torch.tensor(bias, dtype=torch.float64)
    plane = torch.eye(3, dtype=torch.float64)[:2]
    found = loss_slice(model, objective, params, plane, names=("e", "w"), resolution=9, radius=1.5)
    symbolic = function([p, q, e, w, b, tau], reduced_loss(1), np)
    E, V = np.meshgrid(found.alpha, found.beta, indexing="ij")
    expected = symbolic(p_value, q_value, E, V, bias, np.where(V < 0, -1.0, 1.0))
    assert np.abs(found.loss - expected).max() < EXACT * np.abs(expected).max()
    assert np.abs(found.loss.T - expected).max() > 1e-2  # control: e and w exchanged


def test_eigen_directions_are_the_ends_of_the_spectrum_that_are_not_flat() -> None:
    model, objective, params = at_random("untied")
    point = unigram_point(model, objective, free=params)
    spectrum = hessian_spectrum(model, objective, point.params)
    directions, names = eigen_directions(spectrum)
    last = spectrum.parameters - 1
    assert names == ("eigenvector 0", f"eigenvector {last}")
    assert torch.equal(directions, spectrum.eigenvectors[:, [0, last]].T)
    found = loss_slice(model, objective, point.params, directions, resolution=3, radius=0.1)
    assert np.abs(found.gram - np.eye(2)).max() < 1e-13
    # down along the first, up along the second: a saddle seen
    assert found.loss[0, 1] < found.center_loss < found.loss[1, 0]


def test_where_all_curvatures_are_positive_the_lowest_that_is_not_zero_is_taken() -> None:
    model, objective = SingleLayer(width=2, length=3), ExactLoss(BinaryMarkov(P, Q), 3)
    point = unigram_point(model, objective, free=gaussian(model, 0.0, 0))
    spectrum = hessian_spectrum(model, objective, point.params)
    _, names = eigen_directions(spectrum)
    lowest, highest = (int(name.split()[1]) for name in names)
    assert spectrum.inertia == (0, lowest, spectrum.parameters - lowest)
    assert highest == spectrum.parameters - 1


def test_at_a_degenerate_point_flat_directions_fill_the_plane() -> None:
    model = SingleLayer(width=2, length=3)
    objective = ExactLoss(BinaryMarkov("0.3", "0.7"), 3)
    point = unigram_point(model, objective, free=gaussian(model, 0.0, 0))
    spectrum = hessian_spectrum(model, objective, point.params)
    assert spectrum.inertia == (0, spectrum.parameters - 1, 1)
    directions, names = eigen_directions(spectrum)
    assert len(set(names)) == 2
    assert f"eigenvector {spectrum.parameters - 1}" in names
    found = loss_slice(model, objective, point.params, directions, resolution=3)
    assert np.abs(found.gram - np.eye(2)).max() < 1e-13
    curved = found.loss.max(axis=0) - found.loss.min(axis=0), np.ptp(found.loss, axis=1)
    assert max(curved[0].max(), curved[1].max()) > 1e-2


def test_a_single_parameter_has_no_plane() -> None:
    model, objective, params = at_random()
    spectrum = hessian_spectrum(model, objective, params)
    one = torch.ones(1, dtype=torch.float64)
    single = dataclasses.replace(spectrum, eigenvalues=one, eigenvectors=one[:, None])
    with pytest.raises(ValueError, match=r"a model of 1 parameter has no plane; give one"):
        eigen_directions(single)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"resolution": 4}, r"resolution=4 is out of range; give an odd integer >= 3"),
        ({"resolution": 1}, r"resolution=1 is out of range"),
        ({"radius": 0.0}, r"radius=0\.0 is out of range; give a positive number"),
        ({"radius": float("nan")}, r"radius=nan is out of range"),
        ({"radius": float("inf")}, r"radius=inf is out of range"),
        ({"rows": lambda rows: rows[[0, 0]]}, r"directions are linearly dependent or zero"),
        ({"rows": lambda rows: 0 * rows[:1]}, r"directions are linearly dependent or zero"),
        ({"rows": lambda rows: rows[:, 1:]}, r"directions of shape \(2, 36\) .* of 37 parameters"),
        ({"rows": lambda rows: rows[[0, 1, 0]]}, r"directions of shape \(3, 37\)"),
        ({"rows": lambda rows: rows[:0]}, r"directions of shape \(0, 37\)"),
        ({"rows": lambda rows: rows / 0}, r"give one or two finite rows"),
    ],
)
def test_a_slice_that_cannot_be_is_refused(change: dict[str, Any], text: str) -> None:
    model, objective, params = at_random()
    size = Coordinates.of(params).size
    options = {"resolution": 3, "radius": 1.0, **change}
    rows = options.pop("rows", lambda rows: rows)(skewed(size))
    with pytest.raises(ValueError, match=text):
        loss_slice(model, objective, params, rows, **options)


def test_slicing_leaves_model_point_and_directions_alone() -> None:
    model, objective, params = at_random()
    model.eval()
    rows = skewed(Coordinates.of(params).size)
    kept = [x.clone() for x in (rows, *params.values(), *model.parameters())]
    loss_slice(model, objective, params, rows, resolution=3)
    assert not model.training
    after = [rows, *params.values(), *model.parameters()]
    assert all(torch.equal(x, y) for x, y in zip(kept, after, strict=True))


def test_the_slice_survives_as_a_dataset() -> None:
    model, objective, params = at_random()
    rows = skewed(Coordinates.of(params).size)
    found: LossSlice = loss_slice(model, objective, params, rows, names=("u", "v"), resolution=3)
    dataset = found.to_xarray()
    assert dataset["loss"].dims == ("alpha", "beta")
    assert dataset["loss"].values.tolist() == found.loss.tolist()
    assert dataset["direction"].sel(axis="v").values.tolist() == found.directions[1].tolist()
    assert dataset["gram"].values.tolist() == found.gram.tolist()
    assert dataset["norm"].values.tolist() == found.norms.tolist()
    assert dataset["center_loss"].item() == found.center_loss
    assert dataset["curvature_error"].item() == found.curvature_error
    assert dataset["alpha"].values.tolist() == found.alpha.tolist()
