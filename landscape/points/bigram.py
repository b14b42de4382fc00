"""The bigram point: in closed form on the rank-one ansatz, else trained and refined."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import torch
from torch import Tensor, nn

from landscape.models.ansatz import ansatz
from landscape.models.initial import standard
from landscape.models.parameters import check_named, parameters_of
from landscape.models.protocols import OnAnsatz
from landscape.objectives.exact import ExactLoss
from landscape.points.critical_point import CriticalPoint, measured_point
from landscape.points.refinement import refine
from landscape.sources import TwoState
from landscape.sources.protocol import Exact
from landscape.training.loop import train

DEFAULT_W = {"p+q<1": 0.0, "p+q>1": -1.2}
"""Reduced coordinate w of a constructed bigram point when none is asked for."""


def log_ratio(x: Exact, y: Exact) -> float:
    """ln(x/y) in full relative precision, near x = y too, where a float quotient has lost it.

    >>> log_ratio(Fraction("0.3"), Fraction("0.3")), log_ratio(Fraction(1, 4), Fraction(1))
    (0.0, -1.3862943611198906)
    """
    x, y = Fraction(x), Fraction(y)
    if abs(x - y) < y / 2:
        return math.log1p(float((x - y) / y))
    return math.log(float(x) / float(y))


def bigram_coordinates(source: TwoState, w: float | None, sign: int) -> dict[str, float]:
    """Reduced coordinates (e, w, b) of a bigram point, for the branch sign(e).

    ``e^2 (1 + 2w|w|) = s* = ln[(1-p)(1-q)/(pq)]`` and ``b = e^2/2 + ln(p/(1-p))`` for e > 0,
    ``b = ln((1-q)/q) - e^2/2`` for e < 0. At p+q = 1 the set shrinks to e = 0.

    Raises:
        ValueError: if 1 + 2w|w| has the wrong sign for p+q, or sign is not 1 or -1.

    >>> from landscape.sources import BinaryMarkov
    >>> bigram_coordinates(BinaryMarkov(0.2, 0.3), None, 1)["w"]
    0.0
    """
    if sign not in (1, -1):
        raise ValueError(f"sign={sign} is out of range; give 1 (e > 0) or -1 (e < 0)")
    p, q = Fraction(source.p), Fraction(source.q)
    side = "p+q>1" if p + q > 1 else "p+q<1"
    w = DEFAULT_W[side] if w is None else w
    growth = math.nan
    if math.isfinite(w):  # exactly: near w = -1/sqrt(2) floats cancel
        growth = float(1 + 2 * Fraction(w) * abs(Fraction(w)))
    target = log_ratio((1 - p) * (1 - q), p * q)
    if target == 0 and math.isfinite(w):
        square = 0.0
    elif not target * growth > 0:
        allowed = "w > -1/sqrt(2)" if target > 0 else "w < -1/sqrt(2)"
        raise ValueError(
            f"w={w} has no bigram point at p={source.p}, q={source.q}: {side} needs {allowed} "
            f"(about -0.70711); try w={DEFAULT_W[side]}"
        )
    else:
        square = target / growth
    bias = square / 2 + log_ratio(p, 1 - p)
    if sign < 0:
        bias = log_ratio(1 - q, q) - square / 2
    return {"e": sign * math.sqrt(square), "w": w, "b": bias}


def bigram_point(
    model: nn.Module,
    objective: ExactLoss,
    *,
    w: float | None = None,
    sign: int = 1,
    free: Mapping[str, Tensor] | None = None,
) -> CriticalPoint:
    """A bigram point: every prediction is the kernel itself, and the loss the least there is.

    For `SingleLayer`, `ReducedModel` and any other model that is `OnAnsatz`, on a binary chain, it
    is the rank-one ansatz at the reduced coordinate w, in closed form; query and key of the single
    layer are free there (W_V = 0). Any other model is trained and refined: `trained_bigram_point`.

    Args:
        model: any model.
        objective: the loss, whose source tells the kernel.
        w: reduced feed-forward coordinate; 0 for p+q<1 and -1.2 for p+q>1 by default.
        sign: sign of e; -1 is the mirror branch of the single layer.
        free: `query` and `key` of the single layer; by default the model's own. A point that is
            trained has no free weights.

    Raises:
        ValueError: if there is no bigram point at that w, if w is given for a model without the
            ansatz, or if training stays above the least loss.

    Source: *Attention with Markov* (arXiv 2402.04161), the global minimum; *Local to Global*
    (arXiv 2406.03072) for the curve in (e, w).

    >>> from landscape import BinaryMarkov, ExactLoss, SingleLayer
    >>> loss = ExactLoss(BinaryMarkov(0.5, 0.8), 3)
    >>> point = bigram_point(SingleLayer(width=2, length=3), loss)
    >>> abs(point.loss - loss.source.entropy_rate) < 1e-15
    True
    """
    if not isinstance(model, OnAnsatz):
        if w is not None or sign != 1:
            raise ValueError(
                f"w={w}, sign={sign} are coordinates of the rank-one ansatz, which "
                f"{type(model).__name__} has no closed form for; leave them out"
            )
        return trained_bigram_point(model, objective)
    source = objective.source
    if not isinstance(source, TwoState):
        raise ValueError(
            f"source={type(source).__name__} has no closed-form point here; "
            f"give a BinaryMarkov source, or train and refine"
        )
    at = bigram_coordinates(source, w, sign)
    if not model.mirror:  # one formula for both signs of e: the first branch
        at = bigram_coordinates(source, w, 1)
        at["e"] *= sign
    check_named(free or {}, "free")
    given = {**parameters_of(model), **(free or {})}
    own = {name: given[name].detach().clone() for name in model.free}
    params = ansatz(model, at["e"], at["w"], at["b"]) | own
    return measured_point(model, objective, params, "bigram", at)


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
    return replace(point, kind="bigram")
