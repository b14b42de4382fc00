"""What the runs of a training descend: their losses on one batch of data, and the gradients."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import repeat

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import vmap

from landscape.models.kernels import of_the_package
from landscape.models.protocols import ContextModel
from landscape.models.soundness import cause
from landscape.objectives.batches import FreshBatches
from landscape.objectives.exact import ExactLoss, stacked_tables
from landscape.objectives.population import runs_per_pass
from landscape.objectives.sampled import Batch, SampledLoss


class Descent:
    """The losses of all runs, chains times seeds, in one batched graph.

    On exact data the batch is always the same; on sampled data every call draws a fresh one. Where
    the model runs over sequences, the runs are computed in parts that fit the cache.

    Args:
        model: gives the function.
        objectives: one a chain, all of one kind and shape.
        seeds: of the runs on each chain.
        params: of all runs along a first axis, leaves of the graph.
    """

    def __init__(
        self,
        model: nn.Module,
        objectives: Sequence[ExactLoss | SampledLoss],
        seeds: Sequence[int],
        params: Mapping[str, Tensor],
    ) -> None:
        self.model, self.params, self.objective = model, params, objectives[0]
        exact = [objective for objective in objectives if isinstance(objective, ExactLoss)]
        sampled = [objective for objective in objectives if isinstance(objective, SampledLoss)]
        self.exact, runs = bool(exact), len(objectives) * len(seeds)
        # tables of all contexts are short; whatever runs over sequences is computed in parts
        whole = not sampled and isinstance(model, ContextModel)
        self.together = runs if whole else runs_per_pass(model, objectives[0], params)
        if sampled:
            self._batches = FreshBatches(sampled, seeds).draw
        else:
            weights, joint = stacked_tables(exact)
            tables = (
                weights.repeat_interleave(len(seeds), 0),
                joint.repeat_interleave(len(seeds), 0),
            )
            self._batches = repeat(tables).__next__

    def backward(self) -> Float[np.ndarray, " runs"]:
        """Add to the parameters' gradients those of the losses of one batch, which are returned."""
        batch = self._batches()
        values = []
        with torch.enable_grad():
            for start in range(0, len(batch[0]), self.together):
                runs = slice(start, start + self.together)
                params = {name: value[runs] for name, value in self.params.items()}
                data, law = (part[runs] for part in batch)
                value = self._losses(params, (data, law), fast=True)
                if not value.isfinite().all():  # scores too far apart for a table, or diverged
                    value = self._losses(params, (data, law), fast=False)
                value.sum().backward()
                values.append(value.detach())
        return np.asarray(torch.cat(values).cpu().double().numpy())

    def _losses(
        self, params: Mapping[str, Tensor], batch: Batch, *, fast: bool
    ) -> Float[Tensor, " runs"]:
        objective, model = self.objective, self.model
        if isinstance(objective, ExactLoss):
            one = partial(objective.evaluate, model)
        else:
            one = partial(objective.evaluate, model, table=fast)
        try:
            values: Tensor = vmap(lambda p, d, r: one(p, (d, r)))(params, *batch)
        except RuntimeError as error:
            if of_the_package(model) or "allocate" in str(error):
                raise
            why, hint = cause(model, error)
            raise ValueError(
                f"model={type(model).__name__} cannot be computed for several runs at once: {why}; "
                f"{hint}"
            ) from error
        return values
