"""The picture shows the record: its numbers lie in what is drawn, and no bad cell is hidden."""

import dataclasses
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection, PathCollection
from matplotlib.figure import Figure

from figures.plots.phase_diagram import draw, save
from figures.records.phase import PhaseRecord, load
from figures.records.phase_plane import curvature_field
from figures.style import TEXT_WIDTH, styled
from tests.planted.scans import Key, planted, scan_of

GONE: Key = ("tied", "0.8", "0.5")
BAD: Key = ("untied", "0.5", "0.8")
BAD_AT = (1, 2, 1)
REFUTED = {BAD: {"verdict": "refuted", "inertia": [1, 35, 4], "max_error": 0.3}}


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> PhaseRecord:
    return load(planted(tmp_path_factory.mktemp("scan")))


@pytest.fixture(scope="module")
def flawed(tmp_path_factory: pytest.TempPathFactory) -> PhaseRecord:
    return load(planted(tmp_path_factory.mktemp("scan"), skip=[GONE], unigram=REFUTED))


def drawn(record: PhaseRecord) -> Figure:
    figure = Figure()
    draw(figure, record)
    return figure


def panels(figure: Figure, rows: int) -> list[list[Axes]]:
    return [figure.axes[3 * row : 3 * row + 3] for row in range(rows)]


def named(axes: Axes, gid: str) -> list[Artist]:
    return [artist for artist in axes.get_children() if artist.get_gid() == gid]


def tiles(axes: Axes, gid: str) -> dict[tuple[float, float], float | None]:
    """The centre of every square drawn under this name, with its value if it has one."""
    found: dict[tuple[float, float], float | None] = {}
    for artist in named(axes, gid):
        assert isinstance(artist, PatchCollection)
        values = artist.get_array()
        for k, path in enumerate(artist.get_paths()):
            x, y = path.get_extents().get_points().mean(axis=0).round(9).tolist()
            found[x, y] = None if values is None else float(values[k])
    return found


def marks(axes: Axes, gid: str, record: PhaseRecord) -> set[tuple[float, float]]:
    """The grid points nearest to the marks drawn under this name."""
    found = set()
    for artist in named(axes, gid):
        assert isinstance(artist, PathCollection)
        for x, y in np.asarray(artist.get_offsets()):
            p = record.p[np.abs(record.p - x).argmin()]
            q = record.q[np.abs(record.q - y).argmin()]
            found.add((float(p), float(q)))
    return found


def cells(record: PhaseRecord, where: np.ndarray) -> set[tuple[float, float]]:
    return {(float(record.p[j]), float(record.q[i])) for i, j in np.argwhere(where)}


def test_the_theory_panels_hold_the_field_of_theory(record: PhaseRecord) -> None:
    for tying, row in zip(record.tying, panels(drawn(record), 2), strict=True):
        (image,) = row[0].get_images()
        field = curvature_field(tying, 50)  # type: ignore[arg-type]  # a str out of the record
        assert np.array_equal(np.asarray(image.get_array()), field)
        assert tuple(image.get_extent()) == (0, 1, 0, 1)
        assert image.origin == "lower"


def test_the_measured_squares_hold_the_curvatures_of_the_record(record: PhaseRecord) -> None:
    for row, (_, measured, _) in enumerate(panels(drawn(record), 2)):
        squares = tiles(measured, "measured")
        assert len(squares) == 9
        for (i, j), value in np.ndenumerate(record.curvature[row]):
            assert squares[float(record.p[j]), float(record.q[i])] == value


def test_one_colour_scale_centred_at_zero_serves_both_panels_of_all_rows(
    record: PhaseRecord,
) -> None:
    limits = set()
    for theory, measured, _ in panels(drawn(record), 2):
        limits.add(theory.get_images()[0].get_clim())
        (squares,) = named(measured, "measured")
        assert isinstance(squares, PatchCollection)
        limits.add(squares.get_clim())
    ((low, high),) = limits
    assert low == -high
    assert high >= np.abs(record.curvature).max()


def test_equal_numbers_get_equal_colours(record: PhaseRecord) -> None:
    figure = drawn(record)
    with styled():  # ticks are made when they are drawn
        figure.draw_without_rendering()
    theory, measured, _ = panels(figure, 2)[0]
    (squares,) = named(measured, "measured")
    assert isinstance(squares, PatchCollection)
    image = theory.get_images()[0]
    faces = np.asarray(squares.get_facecolor())
    expected = image.to_rgba(np.asarray(squares.get_array()))
    assert np.array_equal(faces, expected)
    # The control: the numbers differ, and so do the colours.
    assert len(np.unique(faces, axis=0)) > 4


def test_the_fractions_are_those_of_the_record(record: PhaseRecord) -> None:
    for row, (_, _, trained) in enumerate(panels(drawn(record), 2)):
        live = ~record.degenerate
        texts = {
            text.get_position(): text.get_text() for text in trained.texts if "/" in text.get_text()
        }
        shares = tiles(trained, "share")
        assert set(shares) == set(texts) == cells(record, live)
        for i, j in np.argwhere(live):
            place, count = (float(record.p[j]), float(record.q[i])), record.stuck[row, i, j]
            assert texts[place] == f"{count}/4"
            assert shares[place] == count / 4
        # p+q = 1: a hatched square, no fraction.
        assert set(tiles(trained, "degenerate")) == cells(record, record.degenerate)
        (hatched,) = named(trained, "degenerate")
        assert isinstance(hatched, PatchCollection)
        assert hatched.get_hatch()


def test_every_panel_has_the_line_p_plus_q_equal_to_one(record: PhaseRecord) -> None:
    for row in panels(drawn(record), 2):
        for axes in row:
            (line,) = [line for line in axes.lines if line.get_gid() == "p+q=1"]
            points = np.asarray(line.get_xydata())
            assert points.sum(axis=1).tolist() == [1, 1]
            assert sorted(points[:, 0]) == [0, 1]
            assert axes.get_aspect() == 1
            assert (axes.get_xlim(), axes.get_ylim()) == ((0, 1), (0, 1))


def test_the_regions_carry_the_names_of_theory(record: PhaseRecord) -> None:
    names = [
        {text.get_text(): sum(text.get_position()) for text in row[0].texts}
        for row in panels(drawn(record), 2)
    ]
    assert names[0]["saddle"] < 1 < names[0]["local minimum"]
    assert "local minimum" not in names[1]


def test_a_sound_record_is_ticked_everywhere_and_crossed_nowhere(record: PhaseRecord) -> None:
    everything = cells(record, np.ones((3, 3), dtype=bool))
    for _, measured, trained in panels(drawn(record), 2):
        assert marks(measured, "verified", record) == everything
        for axes in (measured, trained):
            assert marks(axes, "refuted", record) == marks(axes, "missing", record) == set()
            assert tiles(axes, "not measured") == {}


def test_a_refuted_cell_is_crossed_out_over_its_colour(flawed: PhaseRecord) -> None:
    _, measured, _ = panels(drawn(flawed), 2)[1]
    assert marks(measured, "refuted", flawed) == {(0.5, 0.8)}
    assert (0.5, 0.8) not in marks(measured, "verified", flawed)
    assert tiles(measured, "measured")[0.5, 0.8] == flawed.curvature[BAD_AT]
    (cross,) = named(measured, "refuted")
    (ticks,) = named(measured, "verified")
    (squares,) = named(measured, "measured")
    assert isinstance(cross, PathCollection)
    assert isinstance(ticks, PathCollection)
    # It lies on top, across the square, and is heavier than a tick.
    assert cross.get_zorder() > squares.get_zorder()
    assert cross.get_sizes()[0] > 4 * ticks.get_sizes()[0]
    assert np.min(cross.get_linewidth()) > np.max(ticks.get_linewidth())


def test_a_missing_cell_is_an_empty_square_crossed_out_in_both_panels(flawed: PhaseRecord) -> None:
    _, measured, trained = panels(drawn(flawed), 2)[0]
    for axes, name in ((measured, "measured"), (trained, "share")):
        assert set(tiles(axes, "not measured")) == {(0.8, 0.5)}
        assert marks(axes, "missing", flawed) == {(0.8, 0.5)}
        assert (0.8, 0.5) not in tiles(axes, name)


def pixels(record: PhaseRecord, path: Path) -> np.ndarray:
    return np.asarray(mpl.image.imread(save(record, path)[0]))


def test_a_refuted_cell_changes_the_picture_inside_its_square(
    record: PhaseRecord, tmp_path: Path
) -> None:
    state = record.state.copy()
    state[BAD_AT] = "refuted"
    figure = drawn(record)
    before = pixels(record, tmp_path / "before")
    after = pixels(dataclasses.replace(record, state=state), tmp_path / "after")
    assert before.shape == after.shape
    box = figure.axes[4].get_position()  # second row, second panel
    height, width = before.shape[:2]
    x, y = box.x0 + 0.5 * box.width, box.y0 + 0.8 * box.height
    half = 0.1 * box.width * width
    rows = slice(int(height * (1 - y) - half), int(height * (1 - y) + half))
    columns = slice(int(width * x - half), int(width * x + half))
    changed = (before != after).any(axis=2)
    # The two diagonals of the square, 1.6 points wide, cover more than a twentieth of it.
    assert changed[rows, columns].mean() > 0.05
    # The control: everything above the second row is as it was.
    assert not changed[: int(height * (1 - box.y1))].any()


def test_the_largest_error_of_the_row_is_printed_over_the_panel(flawed: PhaseRecord) -> None:
    texts = [
        [text.get_text() for text in row[1].texts if "error" in text.get_text()]
        for row in panels(drawn(flawed), 2)
    ]
    assert texts[0] == [r"eigenvalue error $\leq 3.0\times 10^{-16}$"]
    assert texts[1] == [r"eigenvalue error $\leq 3.0\times 10^{-1}$"]


def test_the_legend_explains_the_marks_that_are_there(
    record: PhaseRecord, flawed: PhaseRecord
) -> None:
    def legend(of: PhaseRecord) -> list[str]:
        (box,) = drawn(of).legends
        return [text.get_text() for text in box.get_texts()]

    line = "$p+q=1$: unigram is bigram"
    assert legend(record) == ["inertia as predicted", line]
    assert legend(flawed) == ["inertia as predicted", "prediction refuted", "no result", line]


def test_the_same_record_gives_the_same_bytes(flawed: PhaseRecord, tmp_path: Path) -> None:
    first, second = (save(flawed, tmp_path / name / "phase.v1") for name in ("a", "b"))
    assert [path.name for path in first] == ["phase.v1.png", "phase.v1.pdf"]
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    # The control: another record gives others.
    other = save(dataclasses.replace(flawed, steps=101), tmp_path / "c")
    assert all(a.read_bytes() != b.read_bytes() for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("random_weights", [0.0, 0.25])
@pytest.mark.parametrize("all_states", [False, True])
def test_nothing_is_clipped_and_no_texts_overlap(
    flawed: PhaseRecord, random_weights: float, all_states: bool
) -> None:
    state = flawed.state.copy()
    if all_states:
        state[0, 0] = ["inconclusive", "not-applicable", "verified"]
    figure = drawn(dataclasses.replace(flawed, random_weights=random_weights, state=state))
    assert len(figure.legends[0].get_texts()) == (6 if all_states else 4)
    with styled():  # ticks are made when they are drawn
        figure.draw_without_rendering()
    assert figure.get_size_inches()[0] == TEXT_WIDTH
    bounds = figure.bbox
    boxes = []
    for axes in figure.axes:
        texts = [*axes.texts, axes.title, axes.xaxis.label, axes.yaxis.label]
        ticks = [*axes.get_xticklabels(), *axes.get_yticklabels()]
        shown = [t for t in [*texts, *ticks] if t.get_text().strip() and t.get_visible()]
        boxes += [(t.get_text(), t.get_window_extent()) for t in shown if t.get_rotation() != 315]
    boxes += [(t.get_text(), t.get_window_extent()) for t in figure.legends[0].get_texts()]
    outside = [
        text
        for text, box in boxes
        if box.x0 < 0 or box.y0 < 0 or box.x1 > bounds.x1 or box.y1 > bounds.y1
    ]
    assert outside == []
    # A title and the note under it are two lines of different texts: they may touch, not cross.
    overlapping = [
        (a, b)
        for k, (a, one) in enumerate(boxes)
        for b, other in boxes[:k]
        if one.padded(-2).overlaps(other.padded(-2))
    ]
    assert overlapping == []


@pytest.mark.parametrize("count", [1, 2, 33])
def test_any_grid_can_be_drawn(count: int, tmp_path: Path) -> None:
    values = (np.arange(count) + 0.5) / count
    shape = (1, count, count)
    record = PhaseRecord(
        name="any",
        tying=("untied",),
        p=values,
        q=values,
        curvature=np.zeros(shape),
        error=np.full(shape, np.nan),
        state=np.full(shape, "verified"),
        stuck=np.ones(shape, dtype=int),
        degenerate=np.zeros(shape[1:], dtype=bool),
        seeds=12,
        steps=1,
        random_weights=0.5,
    )
    figure = drawn(record)
    ((_, measured, trained),) = panels(figure, 1)
    assert len(tiles(measured, "measured")) == count**2
    fractions = [text for text in trained.texts if text.get_text() == "1/12"]
    # On a fine grid the fractions would be too small to read; the colours stay.
    assert len(fractions) == (0 if count == 33 else count**2)
    assert all(float(text.get_fontsize()) >= 4 for text in fractions)
    assert measured.texts[0].get_text() == "weights of std 0.5, nothing predicted"


def test_an_empty_scan_is_drawn_as_crosses(tmp_path: Path) -> None:
    config = scan_of()
    skip = [(t, p, q) for t in ("tied", "untied") for p in "258" for q in "258"]
    store = planted(tmp_path, config=config, skip=[(t, f"0.{p}", f"0.{q}") for t, p, q in skip])
    record = load(store)
    everything = cells(record, np.ones((3, 3), dtype=bool))
    for _, measured, trained in panels(drawn(record), 2):
        assert marks(measured, "missing", record) == everything
        assert marks(trained, "missing", record) == everything
