"""The attention layer's share of the residual stream, and its attention at the end of training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from figures.panels.loss_panel import COLOURS, draw_published
from figures.records.inputs import Inputs
from figures.records.runs import checkpoints
from figures.style import TEXT_WIDTH, lay_out

SELECT = {"model.width": 4, "model.activation": "relu"}
PUBLISHED = ((0, 0.0005), (100, 0.11), (200, 0.010))


@dataclass(frozen=True)
class Attention:
    """What the attention of the runs did.

    Fields:
        step: [K].
        share: [R, K], E|a| / (E|u| + E|a|) of each run.
        matrix: [N, N], mean attention weights at the end, query by key, averaged over runs.
    """

    step: Int[np.ndarray, " K"]
    share: Float[np.ndarray, "R K"]
    matrix: Float[np.ndarray, "N N"]

    @property
    def uneven(self) -> Float[np.ndarray, "N N"]:
        """n times the weights: 1 everywhere below the diagonal if attention is uniform."""
        queries = np.arange(1, len(self.matrix) + 1.0)
        found: Float[np.ndarray, "N N"] = self.matrix * queries[:, None]
        return found


def load(inputs: Inputs) -> Attention:
    """The runs of width 4 with relu."""
    found = checkpoints(inputs.scan("rank-one"), SELECT)
    return Attention(
        found["step"].values,
        found["attention_share"].isel(layer=0).values,
        found["attention"].isel(checkpoint=-1, layer=0, head=0).mean("seed").values.astype(float),
    )


def draw(figure: Figure, record: Attention) -> None:
    """The share against the step, and the attention weights times the number of keys."""
    lay_out(figure, TEXT_WIDTH, 2.3)
    left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
    for run in record.share:
        left.plot(record.step, run, color="0.6", linewidth=0.5, zorder=2)
    (mean,) = left.plot(
        record.step, record.share.mean(0), color=COLOURS[0], linewidth=1.4,
        label=f"mean of {len(record.share)} runs", zorder=3,
    )  # fmt: skip
    mean.set_gid("mean")
    draw_published(left, PUBLISHED, "black", label="published")
    left.set(xlim=(0, record.step[-1]), ylim=(0, None), xlabel="step")
    left.set_ylabel("attention's share of the stream,\n$E\\|a\\| / (E\\|u\\| + E\\|a\\|)$")
    left.legend(loc="upper right")
    uneven = np.where(np.tri(len(record.matrix), dtype=bool), record.uneven, np.nan)
    length = len(uneven)
    image = right.imshow(
        uneven, cmap="PuOr", vmin=0.9, vmax=1.1, extent=(0.5, length + 0.5, length + 0.5, 0.5)
    )
    image.set_gid("attention")
    right.set(xlabel="key $i$", ylabel="query $n$")
    bar = figure.colorbar(image, ax=right, extend="both", aspect=20)
    bar.set_label("$n$ times attention weight")
    bar.outline.set_linewidth(0.5)


def numbers(record: Attention) -> dict[str, str]:
    """The mean share at its peak and at the published steps; how uneven the attention is."""
    mean = record.share.mean(0)
    peak = int(mean.argmax())
    at = int((record.step == 200).argmax())
    below = np.tri(len(record.matrix), dtype=bool)
    return {
        "Start": f"{mean[0]:.4f}",
        "Peak": f"{mean[peak]:.2f}",
        "PeakStep": str(int(record.step[peak])),
        "TwoHundred": f"{mean[at]:.3f}",
        "Uneven": f"{np.abs(record.uneven - 1)[below].max():.2f}",
    }
