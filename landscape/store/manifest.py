"""scan.json: what a scan's folder says it holds."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from landscape.config.canonical import SCHEMA
from landscape.config.scan import ScanConfig
from landscape.errors import ConfigError
from landscape.store.atomic import write_text
from landscape.store.records import Damage, read_record, text_of
from landscape.version import __version__

_FORMAT = "markov-landscape scan"

ENTRIES = ("format", "schema", "name", "hash", "config", "axes", "versions", "created_at")
"""Of a scan.json, and all of one of 0.1.0, which has no digest."""

RESTORE = (
    "run the folder's scan with its configuration and --out, which writes the file anew if the "
    "cells beside it are that configuration's, or choose another folder"
)
"""What to do about a scan.json that is no good; the cells beside it are kept."""


def write_manifest(path: Path, config: ScanConfig, versions: Mapping[str, str]) -> None:
    """Write a scan's configuration, the values of its axes and the versions that compute it."""
    axes = {
        name: list(dict.fromkeys(cell.coordinates[name] for cell in config.cells()))
        for name in config.axes
    }
    description = {
        "format": _FORMAT,
        "schema": SCHEMA,
        "name": config.name,
        "hash": config.hash,
        "config": config.written,
        "axes": axes,
        "versions": {"markov-landscape": __version__, **versions},
        "created_at": now(),
    }
    write_text(path, text_of(description))


def read_manifest(path: Path) -> dict[str, Any]:
    """What was written; raises ConfigError if there is none, or one that cannot be used."""
    if not os.path.lexists(path):
        raise ConfigError(
            f"{path.parent} is not the folder of a scan: it has no {path.name}; name a folder that "
            "`landscape scan` wrote"
        )
    try:
        description = read_record(path, ENTRIES).entries
    except Damage as damage:
        why = f"{path} is not what `landscape scan` wrote: {damage}; {RESTORE}"
        raise ConfigError(why) from None
    if description.get("format") != _FORMAT:
        raise ConfigError(
            f"{path} is not that of a scan: it does not say format = {_FORMAT!r}; name a folder "
            "that `landscape scan` wrote"
        )
    if description.get("schema") != SCHEMA:
        raise ConfigError(
            f"the folder {path.parent} was written with schema {description.get('schema')}, and "
            f"this version reads and writes schema {SCHEMA}; choose another folder with --out"
        )
    return description


def now() -> str:
    """The time, to the second, in UTC and ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
