"""From a trained end point to the critical point next to it."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from landscape.models.parameters import Coordinates, Params, in_float64, split
from landscape.models.soundness import refuse_unsound
from landscape.numerics.symmetric_eigen import symmetric_eigen
from landscape.objectives.protocol import Objective
from landscape.points.critical_point import CriticalPoint
from landscape.spectra.operators import dense_hessian, gradient

ROUNDING = 4 * torch.finfo(torch.float64).eps  # of a loss near 1, in nats


def refine(
    model: nn.Module,
    objective: Objective,
    params: Mapping[str, Tensor],
    *,
    tolerance: float = 1e-12,
    steps: int = 50,
) -> CriticalPoint:
    """The critical point next to a trained one: Levenberg-Marquardt on grad L = 0.

    Each step is ``-(H^2 + mu)^{-1} H g`` with the dense Hessian: quadratic towards minima and
    saddles alike, and at rest along the null directions of a critical manifold. At a bigram point
    the loss is flatter than quadratic along some of them, where lowering ||g|| every time takes
    steps without end. Once a step halves ||g|| no more and no curvature is clearly negative, the
    steps are ``-(|H| + mu)^{-1} g`` and lower the loss instead. The point with the least ||g|| is
    returned, so the result is never worse than the start.

    Args:
        model: gives the function; it is not changed.
        objective: the loss.
        params: where to start.
        tolerance: gradient norm at which to stop.
        steps: most Hessians to spend.

    Returns:
        A `CriticalPoint` of kind "trained"; its `gradient_norm` tells how far it got, `moved` how
        far it lies from the start. Frozen parameters (`requires_grad=False`) stay where they are.

    Raises:
        ValueError: as `hessian_spectrum` does for a model without curvature to measure.

    >>> from landscape import BinaryMarkov, ExactLoss, SingleLayer, unigram_point
    >>> model, loss = SingleLayer(width=2, length=3), ExactLoss(BinaryMarkov(0.5, 0.8), 3)
    >>> start = unigram_point(model, loss).params
    >>> point = refine(model, loss, start | {"bias": start["bias"] + 0.1})
    >>> point.gradient_norm < 1e-12, round(point.loss, 5)
    (True, 0.66628)
    """
    refuse_unsound(model, params, getattr(objective, "states", None), objective.length)
    moving, held = split(model, in_float64(params))
    axes = Coordinates.of(moving)
    start = axes.vector(moving)
    here = start.clone()

    def at(vector: Tensor) -> Params:
        return {**held, **axes.params(vector)}

    slope, value = gradient(model, objective, at(here))
    best = (slope.norm().item(), value, here)
    damping, taken, descending = 1e-2, 0, False
    while best[0] > tolerance and taken < steps:
        taken += 1
        eigenvalues, vectors = symmetric_eigen(dense_hessian(model, objective, at(here)))
        along = vectors.T @ slope
        size = eigenvalues.abs().max()
        while damping <= 1e6:
            if descending:
                move = along / (eigenvalues.abs() + damping * size)
            else:
                move = eigenvalues * along / (eigenvalues**2 + (damping * size) ** 2)
            there = here - vectors @ move
            new_slope, new_value = gradient(model, objective, at(there))
            ratio = (new_slope.norm() / slope.norm()).item()
            lower = new_value < value or (new_value <= value + ROUNDING and ratio < 1)
            if lower if descending else ratio < 1:
                break
            damping *= 10
        else:  # no shorter step helps: a kink, or rounding
            break
        here, slope, value = there, new_slope, new_value
        best = min(best, (slope.norm().item(), value, here), key=lambda point: point[0])
        damping *= 0.1
        if not descending and ratio > 0.5 and eigenvalues[0] > -1e-2 * size:
            damping, descending = 1e-2, True
    gradient_norm, value, here = best
    return CriticalPoint(
        "trained", at(here), value, gradient_norm, steps=taken, moved=(here - start).norm().item()
    )
