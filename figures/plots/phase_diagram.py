"""The (p, q) phase diagram of a scan: the prediction, the measured curvature, the trained runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from figures.output import picture, write_both
from figures.panels.phase_panels import MARKS, field_of, measured_panel, theory_panel, trained_panel
from figures.records.phase import PhaseRecord, load
from figures.style import CURVATURE, SHARE, TEXT_WIDTH, styled

__all__ = ["PhaseRecord", "draw", "load", "save"]

# All in inches, so that squares are squares and letters keep their size.
LEFT, RIGHT, GAP = 0.62, 0.06, 0.15
TOP, BETWEEN, BOTTOM = 0.42, 0.27, 0.98
PANEL = (TEXT_WIDTH - LEFT - RIGHT - 2 * GAP) / 3
BAR = 0.09
LINE = 0.15  # of the legend


def draw(figure: Figure, record: PhaseRecord) -> None:
    """Draw the phase diagram on a figure, which takes the size of the page's text width.

    A row for each tying; in it (a) the lowest curvature across the unigram set that theory predicts
    where all weights are 0, (b) the same from the dense Hessian of each cell, marked by what became
    of the prediction, (c) the share of runs that ended at the unigram. A refuted cell, and one
    without a result, is crossed out.

    >>> record = PhaseRecord(
    ...     "one", ("tied",), np.array([0.5]), np.array([0.8]), np.array([[[0.142]]]),
    ...     np.array([[[0.0]]]), np.array([[["verified"]]]), np.array([[[3]]]),
    ...     np.array([[False]]), seeds=4, steps=1000, random_weights=0.0,
    ... )
    >>> figure = Figure()
    >>> draw(figure, record)
    >>> figure.axes[2].texts[0].get_text()
    '3/4'
    """
    with styled():
        rows = len(record.tying)
        handles = _handles(record)
        base = BOTTOM + LINE * (_lines(handles) - 1)
        height = TOP + rows * PANEL + (rows - 1) * BETWEEN + base
        figure.set_size_inches(TEXT_WIDTH, height)
        fields = [field_of(tying) for tying in record.tying]
        seen = [*fields, record.curvature[np.isfinite(record.curvature)]]
        # One scale for both rows and both panels, so that equal colours are equal numbers.
        bound = max(float(np.abs(values).max(initial=0.0)) for values in seen)
        norm = Normalize(-bound, bound)
        for row, tying in enumerate(record.tying):
            bottom = height - TOP - (row + 1) * PANEL - row * BETWEEN
            panels = [
                _axes(figure, LEFT + k * (PANEL + GAP), bottom, PANEL, PANEL) for k in range(3)
            ]
            theory_panel(panels[0], tying, fields[row], norm)
            measured_panel(panels[1], record, row, norm)
            trained_panel(panels[2], record, row)
            _label(panels, record, row, last=row == rows - 1)
        _bars(figure, norm, base)
        _legend(figure, handles)


def save(record: PhaseRecord, path_without_suffix: Path | str) -> list[Path]:
    """Write the phase diagram as PNG (200 dots per inch) and PDF; return the two paths.

    The same record gives the same bytes. Raises OSError where the files cannot be written.
    """
    return write_both(picture(draw, record), path_without_suffix)


def _axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def _label(panels: list[Axes], record: PhaseRecord, row: int, *, last: bool) -> None:
    """Titles over the first row, p under the last, q and the tying at the left."""
    notes = ("all weights 0, contours 0.1 apart", _largest_error(record, row), _runs(record))
    titles = ("(a) Predicted curvature", "(b) Measured curvature", "(c) Runs still at unigram")
    for panel, title, note in zip(panels, titles, notes, strict=True):
        if row == 0:
            panel.set_title(title, pad=15)  # points, above the note
        panel.text(0.5, 1.03, note, transform=panel.transAxes, ha="center", va="bottom", fontsize=7)
        panel.tick_params(labelbottom=last, labelleft=panel is panels[0])
        if last:
            panel.set_xlabel("$p$", labelpad=1)
    panels[0].set_ylabel("$q$", labelpad=3)
    panels[0].text(
        -0.34,
        0.5,
        f"{record.tying[row]} weights",
        transform=panels[0].transAxes,
        rotation=90,
        ha="center",
        va="center",
        fontsize=8.5,
    )


def _largest_error(record: PhaseRecord, row: int) -> str:
    std = record.random_weights
    what, which = (f"weights of std {std:g}, ", "") if std else ("", "eigenvalue ")
    errors = record.error[row][np.isfinite(record.error[row])]
    if not len(errors):
        return f"{what}nothing predicted"
    mantissa, exponent = f"{errors.max():.1e}".split("e")
    power = rf"{mantissa}\times 10^{{{int(exponent)}}}" if errors.max() else "0"
    return rf"{what}{which}error $\leq {power}$"


def _runs(record: PhaseRecord) -> str:
    seeds = "1 seed" if record.seeds == 1 else f"{record.seeds} seeds"
    return f"{seeds}, {record.steps} steps"


def _bars(figure: Figure, norm: Normalize, base: float) -> None:
    wide = 2 * PANEL + GAP
    bars = (
        (CURVATURE, norm, LEFT, wide, "lowest curvature across the unigram set (nats)", None),
        (SHARE, Normalize(0, 1), LEFT + wide + GAP, PANEL, "share of runs", [0, 0.5, 1]),
    )
    for cmap, scale, left, width, label, ticks in bars:
        inset = 0.08 * PANEL
        axes = _axes(figure, left + inset, base - 0.44, width - 2 * inset, BAR)
        bar = figure.colorbar(ScalarMappable(scale, cmap), cax=axes, orientation="horizontal")
        bar.set_label(label, labelpad=1)
        bar.outline.set_linewidth(0.5)
        axes.tick_params(length=2, pad=1.5)
        if ticks is not None:
            bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])


def _handles(record: PhaseRecord) -> list[Line2D | Patch]:
    """The marks that are there, each with what it means."""
    states = set(record.state.ravel().tolist())
    if (record.stuck < 0).any():
        states.add("missing")
    handles: list[Line2D | Patch] = [
        Line2D([], [], linestyle="", marker=mark, markersize=6, markerfacecolor="none",
               markeredgecolor="black", markeredgewidth=width, label=text)
        for name, (mark, _, width, text) in MARKS.items()
        if name in states
    ]  # fmt: skip
    if record.degenerate.any():
        handles.append(
            Patch(facecolor="0.88", edgecolor="0.35", hatch="//////", linewidth=0.5,
                  label="$p+q=1$: unigram is bigram")
        )  # fmt: skip
    return handles


def _lines(handles: Sequence[Artist]) -> int:
    return 1 if len(handles) <= 4 else 2


def _legend(figure: Figure, handles: Sequence[Line2D | Patch]) -> None:
    across = figure.get_size_inches()[0]
    figure.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=((LEFT + (across - LEFT - RIGHT) / 2) / across, 0.0),
        ncols=-(-len(handles) // _lines(handles)),
        columnspacing=1.4,
        handletextpad=0.4,
        borderaxespad=0.15,
    )
