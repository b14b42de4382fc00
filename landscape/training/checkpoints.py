"""Checkpoints taken of runs in training, without touching them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from landscape.objectives.population import Population
from landscape.objectives.protocol import check_states
from landscape.training.context_means import (
    attention_shape,
    context_means,
    rank_one_energy,
    weighted_contexts,
)

if TYPE_CHECKING:
    import xarray

LARGEST = 2**27
"""Most numbers in one quantity of a record, half a gigabyte."""


def checkpoint_times(steps: int, checkpoints: int | None) -> Int[np.ndarray, " K"]:
    """The steps nearest to so many evenly spaced ones, each once; none for None.

    Step 0 and the last are among them; more checkpoints than steps are every step.

    Raises:
        ValueError: for less than two.

    >>> checkpoint_times(100, 4).tolist(), checkpoint_times(2, 9).tolist()
    ([0, 33, 67, 100], [0, 1, 2])
    """
    if checkpoints is None:
        return np.array([], dtype=np.int64)
    if checkpoints < 2:
        raise ValueError(
            f"checkpoints={checkpoints} is out of range; give an integer of at least 2, for the "
            "start and the end, or None for no checkpoints"
        )
    even = np.linspace(0, steps, min(checkpoints, steps + 1))
    return np.unique(np.rint(even).astype(np.int64))


def check_size(checkpoints: int, seeds: int, shapes: Mapping[str, Sequence[int]]) -> None:
    """Refuse a record of which one quantity, of such a shape for each run, is beyond 2^27 numbers.

    >>> check_size(20, 5, {"attention": (8, 1, 1024, 1024)})
    Traceback (most recent call last):
        ...
    ValueError: checkpoints=20 of 5 seeds hold 20 x 5 x 8 x 1 x 1024 x 1024 = 8.39e+08 numbers of
    attention, more than 1.34e+08; give at most 3 checkpoints, fewer seeds or shorter contexts
    """
    for name, shape in shapes.items():
        each = seeds * math.prod(shape)
        if checkpoints * each > LARGEST:
            product = " x ".join(map(str, (checkpoints, seeds, *shape)))
            fit = LARGEST // each
            raise ValueError(
                f"checkpoints={checkpoints} of {seeds} seeds hold {product} = "
                f"{checkpoints * each:.3g} numbers of {name}, more than {LARGEST:.3g}; give "
                f"{f'at most {fit}' if fit > 1 else 'no'} checkpoints, fewer seeds or shorter "
                "contexts"
            )


class Recorder:
    """Takes `Checkpoints` of all runs, chains times seeds, at given steps.

    The runs notice nothing: they are read without a graph, and no random number is drawn. A
    checkpoint of a run costs its loss, its distances, and two passes over the full sequences: up to
    2^16 of them where contexts are enumerated, which take seconds at 2^16.

    Args:
        population: of the runs; gives the model, its losses and the contexts.
        seeds: of the runs on each chain.
        times: the steps to record, ascending; none records nothing and costs nothing.

    Raises:
        ValueError: if one quantity of a record would take more than 2^27 numbers, or the model
            predicts another number of symbols than the sources have.
    """

    def __init__(
        self, population: Population, seeds: Sequence[int], times: Int[np.ndarray, " K"]
    ) -> None:
        self.times = times
        self._population, self._seeds = population, tuple(seeds)
        self._rows: list[list[dict[str, np.ndarray]]] = [[] for _ in population.losses]
        self._names: dict[str, tuple[str, ...]] = {}
        if not len(times):
            return
        model, first = population.model, population.losses[0]
        check_states(model, first.states)
        self._contexts = [weighted_contexts(loss) for loss in population.losses]
        shapes = {
            "probability": (first.length, first.states, first.states),
            "attention": attention_shape(model, self._contexts[0][0]) or (0,),
        }
        check_size(len(times), len(seeds), shapes)

    def at(self, step: int, params: Mapping[str, Tensor]) -> None:
        """Record the runs if this is one of the steps; `params` stack them, chain after chain."""
        if step not in self.times:
            return
        ends = {name: value.detach() for name, value in params.items()}
        loss, error = self._population.evaluate(ends)
        distances = self._population.distances(ends)
        matrices = {name: value for name, value in ends.items() if _is_matrix(value)}
        self._names = {"references": tuple(distances[0]), "matrices": tuple(matrices)}
        energies = _numbers(
            torch.stack([rank_one_energy(value) for value in matrices.values()], dim=-1)
            if matrices
            else torch.zeros(len(loss), 0)
        )
        for chain, rows in enumerate(self._rows):
            mine = slice(chain * len(self._seeds), (chain + 1) * len(self._seeds))
            rows.append(
                {
                    "loss": loss[mine],
                    "loss_error": error[mine],
                    "distance": np.stack(list(distances[chain].values()), axis=-1),
                    "rank_one": energies[mine],
                    **self._means(chain, {name: value[mine] for name, value in ends.items()}),
                }
            )

    def records(self) -> tuple[Checkpoints | None, ...]:
        """What was recorded, one a chain."""
        if not len(self.times):
            return (None,) * len(self._rows)
        return tuple(self._record(chain) for chain in range(len(self._rows)))

    def _record(self, chain: int) -> Checkpoints:
        rows = self._rows[chain]
        stacked = {name: np.stack([row[name] for row in rows], axis=1) for name in rows[0]}
        return Checkpoints(
            seeds=self._seeds,
            times=self.times,
            loss=stacked["loss"],
            loss_error=stacked["loss_error"],
            references=self._names["references"],
            distance=stacked["distance"],
            probability=stacked["probability"],
            matrices=self._names["matrices"],
            rank_one=stacked["rank_one"],
            attention_share=stacked.get("attention_share"),
            attention=stacked.get("attention"),
            contexts=len(self._contexts[chain][0]),
        )

    def _means(self, chain: int, own: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
        if self._population.exact:
            own = {name: value.double() for name, value in own.items()}
        means = context_means(self._population.model, own, self._contexts[chain])
        large = ("probability", "attention")
        return {
            name: _numbers(value.float() if name in large else value)
            for name, value in means.items()
        }


def _is_matrix(value: Tensor) -> bool:
    """Whether a parameter, stacked over runs, is a matrix that can have more than rank one."""
    return value.ndim == 3 and min(value.shape[1:]) > 1


def _numbers(value: Tensor) -> Float[np.ndarray, "..."]:
    return np.asarray(value.cpu().numpy())


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

    def parts(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """All but the seeds, as arrays by name and as plain data, for `of_parts`."""
        own = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "seeds"}
        arrays = {name: value for name, value in own.items() if isinstance(value, np.ndarray)}
        return arrays, {name: value for name, value in own.items() if name not in arrays}

    @classmethod
    def of_parts(
        cls, arrays: Mapping[str, np.ndarray], plain: Mapping[str, Any], seeds: tuple[int, ...]
    ) -> Checkpoints:
        """The record that was taken apart by `parts`; raises TypeError for parts that are missing.

        >>> one = Checkpoints(
        ...     (0,), np.array([0]), *[np.zeros((1, 1))] * 2, ("unigram",), np.zeros((1, 1, 1)),
        ...     np.zeros((1, 1, 1, 2, 2)), (), np.zeros((1, 1, 0)), None, None, 4,
        ... )
        >>> Checkpoints.of_parts(*one.parts(), one.seeds).references
        ('unigram',)
        """
        own: dict[str, Any] = {**arrays, **plain}
        names = {key: tuple(own[key]) for key in ("references", "matrices")}
        return cls(seeds=seeds, **{**own, **names})

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
