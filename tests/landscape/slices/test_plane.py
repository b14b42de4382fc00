"""A slice is the plane that was asked for, through the point that was asked for."""

import dataclasses
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch
from torch import Tensor

from landscape.models import ReducedModel, SingleLayer
from landscape.models.ansatz import ansatz
from landscape.models.initial import gaussian
from landscape.models.parameters import Coordinates, unchanged
from landscape.objectives.exact import ExactLoss
from landscape.objectives.sampled import SampledLoss
from landscape.points.unigram import unigram_point
from landscape.slices import plane as slices
from landscape.slices.directions import eigen_directions
from landscape.slices.loss_slice import LossSlice
from landscape.slices.plane import loss_slice
from landscape.sources import BinaryMarkov
from landscape.spectra.operators import dense_hessian, hessian_products
from landscape.spectra.spectrum import hessian_spectrum
from tests.twins.single_layer import naive_loss
from theory.numeric import function
from theory.reduced.loss import reduced_loss
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
        lambda model, _, params, rows: hessian_products(model, objective, params, rows),
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
        lambda model, _, params, rows: hessian_products(model, objective, params, rows),
    )
    moved = loss_slice(model, Elsewhere(objective.source, N), params, rows, resolution=3)
    assert abs(moved.center_loss - naive_at(params, rows.numpy(), np.zeros(2))) > 1e-3
    assert moved.curvature_error > 100 * CURVATURE_ERROR


def test_second_differences_of_the_grid_are_the_hessian_in_the_plane() -> None:
    model, objective, params = at_random()
    rows = skewed(Coordinates.of(params).size)
    H = (rows @ dense_hessian(model, objective, params) @ rows.T).numpy()
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
        ({"rows": lambda rows: rows / 0}, r"directions hold NaN or infinite entries \(74 of 74\)"),
        ({"rows": lambda rows: rows[0]}, r"directions of shape \(37,\)"),
        ({"rows": lambda rows: [["a"], ["b"]]}, r"directions=list are no array of numbers"),
        ({"rows": lambda rows: torch.stack([rows[0], rows[0] * (1 + 1e-9)])}, "dependent or zero"),
        ({"rows": lambda rows: torch.stack([rows[0], 1e-9 * rows[0]])}, "dependent or zero"),
        ({"names": ("one",)}, r"names=\('one',\) are 1 for 2 directions; give one each"),
        ({"names": ()}, r"names=\(\) are 0 for 2 directions"),
    ],
)
def test_a_slice_that_cannot_be_is_refused(change: dict[str, Any], text: str) -> None:
    model, objective, params = at_random()
    size = Coordinates.of(params).size
    options = {"resolution": 3, "radius": 1.0, **change}
    rows = options.pop("rows", lambda rows: rows)(skewed(size))
    with pytest.raises(ValueError, match=text):
        loss_slice(model, objective, params, rows, **options)


def test_a_resolution_that_is_no_integer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as outside of these tests
    model, objective, params = at_random()
    resolution: Any = 51.0
    with pytest.raises(ValueError, match=r"resolution=51\.0 is out of range; give an odd integer"):
        loss_slice(model, objective, params, skewed(37), resolution=resolution)
    resolution = np.int64(3)  # the control
    assert loss_slice(model, objective, params, skewed(37), resolution=resolution).alpha.size == 3


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
    assert np.array_equal(dataset["center"].values, Coordinates.of(params).vector(params).numpy())
    assert dataset.attrs["norms"].tolist() == found.norms.tolist()
    assert dataset.attrs["center_loss"] == found.center_loss
    assert dataset.attrs["curvature_error"] == found.curvature_error
    assert dataset.attrs["curvature_errors"].tolist() == found.curvature_errors.tolist()
    assert dataset.attrs["displacement_error"] == found.displacement_error
    assert dataset.attrs["center_error"] == found.center_error
    assert dataset.attrs["not_finite"] == 0 and dataset.attrs["chart"] == "affine"
    assert dataset["alpha"].values.tolist() == found.alpha.tolist()


def test_distances_are_in_parameter_space_whatever_the_norms() -> None:
    """Control: the multiples alpha themselves are not, for directions that are not unit."""
    model, objective, params = at_random()
    rows = skewed(Coordinates.of(params).size)
    found = loss_slice(model, objective, params, rows, resolution=3, radius=0.5)
    ends = found.alpha[-1] * rows[0], found.beta[-1] * rows[1]
    for axis, end, offset in zip(found.distance, ends, (found.alpha, found.beta), strict=True):
        assert abs(axis[-1] - end.norm().item()) < 1e-14
        assert abs(offset[-1] - end.norm().item()) > 1e-2


def test_a_quadratic_loss_is_its_own_hessian_along_the_rows() -> None:
    """L = theta^T A theta/2 + g^T theta with A and g chosen: curvatures and surface by hand."""

    class Quadratic:
        length = 1

        def __call__(self, model: Any, params: Any) -> Tensor:
            theta = torch.cat([params["bias"].reshape(-1), params["embedding"].reshape(-1)])
            return theta @ A @ theta / 2 + g @ theta

    A = torch.tensor([[2.0, -1.0], [-1.0, -3.0]], dtype=torch.float64)
    g = torch.tensor([0.5, -0.25], dtype=torch.float64)
    point = {"bias": torch.tensor(0.7).double(), "embedding": torch.tensor(-0.2).double()}
    rows = torch.tensor([[3.0, 1.0], [0.0, -0.5]], dtype=torch.float64)
    found = loss_slice(ReducedModel(), Quadratic(), point, rows, resolution=5)
    theta = torch.tensor([0.7, -0.2]).double().numpy().astype(float)
    theta[:] = [point["bias"].item(), point["embedding"].item()]
    for i, j in np.ndindex(5, 5):
        at = theta + found.alpha[i] * rows[0].numpy() + found.beta[j] * rows[1].numpy()
        expected = at @ A.numpy() @ at / 2 + g.numpy() @ at
        assert abs(found.loss[i, j] - expected) < 1e-13  # six products of numbers near 10
    # d^T A d / |d|^2: (3 1) -> (18 - 6 - 3)/10, (0 -1/2) -> -3
    assert np.abs(found.curvatures - [0.9, -3.0]).max() < 1e-14
    assert found.curvature_error < 1e-8  # round-off alone: 8 eps L/h^2
    assert found.faults() == ()


def through(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    """Let `loss_slice` measure another surface than the one it describes."""
    true = slices.measured_surface

    def planted(model: Any, objective: Any, params: Any, chart: Any, *rest: Any, **options: Any):  # type: ignore[no-untyped-def]  # any record
        return true(model, objective, params, change(chart), *rest, **options)

    monkeypatch.setattr(slices, "measured_surface", planted)


def test_a_plane_of_renormalised_directions_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    model, objective, params = at_random()
    rows = skewed(Coordinates.of(params).size)
    assert loss_slice(model, objective, params, rows, resolution=3).faults() == ()
    through(monkeypatch, lambda chart: lambda offset: chart(offset / rows.norm(dim=1)))
    *curved, corners = loss_slice(model, objective, params, rows, resolution=3).faults()
    assert [fault.partition(",")[0] for fault in curved] == [
        f"the surface is not curved as the Hessian says along direction {k}" for k in range(2)
    ]
    assert corners.startswith("the grid's corners are not where the directions lead")


@pytest.mark.parametrize("factor", [1.0, 3.0, 1.001])
@pytest.mark.parametrize("count", [1, 2])
def test_renormalised_flat_directions_are_caught_by_the_corners(
    monkeypatch: pytest.MonkeyPatch, factor: float, count: int
) -> None:
    """Where the loss does not bend, no curvature tells. The control: verbatim, factor 1, passes."""
    model, objective = SingleLayer(width=2, length=N), ExactLoss(BinaryMarkov(P, Q), N)
    point = unigram_point(model, objective, free=gaussian(model, 0.5, 1))
    spectrum = hessian_spectrum(model, objective, point.params)
    flat = torch.nonzero(spectrum.eigenvalues.abs() <= spectrum.zero_bound).flatten().tolist()
    rows = eigen_directions(spectrum, flat[:count])[0]
    through(monkeypatch, lambda chart: lambda offset: chart(factor * offset))
    found = loss_slice(model, objective, point.params, rows, resolution=5, radius=0.7)
    assert (
        not found.curvature_error > CURVATURE_ERROR
    )  # blind (or nan: a kink), whatever the factor
    # displacements of length near 1 and entries near 1: differences to a few eps
    assert abs(found.displacement_error - (factor - 1)) < 1e-14
    caught = ["the grid's corners" in fault for fault in found.faults()]
    assert caught == ([True] if factor != 1 else [])


@pytest.mark.parametrize(("scale", "radius"), [(1.0, 2.0), (1e-3, 1e-3), (1e3, 40.0)])
def test_round_off_of_the_centre_is_no_displacement(scale: float, radius: float) -> None:
    model, objective, params = at_random()
    rows = scale * skewed(Coordinates.of(params).size)
    params["bias"] = params["bias"] + 1e3
    found = loss_slice(model, objective, params, rows, resolution=3, radius=radius)
    assert found.displacement_error <= 1e-12


def test_each_axis_is_judged_by_its_own_curvature() -> None:
    """An error of 1e-2 is nothing beside a curvature of 1e4, and much beside one of 1."""
    model, objective, params = at_random()
    found = loss_slice(model, objective, params, skewed(37), names=("u", "v"), resolution=3)
    assert found.curvature_errors.shape == (2,)
    assert found.curvature_error == found.curvature_errors.max()
    steep = dataclasses.replace(
        found, curvatures=np.array([1e4, 1.0]), curvature_errors=np.array([1e-2, 1e-6])
    )
    assert steep.faults() == ()  # the control
    (fault,) = dataclasses.replace(steep, curvature_errors=np.array([1e-6, 1e-2])).faults()
    assert "along v, by 1.0e-02" in fault
    bent = dataclasses.replace(steep, curvature_errors=np.array([np.nan, 1e-6]))
    assert bent.curvature_error == 1e-6 and bent.faults() == ()


def test_contexts_too_many_to_enumerate_leave_the_corners_to_speak(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At length 40 kinks cannot be looked for in all 2^40 contexts."""
    model = SingleLayer(width=2, hidden=3, length=40)
    objective = SampledLoss(BinaryMarkov(P, Q), 40, batch=4, seed=0)
    params = gaussian(model, 0.5, 4)
    rows = skewed(Coordinates.of(params).size)
    found = loss_slice(model, objective, params, rows, resolution=3, radius=0.1)
    assert np.isnan(found.curvature_errors).all() and np.isnan(found.curvatures).all()
    assert found.displacement_error < 1e-12 and found.faults() == ()
    assert found.loss[1, 1] == pytest.approx(objective(model, params).item(), abs=EXACT)
    through(monkeypatch, lambda chart: lambda offset: chart(1.001 * offset))
    (fault,) = loss_slice(model, objective, params, rows, resolution=3, radius=0.1).faults()
    assert fault.startswith("the grid's corners")
    # the control: at length 3 the curvatures are checked
    short = SampledLoss(BinaryMarkov(P, Q), N, batch=64, seed=0)
    small, _, at = at_random()
    checked = loss_slice(small, short, at, skewed(37), resolution=3, radius=0.1)
    assert np.isfinite(checked.curvature_errors).all()


def test_directions_of_very_different_norms_and_from_numpy_are_taken_verbatim() -> None:
    model, objective, params = at_random()
    rows = np.zeros((2, 37))
    rows[0, 0], rows[1, 1] = 2e-9, 1.0
    found = loss_slice(model, objective, params, rows, resolution=3)
    assert found.directions.tolist() == rows.tolist() and found.faults() == ()


def test_a_plane_of_exchanged_directions_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    model, objective, params = at_random()
    rows = skewed(Coordinates.of(params).size)
    through(monkeypatch, lambda chart: lambda offset: chart(offset.flip(0)))
    assert "not curved" in loss_slice(model, objective, params, rows, resolution=3).faults()[0]


@pytest.mark.parametrize("moved", [1e-3, 1e-9])
def test_a_moved_centre_is_caught(monkeypatch: pytest.MonkeyPatch, moved: float) -> None:
    model, objective, params = at_random()
    rows = skewed(Coordinates.of(params).size)
    through(monkeypatch, lambda chart: lambda offset: chart(offset + moved))
    found = loss_slice(model, objective, params, rows, resolution=3)
    assert "the grid's middle is" in found.faults()[0]
    # the centre's loss is the point's own all the same
    own = naive_at(params, rows.numpy(), np.zeros(2))
    assert abs(found.center_loss - own) < EXACT
    assert found.center_error == abs(found.loss[1, 1] - found.center_loss) > 1e-12


class Holed(ExactLoss):
    """Not a number wherever the bias is above a threshold, infinite below another."""

    def __call__(self, model: Any, params: Any) -> Tensor:
        value = super().__call__(model, params)
        value = torch.where(params["bias"] > 1.0, torch.nan, value)
        return torch.where(params["bias"] < -1.9, torch.inf, value)


def test_losses_that_are_not_finite_stay_in_the_grid_and_are_counted() -> None:
    model, params = SingleLayer(width=2, hidden=3, length=N), at_random()[2]
    params["bias"] = 0 * params["bias"]
    axes = Coordinates.of(params)
    row = axes.vector({name: torch.full_like(x, name == "bias") for name, x in params.items()})
    holed = Holed(BinaryMarkov(P, Q), N)
    found = loss_slice(model, holed, params, row[None], resolution=5)  # b = -2, -1, 0, 1, 2
    assert np.isinf(found.loss[0, 0]) and np.isnan(found.loss[4, 0])
    assert np.isfinite(found.loss[1:4]).all()
    assert found.not_finite == 2 and found.faults() == ()
    sound = loss_slice(model, ExactLoss(BinaryMarkov(P, Q), N), params, row[None], resolution=5)
    assert sound.not_finite == 0  # the control
    assert (sound.loss[1:4] == found.loss[1:4]).all()


def test_a_point_without_a_finite_loss_is_a_fault() -> None:
    model, _, params = at_random()
    params["bias"] = params["bias"] * 0 + 2
    row = torch.ones(1, Coordinates.of(params).size, dtype=torch.float64)
    found = loss_slice(model, Holed(BinaryMarkov(P, Q), N), params, row, resolution=3, radius=0.1)
    assert found.faults() == ("the loss at the point itself is not finite",)


class Meddling(ExactLoss):
    """An objective that leaves a trace, of the kind given, in the model or in the point.

    In ways that torch's own transforms let pass; plain in-place arithmetic they refuse themselves.
    """

    trace: str
    point: Params
    other = torch.nn.Parameter(torch.tensor(0.25, dtype=torch.float64))

    def __call__(self, model: Any, params: Any) -> Tensor:
        match self.trace:
            case "parameter":
                model.bias = self.other
            case "mode":
                model.eval()
            case "requires_grad":
                model.bias.requires_grad = False
            case "point":
                self.point["bias"] = self.point["bias"] + 1e-9
        return super().__call__(model, params)


@pytest.mark.parametrize(
    ("trace", "text"),
    [
        ("parameter", r"changed the model's parameter 'bias': .*functional_call"),
        ("mode", "changed the train/eval mode of SingleLayer"),
        ("requires_grad", "changed requires_grad of 'bias'"),
        ("point", "changed the point's 'bias'"),
    ],
)
def test_an_objective_that_changes_the_model_or_the_point_is_caught(trace: str, text: str) -> None:
    model, _, params = at_random()
    rows = skewed(Coordinates.of(params).size)
    planted = Meddling(BinaryMarkov(P, Q), N)
    planted.trace, planted.point = trace, params
    with pytest.raises(RuntimeError, match=text):
        loss_slice(model, planted, params, rows, resolution=3)
    planted.trace = "none"
    loss_slice(model, planted, params, rows, resolution=3)  # the control


def test_buffers_count_and_nan_equals_nan() -> None:
    model = torch.nn.BatchNorm1d(2)
    model.running_mean = torch.tensor([torch.nan, 0.0])
    with unchanged(model, {}):
        pass
    with (
        pytest.raises(RuntimeError, match="the model's buffer 'running_mean'"),
        unchanged(model, {}),
    ):
        model.running_mean[1] = 1.0


def test_named_points_are_located_and_their_losses_are_the_planes() -> None:
    model, objective, params = at_random()
    axes = Coordinates.of(params)
    rows, centre = skewed(axes.size), axes.vector(params)
    at = np.array([0.25, -1.5])
    inside = axes.params(centre + torch.from_numpy(at) @ rows)
    found = loss_slice(model, objective, params, rows, resolution=3, points={"there": inside})
    (mark,) = found.points
    assert np.abs(np.array(mark.at) - at).max() < 1e-12  # condition of two rows
    assert abs(mark.loss - naive_at(params, rows.numpy(), at)) < EXACT
    assert mark.error < EXACT and found.faults() == ()
    outside = {name: value + 1 for name, value in inside.items()}
    with pytest.raises(ValueError, match=r"points\['there'\] lies .* outside the plane"):
        loss_slice(model, objective, params, rows, resolution=3, points={"there": outside})
    wrong = dataclasses.replace(found, points=(dataclasses.replace(mark, error=1e-6),))
    assert wrong.faults() == ("the plane's loss at there is off by 1.0e-06 nat",)


def test_at_a_kink_there_is_no_curvature_to_check() -> None:
    """The ansatz at e = 0, w = -2: every pre-activation is 0."""
    model, objective = SingleLayer(width=2, length=N), ExactLoss(BinaryMarkov(P, Q), N)
    free = ansatz(model, 0.0, -2.0, 0.0)
    point = unigram_point(model, objective, free=free)
    rows = skewed(Coordinates.of(point.params).size)
    found = loss_slice(model, objective, point.params, rows, resolution=3, radius=0.1)
    assert np.isnan(found.curvature_error) and np.isnan(found.curvatures).all()
    assert found.faults() == ()
    near = unigram_point(model, objective, free=gaussian(model, 0.5, 1))  # the control: no kink
    other = loss_slice(model, objective, near.params, rows, resolution=3, radius=0.1)
    assert other.curvature_error < CURVATURE_ERROR
