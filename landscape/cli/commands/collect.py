"""`landscape collect`: a scan as one labelled dataset, or as one table."""

from pathlib import Path
from typing import Any

import click

from landscape.cli import options


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
@options.as_typed
def command(directory: str, out: str | None, select: tuple[str, ...], as_json: bool) -> int:
    """Write the results of a scan as one file.

    FILE.nc is a labelled xarray DataTree over the axes of the scan: p, q, tying, seed and so on.
    FILE.csv and FILE.parquet are tables with a row for each run; Parquet needs pyarrow. Of a scan
    that is not finished it is what there is; a cell whose files are damaged is left out, and named.
    """
    from landscape.cli.emit import emit
    from landscape.config.reading import pairs_of
    from landscape.store.cube import check_file, write
    from landscape.store.reading import open_scan

    path = Path(directory) / "collected.nc" if out is None else Path(out)
    if out is not None:
        check_file(path)
    pairs = pairs_of("--select", select)
    opened = open_scan(directory)
    stored = opened.select(pairs)
    done = write(stored, path)
    record = {
        "path": str(stored.path),
        "name": stored.config.name,
        "out": str(path),
        "bytes": path.stat().st_size,
        "cells": len(stored),
        "done": done,
        "scan_cells": len(opened),
    }
    emit(record, as_json, _terminal)
    if done < len(stored):
        click.echo(
            f"{len(stored) - done} of {len(stored)} cells have no result to collect; run the same "
            "scan again to finish them",
            err=True,
        )
    return 0


def _terminal(record: dict[str, Any]) -> None:
    every = f"of {record['name']}"
    if record["cells"] < record["scan_cells"]:
        every = f"that are selected, of {record['scan_cells']} {every}"
    click.echo(f"Collected {record['done']} of {record['cells']} cells {every}")
    click.echo(f"File      {record['out']}")
