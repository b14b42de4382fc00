"""The predicted probability of a 1 after a 0 over a grid of chains, tied and untied."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from figures.records.inputs import Inputs
from figures.records.runs import checkpoints
from figures.style import SHARE, TEXT_WIDTH, ink_on, lay_out


@dataclass(frozen=True)
class Grid:
    """Mean predictions of the runs on each chain.

    Fields:
        p, q: [P], [Q], ascending.
        chance: by tying, [Q, P], P(1 | 0) averaged over positions and runs.
        runs: how many a cell has.
    """

    p: Float[np.ndarray, " P"]
    q: Float[np.ndarray, " Q"]
    chance: dict[str, Float[np.ndarray, "Q P"]]
    runs: int

    @property
    def stationary(self) -> Float[np.ndarray, "Q P"]:
        """The unigram's answer pi1 = p/(p+q) in every cell."""
        found: Float[np.ndarray, "Q P"] = self.p / (self.p + self.q[:, None])
        return found


def load(inputs: Inputs) -> Grid:
    """The two planes of the scan `grid`."""
    store = inputs.scan("grid")
    axes = store.config.axes
    p, q = (sorted(map(float, axes[name])) for name in ("source.p", "source.q"))
    chance, runs = {}, 0
    for tying in ("tied", "untied"):
        rows = []
        for down in q:
            row = []
            for up in p:
                select = {"source.p": up, "source.q": down, "model.tying": tying}
                found = checkpoints(store, select)["probability"]
                runs = found.sizes["seed"]
                row.append(float(found.isel(checkpoint=-1, last=0, next=1).mean()))
            rows.append(row)
        chance[tying] = np.array(rows)
    return Grid(np.array(p), np.array(q), chance, runs)


def draw(figure: Figure, record: Grid) -> None:
    """Tied and untied: the colour is the error |P(1|0) - p|, the text the prediction."""
    lay_out(figure, TEXT_WIDTH, 2.6)
    top = max(float(np.abs(found - record.p).max()) for found in record.chance.values())
    norm, cmap = Normalize(0, top), mpl.colormaps[SHARE]
    image = None
    for axes, (tying, found) in zip(figure.subplots(1, 2), record.chance.items(), strict=True):
        error = np.abs(found - record.p)
        image = axes.imshow(error, origin="lower", cmap=cmap, norm=norm, aspect="auto")
        image.set_gid(tying)
        axes.set_xticks(range(len(record.p)), [f"{value:g}" for value in record.p])
        axes.set_yticks(range(len(record.q)), [f"{value:g}" for value in record.q])
        axes.set(xlabel="$p$", title=f"{tying} weights")
        for row, column in np.ndindex(found.shape):
            total = record.p[column] + record.q[row]
            note = rf"($\pi_1={record.stationary[row, column]:.3f}$)" if total > 1 + 1e-9 else ""
            axes.text(
                column, row, f"{found[row, column]:.3f}\n{note}".strip(), ha="center", va="center",
                fontsize=7, linespacing=1.25, color=ink_on(cmap(norm(error[row, column]))),
            )  # fmt: skip
        side = -0.5, len(record.p) - 0.5
        axes.set(xlim=side, ylim=(-0.5, len(record.q) - 0.5))
    figure.axes[0].set_ylabel("$q$")
    assert image is not None  # there are two panels
    bar = figure.colorbar(image, ax=figure.axes, pad=0.02, aspect=25)
    bar.set_label("$|\\hat P(1 \\mid 0) - p|$")
    bar.outline.set_linewidth(0.5)


def numbers(record: Grid) -> dict[str, str]:
    """Largest errors: of p where it is learnt, of pi1 where it is not, in probability."""
    above = record.p + record.q[:, None] > 1 + 1e-9
    error = {tying: np.abs(found - record.p) for tying, found in record.chance.items()}
    return {
        "UntiedError": f"{error['untied'].max():.4f}",
        "TiedErrorBelow": f"{error['tied'][~above].max():.4f}",
        "TiedFromUnigram": f"{np.abs(record.chance['tied'] - record.stationary)[above].max():.4f}",
        "Runs": str(record.runs),
    }
