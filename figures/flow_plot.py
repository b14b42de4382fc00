"""The phase portrait of the reduced gradient flow over (w, e), and one flow on it.

Drawn after the figures of *Local to Global*: level lines of the energy, unit vectors of the flow,
the bigram curve, the unigram line where it is a minimum and where a saddle, and the separatrix
between the two basins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from figures.output import write
from figures.style import BIGRAM, PALETTE, UNIGRAM, styled
from theory.critical_points import bigram_set
from theory.energy import energy, separatrix_squared
from theory.flow import gap
from theory.numeric import function
from theory.symbols import e, p, q, tau, w

__all__ = ["EXTENT", "FlowRecord", "draw", "draw_portrait", "save_flow"]

EXTENT = 3.0
"""The portrait spans [-EXTENT, EXTENT] in w and in e, or more where the flow leaves it."""

FINE = 601
ARROWS = 20
LEVELS = (-12, -8, -5, -3, -2, -1, 0, 1, 2, 3, 5, 8, 12)
TURN = -1 / math.sqrt(2)
FLOW = "black"
SEPARATRIX = PALETTE["purple"]


@dataclass(frozen=True)
class FlowRecord:
    """One flow of the reduced model.

    Fields:
        p, q: of the chain, as they were written.
        e, w: [K], the flow's coordinates at its steps.
        free_bias: whether the bias flows too: there is then no portrait in two dimensions, and
            only the critical sets and the flow's shadow are drawn.
        end: 'unigram' or 'bigram', the set on which the flow settled, or None.
    """

    p: Decimal
    q: Decimal
    e: Float[np.ndarray, " K"]
    w: Float[np.ndarray, " K"]
    free_bias: bool = False
    end: str | None = None

    @property
    def excess(self) -> int:
        """The sign of p + q - 1, decided on the decimals."""
        total = self.p + self.q
        return (total > 1) - (total < 1)

    @property
    def extent(self) -> float:
        """Half the width of the portrait: `EXTENT`, or a tenth beyond the flow."""
        return max(EXTENT, 1.1 * float(max(np.abs(self.e).max(), np.abs(self.w).max())))


def draw(figure: Figure, record: FlowRecord) -> None:
    """Draw the portrait and the flow on a figure of their own, with the legend below.

    >>> flow = FlowRecord(Decimal("0.9"), Decimal("0.9"), np.array([1.0]), np.array([-1.0]))
    >>> figure = Figure()
    >>> draw(figure, flow)
    >>> figure.axes[0].get_xlabel()
    'feed-forward weight $w$'
    """
    with styled():
        figure.set_layout_engine("constrained")
        handles = draw_portrait(figure.subplots(), record)
        figure.set_size_inches(3.8, 4.1 + 0.15 * -(-len(handles) // 2))
        figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=2,
            handletextpad=0.5,
            columnspacing=1.2,
        )


def draw_portrait(axes: Axes, record: FlowRecord) -> list[Artist]:
    """Draw on given axes, and return what the legend should say."""
    reach = record.extent
    bias = "free bias, projected" if record.free_bias else "bias at its best value"
    axes.set_title(f"gradient flow at $(p, q) = ({record.p}, {record.q})$, {bias}")
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.set(xlabel="feed-forward weight $w$", ylabel="embedding $e$")
    handles: list[Artist] = []
    if not record.free_bias:
        handles += _basins(axes, record)
        handles += _energy_lines(axes, reach) + _arrows(axes, record)
        handles += _separatrix(axes, record)
    return handles + _critical_sets(axes, record) + _flow(axes, record)


def save_flow(record: FlowRecord, path: Path | str) -> Path:
    """Write the portrait to a file whose suffix (.png, .pdf, .svg) decides the format.

    Returns the path. Raises ValueError for another suffix, OSError where it cannot be written.
    """
    figure = Figure()
    draw(figure, record)
    return write(figure, path)


def _basins(axes: Axes, record: FlowRecord) -> list[Artist]:
    """The unigram's basin hatched as well as tinted: in grey the tints are alike."""
    if record.excess == 0:
        return []
    reach = record.extent
    left = record.excess < 0  # the side of w = -1/sqrt2 on which the separatrix bounds it
    inside = np.linspace(-reach, TURN, FINE) if left else np.linspace(TURN, 0, FINE)[:-1]
    tint, ink = "#F9DECB", "#D9996B"
    style: dict[str, Any] = {"facecolor": tint, "edgecolor": ink, "hatch": "///", "linewidth": 0}
    axes.set_facecolor("#E8F1F8")
    height = _separatrix_at(inside)
    axes.fill_between(inside, -height, height, zorder=0.5, **style).set_gid("unigram basin")
    if not left:
        axes.fill_between([0, reach], -reach, reach, zorder=0.5, **style).set_gid("unigram basin")
    return [
        Patch(label="ends at the unigram", **style),
        Patch(facecolor="#E8F1F8", edgecolor="none", label="ends at the bigram"),
    ]


def _energy_lines(axes: Axes, reach: float) -> list[Artist]:
    up = np.linspace(-reach, reach, FINE)
    for sign in (1, -1):
        # down to exp(-6 reach), beyond every level at |e| = reach
        across = sign * np.geomspace(1e-3, reach, FINE)
        level = _closed("energy")(up[:, None], across[None, :], sign)
        axes.contour(
            across if sign > 0 else across[::-1],
            up,
            level if sign > 0 else level[:, ::-1],
            levels=LEVELS,
            colors="#707070",
            linewidths=0.5,
            linestyles="-",
            zorder=1,
        ).set_gid("energy")
    return [_key("energy $e^2-w^2-\\mathrm{sign}(w)\\ln|w|$", "#707070", "-", 0.5)]


def _arrows(axes: Axes, record: FlowRecord) -> list[Artist]:
    """Unit vectors of the flow, in the direction of s* - s along the gradient of s."""
    places = (np.arange(ARROWS) + 0.5) / ARROWS * 2 * record.extent - record.extent
    ww, ee = np.meshgrid(places, places)
    sign = np.where(ww < 0, -1.0, 1.0)
    height, along_e, along_w = _closed("gap")(ee, ww, sign)
    towards = np.sign(_closed("star")(float(record.p), float(record.q)) - height)
    size = np.hypot(along_e, along_w)
    known = size > 0
    drawn = axes.quiver(
        ww[known], ee[known],
        (towards * along_w)[known] / size[known], (towards * along_e)[known] / size[known],
        color="#404040", angles="xy", scale=38, width=0.0028, headwidth=4, headlength=4.5,
        headaxislength=4, pivot="mid", zorder=2,
    )  # fmt: skip
    drawn.set_gid("flow field")
    return [
        Line2D(
            [], [], color="#404040", marker=r"$\rightarrow$", linestyle="", label="unit flow field"
        )
    ]


def _separatrix(axes: Axes, record: FlowRecord) -> list[Artist]:
    if record.excess == 0:
        return []
    across = -np.geomspace(1e-6, record.extent, FINE)
    across = np.sort(np.append(across, TURN))
    height = _separatrix_at(across)
    for sign in (1, -1):
        (line,) = axes.plot(across, sign * height, color=SEPARATRIX, linewidth=1.5, zorder=3)
        line.set_gid("separatrix")
    return [_key("separatrix, saddle's energy", SEPARATRIX, "-", 1.5)]


def _critical_sets(axes: Axes, record: FlowRecord) -> list[Artist]:
    reach, excess = record.extent, record.excess
    handles: list[Artist] = []
    if excess:
        sides = [(-reach, TURN), (TURN, reach)]
        minimum, saddle = sides[::excess][::-1]
        pairs = ((minimum, "-", 2.2, "local minima"), (saddle, ":", 1.6, "saddles"))
        for side, style, width, name in pairs:
            (line,) = axes.plot(side, (0, 0), style, color=UNIGRAM, linewidth=width, zorder=4)
            line.set_gid(f"unigram {name}")
            handles.append(_key(f"unigram, {name}", UNIGRAM, style, width))
        across = np.linspace(-reach, TURN, FINE)[:-1] if excess > 0 else (
            np.linspace(TURN, reach, FINE)[1:]
        )  # fmt: skip
        star = _closed("star")(float(record.p), float(record.q))
        # next to -1/sqrt2 the curve goes to infinity
        height = np.sqrt(star / _closed("gap")(1.0, across, np.where(across < 0, -1.0, 1.0))[0])
        for sign in (1, -1):
            (line,) = axes.plot(across, sign * height, "--", color=BIGRAM, linewidth=1.6, zorder=4)
            line.set_gid("bigram")
        return [*handles, _key("bigram, global minima", BIGRAM, "--", 1.6)]
    for at, up in (((-reach, reach), (0, 0)), ((TURN, TURN), (-reach, reach))):
        (line,) = axes.plot(at, up, "-", color=UNIGRAM, linewidth=2.2, zorder=4)
        line.set_gid("both")
    return [_key("unigram = bigram", UNIGRAM, "-", 2.2)]


def _flow(axes: Axes, record: FlowRecord) -> list[Artist]:
    halo = [withStroke(linewidth=3.2, foreground="white")]
    axes.plot(record.w, record.e, "-", color=FLOW, linewidth=1.8, path_effects=halo, zorder=5)
    axes.lines[-1].set_gid("flow")
    name = f"end: {record.end or 'undecided'}" if record.excess else "end"
    ends = ((0, "o", "start"), (-1, "s", name))
    handles: list[Artist] = [_key("the flow, integrated", FLOW, "-", 1.8)]
    for k, marker, name in ends:
        handles += axes.plot(
            record.w[k], record.e[k], marker, color=FLOW, markeredgecolor="white", markersize=6,
            linestyle="", label=name, zorder=6,
        )  # fmt: skip
    return handles


def _separatrix_at(across: Float[np.ndarray, " F"]) -> Float[np.ndarray, " F"]:
    square = _closed("separatrix")(across, -1.0)
    # at -1/sqrt2 it is 0, and its round-off may be below
    height: Float[np.ndarray, " F"] = np.sqrt(np.maximum(square, 0.0))
    return height


def _key(label: str, colour: str, style: Any, width: float) -> Line2D:
    return Line2D([], [], color=colour, linestyle=style, linewidth=width, label=label)


@cache
def _closed(name: str) -> Any:
    """A closed form of theory as a function of arrays."""
    if name == "energy":
        return function([e, w, tau], energy(), np)
    if name == "separatrix":
        return function([w, tau], separatrix_squared(), np)
    if name == "gap":
        return function([e, w, tau], [gap(), gap().diff(e), gap().diff(w)], np)
    zero, one = bigram_set().logits
    return function([p, q], one - zero, np)
