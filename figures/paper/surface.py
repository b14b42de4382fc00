"""The loss of the full transformer over (w, e): what was measured, and theory's contours on it."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.artist import Artist
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from figures.panels.portrait import Plane, draw_critical_sets
from figures.plots.slices import SURFACE
from figures.records.inputs import Inputs
from figures.style import TEXT_WIDTH, key, lay_out
from theory.chain.binary import entropy_rate, unigram_entropy
from theory.numeric import function
from theory.reduced.loss import best_bias, reduced_loss
from theory.symbols import b, e, p, q, tau, w

FINE = 401
LEVELS = 12


@dataclass(frozen=True)
class Surface:
    """The measured loss on one chain.

    Fields:
        plane: of the chain.
        e, w: [E], [W], the grid.
        loss: [E, W], nats, with the bias at its best value.
        unigram_loss, bigram_loss: nats.
    """

    plane: Plane
    e: Float[np.ndarray, " E"]
    w: Float[np.ndarray, " W"]
    loss: Float[np.ndarray, "E W"]
    unigram_loss: float
    bigram_loss: float

    @property
    def error(self) -> float:
        """The largest |measured - theory| on the grid, nats."""
        exact = predicted(float(self.plane.p), float(self.plane.q), self.e, self.w)
        return float(np.abs(self.loss - exact).max())


def predicted(
    up: float, down: float, high: Float[np.ndarray, " E"], across: Float[np.ndarray, " W"]
) -> Float[np.ndarray, "E W"]:
    """The symbolic loss of the rank-one ansatz with the bias at its best value, nats.

    >>> predicted(0.5, 0.8, np.zeros(1), np.zeros(1)).round(5).tolist()
    [[0.66628]]
    """
    ee, ww = np.meshgrid(high, across, indexing="ij")
    sign = np.where(ww < 0, -1.0, 1.0)
    found: Float[np.ndarray, "E W"] = np.empty_like(ee)
    for side in (1, -1):
        bias = function([p, q, e, w, tau], best_bias(side), np)(up, down, ee, ww, sign)
        loss = function([p, q, e, w, b, tau], reduced_loss(side), np)(up, down, ee, ww, bias, sign)
        found = np.where(ee * side >= 0, loss, found)
    return found


def load(inputs: Inputs) -> tuple[Surface, ...]:
    """The record `surface`, a surface for each chain."""
    from decimal import Decimal

    found = inputs.record("surface")
    surfaces = []
    for k in range(found.sizes["chain"]):
        up, down = float(found["p"][k]), float(found["q"][k])
        high, across = found["e"].values, found["w"].values
        plane = Plane(Decimal(str(up)), Decimal(str(down)), float(across[-1]))
        levels = function([p, q], [unigram_entropy(), entropy_rate()], np)(up, down)
        loss = found["loss"].isel(chain=k).values
        surfaces.append(Surface(plane, high, across, loss, *map(float, levels)))
    return tuple(surfaces)


def draw(figure: Figure, record: tuple[Surface, ...]) -> None:
    """Filled contours are the measured loss, dashed lines theory's at the same levels."""
    lay_out(figure, TEXT_WIDTH, 3.1)
    handles: dict[str, Artist] = {}
    for axes, each in zip(figure.subplots(1, 2, sharey=True), record, strict=True):
        top = each.unigram_loss + 2 * (each.unigram_loss - each.bigram_loss)
        levels = np.linspace(each.bigram_loss, top, LEVELS + 1)
        cmap = mpl.colormaps[SURFACE]
        filled = axes.contourf(
            each.w, each.e, each.loss, levels=levels, cmap=cmap,
            norm=BoundaryNorm(levels, cmap.N, extend="max"), extend="max",
        )  # fmt: skip
        filled.set_gid("measured")
        high, across = (np.linspace(axis[0], axis[-1], FINE) for axis in (each.e, each.w))
        exact = predicted(float(each.plane.p), float(each.plane.q), high, across)
        lines = axes.contour(
            across, high, exact, levels=levels[1:], colors="black", linewidths=0.6,
            linestyles="--",
        )  # fmt: skip
        lines.set_path_effects([withStroke(linewidth=1.3, foreground="white", alpha=0.7)])
        lines.set_gid("theory")
        handles["theory"] = key("theory's contours", "black", "--", 0.6)
        for handle in draw_critical_sets(axes, each.plane):
            handles.setdefault(str(handle.get_label()), handle)
        reach = each.plane.extent
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="feed-forward weight $w$")
        axes.set_title(f"$(p, q) = ({each.plane.p}, {each.plane.q})$")
        bar = figure.colorbar(filled, ax=axes, pad=0.02, aspect=25)
        bar.set_ticks(levels[::3].tolist(), labels=[f"{level:.3f}" for level in levels[::3]])
        bar.outline.set_linewidth(0.5)
    figure.axes[0].set_ylabel("embedding $e$")
    bar.set_label("measured loss (nats)")
    figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=4)


def numbers(record: tuple[Surface, ...]) -> dict[str, str]:
    """The largest difference between measured and symbolic loss."""
    return {"LargestError": f"{max(each.error for each in record):.1e}"}
