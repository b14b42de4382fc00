"""What is compared: each pair is our routine and the naive way of doing the same thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from landscape import BinaryMarkov, ExactLoss, SingleLayer, hessian_spectrum, unigram_point
from landscape.curvature import gradient
from landscape.models.initial import gaussian
from landscape.models.readable import parameters_of
from landscape.objective import enumerated_context_logits
from landscape.training import train_together
from theory.spectra import single_layer_representation, unigram_spectrum


@dataclass(frozen=True)
class Pair:
    """Two ways to the same result. A call of ours does `units` times the work of a naive one."""

    name: str
    ours: Callable[[], object]
    naive: Callable[[], object]
    units: int = 1


class Enumerated(ExactLoss):
    """The exact loss without score tables: the plain forward pass over all S^N sequences."""

    def context_logits(self, model, params):  # type: ignore[no-untyped-def]  # as ExactLoss's
        """Logits after every context, by enumeration."""
        return enumerated_context_logits(model, params, self.states, self.length)


def sampled_step_by_step(
    p: float, q: float, batch: int, length: int, generator: torch.Generator
) -> torch.Tensor:
    """The chain as the field samples it: one multinomial draw a step."""
    kernel = torch.tensor([[1 - p, p], [q, 1 - q]])
    state = torch.multinomial(torch.tensor([q, p]) / (p + q), batch, True, generator=generator)
    path = [state]
    for _ in range(length - 1):
        state = torch.multinomial(kernel[state], 1, generator=generator)[:, 0]
        path.append(state)
    return torch.stack(path, dim=1)


def pairs() -> list[Pair]:
    """All of them, smallest first."""
    chain = BinaryMarkov(0.5, 0.8)
    generator = torch.Generator().manual_seed(0)
    found = [
        Pair(
            "sampler, 16 x 1024, against a loop over steps",
            lambda: chain.sample(16, 1024, generator),
            lambda: sampled_step_by_step(0.5, 0.8, 16, 1024, generator),
        )
    ]
    for length in (8, 10, 12):
        model = SingleLayer(width=8, length=length)
        params = gaussian(model, 0.3, 0)
        exact, plain = ExactLoss(chain, length), Enumerated(chain, length)
        found.append(
            Pair(
                f"exact loss and gradient, d=8, N={length}, against enumeration",
                partial(gradient, exact, model, params),
                partial(gradient, plain, model, params),
            )
        )
    small = SingleLayer(width=4, length=8)
    losses = [ExactLoss(BinaryMarkov(0.1 + 0.05 * k, 0.3), 8) for k in range(16)]
    found.append(
        Pair(
            "64 runs trained together, d=4, N=8, against one by one, per run of 10 steps",
            lambda: train_together(small, losses, steps=10, seeds=range(4)),
            lambda: train_together(small, losses[:1], steps=10, seeds=[0]),
            units=64,
        )
    )
    model, loss = SingleLayer(width=8, length=10), ExactLoss(chain, 10)
    point = unigram_point(model, loss, free=gaussian(model, 0.5, 0))
    weights = {name: value.numpy() for name, value in point.params.items()}
    parameters = sum(value.numel() for value in parameters_of(model).values())
    found.append(
        Pair(
            "unigram spectrum, d=8, N=10, predicted against measured dense",
            lambda: unigram_spectrum(
                *single_layer_representation(weights),
                p=chain.p,
                q=chain.q,
                tying="tied",
                parameters=parameters,
            ),
            lambda: hessian_spectrum(model, loss, point.params),
        )
    )
    return found


def agree() -> None:
    """Refuse to time two things that are not the same: the losses of both ways must coincide."""
    chain, model = BinaryMarkov(0.5, 0.8), SingleLayer(width=8, length=8)
    params = gaussian(model, 0.3, 0)
    ours, naive = ExactLoss(chain, 8)(model, params), Enumerated(chain, 8)(model, params)
    if abs(float(ours - naive)) > 1e-13:
        raise RuntimeError(f"the exact losses differ: {float(ours)} and {float(naive)}")
