"""`landscape status`: how far a scan is."""

from typing import Any

import click


@click.command("status")
@click.argument("directory", type=click.Path())
@click.option("--check", is_flag=True, help="Compare every digest, however many cells there are.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(directory: str, check: bool, as_json: bool) -> int:
    """Cells done, still to do, and damaged or set aside as damaged, in the folder of a scan.

    The digests of every finished cell are compared with its files, as a scan does before it goes
    on; of more than 1000 cells the records are counted by name, and --check compares them too. A
    damaged cell counts as still to do: the same scan, run again, sets its files aside and makes it
    anew. So does a cell that failed; if its training is kept, only the measurement is made again.
    """
    from landscape.cli.emit import emit
    from landscape.store.reading import place_of
    from landscape.store.scan_store import ScanStore

    store = ScanStore(directory)
    description, status = store.description, store.status(check=check or None)
    places = {cell.id: place_of(cell) for cell in store.config.cells()}
    damaged = [
        {"id": key, "place": places[key], "reason": why} for key, why in status.damaged.items()
    ]
    failed = [
        {"id": key, "place": places[key], "reason": why.reason, "trained": why.trained}
        for key, why in status.failed.items()
    ]
    record = {
        "path": str(store.path),
        "name": description["name"],
        "cells": status.done + status.pending,
        "done": status.done,
        "pending": status.pending,
        "checked": status.checked,
        "unvouched": status.unvouched,
        "damaged": damaged,
        "failed": failed,
        "trained": status.trained,
        "quarantined": status.quarantined,
        "created_at": description["created_at"],
        "versions": description["versions"],
    }
    emit(record, as_json, _terminal)
    return 0


def _terminal(record: dict[str, Any]) -> None:
    click.echo(f"{record['name']}: {record['done']} of {record['cells']} cells done")
    if not record["checked"]:
        click.echo("counted by their names; --check compares every digest")
    for kind in ("damaged", "failed"):
        for cell in record[kind]:
            click.echo(f"{kind}: the cell {cell['id'][:8]} ({cell['place']}): {cell['reason']}")
    if record["unvouched"]:
        click.echo(
            f"records without a digest, as version 0.1.0 wrote them: {record['unvouched']}; "
            "nothing vouches for what they say"
        )
    if record["quarantined"]:
        click.echo(f"{record['quarantined']} set aside as damaged, in {record['path']}/quarantine")
    if record["pending"]:
        trained = f", {record['trained']} of them trained already" if record["trained"] else ""
        click.echo(f"{record['pending']} to do{trained}; run the same scan again to finish them")
