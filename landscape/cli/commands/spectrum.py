"""`landscape spectrum`: the Hessian spectrum at a critical point, beside the predicted one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from landscape.cli import options, process

if TYPE_CHECKING:
    from landscape.comparison.checks import Report
    from landscape.points.critical_point import CriticalPoint
    from landscape.spectra.spectrum import Spectrum


@click.command("spectrum")
@options.chain_and_model
@options.point
@options.training
@click.option("--refine", is_flag=True, help="Polish a trained end point to a critical point.")
@options.plot
@click.option("--strict", is_flag=True, help="Exit 1 if a check is inconclusive.")
@options.output
def command(
    kind: str,
    random_weights: float | None,
    w: float | None,
    steps: int,
    lr: float,
    dtype: str,
    refine: bool,
    plot: str | None,
    strict: bool,
    as_json: bool,
    device: str,
    **setting: Any,
) -> int:
    """All Hessian eigenvalues at a critical point: measured, predicted, and their difference.

    Exits with 1 if the measurement refutes the prediction.
    """
    from landscape.cli.emit import emit
    from landscape.comparison.spectra import compare
    from landscape.config.build import objective_of
    from landscape.scanning.measurement import weights_of
    from landscape.spectra.spectrum import hessian_spectrum

    if refine and kind != "trained":
        raise click.UsageError(f"--refine is for --at trained; the {kind} point is exact already")
    if kind == "trained" and (w is not None or random_weights):
        raise click.UsageError("--w and --random-weights belong to --at unigram or --at bigram")
    if w is not None and random_weights and kind == "unigram":
        raise click.UsageError("--w and --random-weights both set the weights; give one of them")
    cell = options.cell_of(
        **setting,
        reads=options.reads_of(kind),
        device=device,
        train={"steps": steps, "lr": lr, "dtype": dtype},
        measure={"random_weights": random_weights},
    )
    process.prepare(device)
    model, point = options.point_at(cell, kind, w=w, refined=refine, device=device)
    objective = objective_of(cell, device)
    spectrum = hessian_spectrum(model, objective, point.params)
    report = compare(model, objective, point, spectrum)
    weights = weights_of(cell, kind, model)
    if w is not None:
        weights = f"the rank-one ansatz at w = {w:g}"
    result = {**record(spectrum, report, point), "weights": weights}
    if plot:
        from figures.output import picture, write
        from figures.plots.spectrum import draw_spectrum

        lists, title = (
            (result["eigenvalues"], result["predicted"]),
            f"{kind} point, {cell.source.words}",
        )
        write(picture(draw_spectrum, *lists, zero_bound=spectrum.zero_bound, title=title), plot)
    emit(result, as_json, _terminal)
    if report.verdict == "inconclusive":
        click.echo(f"Inconclusive: {report.reason}.", err=True)
    return int(report.verdict == "refuted" or (strict and report.verdict == "inconclusive"))


def record(spectrum: Spectrum, report: Report, point: CriticalPoint) -> dict[str, Any]:
    """The JSON contract of the command."""
    from dataclasses import asdict

    predicted = report.predicted
    method = spectrum.method if predicted is None else f"{spectrum.method}; {predicted.method}"
    return {
        "loss": spectrum.loss,
        "gradient_norm": spectrum.gradient_norm,
        "parameters": spectrum.parameters,
        "eigenvalues": spectrum.eigenvalues.tolist(),
        "zero_bound": spectrum.zero_bound,
        "gap": list(spectrum.gap),
        "narrow_gap": spectrum.narrow and not spectrum.kink,
        "inertia": None if spectrum.kink else list(spectrum.inertia),
        "predicted": None if predicted is None else predicted.full().tolist(),
        "predicted_inertia": None if predicted is None else list(predicted.inertia),
        "max_error": report.max_error,
        "min_preactivation": spectrum.min_preactivation,
        "classification": report.classification,
        "one_sided": [{"minus": o.minus, "plus": o.plus} for o in spectrum.one_sided],
        "checks": [asdict(check) for check in report.checks],
        "verdict": report.verdict,
        "why": report.reason,
        "frozen": list(spectrum.frozen),
        "point": point.kind,
        "coordinates": point.coordinates,
        "moved": point.moved,
        "method": method,
    }


def _terminal(result: dict[str, Any]) -> None:
    from rich.table import Table

    from landscape.cli.emit import console as terminal

    console = terminal()
    counts = "{} negative, {} zero, {} positive".format
    console.print(f"[bold]{result['classification']}[/bold] ({result['point']} point)")
    console.print(f"weights         {result['weights']}")
    console.print(f"loss            {result['loss']:.15g} nat")
    console.print(f"gradient norm   {result['gradient_norm']:.1e}")
    if result["inertia"] is None:
        console.print("measured        no Hessian, and no inertia: the loss has a kink here")
    else:
        console.print(f"measured        {counts(*result['inertia'])} of {result['parameters']}")
    if result["predicted_inertia"] is not None:
        console.print(f"predicted       {counts(*result['predicted_inertia'])}")
        console.print(f"largest error   {result['max_error']:.1e}")
    if result["frozen"]:
        names = ", ".join(result["frozen"])
        console.print(f"frozen          {names} (requires_grad=False: constants, not counted)")
    console.print(f"zero means      |eigenvalue| <= {result['zero_bound']:.1e}")
    if result["narrow_gap"]:
        below, above = result["gap"]
        console.print(
            f"a narrow gap    the largest taken for zero is {below:.1e}, the smallest other one "
            f"{above:.1e}: the counts are not safe"
        )
    if result["min_preactivation"] is not None:
        console.print(f"nearest kink    |relu input| >= {result['min_preactivation']:.1e}")
    for side in result["one_sided"]:
        console.print(
            f"at the kink     one-sided curvatures {side['minus']:+.6f} and {side['plus']:+.6f} "
            f"across it"
        )
    verdict = f"verdict         {result['verdict']}"
    if result["why"]:
        verdict = f"{verdict}: {result['why']}"
    if result["inertia"] is None and not result["one_sided"]:
        console.print("at the kink     one-sided curvatures are not computed")
    if result["inertia"] is None:
        console.print(verdict)
        return
    shown = [
        k for k, value in enumerate(result["eigenvalues"]) if abs(value) > result["zero_bound"]
    ]
    table = Table("index", "measured", "predicted", "difference", title="Nonzero eigenvalues")
    for k in shown if len(shown) <= 24 else [*shown[:12], *shown[-12:]]:
        value = result["eigenvalues"][k]
        row = [str(k), f"{value:+.12g}", "", ""]
        if result["predicted"] is not None:
            row[2:] = [f"{result['predicted'][k]:+.12g}", f"{value - result['predicted'][k]:+.1e}"]
        table.add_row(*row)
    console.print(table)
    if len(shown) > 24:
        console.print(f"({len(shown) - 24} in between left out; --json has them all)")
    console.print(verdict)
