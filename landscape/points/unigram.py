"""The unigram critical point of any model that names its parameters, constructed."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from landscape.models.parameters import check_named, frozen, parameters_of
from landscape.models.protocols import Named
from landscape.objectives.exact import ExactLoss
from landscape.points.critical_point import CriticalPoint, measured_point
from landscape.sources import MarkovSource, TwoState


def unigram_point(
    model: nn.Module, objective: ExactLoss, *, free: Mapping[str, Tensor] | None = None
) -> CriticalPoint:
    """The unigram critical point: embedding (and readout) 0, bias ln pi, all else free.

    Every prediction is then the stationary law pi, the loss is H_u and the gradient vanishes, for
    every value of the free parameters at which the loss is differentiable. A model of one logit has
    the bias ln(pi1/pi0), which is ln(p/q).

    Args:
        model: a `Readable` model, or one that has its names alone, such as `ReducedModel`.
        objective: the loss, whose source tells pi.
        free: the free parameters by name; by default the model's own, as initialised or trained.
            The commands' built-in models have zero weights there unless told otherwise.

    Raises:
        ValueError: if the model names no embedding, readout and bias, or one of another shape than
            [] or [S], or a frozen one; if its forward pass or gradient is not finite there; or if
            the source does not start at stationarity: the gradient of the loss by the readout is
            then not 0.

    Source: *Attention with Markov* (arXiv 2402.04161), the unigram stationary point.

    >>> from landscape import BinaryMarkov, ExactLoss, SingleLayer
    >>> loss = ExactLoss(BinaryMarkov(0.5, 0.8), 3)
    >>> point = unigram_point(SingleLayer(width=2, length=3), loss)
    >>> round(point.loss, 5), point.gradient_norm < 1e-15
    (0.66628, True)
    """
    if not isinstance(model, Named):
        raise ValueError(
            f"model={type(model).__name__} does not say which parameters are its embedding, "
            f"readout and bias; implement landscape.models.Readable"
        )
    zeroed, bias_name = {model.embedding_name, model.readout_name}, model.bias_name
    check_named(free or {}, "free")
    given = {**parameters_of(model), **(free or {})}
    params = {name: value.detach().clone() for name, value in given.items()}
    held = sorted({*zeroed, bias_name} & {*frozen(model)})
    if held:
        raise ValueError(
            f"parameter {held[0]!r} of {type(model).__name__} is frozen (requires_grad=False), and "
            f"the unigram point is a point of embedding, readout and bias, which it moves to 0 and "
            f"ln pi; call requires_grad_(True) on it"
        )
    unknown = sorted({*zeroed, bias_name} - {*params})
    if unknown:
        raise ValueError(
            f"model={type(model).__name__} names {unknown[0]!r} as its embedding, readout or bias, "
            f"but has no such parameter; its parameters are {', '.join(params)}"
        )
    for name in zeroed:
        params[name] = torch.zeros_like(params[name])
    params[bias_name] = _unigram_bias(objective.source, params[bias_name])
    point = measured_point(model, objective, params, "unigram")
    if not (math.isfinite(point.loss) and math.isfinite(point.gradient_norm)):
        own = all(bool(value.isfinite().all()) for value in params.values())
        raise ValueError(_not_finite(type(model).__name__, point.loss, own))
    return point


def _not_finite(name: str, loss: float, own: bool) -> str:
    if not own:
        return f"a free parameter of {name} is not finite; give finite ones"
    what = "the forward pass" if not math.isfinite(loss) else "the gradient, not the loss,"
    eps = "give the norm an eps (as torch.nn.functional.normalize has)"
    if math.isfinite(loss):
        eps = "put an eps under the root, sqrt(|x|^2 + eps)"
    return (
        f"{what} of {name} is not finite at the unigram point, where every symbol embeds to 0: a "
        f"division 0/0, as in x/|x|, or the slope of a root at 0; {eps}"
    )


def _unigram_bias(source: MarkovSource, like: Tensor) -> Tensor:
    """The output bias whose prediction is the stationary law: [] for one logit, else [S]."""
    if not source.starts_stationary:
        raise ValueError(
            f"source={type(source).__name__} does not start at stationarity, so that the unigram "
            f"is no critical point of its loss; leave out the start"
        )
    if like.shape == () and isinstance(source, TwoState):
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
