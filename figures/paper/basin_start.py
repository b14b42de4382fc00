"""Standard initialisation against one inside the bigram's basin, at (.5,.8)."""

from __future__ import annotations

from matplotlib.figure import Figure

from figures.panels.loss_panel import Curve, draw_losses, legend_handles, read_curve
from figures.records.inputs import Inputs
from figures.style import TEXT_WIDTH, lay_out

NAMES = {"standard": "standard initialisation", "basin": "inside the bigram's basin"}


def load(inputs: Inputs) -> tuple[Curve, ...]:
    """A curve for each initialisation."""
    return tuple(
        read_curve(inputs, "basin", {"model.init": name}, label, style)
        for style, (name, label) in enumerate(NAMES.items())
    )


def draw(figure: Figure, record: tuple[Curve, ...]) -> None:
    """The whole range of losses at the left, the two entropies enlarged at the right."""
    lay_out(figure, TEXT_WIDTH, 2.25)
    whole, near = figure.subplots(1, 2)
    draw_losses(whole, record, entropies=False)
    draw_losses(near, record)
    runs = record[0].runs
    gap = runs.unigram_loss - runs.bigram_loss
    near.set_ylim(runs.bigram_loss - 0.15 * gap, runs.unigram_loss + 0.5 * gap)
    whole.set(ylabel="population loss (nats)", title="from the start", ylim=(0, None))
    near.set_title("between the entropies")
    handles = legend_handles(whole)
    figure.legend(handles=handles, loc="outside lower center", ncols=3, handlelength=2.4)


def numbers(record: tuple[Curve, ...]) -> dict[str, str]:
    """First and final mean losses, and when the second is first below the first."""
    standard, basin = (curve.runs for curve in record)
    below = basin.step[basin.mean < standard.mean]
    return {
        "Standard": f"{standard.mean[-1]:.4f}",
        "BasinStart": f"{basin.mean[0]:.3f}",
        "Basin": f"{basin.mean[-1]:.4f}",
        "Crossing": str(int(below[0])) if len(below) else "never",
    }
