"""The training figures draw the losses that are stored, their means, and the published values."""

from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.paper import (
    attention,
    basin_start,
    canonical,
    depth,
    grid,
    lag,
    loss,
    no_attention,
    probabilities,
    rank_one,
    survival,
    switching,
)
from figures.records.inputs import Inputs
from figures.style import styled
from landscape.scanning.figure_data import config_of
from landscape.scanning.presets import load
from tests.planted.scans import H_B, H_U, RUNS, STEPS, chances, losses, planted_scan, shares


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scans")


def inputs_of(folder: Path, *names: str) -> Inputs:
    """The planted scans of these names, written once."""
    paths = {name: folder / config_of(name, "quick").name for name in names}
    return Inputs(
        "quick",
        {n: path if path.exists() else planted_scan(folder, n) for n, path in paths.items()},
    )


@cache
def curves_of(script: ModuleType, folder: Path, scan: str) -> Figure:
    """The figure of a planted scan, drawn once."""
    return drawn(script, inputs_of(folder, scan))


def drawn(script: ModuleType, inputs: Inputs) -> Figure:
    figure = Figure()
    with styled():
        script.draw(figure, script.load(inputs))
        figure.draw_without_rendering()
    return figure


def named(axes: Axes, gid: str) -> list[Any]:
    return [np.asarray(line.get_ydata()) for line in axes.lines if line.get_gid() == gid]


CURVES = [
    (loss, "tied-untied", 8, 2),
    (depth, "depth", 8, 2),
    (switching, "switching-5", 8, 4),
    (lag, "lag-2", 4, 1),
    (no_attention, "no-attention", 2, 1),
    (basin_start, "basin", 4, 2),  # each on both panels
    (canonical, "canonical", 2, 1),
]


@pytest.mark.parametrize(("script", "scan", "curves", "panels"), CURVES)
def test_the_curves_are_the_means_of_the_stored_losses(
    script: ModuleType, scan: str, curves: int, panels: int, folder: Path
) -> None:
    figure = curves_of(script, folder, scan)
    assert len(figure.axes) == panels
    means = [line for axes in figure.axes for line in named(axes, "mean")]
    runs = [line for axes in figure.axes for line in named(axes, "run")]
    assert (len(means), len(runs)) == (curves, RUNS * curves)
    stored = [losses(cell) for cell in config_of(scan, "quick").cells()]
    for mean in means:
        assert any(np.abs(mean - each.sum(axis=0) / RUNS).max() < 1e-15 for each in stored)
    for run in runs:
        assert any(np.array_equal(run, row) for each in stored for row in each)
    # the control: no curve is a run, or the mean of another number of runs
    assert not any(np.abs(mean - each[0]).max() < 1e-9 for mean in means for each in stored[:1])


@pytest.mark.parametrize(("script", "scan", "curves", "panels"), CURVES)
def test_the_diamonds_are_the_published_values(
    script: ModuleType, scan: str, curves: int, panels: int, folder: Path
) -> None:
    figure = curves_of(script, folder, scan)
    marks = {float(y) for axes in figure.axes for line in named(axes, "published") for y in line}
    published = {
        float(each.published)
        for each in load(scan).expectations
        if each.quantity == "loss" and each.published is not None
        # of models without LayerNorm nothing is published there
        and (scan not in ("tied-untied", "depth") or each.select["model.layer_norm"])
    }  # fmt: skip
    # the paper's windows of lag-2 are not among those of the quick scan
    assert marks == (published & marks if scan == "lag-2" else published) != set()


def test_the_dashed_lines_are_the_entropies_of_the_scan(folder: Path) -> None:
    axes = drawn(no_attention, inputs_of(folder, "no-attention")).axes[0]
    assert [line.tolist() for line in named(axes, "$H_u$")] == [[H_U, H_U]]
    assert [line.tolist() for line in named(axes, "$H_b$")] == [[H_B, H_B]]


def test_a_cell_that_is_not_finished_is_named(tmp_path: Path) -> None:
    path = planted_scan(tmp_path, "no-attention", skip=1)
    with pytest.raises(ValueError, match=r"'model.tying': 'tied'.* of the scan .* not finished"):
        no_attention.load(Inputs("quick", {"no-attention": path}))


def test_the_grid_is_the_mean_prediction_of_each_chain(folder: Path) -> None:
    inputs = inputs_of(folder, "grid")
    figure = drawn(grid, inputs)
    record = grid.load(inputs)
    cells: dict[tuple[str, float, float], float] = {
        (cell.model.tying, float(p), float(q)): chances(cell).sum() / chances(cell).size
        for cell in config_of("grid", "quick").cells()
        for p, q in [cell.source.chain]
    }
    for axes, tying in zip(figure.axes, ("tied", "untied"), strict=False):
        expected = np.array([[cells[tying, p, q] for p in record.p] for q in record.q])
        (image,) = axes.images
        assert np.abs(np.asarray(image.get_array()) - abs(expected - record.p)).max() < 1e-12
        words = [text.get_text().split("\n")[0] for text in axes.texts]
        assert words == [f"{value:.3f}" for value in expected.ravel()]


def test_the_predictions_are_drawn_position_by_position(folder: Path) -> None:
    figure = drawn(probabilities, inputs_of(folder, "tied-untied"))
    cells = [
        cell
        for cell in config_of("tied-untied", "quick").cells()
        if not cell.coordinates["model.layer_norm"]
    ]
    for axes, chain in zip(figure.axes, ((0.2, 0.3), (0.5, 0.8)), strict=True):
        for tying in ("tied", "untied"):
            (cell,) = [
                cell for cell in cells
                if cell.model.tying == tying and tuple(map(float, cell.source.chain)) == chain
            ]  # fmt: skip
            assert np.array_equal(np.array(named(axes, tying)), chances(cell))


def test_the_share_and_the_matrix_of_attention_are_those_stored(folder: Path) -> None:
    inputs = inputs_of(folder, "rank-one")
    figure = drawn(attention, inputs)
    cell = config_of("rank-one", "quick").cells()[0]
    (mean,) = named(figure.axes[0], "mean")
    assert np.abs(mean - shares(cell).sum(0) / RUNS).max() < 1e-15
    uneven: np.ndarray = np.ma.filled(np.ma.asarray(figure.axes[1].images[0].get_array()), np.nan)
    below = np.tri(len(uneven), dtype=bool)
    assert np.abs(uneven[below] - 1).max() < 1e-15 and np.isnan(uneven[~below]).all()
    assert attention.numbers(attention.load(inputs))["Uneven"] == "0.00"


def test_the_rank_one_energies_are_the_means_over_runs(folder: Path) -> None:
    axes = drawn(rank_one, inputs_of(folder, "rank-one")).axes[0]
    expected = np.linspace(0.25, 0.9, len(STEPS)) + 0.01 * (RUNS - 1) / 2
    means = named(axes, "mean")
    assert len(means) == 2 and all(np.abs(mean - expected).max() < 1e-15 for mean in means)


def test_the_shares_stuck_are_those_of_the_runs(folder: Path) -> None:
    figure = drawn(survival, inputs_of(folder, "width", "depth"))
    for axes, groups in zip(figure.axes[1:], (1, 2), strict=True):
        found = named(axes, "share")
        assert len(found) == groups  # one of the three planted runs never escapes
        assert all(np.abs(share - 1 / 3).max() < 1e-15 for share in found)
