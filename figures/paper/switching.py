"""The switching chain of 5 symbols, tied and untied, at four switching probabilities."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure

from figures.panels.loss_panel import Curve, draw_losses, legend_handles, read_curve
from figures.records.inputs import Inputs
from figures.style import TEXT_WIDTH, lay_out

WORDS = {0.1: "Tenth", 0.3: "ThreeTenths", 0.6: "SixTenths", 0.9: "NineTenths"}


@dataclass(frozen=True)
class Panel:
    """The runs at one switching probability p, tied and untied."""

    p: float
    curves: tuple[Curve, Curve]


def load(inputs: Inputs) -> tuple[Panel, ...]:
    """A panel for each p."""
    panels = []
    for p in WORDS:
        tied, untied = (
            read_curve(inputs, "switching-5", {"source.p": p, "model.tying": tying}, tying, style)
            for style, tying in enumerate(("tied", "untied"))
        )
        panels.append(Panel(p, (tied, untied)))
    return tuple(panels)


def draw(figure: Figure, record: tuple[Panel, ...]) -> None:
    """Four panels, each on its own scale between its two entropies."""
    lay_out(figure, TEXT_WIDTH, 3.4)
    for axes, panel in zip(figure.subplots(2, 2).ravel(), record, strict=True):
        draw_losses(axes, panel.curves)
        runs = panel.curves[0].runs
        gap = runs.unigram_loss - runs.bigram_loss
        axes.set_ylim(runs.bigram_loss - 0.12 * gap, runs.unigram_loss + 0.3 * gap)
        above = panel.p > 0.8  # (S-1)/S
        axes.set_title(f"$p = {panel.p}$ (theory, tied: {'local minimum' if above else 'saddle'})")
    for axes in figure.axes[:2]:
        axes.set_xlabel("")
    for axes in figure.axes[::2]:
        axes.set_ylabel("population loss (nats)")
    handles = legend_handles(figure.axes[0])
    figure.legend(handles=handles, loc="outside lower center", ncols=3, handlelength=2.4)


def numbers(record: tuple[Panel, ...]) -> dict[str, str]:
    """Final mean losses by p and tying, and the entropy rates."""
    found = {}
    for panel in record:
        found[f"{WORDS[panel.p]}Rate"] = f"{panel.curves[0].runs.bigram_loss:.4f}"
        for curve in panel.curves:
            found[f"{WORDS[panel.p]}{curve.label.capitalize()}"] = f"{curve.runs.mean[-1]:.4f}"
    return found
