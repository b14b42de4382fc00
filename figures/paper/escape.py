"""The escape radius of the unigram: closed form against the nearest lower loss that was found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from figures.records.inputs import Inputs
from figures.style import PALETTE, TEXT_WIDTH, lay_out
from theory.reduced.escape import escape_radius, full_model_bound

FINE = 201


@dataclass(frozen=True)
class Radii:
    """Radii in parameter space.

    Fields:
        w: [W], the reduced coordinate of each unigram point.
        radius: [W], distance of the nearest point of lower loss that was found.
        searched: [W], the largest ball in which descent found nothing.
        full, ansatz: radius found for the full model from all weights 0, over all directions and
            along the rank-one ansatz.
        p, q: of the chain.
    """

    w: Float[np.ndarray, " W"]
    radius: Float[np.ndarray, " W"]
    searched: Float[np.ndarray, " W"]
    full: float
    ansatz: float
    p: float
    q: float

    @property
    def predicted(self) -> Float[np.ndarray, " W"]:
        """The closed form at the measured w."""
        return np.array([escape_radius(self.p, self.q, float(w)) for w in self.w])


def load(inputs: Inputs) -> Radii:
    """The record `escape`."""
    import json

    found = inputs.record("escape")
    settings = json.loads(found.attrs["settings"])
    return Radii(
        found["w"].values,
        found["radius"].values,
        found["searched"].values,
        float(found.attrs["full"]),
        float(found.attrs["ansatz"]),
        settings["p"],
        settings["q"],
    )


def draw(figure: Figure, record: Radii) -> None:
    """The reduced model over w at the left, the full model from weights 0 at the right."""
    lay_out(figure, TEXT_WIDTH, 2.3)
    left, right = figure.subplots(1, 2, width_ratios=[1.7, 1])
    across = np.linspace(record.w[0], record.w[-1], FINE)
    exact = [escape_radius(record.p, record.q, float(w)) for w in across]
    (line,) = left.plot(
        across, exact, color=PALETTE["orange"], linewidth=1.6, zorder=2,
        label="closed form $\\max(0, w+1/\\sqrt{2})$",
    )  # fmt: skip
    line.set_gid("theory")
    (marks,) = left.plot(
        record.w, record.radius, "o", color="black", markersize=3.5, markerfacecolor="none",
        label="nearest lower loss found", zorder=3, clip_on=False,
    )  # fmt: skip
    marks.set_gid("measured")
    left.set(xlabel="feed-forward weight $w$ of the point", ylabel="escape radius")
    left.set(xlim=(record.w[0], record.w[-1]), ylim=(0, None), title="reduced model")
    left.legend(loc="upper left")
    found = (("any\ndirection", record.full), ("rank-one\nansatz", record.ansatz))
    bounds = (full_model_bound(), 2.0)
    for at, ((_, value), bound) in enumerate(zip(found, bounds, strict=True)):
        text = "closed form (upper bounds)" if at == 0 else None
        right.plot(
            [at - 0.3, at + 0.3], [bound] * 2, color=PALETTE["orange"], linewidth=1.6, label=text
        )
        right.plot(at, value, "o", color="black", markersize=3.5, markerfacecolor="none")
        right.annotate(
            f"{value:.4f}", (at, value), xytext=(0, 5), textcoords="offset points", ha="center"
        )
    right.set_xticks(range(len(found)), [name for name, _ in found])
    right.set(xlim=(-0.6, 1.6), ylim=(0, 2.4), title="full model, weights 0")
    right.legend(loc="lower center")


def numbers(record: Radii) -> dict[str, str]:
    """The largest distance between closed form and measurement, and the full model's radii."""
    return {
        "LargestError": f"{np.abs(record.radius - record.predicted).max():.1e}",
        "Full": f"{record.full:.4f}",
        "FullBound": f"{full_model_bound():.4f}",
        "Ansatz": f"{record.ansatz:.4f}",
    }
