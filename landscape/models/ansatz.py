"""The rank-one ansatz: reduced coordinates (e, w, b) inside the real transformer."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from landscape.models.reduced import ReducedModel
from landscape.models.single_layer import SingleLayer


def ansatz(model: SingleLayer | ReducedModel, e: float, w: float, b: float) -> dict[str, Tensor]:
    """The rank-one ansatz (e, w, b) of the reduced model, inside the real one.

    With ``alpha = (1, -1, 1, ...)/sqrt(d)``: embedding ``e alpha`` (and readout, when untied),
    positions ``-(e/2) alpha``, ``W_O = I``, ``W_Q = W_K = W_V = 0``,
    ``W_1 = (2|w|/sqrt(r)) 1 alpha^T``, ``W_2 = (2w/sqrt(r)) alpha 1^T``. For e > 0 the single
    layer's logit is then ``e^2 (1 + 2w|w|) x + b - e^2/2``, that of `ReducedModel`.

    Args:
        model: gives names, shapes, dtype and device.
        e, w, b: reduced coordinates; e < 0 is the mirror branch (the relu fires at x = 0).

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
    alpha = like.new_full((d,), 1 / math.sqrt(d))
    alpha[1::2] *= -1
    ones = like.new_ones(r)
    params = {name: torch.zeros_like(value) for name, value in model.named_parameters()}
    params["embedding"] = e * alpha
    params["positions"] = (-e / 2 * alpha).repeat(model.length, 1)
    params["output"] = torch.eye(d, dtype=like.dtype, device=like.device)
    params["hidden_in"] = 2 * abs(w) / math.sqrt(r) * torch.outer(ones, alpha)
    params["hidden_out"] = 2 * w / math.sqrt(r) * torch.outer(alpha, ones)
    params[model.readout_name] = e * alpha
    params["bias"] = torch.full_like(like, b)
    return params
