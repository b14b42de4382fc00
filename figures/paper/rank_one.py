"""The share of the first singular value in the energy of W_1, from random initialisation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from figures.panels.loss_panel import COLOURS, DASHES, draw_published
from figures.records.inputs import Inputs
from figures.records.runs import checkpoints
from figures.style import TEXT_WIDTH, lay_out

WIDTH = 8
MATRIX = "blocks.0.hidden_in"
PUBLISHED = ((0, 0.25), (100, 0.93))


@dataclass(frozen=True)
class Curves:
    """Rank-one energies of W_1.

    Fields:
        step: [K].
        energy: by activation, [R, K], sigma_1^2 / sum sigma_i^2 of each run.
    """

    step: Int[np.ndarray, " K"]
    energy: dict[str, Float[np.ndarray, "R K"]]


def load(inputs: Inputs) -> Curves:
    """The runs of width 8, with relu and with GELU."""
    energy, step = {}, np.zeros(0, dtype=int)
    for activation in ("relu", "gelu"):
        select = {"model.width": WIDTH, "model.activation": activation}
        found = checkpoints(inputs.scan("rank-one"), select)
        energy[activation] = found["rank_one"].sel(matrix=MATRIX).values
        step = found["step"].values
    return Curves(step, energy)


def draw(figure: Figure, record: Curves) -> None:
    """The mean of each activation over its runs, and the two published values."""
    lay_out(figure, 0.75 * TEXT_WIDTH, 2.2)
    axes = figure.subplots()
    for style, (name, energy) in enumerate(record.energy.items()):
        for run in energy:
            axes.plot(record.step, run, color=COLOURS[style], alpha=0.4, linewidth=0.5, zorder=2)
        label = f"{'GELU' if name == 'gelu' else name}, {len(energy)} runs"
        (mean,) = axes.plot(
            record.step, energy.mean(0), color=COLOURS[style], linestyle=DASHES[style],
            linewidth=1.4, label=label, zorder=3,
        )  # fmt: skip
        mean.set_gid("mean")
    draw_published(axes, PUBLISHED, "0.3", label="published")
    axes.axhline(1 / WIDTH, color="0.5", linestyle=":", linewidth=0.8, zorder=1)
    axes.text(
        record.step[-1], 1 / WIDTH, "least possible, 1/8", ha="right", va="bottom", fontsize=7
    )
    axes.set(xlim=(0, record.step[-1]), ylim=(0, 1.03), xlabel="step")
    axes.set_ylabel(r"rank-one energy of $W_1$, $\sigma_1^2/\|W_1\|_F^2$")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.2), handlelength=2.4)


def numbers(record: Curves) -> dict[str, str]:
    """Means at the start, at step 100 and at the end."""
    at = int((record.step == 100).argmax())
    found: dict[str, str] = {}
    for name, energy in record.energy.items():
        mean = energy.mean(0)
        values = {"Start": mean[0], "Hundred": mean[at], "End": mean[-1]}
        found |= {f"{name.capitalize()}{key}": f"{value:.2f}" for key, value in values.items()}
    return found
