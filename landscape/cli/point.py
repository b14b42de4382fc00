"""The point of parameter space that a command's options describe."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from landscape.config.cell import CellConfig
    from landscape.points.critical_point import CriticalPoint


def point_at(
    cell: CellConfig,
    kind: str,
    *,
    device: str,
    w: float | None = None,
    refined: bool = False,
) -> tuple[nn.Module, CriticalPoint]:
    """The cell's model in float64, and its unigram, bigram or trained point.

    `w` is the reduced coordinate of the ansatz for a constructed point; `refined` polishes a
    trained one. Training reports to stderr.
    """
    import torch

    from landscape.cli.progress import TrainingProgress
    from landscape.config.build import initial_of, model_of, objective_of, recipe_of, seeds_of
    from landscape.models.ansatz import ansatz
    from landscape.models.initial import gaussian
    from landscape.models.protocols import OnAnsatz
    from landscape.points.bigram import bigram_point
    from landscape.points.unigram import unigram_point
    from landscape.scanning.measurement import trained_point
    from landscape.training.loop import train_together

    objective = objective_of(cell, device)
    model = model_of(cell, device, dtype=torch.float64)
    free = gaussian(model, cell.measure.random_weights, cell.train.seed)
    if kind == "bigram":
        return model, bigram_point(model, objective, w=w, free=free)
    if kind == "unigram":
        if w is not None:
            if not isinstance(model, OnAnsatz):
                raise ValueError(f"--w={w} belongs to the rank-one ansatz; leave it out")
            free = ansatz(model, 0.0, w, 0.0)
        return model, unigram_point(model, objective, free=free)
    trainee = model_of(cell, device)
    with TrainingProgress() as progress:
        (trajectory,) = train_together(
            trainee,
            [objective],
            recipe_of(cell),
            seeds=seeds_of(cell),
            initial=initial_of(cell, trainee),
            progress=progress.step,
        )
    return model, trained_point(model, objective, trajectory.end(0), refined=refined)
