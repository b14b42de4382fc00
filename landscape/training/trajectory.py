"""The record of training: what became of the runs on one chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int

from landscape.models.parameters import Params
from landscape.sources import REFERENCES, MarkovSource
from landscape.training.checkpoints import Checkpoints
from landscape.training.outcome import escape_step, levels, outcome

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True)
class Trajectory:
    """What training did to one chain: all its seeds, and the population loss along the way.

    `loss[seed, k]` (nats) is the population loss after times[k] steps; the first time is 0 and the
    last the number of steps. `loss_error` is its standard error, 0 where the loss is exact: the
    loss is a sum over all contexts, or the mean over sequences held out. `params` are the end
    points, stacked along a first axis of seeds. `distance` is the mean KL divergence over contexts,
    in nats, from the final prediction to the unigram's, the bigram's and the best predictor's.
    `checkpoints` holds what was recorded on the way, if that was asked for.
    """

    source: MarkovSource
    seeds: tuple[int, ...]
    times: Int[np.ndarray, " times"]  # steps, ascending
    loss: Float[np.ndarray, "seeds times"]
    loss_error: Float[np.ndarray, "seeds times"]
    params: Params
    distance: Mapping[str, Float[np.ndarray, " seeds"]]
    seconds: float  # wall time of the whole batch this chain was trained in
    length: int  # context length N
    checkpoints: Checkpoints | None = None

    @property
    def steps(self) -> int:
        """Number of optimiser steps."""
        return int(self.times[-1])

    @property
    def bigram_loss(self) -> float:
        """The least loss there is, in nats: H_b for a first-order chain."""
        return levels(self.source, self.length)[0]

    @property
    def unigram_loss(self) -> float:
        """The loss of the unigram predictor in nats: H_u at stationarity."""
        return levels(self.source, self.length)[1]

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Per seed: "bigram", "unigram", "other" or "degenerate"."""
        return tuple(outcome(float(end), self.source, self.length) for end in self.loss[:, -1])

    @property
    def escape_steps(self) -> tuple[int | None, ...]:
        """Per seed: first evaluated step below (H_u + H_b)/2, or None."""
        times, length = self.times.tolist(), self.length
        return tuple(
            escape_step(curve.tolist(), self.source, times=times, length=length)
            for curve in self.loss
        )

    def end(self, run: int) -> Params:
        """Final parameters of one seed, by its position."""
        return {name: value[run] for name, value in self.params.items()}

    def parts(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """All of it but the source, as arrays by name and as plain data, for `of_parts`."""
        arrays: dict[str, Any] = {"times": self.times, "loss": self.loss}
        arrays |= {"loss_error": self.loss_error}
        arrays |= {f"distance/{name}": value for name, value in self.distance.items()}
        arrays |= {f"params/{name}": value for name, value in self.params.items()}
        plain: dict[str, Any] = {"seeds": list(self.seeds), "seconds": self.seconds}
        plain |= {"length": self.length, "parameters": list(self.params), "checkpoints": None}
        if self.checkpoints is not None:
            own, plain["checkpoints"] = self.checkpoints.parts()
            arrays |= {f"checkpoints/{name}": value for name, value in own.items()}
        return arrays, plain

    @classmethod
    def of_parts(
        cls,
        source: MarkovSource,
        arrays: Mapping[str, np.ndarray],
        plain: Mapping[str, Any],
        *,
        device: str | torch.device = "cpu",
    ) -> Trajectory:
        """The record that was taken apart by `parts`, to the same bits.

        Raises KeyError for parts that are missing.
        """
        seeds, recorded = tuple(plain["seeds"]), None
        if plain["checkpoints"] is not None:
            own = {k.partition("/")[2]: v for k, v in arrays.items() if k.startswith("checkpoints")}
            recorded = Checkpoints.of_parts(own, plain["checkpoints"], seeds)
        params = {
            name: torch.tensor(arrays[f"params/{name}"], device=device)
            for name in plain["parameters"]  # in the model's order
        }
        return cls(
            source=source,
            seeds=seeds,
            times=arrays["times"],
            loss=arrays["loss"],
            loss_error=arrays["loss_error"],
            params=params,
            distance={name: arrays[f"distance/{name}"] for name in REFERENCES},
            seconds=plain["seconds"],
            length=plain["length"],
            checkpoints=recorded,
        )

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
                    np.stack([self.distance[k] for k in REFERENCES], axis=1),
                    {"units": "nat", "long_name": "mean KL(prediction || predictor)"},
                ),
                "reference_loss": (
                    "reference",
                    [self.source.loss_of(name, self.length) for name in REFERENCES],
                    {"units": "nat", "long_name": "population loss of the predictor"},
                ),
                "unigram_loss": ((), self.unigram_loss, {"units": "nat"}),
                "bigram_loss": ((), self.bigram_loss, {"units": "nat"}),
            },
            coords={"seed": list(self.seeds), "step": self.times, "reference": list(REFERENCES)},
        )
