"""Slices in the reduced coordinates (e, w, b): surfaces inside the real transformer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import jacrev

from landscape.curvature import Coordinates, Objective, in_float64
from landscape.models import ReducedModel, SingleLayer
from landscape.models.ansatz import ansatz
from landscape.slices import STEP, measured_surface
from landscape.sources import BinaryMarkov
from landscape.surface import LossSlice
from landscape.unchanged import unchanged

COORDINATES = ("e", "w", "b")


def best_bias(
    source: BinaryMarkov, e: Float[Tensor, "..."], w: Float[Tensor, "..."], *, mirror: bool = True
) -> Float[Tensor, "..."]:
    """The bias b*(e, w) of least loss, for the logits of the rank-one ansatz.

    With the gap ``s = f(1) - f(0) = e^2 (1 + 2w|w|)`` and the two logits centred on their middle
    m, dL/db = 0 is a quadratic equation in exp(m) of product of roots -p/q, so::

        m = ln(p/q)/2 + asinh( (p - q) exp(-s/2) / (2 sqrt(pq)) ),    f(0) = m - s/2

    and b* = f(0) + e^2/2 for e > 0, where the relu leaves f(0) alone; on the mirror branch e < 0
    it leaves f(1) = b + e^2/2 alone, and b* = f(0) + e^2 (1/2 + 2w|w|).

    Args:
        source: gives p and q.
        e, w: reduced coordinates, broadcasting.
        mirror: whether e < 0 is the mirror branch (the transformer), or e and -e are the same
            (the reduced model).

    Source: MATH of this project, section 3, in another form; *Local to Global* (arXiv 2406.03072).

    >>> zero = torch.zeros((), dtype=torch.float64)
    >>> best_bias(BinaryMarkov(0.5, 0.8), zero, zero).exp().item()  # p/q
    0.625
    """
    p, q = float(source.p), float(source.q)
    growth = w * w.abs()
    gap = e**2 * (1 + 2 * growth)
    difference = float(source.p - source.q)
    if difference == 0:
        middle = 0 * gap
    else:  # asinh(x) is sign(x) ln(2|x|) long before exp overflows
        log = math.log(abs(difference) / (2 * math.sqrt(p * q))) - gap / 2
        large = log > 30
        tame = torch.asinh(torch.exp(torch.where(large, 0.0, log)))
        middle = math.copysign(1.0, difference) * torch.where(large, log + math.log(2.0), tame)
    zero = math.log(p / q) / 2 + middle - gap / 2
    lifted = 2 * growth if mirror else 0 * growth
    return zero + e**2 * (0.5 + torch.where(e < 0, lifted, 0.0))


def reduced_coordinates(
    model: SingleLayer | ReducedModel, params: Mapping[str, Tensor]
) -> dict[str, float]:
    """The (e, w, b) of a point on the rank-one ansatz; query and key are free.

    Raises:
        ValueError: if the point is not on the ansatz.

    >>> model = SingleLayer(width=4, length=2)
    >>> found = reduced_coordinates(model, ansatz(model, e=-1.0, w=0.5, b=0.25))
    >>> [round(found[name], 12) for name in "ewb"]
    [-1.0, 0.5, 0.25]
    """
    axes = Coordinates.of(params)
    base, rows = _frame(model, params)
    offset = axes.vector(in_float64(params)) - base
    e, plus, minus, b = (rows @ offset / (rows**2).sum(1)).tolist()
    w = plus if isinstance(model, ReducedModel) else plus - minus
    found = {"e": e, "w": w, "b": b}
    left = (offset - _features(torch.tensor([e, w, b], dtype=torch.float64)) @ rows).norm().item()
    if not left <= 1e-9 * max(1.0, offset.norm().item()):
        raise ValueError(
            f"the point lies {left:.2g} off the rank-one ansatz, so it has no reduced coordinates "
            f"(e, w, b); take a bigram point, or at the unigram unigram_point(model, loss, "
            f"free=ansatz(model, 0.0, w, 0.0)) with ansatz from landscape.models.ansatz"
        )
    return found


def coordinate_slice(
    model: SingleLayer | ReducedModel,
    objective: Objective,
    params: Mapping[str, Tensor],
    *,
    axes: Sequence[str] = ("e", "w"),
    bias: str = "best",
    resolution: int = 51,
    radius: float = 2.0,
) -> LossSlice:
    """The loss of the full model over one or two of the reduced coordinates (e, w, b).

    The parameters are those of the rank-one ansatz. They are linear in e and b and in each sign of
    w (its W_1 is proportional to |w|); a coordinate that is no axis keeps the value it has at the
    centre, except a best bias.

    Args:
        model: `SingleLayer` or `ReducedModel`.
        objective: the loss; its source gives the best bias.
        params: the centre, a point on the ansatz; query and key are free.
        axes: one or two of "e", "w", "b".
        bias: where b is no axis, "best" puts it at its best value b*(e, w) everywhere, as the
            papers draw the (e, w) plane; "fixed" keeps the centre's.
        resolution: points per axis, odd.
        radius: the axes run this far to either side of the centre's coordinates.

    Returns:
        A `LossSlice` with ``chart = "reduced"``; its directions are the tangents at the centre (at
        w = 0, of the side w > 0).

    Raises:
        ValueError: for other axes or another bias, a centre that is not on the ansatz or whose
            bias is not the best although it is asked for, and as `measured_surface` does.

    Source: *Local to Global* (arXiv 2406.03072), the canonical parametrisation.

    >>> from landscape import BinaryMarkov, ExactLoss
    >>> loss = ExactLoss(BinaryMarkov(0.5, 0.8), 3)
    >>> model = SingleLayer(width=2, length=3)
    >>> centre = ansatz(model, e=0.0, w=0.0, b=math.log(0.5 / 0.8))
    >>> found = coordinate_slice(model, loss, centre, resolution=5)
    >>> found.names, found.loss.shape, found.origin
    (('e', 'w'), (5, 5), (0.0, 0.0))
    """
    names = tuple(axes)
    if not 1 <= len(names) <= 2 or len(set(names)) < len(names) or set(names) - set(COORDINATES):
        raise ValueError(f"axes={names} are not reduced coordinates; give one or two of e, w, b")
    if bias not in ("best", "fixed"):
        raise ValueError(f"bias={bias!r} is unknown; give 'best' or 'fixed'")
    source: Any = getattr(objective, "source", None)
    follows = bias == "best" and "b" not in names
    if follows and not isinstance(source, BinaryMarkov):
        raise ValueError("the best bias is known for a BinaryMarkov source; give bias='fixed'")
    coordinates = reduced_coordinates(model, params)
    held = {n: x for n, x in coordinates.items() if n not in names and not (n == "b" and follows)}
    base, rows = _frame(model, params)
    mirror = not isinstance(model, ReducedModel)
    if follows:
        here = [base.new_tensor(coordinates[name]) for name in ("e", "w")]
        best = best_bias(source, *here, mirror=mirror).item()
        if abs(best - coordinates["b"]) > 1e-9 * max(1.0, abs(best)):
            raise ValueError(
                f"bias='best' does not lead through the centre: b={coordinates['b']:.6g} there and "
                f"b*={best:.6g}; give bias='fixed', or a centre with the best bias"
            )

    def features(offset: Float[Tensor, " k"]) -> Float[Tensor, "4"]:
        at = {name: offset.new_tensor(value) for name, value in coordinates.items()}
        at |= {name: at[name] + offset[k] for k, name in enumerate(names)}
        if follows:
            at["b"] = best_bias(source, at["e"], at["w"], mirror=mirror)
        return _features(torch.stack([at[name] for name in COORDINATES]))

    def chart(offset: Float[Tensor, " k"]) -> Float[Tensor, " D"]:
        return base + features(offset) @ rows

    centre = base.new_zeros(len(names))
    with unchanged(model, params):
        found = measured_surface(
            model,
            objective,
            params,
            chart,
            jacrev(features)(centre).T @ rows,
            names=names,
            resolution=resolution,
            radius=radius,
            # W_1 is proportional to |w|: across w = 0 the chart is bent
            smooth=[name != "w" or abs(coordinates["w"]) > 2 * STEP for name in names],
            affine=False,
        )
    origin = tuple(coordinates[name] for name in names)
    return replace(found, chart="reduced", origin=origin, held=held)


def _features(at: Float[Tensor, "3"]) -> Float[Tensor, "4"]:
    """(e, w+, w-, b): what the ansatz is linear in."""
    e, w, b = at
    return torch.stack([e, torch.where(w >= 0, w, 0.0), torch.where(w < 0, -w, 0.0), b])


def _frame(
    model: SingleLayer | ReducedModel, params: Mapping[str, Tensor]
) -> tuple[Float[Tensor, " D"], Float[Tensor, "4 D"]]:
    """The ansatz at 0, with the point's query and key, and its derivatives by (e, w+, w-, b)."""
    axes = Coordinates.of(params)
    zero = in_float64(ansatz(model, 0.0, 0.0, 0.0))
    base = axes.vector(zero)
    ends = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0)]
    rows = [axes.vector(in_float64(ansatz(model, *end))) - base for end in ends]
    free = {name: params[name] for name in ("query", "key") if name in params}
    return axes.vector(zero | in_float64(free)), torch.stack(rows)
