"""The rank-one ansatz: reduced coordinates (e, w, b) inside the real transformer."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from landscape.models.gpt import GPT
from landscape.models.initial import random_signs
from landscape.models.reduced import ReducedModel
from landscape.models.single_layer import SingleLayer


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
