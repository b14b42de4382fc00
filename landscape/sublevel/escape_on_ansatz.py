"""How far a unigram point is from lower losses along the rank-one ansatz."""

import math
from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import vmap

from landscape.models.ansatz import Frame, best_bias, on_ansatz
from landscape.models.parameters import unchanged
from landscape.objectives.exact import ExactLoss
from landscape.objectives.protocol import chunk_of
from landscape.points.bigram import log_ratio
from landscape.points.critical_point import CriticalPoint
from landscape.sources import TwoState
from landscape.sublevel.valley import unigram_start
from landscape.sublevel.witness import MARGIN, SAFE, EscapeRadius, witness

OCTAVES = (-12, 2)
"""Powers of 2 between which e runs, eight values an octave: the loss of a smaller e falls by less
than the margin wherever w is near, and a larger e is far away."""

BISECTIONS = 60
"""Halvings of an interval of w at most some thousands wide: to the last bit."""


def escape_along_ansatz(
    model: nn.Module,
    objective: ExactLoss,
    point: CriticalPoint | Mapping[str, Tensor],
    *,
    margin: float = MARGIN,
) -> EscapeRadius:
    """The least distance from a unigram point to a lower loss among the points of the ansatz.

    Over all (e, w) with the best bias b*(e, w), the distance in the full space of parameters,
    ``|ansatz(e, w, b*) - theta_0|``. W_Q, W_K and W_O do nothing on the ansatz, W_V being 0, and
    stay those of the point. For each e the loss falls steadily in w from H_u at w = -1/sqrt(2) to
    H_b at the bigram's w, so that the points lower by `margin` begin at one w, which is bisected;
    the least distance over them and over e > 0 is the radius.

    From W = 0 and p_n = 0, with p+q > 1, it approaches 2 as e -> 0, where W_1 and W_2 have the norm
    2|w| = sqrt(2) each. Off the ansatz, on positions 0, the relu passes all of the embedding
    instead of half, and norms 1 each are enough: the escape radius is at most sqrt(2).

    Args:
        model: `SingleLayer`, `ReducedModel` or another that is `OnAnsatz`.
        objective: the loss, on a binary chain with p+q different from 1.
        point: a unigram point.
        margin: nats by which a witness is lower.

    Raises:
        ValueError: for another model or source, p+q = 1, a margin that is not positive, a point
            that is no unigram point, or a chain so close to independence that nothing is lower by
            the margin.

    Source: this project, MATH section 4.

    >>> from landscape import BinaryMarkov, SingleLayer, unigram_point
    >>> model, loss = SingleLayer(width=2, length=3), ExactLoss(BinaryMarkov(0.5, 0.8), 3)
    >>> zero = {name: 0 * value for name, value in model.named_parameters()}
    >>> found = escape_along_ansatz(model, loss, unigram_point(model, loss, free=zero))
    >>> 2 < found.radius < 2.0001
    True
    """
    chart, source = on_ansatz(model), objective.source
    if not isinstance(source, TwoState) or source.degenerate:
        raise ValueError(
            f"source={source} has no bigram on the ansatz other than the unigram; give a "
            f"BinaryMarkov source with p+q different from 1"
        )
    if not 0 < margin < math.inf:
        raise ValueError(f"margin={margin} is out of range; give a positive number")
    if source.unigram_entropy - source.entropy_rate <= 2 * margin:
        raise ValueError(
            f"margin={margin} hides the gap H_u - H_b = "
            f"{source.unigram_entropy - source.entropy_rate:.3g} nat; give a smaller margin, or a "
            f"chain farther from independence"
        )
    with unchanged(model, point.params if isinstance(point, CriticalPoint) else point):
        origin = unigram_start(model, objective, point)
        frame = Frame(model, origin.params, chart.idle)
        axes, centre = frame.axes, frame.axes.vector(origin.params)
        e = torch.exp2(torch.arange(*OCTAVES, 0.125, dtype=centre.dtype, device=centre.device))

        def points(w: Float[Tensor, " E"]) -> Float[Tensor, "E D"]:
            b = best_bias(source, e, w, mirror=chart.mirror)
            return frame.points(torch.stack([e, w, b], dim=1))

        chunk = chunk_of(model, objective, 2**16)
        losses = vmap(lambda v: objective(model, axes.params(v)), chunk_size=chunk)
        p, q = Fraction(source.p), Fraction(source.q)
        square = (log_ratio((1 - p) * (1 - q), p * q) / e**2 - 1) / 2
        bigram = square.sign() * square.abs().sqrt()  # w|w| = square
        lower, other = bigram, torch.full_like(e, -math.sqrt(0.5))
        for _ in range(BISECTIONS):
            middle = (lower + other) / 2
            below = origin.loss - losses(points(middle)) >= SAFE * margin
            lower, other = torch.where(below, middle, lower), torch.where(below, other, middle)
        ends_of_w = torch.stack([lower, bigram])
        low, high = ends_of_w.amin(0), ends_of_w.amax(0)
        # W_1 and W_2 are linear in each sign of w, so that the nearest w is a projection
        onto = frame.projection(centre).clamp(min=0)
        found = [points(torch.clamp(w, low, high)) for w in (onto[1], -onto[2])]
        candidates = torch.cat(found)
        order = (candidates - centre).norm(dim=1).argsort()
        best = next(
            proved
            for index in order
            if (proved := witness(model, objective, origin, axes.params(candidates[index]), margin))
        )
    return EscapeRadius(
        radius=best.distance,
        witness=best,
        searched=math.nan,
        unigram_loss=origin.loss,
        margin=margin,
        starts=len(candidates),
        method="least distance over the rank-one ansatz",
        balls=np.zeros(0),
        lowest=np.zeros(0),
        lower=np.zeros(0, dtype=bool),
    )
