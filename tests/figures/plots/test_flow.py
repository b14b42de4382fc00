"""The phase portrait: every curve and every shade of it, against formulas written out here."""

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.quiver import Quiver

from figures.output import picture, write
from figures.panels.portrait import LEVELS
from figures.plots.flow import FlowRecord, draw
from figures.style import BIGRAM, UNIGRAM, styled

TURN = -1 / math.sqrt(2)
TRAP, OPEN, EVEN = ("0.9", "0.9"), ("0.1", "0.2"), ("0.3", "0.7")


def record_of(chain: tuple[str, str] = TRAP, **changes: Any) -> FlowRecord:
    settings: dict[str, Any] = {
        "p": Decimal(chain[0]),
        "q": Decimal(chain[1]),
        "e": np.array([0.7, 0.4, 1.0]),
        "w": np.array([-0.3, -0.6, -1.5]),
        "end": "bigram",
    }
    return FlowRecord(**{**settings, **changes})


def drawn(record: FlowRecord) -> Figure:
    figure = Figure()
    draw(figure, record)
    with styled():
        figure.draw_without_rendering()
    return figure


def named(figure: Figure, gid: str) -> list[Any]:
    return [child for child in figure.axes[0].get_children() if child.get_gid() == gid]


def legend_of(figure: Figure) -> list[str]:
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def energy(e: Any, w: Any) -> Any:
    return e**2 - w**2 - np.sign(w) * np.log(np.abs(w))


@pytest.mark.parametrize("chain", [TRAP, OPEN])
def test_the_separatrix_is_the_level_of_the_saddle(chain: tuple[str, str]) -> None:
    lines = named(drawn(record_of(chain)), "separatrix")
    assert len(lines) == 2
    for line, sign in zip(lines, (1, -1), strict=True):
        w, e = line.get_data()
        assert (sign * e >= 0).all() and w.min() <= -3 and w.max() > -1e-5
        # the square root of a difference of numbers near 1 keeps 1e-8 where it is 0
        assert np.abs(energy(e, w) - energy(0, TURN)).max() < 1e-13
        assert np.abs(energy(e, w) - energy(0.1, TURN)).max() > 1e-3
        assert np.abs(e[np.argmin(np.abs(w - TURN))]) < 1e-7  # it goes through the saddle


@pytest.mark.parametrize(("chain", "side"), [(TRAP, -1), (OPEN, 1)])
def test_the_bigram_curve_is_where_the_gap_is_that_of_the_kernel(
    chain: tuple[str, str], side: int
) -> None:
    figure = drawn(record_of(chain))
    p, q = map(float, chain)
    lines = named(figure, "bigram")
    assert len(lines) == 2
    for line in lines:
        w, e = line.get_data()
        gap = e**2 * (1 + 2 * w * np.abs(w))
        assert np.abs(gap - math.log((1 - p) * (1 - q) / (p * q))).max() < 1e-12
        assert (side * (w - TURN) > 0).all()
        assert line.get_linestyle() == "--" and mpl.colors.same_color(line.get_color(), BIGRAM)


@pytest.mark.parametrize(("chain", "side"), [(TRAP, 1), (OPEN, -1)])
def test_the_unigram_line_is_split_at_the_saddle(chain: tuple[str, str], side: int) -> None:
    figure = drawn(record_of(chain))
    (minima,), (saddles,) = (
        named(figure, f"unigram {kind}") for kind in ("local minima", "saddles")
    )
    assert sorted(minima.get_xdata()) == sorted([TURN, 3.0 * side])
    assert sorted(saddles.get_xdata()) == sorted([TURN, -3.0 * side])
    for line in (minima, saddles):
        assert set(line.get_ydata()) == {0}
        assert mpl.colors.same_color(line.get_color(), UNIGRAM)
    assert (minima.get_linestyle(), saddles.get_linestyle()) == ("-", ":")


def test_the_energy_lines_are_levels_of_the_energy() -> None:
    figure = drawn(record_of())
    found = named(figure, "energy")
    assert len(found) == 2  # one for each sign of w
    for lines in found:
        assert tuple(lines.levels) == LEVELS
        for level, path in zip(lines.levels, lines.get_paths(), strict=True):
            if len(path.vertices):
                w, e = path.vertices.T
                # straight pieces between the points of a grid of 601, geometric in w
                assert np.abs(energy(e, w) - level).max() < 1e-3
                assert np.abs(energy(e, w / 2) - level).max() > 0.1


@pytest.mark.parametrize("chain", [TRAP, OPEN, EVEN])
def test_the_arrows_are_unit_vectors_down_the_loss(chain: tuple[str, str]) -> None:
    """Down a loss whose bias is found by bisection, by differences."""
    p, q = map(float, chain)

    def loss(e: float, w: float) -> float:
        gap = e * e * (1 + 2 * w * abs(w))
        low, high = -60.0, 60.0
        for _ in range(80):
            zero = (low + high) / 2
            mean = q / (1 + math.exp(-zero)) + p / (1 + math.exp(-zero - gap))
            low, high = (zero, high) if mean < p else (low, zero)
        total = 0.0
        for weight, f, r in ((q, zero, p), (p, zero + gap, 1 - q)):
            total += weight * (max(f, 0) + math.log1p(math.exp(-abs(f))) - r * f) / (p + q)
        return total

    (arrows,) = (child for child in drawn(record_of(chain)).axes[0].get_children()
                 if isinstance(child, Quiver))  # fmt: skip
    places = np.column_stack([arrows.X, arrows.Y])
    directions = np.column_stack([arrows.U, arrows.V])
    assert len(places) == 400 and arrows.angles == "xy"
    assert np.abs(np.hypot(*directions.T) - 1).max() < 1e-14
    checked = exchanged = 0
    for (w, e), (along_w, along_e) in list(zip(places, directions, strict=True))[::7]:
        if abs(e * e * (1 + 2 * w * abs(w))) > 20:  # the loss is straight there, but b is far out
            continue
        h = 1e-5
        slope = np.array([loss(e, w + h) - loss(e, w - h), loss(e + h, w) - loss(e - h, w)])
        if np.linalg.norm(slope) < 1e-8:
            continue
        slope /= np.linalg.norm(slope)
        assert abs(-slope @ (along_w, along_e) - 1) < 1e-4  # round-off 1e-16/1e-8 of a small slope
        checked += 1
        exchanged += abs(-slope @ (along_e, along_w) - 1) > 1e-3
    assert checked > 25
    assert exchanged > 20  # the control: w and e exchanged


@pytest.mark.parametrize("chain", [TRAP, OPEN])
def test_every_shade_of_the_picture_is_that_of_the_basin(chain: tuple[str, str]) -> None:
    """From the pixels, the colour seen most in a small square: its lines and arrows are fewer."""
    figure = Figure(dpi=300)
    canvas = FigureCanvasAgg(figure)
    draw(figure, record_of(chain))
    canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib leaves it bare
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]  # as above
    axes = figure.axes[0]
    seen: dict[str, set[tuple[int, ...]]] = {"unigram": set(), "bigram": set()}
    for w in (-2.6, -1.7, -1.0, -0.5, 0.4, 1.3, 2.4):
        for e in (-2.2, -1.2, -0.25, 0.25, 1.2, 2.2):
            height = math.sqrt(w * w - math.log(-w) - (1 + math.log(2)) / 2) if w < 0 else 0.0
            if abs(abs(e) - height) < 0.15 and w < 0:
                continue
            if chain == TRAP:
                unigram = w >= 0 or (w > TURN and abs(e) < height)
            else:
                unigram = w < TURN and abs(e) < height
            across, up = axes.transData.transform((w, e)).astype(int)
            square = pixels[
                len(pixels) - up - 12 : len(pixels) - up + 12, across - 12 : across + 12
            ]
            colours, counts = np.unique(square.reshape(-1, 4)[:, :3], axis=0, return_counts=True)
            seen["unigram" if unigram else "bigram"].add(tuple(colours[counts.argmax()].tolist()))
    assert len(seen["unigram"]) == len(seen["bigram"]) == 1
    assert seen["unigram"] != seen["bigram"]


def test_the_flow_is_drawn_with_its_ends() -> None:
    record = record_of()
    figure = drawn(record)
    (flow,) = named(figure, "flow")
    assert np.array_equal(flow.get_xdata(), record.w)
    assert np.array_equal(flow.get_ydata(), record.e)
    texts = legend_of(figure)
    assert texts[-3:] == ["the flow, integrated", "start", "end: bigram"]
    assert legend_of(drawn(record_of(end=None)))[-1] == "end: undecided"
    axes = figure.axes[0]
    assert axes.get_title() == "gradient flow at $(p, q) = (0.9, 0.9)$, bias at its best value"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("feed-forward weight $w$", "embedding $e$")
    assert axes.get_xlim() == axes.get_ylim() == (-3, 3)
    far = drawn(record_of(e=np.array([5.0, 1.0, 1.0]))).axes[0]
    assert far.get_xlim() == far.get_ylim() == (-5.5, 5.5)


def test_a_free_bias_has_no_portrait_of_two_dimensions() -> None:
    figure = drawn(record_of(free_bias=True))
    parts = ("energy", "separatrix", "flow field", "unigram basin")
    assert [part for part in parts if named(figure, part)] == []
    assert named(figure, "bigram") and named(figure, "flow")
    assert "free bias, projected" in figure.axes[0].get_title()
    assert all(named(drawn(record_of()), part) for part in parts)  # the control


def test_where_p_and_q_add_up_to_1_there_is_one_set() -> None:
    figure = drawn(record_of(EVEN, end=None))
    assert [part for part in ("separatrix", "bigram", "unigram basin") if named(figure, part)] == []
    lines = [np.array(line.get_data()).T.tolist() for line in named(figure, "both")]
    assert lines == [[[-3, 0], [3, 0]], [[TURN, -3], [TURN, 3]]]
    assert legend_of(figure)[-1] == "end"
    assert record_of(("0.7", "0.3")).excess == 0  # 0.7 + 0.3 in floats, too, by luck
    assert record_of(("0.1", "0.9")).excess == 0 and record_of(("0.1", "0.91")).excess == 1


@pytest.mark.parametrize("record", [record_of(), record_of(free_bias=True), record_of(EVEN)],
                         ids=["best", "free", "even"])  # fmt: skip
def test_nothing_hangs_over_the_edge_or_over_another(record: FlowRecord) -> None:
    figure = drawn(record)
    axes, (legend,) = figure.axes[0], figure.legends
    page = figure.bbox
    boxes = [
        box.get_window_extent() for box in (axes.title, axes.xaxis.label, axes.yaxis.label, legend)
    ]
    for box in boxes:
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
    assert not any(boxes[3].overlaps(box) for box in (*boxes[:3], axes.get_window_extent()))


def test_the_same_flow_is_the_same_file(tmp_path: Path) -> None:
    for suffix in (".png", ".svg"):
        one, two = (
            write(picture(draw, record_of()), tmp_path / f"{n}{suffix}") for n in ("one", "two")
        )
        assert one.read_bytes() == two.read_bytes()
    other = write(picture(draw, record_of(end="unigram")), tmp_path / "other.png")
    assert other.read_bytes() != (tmp_path / "one.png").read_bytes()
