"""The phase portrait of the reduced gradient flow over (w, e), and one flow on it.

Drawn after the figures of *Local to Global*: level lines of the energy, unit vectors of the flow,
the bigram curve, the unigram line where it is a minimum and where a saddle, and the separatrix
between the two basins.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from figures.panels.portrait import (
    EXTENT,
    Plane,
    draw_arrows,
    draw_basins,
    draw_critical_sets,
    draw_energy_lines,
    draw_separatrix,
    label_plane,
)
from figures.style import key, styled
from landscape.sources.protocol import Exact

FLOW = "black"


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

    p: Exact
    q: Exact
    e: Float[np.ndarray, " K"]
    w: Float[np.ndarray, " K"]
    free_bias: bool = False
    end: str | None = None

    @property
    def excess(self) -> int:
        """The sign of p + q - 1, decided on the decimals."""
        return self.plane.excess

    @property
    def plane(self) -> Plane:
        """The portrait's plane: of extent `EXTENT`, or a tenth beyond the flow."""
        reach = 1.1 * float(max(np.abs(self.e).max(), np.abs(self.w).max()))
        return Plane(self.p, self.q, max(EXTENT, reach))


def draw(figure: Figure, record: FlowRecord) -> None:
    """Draw the portrait and the flow on a figure of their own, with the legend below.

    >>> from decimal import Decimal
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
    plane = record.plane
    bias = "free bias, projected" if record.free_bias else "bias at its best value"
    axes.set_title(f"gradient flow at $(p, q) = ({record.p}, {record.q})$, {bias}")
    label_plane(axes, plane)
    handles: list[Artist] = []
    if not record.free_bias:
        handles += draw_basins(axes, plane)
        handles += draw_energy_lines(axes, plane) + draw_arrows(axes, plane)
        handles += draw_separatrix(axes, plane)
    return handles + draw_critical_sets(axes, plane) + _flow(axes, record)


def _flow(axes: Axes, record: FlowRecord) -> list[Artist]:
    halo = [withStroke(linewidth=3.2, foreground="white")]
    axes.plot(record.w, record.e, "-", color=FLOW, linewidth=1.8, path_effects=halo, zorder=5)
    axes.lines[-1].set_gid("flow")
    name = f"end: {record.end or 'undecided'}" if record.excess else "end"
    ends = ((0, "o", "start"), (-1, "s", name))
    handles: list[Artist] = [key("the flow, integrated", FLOW, "-", 1.8)]
    for k, marker, name in ends:
        handles += axes.plot(
            record.w[k], record.e[k], marker, color=FLOW, markeredgecolor="white", markersize=6,
            linestyle="", label=name, zorder=6,
        )  # fmt: skip
    return handles
