"""The naive twins, written as the field writes them: plain loops, plain modules, no tables."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from landscape import BinaryMarkov, Markov
from landscape.models.parameters import call
from landscape.objectives.protocol import Objective


def sample_step_by_step(
    chain: BinaryMarkov | Markov, batch: int, length: int, generator: torch.Generator
) -> Tensor:
    """The chain as it is commonly sampled: one multinomial draw for every step."""
    kernel = torch.from_numpy(chain.kernel)
    start = torch.from_numpy(chain.stationary)
    state = torch.multinomial(start, batch, replacement=True, generator=generator)
    path = [state]
    for _ in range(length - 1):
        state = torch.multinomial(kernel[state], 1, generator=generator)[:, 0]
        path.append(state)
    return torch.stack(path, dim=1)


class Enumerated:
    """The population loss by brute force: the forward pass on all 2^N sequences, weighted.

    An objective like `ExactLoss`, for a `BinaryMarkov` source.
    """

    def __init__(self, chain: BinaryMarkov, length: int) -> None:
        self.length = length
        self.sequences = torch.cartesian_prod(*[torch.arange(2)] * length).reshape(-1, length)
        kernel, start = torch.from_numpy(chain.kernel), torch.from_numpy(chain.stationary)
        steps = kernel[self.sequences[:, :-1], self.sequences[:, 1:]]
        self.weights = start[self.sequences[:, 0]] * steps.prod(dim=1) / length
        self.targets = kernel[self.sequences]

    def __call__(self, model: nn.Module, params: Mapping[str, Tensor]) -> Tensor:
        """The loss in nats."""
        logits: Tensor = call(model, params, "forward", self.sequences)
        return -(self.weights[:, None, None] * self.targets * logits.log_softmax(dim=-1)).sum()


class Plain(nn.Module):
    """The single-layer transformer as an ordinary module, for one run."""

    def __init__(self, width: int, length: int, hidden: int, dtype: torch.dtype) -> None:
        super().__init__()

        def linear(inputs: int, outputs: int) -> nn.Linear:
            return nn.Linear(inputs, outputs, bias=False, dtype=dtype)

        self.embedding = nn.Parameter(torch.zeros(width, dtype=dtype))
        self.positions = nn.Parameter(torch.zeros(length, width, dtype=dtype))
        self.query, self.key = linear(width, width), linear(width, width)
        self.value, self.output = linear(width, width), linear(width, width)
        self.hidden_in, self.hidden_out = linear(width, hidden), linear(hidden, width)
        self.bias = nn.Parameter(torch.zeros((), dtype=dtype))
        self.later = torch.ones(length, length, dtype=torch.bool).triu(1)

    def forward(self, tokens: Tensor) -> Tensor:
        """The logit of symbol 1 at every position."""
        x = tokens[..., None] * self.embedding + self.positions
        scores = self.query(x) @ self.key(x).mT / math.sqrt(x.shape[-1])
        attention = scores.masked_fill(self.later, -math.inf).softmax(dim=-1)
        y = x + self.output(attention @ self.value(x))
        z: Tensor = y + self.hidden_out(torch.relu(self.hidden_in(y)))
        return z @ self.embedding + self.bias

    def load(self, params: Mapping[str, Tensor]) -> Plain:
        """Take the weights of a `SingleLayer`, whose names are the same."""
        mine = {name.removesuffix(".weight"): value for name, value in self.named_parameters()}
        with torch.no_grad():
            for name, value in params.items():
                mine[name].copy_(value)
        return self


def train_plainly(
    model: Plain, chain: BinaryMarkov, batch: int, steps: int, generator: torch.Generator
) -> Tensor:
    """One run in the plain loop: sample, forward, backward, AdamW; the last batch's loss."""
    length = len(model.positions)
    kernel = torch.from_numpy(chain.kernel).to(model.bias.dtype)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.95), weight_decay=1e-3)
    loss = torch.zeros(())
    for _ in range(steps):
        tokens = sample_step_by_step(chain, batch, length, generator)
        optimizer.zero_grad()
        logits = model(tokens)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, kernel[tokens, 1])
        loss.backward()
        optimizer.step()
    return loss.detach()


def slice_by_loop(
    model: nn.Module, objective: Objective, params: Mapping[str, Tensor], rows: Tensor, axis: Tensor
) -> np.ndarray:
    """A loss surface point by point: the parameters moved, the loss evaluated, one at a time."""
    names = list(params)
    sizes = [params[name].numel() for name in names]
    losses = np.empty((len(axis), len(axis)))
    with torch.no_grad():
        for i, alpha in enumerate(axis):
            for k, beta in enumerate(axis):
                moves = (alpha * rows[0] + beta * rows[1]).split(sizes)
                there = {
                    name: params[name] + move.view_as(params[name])
                    for name, move in zip(names, moves, strict=True)
                }
                losses[i, k] = objective(model, there).item()
    return losses
