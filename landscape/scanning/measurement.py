"""Everything that is measured in one cell, as labelled arrays and as a few scalars."""

from collections import defaultdict
from dataclasses import dataclass
from threading import Lock
from typing import Any

import torch
import xarray
from torch import nn

from landscape.comparison.checks import Report
from landscape.comparison.spectra import compare, predict
from landscape.config.build import model_of, objective_of
from landscape.config.canonical import canonical
from landscape.config.cell import CellConfig
from landscape.models.initial import free_weights
from landscape.models.parameters import Params, in_float64
from landscape.models.protocols import OnAnsatz
from landscape.objectives.exact import ExactLoss
from landscape.points.bigram import bigram_point
from landscape.points.critical_point import CriticalPoint, measured_point
from landscape.points.refinement import refine
from landscape.points.unigram import unigram_point
from landscape.scanning.survival import pooled_curve, runs_of
from landscape.slices.directions import drawn_directions
from landscape.slices.plane import loss_slice
from landscape.spectra.kinks import at_kink, preactivations
from landscape.spectra.spectrum import Spectrum, hessian_spectrum
from landscape.training.trajectory import Trajectory


@dataclass(frozen=True)
class Measured:
    """One point: its spectrum beside the prediction, as datasets by group and as scalars."""

    groups: dict[str, xarray.Dataset]
    scalars: dict[str, Any]
    weights: Params


def point_of(cell: CellConfig, kind: str, model: nn.Module, objective: ExactLoss) -> CriticalPoint:
    """The constructed point of a cell, its free weights as the cell says."""
    free = free_weights(model, cell.spread, cell.train.seed)
    build = unigram_point if kind == "unigram" else bigram_point
    return build(model, objective, free=free)


def weights_of(cell: CellConfig, kind: str, model: nn.Module) -> str:
    """At which weights a point of the cell lies, in words; a trained point chose its own."""
    if kind == "trained" or (kind == "bigram" and not isinstance(model, OnAnsatz)):
        return "those where training ended"
    return cell.weights


def summary(spectrum: Spectrum, report: Report) -> dict[str, Any]:
    """The scalars of a measured spectrum and of its comparison."""
    return {
        "loss": spectrum.loss,
        "gradient_norm": spectrum.gradient_norm,
        "inertia": None if spectrum.kink else list(spectrum.inertia),
        "predicted_inertia": None if report.predicted is None else list(report.predicted.inertia),
        "lowest": spectrum.eigenvalues[0].item(),
        "highest": spectrum.eigenvalues[-1].item(),
        "zero_bound": spectrum.zero_bound,
        "gap": list(spectrum.gap),
        "narrow_gap": spectrum.narrow and not spectrum.kink,
        "max_error": report.max_error,
        "min_preactivation": spectrum.min_preactivation,
        "one_sided": [[side.minus, side.plus] for side in spectrum.one_sided],
        "classification": report.classification,
        "verdict": report.verdict,
        "why": report.reason,
    }


ABSENT = (
    "loss", "gradient_norm", "inertia", "predicted_inertia", "lowest", "highest", "zero_bound",
    "max_error", "min_preactivation",
)  # fmt: skip
"""The scalars that a point which could not be constructed does not have."""


def measure_point(cell: CellConfig, kind: str, device: str) -> Measured:
    """Spectrum, prediction and slice at the unigram or bigram point; no seed enters.

    A model may have no such point, or none that can be found: then the scalars say why.
    """
    model = model_of(cell, device, dtype=torch.float64)
    objective = objective_of(cell, device)
    try:
        point = point_of(cell, kind, model, objective)
    except ValueError as error:
        why = {"classification": "not found", "verdict": "not-applicable", "reason": str(error)}
        return Measured({}, {**dict.fromkeys(ABSENT), "one_sided": [], **why}, {})
    spectrum = hessian_spectrum(model, objective, point.params)
    report = compare(model, objective, point, spectrum)
    groups = {
        f"/points/{kind}": point.to_xarray(),
        f"/spectrum/{kind}": spectrum.to_xarray(),
        f"/theory/{kind}": report.to_xarray(),
    }
    scalars = {**summary(spectrum, report), "weights": weights_of(cell, kind, model)}
    if cell.measure.slice is not None:
        setting, seed = cell.measure.slice, cell.train.seed
        directions, names = drawn_directions(setting.directions, spectrum, point.params, seed=seed)
        plane = loss_slice(
            model, objective, point.params, directions, names=names, resolution=setting.resolution
        )
        groups[f"/slices/{kind}"] = plane.to_xarray()
        scalars["slice_curvature_error"] = plane.curvature_error
        scalars["slice_center_error"] = plane.center_error
        scalars["slice_displacement_error"] = plane.displacement_error
        scalars["slice_not_finite"] = plane.not_finite
        scalars["slice_faults"] = list(plane.faults())
    weights = {f"{kind}/{name}": value for name, value in point.params.items()}
    return Measured(groups, scalars, weights)


def trained_point(
    model: nn.Module, objective: ExactLoss, params: Params, *, refined: bool
) -> CriticalPoint:
    """The end point of a run, as it is or refined to the critical point next to it."""
    if refined:
        return refine(model, objective, params)
    return measured_point(model, objective, in_float64(params), "trained")


def measure_trained(cell: CellConfig, trajectory: Trajectory, device: str) -> Measured:
    """Spectra at the end points of training, one per seed; refined first if the cell says so.

    `predicted_unigram_inertia` is theory's answer at the unigram point with the run's own weights:
    whether the valley floor under the run is still a minimum.
    """
    model = model_of(cell, device, dtype=torch.float64)
    objective = objective_of(cell, device)
    kept: list[int] = []
    points, spectra = [], []
    rows: list[dict[str, Any]] = []
    weights = trained_weights(trajectory)
    for run, seed in enumerate(trajectory.seeds):
        params = {name: value.double() for name, value in trajectory.end(run).items()}
        if not _finite(params):
            rows.append({"seed": seed, "loss": None, "classification": "not finite"})
            continue
        point = trained_point(model, objective, params, refined=cell.measure.refine)
        spectrum = hessian_spectrum(model, objective, point.params)
        report = compare(model, objective, point, spectrum)
        row = {"seed": seed, "moved": point.moved, **summary(spectrum, report)}
        row["predicted_unigram_inertia"] = _floor(model, objective, params)
        rows.append(row)
        kept.append(seed)
        if cell.measure.refine:
            weights |= {f"refined-{seed}/{name}": value for name, value in point.params.items()}
        points.append(point.to_xarray())
        spectra.append(spectrum.to_xarray().drop_dims("kinked_direction"))
    groups = {}
    if kept:
        seeds = xarray.DataArray(kept, dims="seed", name="seed")
        for group, datasets in (("/points/trained", points), ("/spectrum/trained", spectra)):
            groups[group] = xarray.concat(datasets, seeds, combine_attrs="override")
    return Measured(groups, {"runs": rows}, weights)


def _floor(model: nn.Module, objective: ExactLoss, params: Params) -> list[int] | None:
    """Theory's inertia at the unigram point with a run's own weights, where theory has one."""
    try:
        floor = unigram_point(model, objective, free=params)
    except ValueError:  # the model or the source has no such point
        return None
    if at_kink(preactivations(model, floor.params, objective.length)):
        return None
    predicted = predict(model, objective, floor)
    return None if predicted is None else list(predicted.inertia)


def _finite(params: Params) -> bool:
    return all(bool(value.isfinite().all()) for value in params.values())


class PointMemory:
    """Measures each (source, model, point) once, however many cells of a scan share it.

    Threads may ask at once: the second waits for the first one's answer.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self.known: dict[str, Measured] = {}
        self.locks: defaultdict[str, Lock] = defaultdict(Lock)

    def __call__(self, cell: CellConfig, kind: str) -> Measured:
        """The measurement at the cell's point of this kind, made now or remembered."""
        settings = cell.settings
        model = {k: v for k, v in settings["model"].items() if k not in ("init", "e", "w", "b")}
        key = canonical([kind, settings["source"], model, settings["measure"], cell.train.seed])
        with self.locks[key]:
            if key not in self.known:
                self.known[key] = measure_point(cell, kind, self.device)
            return self.known[key]


def trained_groups(cell: CellConfig, trajectory: Trajectory) -> dict[str, xarray.Dataset]:
    """What the training of a cell came to, by group: what there is before anything is measured."""
    groups = {"/training": trajectory.to_xarray()}
    if not trajectory.source.degenerate:
        runs = trajectory.times, trajectory.loss, trajectory.escape_steps, trajectory.seeds
        groups["/survival"] = pooled_curve([runs_of(cell, *runs)]).to_xarray()
    if trajectory.checkpoints is not None:
        groups["/checkpoints"] = trajectory.checkpoints.to_xarray()
    return groups


def trained_weights(trajectory: Trajectory) -> Params:
    """The end points of the runs, by the names that the store keeps them under."""
    return {f"trained/{name}": value for name, value in trajectory.params.items()}


def measure_cell(
    cell: CellConfig, trajectory: Trajectory, points: PointMemory
) -> tuple[xarray.DataTree, dict[str, Any], Params]:
    """The tree, the scalars and the weights that the store keeps of a cell."""
    groups = trained_groups(cell, trajectory)
    weights: Params = {}
    scalars: dict[str, Any] = {
        "unigram_loss": trajectory.unigram_loss,
        "bigram_loss": trajectory.bigram_loss,
        "final_loss": trajectory.loss[:, -1].tolist(),
        "outcome": list(trajectory.outcomes),
        "escape_step": list(trajectory.escape_steps),
        "seconds": trajectory.seconds,
        "points": {},
    }
    for kind in cell.measure.points:
        if kind == "trained":
            measured = measure_trained(cell, trajectory, points.device)
        else:
            measured = points(cell, kind)
        groups |= measured.groups
        weights |= measured.weights
        scalars["points"][kind] = measured.scalars
    return xarray.DataTree.from_dict(groups), scalars, weights
