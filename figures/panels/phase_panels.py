"""The three panels of the phase diagram: what theory says, what the Hessian says, what runs do.

The last two have one square for each cell of a scan, in the (p, q) plane, and marks on squares.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

import matplotlib as mpl
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection, PathCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.path import Path

from figures.records.phase import PhaseRecord
from figures.records.phase_plane import curvature_field, region_names
from figures.style import CURVATURE, SHARE, ink_on
from theory.spectra.universal_law import Tying

CHECK = Path([(-0.5, 0.0), (-0.15, -0.4), (0.5, 0.45)])
"""A tick: as predicted."""
CROSS = Path([(-1, -1), (1, 1), (-1, 1), (1, -1)], [1, 2, 1, 2])
"""A cross over the whole square: refuted, or nothing to show."""
DASH = Path([(-0.4, 0.0), (0.4, 0.0)])
"""A dash: there is nothing to compare."""

FILLED = 0.86  # of the distance between neighbours, so that squares stay apart and the line shows
LONE = 0.2  # the side of a square that has no neighbour
CORNER = 0.2  # of a side: how far right of the centre, and above it, a small mark sits
RESOLUTION = 50  # squares a side of the theory field, between which the picture interpolates
SMALLEST_TEXT = 4.0  # points; below it a fraction is left out, and the colour alone speaks

# state: mark, share of the square, stroke in points, what the legend says
MARKS: dict[str, tuple[Any, float, float, str]] = {
    "verified": (CHECK, 0.3, 0.9, "inertia as predicted"),
    "refuted": (CROSS, 0.92, 1.6, "prediction refuted"),
    "inconclusive": ("$?$", 0.34, 0.4, "inconclusive"),
    "not-applicable": (DASH, 0.42, 0.9, "not differentiable"),
    "missing": (CROSS, 0.92, 0.6, "no result"),
}


def side(*axes: Float[np.ndarray, " _"]) -> float:
    """Side of the squares over a grid with these ascending axes: 0.86 of the smallest step.

    >>> round(side(np.array([0.1, 0.3, 0.9])), 3), side(np.array([0.5]))
    (0.172, 0.2)
    """
    steps = np.concatenate([np.diff(values) for values in axes])
    return FILLED * float(steps.min()) if len(steps) else LONE


def centres(
    p: Float[np.ndarray, " P"], q: Float[np.ndarray, " Q"], where: Bool[np.ndarray, "Q P"]
) -> Float[np.ndarray, "n 2"]:
    """The points (p, q) of the grid at which `where` holds, row by row.

    >>> centres(np.array([0.1, 0.5]), np.array([0.8]), np.array([[False, True]])).tolist()
    [[0.5, 0.8]]
    """
    rows, columns = np.nonzero(where)
    return np.column_stack([p[columns], q[rows]])


def draw_tiles(
    axes: Axes,
    p: Float[np.ndarray, " P"],
    q: Float[np.ndarray, " Q"],
    where: Bool[np.ndarray, "Q P"],
    *,
    label: str,
    values: Float[np.ndarray, "Q P"] | None = None,
    cmap: Colormap | None = None,
    norm: Normalize | None = None,
    hatch: str | None = None,
    face: str = "white",
    dotted: bool = False,
) -> PatchCollection | None:
    """Squares at the grid points where `where` holds, coloured by `values` or all in `face`.

    The collection carries `label` (as its gid, for whoever looks for it) and, if there are values,
    those of its squares as its array, row by row. Returns None, drawing nothing, where no cell is.
    """
    points, length = centres(p, q, where), side(p, q)
    if not len(points):
        return None
    squares = [Rectangle((x - length / 2, y - length / 2), length, length) for x, y in points]
    tiles = PatchCollection(
        squares,
        cmap=cmap,
        norm=norm,
        edgecolors="0.35",
        linewidths=0.5 * thinning(axes, length),
        linestyles=":" if dotted else "-",
        hatch=hatch,
        zorder=2,
    )
    if values is None:
        tiles.set_facecolor(face)
    else:
        tiles.set_array(values[where])
    tiles.set_gid(label)
    axes.add_collection(tiles, autolim=False)
    return tiles


def mark_size(axes: Axes, length: float, share: float) -> float:
    """The width in points of a mark that takes `share` of a square whose side is `length`."""
    figure = axes.get_figure(root=True)
    assert figure is not None  # axes that are drawn on belong to a figure
    width = axes.get_position().width * figure.get_size_inches()[0]
    return float(share * length * width * 72)


def thinning(axes: Axes, length: float) -> float:
    """What strokes are multiplied by on squares below 14 points, lest they hide the colour."""
    return min(1.0, max(0.2, mark_size(axes, length, 1.0) / 14))


def draw_marks(
    axes: Axes,
    points: Float[np.ndarray, "n 2"],
    marker: Path | str,
    *,
    label: str,
    length: float,
    share: float,
    colours: Sequence[str],
    width: float = 0.9,
) -> PathCollection | None:
    """The same mark at each of the points, on `share` of a square, stroked in the point's colour.

    Returns None, drawing nothing, where there is no point.
    """
    if not len(points):
        return None
    marks = axes.scatter(
        points[:, 0],
        points[:, 1],
        s=mark_size(axes, length, share) ** 2,
        marker=marker,
        edgecolors=colours,
        facecolors="none",
        linewidths=width * thinning(axes, length),
        zorder=4,
    )
    marks.set_gid(label)
    return marks


def draw_line(axes: Axes, zorder: float = 3) -> Line2D:
    """The line p + q = 1, on which unigram and bigram are the same."""
    (line,) = axes.plot([0, 1], [1, 0], color="black", linewidth=0.9, zorder=zorder)
    line.set_gid("p+q=1")
    return line


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
