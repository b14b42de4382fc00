"""One square for each cell of a scan, in the (p, q) plane, and the marks that lie on squares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection, PathCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.path import Path

__all__ = ["CHECK", "CROSS", "DASH", "draw_line", "draw_marks", "draw_tiles", "mark_size", "side"]

CHECK = Path([(-0.5, 0.0), (-0.15, -0.4), (0.5, 0.45)])
"""A tick: as predicted."""
CROSS = Path([(-1, -1), (1, 1), (-1, 1), (1, -1)], [1, 2, 1, 2])
"""A cross over the whole square: refuted, or nothing to show."""
DASH = Path([(-0.4, 0.0), (0.4, 0.0)])
"""A dash: there is nothing to compare."""

FILLED = 0.86  # of the distance between neighbours, so that squares stay apart and the line shows
LONE = 0.2  # the side of a square that has no neighbour


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
