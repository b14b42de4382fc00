"""A slice is the plane that was asked for, through the point that was asked for."""

import dataclasses
import itertools
from collections.abc import Callable
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
from tests.twins.single_layer import arrays, naive_loss
from theory.numeric import function
from theory.reduced.loss import reduced_loss
from theory.symbols import b, e, p, q, tau, w

P, Q, N = 0.5, 0.8, 3
Params = dict[str, Tensor]
EXACT = 1e-14  # 2^(N+1) terms, a few roundings each
# step 1e-3 of a unit direction: truncation t^2/12 of a fourth derivative of order 10, 1e-6, and
# round-off 4 eps/t^2, 1e-9
CURVATURE_ERROR = 1e-5


CHAIN = BinaryMarkov(P, Q)
TIED, WIDER = SingleLayer(width=2, hidden=3, length=N), SingleLayer(width=2, length=N)
LOSS, PARAMS = ExactLoss(CHAIN, N), gaussian(TIED, 0.7, 4)


def skewed(size: int = 37) -> Tensor:
    """Two rows that are neither unit nor orthogonal."""
    rows = np.random.default_rng(3).normal(size=(2, size))
    rows[1] = 0.3 * rows[1] + 0.1 * rows[0]
    return torch.from_numpy(rows)


ROWS = skewed()


def sliced(
    rows: Any = ROWS, *, model: Any = TIED, loss: Any = LOSS, params: Params = PARAMS, **more: Any
) -> LossSlice:
    """A slice of the random tied model at its random weights unless told otherwise."""
    return loss_slice(model, loss, params, rows, **{"resolution": 3, **more})


def naive_at(offset: Any, rows: Tensor = ROWS, params: Params = PARAMS) -> float:
    axes = Coordinates.of(params)
    there = axes.vector(params) + torch.tensor(offset, dtype=torch.float64) @ rows
    return float(naive_loss(arrays(axes.params(there)), P, Q, N))


@pytest.mark.parametrize("tying", ["tied", "untied"])
def test_every_grid_point_is_the_enumerated_loss_at_that_combination(tying: str) -> None:
    model = SingleLayer(width=2, hidden=3, length=N, tying=tying)
    params = gaussian(model, 0.7, 4)
    rows = skewed(Coordinates.of(params).size)
    found = sliced(rows, model=model, params=params, resolution=5, radius=0.4)
    for (i, alpha), (j, beta) in itertools.product(enumerate(found.alpha), enumerate(found.beta)):
        assert abs(found.loss[i, j] - naive_at([alpha, beta], rows, params)) < EXACT
    assert abs(found.center_loss - naive_at([0, 0], rows, params)) < EXACT
    assert found.loss[2, 2] == pytest.approx(found.center_loss, abs=EXACT)
    # controls: axes exchanged, and directions normalised
    corner, unit = [found.alpha[0], found.beta[-1]], rows / rows.norm(dim=1, keepdim=True)
    assert abs(found.loss[0, -1] - naive_at(corner[::-1], rows, params)) > 1e-3
    assert abs(found.loss[0, -1] - naive_at(corner, unit, params)) > 1e-3


def test_directions_are_used_verbatim_and_described() -> None:
    found, array = sliced(names=("long", "short")), ROWS.numpy()
    assert found.directions.tolist() == array.tolist()
    # inner products of D numbers, in another order of summation
    assert np.abs(found.gram - array @ array.T).max() < 1e-13
    assert np.abs(found.norms - np.sqrt((array**2).sum(1))).max() < 1e-13
    assert found.names == ("long", "short")
    assert abs(found.gram[0, 1]) > 1e-2  # control: neither orthogonal
    assert np.abs(found.norms - 1).min() > 1e-2  # nor unit
    assert sliced().names == ("direction 0", "direction 1")


@pytest.mark.parametrize("resolution", [3, 7, 51])
def test_the_axes_are_symmetric_and_hit_the_centre(resolution: int) -> None:
    found = sliced(ROWS[:1], resolution=resolution, radius=0.7)
    assert found.alpha[resolution // 2] == 0.0
    assert found.alpha.tolist() == (-found.alpha[::-1]).tolist()
    assert (found.alpha[0], found.alpha[-1]) == (-0.7, 0.7)
    assert np.abs(np.diff(found.alpha) - 1.4 / (resolution - 1)).max() < 1e-15
    assert found.beta.tolist() == [0.0]
    assert found.loss.shape == (resolution, 1)


def test_a_line_is_the_middle_of_a_plane() -> None:
    plane, line = sliced(resolution=5), sliced(ROWS[:1], resolution=5)
    assert np.abs(line.loss[:, 0] - plane.loss[:, 2]).max() < EXACT  # batched otherwise


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], 1e-3 * ROWS, 1e3 * ROWS])
def test_the_curvature_check_passes_for_the_plane_that_was_asked_for(rows: Tensor) -> None:
    assert sliced(rows, radius=1e-3).curvature_error < CURVATURE_ERROR


class Displaced(ExactLoss):
    """The loss of other parameters than those given."""

    moved: Callable[[Params], Params]

    def __call__(self, model: Any, params: Any) -> Tensor:
        return super().__call__(model, self.moved(params))


NORM = ROWS[0].norm().item()
DISPLACED: dict[str, Callable[[Params], Params]] = {
    # the line through the centre, its direction silently taken to length one
    "renormalised": lambda at: {k: PARAMS[k] + (x - PARAMS[k]) / NORM for k, x in at.items()},
    "elsewhere": lambda at: {**at, "bias": at["bias"] + 0.5},
}


@pytest.mark.parametrize("name", DISPLACED)
def test_the_curvature_check_catches_the_loss_of_other_parameters(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = Displaced(CHAIN, N)
    planted.moved = DISPLACED[name]
    monkeypatch.setattr(
        slices,
        "hessian_products",  # the check's own channel, which keeps the true loss
        lambda model, _, params, rows: hessian_products(model, LOSS, params, rows),
    )
    rows = ROWS[:1] if name == "renormalised" else ROWS
    honest, wrong = sliced(rows), sliced(rows, loss=planted)
    assert honest.curvature_error < CURVATURE_ERROR
    assert wrong.curvature_error > 100 * CURVATURE_ERROR
    # the centre tells of the one and not of the other
    off = abs(wrong.center_loss - naive_at([0, 0]))
    assert off < EXACT if name == "renormalised" else off > 1e-3


def test_second_differences_of_the_grid_are_the_hessian_in_the_plane() -> None:
    H = (ROWS @ dense_hessian(TIED, LOSS, PARAMS) @ ROWS.T).numpy()
    found = sliced(radius=1e-3)
    L, h2 = found.loss, 1e-6
    along = (L[2, 1] - 2 * L[1, 1] + L[0, 1]) / h2, (L[1, 2] - 2 * L[1, 1] + L[1, 0]) / h2
    mixed = (L[2, 2] - L[2, 0] - L[0, 2] + L[0, 0]) / (4 * h2)
    # truncation h^2/12 |d|^4 and round-off 4 eps/h^2, relative to |d|^2
    allowed = CURVATURE_ERROR * found.norms[0] ** 4
    for measured, entry in ((along[0], H[0, 0]), (along[1], H[1, 1]), (mixed, H[0, 1])):
        assert abs(measured - entry) < allowed
    assert abs(along[0] - H[1, 1]) > 100 * CURVATURE_ERROR  # control: the axes exchanged


@pytest.mark.parametrize(("p_value", "q_value"), [(0.5, 0.8), (0.2, 0.3)])
def test_the_e_w_plane_of_the_reduced_model_is_the_symbolic_loss(
    p_value: float, q_value: float
) -> None:
    objective = ExactLoss(BinaryMarkov(p_value, q_value), 2)
    zero, bias = torch.zeros((), dtype=torch.float64), 0.2
    params = {"embedding": zero, "feedforward": zero, "bias": zero + bias}
    plane = torch.eye(3, dtype=torch.float64)[:2]
    found = sliced(
        plane, model=ReducedModel(), loss=objective, params=params, resolution=9, radius=1.5
    )
    symbolic = function([p, q, e, w, b, tau], reduced_loss(1), np)
    E, V = np.meshgrid(found.alpha, found.beta, indexing="ij")
    expected = symbolic(p_value, q_value, E, V, bias, np.where(V < 0, -1.0, 1.0))
    assert np.abs(found.loss - expected).max() < EXACT * np.abs(expected).max()
    assert np.abs(found.loss.T - expected).max() > 1e-2  # control: e and w exchanged


def test_eigen_directions_are_the_ends_of_the_spectrum_that_are_not_flat() -> None:
    model = SingleLayer(width=2, hidden=3, length=N, tying="untied")
    point = unigram_point(model, LOSS, free=gaussian(model, 0.7, 4))
    spectrum = hessian_spectrum(model, LOSS, point.params)
    directions, names = eigen_directions(spectrum)
    last = spectrum.parameters - 1
    assert names == ("eigenvector 0", f"eigenvector {last}")
    assert torch.equal(directions, spectrum.eigenvectors[:, [0, last]].T)
    found = sliced(directions, model=model, params=point.params, radius=0.1)
    assert np.abs(found.gram - np.eye(2)).max() < 1e-13
    # down along the first, up along the second: a saddle seen
    assert found.loss[0, 1] < found.center_loss < found.loss[1, 0]


def test_where_all_curvatures_are_positive_the_lowest_that_is_not_zero_is_taken() -> None:
    point = unigram_point(WIDER, LOSS, free=gaussian(WIDER, 0.0, 0))
    spectrum = hessian_spectrum(WIDER, LOSS, point.params)
    _, names = eigen_directions(spectrum)
    lowest, highest = (int(name.split()[1]) for name in names)
    assert spectrum.inertia == (0, lowest, spectrum.parameters - lowest)
    assert highest == spectrum.parameters - 1


def test_at_a_degenerate_point_flat_directions_fill_the_plane() -> None:
    objective = ExactLoss(BinaryMarkov("0.3", "0.7"), 3)
    point = unigram_point(WIDER, objective, free=gaussian(WIDER, 0.0, 0))
    spectrum = hessian_spectrum(WIDER, objective, point.params)
    assert spectrum.inertia == (0, spectrum.parameters - 1, 1)
    directions, names = eigen_directions(spectrum)
    assert len(set(names)) == 2
    assert f"eigenvector {spectrum.parameters - 1}" in names
    found = sliced(directions, model=WIDER, loss=objective, params=point.params)
    assert np.abs(found.gram - np.eye(2)).max() < 1e-13
    curved = found.loss.max(axis=0) - found.loss.min(axis=0), np.ptp(found.loss, axis=1)
    assert max(curved[0].max(), curved[1].max()) > 1e-2


def test_a_single_parameter_has_no_plane() -> None:
    one = torch.ones(1, dtype=torch.float64)
    spectrum = hessian_spectrum(TIED, LOSS, PARAMS)
    single = dataclasses.replace(spectrum, eigenvalues=one, eigenvectors=one[:, None])
    with pytest.raises(ValueError, match=r"a model of 1 parameter has no plane; give one"):
        eigen_directions(single)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"resolution": 4},
            r"resolution = 4 is refused: it must be an odd whole number of at least 3",
        ),
        ({"resolution": 1}, r"resolution = 1 is refused"),
        ({"radius": 0.0}, r"radius = 0\.0 is refused: it must be a positive number"),
        ({"radius": float("nan")}, r"radius = nan is refused"),
        ({"radius": float("inf")}, r"radius = inf is refused"),
        ({"rows": ROWS[[0, 0]]}, r"directions are linearly dependent or zero"),
        ({"rows": 0 * ROWS[:1]}, r"directions are linearly dependent or zero"),
        ({"rows": ROWS[:, 1:]}, r"directions of shape \(2, 36\) .* of 37 parameters"),
        ({"rows": ROWS[[0, 1, 0]]}, r"directions of shape \(3, 37\)"),
        ({"rows": ROWS[:0]}, r"directions of shape \(0, 37\)"),
        ({"rows": ROWS / 0}, r"directions hold NaN or infinite entries \(74 of 74\)"),
        ({"rows": ROWS[0]}, r"directions of shape \(37,\)"),
        ({"rows": [["a"], ["b"]]}, r"directions=list are no array of numbers"),
        ({"rows": torch.stack([ROWS[0], ROWS[0] * (1 + 1e-9)])}, "dependent or zero"),
        ({"rows": torch.stack([ROWS[0], 1e-9 * ROWS[0]])}, "dependent or zero"),
        ({"names": ("one",)}, r"names=\('one',\) are 1 for 2 directions; give one each"),
        ({"names": ()}, r"names=\(\) are 0 for 2 directions"),
    ],
)
def test_a_slice_that_cannot_be_is_refused(change: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        sliced(**change)


def test_a_resolution_that_is_no_integer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as outside of these tests
    with pytest.raises(ValueError, match=r"resolution = 51\.0 is refused: it must be an odd"):
        sliced(resolution=51.0)
    assert sliced(resolution=np.int64(3)).alpha.size == 3  # the control


def test_the_slice_survives_as_a_dataset() -> None:
    found = sliced(names=("u", "v"))
    dataset = found.to_xarray()
    assert dataset["loss"].dims == ("alpha", "beta")
    for name in ("loss", "gram", "alpha"):
        assert dataset[name].values.tolist() == getattr(found, name).tolist()
    assert dataset["direction"].sel(axis="v").values.tolist() == found.directions[1].tolist()
    assert np.array_equal(dataset["center"].values, Coordinates.of(PARAMS).vector(PARAMS).numpy())
    for name in ("norms", "curvature_errors"):
        assert dataset.attrs[name].tolist() == getattr(found, name).tolist()
    for name in ("center_loss", "curvature_error", "displacement_error", "center_error"):
        assert dataset.attrs[name] == getattr(found, name)
    assert dataset.attrs["not_finite"] == 0 and dataset.attrs["chart"] == "affine"


def test_distances_are_in_parameter_space_whatever_the_norms() -> None:
    """Control: the multiples alpha themselves are not, for directions that are not unit."""
    found = sliced(radius=0.5)
    for axis, row, offset in zip(found.distance, ROWS, (found.alpha, found.beta), strict=True):
        length = (offset[-1] * row).norm().item()
        assert abs(axis[-1] - length) < 1e-14
        assert abs(offset[-1] - length) > 1e-2


def test_a_quadratic_loss_is_its_own_hessian_along_the_rows() -> None:
    """L = theta^T A theta/2 + g^T theta with A and g chosen: curvatures and surface by hand."""

    class Quadratic:
        length = 1

        def __call__(self, model: Any, params: Any) -> Tensor:
            theta = torch.stack([params["bias"], params["embedding"]])
            return theta @ torch.from_numpy(A) @ theta / 2 + torch.from_numpy(g) @ theta

    A, g = np.array([[2.0, -1.0], [-1.0, -3.0]]), np.array([0.5, -0.25])
    point = {"bias": torch.tensor(0.7).double(), "embedding": torch.tensor(-0.2).double()}
    theta = np.array([value.item() for value in point.values()])
    rows = np.array([[3.0, 1.0], [0.0, -0.5]])
    found = sliced(rows, model=ReducedModel(), loss=Quadratic(), params=point, resolution=5)
    for i, j in np.ndindex(5, 5):
        at = theta + found.alpha[i] * rows[0] + found.beta[j] * rows[1]
        # six products of numbers near 10
        assert abs(found.loss[i, j] - (at @ A @ at / 2 + g @ at)) < 1e-13
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
    assert sliced().faults() == ()
    through(monkeypatch, lambda chart: lambda offset: chart(offset / ROWS.norm(dim=1)))
    *curved, corners = sliced().faults()
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
    point = unigram_point(WIDER, LOSS, free=gaussian(WIDER, 0.5, 1))
    spectrum = hessian_spectrum(WIDER, LOSS, point.params)
    flat = torch.nonzero(spectrum.eigenvalues.abs() <= spectrum.zero_bound).flatten().tolist()
    rows = eigen_directions(spectrum, flat[:count])[0]
    through(monkeypatch, lambda chart: lambda offset: chart(factor * offset))
    found = sliced(rows, model=WIDER, params=point.params, resolution=5, radius=0.7)
    # blind (or nan: a kink), whatever the factor
    assert not found.curvature_error > CURVATURE_ERROR
    # displacements of length near 1 and entries near 1: differences to a few eps
    assert abs(found.displacement_error - (factor - 1)) < 1e-14
    assert ["the grid's corners" in fault for fault in found.faults()] == [True] * (factor != 1)


@pytest.mark.parametrize(("scale", "radius"), [(1.0, 2.0), (1e-3, 1e-3), (1e3, 40.0)])
def test_round_off_of_the_centre_is_no_displacement(scale: float, radius: float) -> None:
    params = {**PARAMS, "bias": PARAMS["bias"] + 1e3}
    assert sliced(scale * ROWS, params=params, radius=radius).displacement_error <= 1e-12


def test_each_axis_is_judged_by_its_own_curvature() -> None:
    """An error of 1e-2 is nothing beside a curvature of 1e4, and much beside one of 1."""
    found = sliced(names=("u", "v"))
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
    objective, params = SampledLoss(CHAIN, 40, batch=4, seed=0), gaussian(model, 0.5, 4)
    given: dict[str, Any] = {"model": model, "loss": objective, "params": params, "radius": 0.1}
    rows = skewed(Coordinates.of(params).size)
    found = sliced(rows, **given)
    assert np.isnan(found.curvature_errors).all() and np.isnan(found.curvatures).all()
    assert found.displacement_error < 1e-12 and found.faults() == ()
    assert found.loss[1, 1] == pytest.approx(objective(model, params).item(), abs=EXACT)
    through(monkeypatch, lambda chart: lambda offset: chart(1.001 * offset))
    (fault,) = sliced(rows, **given).faults()
    assert fault.startswith("the grid's corners")
    # the control: at length 3 the curvatures are checked
    checked = sliced(loss=SampledLoss(CHAIN, N, batch=64, seed=0), radius=0.1)
    assert np.isfinite(checked.curvature_errors).all()


def test_directions_of_very_different_norms_and_from_numpy_are_taken_verbatim() -> None:
    rows = np.zeros((2, 37))
    rows[0, 0], rows[1, 1] = 2e-9, 1.0
    found = sliced(rows)
    assert found.directions.tolist() == rows.tolist() and found.faults() == ()


def test_a_plane_of_exchanged_directions_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    through(monkeypatch, lambda chart: lambda offset: chart(offset.flip(0)))
    assert "not curved" in sliced().faults()[0]


@pytest.mark.parametrize("moved", [1e-3, 1e-9])
def test_a_moved_centre_is_caught(monkeypatch: pytest.MonkeyPatch, moved: float) -> None:
    through(monkeypatch, lambda chart: lambda offset: chart(offset + moved))
    found = sliced()
    assert "the grid's middle is" in found.faults()[0]
    # the centre's loss is the point's own all the same
    assert abs(found.center_loss - naive_at([0, 0])) < EXACT
    assert found.center_error == abs(found.loss[1, 1] - found.center_loss) > 1e-12


class Holed(ExactLoss):
    """Not a number wherever the bias is above a threshold, infinite below another."""

    def __call__(self, model: Any, params: Any) -> Tensor:
        value = super().__call__(model, params)
        value = torch.where(params["bias"] > 1.0, torch.nan, value)
        return torch.where(params["bias"] < -1.9, torch.inf, value)


def test_losses_that_are_not_finite_stay_in_the_grid_and_are_counted() -> None:
    params, axes = {**PARAMS, "bias": 0 * PARAMS["bias"]}, Coordinates.of(PARAMS)
    row = axes.vector({name: torch.full_like(x, name == "bias") for name, x in params.items()})
    holed, sound = (
        sliced(row[None], loss=kind(CHAIN, N), params=params, resolution=5)  # b = -2, ..., 2
        for kind in (Holed, ExactLoss)
    )
    assert np.isinf(holed.loss[0, 0]) and np.isnan(holed.loss[4, 0])
    assert np.isfinite(holed.loss[1:4]).all()
    assert holed.not_finite == 2 and holed.faults() == ()
    assert sound.not_finite == 0  # the control
    assert (sound.loss[1:4] == holed.loss[1:4]).all()


def test_a_point_without_a_finite_loss_is_a_fault() -> None:
    params = {**PARAMS, "bias": PARAMS["bias"] * 0 + 2}
    found = sliced(ROWS[:1] * 0 + 1, loss=Holed(CHAIN, N), params=params, radius=0.1)
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
    model, params = SingleLayer(width=2, hidden=3, length=N), dict(PARAMS)
    planted = Meddling(CHAIN, N)
    planted.trace, planted.point = trace, params
    with pytest.raises(RuntimeError, match=text):
        sliced(model=model, loss=planted, params=params)
    planted.trace = "none"
    sliced(model=model, loss=planted, params=params)  # the control


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
    axes, at = Coordinates.of(PARAMS), np.array([0.25, -1.5])
    inside = axes.params(axes.vector(PARAMS) + torch.from_numpy(at) @ ROWS)
    found = sliced(points={"there": inside})
    (mark,) = found.points
    assert np.abs(np.array(mark.at) - at).max() < 1e-12  # condition of two rows
    assert abs(mark.loss - naive_at(at)) < EXACT
    assert mark.error < EXACT and found.faults() == ()
    outside = {name: value + 1 for name, value in inside.items()}
    with pytest.raises(ValueError, match=r"points\['there'\] lies .* outside the plane"):
        sliced(points={"there": outside})
    wrong = dataclasses.replace(found, points=(dataclasses.replace(mark, error=1e-6),))
    assert wrong.faults() == ("the plane's loss at there is off by 1.0e-06 nat",)


def test_at_a_kink_there_is_no_curvature_to_check() -> None:
    """The ansatz at e = 0, w = -2: every pre-activation is 0. The control: no kink nearby."""
    size = Coordinates.of(gaussian(WIDER, 0.5, 1)).size
    kinked, near = (
        sliced(
            skewed(size),
            model=WIDER,
            params=unigram_point(WIDER, LOSS, free=free).params,
            radius=0.1,
        )
        for free in (ansatz(WIDER, 0.0, -2.0, 0.0), gaussian(WIDER, 0.5, 1))
    )
    assert np.isnan(kinked.curvature_error) and np.isnan(kinked.curvatures).all()
    assert kinked.faults() == ()
    assert near.curvature_error < CURVATURE_ERROR
