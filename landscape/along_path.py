"""Losses, logits and curvatures at the corners of a path, all corners at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.func import grad, hessian, jvp, vmap

from landscape.curvature import Coordinates, chunk_of
from landscape.forward_mode import FORWARD_MODE
from landscape.kinks import at_kink, preactivations
from landscape.loss_path import LossPath
from landscape.objective import ExactLoss

TOGETHER = 2**16
"""Predictions of all corners at once: intermediates of a few megabytes, which caches hold."""

STEP = 2.0**-10
"""In e, of the second derivatives from which a one-sided curvature is extrapolated."""


def measured_path(
    model: nn.Module,
    objective: ExactLoss,
    axes: Coordinates,
    corners: Float[Tensor, "n D"],
    walks: Bool[np.ndarray, " n"],
    tangent: Float[Tensor, " D"],
) -> LossPath:
    """The losses at the corners of any path, and its checks: a path with a barrier has faults.

    Args:
        model, objective: the loss.
        axes: which parameter each column of the corners is.
        corners: the path.
        walks: which corners should lie on the unigram manifold, the first ones.
        tangent: the direction along which `curvature` is asked for at those.
    """

    def logits(corner: Float[Tensor, " D"]) -> Float[Tensor, " contexts"]:
        table = objective.context_logits(model, axes.params(corner))
        return table[:, 1] - table[:, 0]

    def loss(corner: Float[Tensor, " D"]) -> Float[Tensor, ""]:
        return objective(model, axes.params(corner))

    chunk = chunk_of(objective, model, TOGETHER)
    losses = vmap(loss, chunk_size=chunk)(corners)
    table = vmap(logits, chunk_size=chunk)(corners)
    ones = torch.arange(table.shape[1], device=table.device) % 2 == 1  # the last symbol of each
    zero, one = table[:, 0], table[:, 1]  # the contexts 0 and 1
    spread = (table - torch.where(ones, one[:, None], zero[:, None])).abs().amax(1)
    on_walk = torch.from_numpy(walks).to(corners.device)
    flat, steep = table[on_walk], spread[~on_walk]
    steps = (corners[1:] - corners[:-1]).norm(dim=1)
    arc = torch.cat([steps.new_zeros(1), steps.cumsum(0)])
    curvature, lowest = torch.full_like(losses, torch.nan), torch.full_like(losses, torch.nan)
    if on_walk.any():
        curvature[on_walk] = _along_rays(loss, corners[on_walk], tangent, chunk)
        lowest[on_walk] = _lowest(model, objective, axes, corners[on_walk])
    return LossPath(
        t=arc.cpu().numpy(),
        loss=losses.cpu().numpy(),
        distance=(corners - corners[0]).norm(dim=1).cpu().numpy(),
        walks=walks,
        gap=(one - zero).cpu().numpy(),
        curvature=curvature.cpu().numpy(),
        lowest=lowest.cpu().numpy(),
        unigram_loss=float(objective.source.unigram_entropy),
        bigram_loss=float(objective.source.entropy_rate),
        logit_range=float(flat.max() - flat.min()) if flat.numel() else 0.0,
        logit_spread=float(steep.max()) if steep.numel() else 0.0,
        coordinates=axes,
        corners=corners,
    )


def _along_rays(
    loss: Callable[[Tensor], Tensor],
    corners: Float[Tensor, "n D"],
    direction: Float[Tensor, " D"],
    chunk: int,
) -> Float[Tensor, " n"]:
    """lim_{e->0+} d^2/de^2 L(theta + e v) at every corner, on the far side of a kink too.

    The cubic through the second derivatives at e = h, 2h, 3h, 4h, extrapolated: error O(h^4).
    """
    multiples = torch.arange(1, 5, dtype=corners.dtype, device=corners.device)

    def second(corner: Tensor, multiple: Tensor) -> Tensor:
        def along(e: Tensor) -> Tensor:
            return loss(corner + e * direction)

        value: Tensor = jvp(grad(along), (multiple * STEP,), (torch.ones_like(multiple),))[1]
        return value

    starts = corners.repeat_interleave(4, 0)
    with FORWARD_MODE:
        values = vmap(second, chunk_size=chunk)(starts, multiples.repeat(len(corners)))
    weights = torch.tensor([4.0, -6.0, 4.0, -1.0], dtype=values.dtype, device=values.device)
    return values.reshape(-1, 4) @ weights


def _lowest(
    model: nn.Module, objective: ExactLoss, axes: Coordinates, corners: Float[Tensor, "n D"]
) -> Float[Tensor, " n"]:
    """The least eigenvalue of the Hessian's (embedding, readout, bias) block; nan at a kink."""
    block = ("embedding", "readout", "bias")
    inside = torch.cat(
        [
            torch.full((shape.numel(),), name in block, device=corners.device)
            for name, shape in zip(axes.names, axes.shapes, strict=True)
        ]
    ).nonzero()[:, 0]

    def block_of(corner: Tensor) -> Tensor:
        def loss(part: Tensor) -> Tensor:
            return objective(model, axes.params(corner.index_copy(0, inside, part)))

        matrix: Tensor = hessian(loss)(corner[inside])
        return matrix

    chunk = max(1, chunk_of(objective, model, TOGETHER) // len(inside))
    with FORWARD_MODE:
        blocks = vmap(block_of, chunk_size=chunk)(corners)
    found = torch.linalg.eigvalsh(blocks)[:, 0]
    kinked = [
        at_kink(preactivations(model, axes.params(corner), objective.length)) for corner in corners
    ]
    return torch.where(torch.tensor(kinked, device=found.device), torch.nan, found)
