"""The single layer without its attention at (.5,.8): what keeps the tied model is not attention."""

from __future__ import annotations

from matplotlib.figure import Figure

from figures.panels.loss_panel import Curve, draw_losses, legend_handles, read_curve
from figures.records.inputs import Inputs
from figures.style import TEXT_WIDTH, lay_out


def load(inputs: Inputs) -> tuple[Curve, ...]:
    """A curve for each tying."""
    return tuple(
        read_curve(inputs, "no-attention", {"model.tying": tying}, f"{tying}, no attention", style)
        for style, tying in enumerate(("tied", "untied"))
    )


def draw(figure: Figure, record: tuple[Curve, ...]) -> None:
    """Both on one panel."""
    lay_out(figure, 0.65 * TEXT_WIDTH, 2.1)
    axes = figure.subplots()
    draw_losses(axes, record)
    axes.set_ylabel("population loss (nats)")
    axes.legend(
        handles=legend_handles(axes), loc="center right", bbox_to_anchor=(1, 0.45), handlelength=2.4
    )


def numbers(record: tuple[Curve, ...]) -> dict[str, str]:
    """Final mean losses."""
    return {
        name: f"{c.runs.mean[-1]:.4f}" for name, c in zip(("Tied", "Untied"), record, strict=True)
    }
