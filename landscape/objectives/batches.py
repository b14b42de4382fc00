"""Fresh batches: every run's own stream of sampled data, drawn for all runs at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from landscape.objectives.sampled import Batch, SampledLoss
from landscape.sources import TwoState
from landscape.sources.sampling import binary_paths, uniforms


def stream(data_seed: int, seed: int) -> torch.Generator:
    """The generator of one run's data: it depends on the objective's seed and the run's alone.

    Not the generator of the run's first weights, which would tie the data to them.

    >>> first, other = (torch.rand(2, generator=stream(0, seed)) for seed in (3, 4))
    >>> bool((first == other).any())
    False
    """
    mixed = np.random.SeedSequence([data_seed, seed]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(mixed[0] >> np.uint64(2)))


class FreshBatches:
    """The next batch of every run, chains times seeds in this order, stacked along a first axis.

    Args:
        objectives: one a chain, all of one length, batch and number of symbols; their own tokens
            are not used.
        seeds: of the runs on each chain.

    Raises:
        ValueError: for objectives of different shapes.

    >>> from landscape import BinaryMarkov
    >>> losses = [SampledLoss(BinaryMarkov(0.5, q), 20, batch=3, seed=0) for q in (0.3, 0.8)]
    >>> tokens, law = FreshBatches(losses, seeds=[0, 1]).draw()
    >>> tokens.shape, law.shape
    (torch.Size([4, 3, 20]), torch.Size([4, 3, 20, 2]))
    """

    def __init__(self, objectives: Sequence[SampledLoss], seeds: Sequence[int]) -> None:
        shapes = {(o.length, o.states, o.batch, o.device) for o in objectives}
        if len(shapes) != 1:
            raise ValueError(
                f"objectives of different (length, states, batch, device) "
                f"{sorted(map(str, shapes))} cannot be drawn together; train each shape in its own "
                f"call"
            )
        self.objectives = list(objectives)
        self.seeds = len(seeds)
        self.runs = [(o, stream(o.seed, seed)) for o in objectives for seed in seeds]
        chains = [o.source for o, _ in self.runs]
        self._laws: tuple[Tensor, Tensor] | None = None
        if all(isinstance(chain, TwoState) for chain in chains):
            kernels = [chain.next_law(1) for chain in chains]
            ones = [chain.stationary[1] for chain in chains]
            self._laws = torch.tensor(np.array(kernels)), torch.tensor(ones, dtype=torch.float64)

    def tokens(self) -> Int[Tensor, "runs B N"]:
        """The next sequences of every run; each run's are what its source draws from its stream."""
        batch, length = self.objectives[0].batch, self.objectives[0].length
        if self._laws is None:
            return torch.stack([o.source.sample(batch, length, own) for o, own in self.runs])
        u = torch.stack([uniforms(batch, length, own) for _, own in self.runs])
        return binary_paths(u, *self._laws)

    def draw(self) -> Batch:
        """The next batch of every run, as `SampledLoss.evaluate` takes it under `vmap`."""
        tokens = self.tokens().to(self.objectives[0].device).split(self.seeds)
        batches = [o.batch_of(own) for o, own in zip(self.objectives, tokens, strict=True)]
        data, law = zip(*batches, strict=True)
        return torch.cat(data), torch.cat(law)
