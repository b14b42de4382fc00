"""`landscape collect`: a scan as one labelled dataset, or as one table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command("collect")
@click.argument("directory", metavar="DIR", type=click.Path())
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Ends in .nc, .csv or .parquet.  [default: DIR/collected.nc]",
)
@click.option(
    "--select", multiple=True, metavar="a.b=v", help="Only cells with this value of a setting."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(directory: str, out: str | None, select: tuple[str, ...], as_json: bool) -> int:
    """Write the results of a scan as one file.

    FILE.nc is a labelled xarray DataTree over the axes of the scan: p, q, tying, seed and so on.
    FILE.csv and FILE.parquet are tables with a row for each run; Parquet needs pyarrow. Of a scan
    that is not finished it is what there is.
    """
    from landscape.cli.emit import emit
    from landscape.config.reading import split_option
    from landscape.store.cube import check_file, write
    from landscape.store.reading import open_scan

    path = Path(directory) / "collected.nc" if out is None else Path(out)
    check_file(path)
    pairs = [split_option("--select", text) for text in select]
    stored = open_scan(directory).select(dict(pairs))
    done = write(stored, path)
    record = {
        "path": str(stored.path),
        "name": stored.config.name,
        "out": str(path),
        "bytes": path.stat().st_size,
        "cells": len(stored.cells),
        "done": done,
    }
    emit(record, as_json, _terminal)
    if done < len(stored.cells):
        click.echo(
            f"{len(stored.cells) - done} of {len(stored.cells)} cells have no result to collect; "
            "run the same scan again to finish them",
            err=True,
        )
    return 0


def _terminal(record: dict[str, Any]) -> None:
    click.echo(f"Collected {record['done']} of {record['cells']} cells of {record['name']}")
    click.echo(f"File      {record['out']}")
