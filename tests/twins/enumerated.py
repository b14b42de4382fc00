"""The population loss of any causal network, by its own forward on every sequence there is.

Nothing of `landscape`, and no torch.func: the network's own parameters are moved in place, its
gradient is torch's of first order, and second derivatives are differences of fourth order of it.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn


def double(model: nn.Module) -> nn.Module:
    """The model in float64, complex constants in complex128."""
    for module in model.modules():
        for own in (module._parameters, module._buffers):
            for name, value in own.items():
                if value is None:
                    continue
                wide = torch.complex128 if value.is_complex() else torch.float64
                if value.is_floating_point() or value.is_complex():
                    value.data = value.data.to(wide)
                assert own[name] is value
    return model


def stationary(kernel: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eig(kernel.T)
    law = np.real(vectors[:, np.argmin(abs(values - 1))])
    return np.asarray(law / law.sum())


def loss(model: nn.Module, kernel: np.ndarray, length: int) -> Tensor:
    """Mean cross-entropy over positions, weighted by the chain."""
    rows = np.array(list(itertools.product(range(len(kernel)), repeat=length)))
    chance = stationary(kernel)[rows[:, 0]]
    for n in range(1, length):
        chance = chance * kernel[rows[:, n - 1], rows[:, n]]
    log = torch.log_softmax(model(torch.tensor(rows)), -1)
    entropy = -(torch.tensor(kernel[rows]) * log).sum(-1)
    return (torch.tensor(chance)[:, None] * entropy).sum() / length


def gradient(
    model: nn.Module, kernel: np.ndarray, length: int, among: Sequence[nn.Parameter]
) -> np.ndarray:
    """Of first order, by torch, by the parameters that are named."""
    value = loss(model, kernel, length)
    slopes = torch.autograd.grad(value, list(among), allow_unused=True)
    parts = [torch.zeros_like(p) if g is None else g for p, g in zip(among, slopes, strict=True)]
    return np.asarray(torch.cat([part.reshape(-1) for part in parts]).numpy())


def hessian_product(
    model: nn.Module, kernel: np.ndarray, length: int, direction: np.ndarray, h: float = 1e-4
) -> np.ndarray:
    """H v of those parameters that require gradients, error h^4 and eps/h."""
    among = [p for p in model.parameters() if p.requires_grad]
    start = [p.detach().clone() for p in among]
    pieces = torch.tensor(direction).split([p.numel() for p in among])

    def at(step: float) -> np.ndarray:
        with torch.no_grad():
            for p, own, piece in zip(among, start, pieces, strict=True):
                p.copy_(own + step * piece.reshape(own.shape))
        return gradient(model, kernel, length, among)

    found = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)
    at(0.0)
    return np.asarray(found)
