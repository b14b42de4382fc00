"""The bigram point of a model without a closed form: trained, then refined to machine precision."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from landscape.critical_point import CriticalPoint
from landscape.models.initial import standard
from landscape.objective import ExactLoss
from landscape.refinement import refine
from landscape.training import train

TOLERANCE = 1e-9
"""Largest loss above the least one, in nats, of a point that is called the bigram's."""


def trained_bigram_point(
    model: nn.Module,
    objective: ExactLoss,
    *,
    tolerance: float = TOLERANCE,
    steps: int = 2000,
    lr: float = 1e-2,
    seeds: Sequence[int] = (0, 1, 2, 3),
) -> CriticalPoint:
    """A point whose loss is the least there is, to within a tolerance, found by training.

    The runs of all seeds start from the standard initialisation and descend the exact loss by
    AdamW without weight decay; the lowest end is refined. The least loss is that of the source's
    own conditional law, so that nothing needs to be known of the model.

    Args:
        model: gives the function; it is not changed.
        objective: the exact loss.
        tolerance: largest loss above the least one, in nats.
        steps, lr, seeds: of the training.

    Returns:
        A `CriticalPoint` of kind "bigram", in float64; its `gradient_norm` tells how critical.

    Raises:
        ValueError: if the refined loss stays above the tolerance; the message says by how much.

    >>> from landscape import BinaryMarkov, ExactLoss, ReducedModel
    >>> loss = ExactLoss(BinaryMarkov(0.2, 0.3), 2)
    >>> point = trained_bigram_point(ReducedModel(), loss, steps=300, seeds=[0])
    >>> bool(point.loss - loss.source.entropy_rate < 1e-9)
    True
    """
    least = objective.source.loss_of("optimal", objective.length)
    runs = train(
        model,
        objective,
        steps=steps,
        lr=lr,
        seeds=seeds,
        weight_decay=0.0,
        initial=lambda seed: standard(model, seed),
    )
    ends = torch.from_numpy(runs.loss[:, -1]).nan_to_num(torch.inf)
    start = runs.end(int(ends.argmin()))
    point = refine(model, objective, start)
    if not point.loss - least <= tolerance:
        raise ValueError(
            f"no bigram point of {type(model).__name__} was found: {len(seeds)} runs of {steps} "
            f"steps and a refinement end {point.loss - least:.2g} nat above the least loss "
            f"{least:.6g}, and {tolerance:g} is asked for; give a wider model, or train it "
            f"yourself and call refine"
        )
    return CriticalPoint(
        "bigram",
        point.params,
        point.loss,
        point.gradient_norm,
        steps=point.steps,
        moved=point.moved,
    )
