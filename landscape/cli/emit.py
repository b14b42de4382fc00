"""One record, as JSON on stdout or as something for people to read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console


def console(*, width: int | None = None) -> Console:
    """A terminal for tables; a reader who has closed the pipe is told like everywhere else."""
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:  # rich would leave with 1, the code of a refutation
            raise BrokenPipeError

    return Plain(width=width)


def plain_dataset(dataset: Any) -> dict[str, Any]:
    """An xarray dataset as nested lists by name, with the names of each variable's axes.

    The first seed's, where there is such an axis: a command trains one run.
    """
    if "seed" in dataset.dims:
        dataset = dataset.isel(seed=0)
    return {
        str(name): {"dims": list(map(str, value.dims)), "values": value.values.tolist()}
        for name, value in dataset.variables.items()
    }


def emit(record: dict[str, Any], as_json: bool, terminal: Callable[[dict[str, Any]], None]) -> None:
    """Print the record: strict JSON (NaN and infinity are null), or what `terminal` makes of it."""
    if as_json:
        from landscape.config.canonical import jsonable

        click.echo(json.dumps(jsonable(record), allow_nan=False))
    else:
        terminal(record)
