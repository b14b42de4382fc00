"""A slice is the plane that was asked for, through the point that was asked for."""

import dataclasses
import itertools
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch
from torch import Tensor

from landscape.models import ReducedModel, SingleLayer
from landscape.models.initial import gaussian
from landscape.models.parameters import Coordinates, Params, unchanged
from landscape.objectives.exact import ExactLoss
from landscape.sources import BinaryMarkov
from tests.landscape.slices.planes import CHAIN, EXACT, PARAMS, ROWS, N, naive_at, skewed, sliced
from theory.numeric import function
from theory.reduced.loss import reduced_loss
from theory.symbols import b, e, p, q, tau, w


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


def test_directions_of_very_different_norms_and_from_numpy_are_taken_verbatim() -> None:
    rows = np.zeros((2, 37))
    rows[0, 0], rows[1, 1] = 2e-9, 1.0
    found = sliced(rows)
    assert found.directions.tolist() == rows.tolist() and found.faults() == ()


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
