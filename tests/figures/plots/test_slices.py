"""The picture of a slice shows the measured numbers, theory's over them, and every hole."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure

from figures.plots.slices import LOST, SURFACE, draw, levels_of, save
from figures.records.slices import SliceRecord, finer, load, oblique, quadratic
from figures.style import BIGRAM, UNIGRAM, luminance, styled
from landscape.config.scan import ScanConfig
from landscape.scanning.scan import scan
from landscape.store.reading import StoredScan
from landscape.store.scan_store import ScanStore

AXIS = np.linspace(-1, 1, 11)
H_U, H_B = 0.66628, 0.61901


def record_of(**changes: Any) -> SliceRecord:
    """A bowl that is steeper along y and shifted along x, so that no two ways of it are alike."""
    loss = H_B + (AXIS[:, None] - 0.2) ** 2 / 4 + AXIS[None, :] ** 2
    settings: dict[str, Any] = {
        "title": "a bowl",
        "x": AXIS,
        "y": 2 * AXIS,
        "labels": ("distance along u", "distance along v"),
        "loss": loss,
        "center": (0.0, 0.0),
        "unigram_loss": H_U,
        "bigram_loss": H_B,
        "predicted": loss,
    }
    return SliceRecord(**{**settings, **changes})


def drawn(*records: SliceRecord) -> Figure:
    figure = Figure()
    draw(figure, records)
    with styled():
        figure.draw_without_rendering()
    return figure


def named(axes: Axes, gid: str) -> Any:
    (found,) = [child for child in axes.get_children() if child.get_gid() == gid]
    return found


def legend_of(figure: Figure) -> list[str]:
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def colours_at(record: SliceRecord, places: list[tuple[int, int]]) -> list[tuple[int, ...]]:
    """The colours of the finished picture at grid points, read from its pixels."""
    figure = Figure(dpi=150)
    canvas = FigureCanvasAgg(figure)
    draw(figure, [record])
    canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib leaves it bare
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]  # as above
    axes = figure.axes[0]
    found = []
    for i, j in places:
        across, up = axes.transData.transform((record.x[i], record.y[j]))
        found.append(tuple(pixels[len(pixels) - 1 - int(up), int(across), :3].tolist()))
    return found


def test_every_colour_of_the_picture_is_that_of_the_measured_loss() -> None:
    """From the pixels: x across, y up, the band of each loss."""
    record = record_of(predicted=None, unigram_loss=9.0, bigram_loss=-9.0)
    levels = levels_of(record.loss)
    cmap = mpl.colormaps[SURFACE]
    norm = BoundaryNorm(levels, cmap.N)
    places = [
        (i, j) for i, j in np.ndindex(11, 11)
        # inside the frame, off the mark of the centre, and no nearer to a level than a hundredth
        if 0 < i < 10 and 0 < j < 10 and (i, j) != (5, 5)
        and np.abs(record.loss[i, j] - levels).min() > 0.01
    ]  # fmt: skip
    assert len(places) > 30
    expected = [cmap(norm(record.loss[i, j]), bytes=True)[:3] for i, j in places]
    turned = [cmap(norm(record.loss[j, i]), bytes=True)[:3] for i, j in places]
    found = np.array(colours_at(record, places))
    assert np.abs(found - np.array(expected, dtype=int)).max() <= 1
    assert np.abs(found - np.array(turned, dtype=int)).max() > 50  # the control: x and y exchanged
    axes = drawn(record).axes[0]
    assert axes.get_xlabel() == "distance along u" and axes.get_ylabel() == "distance along v"
    assert axes.get_xlim() == (-1, 1) and axes.get_ylim() == (-2, 2)


def test_theory_s_contours_are_at_the_levels_of_the_colours() -> None:
    record = record_of()
    figure = drawn(record)
    lines = named(figure.axes[0], "theory")
    assert lines.levels.tolist() == levels_of(record.loss)[1:-1].tolist()
    assert all(style[1] for style in lines.get_linestyles())  # dashed
    assert any(text.startswith("theory: ") for text in legend_of(figure))
    bare = drawn(record_of(predicted=None))
    assert not any(text.startswith("theory") for text in legend_of(bare))
    assert [c for c in bare.axes[0].get_children() if c.get_gid() == "theory"] == []


def test_the_level_of_escape_is_drawn_where_it_is_in_range() -> None:
    """Not H_u: a slice through a critical point has it along whole lines."""
    figure = drawn(record_of())
    line = named(figure.axes[0], "escape")
    assert line.levels.tolist() == [(H_U + H_B) / 2]
    assert mpl.colors.same_color(line.get_edgecolor(), UNIGRAM)
    texts = legend_of(figure)
    assert "measured loss $(H_u+H_b)/2$" in texts
    assert [text for text in texts if "H_" in text] == ["measured loss $(H_u+H_b)/2$"]
    outside = drawn(record_of(unigram_loss=9.0, bigram_loss=-9.0 + 2e-9))
    assert not any("H_" in text for text in legend_of(outside))
    # a line keeps both entropies
    loss = record_of().loss[:, 5:6] - 0.01
    flat = drawn(record_of(y=np.zeros(1), loss=loss, predicted=None))
    assert {"$H_u$", "$H_b$"} <= set(legend_of(flat))
    colours = {str(line.get_label()): line.get_color() for line in flat.axes[0].lines}
    assert colours["$H_u$"] == UNIGRAM and colours["$H_b$"] == BIGRAM


def test_the_colour_bar_says_how_its_bands_are_spaced_and_repeats_no_number() -> None:
    figure = drawn(record_of())
    bar = figure.axes[1]
    assert "equal\nsteps of the cube root of loss $-$ minimum" in bar.get_ylabel()
    assert len(bar.get_yticks()) > 3
    flat = drawn(record_of(loss=np.full((11, 11), 0.5), predicted=None))
    assert [text.get_text() for text in flat.axes[1].get_yticklabels()] == ["0.5"]


def test_theory_s_contours_are_drawn_on_their_own_axes() -> None:
    """A fine grid of the same function: the contours keep to it between measured points."""
    x, y = finer(AXIS, 401), finer(2 * AXIS, 401)
    loss = H_B + (x[:, None] - 0.2) ** 2 / 4 + (y[None, :] / 2) ** 2

    def raggedness(record: SliceRecord) -> float:
        lines = named(drawn(record).axes[0], "theory")
        off = [
            np.abs((points[:, 0] - 0.2) ** 2 / 4 + (points[:, 1] / 2) ** 2 + H_B - level).max()
            for level, path in zip(lines.levels, lines.get_paths(), strict=True)
            if len(points := path.vertices)
        ]
        return float(max(off))

    # linear interpolation over steps h leaves h^2/8 of a second derivative: 0.2^2 and 0.005^2
    assert raggedness(record_of(predicted=loss, predicted_x=x, predicted_y=y)) < 1e-4
    assert raggedness(record_of()) > 1e-3  # the control: on the measured grid


def test_a_finer_axis_keeps_the_points_of_the_axis() -> None:
    fine = finer(np.linspace(-2, 2, 51))
    assert len(fine) == 401
    assert np.abs(fine[::8] - np.linspace(-2, 2, 51)).max() < 1e-15
    assert len(finer(np.linspace(0, 1, 501))) == 501


def test_oblique_axes_are_named_by_their_angle() -> None:
    assert oblique(np.array([[1.0, 0.5], [0.5, 1.0]])).startswith("\naxes at 60 degrees")
    assert oblique(np.array([[4.0, -1.0], [-1.0, 1.0]])).startswith("\naxes at 120 degrees")
    assert oblique(np.diag([3.0, 0.1])) == oblique(np.ones((1, 1))) == ""


def test_a_loss_that_is_not_finite_is_marked_and_counted_never_painted_over() -> None:
    loss = record_of().loss.copy()
    loss[2, 9], loss[3, 9] = np.nan, np.inf
    figure = drawn(record_of(loss=loss))
    axes = figure.axes[0]
    boxes = [path.get_extents() for path in named(axes, "not finite").get_paths()]
    middles = [((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2) for box in boxes]
    assert (
        np.abs(np.array(middles) - [(AXIS[2], 2 * AXIS[9]), (AXIS[3], 2 * AXIS[9])]).max() < 1e-12
    )
    for found in colours_at(record_of(loss=loss), [(2, 9), (3, 9)]):
        between = 255 * np.outer(np.linspace(0, 1, 256), mpl.colors.to_rgb(LOST))
        assert np.abs(between - np.array(found)).max(axis=1).min() < 3  # the mark or its hatching
    assert "not finite (2 of 121)" in legend_of(figure)
    # the control: without holes nothing of the kind
    whole = drawn(record_of())
    assert not any("not finite" in text for text in legend_of(whole))


def test_a_slice_without_a_finite_loss_has_no_scale() -> None:
    nothing = np.full((11, 11), np.nan)
    figure = drawn(record_of(loss=nothing))
    (axes,) = figure.axes  # no colour bar
    assert len(named(axes, "not finite").get_paths()) == 121
    assert legend_of(figure) == ["not finite (121 of 121)", "the point"]
    assert len(drawn(record_of()).axes) == 2  # the control
    line = drawn(record_of(y=np.zeros(1), loss=nothing[:, :1], predicted=nothing[:, :1]))
    assert line.axes[0].get_yticks().tolist() == []
    assert "not finite (11)" in legend_of(line)
    with pytest.raises(ValueError, match="none of the 121 losses of the slice is finite"):
        levels_of(nothing)


def test_the_centre_and_the_named_points_are_where_they_lie() -> None:
    figure = drawn(
        record_of(center=(0.5, -1.0), marks=(("bigram", 0.8, 1.0), ("other", -0.6, 0.4)))
    )
    axes = figure.axes[0]
    assert named(axes, "centre").get_xydata().tolist() == [[0.5, -1.0]]
    squares = [
        np.asarray(line.get_xydata()).tolist() for line in axes.lines if line.get_marker() == "s"
    ]
    assert squares == [[[0.8, 1.0]], [[-0.6, 0.4]]]
    inside = axes.get_window_extent()
    for text in axes.texts:
        box = text.get_window_extent()
        assert inside.x0 <= box.x0 and box.x1 <= inside.x1


def test_a_line_is_drawn_as_a_line() -> None:
    loss = record_of().loss[:, 5:6].copy()
    line: dict[str, Any] = {"y": np.zeros(1), "loss": loss.copy(), "predicted": None}
    axes = drawn(record_of(**line)).axes[0]
    assert np.array_equal(axes.lines[0].get_ydata(), loss[:, 0])
    assert axes.get_ylabel() == "loss (nats)"
    loss[3] = np.nan
    figure = drawn(record_of(**{**line, "loss": loss}))
    assert named(figure.axes[0], "not finite").get_xdata().tolist() == [AXIS[3]]
    assert "not finite (1)" in legend_of(figure)


def test_levels_resolve_the_floor_and_reach_the_walls() -> None:
    loss = np.array([[0.6, 0.601, 0.7, 20.0]])
    levels = levels_of(loss)
    assert levels[0] == 0.6 and levels[-1] == pytest.approx(20.0)
    assert (levels < 0.7).sum() >= 2  # evenly spaced, the first would be at 2.2
    assert (np.diff(levels) > 0).all() and len(levels_of(np.ones((3, 3)))) == len(levels)


def test_the_map_darkens_throughout() -> None:
    shades = [luminance(mpl.colormaps[SURFACE](x)) for x in np.linspace(0, 1, 33)]
    assert (np.diff(shades) < 0).all()


def test_the_quadratic_is_the_taylor_polynomial() -> None:
    found = quadratic(np.array([0.0, 2.0]), np.array([0.0, 3.0]), 0.5, [0.25, -1.0])
    assert found.tolist() == [[0.5, -4.0], [1.0, -3.5]]


def test_the_same_slices_are_the_same_bytes(tmp_path: Path) -> None:
    records = [record_of(), record_of(title="another")]
    for one, other in zip(
        save(records, tmp_path / "a"), save(records, tmp_path / "b"), strict=True
    ):
        assert one.read_bytes() == other.read_bytes()
    with pytest.raises(ValueError, match="records is empty"):
        draw(Figure(), [])


def test_the_scan_s_slices_are_read_with_theory_s_eigenvalues(tmp_path: Path) -> None:
    """The quadratic of the stored prediction is the stored surface near its centre."""
    settings: dict[str, Any] = {
        "source": {},
        "model": {"width": 2, "length": 3},
        "train": {"steps": 1, "seeds": 1},
        "measure": {"points": ["unigram", "bigram"], "slice": {"resolution": 51}},
        "axes": {"source.p": [0.2, 0.5], "source.q": [0.3, 0.7]},
    }
    store = scan(ScanConfig(**settings), out=tmp_path / "scan").store
    records = load(store)
    titles = [record.title for record in records]
    assert [title.split(":")[0] for title in titles] == [
        "unigram, saddle", "unigram, local minimum",
        "bigram, global minimum", "bigram, global minimum",
    ]  # fmt: skip
    assert all("(0.2, 0.3)" in title for title in titles[::2])
    assert all("(0.5, 0.7)" in title for title in titles[1::2])
    middle = slice(24, 27)  # within 0.08 of the point: third derivatives leave 1e-3
    for record in records:
        assert record.predicted is not None
        assert record.predicted.shape == (401, 401)  # 8 steps to one of the measured grid
        gap = np.abs(record.loss - record.predicted[::8, ::8])[middle, middle].max()
        bent = np.abs(record.loss - record.loss[25, 25])[middle, middle].max()
        assert gap < 0.2 * bent  # the control is the flat prediction
        assert (record.x[0], record.x[-1]) == pytest.approx((-2, 2), abs=1e-12)
    assert records[0].predicted[0, 200] < records[0].unigram_loss < records[0].predicted[200, 0]  # type: ignore[index]  # asserted above


def test_titles_name_the_settings_in_which_the_scan_s_cells_differ(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "source": {"q": 0.8},
        "model": {"width": 2, "length": 2},
        "train": {"steps": 1, "seeds": 1},
        "measure": {"points": ["unigram"], "slice": {"resolution": 3}},
        "axes": {"source.p": [0.5], "model.width": [2, 3], "model.hidden": [4]},
    }
    store = scan(ScanConfig(**settings), out=tmp_path / "scan").store
    (record,) = load(store)
    assert record.title == "unigram, local minimum: $(p, q) = (0.5, 0.8)$\nwidth = 2"


def test_a_scan_without_slices_says_so(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"source": {"p": 0.5, "q": 0.8}}
    store = StoredScan.of(ScanStore(tmp_path / "scan").open_or_create(ScanConfig(**settings), {}))
    with pytest.raises(ValueError, match=r"no finished cell has a slice .*set measure\.slice"):
        load(store)
