"""The population loss of runs in training, whatever data they are trained on."""

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import vmap

from landscape.models.parameters import in_float64, to_dtype
from landscape.objectives.exact import ExactLoss
from landscape.objectives.protocol import LONGEST_EXACT
from landscape.objectives.sampled import SEEDS, SampledLoss
from landscape.sources import REFERENCES

HELD_OUT_SEED = SEEDS - 1
"""Seed, less the length, of the sequences that estimate the population loss: no run has it."""

HELD_OUT_TOKENS, HELD_OUT_LEAST = 2**14, 64
"""Symbols that are held out, in at least so many sequences: at the unigram of the papers' chains
and length 128, a standard error of a hundredth of the gap H_u - H_b."""

ROUNDINGS = 4
"""Roundings of the loss in the runs' dtype that its error accounts for."""

ENTRIES = 2**22
"""Attention scores or relu inputs of one pass over some of the runs: they stay in the cache."""


def population_loss(objective: ExactLoss | SampledLoss) -> ExactLoss | SampledLoss:
    """The exact loss where S^N <= 2^16; for longer contexts, a fixed sample that is held out.

    >>> from landscape import BinaryMarkov
    >>> loss = SampledLoss(BinaryMarkov(0.5, 0.8), 8, batch=4, seed=0)
    >>> type(population_loss(loss)).__name__
    'ExactLoss'
    """
    if isinstance(objective, ExactLoss):
        return objective
    source, length, device = objective.source, objective.length, objective.device
    if source.states**length <= 2**LONGEST_EXACT:
        return ExactLoss(source, length, device=device)
    batch = max(HELD_OUT_LEAST, HELD_OUT_TOKENS // length)
    return SampledLoss(source, length, batch=batch, seed=HELD_OUT_SEED - length, device=device)


def runs_per_pass(
    model: nn.Module, loss: ExactLoss | SampledLoss, params: Mapping[str, Tensor]
) -> int:
    """How many runs to compute at once, so that one pass holds about `ENTRIES` numbers."""
    widest = max(loss.length, *(max(value.shape[1:], default=1) for value in params.values()))
    return max(1, ENTRIES // (loss.rows(model) * widest))


class Population:
    """Population losses and distances of all runs, chains times seeds, stacked in this order.

    Exact losses are computed in float64 also for float32 runs, so that "exactly H_u" can be seen;
    estimated ones (post-stratified by symbol) in the dtype of the runs, whose rounding the error
    accounts for.
    """

    def __init__(
        self, model: nn.Module, objectives: Sequence[ExactLoss | SampledLoss], seeds: int
    ) -> None:
        self.losses = [population_loss(objective) for objective in objectives]
        self.seeds = seeds
        self.exact = isinstance(self.losses[0], ExactLoss)
        double = all(value.dtype == torch.float64 for value in model.parameters())
        exactly = self.exact and not double
        self.model = to_dtype(copy.deepcopy(model), torch.float64) if exactly else model

    def evaluate(
        self, params: Mapping[str, Tensor]
    ) -> tuple[Float[np.ndarray, " runs"], Float[np.ndarray, " runs"]]:
        """The population loss of every run and its standard error, 0 where it is exact."""
        rows = []
        for loss, own in self._by_chain(params):
            if isinstance(loss, ExactLoss):
                values = self._over_runs(loss, loss.__call__, own)
                rows.append(np.stack([values, np.zeros_like(values)]))
            else:
                values = self._over_runs(loss, loss.post_stratified, own)
                mean, spread = values.mean(axis=1), values.std(axis=1, ddof=1)
                rounding = ROUNDINGS * torch.finfo(own[next(iter(own))].dtype).eps * np.abs(mean)
                rows.append(np.stack([mean, np.hypot(spread / loss.batch**0.5, rounding)]))
        value, error = np.concatenate(rows, axis=1)
        return value, error

    def distances(
        self, params: Mapping[str, Tensor]
    ) -> list[dict[str, Float[np.ndarray, " seeds"]]]:
        """Per chain, its runs' mean KL divergence to each of the reference predictors, in nats."""
        return [
            {
                reference: self._over_runs(loss, partial(loss.divergence, reference=reference), own)
                for reference in REFERENCES
            }
            for loss, own in self._by_chain(params)
        ]

    def _by_chain(
        self, params: Mapping[str, Tensor]
    ) -> list[tuple[ExactLoss | SampledLoss, dict[str, Tensor]]]:
        if self.exact:
            params = in_float64(params)
        parts = {name: value.detach().split(self.seeds) for name, value in params.items()}
        return [
            (loss, {name: part[chain] for name, part in parts.items()})
            for chain, loss in enumerate(self.losses)
        ]

    def _over_runs(
        self,
        loss: ExactLoss | SampledLoss,
        quantity: Callable[..., Tensor],
        params: Mapping[str, Tensor],
    ) -> Float[np.ndarray, "..."]:
        """A quantity of every run; sampled ones from a table if that gives a finite answer."""
        fast = {} if isinstance(loss, ExactLoss) else {"table": True}
        together = runs_per_pass(self.model, loss, params)
        with torch.no_grad():
            values = vmap(lambda own: quantity(self.model, own, **fast), chunk_size=together)(
                dict(params)
            )
            if fast and not values.isfinite().all():
                values = vmap(lambda own: quantity(self.model, own), chunk_size=together)(
                    dict(params)
                )
        return np.asarray(values.cpu().double().numpy())
