"""A Hessian spectrum: every eigenvalue, measured and predicted, and what is left between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from figures.style import PALETTE, TEXT_WIDTH, lay_out, styled

__all__ = ["draw_spectrum"]

Eigenvalues = Sequence[float] | Float[np.ndarray, " D"]


def draw_spectrum(
    figure: Figure,
    eigenvalues: Eigenvalues,
    predicted: Eigenvalues | None,
    *,
    zero_bound: float,
    title: str,
) -> None:
    """Draw all D eigenvalues against their index, and |measured - predicted| below them.

    Both lists are sorted first. The axis is linear where an eigenvalue counts as zero, within
    `zero_bound` (the shaded band), and logarithmic beyond it, on either side.

    Arguments:
        eigenvalues: [D], measured, in nats per squared parameter.
        predicted: [D], same unit, or None where theory has no prediction.
        zero_bound: n eps ||H||_2, at or below which |lambda| counts as zero; 0 or more.
        title: over the figure.

    Raises ValueError for lists of different or no length, values that are not finite, and a
    negative bound.

    >>> figure = Figure()
    >>> draw_spectrum(figure, [0.25, -0.4], [-0.4, 0.25], zero_bound=1e-15, title="two")
    >>> figure.axes[0].lines[0].get_ydata().tolist()
    [-0.4, 0.25]
    """
    measured = _checked("eigenvalues", eigenvalues)
    expected = None if predicted is None else _checked("predicted", predicted)
    if expected is not None and len(expected) != len(measured):
        raise ValueError(
            f"predicted has {len(expected)} eigenvalues, but {len(measured)} are measured: give "
            "all of them, the zeros too (PredictedSpectrum.full())"
        )
    if not 0 <= zero_bound < np.inf:
        raise ValueError(f"zero_bound = {zero_bound} is not a finite number of at least 0")
    rows = 1 if expected is None else 2
    with styled():
        lay_out(figure, TEXT_WIDTH, 2.3 if rows == 1 else 3.3)
        axes = figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=[2, 1][:rows])[
            :, 0
        ]
        _levels(axes[0], measured, expected, zero_bound)
        axes[0].set_title(title)
        if expected is not None:
            _residuals(axes[1], np.abs(measured - expected), zero_bound)
        axes[-1].set_xlabel("index, ascending")
        axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))


def _levels(
    axes: Axes,
    measured: Float[np.ndarray, " D"],
    expected: Float[np.ndarray, " D"] | None,
    zero_bound: float,
) -> None:
    index = np.arange(len(measured))
    axes.plot(index, measured, ".", markersize=3, color=PALETTE["blue"], label="measured", zorder=3)
    if expected is not None:
        axes.plot(
            index,
            expected,
            "o",
            markersize=5.5,
            markerfacecolor="none",
            markeredgewidth=0.6,
            color=PALETTE["vermillion"],
            label="predicted",
            zorder=2,
        )
    axes.axhspan(-zero_bound, zero_bound, color="0.85", label="counts as zero", zorder=1)
    linear = _linear(zero_bound, measured)
    axes.set_yscale("symlog", linthresh=linear, linscale=0.6)
    _ticks(axes, linear, measured)
    axes.margins(x=0.02, y=0.12)
    axes.set_ylabel(r"eigenvalue $\lambda$ (nats)")
    negative = int((measured < -zero_bound).sum())
    positive = int((measured > zero_bound).sum())
    counts = f"{negative} negative, {len(measured) - negative - positive} zero, {positive} positive"
    axes.legend(loc="upper left", title=counts, title_fontsize=7, alignment="left")


def _residuals(axes: Axes, residuals: Float[np.ndarray, " D"], zero_bound: float) -> None:
    index = np.arange(len(residuals))
    axes.plot(index, residuals, ".", markersize=3, color=PALETTE["blue"])
    axes.axhline(zero_bound, color="0.4", linestyle="--", linewidth=0.8)
    # Exact agreement is 0, which a logarithm would drop: below the bound's last digits, linear.
    linear = _linear(zero_bound, residuals) * 1e-3
    axes.set_yscale("symlog", linthresh=linear, linscale=0.6)
    top = max(zero_bound, float(residuals.max()), linear)
    axes.set_ylim(-0.3 * linear, 30 * top)
    _ticks(axes, linear, np.append(residuals, top))
    axes.set_ylabel("|difference| (nats)")
    axes.text(
        0.99, zero_bound, "zero bound ", transform=axes.get_yaxis_transform(),
        ha="right", va="bottom", fontsize=7, color="0.3",
    )  # fmt: skip


def _linear(zero_bound: float, values: Float[np.ndarray, " D"]) -> float:
    """Where the axis turns linear: at the bound, which is 0 for a Hessian that is 0."""
    floor = np.finfo(np.float64).eps
    return max(zero_bound, floor * float(np.abs(values).max(initial=0.0)), floor * floor)


def _ticks(axes: Axes, linear: float, values: Float[np.ndarray, " D"]) -> None:
    """Ticks at 0 and at about four powers of ten on a side with values beyond `linear`."""
    last = np.floor(np.log10(linear)) + 2  # nearer to 0 the labels would touch
    ticks = [0.0]
    step = max(1, round((np.log10(np.abs(values).max() / linear) - 2) / 4)) if values.any() else 1
    for side in (-1, 1):
        top = float((side * values).max())
        if top > linear:
            first = np.floor(np.log10(top))
            ticks += [side * 10.0**power for power in np.arange(first, last - 1, -step)]
    axes.yaxis.set_major_locator(FixedLocator(sorted(ticks)))
    axes.yaxis.set_minor_locator(NullLocator())


def _checked(name: str, values: Eigenvalues) -> Float[np.ndarray, " D"]:
    array = np.sort(np.asarray(values, dtype=np.float64))
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{name} has shape {array.shape}: give a list of at least one eigenvalue")
    if not np.isfinite(array).all():
        count = int((~np.isfinite(array)).sum())
        raise ValueError(f"{name} has {count} values that are not finite: a Hessian has none")
    return array
