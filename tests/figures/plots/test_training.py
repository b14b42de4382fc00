"""The picture of training holds every run, the two entropies and the escapes."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from figures.output import write
from figures.plots.training import draw_training

H_U, H_B = 0.66628, 0.61901
LOSS = np.array([[0.67, 0.66, 0.63, 0.62], [0.68, 0.667, 0.667, 0.666], [0.67, 0.62, 0.62, np.nan]])
ESCAPES = [2, None, 1]


def drawn(loss: np.ndarray, escapes: list[int | None]) -> Figure:
    figure = Figure()
    draw_training(
        figure, loss, unigram_loss=H_U, bigram_loss=H_B, escape_steps=escapes, title="three runs"
    )
    return figure


def test_every_run_is_drawn_against_its_steps() -> None:
    axes = drawn(LOSS, ESCAPES).axes[0]
    runs = [line for line in axes.lines if line.get_linestyle() == "-"]
    assert [np.asarray(run.get_xdata()).tolist() for run in runs] == [[0, 1, 2, 3]] * 3
    curves = np.array([np.asarray(run.get_ydata()) for run in runs])
    assert np.array_equal(curves, LOSS, equal_nan=True)


def test_the_dashed_lines_are_the_entropies_and_say_so() -> None:
    axes = drawn(LOSS, ESCAPES).axes[0]
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert [np.asarray(line.get_ydata()).tolist() for line in dashed] == [[H_U] * 2, [H_B] * 2]
    labels = {text.get_text(): text for text in axes.texts}
    for name, value, line in (("$H_u$", H_U, dashed[0]), ("$H_b$", H_B, dashed[1])):
        assert labels[name].xy[1] == value  # type: ignore[attr-defined]  # an Annotation
        assert labels[name].get_color() == line.get_color()


def test_the_escapes_are_marked_where_they_happened() -> None:
    axes = drawn(LOSS, ESCAPES).axes[0]
    (marks,) = [artist for artist in axes.collections if artist.get_gid() == "escape"]
    assert isinstance(marks, PathCollection)
    assert np.asarray(marks.get_offsets()).tolist() == [[2, 0.63], [1, 0.62]]
    assert marks.get_label() == "escape (2 of 3)"
    # The control: runs that stayed have no mark.
    assert drawn(LOSS, [None] * 3).axes[0].collections[:] == []


def test_a_run_without_a_finite_loss_is_marked_where_it_was_lost() -> None:
    loss = np.vstack([LOSS[0], np.full(LOSS.shape[1], np.nan)])
    loss = np.vstack([loss, [0.67, np.inf, 0.66, np.nan]])
    axes = drawn(loss, [None] * 3).axes[0]
    (marks,) = [line for line in axes.lines if line.get_gid() == "lost"]
    assert np.asarray(marks.get_xdata()).tolist() == [0, 3]  # seen again at 2, lost from 3 on
    assert marks.get_label() == "loss not finite from here on (2 of 3)"
    assert axes.get_xlim() == pytest.approx((-0.03, 3.03))
    # The control: finite runs have no mark.
    finite = drawn(LOSS[:2], ESCAPES[:2]).axes[0]
    assert [line for line in finite.lines if line.get_gid() == "lost"] == []


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_the_same_runs_give_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    def bytes_of(loss: np.ndarray, name: str) -> bytes:
        return write(drawn(loss, ESCAPES), tmp_path / f"{name}{suffix}").read_bytes()

    assert bytes_of(LOSS, "a") == bytes_of(LOSS, "b")
    assert bytes_of(LOSS, "a") != bytes_of(LOSS + 0.001, "c")


@pytest.mark.parametrize(("loss", "escapes", "message"), [
    (np.zeros((0, 3)), [], r"loss has shape \(0, 3\): give at least one run"),
    (LOSS, [1], "escape_steps has 1 entries, but loss has 3 runs: give one for each"),
    (LOSS, [1, None, 4], r"escape_steps has 4, which is not in 0\.\.3"),
])  # fmt: skip
def test_runs_that_do_not_fit_are_refused(
    loss: np.ndarray, escapes: list[int | None], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        drawn(loss, escapes)
