"""The unigram and bigram critical points, constructed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

import torch
from torch import Tensor, nn

from landscape.critical_point import CriticalPoint
from landscape.curvature import gradient
from landscape.models import ReducedModel, SingleLayer
from landscape.models.ansatz import ansatz
from landscape.models.readable import Params, Readable, parameters_of
from landscape.objective import ExactLoss
from landscape.sources import BinaryMarkov, MarkovSource
from landscape.trained_bigram import trained_bigram_point

DEFAULT_W = {"p+q<1": 0.0, "p+q>1": -1.2}
"""Reduced coordinate w of a constructed bigram point when none is asked for."""


def _measured(
    kind: str,
    model: nn.Module,
    objective: ExactLoss,
    params: Params,
    coordinates: Mapping[str, float] | None = None,
) -> CriticalPoint:
    slope, value = gradient(objective, model, params)
    return CriticalPoint(kind, params, value, slope.norm().item(), coordinates)


def _binary(objective: ExactLoss) -> BinaryMarkov:
    if not isinstance(objective.source, BinaryMarkov):
        raise ValueError(
            f"source={type(objective.source).__name__} has no closed-form point here; "
            f"give a BinaryMarkov source, or train and refine"
        )
    return objective.source


def unigram_point(
    model: nn.Module, objective: ExactLoss, *, free: Mapping[str, Tensor] | None = None
) -> CriticalPoint:
    """The unigram critical point: embedding (and readout) 0, bias ln pi, all else free.

    Every prediction is then the stationary law pi, the loss is H_u and the gradient vanishes, for
    every value of the free parameters at which the loss is differentiable. A model of one logit has
    the bias ln(pi1/pi0), which is ln(p/q).

    Args:
        model: a `Readable` model or `ReducedModel`.
        objective: the loss, whose source tells pi.
        free: the free parameters by name; by default the model's own.

    Raises:
        ValueError: if the model names no embedding, readout and bias, or one of another shape than
            [] or [S], or if the source does not start at stationarity: the gradient of the loss by
            the readout is then not 0.

    Source: *Attention with Markov* (arXiv 2402.04161), the unigram stationary point.

    >>> from landscape import BinaryMarkov, ExactLoss, SingleLayer
    >>> loss = ExactLoss(BinaryMarkov(0.5, 0.8), 3)
    >>> point = unigram_point(SingleLayer(width=2, length=3), loss)
    >>> round(point.loss, 5), point.gradient_norm < 1e-15
    (0.66628, True)
    """
    if isinstance(model, ReducedModel):
        zeroed, bias_name = {"embedding"}, "bias"
    elif isinstance(model, Readable):
        zeroed = {model.embedding_name, model.readout_name}
        bias_name = model.bias_name
    else:
        raise ValueError(
            f"model={type(model).__name__} does not say which parameters are its embedding, "
            f"readout and bias; implement landscape.models.Readable"
        )
    given = {**parameters_of(model), **(free or {})}
    params = {name: value.detach().clone() for name, value in given.items()}
    unknown = sorted({*zeroed, bias_name} - {*params})
    if unknown:
        raise ValueError(
            f"model={type(model).__name__} names {unknown[0]!r} as its embedding, readout or bias, "
            f"but has no such parameter; its parameters are {', '.join(params)}"
        )
    for name in zeroed:
        params[name] = torch.zeros_like(params[name])
    params[bias_name] = _unigram_bias(objective.source, params[bias_name])
    return _measured("unigram", model, objective, params)


def _unigram_bias(source: MarkovSource, like: Tensor) -> Tensor:
    """The output bias whose prediction is the stationary law: [] for one logit, else [S]."""
    if not source.starts_stationary:
        raise ValueError(
            f"source={type(source).__name__} does not start at stationarity, so that the unigram "
            f"is no critical point of its loss; leave out the start"
        )
    if like.shape == () and isinstance(source, BinaryMarkov):
        return torch.full_like(like, source.log_odds)
    log = torch.from_numpy(source.stationary).log()
    if like.shape == log.shape:
        return log.to(like)
    if like.shape == () and source.states == 2:
        return (log[1] - log[0]).to(like)
    raise ValueError(
        f"the output bias has shape {tuple(like.shape)}, but a source of {source.states} symbols "
        f"needs [{source.states}]; give every symbol's logit a bias"
    )


def log_ratio(x: Decimal, y: Decimal) -> float:
    """ln(x/y) in full relative precision, near x = y too, where a float quotient has lost it.

    >>> log_ratio(Decimal("0.3"), Decimal("0.3")), log_ratio(Decimal(1), Decimal(4)) == -math.log(4)
    (0.0, True)
    """
    if abs(x - y) < y / 2:
        return math.log1p(float((x - y) / y))
    return math.log(float(x) / float(y))


def bigram_coordinates(source: BinaryMarkov, w: float | None, sign: int) -> dict[str, float]:
    """Reduced coordinates (e, w, b) of a bigram point, for the branch sign(e).

    ``e^2 (1 + 2w|w|) = s* = ln[(1-p)(1-q)/(pq)]`` and ``b = e^2/2 + ln(p/(1-p))`` for e > 0,
    ``b = ln((1-q)/q) - e^2/2`` for e < 0. At p+q = 1 the set shrinks to e = 0.

    Raises:
        ValueError: if 1 + 2w|w| has the wrong sign for p+q, or sign is not 1 or -1.

    >>> bigram_coordinates(BinaryMarkov(0.2, 0.3), None, 1)["w"]
    0.0
    """
    if sign not in (1, -1):
        raise ValueError(f"sign={sign} is out of range; give 1 (e > 0) or -1 (e < 0)")
    p, q = source.p, source.q
    side = "p+q>1" if Fraction(p) + Fraction(q) > 1 else "p+q<1"
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
            f"w={w} has no bigram point at p={p}, q={q}: {side} needs {allowed} "
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

    For `SingleLayer` and `ReducedModel` on a binary chain it is the rank-one ansatz at the reduced
    coordinate w, in closed form; query and key of the single layer are free there (W_V = 0). Any
    other model is trained and refined, see `landscape.trained_bigram`.

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
    if not isinstance(model, (SingleLayer, ReducedModel)):
        if w is not None or sign != 1:
            raise ValueError(
                f"w={w}, sign={sign} are coordinates of the rank-one ansatz, which "
                f"{type(model).__name__} has no closed form for; leave them out"
            )
        return trained_bigram_point(model, objective)
    coordinates = bigram_coordinates(_binary(objective), w, sign)
    if isinstance(model, ReducedModel):  # one formula for both signs of e: the first branch
        coordinates = bigram_coordinates(_binary(objective), w, 1)
        coordinates["e"] *= sign
    params = ansatz(model, coordinates["e"], coordinates["w"], coordinates["b"])
    if isinstance(model, SingleLayer):
        given = {**parameters_of(model), **(free or {})}
        params |= {name: given[name].detach().clone() for name in ("query", "key")}
    return _measured("bigram", model, objective, params, coordinates)
