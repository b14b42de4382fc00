"""Population loss during training, tied against untied weights, at (.2,.3) and (.5,.8)."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure

from figures.panels.loss_panel import Curve, draw_losses, legend_handles, read_curve
from figures.records.inputs import Inputs
from figures.style import TEXT_WIDTH, lay_out

CHAINS = ((0.2, 0.3), (0.5, 0.8))


@dataclass(frozen=True)
class Panel:
    """The runs on one chain (p, q)."""

    chain: tuple[float, float]
    curves: tuple[Curve, ...]


def load(inputs: Inputs) -> tuple[Panel, ...]:
    """A panel for each chain: tied and untied, each with LayerNorm and without."""
    panels = []
    for p, q in CHAINS:
        curves: list[Curve] = []
        for norm in (True, False):
            for tying in ("tied", "untied"):
                select = {"source.p": p, "source.q": q, "model.tying": tying}
                select["model.layer_norm"] = norm
                name = f"{tying}, {'' if norm else 'no '}LayerNorm"
                found = read_curve(inputs, "tied-untied", select, name, len(curves), published=norm)
                curves.append(found)
        panels.append(Panel((p, q), tuple(curves)))
    return tuple(panels)


def draw(figure: Figure, record: tuple[Panel, ...]) -> None:
    """The two panels side by side, with one legend below."""
    lay_out(figure, TEXT_WIDTH, 2.5)
    for axes, panel in zip(figure.subplots(1, len(record)), record, strict=True):
        draw_losses(axes, panel.curves)
        axes.set_title(f"$(p, q) = ({panel.chain[0]}, {panel.chain[1]})$")
    figure.axes[0].set_ylabel("population loss (nats)")
    handles = legend_handles(figure.axes[0])
    figure.legend(handles=handles, loc="outside lower center", ncols=3, handlelength=2.4)


def numbers(record: tuple[Panel, ...]) -> dict[str, str]:
    """Final mean losses, by chain (low and high switching), tying and LayerNorm."""
    found = {}
    for panel, place in zip(record, ("Low", "High"), strict=True):
        for curve in panel.curves:
            words = curve.label.replace("no LayerNorm", "Plain").replace("LayerNorm", "Norm")
            name = "".join(word.capitalize() for word in words.replace(",", "").split())
            found[f"{place}{name}"] = f"{curve.runs.mean[-1]:.4f}"
    return found
