"""Claims about the reduced model with attention, measured in the single-layer transformer."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from landscape.comparison.checks import Check
from landscape.comparison.theorems.subject import Subject, claims_of
from landscape.models import SingleLayer
from landscape.objectives.exact import ExactLoss
from theory.attention.loss import attention_derivatives
from theory.attention.spectra import attention_bigram_spectrum, unigram_curvatures
from theory.spectra.reduced import ansatz_bigram

__all__ = ["attention_claims"]

LENGTH = 2
"""At which the machine sums the curvature."""

WIDTH = 2

POINT = (0.8, -0.4, 0.5, 0.2)
"""(e, w, a, b) of no particular meaning, with no s_n = 0."""

STEP = 2.0**-10
"""Of e^2, in the quotient (L - H_u)/(e^2/2)."""

TOLERANCE = 1e-12
"""Round-off of a loss near 1 and of derivatives of that size."""

QUOTIENT = 1e-9
"""The cubic through four quotients leaves 24 STEP^4 = 2e-11 times a derivative, and 15 roundings of
the loss over STEP."""


@claims_of("attention-reduced")
def attention_claims(subject: Subject) -> Iterator[Check]:
    """Loss and gradient at a point, the curvature at the unigram, the spectrum at the bigram."""
    p, q = subject.chances
    model = SingleLayer(width=WIDTH, length=LENGTH)
    objective = ExactLoss(subject.binary, LENGTH)

    def loss(values: Float[Tensor, "4"]) -> Float[Tensor, ""]:
        return objective(model, with_attention(model, values))

    known = attention_derivatives(p, q, POINT, length=LENGTH)
    at = torch.tensor(POINT, dtype=torch.float64)
    yield Check.of("loss", "the loss at a point", known.loss, loss(at).item(), TOLERANCE)
    slope = torch.func.jacrev(loss)(at).numpy()
    error = float(np.abs(known.gradient - slope).max())
    yield Check.of("gradient", "the largest error of its gradient", 0.0, error, TOLERANCE)
    bend = torch.func.hessian(loss)(at).numpy()
    error = float(np.abs(known.hessian - bend).max())
    yield Check.of("hessian", "the largest error of its Hessian", 0.0, error, 10 * TOLERANCE)
    _, w, a, _ = POINT
    odds = math.log(float(p) / float(q))
    for side, curvature in zip((1, -1), unigram_curvatures(p, q, w, a, LENGTH), strict=True):
        quotients, name = [], "e > 0" if side > 0 else "e < 0"
        for k in range(1, 5):
            e = side * math.sqrt(k * STEP)
            near = torch.tensor([e, w, a, odds], dtype=torch.float64)
            at_zero = torch.tensor([0.0, w, a, odds], dtype=torch.float64)
            quotients.append(2 * (loss(near) - loss(at_zero)).item() / (k * STEP))
        found = 4 * quotients[0] - 6 * quotients[1] + 4 * quotients[2] - quotients[3]
        yield Check.of(
            "unigram-plus" if side > 0 else "unigram-minus",
            f"the curvature in e at the unigram, w = {w:g}, a = {a:g}, from {name}",
            curvature,
            found,
            QUOTIENT,
        )
    if subject.binary.degenerate:
        return
    w = -1.2 if float(p) + float(q) > 1 else 0.3
    e, _, b = ansatz_bigram(p, q, w)
    spectrum = attention_bigram_spectrum(p, q, w, LENGTH)
    at = torch.tensor([e, w, 0.0, b], dtype=torch.float64)
    bend = torch.func.hessian(loss)(at)
    error = float(np.abs(spectrum.full() - torch.linalg.eigvalsh(bend).numpy()).max())
    size = max(1.0, float(spectrum.eigenvalues.max())) * max(1.0, e**2)
    yield Check.of(
        "bigram",
        "at the bigram, a = 0: three positive eigenvalues and one zero, largest error",
        0.0,
        error,
        TOLERANCE * size,
    )


def with_attention(model: SingleLayer, values: Float[Tensor, "4"]) -> dict[str, Tensor]:
    """The rank-one ansatz at (e, w, a, b) with W_V = a alpha alpha^T, differentiable."""
    e, w, a, b = values.unbind()
    alpha = values.new_tensor([1.0, -1.0] * model.width)[: model.width] / math.sqrt(model.width)
    ones = values.new_ones(model.hidden) / math.sqrt(model.hidden)
    params = {name: torch.zeros_like(value) for name, value in model.named_parameters()}
    return params | {
        "embedding": e * alpha,
        "positions": (-e / 2 * alpha).expand(model.length, -1),
        "output": torch.eye(model.width, dtype=values.dtype),
        "value": a * torch.outer(alpha, alpha),
        "hidden_in": 2 * w.abs() * torch.outer(ones, alpha),
        "hidden_out": 2 * w * torch.outer(alpha, ones),
        "bias": b,
    }
