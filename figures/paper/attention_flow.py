"""The gradient flow of the reduced model with attention, (e, w, a), in three dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from mpl_toolkits.mplot3d import Axes3D  # type: ignore[import-untyped]  # no stubs for it
from mpl_toolkits.mplot3d.art3d import Poly3DCollection  # type: ignore[import-untyped]  # no stubs for it
from scipy.integrate import solve_ivp

from figures.records.inputs import Inputs
from figures.style import BIGRAM, TEXT_WIDTH, UNIGRAM
from theory.attention.critical_points import kappa, unigram_curvature
from theory.attention.loss import attention_derivatives
from theory.chain.binary import mean_memory
from theory.numeric import function
from theory.reduced.critical_points import bigram_set
from theory.reduced.flow import gap
from theory.symbols import a, e, p, q, tau, w

CHAINS = ((0.2, 0.3), (0.5, 0.8))
LENGTH = 4
TIME = 400.0
REACH = 2.0
STARTS = tuple(
    (high, across, strength)
    for high, across in ((0.5, 0.6), (0.5, -0.4), (1.2, -0.4), (0.35, -1.2), (1.1, 1.0))
    for strength in (-0.6, 0.6)
)
INDIGO, GREY = "#332288", "0.35"


@dataclass(frozen=True)
class Space:
    """Flows on one chain.

    Fields:
        chain: (p, q).
        paths: each [K, 3], (e, w, a) at the steps of a flow; the bias flows too.
        loss: at the end of each, nats.
        unigram_loss, bigram_loss: nats.
        curvature: [A, W], of the loss in e at the unigram set (e > 0) over `across`, nats.
        across: [W], values of w and, [A], of a, at which it is given.
        curve: [C, 2], (w, e) of the bigram set, which lies in a = 0.
    """

    chain: tuple[float, float]
    paths: tuple[Float[np.ndarray, "_ 3"], ...]
    loss: tuple[float, ...]
    unigram_loss: float
    bigram_loss: float
    curvature: Float[np.ndarray, "A W"]
    across: tuple[Float[np.ndarray, " W"], Float[np.ndarray, " A"]]
    curve: Float[np.ndarray, "C 2"]

    @property
    def ends(self) -> list[str]:
        """'bigram' or 'unigram' by which level the final loss is near, else 'other'."""
        near = 0.1 * (self.unigram_loss - self.bigram_loss)
        levels = {"bigram": self.bigram_loss, "unigram": self.unigram_loss}
        return [
            next((name for name, level in levels.items() if abs(loss - level) < near), "other")
            for loss in self.loss
        ]


def load(_: Inputs) -> tuple[Space, ...]:
    """The flows from `STARTS`, integrated; nothing is read."""
    return tuple(space(chain, STARTS) for chain in CHAINS)


def space(chain: tuple[float, float], starts: Sequence[tuple[float, float, float]]) -> Space:
    """Follow minus the gradient of the loss over 4 tokens, from each start at its best bias."""
    up, down = chain

    def at(point: Float[np.ndarray, "4"]) -> tuple[float, np.ndarray, np.ndarray]:
        high, across, strength, bias = map(float, point)
        found = attention_derivatives(up, down, (high, across, strength, bias), length=LENGTH)
        return found.loss, found.gradient, found.hessian

    paths, losses = [], []
    for start in starts:
        point = np.array([*start, math.log(up / down)])
        for _ in range(30):  # Newton's method in b alone, along which the loss is convex
            _, slope, bend = at(point)
            point[3] -= np.clip(slope[3] / bend[3, 3], -1, 1)
        flow = solve_ivp(
            lambda _, y: -at(y)[1], (0, TIME), point, method="LSODA",
            jac=lambda _, y: -at(y)[2], rtol=1e-7, atol=1e-9,
        )  # fmt: skip
        paths.append(flow.y[:3].T)
        losses.append(at(flow.y[:, -1])[0])
    share = [up / (up + down), down / (up + down)]
    rate = sum(
        -weight * (c * math.log(c) + (1 - c) * math.log(1 - c))
        for weight, c in zip(share, (down, up), strict=True)
    )
    places = np.linspace(-REACH, REACH, 401), np.linspace(-1, 1, 41)
    curvature = unigram_curvature(1).subs(kappa, mean_memory(LENGTH))
    height = function([p, q, w, tau, a], curvature, np)(
        up, down, places[0][None], np.where(places[0] < 0, -1.0, 1.0)[None], places[1][:, None]
    )
    return Space(
        chain, tuple(paths), tuple(losses), -sum(s * math.log(s) for s in share), rate,
        height, places, _bigram(up, down),
    )  # fmt: skip


def _bigram(up: float, down: float) -> Float[np.ndarray, "C 2"]:
    zero, one = bigram_set().logits
    star = float(function([p, q], one - zero, np)(up, down))
    across = np.linspace(-REACH, REACH, 2001)
    unit = function([e, w, tau], gap(), np)(1.0, across, np.where(across < 0, -1.0, 1.0))
    square = np.divide(star, unit, out=np.full_like(unit, np.nan), where=unit != 0)
    known = (square > 0) & (square < (1.25 * REACH) ** 2)
    found: Float[np.ndarray, "C 2"] = np.column_stack([across, np.sqrt(np.abs(square))])[known]
    return found


def draw(figure: Figure, record: tuple[Space, ...]) -> None:
    """A space for each chain: the plane e = 0, the bigram curve in a = 0, and the flows."""
    figure.set_size_inches(TEXT_WIDTH, 2.9)
    for number, each in enumerate(record):
        axes = figure.add_axes((0.5 * number + 0.005, 0.13, 0.47, 0.9), projection="3d")
        assert isinstance(axes, Axes3D)  # what the projection is
        _draw(axes, each)
    handles = [
        Patch(facecolor=UNIGRAM, alpha=0.4, label="unigram set $e=0$, curves up"),
        Patch(facecolor="0.6", alpha=0.4, label="unigram set $e=0$, curves down"),
        Line2D([], [], color=BIGRAM, linestyle="--", linewidth=1.8, label="bigram set, $a=0$"),
        Line2D([], [], color=INDIGO, linewidth=1.0, marker="o", markersize=3.5, markevery=[1],
               label="flow that ends at the bigram"),
        Line2D([], [], color=GREY, linewidth=1.0, marker="s", markersize=3.5, markevery=[1],
               label="flow that ends at the unigram"),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="lower center", ncols=3, columnspacing=1.2)


def _draw(axes: Axes3D, record: Space) -> None:
    across, strengths = record.across
    up = record.curvature > 0
    for side, colour in ((up, UNIGRAM), (~up, "0.6")):
        axes.add_collection3d(Poly3DCollection([_region(side, across, strengths)],
                              facecolor=colour, alpha=0.4, edgecolor="none"))  # fmt: skip
    axes.plot(record.curve[:, 0], 0 * record.curve[:, 0], record.curve[:, 1], "--",
              color=BIGRAM, linewidth=1.8)[0].set_gid("bigram")  # fmt: skip
    for path, end in zip(record.paths, record.ends, strict=True):
        colour = INDIGO if end == "bigram" else GREY
        line = axes.plot(path[:, 1], path[:, 2], path[:, 0], color=colour, linewidth=1.0)[0]
        line.set_gid(f"flow to the {end}")
        axes.plot(*path[:1, [1, 2, 0]].T, ".", color=colour, markersize=3)
        axes.plot(*path[-1:, [1, 2, 0]].T, "o" if end == "bigram" else "s", color=colour,
                  markersize=3.5)  # fmt: skip
    axes.set(xlim=(-REACH, REACH), ylim=(-1, 1), zlim=(0, 1.25 * REACH))
    axes.set_title(f"$(p, q) = ({record.chain[0]}, {record.chain[1]})$", y=0.98)
    axes.set_xlabel("$w$", labelpad=-8)
    axes.set_ylabel("$a$", labelpad=-8)
    axes.set_zlabel("$e$", labelpad=-10)
    axes.set_xticks([-2, -1, 0, 1, 2])
    axes.set_yticks([-1, 0, 1])
    axes.set_zticks([0, 1, 2])
    axes.tick_params(pad=-3)
    axes.view_init(elev=22, azim=-58)
    axes.set_box_aspect((1.2, 1, 0.9), zoom=0.98)


def _region(
    side: Bool[np.ndarray, "A W"],
    across: Float[np.ndarray, " W"],
    strengths: Float[np.ndarray, " A"],
) -> Float[np.ndarray, "_ 3"]:
    """The outline of the part of e = 0 where `side` holds: an interval of w for every a."""
    first = across[side.argmax(axis=1)]
    last = across[len(across) - 1 - side[:, ::-1].argmax(axis=1)]
    w_line = np.concatenate([first, last[::-1]])
    a_line = np.concatenate([strengths, strengths[::-1]])
    return np.column_stack([w_line, a_line, 0 * w_line])


def numbers(record: tuple[Space, ...]) -> dict[str, str]:
    """How many flows end at the bigram, and the largest |a| there."""
    found = {}
    for each, name in zip(record, ("Low", "High"), strict=True):
        there = [
            path[-1, 2] for path, end in zip(each.paths, each.ends, strict=True) if end == "bigram"
        ]
        found[f"{name}Bigram"] = str(len(there))
        found[f"{name}Flows"] = str(len(each.paths))
        found[f"{name}Attention"] = f"{max(map(abs, there), default=0.0):.1e}"
    return found
