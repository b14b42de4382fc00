"""Run as a program: how far one exact loss and its gradient raise the peak memory, in MiB.

Arguments: context length, and "table" or "enumeration", the way the logits are found. A process of
its own, since the peak is that of a whole process and never falls.
"""

import resource
import sys

import torch

from landscape.models import SingleLayer
from landscape.objectives.exact import ExactLoss, enumerated_context_logits
from landscape.sources import BinaryMarkov

UNIT = 1 if sys.platform == "darwin" else 1024  # getrusage reports bytes there, KiB elsewhere


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT / 2**20


def growth(length: int, way: str) -> float:
    model = SingleLayer(width=4, length=length)
    params = dict(model.named_parameters())
    torch.autograd.grad(params["query"].sum(), params["query"])  # starts the engine
    before = peak()
    if way == "table":
        loss = ExactLoss(BinaryMarkov(0.5, 0.8), length)(model, params)
    else:
        loss = enumerated_context_logits(model, params, 2, length).square().mean()
    gradients = torch.autograd.grad(loss, list(params.values()))
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)
    return peak() - before


if __name__ == "__main__":
    print(growth(int(sys.argv[1]), sys.argv[2]))
