"""Training on the exact or on sampled data, many runs of one shape in one batched graph."""

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from landscape.models.initial import standard
from landscape.models.parameters import split
from landscape.objectives.exact import ExactLoss
from landscape.objectives.population import Population
from landscape.objectives.sampled import SampledLoss
from landscape.training.checkpoints import Recorder, checkpoint_times
from landscape.training.descent import Descent
from landscape.training.optimizers import optimizer_for
from landscape.training.recipe import EVALUATE_EVERY, Recipe, learning_rate
from landscape.training.trajectory import Trajectory

SEEDS = (0, 1, 2, 3)

Initial = Callable[[int], Mapping[str, Tensor]]
Progress = Callable[[int, int, float], None]


def evaluated(steps: int, every: int) -> Int[np.ndarray, " times"]:
    """The steps at which the population loss is known: the start, every so many, and the end.

    >>> evaluated(25, 10).tolist()
    [0, 10, 20, 25]
    """
    return np.unique([*range(0, steps, every), steps])


def _every(objectives: Sequence[ExactLoss | SampledLoss], steps: int, every: int | None) -> int:
    """The interval between evaluations, after the refusal of what cannot be trained."""
    if steps < 0:
        raise ValueError(f"steps={steps} is negative; give an integer of at least 0")
    if len({type(objective) for objective in objectives}) != 1:
        raise ValueError("objectives of both kinds, exact and sampled; train each in its own call")
    if isinstance(objectives[0], ExactLoss):
        if every is not None:
            raise ValueError(
                f"evaluate_every={every} belongs to sampled data: the exact loss is known at every "
                "step; leave it out"
            )
        return 1
    every = EVALUATE_EVERY if every is None else every
    if every < 1:
        raise ValueError(f"evaluate_every={every} is out of range; give an integer of at least 1")
    return every


def train_together(
    model: nn.Module,
    objectives: Sequence[ExactLoss | SampledLoss],
    recipe: Recipe | None = None,
    *,
    seeds: Sequence[int] = SEEDS,
    initial: Initial | None = None,
    progress: Progress | None = None,
) -> tuple[Trajectory, ...]:
    """Train every seed on every chain in one batched graph; one `Trajectory` a chain.

    Runs share no parameters and no arithmetic but the batched kernels, so each equals the run
    trained alone up to rounding. A frozen parameter of the model (`requires_grad=False`) stays what
    it is, the same in all runs unless `initial` lists it.

    On an `ExactLoss` the gradient is that of the population loss, which is recorded at every step.
    On a `SampledLoss` each run draws a fresh batch for every step, of the objective's size and from
    a stream of its own (`landscape.objectives.batches`), and the population loss is evaluated on
    the way (`landscape.objectives.population`).

    Args:
        model: gives shapes, dtype and device; it is not changed.
        objectives: one loss per chain, all of one kind and shape.
        recipe: how they descend, by default as `Recipe` says.
        seeds: one run per seed and chain.
        initial: seed -> parameters; the standard initialisation by default.
        progress: called as progress(step, steps, mean training loss) after every step.

    Raises:
        ValueError: for no seed, objectives of different kinds or shapes, negative steps,
            evaluations less than a step apart or of exact data, fewer than two checkpoints or more
            than memory should hold, a model whose every parameter is frozen, and as `optimizer_for`
            does.
    """
    if not seeds or not objectives:
        raise ValueError(
            f"seeds={seeds!r}, objectives={len(objectives)}: give at least one of each"
        )
    recipe = recipe or Recipe()
    steps = recipe.steps
    times = evaluated(steps, _every(objectives, steps, recipe.evaluate_every))
    begin = time.perf_counter()
    starts = [(initial or (lambda seed: standard(model, seed)))(seed) for seed in seeds]
    moving, _ = split(model, starts[0])
    params = {
        name: torch.stack([start[name].detach() for start in starts] * len(objectives))
        .clone()
        .requires_grad_(name in moving)
        for name in starts[0]
    }
    update = optimizer_for(model, {name: params[name] for name in moving}, recipe)
    descent = Descent(model, objectives, seeds, params)
    population = Population(model, objectives, len(seeds))
    recorder = Recorder(population, seeds, checkpoint_times(steps, recipe.checkpoints))
    known: list[tuple[Float[np.ndarray, " runs"], Float[np.ndarray, " runs"]]] = []
    for step in range(steps):
        if not descent.exact and step in times:
            known.append(population.evaluate(params))
        recorder.at(step, params)
        for group in update.param_groups:
            group["lr"] = learning_rate(recipe.schedule, step, steps, recipe.lr)
        update.zero_grad()
        values = descent.backward()
        update.step()
        if descent.exact:
            known.append((values, np.zeros_like(values)))
        if progress is not None:
            progress(step + 1, steps, float(values.mean()))
    known.append(population.evaluate(params))
    recorder.at(steps, params)
    loss, error = np.stack(known, axis=-1)
    ends = {name: value.detach() for name, value in params.items()}
    distances = population.distances(ends)
    recorded = recorder.records()
    seconds = time.perf_counter() - begin

    trajectories = []
    for chain, objective in enumerate(objectives):
        mine = slice(chain * len(seeds), (chain + 1) * len(seeds))
        own = {name: value[mine] for name, value in ends.items()}
        trajectories.append(
            Trajectory(
                objective.source, tuple(seeds), times, loss[mine], error[mine], own,
                distances[chain], seconds, objective.length, checkpoints=recorded[chain],
            )
        )  # fmt: skip
    return tuple(trajectories)


def train(
    model: nn.Module,
    objective: ExactLoss | SampledLoss,
    *,
    steps: int = Recipe.steps,
    seeds: Sequence[int] = SEEDS,
    optimizer: str = Recipe.optimizer,
    lr: float = Recipe.lr,
    schedule: str = Recipe.schedule,
    momentum: float | None = Recipe.momentum,
    weight_decay: float = Recipe.weight_decay,
    evaluate_every: int | None = Recipe.evaluate_every,
    checkpoints: int | None = Recipe.checkpoints,
    initial: Initial | None = None,
    progress: Progress | None = None,
) -> Trajectory:
    """Train one chain from several seeds: `train_together` for one objective.

    `landscape.training.recipe.Recipe` says what the settings mean, `train_together` what the rest
    does and what is refused.

    >>> from landscape import BinaryMarkov, ExactLoss, SingleLayer
    >>> loss = ExactLoss(BinaryMarkov(0.2, 0.3), length=4)
    >>> model = SingleLayer(width=4, length=4)
    >>> train(model, loss, steps=300, seeds=[0], lr=1e-2).outcomes
    ('bigram',)
    """
    recipe = Recipe(
        steps=steps,
        optimizer=optimizer,
        lr=lr,
        schedule=schedule,
        momentum=momentum,
        weight_decay=weight_decay,
        evaluate_every=evaluate_every,
        checkpoints=checkpoints,
    )
    (trajectory,) = train_together(
        model, [objective], recipe, seeds=seeds, initial=initial, progress=progress
    )
    return trajectory
