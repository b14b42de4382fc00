"""Losses of training runs against the step, group by group, between the two entropies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from figures.records.inputs import Inputs
from figures.records.runs import Runs, published_losses, runs_of
from figures.style import BIGRAM, PALETTE, UNIGRAM

__all__ = [
    "COLOURS",
    "DASHES",
    "Curve",
    "draw_entropies",
    "draw_losses",
    "draw_published",
    "legend_handles",
    "published_key",
    "read_curve",
]

COLOURS = ("black", *(PALETTE[name] for name in ("green", "orange", "purple", "sky")), "0.5")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), "-.", (0, (1, 1)), (0, (3, 1, 1, 1, 1, 1)), "-")
"""Of the groups, in turn; vermillion and blue are the two entropies'."""


@dataclass(frozen=True)
class Curve:
    """A group of runs.

    Fields:
        label: in the legend.
        runs: what was measured.
        style: 0..5, its colour and dashes.
        published: (step, loss in nats) as read off the published figure.
    """

    label: str
    runs: Runs
    style: int = 0
    published: Sequence[tuple[int, float]] = field(default=())


def read_curve(
    inputs: Inputs,
    scan: str,
    select: Mapping[str, Any],
    label: str,
    style: int,
    *,
    published: bool = True,
) -> Curve:
    """The runs of one cell of a scan, with their published values unless told otherwise.

    Raises ValueError as `figures.records.runs.cell_of` does.
    """
    store = inputs.scan(scan)
    marks = published_losses(scan, store, select) if published else ()
    return Curve(label, runs_of(store, select), style, marks)


def draw_losses(axes: Axes, curves: Sequence[Curve], *, entropies: bool = True) -> None:
    """Draw the mean over the runs of each group, the runs themselves thin behind it.

    Diamonds are the values read off the published figure, in the colour of the group that they
    belong to.
    """
    for curve in curves:
        colour, dashes = COLOURS[curve.style], DASHES[curve.style]
        for loss in curve.runs.loss:
            (run,) = axes.plot(
                curve.runs.step, loss, color=colour, alpha=0.35, linewidth=0.4, zorder=2
            )
            run.set_gid("run")
        (mean,) = axes.plot(
            curve.runs.step,
            curve.runs.mean,
            color=colour,
            linestyle=dashes,
            linewidth=1.4,
            label=curve.label,
            zorder=3,
        )
        mean.set_gid("mean")
    for curve in curves:
        if curve.published:
            draw_published(axes, curve.published, COLOURS[curve.style])
    if entropies:
        runs = curves[0].runs
        draw_entropies(axes, runs.unigram_loss, runs.bigram_loss)
    last = max(int(curve.runs.step[-1]) for curve in curves)
    axes.set(xlim=(0, last), xlabel="step")


def draw_published(
    axes: Axes, points: Sequence[tuple[int, float]], colour: str, *, label: str | None = None
) -> None:
    """Diamonds at values that were read off a published figure."""
    (marks,) = axes.plot(
        *np.transpose(points), "D", markersize=4, markerfacecolor="white",
        markeredgecolor=colour, label=label, clip_on=False, zorder=6,
    )  # fmt: skip
    marks.set_gid("published")


def legend_handles(axes: Axes) -> list[Artist]:
    """What the legend of a panel of `draw_losses` should say, the published values included."""
    handles: list[Artist] = [line for line in axes.lines if line.get_gid() == "mean"]
    if any(line.get_gid() == "published" for line in axes.lines):
        handles.append(published_key())
    return handles


def published_key() -> Line2D:
    """The legend's entry for values read off a published figure."""
    return Line2D([], [], linestyle="", marker="D", markersize=4, markerfacecolor="white",
                  markeredgecolor="0.3", label="published")  # fmt: skip


def draw_entropies(
    axes: Axes, unigram_loss: float, bigram_loss: float, *, room: int = 6, zorder: int = 1
) -> None:
    """Dashed lines at H_u and H_b, named at the right end, `room` points away."""
    for value, name, colour in ((unigram_loss, "$H_u$", UNIGRAM), (bigram_loss, "$H_b$", BIGRAM)):
        line = axes.axhline(value, color=colour, linestyle="--", linewidth=0.9, zorder=zorder)
        line.set_gid(name)
        axes.annotate(
            name,
            (1, value),
            xytext=(room, 0),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            va="center",
            color=colour,
            annotation_clip=False,
        )
