"""Level lines of the energy, the gradient field and the critical sets, at p = q = .1 and .9."""

from __future__ import annotations

from decimal import Decimal

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from figures.panels.portrait import (
    Plane,
    draw_arrows,
    draw_critical_sets,
    draw_energy_lines,
    label_plane,
)
from figures.records.inputs import Inputs
from figures.style import TEXT_WIDTH, lay_out
from theory.reduced.flow import saddle_energy

CHAINS = ("0.1", "0.9")


def load(_: Inputs) -> tuple[Plane, ...]:
    """The two planes; nothing is read."""
    return tuple(Plane(Decimal(chance), Decimal(chance)) for chance in CHAINS)


def draw(figure: Figure, record: tuple[Plane, ...]) -> None:
    """The two planes side by side, with one legend below."""
    lay_out(figure, TEXT_WIDTH, 3.45)
    handles: dict[str, Artist] = {}
    for axes, plane in zip(figure.subplots(1, 2, sharey=True), record, strict=True):
        label_plane(axes, plane)
        axes.set_title(f"$p = q = {plane.p}$")
        parts = draw_energy_lines(axes, plane) + draw_arrows(axes, plane)
        for handle in parts + draw_critical_sets(axes, plane):
            handles.setdefault(str(handle.get_label()), handle)
    figure.axes[1].set_ylabel("")
    figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=3)


def numbers(_: tuple[Plane, ...]) -> dict[str, str]:
    """The energy of the saddle, and where it lies."""
    return {"SaddleEnergy": f"{float(saddle_energy()):.5f}", "SaddleW": f"{-(0.5**0.5):.4f}"}
