"""The loss on a slice: filled contours of what was measured, lines of what theory says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke

from figures.output import picture, write_both
from figures.records.slices import SliceRecord, load
from figures.style import BIGRAM, PALETTE, TEXT_WIDTH, UNIGRAM, key, lay_out, styled

__all__ = ["SURFACE", "SliceRecord", "draw", "draw_slice", "levels_of", "load", "save"]

SURFACE = "YlGnBu"
"""The sequential map of losses: pale is low, dark is high; its luminance falls throughout."""

BANDS = 12
LOST = PALETTE["purple"]


def levels_of(loss: Float[np.ndarray, "A B"], bands: int = BANDS) -> Float[np.ndarray, " K"]:
    """Contour levels from the lowest to the highest finite loss, in equal steps of its cube root.

    Level k is ``min + (max - min) (k/K)^3``: steep walls do not hide the floor between them.
    Raises ValueError where no loss is finite.

    >>> levels_of(np.array([[0.0, 1.0]]), bands=2).tolist()
    [0.0, 0.125, 1.0]
    """
    known = loss[np.isfinite(loss)]
    if not known.size:
        raise ValueError(f"none of the {loss.size} losses of the slice is finite: nothing to draw")
    low, high = float(known.min()), float(known.max())
    high = max(high, low + 1e-12 * max(1.0, abs(low)))  # a flat slice has one band
    return low + (high - low) * (np.arange(bands + 1) / bands) ** 3


def draw(figure: Figure, records: Sequence[SliceRecord]) -> None:
    """Draw one slice, or several in two columns, on a figure of the page's text width.

    Filled contours are the measured loss; dashed lines are theory's, at the same levels, so that
    where the two agree they run along the edges of the colours. The level of escape,
    (H_u + H_b)/2, has a line of its own where it is in range: not H_u, which a slice through a
    critical point takes along whole lines, so that its contour is round-off. On a line both
    entropies are drawn. Cells without a finite loss are hatched and counted; a slice without any
    has no colour bar.

    Raises ValueError where there is no slice.

    >>> x = np.array([-1.0, 0.0, 1.0])
    >>> bowl = SliceRecord("bowl", x, x, ("x", "y"), x[:, None]**2 + x**2, (0.0, 0.0), 3.0, 0.5)
    >>> figure = Figure()
    >>> draw(figure, [bowl])
    >>> figure.axes[0].get_title()
    'bowl'
    """
    if not records:
        raise ValueError("records is empty: give at least one slice")
    columns = min(2, len(records))
    rows = -(-len(records) // columns)
    with styled():
        line = all(len(record.y) == 1 for record in records)
        width = TEXT_WIDTH if columns == 2 or line else 3.6
        height = 2.4 * rows + 0.35 if columns == 2 or line else 3.3
        lay_out(figure, width, height)
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        handles: dict[str, Line2D | Patch] = {}
        for axes, record in zip(panels, records, strict=False):
            for handle in draw_slice(axes, record):
                handles.setdefault(str(handle.get_label()), handle)
        for axes in panels[len(records) :]:
            axes.remove()
        figure.legend(
            handles=list(handles.values()),
            loc="outside lower center",
            ncols=min(3 if columns == 1 and not line else 5, len(handles)),
            handletextpad=0.5,
            columnspacing=1.2,
        )


def draw_slice(axes: Axes, record: SliceRecord) -> list[Line2D | Patch]:
    """Draw one slice, and return what its legend should say."""
    axes.set_title(record.title)
    axes.set_xlabel(record.labels[0])
    if len(record.y) == 1:
        return _line(axes, record)
    axes.set_ylabel(record.labels[1])
    handles: list[Line2D | Patch] = []
    if np.isfinite(record.loss).any():
        handles += _surface(axes, record)
    handles += _lost(axes, record) + _points(axes, record)
    axes.set(xlim=(record.x[0], record.x[-1]), ylim=(record.y[0], record.y[-1]))
    return handles


def save(records: Sequence[SliceRecord], path_without_suffix: Path | str) -> list[Path]:
    """Write the slices as PNG (200 dots per inch) and PDF; return the two paths.

    Raises ValueError as `draw` does, OSError where the files cannot be written.
    """
    return write_both(picture(draw, records), path_without_suffix)


def _surface(axes: Axes, record: SliceRecord) -> list[Line2D | Patch]:
    levels = levels_of(record.loss)
    cmap, norm = mpl.colormaps[SURFACE], BoundaryNorm(levels, mpl.colormaps[SURFACE].N)
    grid = np.ma.masked_invalid(record.loss.T)
    filled = axes.contourf(record.x, record.y, grid, levels=levels, cmap=cmap, norm=norm)
    filled.set_gid("measured")
    figure = axes.get_figure(root=True)
    assert figure is not None  # axes that are drawn on belong to a figure
    bar = figure.colorbar(filled, ax=axes, pad=0.02, aspect=25, spacing="uniform")
    flat = levels[-1] - levels[0] < 1e-9 * max(1.0, abs(levels[0]))
    ticks = levels[:1] if flat else levels[::3]  # no two ticks that read the same
    bar.set_ticks(ticks.tolist(), labels=[f"{level:.4g}" for level in ticks])
    text = "measured loss (nats); bands are equal\nsteps of the cube root of loss $-$ minimum"
    bar.set_label(text, fontsize="small", linespacing=1.1)
    handles: list[Line2D | Patch] = []
    if record.predicted is not None:
        lines = axes.contour(
            *_predicted_axes(record), record.predicted.T, levels=levels[1:-1],
            colors="black", linewidths=0.7, linestyles="--",
        )  # fmt: skip
        # a white halo: the line crosses pale bands and dark ones
        lines.set_path_effects([withStroke(linewidth=1.4, foreground="white", alpha=0.7)])
        lines.set_gid("theory")
        handles.append(key(f"theory: {record.prediction}", "black", "--", 0.7))
    escape = (record.unigram_loss + record.bigram_loss) / 2
    if levels[0] + 1e-6 * (levels[-1] - levels[0]) < escape < levels[-1]:
        line = axes.contour(
            record.x, record.y, grid, levels=[escape], colors=[UNIGRAM], linewidths=1.2
        )
        line.set_gid("escape")
        handles.append(key("measured loss $(H_u+H_b)/2$", UNIGRAM, "-", 1.2))
    return handles


def _line(axes: Axes, record: SliceRecord) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = []
    lost = ~np.isfinite(record.loss[:, 0])
    loss = np.where(lost, np.nan, record.loss[:, 0])
    handles += axes.plot(record.x, loss, color="black", label="measured", zorder=3)
    known = loss[~lost]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    room = max(0.06 * (high - low), 1e-12)
    axes.set(xlim=(record.x[0], record.x[-1]), ylim=(low - room, high + room))
    axes.set_ylabel("loss (nats)")
    if not known.size:
        axes.set_yticks([])  # there is no scale to read
    elif record.predicted is not None:
        handles += axes.plot(
            _predicted_axes(record)[0], record.predicted[:, 0], "--",
            color=PALETTE["orange"], linewidth=1.4, label=f"theory: {record.prediction}", zorder=4,
        )  # fmt: skip
    for value, name, colour in _entropies(record):
        if known.size and low - room < value < high + room:
            handles.append(
                axes.axhline(value, color=colour, linestyle=":", linewidth=1.2, label=f"${name}$")
            )
    if lost.any():
        marks = axes.plot(
            record.x[lost], np.full(lost.sum(), low), "x", color=LOST, clip_on=False,
            label=f"not finite ({lost.sum()})", zorder=5,
        )  # fmt: skip
        marks[0].set_gid("not finite")
        handles += marks
    middle = float(record.loss[len(record.x) // 2, 0])
    handles += axes.plot(
        record.center[0], middle, "o", color="black", markersize=4, label="the point", zorder=5
    )
    return handles


def _lost(axes: Axes, record: SliceRecord) -> list[Line2D | Patch]:
    """Cells whose loss is not finite: never painted over, but marked and counted."""
    lost = ~np.isfinite(record.loss)
    if not lost.any():
        return []
    across, up = record.x[1] - record.x[0], record.y[1] - record.y[0]
    cells = PatchCollection(
        [
            Rectangle((record.x[i] - across / 2, record.y[j] - up / 2), across, up)
            for i, j in zip(*np.nonzero(lost), strict=True)
        ],
        facecolor=LOST, edgecolor="black", hatch="xxxx", linewidth=0.3, zorder=3,
    )  # fmt: skip
    cells.set_gid("not finite")
    axes.add_collection(cells, autolim=False)
    text = f"not finite ({int(lost.sum())} of {lost.size})"
    return [Patch(facecolor=LOST, edgecolor="black", hatch="xxxx", linewidth=0.3, label=text)]


def _points(axes: Axes, record: SliceRecord) -> list[Line2D | Patch]:
    (centre,) = axes.plot(*record.center, "o", markersize=5, color="black", markerfacecolor="white",
                          label="the point", zorder=5)  # fmt: skip
    centre.set_gid("centre")
    for name, x, y in record.marks:
        if (x, y) != record.center:
            axes.plot(x, y, "s", markersize=4.5, color="black", markerfacecolor="white", zorder=5)
        right = x < record.x[len(record.x) * 2 // 3]  # else the word would leave the panel
        axes.annotate(
            name, (x, y), xytext=(6, 5) if right else (-6, -5), textcoords="offset points",
            ha="left" if right else "right", va="bottom" if right else "top", zorder=6,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
        )  # fmt: skip
    return [centre]


def _predicted_axes(record: SliceRecord) -> tuple[Float[np.ndarray, " F"], Float[np.ndarray, " G"]]:
    return (
        record.x if record.predicted_x is None else record.predicted_x,
        record.y if record.predicted_y is None else record.predicted_y,
    )


def _entropies(record: SliceRecord) -> list[tuple[float, str, str]]:
    return [(record.unigram_loss, "H_u", UNIGRAM), (record.bigram_loss, "H_b", BIGRAM)]
