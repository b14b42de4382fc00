"""`landscape status`: how far a scan is."""

from typing import Any

import click


@click.command("status")
@click.argument("directory", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(directory: str, as_json: bool) -> int:
    """Cells done, still to do, and damaged or set aside as damaged, in the folder of a scan.

    The files of every finished cell are compared with what was written. A damaged cell counts as
    still to do: the same scan, run again, sets its files aside and makes it anew.
    """
    from landscape.cli.emit import emit
    from landscape.store.reading import place_of
    from landscape.store.scan_store import ScanStore

    store = ScanStore(directory)
    description, status = store.description, store.status()
    damaged = [
        {"id": cell.id, "place": place_of(cell), "reason": status.damaged[cell.id]}
        for cell in store.config.cells()
        if cell.id in status.damaged
    ]
    record = {
        "path": str(store.path),
        "name": description["name"],
        "cells": status.done + status.pending,
        "done": status.done,
        "pending": status.pending,
        "damaged": damaged,
        "quarantined": status.quarantined,
        "created_at": description["created_at"],
        "versions": description["versions"],
    }
    emit(record, as_json, _terminal)
    return 0


def _terminal(record: dict[str, Any]) -> None:
    click.echo(f"{record['name']}: {record['done']} of {record['cells']} cells done")
    for cell in record["damaged"]:
        click.echo(f"damaged: the cell {cell['id'][:8]} ({cell['place']}): {cell['reason']}")
    if record["quarantined"]:
        click.echo(f"{record['quarantined']} set aside as damaged, in {record['path']}/quarantine")
    if record["pending"]:
        click.echo(f"{record['pending']} to do; run the same scan again to finish them")
