"""Three canonical scalars against the full model with rank-one weights, at (.2,.3)."""

from __future__ import annotations

from matplotlib.figure import Figure

from figures.panels.loss_panel import Curve, draw_losses, legend_handles, read_curve
from figures.records.inputs import Inputs
from figures.style import TEXT_WIDTH, lay_out

NAMES = {"reduced": "three scalars $(e, w, b)$", "single-layer": "full model, rank-one start"}


def load(inputs: Inputs) -> tuple[Curve, ...]:
    """A curve for each model."""
    return tuple(
        read_curve(inputs, "canonical", {"model.kind": kind}, label, style)
        for style, (kind, label) in enumerate(NAMES.items())
    )


def draw(figure: Figure, record: tuple[Curve, ...]) -> None:
    """Both on one panel."""
    lay_out(figure, 0.75 * TEXT_WIDTH, 2.3)
    axes = figure.subplots()
    draw_losses(axes, record)
    axes.set_ylabel("population loss (nats)")
    axes.legend(
        handles=legend_handles(axes), loc="upper right", bbox_to_anchor=(1, 0.82), handlelength=2.4
    )


def numbers(record: tuple[Curve, ...]) -> dict[str, str]:
    """Mean losses at the published steps."""
    words = {50: "Fifty", 100: "Hundred", 150: "HundredFifty", 200: "TwoHundred"}
    words[250] = "TwoHundredFifty"
    found = {}
    for curve, name in zip(record, ("Scalars", "RankOne"), strict=True):
        for step, _ in curve.published:
            value = curve.runs.mean[int((curve.runs.step == step).argmax())]
            found[f"{name}{words[step]}"] = f"{value:.4f}"
    return found
