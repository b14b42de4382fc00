"""The valley: from a local minimum at the unigram to a bigram point, never above H_u."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.figure import Figure

from figures.panels.loss_panel import draw_entropies
from figures.records.inputs import Inputs
from figures.style import PALETTE, TEXT_WIDTH, lay_out


@dataclass(frozen=True)
class Path:
    """Losses and curvatures at the corners of the path.

    Fields:
        t: [n], arc length.
        loss: [n], nats.
        walks: [n], on the unigram manifold; the others descend.
        lowest: [n], least eigenvalue of the Hessian's (E, b) block; NaN at relu kinks, and as
            drawn on the walk only.
        curvature: [n], along the direction of the descent, one-sided. It is a difference over steps
            of e, which near the foot of the walk cross relu kinks: drawn at the foot alone.
        distance: [n], Euclidean, from the start.
        unigram_loss, bigram_loss, barrier: nats.
    """

    t: Float[np.ndarray, " n"]
    loss: Float[np.ndarray, " n"]
    walks: Bool[np.ndarray, " n"]
    lowest: Float[np.ndarray, " n"]
    curvature: Float[np.ndarray, " n"]
    distance: Float[np.ndarray, " n"]
    unigram_loss: float
    bigram_loss: float
    barrier: float

    @property
    def turn(self) -> float:
        """Arc length at which the least curvature first is negative; NaN if it never is."""
        below = self.t[np.nan_to_num(self.lowest, nan=np.inf) < 0]
        return float(below[0]) if len(below) else float("nan")


def load(inputs: Inputs) -> Path:
    """The record `valley`."""
    found = inputs.record("valley")
    values = (
        found[name].values for name in ("t", "loss", "walks", "lowest", "curvature", "distance")
    )
    t, loss, walks, lowest, curvature, distance = values
    losses = (float(found.attrs[name]) for name in ("unigram_loss", "bigram_loss", "barrier"))
    return Path(t, loss, walks.astype(bool), lowest, curvature, distance, *losses)


def draw(figure: Figure, record: Path) -> None:
    """The loss above, the least curvature below, against the length of the path."""
    lay_out(figure, 0.8 * TEXT_WIDTH, 3.1)
    above, below = figure.subplots(2, 1, sharex=True)
    (line,) = above.plot(record.t, record.loss, color="black", linewidth=1.4, zorder=3)
    line.set_gid("loss")
    draw_entropies(above, record.unigram_loss, record.bigram_loss)
    above.set_ylabel("loss (nats)")
    (least,) = below.plot(
        record.t[record.walks], record.lowest[record.walks], color=PALETTE["green"], linewidth=1.4,
        zorder=3,
    )  # fmt: skip
    least.set_gid("lowest")
    below.axhline(0, color="0.5", linewidth=0.6, zorder=1)
    below.set_ylabel("least eigenvalue of\nthe $(E, b)$ block (nats)")
    (foot_mark,) = below.plot(
        record.t[record.walks][-1], record.curvature[record.walks][-1], "o", color="black",
        markersize=3.5, markerfacecolor="white", zorder=4,
        label="one-sided, along the descent, at the relu kink",
    )  # fmt: skip
    foot_mark.set_gid("foot")
    below.legend(loc="lower left")
    if np.isfinite(record.turn):
        foot = record.t[record.walks][-1]
        places = (
            (record.turn / 2, "local minimum", "bottom"),
            ((record.turn + foot) / 2, "saddle", "top"),
        )
        for at, word, side in places:
            gap = 3 if side == "bottom" else -3
            below.annotate(
                word, (at, 0), xytext=(0, gap), textcoords="offset points", ha="center", va=side,
                fontsize=7,
            )  # fmt: skip
    end, foot = float(record.t[-1]), float(record.t[record.walks][-1])
    for axes in (above, below):
        axes.axvline(foot, color="0.6", linestyle=":", linewidth=0.9, zorder=1)
    for at, text in ((foot / 2, "along the unigram set"), ((foot + end) / 2, "down")):
        above.text(at, 1.02, text, transform=above.get_xaxis_transform(), ha="center", va="bottom")
    below.set(xlim=(0, end), xlabel="length of the path (parameter distance)")


def numbers(record: Path) -> dict[str, str]:
    """The barrier, the curvatures at the start and at the foot, and the lengths."""
    walked = record.t[record.walks]
    return {
        "Barrier": f"{max(record.barrier, 0):.1e}",
        "StartCurvature": f"{record.lowest[0]:.3f}",
        "FootCurvature": f"{record.curvature[record.walks][-1]:.3f}",
        "Turn": f"{record.turn:.2f}",
        "Walk": f"{walked[-1]:.2f}",
        "Length": f"{record.t[-1]:.2f}",
    }
