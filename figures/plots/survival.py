"""How many runs are still above the middle of the two entropies, step by step, and how surely."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures.output import picture, write_both
from figures.records.survival import Group, SurvivalRecord, load
from figures.style import BIGRAM, PALETTE, TEXT_WIDTH, UNIGRAM, styled

__all__ = ["SurvivalRecord", "draw", "draw_curve", "load", "save"]

LINES = ("-", (0, (5, 1.5)), (0, (1, 1)), "-.", (0, (3, 1, 1, 1, 1, 1)), (0, (8, 2)))
COLOURS = (BIGRAM, UNIGRAM, *(PALETTE[name] for name in ("green", "orange", "purple", "sky")))

# In inches.
TOP, HEIGHT, BOTTOM, LINE = 0.36, 1.55, 0.42, 0.14
LEFT, RIGHT, GAP = 0.62, 0.1, 0.2
LONE = 3.4  # width of the only panel


def draw(figure: Figure, record: SurvivalRecord) -> None:
    """Draw the curves of a record, a panel for each tying, on a figure that takes its size.

    A curve is the share of its runs that have not yet been below (H_u + H_b)/2; the band around it
    is between the limits at each single step. The legend says how many runs there are and from how
    many cells. A cross stands where runs were lost because their loss was no longer finite.

    >>> from landscape.training.survival import survival_curve
    >>> curve = survival_curve(np.array([0, 10, 20]), [10, None, None, 20])
    >>> figure = Figure()
    >>> draw(figure, SurvivalRecord("one", (Group("tied weights", "all", 0, 1, curve),), 0, 0))
    >>> figure.axes[0].get_legend().get_texts()[0].get_text()
    'all, 4 runs'
    """
    with styled():
        panels = tuple(dict.fromkeys(group.panel for group in record.groups))
        held = {p: [group for group in record.groups if group.panel == p] for p in panels}
        rows = max(_rows(groups) for groups in held.values())
        base = BOTTOM + rows * LINE
        height = TOP + HEIGHT + base
        figure.set_size_inches(TEXT_WIDTH, height)
        share = (TEXT_WIDTH - LEFT - RIGHT - (len(panels) - 1) * GAP) / len(panels)
        width = min(share, LONE)
        left = LEFT if len(panels) > 1 else (TEXT_WIDTH + LEFT - RIGHT - width) / 2
        for number, panel in enumerate(panels):
            at = left + number * (width + GAP)
            axes = figure.add_axes(
                (at / TEXT_WIDTH, base / height, width / TEXT_WIDTH, HEIGHT / height)
            )
            _panel(axes, held[panel])
            axes.set_title(f"{panel[0].upper()}{panel[1:]}", pad=13)
            axes.text(
                0.5, 1.02, _note(held[panel]), transform=axes.transAxes,
                ha="center", va="bottom", fontsize=7,
            )  # fmt: skip
            axes.tick_params(labelleft=number == 0)
            if number == 0:
                axes.set_ylabel("share of runs still above\n$(H_u+H_b)/2$", labelpad=2)


def draw_curve(axes: Axes, group: Group) -> None:
    """Draw one curve as a step line with its band, and mark where runs were lost."""
    curve, colour, dashes = group.curve, COLOURS[group.style], LINES[group.style]
    band = axes.fill_between(
        curve.step, curve.low, curve.high, step="post", color=colour, alpha=0.12, linewidth=0
    )
    band.set_gid("band")
    # Bands overlap; their edges say which is which.
    for limit, name in ((curve.low, "low"), (curve.high, "high")):
        (edge,) = axes.plot(
            curve.step, limit, drawstyle="steps-post", color=colour, linestyle=dashes,
            linewidth=0.5, zorder=2,
        )  # fmt: skip
        edge.set_gid(name)
    # A flat curve at 0 or 1 is drawn whole, not cut in half by the frame.
    axes.plot(
        curve.step, curve.share, drawstyle="steps-post", color=colour, linestyle=dashes,
        linewidth=1.3, label=_label(group), zorder=3, clip_on=False,
    )  # fmt: skip
    new = np.flatnonzero(np.diff(curve.lost, prepend=0))
    if len(new):
        marks = axes.scatter(
            curve.step[new], curve.share[new], marker="x", s=22, color="black", linewidths=1.0,
            zorder=9, clip_on=False,
        )  # fmt: skip
        marks.set_gid("lost")


def save(record: SurvivalRecord, path_without_suffix: Path | str) -> list[Path]:
    """Write the picture as PNG (200 dots per inch) and PDF; return the two paths.

    The same record gives the same bytes. Raises OSError where the files cannot be written.
    """
    return write_both(picture(draw, record), path_without_suffix)


def _panel(axes: Axes, groups: list[Group]) -> None:
    for group in groups:
        draw_curve(axes, group)
    end = max(int(group.curve.step[-1]) for group in groups)
    axes.set(xlim=(0, max(end, 1)), ylim=(-0.02, 1.02), xlabel="step")
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    handles, _ = axes.get_legend_handles_labels()
    if any(group.curve.lost[-1] for group in groups):
        handles.append(
            Line2D([], [], linestyle="", marker="x", color="black", markersize=4.5,
                   label="runs lost: loss not finite")
        )  # fmt: skip
    figure = axes.get_figure(root=True)
    assert figure is not None  # these axes were made on one
    below = 0.36 / (figure.get_size_inches()[1] * axes.get_position().height)
    axes.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, -below), handlelength=2.2,
        labelspacing=0.25, borderaxespad=0.0,
    )  # fmt: skip


def _rows(groups: list[Group]) -> int:
    return len(groups) + any(group.curve.lost[-1] for group in groups)


def _label(group: Group) -> str:
    runs, cells = group.curve.runs, group.cells
    from_cells = f", {cells} cells" if cells > 1 else ""
    return f"{group.label}, {runs} run{'s' if runs > 1 else ''}{from_cells}"


def _note(groups: list[Group]) -> str:
    """What the bands are, and the number of independent runs that they count with."""
    confidence = {f"{100 * group.curve.confidence:g}%" for group in groups}
    counts = sorted({round(group.curve.independent, 1) for group in groups})
    number = " or ".join(f"{count:g}" for count in counts)
    seeds = "seed" if number == "1" else "seeds"
    return f"{'/'.join(sorted(confidence))} band at each step, from {number} independent {seeds}"
