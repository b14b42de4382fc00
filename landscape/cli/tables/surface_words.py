"""What `landscape slice` answers: a record for JSON, a picture's arrays, lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from figures.records.slices import SliceRecord
    from landscape.objectives.exact import ExactLoss
    from landscape.slices.loss_slice import LossSlice


def record(found: LossSlice, error: float | None, curvatures: list[float] | None) -> dict[str, Any]:
    """The JSON contract of the command."""
    from dataclasses import asdict

    along, across = found.distance
    return {
        "center_loss": found.center_loss,
        "alpha": found.alpha,
        "beta": found.beta,
        "loss": found.loss,
        "directions": {
            "names": list(found.names),
            "gram": found.gram.tolist(),
            "norms": found.norms.tolist(),
            "vectors": found.directions,
            "center": found.center,
        },
        "max_error_vs_theory": error,
        "distance": {"alpha": along, "beta": across},
        "chart": found.chart,
        "origin": list(found.origin),
        "held": dict(found.held),
        "points": [asdict(point) for point in found.points],
        "curvatures": found.curvatures.tolist(),
        "predicted_curvatures": curvatures,
        "curvature_errors": found.curvature_errors.tolist(),
        "curvature_error": found.curvature_error,
        "displacement_error": found.displacement_error,
        "center_error": found.center_error,
        "not_finite": found.not_finite,
        "faults": list(found.faults()),
    }


def picture(
    found: LossSlice,
    objective: ExactLoss,
    curvatures: list[float] | None,
    title: str,
    kind: str,
    *,
    mirror: bool,
) -> SliceRecord:
    """The slice as plain arrays for a figure: axes in parameter distance, or in e, w and b.

    Theory is evaluated on a grid of its own, finer than the measured one.
    """
    from dataclasses import replace

    from figures.records.slices import QUADRATIC, SliceRecord, finer, oblique, quadratic
    from landscape.comparison.reduced_model import surface_of

    alpha, beta = finer(found.alpha), finer(found.beta)
    fine = replace(found, alpha=alpha, beta=beta, loss=alpha[:, None] * beta)
    predicted = surface_of(fine, objective.source, mirror=mirror)
    x, y = found.distance
    labels = [f"distance along {name}" for name in found.names]
    center = (0.0, 0.0)
    prediction = "symbolic loss"
    norms = found.norms.tolist()
    if found.chart == "reduced":
        start = (*found.origin, 0.0)
        x, y, center = start[0] + found.alpha, start[1] + found.beta, (start[0], start[1])
        labels = [
            f"${name}$ (1 is {norm:.3g} in parameter distance)"
            for name, norm in zip(found.names, norms, strict=True)
        ]
    if curvatures is not None:
        source = objective.source
        loss = source.loss_of("unigram" if kind == "unigram" else "optimal", objective.length)
        predicted = quadratic(finer(x), finer(y), loss, curvatures)
        prediction = QUADRATIC
        labels = [
            rf"{label}, $\lambda={value:.3g}$"
            for label, value in zip(labels, curvatures, strict=True)
        ]
    scale = [*norms, 1.0]
    marks = [
        (mark.name, mark.at[0] * scale[0], (*mark.at, 0.0)[1] * scale[1]) for mark in found.points
    ]
    return SliceRecord(
        title=title + (oblique(found.gram) if found.chart == "affine" else ""),
        x=x,
        y=y,
        labels=(labels[0], labels[-1]),
        loss=found.loss,
        center=center,
        unigram_loss=objective.source.loss_of("unigram", objective.length),
        bigram_loss=objective.source.loss_of("optimal", objective.length),
        predicted=predicted,
        predicted_x=finer(x),
        predicted_y=finer(y),
        prediction=prediction,
        marks=tuple(marks),
    )


def terminal(result: dict[str, Any]) -> None:
    """Print the record for people to read."""
    import numpy as np

    loss = result["loss"]
    known = loss[np.isfinite(loss)]
    directions = result["directions"]
    click.echo(f"loss at the point   {result['center_loss']:.15g} nat")
    click.echo(f"grid                {loss.shape[0]} x {loss.shape[1]}, chart {result['chart']}")
    for k, name in enumerate(directions["names"]):
        reach = result["distance"]["alpha" if k == 0 else "beta"][-1]
        curvature = result["curvatures"][k]
        text = "none (kink)" if curvature != curvature else f"{curvature:+.6g} nat/distance^2"
        click.echo(
            f"axis                {name}: norm {directions['norms'][k]:.6g}, to distance "
            f"{reach:.4g} either side; curvature {text}"
        )
    if len(directions["names"]) == 2:
        click.echo(f"inner product       {directions['gram'][0][1]:+.3e}")
    if known.size:
        click.echo(f"loss on the grid    {known.min():.6f} to {known.max():.6f} nat")
    for point in result["points"]:
        at = ", ".join(f"{x + 0.0:.6g}" for x in point["at"])
        click.echo(f"{point['name']:<19} at ({at}), loss {point['loss']:.6f} nat")
    click.echo(f"centre error        {result['center_error']:.1e} nat")
    curved = result["curvature_error"]
    text = "not applicable: no second derivative" if curved != curved else f"{curved:.1e}"
    click.echo(f"curvature error     {text}")
    away = result["displacement_error"]
    text = "not applicable: no plane" if away != away else f"{away:.1e} of the way"
    click.echo(f"displacement error  {text}")
    if result["max_error_vs_theory"] is not None:
        click.echo(f"against theory      {result['max_error_vs_theory']:.1e} nat at most")
