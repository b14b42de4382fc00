"""`landscape flow`: the gradient flow of the reduced model from a start of one's own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from landscape.cli import options

if TYPE_CHECKING:
    from landscape.comparison.reduced_model import ReducedFlow


def _duration(_: click.Context, __: click.Parameter, value: float | None) -> float | None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise click.BadParameter(f"{value} is refused: give a positive number, such as 1000")
    return value


@click.command("flow")
@click.option("--p", required=True, help="P(1|0) in (0, 1), as .3 or 1/3.")
@click.option("--q", required=True, help="P(0|1) in (0, 1), as .3 or 1/3.")
@click.option(
    "--e", type=float, required=True, callback=options.finite, help="Embedding at the start."
)
@click.option(
    "--w", type=float, required=True, callback=options.finite, help="Feed-forward weight there."
)
@click.option(
    "--b",
    type=float,
    callback=options.finite,
    help="Bias there: it flows too.  [default: kept at its best value]",
)
@click.option(
    "--time",
    type=float,
    callback=_duration,
    help="Longest time.  [default: until it has settled, at most 1e9, or 1e6 where p + q = 1]",
)
@options.plot
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@options.as_typed
def command(
    p: str,
    q: str,
    e: float,
    w: float,
    b: float | None,
    time: float | None,
    plot: str | None,
    as_json: bool,
) -> int:
    """The gradient flow of the reduced model (e, w, b): where it ends, beside theory's basins.

    The chain (p, q) and the start decide. Without --b the bias is at its best value all along, an
    energy is conserved, and theory knows the basins. Exits with 1 if the integration ends elsewhere
    than theory says, or loses the energy.
    """
    from landscape.cli.emit import emit
    from landscape.comparison.reduced_model import allowed_drift, reduced_flow
    from landscape.config import Source

    chain = Source(p=p, q=q)
    assert chain.p is not None and chain.q is not None  # a binary source has both
    try:
        found = reduced_flow(chain.p, chain.q, e, w, b, time=time)
    except ArithmeticError as error:
        raise click.ClickException(str(error)) from None
    if plot:
        from figures.output import picture, write
        from figures.plots.flow import FlowRecord, draw

        steps = found.orbit.points
        flow = FlowRecord(
            p=chain.p,
            q=chain.q,
            e=steps[:, 0],
            w=steps[:, 1],
            free_bias=found.free,
            end=found.basin,
        )
        write(picture(draw, flow), plot)
    emit(_record(found), as_json, _terminal)
    for line in _remarks(found):
        click.echo(line, err=True)
    if found.drifted:
        allowed = allowed_drift(e, w)
        click.echo(
            f"Self-check failed: the energy drifted by {found.energy_drift:.1e}, more than "
            f"{allowed:.0e}",
            err=True,
        )
    if found.refuted:
        click.echo(
            f"Refuted: theory says {found.basin_by_theory}, the integration ended at the "
            f"{found.basin}",
            err=True,
        )
    return int(found.refuted or found.drifted)


def _record(found: ReducedFlow) -> dict[str, Any]:
    """The JSON contract of the command."""
    return {
        "endpoint": {n: x + 0.0 for n, x in zip(("e", "w", "b"), found.endpoint, strict=True)},
        "loss": found.loss,
        "basin": found.basin,
        "energy_start": found.energy,
        "energy_drift": found.energy_drift,
        "separatrix_w_to_e": found.separatrix,
        "basin_by_theory": found.basin_by_theory,
        "unigram_loss": found.unigram_loss,
        "bigram_loss": found.bigram_loss,
        "settled": found.orbit.settled,
        "time": float(found.orbit.times[-1]),
        "steps": found.orbit.steps,
        "method": found.orbit.method,
    }


def _remarks(found: ReducedFlow) -> list[str]:
    """Why the basin is null, where it is."""
    if found.degenerate:
        return ["p + q = 1: the unigram is the bigram, and the flow has one set to end on."]
    if found.basin is None and not found.orbit.settled:
        return [
            f"Undecided: the flow has not settled by time {found.orbit.times[-1]:.6g}; give a "
            f"longer --time."
        ]
    if found.basin is None:
        return [
            "Undecided: with p + q so near to 1 the two sets cannot be told apart in float64; "
            "take p + q further from 1."
        ]
    return []


def _terminal(result: dict[str, Any]) -> None:
    """Print the record for people to read."""
    at = ", ".join(f"{name} = {value + 0.0:.6g}" for name, value in result["endpoint"].items())
    theory = result["basin_by_theory"] or "silent"
    losses = f"unigram {result['unigram_loss']:.6f}, bigram {result['bigram_loss']:.6f}"
    click.echo(f"basin               {result['basin'] or 'undecided'} (theory: {theory})")
    click.echo(f"end point           {at}")
    click.echo(f"loss there          {result['loss']:.15g} nat ({losses})")
    if result["energy_start"] is not None:
        click.echo(
            f"energy              {result['energy_start']:.12g}, kept to "
            f"{result['energy_drift']:.1e}"
        )
    if result["separatrix_w_to_e"] is not None:
        click.echo(f"separatrix          |e| = {result['separatrix_w_to_e']:.12g} at this w")
    word = "settled" if result["settled"] else "followed"
    click.echo(
        f"{word:<19} until time {result['time']:.6g}, {result['steps']} steps of {result['method']}"
    )
