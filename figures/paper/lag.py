"""The lag-2 chain, where the next symbol depends on the one before the last, by window."""

from __future__ import annotations

from matplotlib.figure import Figure

from figures.panels.loss_panel import Curve, draw_losses, legend_handles, read_curve
from figures.records.inputs import Inputs
from figures.records.runs import cell_of
from figures.style import TEXT_WIDTH, lay_out


def load(inputs: Inputs) -> tuple[Curve, ...]:
    """A curve for each attention window, the longest being full attention."""
    store = inputs.scan("lag-2")
    curves = []
    for style, window in enumerate(sorted(map(int, store.config.axes["model.window"]))):
        select = {"model.window": window}
        full = window >= cell_of(store, select).model.length
        name = "full attention" if full else f"window {window}"
        curves.append(read_curve(inputs, "lag-2", select, name, style))
    return tuple(curves)


def draw(figure: Figure, record: tuple[Curve, ...]) -> None:
    """All windows on one panel."""
    lay_out(figure, 0.75 * TEXT_WIDTH, 2.3)
    axes = figure.subplots()
    draw_losses(axes, record)
    axes.texts[1].set_text("floor")  # of lag 2, the first symbols cannot be predicted
    axes.set_ylabel("population loss (nats)")
    axes.legend(
        handles=legend_handles(axes),
        loc="center right",
        bbox_to_anchor=(0.98, 0.35),
        handlelength=2.4,
    )


def numbers(record: tuple[Curve, ...]) -> dict[str, str]:
    """Final mean losses from the narrowest window on, and the floor at this length."""
    names = ("First", "Second", "Third", "Fourth", "Fifth")
    found = {"Floor": f"{record[0].runs.bigram_loss:.4f}"}
    for name, curve in zip(names, record, strict=False):
        found[f"{name}Window"] = curve.label.removeprefix("window ")
        found[f"{name}Loss"] = f"{curve.runs.mean[-1]:.4f}"
    return found
