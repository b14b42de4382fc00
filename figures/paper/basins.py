"""The two basins of the reduced flow with their separatrix, and training runs laid over them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from jaxtyping import Float, Shaped
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures.panels.portrait import (
    Plane,
    draw_basins,
    draw_critical_sets,
    draw_separatrix,
    label_plane,
)
from figures.records.inputs import Inputs
from figures.style import BIGRAM, TEXT_WIDTH, UNIGRAM, lay_out
from theory.reduced.basins import basin

MARKS = {"bigram": ("o", BIGRAM), "unigram": ("s", UNIGRAM), "other": ("x", "black")}


@dataclass(frozen=True)
class Panel:
    """Training runs of the three scalars on one chain.

    Fields:
        plane: of the chain.
        start, end: [R, 3], (e, w, b) of each run.
        outcome: [R], 'bigram', 'unigram' or 'other', from the loss at the end.
    """

    plane: Plane
    start: Float[np.ndarray, "R 3"]
    end: Float[np.ndarray, "R 3"]
    outcome: Shaped[np.ndarray, " R"]

    @property
    def predicted(self) -> list[str | None]:
        """Where theory says that the flow at the best bias ends, from each start."""
        p, q = self.plane.p, self.plane.q
        return [basin(p, q, float(e), float(w)) for e, w, _ in self.start]


def load(inputs: Inputs) -> tuple[Panel, ...]:
    """A panel for each chain of the record `basins`."""
    found = inputs.record("basins")
    panels = []
    for k, chance in enumerate(found["chain"].values):
        p = Decimal(str(chance))
        row = found.isel(chain=k)
        values = (row["start"].values, row["end"].values, row["outcome"].values)
        panels.append(Panel(Plane(p, p), *values))
    return tuple(panels)


def draw(figure: Figure, record: tuple[Panel, ...]) -> None:
    """Basins tinted and hatched; each run a mark at its start that says where it ended."""
    lay_out(figure, TEXT_WIDTH, 3.65)
    handles: dict[str, Artist] = {}
    for axes, panel in zip(figure.subplots(1, 2, sharey=True), record, strict=True):
        plane = panel.plane
        label_plane(axes, plane)
        axes.set_title(f"$p = q = {plane.p}$")
        parts = draw_basins(axes, plane) + draw_separatrix(axes, plane)
        parts += draw_critical_sets(axes, plane)
        for handle in [*parts, *_runs(axes, panel)]:
            handles.setdefault(str(handle.get_label()), handle)
    figure.axes[1].set_ylabel("")
    figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=3)


def _runs(axes: Axes, panel: Panel) -> list[Line2D]:
    start, end = panel.start[:, 1::-1], panel.end[:, 1::-1]  # (w, e)
    handles: list[Line2D] = []
    for name, (marker, colour) in MARKS.items():
        here = panel.outcome == name
        if here.any():
            handles += axes.plot(
                *start[here].T, marker, linestyle="", markersize=3.8, color=colour,
                markeredgecolor="black" if marker != "x" else colour, markeredgewidth=0.5,
                label=f"start of a run to the {name}" if name != "other" else "not there yet",
                zorder=6,
            )  # fmt: skip
            handles[-1].set_gid(name)
    handles += axes.plot(
        *end.T, "+", linestyle="", markersize=4, markeredgewidth=0.8, color="black",
        label="end of a run", zorder=7,
    )  # fmt: skip
    handles[-1].set_gid("end")
    return handles


def numbers(record: tuple[Panel, ...]) -> dict[str, str]:
    """How many runs ended where theory says, of how many that ended."""
    found = {}
    for panel, name in zip(record, ("Low", "High"), strict=True):
        ended = [
            pair for pair in zip(panel.predicted, panel.outcome, strict=True) if pair[1] != "other"
        ]
        found[f"{name}AsPredicted"] = str(sum(a == b for a, b in ended))
        found[f"{name}Ended"] = str(len(ended))
        found[f"{name}Runs"] = str(len(panel.outcome))
    return found
