"""`landscape slice`: the loss on a line or plane through a point."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from landscape.cli import options, process

if TYPE_CHECKING:
    from torch import nn

    from landscape.config.cell import CellConfig
    from landscape.objectives.exact import ExactLoss
    from landscape.points.critical_point import CriticalPoint
    from landscape.slices.loss_slice import LossSlice

PLANES = ("eigen", "random", "filter", "reduced-ew", "reduced-eb", "points")
RADIUS = {"points": 1.5, "filter": 1.0}  # in multiples of the directions; 2 for the others


def _plane(_: click.Context, __: click.Parameter, value: str) -> str:
    if value in PLANES or (value.endswith(".safetensors") and Path(value).is_file()):
        return value
    missing = "there is no such file" if value.endswith(".safetensors") else "it is unknown"
    raise click.BadParameter(
        f"{value!r} is refused: {missing}; give {', '.join(PLANES)}, or a .safetensors file of "
        f"tensors named DIRECTION/PARAMETER"
    )


@click.command("slice")
@options.chain_and_model
@options.point
@click.option(
    "--plane",
    default="eigen",
    show_default=True,
    callback=_plane,
    help=f"One of {', '.join(PLANES)}, or a .safetensors FILE of directions.",
)
@click.option("--line", is_flag=True, help="Along the first direction alone.")
@click.option(
    "--eigenvectors", metavar="I,J", help="Which: indices, lowest, highest.  [default: the ends]"
)
@click.option("--resolution", type=int, default=51, show_default=True, help="Odd.")
@click.option("--radius", type=float, help="In multiples of the directions.  [default: 2]")
@click.option(
    "--bias",
    type=click.Choice(["best", "fixed"]),
    default="best",
    show_default=True,
    help="Of reduced-ew: at its best value everywhere, or at the point's.",
)
@options.training
@options.plot
@options.output
def command(
    kind: str,
    plane: str,
    line: bool,
    eigenvectors: str | None,
    resolution: int,
    radius: float | None,
    bias: str,
    random_weights: float | None,
    w: float | None,
    steps: int,
    lr: float,
    dtype: str,
    plot: str | None,
    as_json: bool,
    device: str,
    **setting: Any,
) -> int:
    """The loss on a line or plane through a point, with its own checks, beside theory.

    Directions are used as they are; distances are in parameter space. The reduced planes are
    compared with the symbolic loss. Exits with 1 if a check fails or theory is refuted.
    """
    from landscape.cli.emit import emit
    from landscape.cli.tables.surface_words import picture, record, terminal
    from landscape.comparison.reduced_model import surface_error, surface_of, surface_refuted
    from landscape.config.build import objective_of
    from landscape.models.protocols import OnAnsatz

    if kind == "trained" and plane.startswith("reduced"):
        raise click.UsageError("a trained point is not on the ansatz; give --at unigram or bigram")
    if kind != "unigram" and plane == "points":
        raise click.UsageError("--plane points starts from the unigram; give --at unigram")
    if kind == "trained" and (w is not None or random_weights):
        raise click.UsageError("--w and --random-weights belong to --at unigram or --at bigram")
    if random_weights and kind == "unigram" and (w is not None or plane.startswith("reduced")):
        raise click.UsageError(
            "--random-weights leads away from the ansatz of --w and of the reduced planes; give one"
        )
    if eigenvectors is not None and plane != "eigen":
        raise click.UsageError("--eigenvectors belongs to --plane eigen")
    cell = options.cell_of(
        **setting,
        reads=options.reads_of("trained" if plane == "points" else kind),
        device=device,
        train={"steps": steps, "lr": lr, "dtype": dtype},
        measure={"random_weights": random_weights},
    )
    if plane.startswith("reduced") and not cell.model.the_kind.on_ansatz:
        raise click.UsageError(
            f"--plane {plane} runs over the rank-one ansatz, which --model {cell.model.kind} has "
            f"no coordinates of; take eigen, random, filter or a file"
        )
    process.prepare(device)
    if plane.startswith("reduced") and kind == "unigram":
        w = 0.0 if w is None else w
    model, point = options.point_at(cell, kind, w=w, device=device)
    objective = objective_of(cell, device)
    reach = RADIUS.get(plane, 2.0) if radius is None else radius
    sizes: dict[str, Any] = {"resolution": resolution, "radius": reach}
    curvatures = None
    if plane.startswith("reduced"):
        from landscape.slices.reduced_plane import coordinate_slice

        axes = tuple(plane.removeprefix("reduced-"))[: 1 if line else 2]
        found = coordinate_slice(model, objective, point.params, axes=axes, bias=bias, **sizes)
    else:
        found, curvatures = _affine(
            cell, model, objective, point, plane, line, eigenvectors, w, sizes, device
        )
    mirror = not isinstance(model, OnAnsatz) or model.mirror
    predicted = surface_of(found, objective.source, mirror=mirror)
    error = surface_error(found, predicted)
    result = record(found, error, curvatures)
    if plot:
        from figures import output
        from figures.plots.slices import draw

        title = f"{kind} point, {cell.source.words}"
        shown = picture(found, objective, curvatures, title, kind, mirror=mirror)
        output.write(output.picture(draw, [shown]), plot)
    emit(result, as_json, terminal)
    if found.not_finite:
        click.echo(
            f"Not finite: {found.not_finite} of {found.loss.size} losses (null in --json, hatched "
            f"in --plot); try a smaller --radius.",
            err=True,
        )
    for fault in result["faults"]:
        click.echo(f"Self-check failed: {fault}", err=True)
    refuted = surface_refuted(found, predicted)
    if refuted:
        click.echo(f"Refuted: the surface is {error:.1e} nat away from the symbolic loss", err=True)
    return int(refuted or bool(result["faults"]))


def _affine(
    cell: CellConfig,
    model: nn.Module,
    objective: ExactLoss,
    point: CriticalPoint,
    plane: str,
    line: bool,
    eigenvectors: str | None,
    w: float | None,
    sizes: dict[str, Any],
    device: str,
) -> tuple[LossSlice, list[float] | None]:
    """The plane along directions, and theory's curvatures along them if they are eigenvectors."""
    from landscape.comparison.spectra import predict
    from landscape.slices import directions as span
    from landscape.slices.plane import loss_slice
    from landscape.spectra.spectrum import hessian_spectrum

    seed, params = cell.train.seed, point.params
    curvatures, others = None, {}
    if plane == "eigen":
        spectrum = hessian_spectrum(model, objective, params)
        which = [_which(item) for item in (eigenvectors or "lowest,highest").split(",")]
        rows, names = span.eigen_directions(spectrum, which)
        theory = None if spectrum.kink else predict(model, objective, point)
        if theory is not None:
            full = theory.full()
            curvatures = [float(full[int(name.split()[1])]) for name in names]
    elif plane == "points":
        others = {
            kind: options.point_at(cell, kind, w=w if kind == "bigram" else None, device=device)[
                1
            ].params
            for kind in ("bigram", "trained")
        }
        rows, names = span.directions_to(params, others, name="unigram")
        others = {"unigram": params, **others}
    elif plane == "random":
        rows, names = span.random_directions(params, seed=seed)
    elif plane == "filter":
        rows, names = span.filter_normalised_directions(params, seed=seed)
    else:
        rows, names = span.read_directions(params, plane)
    if line:
        rows, names = rows[:1], names[:1]
        curvatures = curvatures and curvatures[:1]
        others = {name: others[name] for name in ("unigram", "bigram") if name in others}
    found = loss_slice(model, objective, params, rows, names=names, points=others, **sizes)
    return found, curvatures


def _which(item: str) -> int | str:
    text = item.strip()
    return int(text) if text.lstrip("-").isdigit() else text
