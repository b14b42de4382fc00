"""What the theory figures draw, against formulas written out here and the records they read."""

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from scipy.optimize import minimize_scalar

from figures.paper import (
    attention_flow,
    basins,
    energy_lines,
    escape,
    spectra,
    surface,
    valley as valley_script,
)
from figures.records.inputs import Inputs
from figures.style import styled
from tests.planted.scans import H_U, planted_record, valley

TURN = -1 / math.sqrt(2)


def drawn(script: Any, record: Any) -> Figure:
    figure = Figure()
    with styled():
        script.draw(figure, record)
        figure.draw_without_rendering()
    return figure


def read(script: Any, folder: Path, name: str, found: xr.Dataset, **settings: Any) -> Any:
    return script.load(Inputs("quick", {}, {name: planted_record(folder, name, found, **settings)}))


def test_the_energy_lines_are_levels_of_the_energy_and_the_sets_are_where_they_should_be() -> None:
    figure = drawn(energy_lines, energy_lines.load(Inputs("quick")))
    for axes, chance in zip(figure.axes, (0.1, 0.9), strict=True):
        for contours in (c for c in axes.collections if c.get_gid() == "energy"):
            for path, level in zip(contours.get_paths(), contours.levels, strict=True):  # type: ignore[attr-defined]  # a ContourSet
                w, e = np.asarray(path.vertices).reshape(-1, 2).T
                # between the grid's lines, 0.01 apart in e, a contour is linear
                off = e**2 - w**2 - np.sign(w) * np.log(np.abs(w)) - level
                assert np.abs(off).max(initial=0.0) < 0.01
        bigram = [line for line in axes.lines if line.get_gid() == "bigram"]
        gap = 2 * math.log((1 - chance) / chance)
        for line in bigram:
            w, e = np.array(line.get_data())
            assert np.abs(e**2 * (1 + 2 * w * np.abs(w)) - gap).max() < 1e-12
        (minima,) = [line for line in axes.lines if line.get_gid() == "unigram local minima"]
        side = sorted((TURN, -3.0 if chance < 0.5 else 3.0))
        assert sorted(np.asarray(minima.get_xdata()).tolist()) == pytest.approx(side)


def test_the_runs_lie_over_their_basins(tmp_path: Path) -> None:
    start = np.array([[[1.0, 0.5, 0.0], [0.1, -1.5, 0.0], [0.3, -0.1, 0.2]]])
    end = start + 0.25
    outcome = [["bigram", "unigram", "other"]]
    each = ("chain", "run", "coordinate")
    found = xr.Dataset(
        {"start": (each, start), "end": (each, end), "outcome": (each[:2], outcome)},
        coords={"chain": [0.1]},
    )
    found = xr.concat([found, found.assign_coords(chain=[0.9])], "chain")
    record = read(basins, tmp_path, "basins", found)
    figure = drawn(basins, record)
    for axes in figure.axes:
        marks = {line.get_gid(): np.array(line.get_data()).T for line in axes.lines}
        for k, name in enumerate(outcome[0]):
            assert marks[name].tolist() == [[start[0, k, 1], start[0, k, 0]]]  # (w, e)
        assert np.array_equal(marks["end"], end[0][:, [1, 0]])
    # p+q < 1: the unigram's basin is w < -1/sqrt2 inside the separatrix; p+q > 1: w >= 0 is in it
    assert record[0].predicted == ["bigram", "unigram", "bigram"]
    assert record[1].predicted[:2] == ["unigram", "bigram"]
    # run 2 is not there yet: it is no evidence
    numbers = basins.numbers(record)
    assert (numbers["LowAsPredicted"], numbers["LowEnded"], numbers["LowRuns"]) == ("2", "2", "3")
    assert numbers["HighAsPredicted"] == "0"


def test_the_valley_draws_the_loss_and_the_curvature_of_the_walk(tmp_path: Path) -> None:
    figure = drawn(valley_script, read(valley_script, tmp_path, "valley", valley()))
    above, below = figure.axes
    t = np.arange(8.0)
    (loss,) = [line for line in above.lines if line.get_gid() == "loss"]
    assert np.array_equal(np.asarray(loss.get_ydata()), np.where(t < 5, H_U, H_U - 0.1 * (t - 4)))
    (lowest,) = [line for line in below.lines if line.get_gid() == "lowest"]
    assert np.asarray(lowest.get_ydata()) == pytest.approx(0.2 - 0.1 * t[:5])
    (foot,) = [line for line in below.lines if line.get_gid() == "foot"]
    assert np.array(foot.get_data()).ravel().tolist() == pytest.approx([4.0, -0.2])


@pytest.mark.parametrize(("p", "q", "sign"), [(0.5, 0.8, 1), (0.2, 0.3, -1)])
def test_the_escape_radius_is_the_distance_to_the_turn(
    p: float, q: float, sign: int, tmp_path: Path
) -> None:
    w = np.linspace(-1.25, 0.75, 5)
    found = xr.Dataset(
        {"radius": ("w", w**2), "searched": ("w", w**2)},
        coords={"w": w},
        attrs={"full": 1.5, "ansatz": 2.0},
    )
    record = read(escape, tmp_path, "escape", found, p=p, q=q)
    left = drawn(escape, record).axes[0]
    (line,) = [line for line in left.lines if line.get_gid() == "theory"]
    across, radius = np.array(line.get_data())
    assert np.abs(radius - np.maximum(0, sign * (across - TURN))).max() < 1e-15
    assert np.abs(radius - np.maximum(0, sign * (across + 0.7))).max() > 1e-3  # another turn
    (marks,) = [line for line in left.lines if line.get_gid() == "measured"]
    assert np.array_equal(np.array(marks.get_data()), [w, w**2])


def test_the_spectra_are_those_stored_and_zeros_are_counted(tmp_path: Path) -> None:
    predicted = np.array([[-0.3, 0.0, 0.0, 0.2, 0.5], [0.0, 0.0, 0.1, 0.2, 0.3]])
    measured = predicted + np.array([1e-16, -2e-17, 3e-17, 1e-16, 0.0])
    found = xr.Dataset(
        {
            "measured": (("point", "index"), measured),
            "predicted": (("point", "index"), predicted),
            "zero_bound": ("point", [1e-15, 1e-15]),
        },
        coords={"point": ["unigram", "bigram"]},
    )
    record = read(spectra, tmp_path, "spectra", found)
    figure = drawn(spectra, record)
    for column, (low, high) in enumerate(((1, 2), (0, 3))):
        above, below = figure.axes[column], figure.axes[2 + column]
        for gid, values in (("predicted", predicted), ("measured", measured)):
            (dots,) = [line for line in above.lines if line.get_gid() == gid]
            expected = values[column][np.abs(predicted[column]) > 0]
            assert np.asarray(dots.get_ydata()).tolist() == expected.tolist()
        assert f"inertia ({low}, 2, {high})" in above.get_title()
        assert "(2 others" in below.get_xlabel()


def test_the_surface_of_theory_is_the_least_loss_over_the_bias() -> None:
    p, q = 0.5, 0.8
    high, across = np.array([-1.1, 0.0, 0.7]), np.array([-1.3, 0.0, 0.4])
    found = surface.predicted(p, q, high, across)

    def loss(b: float, gap: float) -> float:
        pi1 = p / (p + q)
        zero = np.logaddexp(0, b) - p * b
        one = np.logaddexp(0, b + gap) - (1 - q) * (b + gap)
        return float((1 - pi1) * zero + pi1 * one)

    for i, e in enumerate(high):
        for j, w in enumerate(across):
            gap = e**2 * (1 + 2 * w * abs(w))
            # the minimiser is found to 1e-8 or so, and the loss is flat there
            least = minimize_scalar(loss, bracket=(-1, 1), args=(gap,)).fun
            assert abs(found[i, j] - least) < 1e-12
    assert abs(found[0, 0] - found[1, 0]) > 1e-3


def test_the_surface_is_the_loss_that_was_measured(tmp_path: Path) -> None:
    e, w = np.linspace(-2, 2, 5), np.linspace(-2, 2, 7)
    loss = np.stack([surface.predicted(0.2, 0.3, e, w), surface.predicted(0.5, 0.8, e, w) + 1e-3])
    chains = {"p": ("chain", [0.2, 0.5]), "q": ("chain", [0.3, 0.8])}
    found = xr.Dataset({"loss": (("chain", "e", "w"), loss)}, coords={"e": e, "w": w, **chains})
    record = read(surface, tmp_path, "surface", found)
    assert record[0].error == 0 and record[1].error == pytest.approx(1e-3)
    assert record[0].plane.p == Decimal("0.2")
    assert surface.numbers(record) == {"LargestError": "1.0e-03"}
    figure = drawn(surface, record)
    gids = [c.get_gid() for axes in figure.axes[:2] for c in axes.collections]
    assert gids.count("measured") == gids.count("theory") == 2


@pytest.mark.slow
def test_the_flow_with_attention_ends_on_the_two_sets() -> None:
    for (p, q), ends in (((0.2, 0.3), ["bigram", "unigram"]), ((0.5, 0.8), ["unigram", "bigram"])):
        found = attention_flow.space((p, q), [(0.5, 0.6, 0.6), (0.35, -1.2, -0.6)])
        assert found.ends == ends
        gap = math.log((1 - p) * (1 - q) / (p * q))
        for path, end in zip(found.paths, ends, strict=True):
            e, w, a = path[-1]
            if end == "bigram":
                # followed to a finite time: near the sets, not on them
                assert abs(e**2 * (1 + 2 * w * abs(w)) - gap) < 1e-3 and abs(a) < 1e-3
            else:
                assert abs(e) < 1e-3 and abs(path[0, 0]) > 0.1
        # in a = 0 the unigram set turns at w = -1/sqrt2
        row = found.curvature[np.abs(found.across[1]).argmin()]
        curves_up = found.across[0][row > 0]
        assert (curves_up > TURN).all() if p + q > 1 else (curves_up < TURN).all()
