"""Checkpoints taken of runs in training, without touching them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from landscape.checkpoints import Checkpoints
from landscape.context_means import context_means, weighted_contexts
from landscape.objective import check_states
from landscape.observables import attention_shape, rank_one_energy
from landscape.population import Population

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
