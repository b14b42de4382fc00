"""One record, as JSON on stdout or as something for people to read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click


def emit(record: dict[str, Any], as_json: bool, terminal: Callable[[dict[str, Any]], None]) -> None:
    """Print the record: strict JSON (NaN and infinity are null), or what `terminal` makes of it."""
    if as_json:
        from landscape.canonical import jsonable

        click.echo(json.dumps(jsonable(record), allow_nan=False))
    else:
        terminal(record)
