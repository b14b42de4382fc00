"""scan.json: what a scan's folder says it holds."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from landscape.config.canonical import SCHEMA, dumps
from landscape.config.scan import ScanConfig
from landscape.errors import ConfigError
from landscape.store.atomic import write_text
from landscape.version import __version__

_FORMAT = "markov-landscape scan"

KEYS = ("name", "hash", "config", "axes", "versions", "created_at")
"""What every scan.json holds besides its format and its schema."""

RESTORE = (
    "restore it from a copy, or copy the scan.json of another folder into which the same scan is "
    "begun with --out"
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
    write_text(path, dumps(description))


def read_manifest(path: Path) -> dict[str, Any]:
    """What was written; raises ConfigError if there is none, or one that cannot be used."""
    try:
        description = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(
            f"{path.parent} is not the folder of a scan: it has no {path.name}; name a folder that "
            "`landscape scan` wrote"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror or error}; make it a file that can be read"
        ) from None
    except ValueError as error:  # of JSON, or of UTF-8
        raise ConfigError(f"{path} is damaged: it is not JSON ({error}); {RESTORE}") from None
    if not isinstance(description, dict) or description.get("format") != _FORMAT:
        raise ConfigError(
            f"{path} is not that of a scan: it does not say format = {_FORMAT!r}; name a folder "
            "that `landscape scan` wrote"
        )
    if description.get("schema") != SCHEMA:
        raise ConfigError(
            f"the folder {path.parent} was written with schema {description.get('schema')}, and "
            f"this version reads and writes schema {SCHEMA}; choose another folder with --out"
        )
    lacking = [key for key in KEYS if key not in description]
    if lacking or not isinstance(description["config"], dict):
        what = f"it lacks {', '.join(lacking)}" if lacking else "its config is no table"
        raise ConfigError(f"{path} is damaged: {what}; {RESTORE}")
    return description


def now() -> str:
    """The time, to the second, in UTC and ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
