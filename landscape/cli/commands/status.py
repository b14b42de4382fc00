"""`landscape status`: how far a scan is."""

from __future__ import annotations

from typing import Any

import click


@click.command("status")
@click.argument("directory", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(directory: str, as_json: bool) -> int:
    """Cells done, still to do, and set aside as damaged, in the folder of a scan."""
    from landscape.cli.emit import emit
    from landscape.store.scan_store import ScanStore

    store = ScanStore(directory)
    description, status = store.description, store.status()
    record = {
        "path": str(store.path),
        "name": description["name"],
        "cells": status.done + status.pending,
        "done": status.done,
        "pending": status.pending,
        "quarantined": status.quarantined,
        "created_at": description["created_at"],
        "versions": description["versions"],
    }
    emit(record, as_json, _terminal)
    return 0


def _terminal(record: dict[str, Any]) -> None:
    click.echo(f"{record['name']}: {record['done']} of {record['cells']} cells done")
    if record["quarantined"]:
        click.echo(f"{record['quarantined']} set aside as damaged, in {record['path']}/quarantine")
    if record["pending"]:
        click.echo(f"{record['pending']} to do; run the same scan again to finish them")
