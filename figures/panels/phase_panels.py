"""The three panels of the phase diagram: what theory says, what the Hessian says, what runs do."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from figures.panels.tiles import (
    CHECK,
    CROSS,
    DASH,
    centres,
    draw_line,
    draw_marks,
    draw_tiles,
    mark_size,
    side,
)
from figures.records.phase import PhaseRecord
from figures.records.phase_plane import curvature_field, region_names
from figures.style import CURVATURE, SHARE, ink_on
from theory.spectra.universal_law import Tying

__all__ = ["MARKS", "field_of", "measured_panel", "theory_panel", "trained_panel"]

CORNER = 0.2  # of a side: how far right of the centre, and above it, a small mark sits
RESOLUTION = 50  # squares a side of the theory field, between which the picture interpolates
SMALLEST_TEXT = 4.0  # points; below it a fraction is left out, and the colour alone speaks

# state: mark, share of the square, stroke in points, what the legend says
MARKS: dict[str, tuple[Any, float, float, str]] = {
    "verified": (CHECK, 0.3, 0.9, "inertia as predicted"),
    "refuted": (CROSS, 0.92, 1.6, "prediction refuted"),
    "inconclusive": ("$?$", 0.34, 0.4, "too small to tell"),
    "not-applicable": (DASH, 0.42, 0.9, "not differentiable"),
    "missing": (CROSS, 0.92, 0.6, "no result"),
}


@cache
def field_of(tying: str) -> Float[np.ndarray, "q p"]:
    """The theory field of a row of panels, as it is drawn: computed once, and read-only."""
    field = curvature_field(cast(Tying, tying), RESOLUTION)
    field.setflags(write=False)
    return field


def theory_panel(axes: Axes, tying: str, field: Float[np.ndarray, "q p"], norm: Normalize) -> None:
    """The predicted lowest curvature over the whole plane, its contours and its two regions."""
    _plane(axes)
    image = axes.imshow(
        field,
        origin="lower",
        extent=(0, 1, 0, 1),
        cmap=CURVATURE,
        norm=norm,
        interpolation="bilinear",
        zorder=1,
    )
    image.set_gid("theory")
    # Dashed below 0 and solid above it: the sign survives a grey printer.
    at = (np.arange(len(field)) + 0.5) / len(field)
    levels = np.array([-0.4, -0.3, -0.2, -0.1, 0.1, 0.2])
    levels = levels[(levels > field.min()) & (levels < field.max())]
    axes.contour(
        at,
        at,
        field,
        levels=levels,
        colors="0.25",
        linewidths=0.4,
        linestyles=["--" if level < 0 else "-" for level in levels],
        zorder=2,
    )
    draw_line(axes)
    # Along the line the field is near 0, hence pale, and no contour is in the way.
    below, above = region_names(cast(Tying, tying))
    for text, p, q, size in (
        (below, 0.45, 0.45, 8.5),
        (above, 0.55, 0.55, 8.5),
        ("$p+q=1$", 0.81, 0.13, 7.0),
    ):
        axes.text(p, q, text, rotation=-45, ha="center", va="center", fontsize=size)


def measured_panel(axes: Axes, record: PhaseRecord, row: int, norm: Normalize) -> None:
    """The lowest curvature of the Hessian in each cell, marked by what became of the prediction."""
    _plane(axes)
    draw_line(axes)
    values, state = record.curvature[row], record.state[row]
    known = np.isfinite(values)
    cmap = mpl.colormaps[CURVATURE]
    grid = record.p, record.q
    draw_tiles(axes, *grid, known, label="measured", values=values, cmap=cmap, norm=norm)
    draw_tiles(axes, *grid, ~known, label="not measured", dotted=True)
    for name, (mark, share, width, _) in MARKS.items():
        here = state == name
        inks = [ink_on(cmap(norm(v))) if np.isfinite(v) else "0.2" for v in values[here]]
        length = side(*grid)
        # A small mark sits in the upper right corner, off the line that crosses some squares.
        places = centres(*grid, here) + (0 if mark is CROSS else CORNER * length)
        draw_marks(
            axes, places, mark, label=name, length=length, share=share, colours=inks, width=width
        )


def trained_panel(axes: Axes, record: PhaseRecord, row: int) -> None:
    """The share of runs that ended at the unigram, as a colour and as a fraction."""
    _plane(axes)
    grid, stuck = (record.p, record.q), record.stuck[row]
    known, flat = stuck >= 0, record.degenerate
    share, cmap, norm = stuck / record.seeds, mpl.colormaps[SHARE], Normalize(0, 1)
    live = known & ~flat
    draw_tiles(axes, *grid, live, label="share", values=share, cmap=cmap, norm=norm)
    draw_tiles(axes, *grid, known & flat, label="degenerate", hatch="//////", face="0.88")
    draw_tiles(axes, *grid, ~known, label="not measured", dotted=True)
    length = side(*grid)
    mark, part, width, _ = MARKS["missing"]
    lost = centres(*grid, ~known)
    inks = ["0.2"] * len(lost)
    draw_marks(
        axes, lost, mark, label="missing", length=length, share=part, colours=inks, width=width
    )
    draw_line(axes)
    size = min(7.0, mark_size(axes, length, 0.85) / len(f"{record.seeds}/{record.seeds}") * 2)
    if size < SMALLEST_TEXT:
        return
    for (x, y), count in zip(centres(*grid, live), stuck[live], strict=True):
        ink = ink_on(cmap(norm(count / record.seeds)))
        text = f"{count}/{record.seeds}"
        axes.text(x, y, text, ha="center", va="center_baseline", color=ink, fontsize=size, zorder=5)


def _plane(axes: Axes) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
