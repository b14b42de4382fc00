"""`landscape report`: a scan as one page that needs no network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from landscape.store.reading import StoredScan


@click.command("report")
@click.argument("directory", metavar="DIR", type=click.Path())
@click.option(
    "--out", type=click.Path(dir_okay=False), help="The page.  [default: DIR/report.html]"
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(directory: str, out: str | None, as_json: bool) -> int:
    """Write the page of a scan: what got stuck, why, and how sure that is.

    One file, to be opened in a browser: the (p, q) map, and for each cell its curves, spectra and
    loss surfaces; the theorems with their proofs; the configuration and the files. It loads
    nothing from a network. A scan that is not finished is shown as far as it is.
    """
    from landscape.cli.emit import emit
    from landscape.store.atomic import check_folder
    from landscape.store.reading import open_scan

    store = open_scan(directory)  # refused before the proofs are gone through
    if out is not None:
        check_folder("--out", Path(out))
    record = write(store, None if out is None else Path(out))
    emit(record, as_json, lambda found: click.echo(f"Report    {found['report']}"))
    return 0


def write(store: StoredScan, path: Path | None = None) -> dict[str, Any]:
    """Write the page of a scan; where it is, how large, and what it shows, as plain data.

    Raises ConfigError if the folder holds no scan, OSError if the page cannot be written.
    """
    from landscape.report import write_report
    from landscape.report.data.theorems import theorem_records

    theorems = theorem_records(store.config)
    path = write_report(store, theorems, path)
    status = store.folder.status()
    return {
        "report": str(path),
        "bytes": path.stat().st_size,
        "cells": status.done + status.pending,
        "done": status.done,
        "theorems": len(theorems),
        "proved": sum(theorem["proved"] for theorem in theorems),
    }
