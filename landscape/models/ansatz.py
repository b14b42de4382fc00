"""The rank-one ansatz: reduced coordinates (e, w, b) inside the real transformer."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from landscape.models.gpt import GPT
from landscape.models.initial import random_signs
from landscape.models.parameters import Coordinates, in_float64
from landscape.models.reduced import ReducedModel
from landscape.models.single_layer import SingleLayer
from landscape.sources import BinaryMarkov


def ansatz(
    model: SingleLayer | GPT | ReducedModel,
    e: float,
    w: float,
    b: float,
    *,
    signs: Float[Tensor, " d"] | None = None,
) -> dict[str, Tensor]:
    """The rank-one ansatz (e, w, b) of the reduced model, inside the real one.

    With a sign vector alpha/sqrt(d): embedding ``e alpha`` (and readout, when untied), positions
    ``-(e/2) alpha``, ``W_O = I``, ``W_Q = W_K = W_V = 0``, ``W_1 = (2|w|/sqrt(r)) 1 alpha^T``,
    ``W_2 = (2w/sqrt(r)) alpha 1^T``. For e > 0 the single layer's logit is then
    ``e^2 (1 + 2w|w|) x + b - e^2/2``, that of `ReducedModel`. A GPT of two symbols has the same
    difference of logits from ``E_x = (x - 1/2) e alpha``, no positions, and all blocks but the
    first at 0.

    Args:
        model: gives names, shapes, dtype and device.
        e, w, b: reduced coordinates; e < 0 is the mirror branch (the relu fires at x = 0).
        signs: of alpha, +-1; by default they alternate, the first being 1.

    Raises:
        ValueError: for a GPT that cannot hold the ansatz: other than two symbols, LayerNorm, GELU
            or no feed-forward layer.

    Source: *Local to Global* (arXiv 2406.03072), the rank-one parametrisation.

    >>> from landscape.models import SingleLayer
    >>> ansatz(SingleLayer(width=4, length=2), e=1.0, w=0.5, b=0.0)["embedding"].tolist()
    [0.5, -0.5, 0.5, -0.5]
    """
    like = model.bias.detach()
    if isinstance(model, ReducedModel):
        values = {"embedding": e, "feedforward": w, "bias": b}
        return {name: torch.full_like(like, value) for name, value in values.items()}
    d, r = model.width, model.hidden
    if signs is None:
        signs = torch.ones(d)
        signs[1::2] = -1
    alpha = signs.to(like) / math.sqrt(d)
    ones = like.new_ones(r)
    params = {name: torch.zeros_like(value) for name, value in model.named_parameters()}
    first = ""
    if isinstance(model, GPT):
        _refuse_another(model)
        first = "blocks.0."
        params["embedding"] = torch.stack([-e / 2 * alpha, e / 2 * alpha])
        params[model.readout_name] = params["embedding"].clone()
        params["bias"] = like.new_tensor([0.0, b])
    else:
        params["embedding"] = e * alpha
        params["positions"] = (-e / 2 * alpha).repeat(model.length, 1)
        params[model.readout_name] = e * alpha
        params["bias"] = torch.full_like(like, b)
    if f"{first}output" in params:
        params[f"{first}output"] = torch.eye(d, dtype=like.dtype, device=like.device)
    params[f"{first}hidden_in"] = 2 * abs(w) / math.sqrt(r) * torch.outer(ones, alpha)
    params[f"{first}hidden_out"] = 2 * w / math.sqrt(r) * torch.outer(alpha, ones)
    return params


def basin(
    model: SingleLayer | GPT | ReducedModel, seed: int, *, e: float, w: float, b: float
) -> dict[str, Tensor]:
    """The ansatz at (e, w, b), with random signs alpha.

    For p+q > 1 gradient flow of the reduced model reaches the bigram from ``w <= -1/sqrt(2)`` and
    any ``e != 0``; with the choice ``e = sqrt(d)/2, w = -d`` of a configuration the entries of the
    embedding are +-1/2, and with r = 4d those of W_1 and W_2 +-1.

    Args:
        model: as in `ansatz`.
        seed: of the signs.
        e, w, b: reduced coordinates.

    Source: *Local to Global* (arXiv 2406.03072), initialising inside the bigram's basin.

    >>> from landscape.models import SingleLayer
    >>> params = basin(SingleLayer(width=4, length=2), seed=0, e=1.0, w=-4.0, b=0.0)
    >>> params["embedding"].abs().tolist(), params["hidden_out"].abs().max().item()
    ([0.5, 0.5, 0.5, 0.5], 1.0)
    """
    if isinstance(model, ReducedModel):
        return ansatz(model, e, w, b)
    signs = random_signs(model.width, torch.Generator().manual_seed(seed))
    return ansatz(model, e, w, b, signs=signs)


def _refuse_another(model: GPT) -> None:
    names = {name.rpartition(".")[2] for name, _ in model.named_parameters()}
    if model.states != 2 or model.smooth or "gain" in names or "hidden_in" not in names:
        raise ValueError(
            f"the rank-one ansatz needs a GPT with states=2 (it has {model.states}), "
            f"activation='relu', layer_norm=False and feedforward=True; build it so, or take "
            f"another initialisation"
        )


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
