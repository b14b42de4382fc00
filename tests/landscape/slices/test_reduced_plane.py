"""The reduced coordinates inside the real transformer: measured surface against symbolic loss."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from landscape.comparison.reduced_model import reduced_surface, surface_error, surface_of
from landscape.models import ReducedModel, SingleLayer
from landscape.models.ansatz import ansatz, best_bias, reduced_coordinates
from landscape.models.initial import gaussian
from landscape.models.parameters import Coordinates
from landscape.objectives.exact import ExactLoss
from landscape.points.bigram import bigram_point
from landscape.points.unigram import unigram_point
from landscape.slices import reduced_plane
from landscape.slices.reduced_plane import coordinate_slice
from landscape.sources import BinaryMarkov
from tests.twins.single_layer import naive_loss
from theory.numeric import function
from theory.reduced.loss import reduced_loss
from theory.symbols import b, e, p, q, tau, w

N = 4
CHAINS = [("0.5", "0.8"), ("0.2", "0.3"), ("0.4", "0.4"), ("0.9", "0.05")]
EXACT = 1e-12  # losses up to 20, logits up to 70, a few roundings each


def model_of(kind: str) -> SingleLayer | ReducedModel:
    return ReducedModel() if kind == "reduced" else SingleLayer(width=4, length=N, tying=kind)


def at_unigram(kind: str, chain: BinaryMarkov, w: float = -0.3) -> dict[str, Tensor]:
    return ansatz(model_of(kind), 0.0, w, chain.log_odds)


@pytest.mark.parametrize("chain", CHAINS, ids=str)
@pytest.mark.parametrize("kind", ["tied", "untied", "reduced"])
@pytest.mark.parametrize(
    ("axes", "bias"),
    [(("e", "w"), "best"), (("e", "w"), "fixed"), (("e", "b"), "best"), (("w", "e"), "best")],
)
def test_the_measured_surface_is_the_symbolic_one(
    chain: tuple[str, str], kind: str, axes: Any, bias: Any
) -> None:
    source, model = BinaryMarkov(*chain), model_of(kind)
    objective, mirror = ExactLoss(source, N), kind != "reduced"
    found = coordinate_slice(
        model, objective, at_unigram(kind, source), axes=axes, bias=bias, resolution=9
    )
    predicted = surface_of(found, source, mirror=mirror)
    error = surface_error(found, predicted)
    assert predicted is not None and error is not None and error < EXACT
    assert found.faults() == () and found.not_finite == 0
    # controls: the axes exchanged, and the other branch of e < 0, which is another loss unless the
    # bias follows or p = q and b = 0, where exchanging the symbols changes nothing
    assert np.abs(found.loss.T - predicted).max() > 1e-2
    other = surface_error(found, surface_of(found, source, mirror=not mirror))
    forgiven = bias == "best" and "b" not in axes
    if forgiven or source.p != source.q or "b" in axes:
        assert other is not None and (other < EXACT if forgiven else other > 1e-2)


def weights_at(e: float, w: float, b: float, width: int, hidden: int) -> dict[str, np.ndarray]:
    """The ansatz written out once more, in numpy, from MATH's section 3."""
    alpha = np.where(np.arange(width) % 2, -1, 1) / math.sqrt(width)
    nothing, ones = np.zeros((width, width)), np.ones(hidden)
    return {
        "embedding": e * alpha,
        "positions": np.tile(-e / 2 * alpha, (N, 1)),
        "query": nothing,
        "key": nothing,
        "value": nothing,
        "output": np.eye(width),
        "hidden_in": 2 * abs(w) / math.sqrt(hidden) * np.outer(ones, alpha),
        "hidden_out": 2 * w / math.sqrt(hidden) * np.outer(alpha, ones),
        "bias": np.array(b),
    }


def test_grid_points_of_both_signs_are_the_enumerated_loss() -> None:
    """Brute force over all sequences at the ansatz: no theory, no score table, no chart."""
    source, model = BinaryMarkov("0.5", "0.8"), model_of("tied")
    found = coordinate_slice(
        model, ExactLoss(source, N), at_unigram("tied", source), bias="fixed", resolution=9
    )
    for i, j in ((0, 0), (1, 7), (7, 1), (8, 8), (4, 2), (2, 4)):
        e, w = found.alpha[i] + found.origin[0], found.beta[j] + found.origin[1]
        own = naive_loss(weights_at(e, w, found.held["b"], 4, 16), 0.5, 0.8, N)
        assert abs(found.loss[i, j] - own) < EXACT
        if found.alpha[i]:
            mirrored = naive_loss(weights_at(-e, w, found.held["b"], 4, 16), 0.5, 0.8, N)
            assert abs(found.loss[i, j] - mirrored) > 1e-3  # the control: e is not -e


@pytest.mark.parametrize("chain", CHAINS, ids=str)
@pytest.mark.parametrize("mirror", [True, False])
def test_the_best_bias_is_a_minimum_of_the_symbolic_loss(
    chain: tuple[str, str], mirror: bool
) -> None:
    source = BinaryMarkov(*chain)
    for at in ((0.0, 0.0), (1.3, 0.4), (-1.3, 0.4), (2.0, -1.5), (-2.0, -1.5), (-0.4, 2.0)):
        x, y = (torch.tensor(value, dtype=torch.float64) for value in at)
        best = best_bias(source, x, y, mirror=mirror).item()
        branch = -1 if at[0] < 0 and mirror else 1
        loss = function([p, q, e, w, tau, b], reduced_loss(branch), np)
        chances = float(source.p), float(source.q)

        sign = -1.0 if at[1] < 0 else 1.0

        def along(bias: float, at: tuple[float, float] = at, sign: float = sign) -> float:
            return float(loss(*chances, *at, sign, bias))  # noqa: B023  # called in this turn

        step = 1e-3
        slope = (along(best + step) - along(best - step)) / (2 * step)
        # truncation h^2/6 of a third derivative below 1/10: 2e-8
        assert abs(slope) < 1e-7
        assert along(best) < min(along(best - 0.1), along(best + 0.1))
        at_best = reduced_surface(source, np.array(at[0]), np.array(at[1]), None, mirror=mirror)
        assert along(best) == pytest.approx(at_best.item(), abs=1e-13)


def test_the_best_bias_does_not_overflow() -> None:
    source = BinaryMarkov("0.5", "0.8")
    far = torch.tensor([30.0, -30.0, 30.0, -30.0], dtype=torch.float64)
    deep = torch.tensor([3.0, 3.0, -3.0, -3.0], dtype=torch.float64)
    assert best_bias(source, far, deep).isfinite().all()  # exponents near 1e4


@pytest.mark.parametrize("kind", ["tied", "untied", "reduced"])
@pytest.mark.parametrize("at", [(0.7, 0.3, 0.1), (-0.7, -1.3, 0.1), (0.0, -2.0, 1.0)])
def test_coordinates_are_read_back_from_the_parameters(kind: str, at: Any) -> None:
    found = reduced_coordinates(model_of(kind), ansatz(model_of(kind), *at))
    assert [found[name] for name in "ewb"] == pytest.approx(at, abs=1e-14)


@pytest.mark.parametrize("kind", ["tied", "reduced"])
def test_the_tangents_are_the_chart_s_and_their_norms_the_distances(kind: str) -> None:
    """d theta/de has norm sqrt(1 + N/4), d theta/dw sqrt(8), d theta/db 1, by the ansatz."""
    model, source = model_of(kind), BinaryMarkov("0.5", "0.8")
    objective, point = ExactLoss(source, N), ansatz(model, -0.6, 0.8, 0.2)
    found = coordinate_slice(model, objective, point, bias="fixed", resolution=5, radius=0.5)
    axes = Coordinates.of(point)
    for k, (step, names) in enumerate((((1e-2, 0, 0), "e"), ((0, 1e-2, 0), "w"))):
        moved = ansatz(model, -0.6 + step[0], 0.8 + step[1], 0.2 + step[2])
        secant = (axes.vector(moved) - axes.vector(point)) / 1e-2  # exact: the chart is linear
        assert np.abs(secant.numpy() - found.directions[k]).max() < 1e-13
        assert found.names[k] == names
    norms = (math.sqrt(1 + N / 4), math.sqrt(8)) if kind == "tied" else (1.0, 1.0)
    assert found.norms == pytest.approx(norms, abs=1e-14)
    assert found.distance[0][-1] == pytest.approx(0.5 * norms[0], abs=1e-14)
    assert found.origin == pytest.approx((-0.6, 0.8), abs=1e-14)
    assert found.curvature_error < 1e-7 and found.faults() == ()


def test_query_and_key_are_free_at_the_centre_and_kept() -> None:
    source, model = BinaryMarkov("0.5", "0.8"), model_of("tied")
    objective = ExactLoss(source, N)
    point = bigram_point(model, objective, free=gaussian(model, 0.9, 3))
    found = coordinate_slice(model, objective, point.params, resolution=5, radius=0.5)
    assert found.faults() == ()
    error = surface_error(found, surface_of(found, source))
    assert error is not None and error < EXACT


def test_at_w_0_only_the_bent_axis_goes_without_a_curvature() -> None:
    source, model = BinaryMarkov("0.5", "0.8"), model_of("tied")
    found = coordinate_slice(
        model, ExactLoss(source, N), at_unigram("tied", source, 0.0), resolution=5
    )
    # the reduced curvature 2 pi0 pi1 (p+q-1) per e^2, over the squared norm of the tangent
    expected = 2 * (0.4 / 1.3**2) * 0.3 / (1 + N / 4)
    assert found.curvatures[0] == pytest.approx(expected, abs=1e-14)
    assert np.isnan(found.curvatures[1]) and found.curvature_error < 1e-7


def test_a_chart_that_is_no_plane_has_no_displacement_to_check() -> None:
    source, model = BinaryMarkov("0.5", "0.8"), model_of("tied")
    found = coordinate_slice(model, ExactLoss(source, N), at_unigram("tied", source), resolution=5)
    assert math.isnan(found.displacement_error) and found.faults() == ()


def test_the_refusal_of_a_point_off_the_ansatz_gives_a_remedy_that_works() -> None:
    source, model = BinaryMarkov("0.5", "0.8"), model_of("tied")
    loss, w = ExactLoss(source, N), -0.4
    off = unigram_point(model, loss, free=gaussian(model, 0.5, 1))
    with pytest.raises(ValueError, match=r"free=ansatz\(model, 0\.0, w, 0\.0\).*models\.ansatz"):
        coordinate_slice(model, loss, off.params, resolution=5)
    point = unigram_point(model, loss, free=ansatz(model, 0.0, w, 0.0))
    found = coordinate_slice(model, loss, point.params, resolution=5)
    assert found.origin == pytest.approx((0, w), abs=1e-14)


def test_a_chart_of_another_embedding_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mirror branch with the wrong formula of the best bias: theory's surface refutes it."""
    source, model = BinaryMarkov("0.5", "0.8"), model_of("tied")

    def naive(source: BinaryMarkov, e: Tensor, w: Tensor, *, mirror: bool = True) -> Tensor:
        return best_bias(source, e, w, mirror=False)

    monkeypatch.setattr(reduced_plane, "best_bias", naive)
    found = coordinate_slice(model, ExactLoss(source, N), at_unigram("tied", source), resolution=5)
    error = surface_error(found, surface_of(found, source))
    assert error is not None and error > 1e-2


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"axes": ("e", "e")}, r"axes=\('e', 'e'\) are not reduced coordinates"),
        ({"axes": ("e", "x")}, "give one or two of e, w, b"),
        ({"axes": ()}, "give one or two of e, w, b"),
        ({"bias": "worst"}, r"bias='worst' is unknown; give 'best' or 'fixed'"),
        ({"shift": 1.0}, r"bias='best' does not lead through the centre"),
        ({"resolution": 4}, "resolution = 4 is refused"),
        ({"off": True}, r"off the rank-one ansatz, so it has no reduced coordinates"),
    ],
)
def test_a_chart_that_cannot_be_is_refused(options: dict[str, Any], text: str) -> None:
    source, model = BinaryMarkov("0.5", "0.8"), model_of("tied")
    point = at_unigram("tied", source)
    point["bias"] = point["bias"] + options.pop("shift", 0.0)
    if options.pop("off", False):
        point["output"] = point["output"] * 0
    with pytest.raises(ValueError, match=text):
        coordinate_slice(model, ExactLoss(source, N), point, **{"resolution": 5, **options})
