"""What a slice says of itself when it is not the plane, the point or the loss it describes."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from landscape.models import SingleLayer
from landscape.models.ansatz import ansatz
from landscape.models.initial import gaussian
from landscape.models.parameters import Coordinates, Params
from landscape.objectives.exact import ExactLoss
from landscape.objectives.sampled import SampledLoss
from landscape.points.unigram import unigram_point
from landscape.slices import plane as slices
from landscape.slices.directions import eigen_directions
from landscape.spectra.operators import dense_hessian, hessian_products
from landscape.spectra.spectrum import hessian_spectrum
from tests.landscape.slices.planes import (
    CHAIN,
    CURVATURE_ERROR,
    EXACT,
    LOSS,
    PARAMS,
    ROWS,
    TIED,
    WIDER,
    N,
    naive_at,
    skewed,
    sliced,
)


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
