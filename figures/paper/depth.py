"""Loss of 1, 2, 4 and 8 layers at (.5,.8), with LayerNorm and without."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure

from figures.panels.loss_panel import Curve, draw_losses, legend_handles, read_curve
from figures.records.inputs import Inputs
from figures.style import TEXT_WIDTH, lay_out

WORDS = {1: "One", 2: "Two", 4: "Four", 8: "Eight"}


@dataclass(frozen=True)
class Panel:
    """The runs with LayerNorm, or those without."""

    norm: bool
    curves: tuple[Curve, ...]


def load(inputs: Inputs) -> tuple[Panel, ...]:
    """A curve for each number of layers."""
    panels = []
    for norm in (True, False):
        curves = []
        for style, layers in enumerate(WORDS):
            select = {"model.layers": layers, "model.layer_norm": norm}
            name = f"{layers} layer{'s' if layers > 1 else ''}"
            curves.append(read_curve(inputs, "depth", select, name, style, published=norm))
        panels.append(Panel(norm, tuple(curves)))
    return tuple(panels)


def draw(figure: Figure, record: tuple[Panel, ...]) -> None:
    """The two panels on one scale of losses."""
    lay_out(figure, TEXT_WIDTH, 2.3)
    for axes, panel in zip(figure.subplots(1, 2, sharey=True), record, strict=True):
        draw_losses(axes, panel.curves)
        axes.set_title("with LayerNorm" if panel.norm else "without LayerNorm")
    runs = record[0].curves[0].runs
    gap = runs.unigram_loss - runs.bigram_loss
    figure.axes[0].set_ylim(runs.bigram_loss - 0.1 * gap, runs.unigram_loss + 0.6 * gap)
    figure.axes[0].set_ylabel("population loss (nats)")
    handles = legend_handles(figure.axes[0])
    figure.legend(handles=handles, loc="outside lower center", ncols=5, handlelength=2.2)


def numbers(record: tuple[Panel, ...]) -> dict[str, str]:
    """Final mean losses, and the step at which the mean first is below .620 ('never')."""
    found = {}
    for panel in record:
        for layers, curve in zip(WORDS.values(), panel.curves, strict=True):
            name = f"{'Norm' if panel.norm else 'Plain'}{layers}"
            below = curve.runs.step[curve.runs.mean < 0.62]
            found[f"{name}Loss"] = f"{curve.runs.mean[-1]:.4f}"
            found[f"{name}Step"] = str(int(below[0])) if len(below) else "never"
    return found
