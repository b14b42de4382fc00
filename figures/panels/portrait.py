"""The parts of a phase portrait of the reduced flow: energy, field, basins and critical sets.

Each function draws one part on given axes and returns what the legend should say of it.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from figures.style import BIGRAM, PALETTE, UNIGRAM, key
from landscape.sources.protocol import Exact
from theory.numeric import function
from theory.reduced.critical_points import bigram_set
from theory.reduced.flow import energy, gap, separatrix_squared
from theory.symbols import e, p, q, tau, w

EXTENT = 3.0
"""The portrait spans [-EXTENT, EXTENT] in w and in e, unless told otherwise."""

FINE = 601
ARROWS = 20
LEVELS = (-12, -8, -5, -3, -2, -1, 0, 1, 2, 3, 5, 8, 12)
TURN = -1 / math.sqrt(2)
SEPARATRIX = PALETTE["purple"]


@dataclass(frozen=True)
class Plane:
    """The (w, e) plane of one chain.

    Fields:
        p, q: of the chain, as they were written.
        extent: half the width of the portrait.
    """

    p: Exact
    q: Exact
    extent: float = EXTENT

    @property
    def excess(self) -> int:
        """The sign of p + q - 1, decided without rounding."""
        total = Fraction(self.p) + Fraction(self.q)
        return (total > 1) - (total < 1)


def label_plane(axes: Axes, plane: Plane) -> None:
    """Equal axes over the plane, with their names."""
    reach = plane.extent
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.set(xlabel="feed-forward weight $w$", ylabel="embedding $e$")


def draw_basins(axes: Axes, plane: Plane) -> list[Artist]:
    """The unigram's basin hatched as well as tinted: in grey the tints are alike."""
    if plane.excess == 0:
        return []
    reach = plane.extent
    left = plane.excess < 0  # the side of w = -1/sqrt2 on which the separatrix bounds it
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


def draw_energy_lines(axes: Axes, plane: Plane) -> list[Artist]:
    """The level lines of the conserved energy, at `LEVELS`."""
    reach = plane.extent
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
    return [key("energy $e^2-w^2-\\mathrm{sign}(w)\\ln|w|$", "#707070", "-", 0.5)]


def draw_arrows(axes: Axes, plane: Plane) -> list[Artist]:
    """Unit vectors of the flow, in the direction of s* - s along the gradient of s."""
    places = (np.arange(ARROWS) + 0.5) / ARROWS * 2 * plane.extent - plane.extent
    ww, ee = np.meshgrid(places, places)
    sign = np.where(ww < 0, -1.0, 1.0)
    height, along_e, along_w = _closed("gap")(ee, ww, sign)
    towards = np.sign(_closed("star")(float(plane.p), float(plane.q)) - height)
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


def draw_separatrix(axes: Axes, plane: Plane) -> list[Artist]:
    """The level line of the saddle (0, -1/sqrt2), for w < 0."""
    if plane.excess == 0:
        return []
    across = -np.geomspace(1e-6, plane.extent, FINE)
    across = np.sort(np.append(across, TURN))
    height = _separatrix_at(across)
    for sign in (1, -1):
        (line,) = axes.plot(across, sign * height, color=SEPARATRIX, linewidth=1.5, zorder=3)
        line.set_gid("separatrix")
    return [key("separatrix, saddle's energy", SEPARATRIX, "-", 1.5)]


def draw_critical_sets(axes: Axes, plane: Plane) -> list[Artist]:
    """The bigram curve, and the unigram line where it is a minimum and where a saddle."""
    reach, excess = plane.extent, plane.excess
    handles: list[Artist] = []
    if excess:
        sides = [(-reach, TURN), (TURN, reach)]
        minimum, saddle = sides[::excess][::-1]
        pairs = ((minimum, "-", 2.2, "local minima"), (saddle, ":", 1.6, "saddles"))
        for side, style, width, name in pairs:
            (line,) = axes.plot(side, (0, 0), style, color=UNIGRAM, linewidth=width, zorder=4)
            line.set_gid(f"unigram {name}")
            handles.append(key(f"unigram, {name}", UNIGRAM, style, width))
        across = np.linspace(-reach, TURN, FINE)[:-1] if excess > 0 else (
            np.linspace(TURN, reach, FINE)[1:]
        )  # fmt: skip
        star = _closed("star")(float(plane.p), float(plane.q))
        # next to -1/sqrt2 the curve goes to infinity
        height = np.sqrt(star / _closed("gap")(1.0, across, np.where(across < 0, -1.0, 1.0))[0])
        for sign in (1, -1):
            (line,) = axes.plot(across, sign * height, "--", color=BIGRAM, linewidth=1.6, zorder=4)
            line.set_gid("bigram")
        return [*handles, key("bigram, global minima", BIGRAM, "--", 1.6)]
    for at, up in (((-reach, reach), (0, 0)), ((TURN, TURN), (-reach, reach))):
        (line,) = axes.plot(at, up, "-", color=UNIGRAM, linewidth=2.2, zorder=4)
        line.set_gid("both")
    return [key("unigram = bigram", UNIGRAM, "-", 2.2)]


def _separatrix_at(across: Float[np.ndarray, " F"]) -> Float[np.ndarray, " F"]:
    square = _closed("separatrix")(across, -1.0)
    # at -1/sqrt2 it is 0, and its round-off may be below
    height: Float[np.ndarray, " F"] = np.sqrt(np.maximum(square, 0.0))
    return height


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
