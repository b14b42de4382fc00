"""The loss of training runs, step by step, between the entropies of the unigram and the bigram."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from figures.panels.loss_panel import draw_entropies
from figures.style import PALETTE, TEXT_WIDTH, lay_out, styled

__all__ = ["draw_training"]


def draw_training(
    figure: Figure,
    loss: Float[np.ndarray, "seeds columns"],
    *,
    times: Int[np.ndarray, " columns"] | None = None,
    unigram_loss: float,
    bigram_loss: float,
    escape_steps: Sequence[int | None],
    title: str,
) -> None:
    """Draw every run's population loss against the step, and mark the step at which it escaped.

    The dashed lines are the unigram loss H_u and the bigram loss H_b. A loss that is not finite
    leaves a gap, and a cross on the step from which on it is not.

    Arguments:
        loss: [seeds, columns], nats; column k is the loss after times[k] steps.
        times: [columns], ascending; 0, 1, 2, ... by default.
        unigram_loss, bigram_loss: H_u and H_b, nats.
        escape_steps: [seeds], first step below (H_u + H_b)/2, or None for a run that stayed.
        title: over the figure.

    Raises ValueError where there is no run, where the runs are not as many as their escape steps,
    or where an escape step is not one of the times.

    >>> figure = Figure()
    >>> draw_training(
    ...     figure, np.array([[0.67, 0.62, 0.62]]), unigram_loss=0.66628, bigram_loss=0.61901,
    ...     escape_steps=[1], title="one run",
    ... )
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['$H_u$', '$H_b$']
    """
    seeds, columns = loss.shape
    if not (seeds and columns):
        raise ValueError(f"loss has shape {loss.shape}: give at least one run and its first loss")
    if len(escape_steps) != seeds:
        raise ValueError(
            f"escape_steps has {len(escape_steps)} entries, but loss has {seeds} runs: give one "
            "for each, None for a run that did not escape"
        )
    times = np.arange(columns) if times is None else times
    column = {step: place for place, step in enumerate(times.tolist())}
    beyond = [step for step in escape_steps if step is not None and step not in column]
    if beyond:
        within = f"0..{columns - 1}" if times[-1] == columns - 1 else "the evaluated times"
        raise ValueError(f"escape_steps has {beyond[0]}, which is not in {within}")
    with styled():
        lay_out(figure, TEXT_WIDTH, 2.3)
        axes = figure.subplots()
        draw_entropies(axes, unigram_loss, bigram_loss, room=3, zorder=3)
        for number, run in enumerate(loss):
            label = ("run" if seeds == 1 else f"{seeds} runs") if number == 0 else None
            axes.plot(times, run, color="0.25", alpha=0.75, linewidth=0.8, label=label, zorder=2)
        escaped = [run for run, step in enumerate(escape_steps) if step is not None]
        if escaped:
            at = [step for step in escape_steps if step is not None]
            marks = axes.scatter(
                at, loss[escaped, [column[step] for step in at]], s=16,
                facecolors="white", edgecolors="black", linewidths=0.8,
                label=f"escape ({len(escaped)} of {seeds})", zorder=4,
            )  # fmt: skip
            marks.set_gid("escape")
        seen = [int(np.flatnonzero(np.isfinite(run)).max(initial=-1)) + 1 for run in loss]
        gone = [int(times[place]) for place in seen if place < columns]
        if gone:
            (lost,) = axes.plot(
                gone, [0.02] * len(gone), "x", color=PALETTE["purple"], clip_on=False,
                transform=axes.get_xaxis_transform(), zorder=4,
                label=f"loss not finite from here on ({len(gone)} of {seeds})",
            )  # fmt: skip
            lost.set_gid("lost")
        axes.set_title(title)
        axes.set(xlabel="step", ylabel="population loss (nats)")
        reach = max(float(times[-1] - times[0]), 1.0)
        axes.set_xlim(times[0] - 0.01 * reach, times[-1] + 0.01 * reach)
        axes.legend(loc="best")
