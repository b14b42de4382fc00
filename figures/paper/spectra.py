"""All Hessian eigenvalues at a unigram and at a bigram point, predicted and measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from figures.records.inputs import Inputs
from figures.style import PALETTE, TEXT_WIDTH, lay_out


@dataclass(frozen=True)
class Point:
    """The spectrum at one point.

    Fields:
        kind: 'unigram' or 'bigram'.
        measured, predicted: [D], ascending, nats per squared parameter.
        zero_bound: at or below which |lambda| counts as zero, same unit.
    """

    kind: str
    measured: Float[np.ndarray, " D"]
    predicted: Float[np.ndarray, " D"]
    zero_bound: float

    @property
    def inertia(self) -> tuple[int, int, int]:
        """Numbers of measured eigenvalues below, at and above zero."""
        low, high = (
            (self.measured < -self.zero_bound).sum(),
            (self.measured > self.zero_bound).sum(),
        )
        return int(low), len(self.measured) - int(low) - int(high), int(high)


def load(inputs: Inputs) -> tuple[Point, ...]:
    """The two points of the record `spectra`."""
    found = inputs.record("spectra")
    points = []
    for kind in found["point"].values:
        row = found.sel(point=kind)
        predicted = np.sort(row["predicted"].values)
        bound = float(row["zero_bound"])
        points.append(Point(str(kind), np.sort(row["measured"].values), predicted, bound))
    return tuple(points)


def draw(figure: Figure, record: tuple[Point, ...]) -> None:
    """A column for each point: eigenvalues above, |measured - predicted| below.

    Only those that are not zero, measured or predicted, are drawn; the zeros are counted.
    """
    lay_out(figure, TEXT_WIDTH, 3.1)
    panels = figure.subplots(2, len(record), sharex="col", height_ratios=[1.7, 1], squeeze=False)
    for (above, below), point in zip(panels.T, record, strict=True):
        _column(above, below, point)
    panels[0, 0].set_ylabel(r"eigenvalue $\lambda$ (nats)")
    panels[1, 0].set_ylabel("|difference| (nats)")
    panels[0, 0].legend(loc="upper left")


def _column(above: Axes, below: Axes, point: Point) -> None:
    live = np.maximum(np.abs(point.measured), np.abs(point.predicted)) > point.zero_bound
    rank = np.arange(1, int(live.sum()) + 1)
    style: dict[str, Any] = {"linestyle": "", "zorder": 3}
    (rings,) = above.plot(
        rank, point.predicted[live], "o", markersize=6.5, markerfacecolor="none",
        color=PALETTE["vermillion"], markeredgewidth=0.8, label="predicted", **style,
    )  # fmt: skip
    rings.set_gid("predicted")
    (dots,) = above.plot(
        rank, point.measured[live], ".", markersize=4, color=PALETTE["blue"], label="measured",
        **style,
    )  # fmt: skip
    dots.set_gid("measured")
    above.axhline(0, color="0.6", linewidth=0.6, zorder=1)
    above.set_title(f"{point.kind} point: inertia {point.inertia}")
    difference = np.abs(point.measured - point.predicted)
    floor = np.finfo(np.float64).eps / 8  # an exact agreement is drawn there
    (rest,) = below.plot(
        rank, np.maximum(difference[live], floor), ".", markersize=4, color=PALETTE["blue"], **style
    )
    rest.set_gid("difference")
    below.axhline(point.zero_bound, color="0.4", linestyle="--", linewidth=0.8)
    below.annotate(
        "zero bound", (1, point.zero_bound), xycoords=below.get_yaxis_transform(), xytext=(-2, 2),
        textcoords="offset points", ha="right", va="bottom", fontsize=7, color="0.3",
    )  # fmt: skip
    below.set_yscale("log")
    below.set_ylim(floor / 2, 30 * point.zero_bound)
    below.yaxis.set_minor_locator(NullLocator())
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    below.set_xlabel(
        f"rank among the nonzero eigenvalues\n({int((~live).sum())} others, $|\\lambda| \\leq$ "
        f"{_power(float(np.abs(point.measured[~live]).max(initial=0.0)))})"
    )


def _power(value: float) -> str:
    """A number to one digit, as mathematics."""
    mantissa, exponent = f"{value:.0e}".split("e")
    return rf"${mantissa}\times 10^{{{int(exponent)}}}$" if value else "$0$"


def numbers(record: tuple[Point, ...]) -> dict[str, str]:
    """Inertias and largest differences."""
    found = {}
    for point in record:
        name = point.kind.capitalize()
        error = np.abs(point.measured - point.predicted).max()
        found[f"{name}Inertia"] = "({}, {}, {})".format(*point.inertia)
        found[f"{name}Error"] = f"{error:.1e}"
        found[f"{name}Parameters"] = str(len(point.measured))
    return found
