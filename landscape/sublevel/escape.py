"""The escape radius of a unigram point: how near there are points of lower loss.

The barrier out of the unigram is 0 (`landscape.sublevel.valley`), so a height says nothing of how
bad a local minimum it is. A distance does.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from torch import Tensor, nn

from landscape.models.parameters import unchanged
from landscape.objectives.exact import ExactLoss
from landscape.points.critical_point import CriticalPoint
from landscape.sublevel.ball_descent import Ball, BallDescent
from landscape.sublevel.valley import unigram_start
from landscape.sublevel.witness import MARGIN, SAFE, EscapeRadius, Witness, witness


def escape_radius(
    model: nn.Module,
    objective: ExactLoss,
    point: CriticalPoint | Mapping[str, Tensor],
    *,
    first: float = 0.25,
    largest: float = 16.0,
    tolerance: float = 1e-3,
    starts: int = 16,
    steps: int = 100,
    seed: int = 0,
    margin: float = MARGIN,
) -> EscapeRadius:
    """The least distance from a unigram point at which descent found a lower loss.

    The escape radius is ``inf |theta - theta_0|`` over all theta with L(theta) < L(theta_0). Balls
    around the point grow, each twice as wide as the last, until descent inside one, from many
    starts at once, finds a point that is lower by `margin`, the witness; then the radius is
    bisected between the last ball without and the first ball with one.

    A witness is a proof, whatever found it: the result is an upper bound of the escape radius. That
    descent found nothing in a smaller ball proves nothing, and `searched` says no more than that.
    Close to an infimum the loss falls by less than the margin, so that a witness lies a little
    beyond it: where it falls as a R^2, by about sqrt(margin/a).

    Descent lowers ``(L(theta) - L(theta_0)) / |E|^2``, E the embedding and readout, with |E|
    kept above a floor. It has the sign of the difference, but at small E it is half the curvature
    of the loss along E: so the other weights are led to where the unigram is a saddle, while the
    loss itself is flat along them at E = 0 and draws E back there. A quotient of true losses, it
    needs no second derivative and means the same at a relu kink.

    For the reduced model with p+q > 1 the escape radius is ``max(0, w + 1/sqrt(2))``. For the tied
    single layer from W = 0 and p_n = 0 it is at most sqrt(2): W_1 = u a^T and W_2 = -a u^T of norm
    1 undo the embedding, and anything beyond that lowers the loss.

    Args:
        model: a `Readable` model or `ReducedModel`.
        objective: the exact loss.
        point: a unigram point.
        first: radius of the first ball.
        largest: radius of the last ball, if none before holds a witness.
        tolerance: width of the bracket, in parameter distance, at which the bisection ends.
        starts: points in each ball from which descent starts: half are drawn, the others come
            from the balls before.
        steps: of the descent in each ball.
        seed: of the starts.
        margin: nats by which a witness is lower.

    Returns:
        An `EscapeRadius`. Its radius is infinite where there is no witness; at p+q = 1, where
        the unigram is a global minimum, no ball is searched.

    Raises:
        ValueError: for numbers that are not positive, a point that is no unigram point, or a gap
            H_u - H_b that the margin hides.

    Source: this project, MATH section 4.

    >>> import torch
    >>> from landscape import BinaryMarkov, ExactLoss, ReducedModel, unigram_point
    >>> model, loss = ReducedModel(), ExactLoss(BinaryMarkov(0.5, 0.8), 1)
    >>> weights = {"feedforward": torch.tensor(-0.5, dtype=torch.float64)}
    >>> found = escape_radius(model, loss, unigram_point(model, loss, free=weights), steps=50)
    >>> round(found.radius, 2), found.searched - 1e-3 < 2**-0.5 - 0.5 < found.radius
    (0.21, True)
    """
    for name, value in (
        ("first", first),
        ("largest", largest),
        ("tolerance", tolerance),
        ("starts", starts),
        ("steps", steps),
        ("margin", margin),
    ):
        if not 0 < value < math.inf:
            raise ValueError(f"{name}={value} is out of range; give a positive number")
    with unchanged(model, point.params if isinstance(point, CriticalPoint) else point):
        origin = unigram_start(model, objective, point)
        gap = origin.loss - objective.source.loss_of("optimal", objective.length)
        balls: list[Ball] = []
        nearest: Witness | None = None
        searched, radius = 0.0, first
        if objective.source.degenerate:
            searched, radius = math.inf, math.inf
        elif gap <= 2 * margin:
            raise ValueError(
                f"margin={margin} hides the gap of {gap:.3g} nat between the point and the least "
                f"loss; give a smaller margin, or a chain farther from independence"
            )
        descent = BallDescent(model, objective, origin, starts=starts, steps=steps, seed=seed)
        while radius <= largest and (nearest is None or nearest.distance - searched > tolerance):
            ball = descent(radius, SAFE * margin)
            found = None
            if ball.offset is not None:
                params = descent.axes.params(descent.centre + ball.offset)
                found = witness(model, objective, origin, params, margin)
            balls.append(ball if found else replace(ball, offset=None))
            if found is None:
                searched = radius
            else:
                nearest = found
            radius = 2 * radius if nearest is None else (searched + nearest.distance) / 2
            if nearest is not None and not searched < radius < nearest.distance:
                break  # the bracket is two neighbouring floats
    return EscapeRadius(
        radius=math.inf if nearest is None else nearest.distance,
        witness=nearest,
        searched=searched,
        unigram_loss=origin.loss,
        margin=margin,
        starts=starts,
        method="projected descent in balls of growing radius, then of bisected radius",
        balls=np.array([ball.radius for ball in balls]),
        lowest=np.array([ball.lowest for ball in balls]),
        lower=np.array([ball.offset is not None for ball in balls], dtype=bool),
    )
