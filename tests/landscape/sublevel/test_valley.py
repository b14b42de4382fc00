"""From the unigram to the bigram there is a path on which the loss never rises above H_u."""

import dataclasses
import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from landscape.models import ReducedModel, SingleLayer
from landscape.models.ansatz import ansatz
from landscape.models.initial import gaussian
from landscape.models.parameters import Coordinates
from landscape.objectives.exact import ExactLoss
from landscape.points.bigram import bigram_point
from landscape.points.unigram import unigram_point
from landscape.sources import BinaryMarkov, Markov
from landscape.spectra.spectrum import hessian_spectrum
from landscape.sublevel.loss_path import LossPath
from landscape.sublevel.valley import measured_path, valley_path
from tests.twins.single_layer import arrays, naive_logits, naive_loss, sequences

P, Q, N = 0.5, 0.8, 4
EXACT = 1e-14  # 2^(N+1) terms of total weight 1, a few roundings each
H_U = -(5 * math.log(5 / 13) + 8 * math.log(8 / 13)) / 13
H_B = math.log(2) * 8 / 13 - 5 / 13 * (0.8 * math.log(0.8) + 0.2 * math.log(0.2))


def single_layer(
    deviation: float, p: float = P, q: float = Q, tying: str = "tied", seed: int = 1
) -> tuple[SingleLayer, ExactLoss, dict[str, Tensor]]:
    """A model, its loss, and a unigram point with random weights of this size."""
    model = SingleLayer(width=4, length=N, tying=tying)
    objective = ExactLoss(BinaryMarkov(p, q), N)
    free = gaussian(model, deviation, seed)
    return model, objective, unigram_point(model, objective, free=free).params


@pytest.mark.parametrize(
    ("p", "q", "tying"),
    [(0.5, 0.8, "tied"), (0.9, 0.9, "tied"), (0.2, 0.3, "tied"), (0.5, 0.8, "untied")],
)
@pytest.mark.parametrize("deviation", [0.0, 1.0])
def test_no_point_of_the_path_is_above_the_unigram_by_enumeration(
    p: float, q: float, tying: str, deviation: float
) -> None:
    model, objective, start = single_layer(deviation, p, q, tying)
    path = valley_path(model, objective, start, points=41)
    assert path.faults() == ()
    one = p / (p + q)
    unigram = -one * math.log(one) - (1 - one) * math.log(1 - one)
    naive = [naive_loss(arrays(path.params(i)), p, q, N) for i in range(0, 41, 4)]
    assert np.abs(path.loss[::4] - naive).max() < EXACT
    walking = path.walks[::4]
    assert np.abs(np.array(naive)[walking] - unigram).max(initial=0.0) < EXACT
    assert np.diff(np.array(naive)[~walking]).max() < 0
    assert max(naive) - unigram < EXACT
    assert abs(path.barrier) < EXACT


def test_on_the_walk_every_logit_is_the_bias_to_the_last_bit() -> None:
    model, objective, start = single_layer(1.0)
    path = valley_path(model, objective, start)
    assert path.logit_range == 0.0
    for index in np.flatnonzero(path.walks)[::10]:
        logits = naive_logits(arrays(path.params(int(index))), sequences(N))
        assert set(logits.reshape(-1).tolist()) == {start["bias"].item()}
    assert start["bias"].item() == math.log(P / Q)


def test_the_path_begins_at_the_start_and_ends_at_the_bigram_point() -> None:
    model, objective, start = single_layer(0.5)
    path = valley_path(model, objective, start)
    axes = Coordinates.of(start)
    assert torch.equal(path.corners[0], axes.vector(start))
    bigram = bigram_point(model, objective, w=-1.2).params
    bigram |= {name: start[name] for name in ("query", "key", "output")}  # W_V = 0: they are free
    # b*(e) at the bigram's e, in another form than the bigram's bias: two roundings
    assert (path.corners[-1] - axes.vector(bigram)).abs().max() < 1e-15 * 4
    assert path.loss[-1] == pytest.approx(H_B, abs=EXACT)
    assert path.loss[0] == pytest.approx(H_U, abs=EXACT)


def test_from_a_local_minimum_the_walk_leads_to_a_saddle() -> None:
    model, objective, start = single_layer(0.3, seed=3)
    # the start is a minimum across the critical manifold: no negative eigenvalue of the whole
    assert hessian_spectrum(model, objective, start).inertia[0] == 0
    path = valley_path(model, objective, start)
    assert path.lowest[0] > 0.05
    crossed = int(np.argmax(path.lowest < -0.05))  # the first of them
    assert crossed > 0 and path.walks[crossed]
    # at its end the walk is at a kink, and the descent sets off along negative curvature
    foot = int(path.walks.sum()) - 1
    assert math.isnan(path.lowest[foot])
    c = P * Q / (P + Q) ** 2
    assert path.curvature[foot] == pytest.approx(2 * c * (P + Q - 1) * (1 - 2 * 1.2**2), abs=1e-9)
    # and so it is in a second difference of the enumerated loss along that block's eigenvector
    saddle = path.params(crossed)
    spectrum = hessian_spectrum(model, objective, saddle)
    axes = Coordinates.of(saddle)
    step = axes.params(1e-4 * spectrum.eigenvectors[:, 0])
    lower = {name: (saddle[name] + step[name]).numpy() for name in saddle}
    fall = naive_loss(lower, P, Q, N) - H_U
    assert fall == pytest.approx(spectrum.eigenvalues[0].item() / 2 * 1e-8, rel=1e-2)
    assert path.lowest[crossed] == pytest.approx(spectrum.eigenvalues[0].item(), abs=1e-12)


def test_the_curvature_along_the_descent_changes_sign_at_minus_one_over_sqrt_2() -> None:
    model, objective, start = single_layer(0.0)
    path = valley_path(model, objective, start, w=-1.0, points=82)
    w = -np.linspace(0, 1, 42)  # the walk from W = 0 is that of w
    c = P * Q / (P + Q) ** 2
    # the extrapolation errs by h^4 = 1e-12 of a sixth derivative of order 1
    assert np.abs(path.curvature[:42] - 2 * c * (P + Q - 1) * (1 + 2 * w * abs(w))).max() < 1e-9
    assert path.curvature[28] > 0 > path.curvature[29]  # 28/41 < 1/sqrt(2) < 29/41
    # control: a curvature that knew nothing of the one-sided relu, 1 + 4w|w|
    assert np.abs(path.curvature[:42] - 2 * c * (P + Q - 1) * (1 + 4 * w * abs(w))).max() > 0.1


def test_between_the_corners_the_loss_lies_between_theirs() -> None:
    model, objective, start = single_layer(0.0)
    coarse = valley_path(model, objective, start, points=12)
    down = np.flatnonzero(~coarse.walks)
    # the curve itself, not its chord: e and b*(e) by the quadratic equation of the best bias
    e = np.linspace(0, coarse.params(int(down[-1]))["embedding"].norm().item(), len(down) + 1)
    for k in range(len(down)):
        for share in (0.1, 0.5, 0.9):
            x = e[k] + share * (e[k + 1] - e[k])
            grown = math.exp(x**2 * (1 - 2 * 1.2**2))
            root = (P - Q + math.sqrt((P - Q) ** 2 + 4 * P * Q * grown)) / (2 * Q * grown)
            between = ansatz(model, x, -1.2, x**2 / 2 + math.log(root))
            loss = naive_loss(arrays(between), P, Q, N)
            low, high = coarse.loss[down[k]], coarse.loss[down[k] - 1]
            assert low - EXACT <= loss <= high + EXACT


def straight(
    model: SingleLayer, objective: ExactLoss, points: list[dict[str, Tensor]], corners: int
) -> LossPath:
    """The path of straight lines through some points, by the same measurement."""
    axes = Coordinates.of(points[0])
    ends = [axes.vector(point) for point in points]
    share = torch.linspace(0, 1, corners, dtype=torch.float64)[:, None]
    legs = [torch.lerp(a, b, share) for a, b in itertools.pairwise(ends)]
    rows = torch.cat(legs)
    return measured_path(
        model, objective, axes, rows, np.arange(len(rows)) < 1, axes.vector(points[-1])
    )


def test_a_straight_line_to_the_bigram_is_reported_to_have_a_barrier() -> None:
    model, objective, start = single_layer(0.0)
    bigram = bigram_point(model, objective).params
    path = straight(model, objective, [start, bigram], 41)
    # the control of the path's claim: the same faults() that the valley has none of
    assert path.barrier > 1e-3
    assert any("above the unigram" in fault for fault in path.faults())
    assert any("rises by" in fault for fault in path.faults())
    naive = max(naive_loss(arrays(path.params(i)), P, Q, N) for i in range(41))
    assert path.barrier == pytest.approx(naive - H_U, abs=EXACT)


def test_raising_the_embedding_before_w_has_crossed_over_is_reported_too() -> None:
    model, objective, start = single_layer(0.0)
    bigram = bigram_point(model, objective).params
    weights = ("hidden_in", "hidden_out")
    raised = {**bigram, **{name: start[name] for name in weights}}
    path = straight(model, objective, [start, raised, bigram], 21)
    assert path.barrier > 1e-2
    assert len(path.faults()) >= 2
    # the other order, which the valley takes, has none to begin with
    crossed = {**start, **{name: bigram[name] for name in weights}}
    assert straight(model, objective, [start, crossed], 21).barrier < EXACT


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"logit_range": 1e-16}, "on the walk the logits differ"),
        ({"logit_spread": 1e-9}, "no function of the last symbol"),
        ({"bigram_loss": H_B - 1e-6}, "above the least loss"),
        ({"unigram_loss": H_U - 1e-6}, "above the unigram"),
    ],
)
def test_a_path_that_is_not_what_it_says_has_that_fault(
    change: dict[str, float], fault: str
) -> None:
    model, objective, start = single_layer(0.0)
    path = dataclasses.replace(valley_path(model, objective, start, points=21), **change)  # type: ignore[arg-type]  # floats, all four
    assert [fault in text for text in path.faults()] == [True]


def test_losses_that_are_not_convex_in_the_gap_are_a_fault() -> None:
    model, objective, start = single_layer(0.0)
    path = valley_path(model, objective, start, points=41)
    bent = path.loss.copy()
    bent[30] += 0.4 * (bent[29] - bent[30])  # still falling, but above the chord of its neighbours
    assert path.convexity == 0.0
    other = dataclasses.replace(path, loss=bent)
    assert other.monotone
    assert other.faults() == ("the loss is no convex function of the gap between the logits",)


@pytest.mark.parametrize("w", [0.5, 0.0, -0.5])
def test_the_reduced_model_walks_along_w_and_descends_along_e(w: float) -> None:
    model, objective = ReducedModel(), ExactLoss(BinaryMarkov(P, Q), 1)
    free = {"feedforward": torch.tensor(w, dtype=torch.float64)}
    path = valley_path(model, objective, unigram_point(model, objective, free=free))
    assert path.faults() == ()
    e, along, b = path.corners.numpy().T
    # e^2 (1 + 2w|w|) x + b - e^2/2 and the two symbols' losses, in plain numpy
    f = b - e**2 / 2
    g = f + e**2 * (1 + 2 * along * abs(along))
    naive = (8 * (np.logaddexp(0, f) - P * f) + 5 * (np.logaddexp(0, g) - (1 - Q) * g)) / 13
    assert np.abs(path.loss - naive).max() < EXACT
    c = P * Q / (P + Q) ** 2
    closed = 2 * c * (P + Q - 1) * (1 + 2 * along * abs(along))
    assert np.abs((path.curvature - closed)[path.walks]).max() < 1e-9
    assert np.abs((path.lowest - np.minimum(closed, c))[path.walks]).max() < 1e-14


def test_a_saddle_descends_at_once() -> None:
    reduced, short = ReducedModel(), ExactLoss(BinaryMarkov(0.2, 0.3), 1)
    free = {"feedforward": torch.tensor(0.25, dtype=torch.float64)}
    path = valley_path(reduced, short, unigram_point(reduced, short, free=free))
    assert int(path.walks.sum()) == 1
    model, objective, start = single_layer(0.0, 0.2, 0.3)
    path = valley_path(model, objective, start)
    assert int(path.walks.sum()) == 1
    assert np.diff(path.loss).max() < 0


def test_length_and_distance_are_those_of_the_corners() -> None:
    model, objective, start = single_layer(0.3)
    path = valley_path(model, objective, start, points=31)
    rows = path.corners.numpy()
    steps = np.sqrt(((rows[1:] - rows[:-1]) ** 2).sum(1))
    assert path.t == pytest.approx(np.append(0, np.cumsum(steps)), abs=1e-13)
    assert path.distance == pytest.approx(np.sqrt(((rows - rows[0]) ** 2).sum(1)), abs=1e-13)
    record = path.to_xarray()
    assert record.attrs["barrier"] == path.barrier
    assert record["loss"].values.tolist() == path.loss.tolist()
    assert record["corners"].shape == (31, 4 * N + 5 + 4 * 16 + 2 * 64)


def test_what_has_no_valley_is_refused() -> None:
    model, objective, start = single_layer(0.3)
    degenerate = ExactLoss(BinaryMarkov("0.3", "0.7"), N)
    told = ExactLoss(Markov(np.array([[0.5, 0.5], [0.8, 0.2]])), N)
    cases: list[tuple[ExactLoss, dict[str, Tensor], dict[str, Any], str]] = [
        (degenerate, {}, {}, r"p\+q=1: the unigram is the bigram"),
        (objective, {"embedding": start["embedding"] + 0.1}, {}, r"its embedding is off by 0\.1"),
        (objective, {"bias": start["bias"] + 0.01}, {}, r"its bias is off by 0\.01"),
        (objective, {}, {"w": -0.5}, r"w=-0\.5 has no bigram point"),
        (objective, {"hidden_in": start["hidden_in"] * torch.nan}, {},
         "start has hidden_in with entries that are not finite"),
        (objective, {}, {"points": 3}, "points=3 is out of range"),
        (told, {}, {}, "give a BinaryMarkov source"),
    ]  # fmt: skip
    for loss, changes, options, message in cases:
        with pytest.raises(ValueError, match=message):
            valley_path(model, loss, {**start, **changes}, **options)
