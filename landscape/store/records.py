"""A JSON record that vouches for itself, by the SHA-256 of its own content."""

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landscape.config.canonical import dumps, jsonable, sha256

DIGEST = "digest"
"""Name of the digest among the entries that it is of."""

LONGEST = 2**28
"""Bytes of a record that are read at all."""


class Damage(ValueError):
    """What a file holds is not what was written, and why that is known."""


@dataclass(frozen=True)
class Record:
    """The entries of a record, and whether a digest vouches for them: not in files of 0.1.0."""

    entries: dict[str, Any]
    vouched: bool


def text_of(entries: Mapping[str, Any]) -> str:
    """The text of a record with the digest of its entries.

    The digest is the SHA-256 of their canonical JSON: keys sorted, no spaces, numbers by `repr`.

    >>> "digest" in json.loads(text_of({"loss": 0.5}))
    True
    """
    written = jsonable(entries)
    return dumps({**written, DIGEST: sha256(json.loads(dumps(written)))})


def read_record(path: Path, old: Collection[str]) -> Record:
    """The entries of a record that is whole.

    Args:
        path: of the file.
        old: names of the entries of a record of 0.1.0, which had no digest; a record without one is
            taken for such only if it has these and no others, so that no damage to a digest's name
            makes a new record an old one.

    Raises:
        Damage: for whatever is not a file with a whole record; a missing one too.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "record.json")
    >>> _ = path.write_text(text_of({"loss": 0.5}).replace("0.5", "0.6"))
    >>> read_record(path, ("loss",))
    Traceback (most recent call last):
        ...
    landscape.store.records.Damage: its content is not what its digest vouches for
    """
    if not path.is_file():  # nor is a directory, a device or a pipe read
        raise Damage("it is no file" if os.path.lexists(path) else "it is missing")
    if path.stat().st_size > LONGEST:
        raise Damage(f"it is larger than {LONGEST} bytes")
    try:
        found = json.loads(path.read_text("utf-8"))
    except RecursionError:
        raise Damage("it is nested too deeply to be a record") from None
    except OSError as error:
        raise Damage(f"it cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise Damage("it is not JSON") from error
    if not isinstance(found, dict):
        raise Damage("it is not a JSON object")
    if DIGEST not in found:
        if set(found) != set(old):
            raise Damage("it has no digest, and is not a record of version 0.1.0 either")
        return Record(found, vouched=False)
    entries = {name: value for name, value in found.items() if name != DIGEST}
    try:
        whole = found[DIGEST] == sha256(entries)
    except (ValueError, RecursionError):  # NaN and infinity, which no record holds
        whole = False
    if not whole:
        raise Damage("its content is not what its digest vouches for")
    return Record(entries, vouched=True)
