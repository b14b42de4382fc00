"""At a relu kink the loss has no Hessian: what is measured there is one-sided, and says so."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from landscape.models import ReducedModel, SingleLayer
from landscape.models.ansatz import ansatz
from landscape.models.initial import gaussian
from landscape.models.parameters import Coordinates, Params
from landscape.objectives.exact import ExactLoss
from landscape.points.bigram import bigram_point
from landscape.points.unigram import unigram_point
from landscape.sources import BinaryMarkov
from landscape.spectra.kinks import (
    at_kink,
    curvature_along_ray,
    one_sided_curvatures,
    preactivations,
)
from landscape.spectra.spectrum import hessian_spectrum
from tests.check_values import agrees, value as check_value
from tests.twins.single_layer import arrays, naive_logits, naive_loss, sequences

P, Q, W = 0.5, 0.8, -2.0
C = P * Q / (P + Q) ** 2  # pi0 pi1


def kinked(width: int = 4, length: int = 3) -> tuple[SingleLayer, ExactLoss, dict[str, Tensor]]:
    """MATH section 3's case: the ansatz at e = 0, w = -2, where every pre-activation is 0."""
    model, objective = (
        SingleLayer(width=width, length=length),
        ExactLoss(BinaryMarkov(P, Q), length),
    )
    free = ansatz(model, 0.0, W, 0.0)
    return model, objective, unigram_point(model, objective, free=free).params


def naive_along(params: Params, direction: Params, length: int, t: float) -> float:
    weights = {name: (params[name] + t * direction[name]).numpy() for name in params}
    return float(naive_loss(weights, P, Q, length))


def naive_one_sided(params: Params, direction: Params, length: int) -> float:
    """2 (L(t) - L(0)) / t^2 for t -> 0+, at a point whose gradient vanishes.

    Extrapolated through t = h, h/2, h/4: the terms t and t^2 beyond it cancel and h^3 is left,
    1e-6 of a fifth derivative near 1 at h = 1e-2; the round-off 2 eps/t^2 is 1e-10 at h/4.
    """
    centre = naive_along(params, direction, length, 0.0)

    def slope(t: float) -> float:
        return 2 * (naive_along(params, direction, length, t) - centre) / t**2

    h = 1e-2
    first = [2 * slope(t / 2) - slope(t) for t in (h, h / 2)]
    return (4 * first[1] - first[0]) / 3


ONE_SIDED_ERROR = 1e-5


def test_one_sided_curvatures_at_the_kink_are_those_of_the_enumerated_loss() -> None:
    model, objective, params = kinked()
    (found,) = one_sided_curvatures(model, objective, params)
    axes = Coordinates.of(params)
    forward, backward = axes.params(found.direction), axes.params(-found.direction)
    assert abs(found.direction.norm().item() - 1) < 1e-15 * 4
    assert abs(naive_one_sided(params, forward, 3) - found.plus) < ONE_SIDED_ERROR
    assert abs(naive_one_sided(params, backward, 3) - found.minus) < ONE_SIDED_ERROR
    # control: exchanged sides are far outside the tolerance
    assert abs(naive_one_sided(params, forward, 3) - found.minus) > 1


def test_one_sided_curvatures_at_the_kink_are_the_closed_forms() -> None:
    model, objective, params = kinked()
    (found,) = one_sided_curvatures(model, objective, params)
    # along +-alpha the logit is e^2 (1 + 4w|w| [fires])(x - 1/2) on positions p_n = 0: the token
    # 1 has pre-activation 2|w| e > 0 on one side only. 1 + 4w|w| = -15 there and 1 on the other.
    scale = 2 * C * (P + Q - 1)
    # the extrapolated cubic errs by h^4 = 1e-12 times a sixth derivative of the loss, which is of
    # the order of the logit's third power: 1 on the silent side and 15^3 on the other
    assert abs(found.minus - scale) < 1e-11
    assert abs(found.plus - scale * (1 + 4 * W * abs(W))) < 1e-8
    assert agrees("kink_curvature_firing", found.plus)
    assert agrees("kink_curvature_silent", found.minus)
    assert not agrees("kink_curvature_firing", found.minus)


def test_the_direction_opens_the_unit() -> None:
    model, objective, params = kinked()
    (found,) = one_sided_curvatures(model, objective, params)
    axes = Coordinates.of(params)
    step = axes.params(1e-3 * found.direction)
    weights = {name: (params[name] + step[name]).numpy() for name in params}
    # e = 1e-3 alpha on token 1 and positions 0: W_1 e = 2|w|/sqrt(r) 1e-3 in every unit
    pre = weights["embedding"] @ weights["hidden_in"].T
    assert np.abs(pre - 2 * abs(W) / math.sqrt(16) * 1e-3).max() < 1e-18
    others = [name for name in params if name != "embedding"]
    assert all(not axes.params(found.direction)[name].any() for name in others)


def test_automatic_differentiation_would_have_said_minimum() -> None:
    model, objective, params = kinked()
    spectrum = hessian_spectrum(model, objective, params)
    assert spectrum.kink
    assert spectrum.min_preactivation == 0.0
    assert len(spectrum.one_sided) == 1
    # the control: no eigenvalue of the matrix is negative, the loss falls along +v all the same
    assert spectrum.inertia[0] == 0
    assert agrees("kink_curvature_silent", spectrum.eigenvalues[-2].item())
    assert spectrum.one_sided[0].plus < -2
    axes = Coordinates.of(params)
    lower = naive_along(params, axes.params(spectrum.one_sided[0].direction), 3, 0.1)
    assert lower < spectrum.loss - 1e-3


def test_the_reduced_family_is_smooth_there_and_between_the_two_sides() -> None:
    model, objective = ReducedModel(), ExactLoss(BinaryMarkov(P, Q), 2)
    params = unigram_point(model, objective, free={"feedforward": torch.tensor(W).double()}).params
    spectrum = hessian_spectrum(model, objective, params)
    assert (spectrum.kink, spectrum.min_preactivation, spectrum.one_sided) == (False, None, ())
    assert agrees("kink_reduced_curvature", spectrum.eigenvalues[0].item())
    # half of each side: (1 + 4w|w| + 1)/2 = 1 + 2w|w|
    sides = [check_value("kink_curvature_firing"), check_value("kink_curvature_silent")]
    assert abs(spectrum.eigenvalues[0].item() - sum(sides) / 2) < 1e-3  # two roundings to 5e-4


def test_without_weights_there_is_no_kink() -> None:
    model, objective, params = kinked()
    for name in ("hidden_in", "hidden_out"):
        silent = {**params, name: torch.zeros_like(params[name])}
        spectrum = hessian_spectrum(model, objective, silent)
        dead = name == "hidden_out"  # W_2 = 0: no unit matters. W_1 = 0 alone: all of them do
        assert spectrum.kink == (not dead)
        assert (spectrum.min_preactivation is None) == dead
    nothing = {name: torch.zeros_like(tensor) for name, tensor in params.items()}
    spectrum = hessian_spectrum(model, objective, nothing)
    assert (spectrum.kink, spectrum.min_preactivation, spectrum.one_sided) == (False, None, ())


def naive_min_preactivation(params: Params, length: int) -> float:
    """Smallest |W_1 y_n| over every sequence and position, units without outgoing weights aside."""
    seen: list[dict[str, np.ndarray]] = []
    naive_logits(arrays(params), sequences(length), seen=seen)
    live = [bool(column.any()) for column in arrays(params)["hidden_out"].T]
    return min(float(np.abs(at["before"][:, live]).min()) for at in seen)


@pytest.mark.parametrize("seed", range(8))
def test_generic_weights_are_away_from_kinks_by_the_smallest_preactivation(seed: int) -> None:
    model = SingleLayer(width=3, hidden=5, length=3, tying="untied" if seed % 2 else "tied")
    objective = ExactLoss(BinaryMarkov(0.2, 0.3), 3)
    params = gaussian(model, 0.5, seed)
    params["hidden_out"][:, seed % 5] = 0.0  # one unit without outgoing weights
    spectrum = hessian_spectrum(model, objective, params)
    assert (spectrum.kink, spectrum.one_sided) == (False, ())
    naive = naive_min_preactivation(params, 3)
    assert spectrum.min_preactivation is not None
    assert abs(spectrum.min_preactivation - naive) < 1e-14  # sums of a dozen products below 10
    # control: the dead unit's pre-activation set to 0 changes nothing, a live one's does
    params["hidden_in"][seed % 5] = 0.0
    assert not hessian_spectrum(model, objective, params).kink
    params["hidden_in"][(seed + 1) % 5] = 0.0
    assert hessian_spectrum(model, objective, params).kink


def test_the_bigram_point_is_away_from_kinks() -> None:
    model, objective = SingleLayer(width=4, length=3), ExactLoss(BinaryMarkov(0.2, 0.3), 3)
    point = bigram_point(model, objective, w=0.5)
    spectrum = hessian_spectrum(model, objective, point.params)
    assert point.coordinates is not None
    # W_1 y = 2|w|/sqrt(r) e (x - 1/2) in every unit
    closed = 2 * 0.5 / math.sqrt(16) * point.coordinates["e"] / 2
    assert spectrum.min_preactivation is not None
    assert abs(spectrum.min_preactivation - closed) < 1e-15
    assert not spectrum.kink


def test_a_kink_is_judged_relative_to_the_largest_preactivation() -> None:
    eps = torch.finfo(torch.float64).eps
    rows = torch.tensor([[100.0, 100 * 16 * eps]], dtype=torch.float64)
    assert at_kink(rows)
    assert not at_kink(rows * torch.tensor([1.0, 1.01]))
    assert at_kink(torch.zeros(1, 2, dtype=torch.float64))
    assert not at_kink(None)


@pytest.mark.parametrize("seed", range(3))
def test_at_a_smooth_point_the_curvature_along_a_ray_is_that_of_the_hessian(seed: int) -> None:
    model, objective = SingleLayer(width=2, hidden=3, length=3), ExactLoss(BinaryMarkov(P, Q), 3)
    params = gaussian(model, 0.5, seed)
    spectrum = hessian_spectrum(model, objective, params)
    for k in (0, -1):
        v = spectrum.eigenvectors[:, k]
        for direction in (v, -v):
            along = curvature_along_ray(model, objective, params, direction, step=2.0**-12)
            # h^4 = 4e-15 times a sixth derivative of order 1e2 and round-off of 15 eps
            assert abs(along - spectrum.eigenvalues[k].item()) < 1e-11
        doubled = curvature_along_ray(model, objective, params, 2 * v, step=2.0**-12)
        assert abs(doubled - 4 * spectrum.eigenvalues[k].item()) < 1e-9
    assert one_sided_curvatures(model, objective, params) == []


def test_units_with_several_directions_are_each_reported_once() -> None:
    model, objective, params = kinked()
    params["hidden_in"][8:] = torch.tensor([1.0, 1.0, 0.0, 0.0], dtype=torch.float64)
    found = one_sided_curvatures(model, objective, params)
    assert len(found) == 2
    assert abs(float(found[0].direction @ found[1].direction)) < 1 - 1e-9
    axes = Coordinates.of(params)
    for one in found:
        for side, curvature in ((1, one.plus), (-1, one.minus)):
            naive = naive_one_sided(params, axes.params(side * one.direction), 3)
            assert abs(naive - curvature) < ONE_SIDED_ERROR


def test_a_model_without_relu_has_no_preactivations() -> None:
    model = ReducedModel()
    params = {name: value.detach() for name, value in model.named_parameters()}
    assert preactivations(model, params, 3) is None
    assert one_sided_curvatures(model, ExactLoss(BinaryMarkov(P, Q), 3), params) == []
