"""The probability of a 1 after a 0, position by position, of the trained models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from figures.panels.loss_panel import COLOURS, DASHES, draw_published, published_key
from figures.records.inputs import Inputs
from figures.records.runs import checkpoints
from figures.style import BIGRAM, TEXT_WIDTH, UNIGRAM, lay_out

CHAINS = ((0.2, 0.3), (0.5, 0.8))
PUBLISHED = {("tied", 0.2): 0.2, ("untied", 0.2): 0.2, ("tied", 0.5): 0.377, ("untied", 0.5): 0.5}


@dataclass(frozen=True)
class Panel:
    """The predictions of tied and untied models on one chain, without LayerNorm.

    Fields:
        chain: (p, q).
        position: [N], from 1.
        probability: by tying, [R, N], P(x_{n+1} = 1 | x_n = 0) at the end of training, averaged
            over contexts, of each run.
        published: by tying, the level read off the published figure.
    """

    chain: tuple[float, float]
    position: Float[np.ndarray, " N"]
    probability: dict[str, Float[np.ndarray, "R N"]]
    published: dict[str, float]


def load(inputs: Inputs) -> tuple[Panel, ...]:
    """A panel for each chain."""
    store = inputs.scan("tied-untied")
    panels = []
    for p, q in CHAINS:
        chances, position = {}, np.zeros(0)
        for tying in ("tied", "untied"):
            select = {"source.p": p, "source.q": q, "model.tying": tying, "model.layer_norm": False}
            found = checkpoints(store, select)
            chances[tying] = found["probability"].isel(checkpoint=-1, last=0, next=1).values
            position = found["position"].values.astype(float)
        published = {tying: PUBLISHED[tying, p] for tying in chances}
        panels.append(Panel((p, q), position, chances, published))
    return tuple(panels)


def draw(figure: Figure, record: tuple[Panel, ...]) -> None:
    """The two panels side by side: every run, the kernel's p and the unigram's pi1."""
    lay_out(figure, TEXT_WIDTH, 2.25)
    for axes, panel in zip(figure.subplots(1, len(record)), record, strict=True):
        p, q = panel.chain
        for style, (tying, runs) in enumerate(panel.probability.items()):
            for k, run in enumerate(runs):
                (line,) = axes.plot(
                    panel.position, run, color=COLOURS[style], linestyle=DASHES[style],
                    linewidth=0.8, label=f"{tying}, {len(runs)} runs" if k == 0 else None, zorder=3,
                )  # fmt: skip
                line.set_gid(tying)
            read = (int(panel.position[-1]), panel.published[tying])
            draw_published(axes, [read], COLOURS[style])
        for value, name, colour in ((p, "$p$", BIGRAM), (p / (p + q), r"$\pi_1$", UNIGRAM)):
            axes.axhline(value, color=colour, linestyle="--", linewidth=0.9, zorder=1)
            axes.annotate(
                name, (0, value), xytext=(-4, 0), xycoords=axes.get_yaxis_transform(),
                textcoords="offset points", va="center", ha="right", color=colour,
                annotation_clip=False,
            )  # fmt: skip
        low, high = sorted((p, p / (p + q)))
        room = 0.35 * (high - low)
        axes.set(xlim=(1, panel.position[-1]), ylim=(low - room, high + room))
        axes.set(xlabel="position $n$", title=f"$(p, q) = ({p}, {q})$")
        axes.tick_params(axis="y", pad=12)
    figure.axes[0].set_ylabel("$P(x_{n+1}=1 \\mid x_n=0)$")
    handles, _ = figure.axes[0].get_legend_handles_labels()
    handles.append(published_key())
    figure.legend(handles=handles, loc="outside lower center", ncols=3, handlelength=2.4)


def numbers(record: tuple[Panel, ...]) -> dict[str, str]:
    """Means over runs and positions, by chain and tying."""
    return {
        f"{place}{tying.capitalize()}": f"{runs.mean():.3f}"
        for panel, place in zip(record, ("Low", "High"), strict=True)
        for tying, runs in panel.probability.items()
    }
