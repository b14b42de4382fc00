"""The picture of survival holds the record's curves, and the record those of the folder."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures.__main__ import main
from figures.plots.survival import COLOURS, LINES, draw, load, save
from figures.records.survival import MOST, Group, SurvivalRecord
from figures.style import TEXT_WIDTH, luminance
from landscape.config.cell import CellConfig
from landscape.config.scan import ConfigError
from landscape.training.survival import survival_curve
from tests.planted.scans import planted_runs, scan_of_runs

TIMES = np.arange(0, 101, 10)
STUCK = survival_curve(TIMES, [70, None, None, None], lost=[None, 40, None, None])
GONE = survival_curve(TIMES, [20, 20, 30, 60])
LONG = survival_curve(TIMES, [70] * 40 + [None] * 120, lost=[None] * 150 + [40] * 10)
RECORD = SurvivalRecord(
    "two",
    (
        Group("tied weights", "$p+q<1$ (theory: saddle)", 0, 2, GONE),
        Group("tied weights", "$p+q>1$ (theory: local minimum)", 1, 1, STUCK),
        Group("untied weights", "$p+q<1$ (theory: saddle)", 0, 1, GONE),
    ),
    degenerate=0,
    missing=0,
)


def escapes(cell: CellConfig) -> list[int | None]:
    """Above the line a tied cell keeps three of four runs; every other cell loses all by 30."""
    above = sum(cell.source.chain) > 1
    return [50, None, None, None] if above and cell.model.tying == "tied" else [20, 20, 20, 30]


def drawn(record: SurvivalRecord) -> Figure:
    figure = Figure()
    FigureCanvasAgg(figure)
    draw(figure, record)
    return figure


def curves(axes: Axes) -> list[Line2D]:
    return [line for line in axes.lines if line.get_gid() is None]


def data(line: Line2D) -> tuple[list[float], list[float]]:
    return np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()


def test_every_curve_of_the_record_is_drawn_as_steps_with_its_limits() -> None:
    figure = drawn(RECORD)
    for axes, groups in zip(figure.axes, (RECORD.groups[:2], RECORD.groups[2:]), strict=True):
        for kind, name in ((None, "share"), ("low", "low"), ("high", "high")):
            lines = [line for line in axes.lines if line.get_gid() == kind]
            assert [line.get_drawstyle() for line in lines] == ["steps-post"] * len(groups)
            expected = [(TIMES.tolist(), getattr(g.curve, name).tolist()) for g in groups]
            assert [data(line) for line in lines] == expected
    # The control: another record is another picture.
    later = survival_curve(TIMES, [20, 20, 30, 70])
    changed = replace(RECORD, groups=(replace(RECORD.groups[0], curve=later), *RECORD.groups[1:]))
    assert data(curves(drawn(changed).axes[0])[0]) != data(curves(figure.axes[0])[0])


def test_the_bands_lie_between_the_limits_at_every_step_and_between_steps() -> None:
    axes = drawn(RECORD).axes[0]
    bands = [artist for artist in axes.collections if artist.get_gid() == "band"]
    for band, group in zip(bands, RECORD.groups[:2], strict=True):
        assert isinstance(band, PolyCollection)
        (path,) = band.get_paths()
        for at in (5.0, 25.0, 65.0, 95.0):  # halfway: what held at the step before
            k = int(np.searchsorted(TIMES, at)) - 1
            low, high = group.curve.low[k], group.curve.high[k]
            inside = [(at, low + 1e-6), (at, high - 1e-6)]
            outside = [(at, low - 1e-6), (at, high + 1e-6)]
            assert path.contains_points(inside).all()
            assert not path.contains_points(outside).any()


def test_lost_runs_are_marked_where_they_were_lost_and_named_in_the_legend() -> None:
    axes = drawn(RECORD).axes
    (marks,) = [artist for artist in axes[0].collections if artist.get_gid() == "lost"]
    assert isinstance(marks, PathCollection)
    assert np.asarray(marks.get_offsets()).tolist() == [[40, 0.75]]
    assert "runs lost: loss not finite" in words(axes[0])
    # The control: where no run was lost there is no mark and no word of it.
    assert [a for a in axes[1].collections if a.get_gid() == "lost"] == []
    assert "runs lost: loss not finite" not in words(axes[1])


def words(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def test_the_legend_says_how_many_runs_and_the_panels_what_the_band_is() -> None:
    tied, untied = drawn(RECORD).axes
    assert words(tied)[0] == "$p+q<1$ (theory: saddle), 4 runs, 2 cells"
    assert words(untied) == ["$p+q<1$ (theory: saddle), 4 runs"]
    assert "95% band at each step, from 4 independent seeds" in [t.get_text() for t in tied.texts]
    assert (tied.get_title(), untied.get_title()) == ("Tied weights", "Untied weights")
    assert tied.get_ylabel() == "share of runs still above\n$(H_u+H_b)/2$"


@pytest.mark.parametrize("panels", [1, 2])
def test_nothing_overlaps_and_nothing_leaves_the_page(panels: int) -> None:
    # The longest words that theory has for either tying, over hundreds of runs.
    groups = [
        Group(f"{tying} weights, $p=0.5$, $q=0.8$", f"$p+q>1$ (theory: {name})", style, 10, LONG)
        for tying, name in [("tied", "local minimum"), ("untied", "saddle")][:panels]
        for style in range(MOST)
    ]
    figure = drawn(SurvivalRecord("many", tuple(groups), 0, 0))
    assert figure.get_size_inches()[0] == TEXT_WIDTH
    assert collisions(figure) == []
    # The control: a legend over its own curves is caught.
    legend = figure.axes[0].get_legend()
    assert legend is not None
    legend.set_bbox_to_anchor((0.5, 0.5), transform=figure.axes[0].transAxes)
    assert collisions(figure) != []


def collisions(figure: Figure) -> list[str]:
    """The texts, legends and panels that overlap another one or the edge of the page."""
    figure.canvas.draw()
    boxes = []
    for axes in figure.axes:
        legend = axes.get_legend()
        assert legend is not None
        things = (legend, axes.xaxis.label, axes.title, axes, *axes.texts)
        boxes += [(str(thing), thing.get_window_extent()) for thing in things]
    page = figure.bbox
    return [
        name
        for k, (name, box) in enumerate(boxes)
        if not (page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1)
        or any(box.overlaps(other) for _, other in boxes[k + 1 :])
    ]


def test_in_grey_the_dashes_tell_the_curves_apart() -> None:
    assert len(COLOURS) == len(LINES) == MOST
    assert len(set(map(str, LINES))) == MOST
    assert len({to_rgb(colour) for colour in COLOURS}) == MOST
    # Each stands out against white by more than 1.5 (WCAG's contrast), on paper in grey too.
    assert min(1.05 / (luminance(colour) + 0.05) for colour in COLOURS) > 1.5


def test_the_same_record_gives_the_same_bytes(tmp_path: Path) -> None:
    first, again = save(RECORD, tmp_path / "a"), save(RECORD, tmp_path / "b")
    assert [path.suffix for path in first] == [".png", ".pdf"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    other = replace(RECORD, groups=RECORD.groups[:2])
    assert save(other, tmp_path / "c")[0].read_bytes() != first[0].read_bytes()


def test_the_runs_are_pooled_by_the_side_of_the_line_and_named_by_theory(tmp_path: Path) -> None:
    record = load(planted_runs(tmp_path, escapes))
    named = [(group.panel, group.label) for group in record.groups]
    assert named == [
        ("tied weights", "$p+q<1$ (theory: saddle)"),
        ("tied weights", "$p+q>1$ (theory: local minimum)"),
        ("untied weights", "$p+q<1$ (theory: saddle)"),
        ("untied weights", "$p+q>1$ (theory: saddle)"),
    ]
    # Of nine chains three lie below the line, three on it, three above; two tyings.
    assert [(g.cells, g.curve.runs, g.curve.independent) for g in record.groups] == [(3, 12, 4)] * 4
    assert [group.curve.share[-1] for group in record.groups] == [0, 0.75, 0, 0]
    assert (record.degenerate, record.missing, record.name) == (6, 0, "planted")


def test_cells_without_a_result_are_counted_and_in_no_curve(tmp_path: Path) -> None:
    def some(cell: CellConfig) -> list[int | None] | None:
        lower = (str(cell.source.p), str(cell.source.q)) == ("0.2", "0.2")
        return None if lower else escapes(cell)

    record = load(planted_runs(tmp_path, some))
    assert (record.missing, [group.cells for group in record.groups]) == (2, [2, 3, 2, 3])


def test_a_diverged_run_of_the_folder_is_lost_in_the_record(tmp_path: Path) -> None:
    def ruined(cell: CellConfig) -> dict[int, int]:
        # The first run had escaped at 50 and the second had not, where the cell is above the line.
        return {0: 60, 1: 30} if cell.model.tying == "tied" else {}

    config = scan_of_runs(source={"p": "0.5", "q": "0.8"}, axes={"model.tying": ["tied", "untied"]})
    record = load(planted_runs(tmp_path, escapes, config=config, ruined=ruined))
    tied, untied = (group.curve for group in record.groups)
    assert (tied.above[-1], tied.escaped[-1], tied.lost[-1]) == (2, 1, 1)
    assert tied.lost.tolist() == [0] * 3 + [1] * 8
    assert untied.lost.tolist() == [0] * 11


WIDTHS = {"model.width": [2, 3]}


def test_a_setting_gives_a_curve_for_each_of_its_values(tmp_path: Path) -> None:
    config = scan_of_runs(source={"p": "0.5", "q": "0.8"}, axes=WIDTHS)
    store = planted_runs(
        tmp_path, lambda cell: [None] * 4 if cell.model.width == 2 else [20] * 4, config=config
    )
    record = load(store, by="model.width")
    assert [(g.label, g.curve.share[-1]) for g in record.groups] == [
        ("width = 2", 1),
        ("width = 3", 0),
    ]
    assert [group.panel for group in record.groups] == ["tied weights, $p=0.5$, $q=0.8$"] * 2
    assert len(load(store, by="model.width", select={"model.width": "3"}).groups) == 1


def test_the_values_of_a_setting_come_in_the_order_of_the_scan(tmp_path: Path) -> None:
    # 0.8 + 0.5 lies above the line and 0.2 + 0.5 below it: what comes first is the scan's to say.
    config = scan_of_runs(source={"q": "0.5"}, axes={"source.p": ["0.8", "0.2"]})
    record = load(planted_runs(tmp_path, escapes, config=config), by="source.p")
    assert [group.label for group in record.groups] == ["p = 0.8", "p = 0.2"]
    sides = load(planted_runs(tmp_path, escapes, config=config))
    assert [group.style for group in sides.groups] == [0, 1]


def test_a_side_of_the_line_has_one_style_whatever_else_is_drawn(tmp_path: Path) -> None:
    both = load(planted_runs(tmp_path / "both", escapes))
    config = scan_of_runs(source={"p": "0.5", "q": "0.8"}, axes={})
    alone = load(planted_runs(tmp_path / "alone", escapes, config=config))
    assert [group.style for group in both.groups] == [0, 1, 0, 1]
    assert [group.style for group in alone.groups] == [1]
    colours = [curves(axes)[-1].get_color() for r in (both, alone) for axes in drawn(r).axes]
    assert colours == [COLOURS[1]] * 3


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    on_the_line = scan_of_runs(source={"p": "0.2", "q": "0.8"}, axes={})
    store = planted_runs(tmp_path / "line", escapes, config=on_the_line)
    with pytest.raises(ValueError, match=r"of 1 cells 1 are at p\+q = 1, .* and 0 have no"):
        load(store)
    wide = scan_of_runs(source={"p": "0.5", "q": "0.8"}, axes={"model.width": list(range(1, 9))})
    store = planted_runs(tmp_path / "wide", escapes, config=wide)
    with pytest.raises(ValueError, match=r"by = 'model\.width' gives 8 curves, and no more than 6"):
        load(store, by="model.width")
    with pytest.raises(ConfigError, match=r"did you mean model\.width"):
        load(store, by="model.widht")


def test_the_command_draws_it_and_says_which_picture_it_could_not_draw(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = scan_of_runs(source={"p": "0.5", "q": "0.8"}, axes=WIDTHS)
    planted_runs(tmp_path, escapes, config=config)
    assert main([str(tmp_path), "--by", "model.width"]) == 0
    output = capsys.readouterr()
    assert output.out.split() == [str(tmp_path / f"survival.{kind}") for kind in ("png", "pdf")]
    assert "no phase diagram: the scan has several cells at one (p, q)" in output.err
    # The controls: a setting that is not there, and a folder without runs, are errors.
    assert main([str(tmp_path), "--by", "model.widht"]) == 2
    assert "--by model.widht is refused" in capsys.readouterr().err
    planted_runs(tmp_path / "empty", lambda cell: None, config=config)
    assert main([str(tmp_path / "empty")]) == 2
