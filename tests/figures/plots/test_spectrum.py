"""A spectrum's picture holds every eigenvalue, and what is left between the two lists."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from figures.output import picture, write
from figures.plots.spectrum import draw_spectrum
from figures.style import styled

MEASURED = np.array([0.25, -0.4, 3e-17, -0.4, 1e-17])
PREDICTED = np.array([-0.4, -0.4, 0.0, 0.0, 0.2])
BOUND = 1e-14


def drawn(measured: np.ndarray, predicted: np.ndarray | None, zero_bound: float = BOUND) -> Figure:
    figure = Figure()
    draw_spectrum(figure, measured, predicted, zero_bound=zero_bound, title="a saddle")
    with styled():
        figure.draw_without_rendering()
    return figure


def test_every_eigenvalue_is_drawn_in_ascending_order() -> None:
    axes = drawn(MEASURED, PREDICTED).axes[0]
    points, circles = axes.lines
    assert np.array_equal(points.get_ydata(), np.sort(MEASURED))
    assert np.array_equal(circles.get_ydata(), PREDICTED)
    assert np.array_equal(points.get_xdata(), [0, 1, 2, 3, 4])
    assert circles.get_markerfacecolor() == "none"
    assert axes.get_title() == "a saddle"


def test_the_residuals_are_the_absolute_differences_beside_the_bound() -> None:
    axes = drawn(MEASURED, PREDICTED).axes[1]
    residuals, bound = axes.lines
    assert np.array_equal(residuals.get_ydata(), np.abs(np.sort(MEASURED) - PREDICTED))
    assert np.asarray(bound.get_ydata()).tolist() == [BOUND, BOUND]
    low, high = axes.get_ylim()
    assert low < 0 < 0.05 < high  # the planted error of 0.05 and the exact zeros are both inside


def test_the_band_and_the_counts_are_those_of_the_bound() -> None:
    axes = drawn(MEASURED, None).axes[0]
    (band,) = axes.patches
    assert band.get_extents().transformed(axes.transData.inverted()).intervaly == pytest.approx(
        [-BOUND, BOUND],
        rel=1e-6,  # there and back through a logarithmic axis
    )
    legend = axes.get_legend()
    assert legend is not None
    assert legend.get_title().get_text() == "2 negative, 2 zero, 1 positive"
    # The control: another bound counts otherwise.
    other = drawn(MEASURED, None, zero_bound=0.3).axes[0].get_legend()
    assert other is not None
    assert other.get_title().get_text() == "2 negative, 3 zero, 0 positive"


def test_without_a_prediction_there_are_no_residuals() -> None:
    assert len(drawn(MEASURED, None).axes) == 1
    assert len(drawn(MEASURED, PREDICTED).axes) == 2


@pytest.mark.parametrize("scale", [0.0, 1e-12, 1.0, 1e4])
def test_any_scale_can_be_drawn_and_no_tick_labels_touch(scale: float) -> None:
    figure = drawn(scale * np.sort(MEASURED), scale * PREDICTED, zero_bound=scale * BOUND)
    for axes in figure.axes:
        low, high = axes.get_ylim()
        ticks = zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
        boxes = [t.get_window_extent() for y, t in ticks if low <= y <= high and t.get_text()]
        assert boxes
        gaps = [above.y0 - below.y1 for below, above in pairwise(boxes)]
        assert min(gaps, default=1.0) > -2  # the boxes have a margin around the digits


def test_the_record_of_the_command_line_is_drawn_and_twice_the_same(tmp_path: Path) -> None:
    lists = MEASURED.tolist(), PREDICTED.tolist()
    for suffix in (".png", ".pdf", ".svg"):
        paths = [tmp_path / f"{name}{suffix}" for name in "ab"]
        for path in paths:
            assert write(picture(draw_spectrum, *lists, zero_bound=BOUND, title="t"), path) == path
        assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize(("measured", "predicted", "bound", "message"), [
    ([], None, 0.0, r"eigenvalues has shape \(0,\): give a list of at least one"),
    ([1.0, np.nan], None, 0.0, "eigenvalues has 1 values that are not finite"),
    ([1.0], [np.inf], 0.0, "predicted has 1 values that are not finite"),
    ([1.0, 2.0], [1.0], 0.0, r"predicted has 1 eigenvalues, but 2 are measured: .*full\(\)"),
    ([1.0], None, -1e-9, "zero_bound = -1e-09 is not a finite number of at least 0"),
    ([1.0], None, float("nan"), "zero_bound = nan is not a finite number"),
])  # fmt: skip
def test_lists_that_are_no_spectra_are_refused(
    measured: list[float], predicted: list[float] | None, bound: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        draw_spectrum(Figure(), measured, predicted, zero_bound=bound, title="")
