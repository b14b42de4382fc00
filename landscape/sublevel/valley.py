"""The valley: a path from a unigram point to a bigram point that never rises above H_u.

The unigram's critical manifold is everything with embedding 0 and bias ln(p/q). The path walks
along it, at constant loss, to weights at which the unigram is a saddle, and goes down from there.
"""

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.func import hessian, vmap

from landscape.models.ansatz import Frame, best_bias, on_ansatz
from landscape.models.parameters import Coordinates, in_float64, unchanged
from landscape.models.protocols import Named
from landscape.numerics.differentiation import FORWARD_MODE
from landscape.objectives.exact import ExactLoss
from landscape.objectives.protocol import chunk_of
from landscape.points.bigram import DEFAULT_W, bigram_coordinates
from landscape.points.critical_point import CriticalPoint
from landscape.points.unigram import unigram_point
from landscape.sources import TwoState
from landscape.spectra.kinks import at_kink, preactivations
from landscape.spectra.operators import curvatures_along_rays
from landscape.sublevel.loss_path import LossPath


def unigram_start(
    model: nn.Module, objective: ExactLoss, start: CriticalPoint | Mapping[str, Tensor]
) -> CriticalPoint:
    """A unigram point as one, in float64, its bias exact.

    Raises:
        ValueError: if embedding or readout are not exactly 0, the bias is not ln pi to 1e-9, or a
            weight is not finite.
    """
    given = in_float64(start.params if isinstance(start, CriticalPoint) else start)
    for name, value in given.items():
        if not value.isfinite().all():
            raise ValueError(f"start has {name} with entries that are not finite; give numbers")
    point = unigram_point(model, objective, free=given)
    axes = Coordinates.of(given)
    there = in_float64(point.params)
    for name in axes.names:
        off = float((there[name] - given[name]).abs().max())
        bias = isinstance(model, Named) and name == model.bias_name
        if off > (1e-9 if bias else 0.0):
            raise ValueError(
                f"start is no unigram point: its {name} is off by {off:.2g}; give "
                f"unigram_point(model, objective, free=start)"
            )
    return point


def valley_path(
    model: nn.Module,
    objective: ExactLoss,
    start: CriticalPoint | Mapping[str, Tensor],
    *,
    w: float | None = None,
    points: int = 201,
) -> LossPath:
    """From a unigram point to a bigram point, on a path on which the loss never exceeds H_u.

    It walks along the unigram manifold, straight from the start's weights to those of the rank-one
    ansatz at w, with positions 0; then it keeps w and raises the embedding e from 0 to the
    bigram's, with positions -(e/2) alpha and the bias at its best value b*(e). W_Q, W_K and W_O
    stay, since W_V = 0 at the end of the walk. The loss is H_u all along the walk and falls all
    along the descent: so the barrier between a unigram that is a local minimum and the bigram is
    0. `LossPath` says why this holds between the corners too.

    Args:
        model: `SingleLayer`, tied or untied, `ReducedModel` or another that is `OnAnsatz`.
        objective: the loss, on a binary chain.
        start: a unigram point, with any weights.
        w: reduced coordinate at which to descend; by default the start's own where the reduced
            model can descend at once, else -1.2 for p+q>1 and 0 for p+q<1.
        points: corners of the path, 4 or more.

    Raises:
        ValueError: at p+q = 1, where the unigram is the bigram, for another model or source, for a
            start that is no unigram point, for a w without a bigram point, for fewer than 4 points.

    Source: this project, MATH section 4, the valley.

    >>> from landscape import BinaryMarkov, ExactLoss, SingleLayer, unigram_point
    >>> model, loss = SingleLayer(width=2, length=3, seed=5), ExactLoss(BinaryMarkov(0.5, 0.8), 3)
    >>> path = valley_path(model, loss, unigram_point(model, loss), points=21)
    >>> path.barrier < 1e-15, path.monotone, path.faults()
    (True, True, ())
    """
    source = objective.source
    if not isinstance(source, TwoState):
        raise ValueError(
            f"source={type(source).__name__} has no rank-one valley; give a BinaryMarkov source"
        )
    if source.degenerate:
        raise ValueError(
            f"p={source.p}, q={source.q} have p+q=1: the unigram is the bigram there, and there is "
            f"nothing to descend to; give p+q different from 1"
        )
    if not hasattr(points, "__index__") or points < 4:
        raise ValueError(f"points={points} is out of range; give an integer of at least 4")
    with unchanged(model, start.params if isinstance(start, CriticalPoint) else start):
        begin = in_float64(unigram_start(model, objective, start).params)
        axes = Coordinates.of(begin)
        if w is None:
            w = _own_w(begin, source)
        end = bigram_coordinates(source, w, 1)
        w = end["w"]
        corner = Frame(model, begin, on_ansatz(model).idle).corner
        first = axes.vector(begin)
        foot = corner(0.0, w, source.log_odds)
        tangent = corner(1.0, w, source.log_odds) - foot
        walking = 0 if torch.equal(first, foot) else points // 2
        share = torch.linspace(0, 1, walking + 1, dtype=torch.float64, device=first.device)[:, None]
        walk = torch.lerp(first, foot, share) if walking else first[None]
        e = torch.linspace(0, end["e"], points - walking, dtype=torch.float64)[1:].to(first.device)
        bias = best_bias(source, e, torch.full_like(e, w))
        descent = torch.stack(
            [corner(at, w, b) for at, b in zip(e.tolist(), bias.tolist(), strict=True)]
        )
        corners = torch.cat([walk, descent])
        walks = np.arange(len(corners)) < len(walk)
        return measured_path(model, objective, axes, corners, walks, tangent)


def _own_w(begin: Mapping[str, Tensor], source: TwoState) -> float:
    """Where to descend when none is asked for: at the reduced model's own w if it is a saddle."""
    side = "p+q>1" if Fraction(source.p) + Fraction(source.q) > 1 else "p+q<1"
    if "feedforward" in begin:
        own = begin["feedforward"].item()
        growth = 1 + 2 * own * abs(own)
        if growth < -1e-2 if side == "p+q>1" else growth > 1e-2:
            return own
    return DEFAULT_W[side]


TOGETHER = 2**16
"""Predictions of all corners at once: intermediates of a few megabytes, which caches hold."""


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

    chunk = chunk_of(model, objective, TOGETHER)
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
        curvature[on_walk] = curvatures_along_rays(loss, corners[on_walk], tangent, chunk=chunk)
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


def _lowest(
    model: nn.Module, objective: ExactLoss, axes: Coordinates, corners: Float[Tensor, "n D"]
) -> Float[Tensor, " n"]:
    """The least eigenvalue of the Hessian's (embedding, readout, bias) block; nan at a kink."""
    assert isinstance(model, Named)  # or it would have no unigram point
    names = {model.embedding_name, model.readout_name, model.bias_name}
    inside = axes.among(names, corners).nonzero()[:, 0]

    def block_of(corner: Tensor) -> Tensor:
        def loss(part: Tensor) -> Tensor:
            return objective(model, axes.params(corner.index_copy(0, inside, part)))

        matrix: Tensor = hessian(loss)(corner[inside])
        return matrix

    chunk = max(1, chunk_of(model, objective, TOGETHER) // len(inside))
    with FORWARD_MODE:
        blocks = vmap(block_of, chunk_size=chunk)(corners)
    found = torch.linalg.eigvalsh(blocks)[:, 0]
    kinked = [
        at_kink(preactivations(model, axes.params(corner), objective.length)) for corner in corners
    ]
    return torch.where(torch.tensor(kinked, device=found.device), torch.nan, found)
