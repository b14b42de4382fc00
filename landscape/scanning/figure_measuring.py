"""What figures need measured and no scan holds: five records, each by a function of its own."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
import xarray
from torch import Tensor

from landscape.comparison.spectra import compare
from landscape.models import ReducedModel, SingleLayer
from landscape.models.ansatz import ansatz, best_bias
from landscape.models.initial import gaussian
from landscape.objectives.exact import ExactLoss
from landscape.points.bigram import bigram_point
from landscape.points.unigram import unigram_point
from landscape.slices.reduced_plane import coordinate_slice
from landscape.sources import BinaryMarkov
from landscape.spectra.spectrum import hessian_spectrum
from landscape.sublevel.escape import escape_radius
from landscape.sublevel.escape_on_ansatz import escape_along_ansatz
from landscape.sublevel.valley import valley_path
from landscape.training.loop import train


def spectra(
    *, p: float, q: float, width: int, length: int, deviation: float, seed: int
) -> xarray.Dataset:
    """The spectra of the tied single layer, all D eigenvalues ascending, in nats.

    At the unigram point the weights that are free there are normal with this standard deviation; at
    the bigram point, on the rank-one ansatz, query and key are.

    Returns `measured` and `predicted` [point, index], and `zero_bound`, `max_error` and the
    verdict [point].

    >>> found = spectra(p=0.5, q=0.8, width=2, length=3, deviation=0.3, seed=0)
    >>> found["verdict"].values.tolist(), bool(found["max_error"].max() < 1e-13)
    (['verified', 'verified'], True)
    """
    source = BinaryMarkov(str(p), str(q))
    model, objective = SingleLayer(width=width, length=length), ExactLoss(source, length)
    free = gaussian(model, deviation, seed)
    rows: dict[str, list[Any]] = {
        name: [] for name in ("measured", "predicted", "zero_bound", "max_error", "verdict")
    }
    kinds = ("unigram", "bigram")
    for make in (unigram_point, bigram_point):
        point = make(model, objective, free=free)
        spectrum = hessian_spectrum(model, objective, point.params)
        report = compare(model, objective, point, spectrum)
        if report.predicted is None:
            raise ValueError(f"there is no prediction at the {point.kind} point: {report.verdict}")
        rows["measured"].append(spectrum.eigenvalues)
        rows["predicted"].append(report.predicted.full())
        rows["zero_bound"].append(spectrum.zero_bound)
        rows["max_error"].append(report.max_error)
        rows["verdict"].append(report.verdict)
    both, each = ("point", "index"), ("point",)
    variables = {
        name: (both if name in ("measured", "predicted") else each, values)
        for name, values in rows.items()
    }
    return xarray.Dataset(variables, coords={"point": list(kinds)})


def valley(
    *, p: float, q: float, width: int, length: int, deviation: float, seed: int
) -> xarray.Dataset:
    """`landscape.sublevel.valley.valley_path` of the tied single layer from a unigram with drawn
    weights.

    The corners' parameters are left out.

    >>> found = valley(p=0.5, q=0.8, width=2, length=3, deviation=0.1, seed=0)
    >>> bool(found.attrs["barrier"] < 1e-14), float(found["lowest"][0] > 0)
    (True, 1.0)
    """
    model, objective = (
        SingleLayer(width=width, length=length),
        ExactLoss(BinaryMarkov(str(p), str(q)), length),
    )
    start = unigram_point(model, objective, free=gaussian(model, deviation, seed))
    path = valley_path(model, objective, start)
    return path.to_xarray().drop_vars(["corners", "coordinate"])


REACH = (-1.25, 0.75)
"""The values of w that are measured span this."""


def escape(
    *, p: float, q: float, points: int, width: int, length: int, steps: int
) -> xarray.Dataset:
    """How near a lower loss was found: `radius` [w] of the reduced model, and of the full one.

    `searched` [w] is the largest ball in which descent found nothing. The attributes `full` and
    `ansatz` are those of the tied single layer from all weights 0, over all directions and along
    the rank-one ansatz.

    >>> found = escape(p=0.5, q=0.8, points=2, width=2, length=2, steps=30)
    >>> bool(abs(found["radius"][1] - 0.75 - 0.5**0.5) < 0.01), bool(found["radius"][0] < 0.01)
    (True, True)
    """
    source = BinaryMarkov(str(p), str(q))
    reduced, short = ReducedModel(), ExactLoss(source, 1)
    places = np.linspace(*REACH, points)
    found = []
    for w in places:
        weights = {"feedforward": torch.tensor(w, dtype=torch.float64)}
        point = unigram_point(reduced, short, free=weights)
        found.append(escape_radius(reduced, short, point, steps=steps, first=2.0**-9))
    model, objective = SingleLayer(width=width, length=length), ExactLoss(source, length)
    zero = {name: torch.zeros_like(value) for name, value in model.named_parameters()}
    origin = unigram_point(model, objective, free=zero)
    return xarray.Dataset(
        {
            "radius": ("w", [each.radius for each in found]),
            "searched": ("w", [each.searched for each in found]),
        },
        coords={"w": places},
        attrs={
            "full": escape_radius(model, objective, origin, steps=steps).radius,
            "ansatz": escape_along_ansatz(model, objective, origin).radius,
        },
    )


RADIUS = 2.5
"""Of the square around the unigram point with w = 0, in e and in w."""


def surface(
    *, chains: Sequence[Sequence[float]], width: int, length: int, resolution: int
) -> xarray.Dataset:
    """The exact loss `loss` [chain, e, w] of the tied single layer, in nats, on each (p, q).

    >>> found = surface(chains=[[0.5, 0.8]], width=2, length=2, resolution=5)
    >>> found["loss"].shape, round(float(found["loss"][0, 2, 2]), 5)
    ((1, 5, 5), 0.66628)
    """
    model, rows = SingleLayer(width=width, length=length), []
    for p, q in chains:
        objective = ExactLoss(BinaryMarkov(str(p), str(q)), length)
        with torch.no_grad():
            point = unigram_point(model, objective, free=ansatz(model, 0.0, 0.0, 0.0))
        found = coordinate_slice(
            model,
            objective,
            point.params,
            axes=("e", "w"),
            bias="best",
            resolution=resolution,
            radius=RADIUS,
        )
        rows.append(found.loss)
    return xarray.Dataset(
        {"loss": (("chain", "e", "w"), rows, {"units": "nat"})},
        coords={
            "e": found.alpha,
            "w": found.beta,
            "p": ("chain", [p for p, _ in chains]),
            "q": ("chain", [q for _, q in chains]),
        },
    )


EXTENT = 1.8
"""The starts are uniform in [-EXTENT, EXTENT] in w and in e."""


def basins(
    *, chains: Sequence[float], runs: int, steps: int, lr: float, seed: int
) -> xarray.Dataset:
    """Gradient descent on the exact loss from uniform starts, on each chain p = q.

    The bias starts at its best value for (e, w) and is trained too. Returns `start` and `end`
    [chain, run, coordinate] in (e, w, b) and `outcome` [chain, run], judged from the loss at the
    end.

    >>> found = basins(chains=[0.9], runs=4, steps=20, lr=1e-2, seed=0)
    >>> found["start"].shape, bool(abs(found["start"]).max() < 20)
    ((1, 4, 3), True)
    """
    model = ReducedModel()
    starts = np.random.default_rng(seed).uniform(-EXTENT, EXTENT, (runs, 2))
    e, w = torch.from_numpy(starts).T
    begin, end, outcome = [], [], []
    for chance in chains:
        source = BinaryMarkov(str(chance), str(chance))
        b = best_bias(source, e, w, mirror=False)
        first = {"embedding": e, "feedforward": w, "bias": b}
        trajectory = train(
            model,
            ExactLoss(source, 1),
            steps=steps,
            seeds=range(runs),
            optimizer="sgd",
            momentum=0.0,
            lr=lr,
            schedule="constant",
            weight_decay=0.0,
            initial=partial(_start, first),
        )
        last = [trajectory.params[name] for name in first]
        begin.append(torch.stack([*first.values()], dim=-1).numpy())
        end.append(torch.stack(last, dim=-1).detach().numpy())
        outcome.append(list(trajectory.outcomes))
    each = ("chain", "run", "coordinate")
    return xarray.Dataset(
        {"start": (each, begin), "end": (each, end), "outcome": (each[:2], outcome)},
        coords={"chain": list(chains), "coordinate": ["e", "w", "b"]},
    )


def _start(first: Mapping[str, Tensor], run: int) -> dict[str, Tensor]:
    return {name: value[run] for name, value in first.items()}


MEASURED: dict[str, Callable[..., xarray.Dataset]] = {
    "spectra": spectra,
    "valley": valley,
    "escape": escape,
    "surface": surface,
    "basins": basins,
}
"""What measures each record, by its name."""
