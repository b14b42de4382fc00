"""How long runs stay above (H_u + H_b)/2, and the share still there, by width and by depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.plots.survival import draw_curve
from figures.records.inputs import Inputs
from figures.records.survival import Group
from figures.style import PALETTE, TEXT_WIDTH, lay_out
from landscape.scanning.survival import survival_by
from landscape.training.survival import SurvivalCurve

NORMS = {"true": "LayerNorm", "false": "no LayerNorm"}
LOOKS = (("o", "black", -0.06), ("s", PALETTE["green"], 0.06))


@dataclass(frozen=True)
class Survival:
    """Survival curves at (.5,.8).

    Fields:
        width: the curve of the tied single layer by width d.
        depth: by LayerNorm, the curve of the tied GPT by number of layers.
    """

    width: dict[int, SurvivalCurve]
    depth: dict[str, dict[int, SurvivalCurve]]


def load(inputs: Inputs) -> Survival:
    """The curves of the scans `width` and `depth`."""
    depth = {}
    for value, name in NORMS.items():
        chosen = {"model.layer_norm": value}
        depth[name] = survival_by(inputs.scan("depth"), "model.layers", select=chosen)
    width = survival_by(inputs.scan("width"), "model.width")
    if not (width and all(depth.values())):
        raise ValueError("no run of the scans width and depth can be read: run them to their end")
    return Survival(width, depth)


def draw(figure: Figure, record: Survival) -> None:
    """Curves by width at the left; the share stuck at the end against width and depth."""
    lay_out(figure, TEXT_WIDTH, 2.5)
    curves, width, depth = figure.subplots(1, 3, width_ratios=[1.5, 1, 1])
    for style, (d, curve) in enumerate(sorted(record.width.items())):
        group = Group("", f"$d={d}$", style, 1, curve)
        draw_curve(curves, group)
        curves.lines[-1].set_label(f"$d={d}$")
    end = max(int(curve.step[-1]) for curve in record.width.values())
    curves.set(xlim=(0, end), xlabel="step", ylim=(-0.03, 1.03))
    curves.set_ylabel("share of runs still above\n$(H_u+H_b)/2$")
    runs = next(iter(record.width.values())).runs
    curves.set_title(f"(a) by width, {runs} runs each")
    _shares(width, {"single layer": record.width}, f"width $d$, step {end}")
    width.set_title("(b) against width")
    last = max(int(c.step[-1]) for group in record.depth.values() for c in group.values())
    _shares(depth, record.depth, f"layers $L$, step {last}")
    depth.set_title("(c) against depth")
    depth.tick_params(labelleft=False)
    width.set_ylabel("share stuck at the end")
    handles, _ = curves.get_legend_handles_labels()
    more, _ = depth.get_legend_handles_labels()
    figure.legend(handles=handles + more, loc="outside lower center", ncols=6, handlelength=2.2)


def _shares(axes: Axes, groups: dict[str, dict[int, SurvivalCurve]], name: str) -> None:
    places = sorted({value for group in groups.values() for value in group})
    for (label, group), (marker, colour, shift) in zip(groups.items(), LOOKS, strict=False):
        at = np.array([places.index(value) for value in sorted(group)], dtype=float)
        share, low, high = (
            np.array([float(getattr(group[value], part)[-1]) for value in sorted(group)])
            for part in ("share", "low", "high")
        )
        bars = axes.errorbar(
            at + (shift if len(groups) > 1 else 0), share, yerr=[share - low, high - share],
            fmt=marker, color=colour, markersize=4, linewidth=0.8, capsize=2, label=label,
        )  # fmt: skip
        bars.lines[0].set_gid("share")
    axes.set_xticks(range(len(places)), [str(value) for value in places])
    axes.set(xlim=(-0.4, len(places) - 0.6), ylim=(-0.03, 1.03), xlabel=name)


def numbers(record: Survival) -> dict[str, str]:
    """Shares stuck at the end, by width and by depth."""
    words = {1: "One", 2: "Two", 4: "Four", 8: "Eight", 16: "Sixteen", 32: "ThirtyTwo"}
    found = {f"Width{words[d]}": f"{c.share[-1]:.2f}" for d, c in sorted(record.width.items())}
    for name, group in record.depth.items():
        prefix = "Norm" if name == NORMS["true"] else "Plain"
        found |= {f"{prefix}{words[n]}": f"{c.share[-1]:.2f}" for n, c in sorted(group.items())}
    return found
