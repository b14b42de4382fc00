"""The record of checkpoints: what the runs on one chain were like in the course of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True)
class Checkpoints:
    """What all seeds on one chain were like at some steps of their training, seed x checkpoint.

    Means over contexts are over `contexts` sequences of length N: all S^N of them, weighted by
    their probability, where the population loss is exact; otherwise sequences that are held out.

    `loss` and `loss_error` are the population loss and its standard error, 0 where it is exact, and
    `distance` the mean KL divergence from the model's prediction to each of the references.
    `probability[..., n, s, t]` is the mean predicted law of the next symbol after the symbol s at
    the n-th position, ``E[softmax(l_n)_t | x_n = s]``; NaN where no context has s there.
    `rank_one` is the share ``sigma_1^2 / sum_i sigma_i^2`` of the largest singular value in each
    matrix among the parameters; NaN for a matrix of zeros. With u_n the residual stream and a_n
    what the attention of a layer adds to it, `attention_share` is
    ``sum_n E|a_n| / sum_n (E|u_n| + E|a_n|)`` in Euclidean norms; NaN where both vanish.
    `attention[..., l, h, n, i]` is the mean weight that head h of layer l gives to position i from
    position n. The last two are None for a model that does not show its attention (`Observable`).

    `probability` and `attention` are rounded to float32, for their size; nothing else is.
    """

    seeds: tuple[int, ...]
    times: Int[np.ndarray, " K"]  # steps, ascending; from 0 to the last
    loss: Float[np.ndarray, "seeds K"]  # nats
    loss_error: Float[np.ndarray, "seeds K"]  # nats
    references: tuple[str, ...]
    distance: Float[np.ndarray, "seeds K reference"]  # nats
    probability: Float[np.ndarray, "seeds K N S S"]
    matrices: tuple[str, ...]
    rank_one: Float[np.ndarray, "seeds K matrix"]
    attention_share: Float[np.ndarray, "seeds K L"] | None
    attention: Float[np.ndarray, "seeds K L H N N"] | None
    contexts: int

    def to_xarray(self) -> xarray.Dataset:
        """Every quantity by its axes; positions, layers and heads count from 1.

        Without what the model does not have: a matrix among its parameters, or attention.
        """
        import xarray

        positions = np.arange(1, self.probability.shape[2] + 1)
        symbols = np.arange(self.probability.shape[3])
        runs = ("seed", "checkpoint")
        data: dict[str, Any] = {
            "loss": (runs, self.loss, {"units": "nat"}),
            "loss_error": (runs, self.loss_error, {"units": "nat"}),
            "distance": ((*runs, "reference"), self.distance, {"units": "nat"}),
            "probability": ((*runs, "position", "last", "next"), self.probability, {"units": "1"}),
        }
        coordinates: dict[str, Any] = {
            "seed": list(self.seeds),
            "step": ("checkpoint", self.times, {"units": "step"}),
            "reference": list(self.references),
            "position": positions,
            "last": symbols,
            "next": symbols,
        }
        if self.matrices:
            data["rank_one"] = ((*runs, "matrix"), self.rank_one, {"units": "1"})
            coordinates["matrix"] = list(self.matrices)
        if self.attention is not None and self.attention_share is not None:
            _, _, layers, heads, _, _ = self.attention.shape
            shares = (*runs, "layer"), self.attention_share, {"units": "1"}
            weights = (*runs, "layer", "head", "query", "key"), self.attention, {"units": "1"}
            data |= {"attention_share": shares, "attention": weights}
            coordinates |= {"layer": np.arange(1, layers + 1), "head": np.arange(1, heads + 1)}
            coordinates |= {"query": positions, "key": positions}
        return xarray.Dataset(data, coordinates, {"contexts": self.contexts})
