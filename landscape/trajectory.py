"""The record of training: what became of the runs on one chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from landscape.models.readable import Params
from landscape.outcome import escape_step, outcome
from landscape.sources import MarkovSource

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True)
class Trajectory:
    """What training did to one chain: all its seeds, and the population loss along the way.

    `loss[seed, k]` (nats) is the population loss after times[k] steps; the first time is 0 and the
    last the number of steps. `loss_error` is its standard error, 0 where the loss is exact: the
    loss is a sum over all contexts, or the mean over sequences held out. `params` are the end
    points, stacked along a first axis of seeds. `distance` is the mean KL divergence over contexts,
    in nats, from the final prediction to the bigram's and to the unigram's.
    """

    source: MarkovSource
    seeds: tuple[int, ...]
    times: Int[np.ndarray, " times"]  # steps, ascending
    loss: Float[np.ndarray, "seeds times"]
    loss_error: Float[np.ndarray, "seeds times"]
    params: Params
    distance: Mapping[str, Float[np.ndarray, " seeds"]]
    seconds: float  # wall time of the whole batch this chain was trained in

    @property
    def steps(self) -> int:
        """Number of optimiser steps."""
        return int(self.times[-1])

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Per seed: "bigram", "unigram", "other" or "degenerate"."""
        return tuple(outcome(float(end), self.source) for end in self.loss[:, -1])

    @property
    def escape_steps(self) -> tuple[int | None, ...]:
        """Per seed: first evaluated step below (H_u + H_b)/2, or None."""
        times = self.times.tolist()
        return tuple(escape_step(curve.tolist(), self.source, times=times) for curve in self.loss)

    def end(self, run: int) -> Params:
        """Final parameters of one seed, by its position."""
        return {name: value[run] for name, value in self.params.items()}

    def to_xarray(self) -> xarray.Dataset:
        """Curves, outcomes, escape steps (-1 for none) and distances, by seed and time."""
        import xarray

        escapes = [-1 if step is None else step for step in self.escape_steps]
        return xarray.Dataset(
            {
                "loss": (("seed", "step"), self.loss, {"units": "nat"}),
                "loss_error": (("seed", "step"), self.loss_error, {"units": "nat"}),
                "outcome": ("seed", list(self.outcomes)),
                "escape_step": ("seed", escapes, {"none": -1}),
                "distance": (
                    ("seed", "reference"),
                    np.stack([self.distance[k] for k in ("unigram", "bigram")], axis=1),
                    {"units": "nat"},
                ),
                "unigram_loss": ((), self.source.unigram_entropy, {"units": "nat"}),
                "bigram_loss": ((), self.source.entropy_rate, {"units": "nat"}),
            },
            coords={
                "seed": list(self.seeds),
                "step": self.times,
                "reference": ["unigram", "bigram"],
            },
        )
