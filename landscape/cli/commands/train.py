"""`landscape train`: one run on one chain."""

import math
from typing import Any

import click

from landscape.cli import options, process


@click.command("train")
@options.chain_and_model
@click.option(
    "--init", help="standard, low-rank, ansatz or basin (at --e --w --b).  [default: standard]"
)
@click.option("--e", type=float, help="Embedding coordinate of the ansatz.")
@click.option("--w", type=float, help="Feed-forward coordinate of the ansatz.")
@click.option("--b", type=float, help="Bias coordinate of the ansatz.")
@options.experiment
@options.plot
@options.output
def command(
    init: str | None,
    e: float | None,
    w: float | None,
    b: float | None,
    data: str,
    batch: int | None,
    optimizer: str,
    momentum: float | None,
    steps: int,
    lr: float,
    evaluate_every: int | None,
    dtype: str | None,
    plot: str | None,
    as_json: bool,
    device: str,
    **setting: Any,
) -> int:
    """Train one model on the exact population loss or on sampled data, and say where it ended.

    Exits with 1 if the run diverged: it then ended nowhere.
    """
    from landscape.cli.emit import emit
    from landscape.config.build import model_of, training_objective_of
    from landscape.sources import REFERENCES

    if data == "exact" and (batch is not None or evaluate_every is not None):
        raise click.UsageError("--batch and --evaluate-every belong to --data sampled")
    if optimizer == "adamw" and momentum is not None:
        raise click.UsageError("--momentum belongs to --optimizer sgd")
    cell = options.cell_of(
        **setting,
        reads=options.training_of,
        device=device,
        init={"init": init, "e": e, "w": w, "b": b},
        train={
            "data": data,
            "batch": batch,
            "optimizer": optimizer,
            "momentum": momentum,
            "steps": steps,
            "lr": lr,
            "evaluate_every": evaluate_every,
            "dtype": dtype,
        },
        measure={"points": []},
    )
    process.prepare(device)
    model = model_of(cell, device)
    objective = training_objective_of(cell, device)
    trajectory = options.trained(cell, model, objective)
    record = {
        "final_loss": float(trajectory.loss[0, -1]),
        "loss_error": float(trajectory.loss_error[0, -1]),
        "unigram_loss": trajectory.unigram_loss,
        "bigram_loss": trajectory.bigram_loss,
        "reference_loss": {
            name: objective.source.loss_of(name, trajectory.length) for name in REFERENCES
        },
        "distance": {name: float(value[0]) for name, value in trajectory.distance.items()},
        "outcome": trajectory.outcomes[0],
        "escape_step": trajectory.escape_steps[0],
        "steps": trajectory.steps,
        "seconds": trajectory.seconds,
        "loss_curve": {
            "step": trajectory.times.tolist(),
            "loss": trajectory.loss[0].tolist(),
            "loss_error": trajectory.loss_error[0].tolist(),
        },
    }
    if trajectory.checkpoints is not None:
        from landscape.cli.emit import plain_dataset

        record["checkpoints"] = plain_dataset(trajectory.checkpoints.to_xarray())
    if plot:
        from figures.output import picture, write
        from figures.plots.training import draw_training

        figure = picture(
            draw_training,
            trajectory.loss,
            times=trajectory.times,
            unigram_loss=trajectory.unigram_loss,
            bigram_loss=trajectory.bigram_loss,
            escape_steps=trajectory.escape_steps,
            title=f"{cell.source.words}, {cell.model.tying}",
        )
        write(figure, plot)
    emit(record, as_json, _terminal)
    diverged = not math.isfinite(trajectory.loss[0, -1])
    if diverged:
        click.echo("The run diverged: its loss is not finite. Try a smaller --lr.", err=True)
    return int(diverged)


def _terminal(record: dict[str, Any]) -> None:
    escape = record["escape_step"]
    click.echo(f"outcome           {record['outcome']}")
    error = f" +- {record['loss_error']:.1e}" if record["loss_error"] else ""
    click.echo(
        f"final loss        {record['final_loss']:.6f}{error} nat after {record['steps']} steps"
    )
    click.echo(f"unigram, bigram   {record['unigram_loss']:.6f}, {record['bigram_loss']:.6f} nat")
    click.echo(
        f"KL(model || .)    {record['distance']['unigram']:.2e} nat to the unigram, "
        f"{record['distance']['bigram']:.2e} nat to the bigram"
    )
    click.echo(f"escaped at step   {'never' if escape is None else escape}")
    click.echo(f"seconds           {record['seconds']:.1f}")
