"""`landscape verify`: every theorem at a point of the (p, q) plane, or over a grid of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from landscape.cli import options, process

if TYPE_CHECKING:
    from landscape.comparison.checks import Verdict


@click.command("verify")
@options.chain_and_model
@click.option(
    "--random-weights",
    type=float,
    default=0.0,
    show_default=True,
    help="Standard deviation of the weights that are free at the points; 0: all zero.",
)
@click.option(
    "--w",
    type=float,
    callback=options.finite,
    help="Reduced coordinate of the unigram point's weights.",
)
@click.option(
    "--grid",
    type=int,
    is_flag=False,
    flag_value=9,
    metavar="[K]",
    help="Instead of --p and --q: K values of each, evenly spaced.  [K: 9]",
)
@click.option("--strict", is_flag=True, help="Exit 1 if a check is inconclusive.")
@options.output
def command(
    random_weights: float | None,
    w: float | None,
    grid: int | None,
    strict: bool,
    as_json: bool,
    device: str,
    **setting: Any,
) -> int:
    """Every theorem at (p, q): proof, predicted and measured value, verdict.

    \b
    proved          it follows from a theorem whose proof the machine accepts, and is measured so
    verified        measured as predicted, from measured inputs or beyond the sizes proved
    refuted         the measurement disagrees: exit code 1
    inconclusive    the measurement cannot tell
    not-applicable  a hypothesis fails; the note says which
    """
    import torch

    from landscape.cli.emit import emit
    from landscape.cli.tables.verify_table import print_plane, print_point
    from landscape.comparison.theorems.plane import grid_values, verify_plane
    from landscape.comparison.theorems.verification import verify
    from landscape.config.build import model_of, objective_of
    from landscape.models.initial import free_weights
    from landscape.models.parameters import parameters_of

    if w is not None and random_weights:
        raise click.UsageError("--w and --random-weights both set the weights; give one of them")
    try:
        axis = None if grid is None else grid_values(grid)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--grid") from None
    if axis is not None:
        if any(setting[name] is not None for name in ("p", "q", "switch", "states")):
            raise click.UsageError("--grid takes the place of --p, --q, --switch and --states")
        setting |= {"p": str(axis[0]), "q": str(axis[0])}
    cell = options.cell_of(
        **setting,
        reads=options.reads_of("unigram"),
        device=device,
        measure={"random_weights": random_weights},
    )
    random_weights = cell.measure.random_weights
    process.prepare(device)
    model = model_of(cell, device, dtype=torch.float64)
    free = free_weights(model, cell.spread, cell.train.seed) or parameters_of(model)
    verdict: Verdict
    record: dict[str, Any]
    if axis is None:
        found = verify(model, objective_of(cell, device), free=free, w=w)
        record = {
            "p": None if found.p is None else float(found.p),
            "q": None if found.q is None else float(found.q),
            "model": found.model,
            "weights": cell.weights if w is None else f"the rank-one ansatz at w = {w:g}",
            "source": found.source,
            "checks": [asdict(check) for check in found.checks],
            "verdict": found.verdict,
        }
        verdict = found.verdict
        emit(record, as_json, print_point)
    else:
        from landscape.cli.progress import PlaneProgress

        with PlaneProgress(len(axis) ** 2) as progress:
            plane = verify_plane(
                model, cell.model.length, axis, axis, free=free, w=w, progress=progress.done
            )
        record = {
            "grid": {"p": [float(x) for x in plane.p], "q": [float(x) for x in plane.q]},
            "verdicts": plane.to_xarray()["verdict"].values.tolist(),
            "checks": [asdict(summary) for summary in plane.summary()],
            "model": plane.points[0].model,
            "plane": None
            if plane.certificate is None
            else {
                "decided_fraction": float(plane.certificate.decided_fraction),
                "left": list(plane.certificate.left()),
                "certificate": plane.certificate.to_json(),
            },
            "verdict": plane.verdict,
        }
        verdict = plane.verdict
        emit(record, as_json, print_plane)
    if verdict == "inconclusive":
        click.echo("Inconclusive: a measurement cannot tell; the notes say why.", err=True)
    return int(verdict == "refuted" or (strict and verdict == "inconclusive"))
