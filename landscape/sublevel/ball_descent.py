"""Descent inside balls around a unigram point, from many starts at once, towards lower loss."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import grad_and_value, vmap

from landscape.models.parameters import Coordinates
from landscape.models.protocols import Named
from landscape.objectives.exact import ExactLoss
from landscape.objectives.protocol import chunk_of
from landscape.points.critical_point import CriticalPoint

FLOOR = 2.0**-8
"""Least |E|, as a distance. Smaller, a witness takes less room in the ball, but the loss falls by
less: by the margin 1e-12 where the curvature is -1e-7."""

STEPS = {"drawn": 0.2, "kept": 0.05}
LAST_STEP = 1e-4
"""First and last step, in radii: between them they shrink geometrically. Where descent has been
in another ball already it need not look far."""

MOMENTUM = 0.9

TINY = torch.finfo(torch.float64).tiny

TOGETHER = 2**16
"""Predictions of all starts at once."""


@dataclass(frozen=True)
class Ball:
    """What descent found in one ball."""

    radius: float
    lowest: float  # least (L - L_0) / |E|^2 that was met, nat per unit of E squared
    offset: Float[Tensor, " D"] | None  # from the centre, of a point lower by the margin


class BallDescent:
    """Projected descent on (L(theta) - L(theta_0)) / |E|^2 in one ball after another.

    Steps have a prescribed length, along the gradient averaged with `MOMENTUM`, and each start
    keeps the best it has met: lengths that follow from the slope stall at relu kinks. On the
    sphere a step goes along it, or little would be left of it beside the weights that gain most.
    End points of one ball are among the starts in the next.

    Args:
        model, objective: the loss.
        origin: the unigram point, in float64.
        starts: descents in a ball.
        steps: of each.
        seed: of the starts that are drawn.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: ExactLoss,
        origin: CriticalPoint,
        *,
        starts: int,
        steps: int,
        seed: int,
    ) -> None:
        self.axes = Coordinates.of(origin.params)
        self.centre = self.axes.vector(origin.params)
        self.starts, self.steps = starts, steps
        self.generator = torch.Generator().manual_seed(seed)
        self.kept = self.centre.new_zeros(0, self.axes.size)
        assert isinstance(model, Named)  # or it would have no unigram point
        names = {model.embedding_name, model.readout_name}
        self.embedded = self.axes.among(names, self.centre)

        def quotient(offset: Float[Tensor, " D"]) -> Float[Tensor, ""]:
            rise = objective(model, self.axes.params(self.centre + offset)) - origin.loss
            return rise / (offset[self.embedded] ** 2).sum()

        chunk = chunk_of(model, objective, TOGETHER)
        self.slope = vmap(grad_and_value(quotient), chunk_size=chunk)

    def __call__(self, radius: float, margin: float) -> Ball:
        """Descend in a ball, until a start is lower than the centre by the margin."""
        offset, first = self._starts(radius)
        here = offset = self.project(offset, radius)
        slope, value = self.slope(here)
        best, pace = value, torch.zeros_like(here)
        for step in range(self.steps):
            if bool((best * self.size(offset) < -margin).any()):
                break
            inward = self.tangent(slope, here, radius)
            unit = inward / inward.norm(dim=1, keepdim=True).clamp(min=TINY)
            pace = MOMENTUM * pace + (1 - MOMENTUM) * unit
            length = radius * first * (LAST_STEP / first) ** (step / self.steps)
            here = self.project(here - length * pace, radius)
            slope, value = self.slope(here)
            lower = value < best
            best = torch.where(lower, value, best)
            offset = torch.where(lower[:, None], here, offset)
        order = best.argsort()
        self.kept = offset[order[: self.starts // 2]]
        falls = best * self.size(offset)
        deepest = int(falls.argmin())
        found = offset[deepest] if falls[deepest] < -margin else None
        return Ball(radius, best.min().item(), found)

    def tangent(
        self, slope: Float[Tensor, "K D"], offset: Float[Tensor, "K D"], radius: float
    ) -> Float[Tensor, "K D"]:
        """The gradient less its part across the sphere, where descent presses against that."""
        square = (offset**2).sum(1, keepdim=True)
        across = (slope * offset).sum(1, keepdim=True) / square
        pressed = (square >= (1 - 1e-9) * radius**2) & (across < 0)
        return slope - torch.where(pressed, across, 0.0) * offset

    def size(self, offset: Float[Tensor, "K D"]) -> Float[Tensor, " K"]:
        """|E|^2 of every offset."""
        return (offset[:, self.embedded] ** 2).sum(1)

    def project(self, offset: Float[Tensor, "K D"], radius: float) -> Float[Tensor, "K D"]:
        """Into the ball, with |E| at least the floor: E keeps its size, the others give way."""
        floor = min(FLOOR, radius / 4)
        part = torch.where(self.embedded, offset, 0.0)
        rest = offset - part
        size = part.norm(dim=1, keepdim=True)
        part = part * (size.clamp(floor, radius) / size)
        room = (radius**2 - (part**2).sum(1, keepdim=True)).clamp(min=0).sqrt()
        left = rest.norm(dim=1, keepdim=True)
        inside: Tensor = part + rest * (room / left.clamp(min=TINY)).clamp(max=1)
        return inside

    def _starts(self, radius: float) -> tuple[Float[Tensor, "K D"], Float[Tensor, "K 1"]]:
        """Directions of all starts, and the first step of each, in radii."""
        drawn = torch.randn(
            self.starts - len(self.kept),
            self.axes.size,
            generator=self.generator,
            dtype=self.centre.dtype,
        ).to(self.centre.device)
        offset = torch.cat([drawn, self.kept])
        first = offset.new_full((len(offset), 1), STEPS["kept"])
        first[: len(drawn)] = STEPS["drawn"]
        return radius * offset / offset.norm(dim=1, keepdim=True), first
