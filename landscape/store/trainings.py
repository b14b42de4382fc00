"""Finished training, kept until its cell is measured, and why a cell could not be."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from landscape.config.canonical import SCHEMA
from landscape.store.atomic import flush, publish, temporary
from landscape.store.cell_files import fingerprint, read_weights, write_weights
from landscape.store.manifest import now
from landscape.store.records import Damage, read_record, text_of
from landscape.version import __version__

KEEPS = ("id", "schema", "version", "created_at", "parts", "reason", "files")


@dataclass(frozen=True)
class Failure:
    """Why a cell was not measured, and whether its training is kept.

    Fields:
        reason: the type and the message of what was raised.
        trained: whether curves, end points and weights of its runs can be read all the same.
    """

    reason: str
    trained: bool


class Trainings:
    """The trainings of a scan whose cells are not measured yet.

    ::

        training/<id>.safetensors   the arrays of a `Trajectory`
        training/<id>.json          the rest of it, and why the measurement failed, if it did

    A training is whole if its record vouches for itself and for the file beside it; any other is
    taken for none, and the runs train again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def keep(self, cell_id: str, arrays: Mapping[str, Any], parts: Mapping[str, Any]) -> None:
        """Store what `Trajectory.parts` gives, whole or not at all; the record comes last."""
        with ExitStack() as stack:
            file, record = (
                stack.enter_context(temporary(self._file(cell_id, kind)))
                for kind in ("safetensors", "json")
            )
            write_weights(file, arrays)
            self._write(cell_id, record, parts, None, {"arrays": fingerprint(file)})
            flush(file)
            publish(file, self._file(cell_id, "safetensors"))
            publish(record, self._file(cell_id, "json"))

    def recall(self, cell_id: str) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """What was kept of a cell, for `Trajectory.of_parts`; None if that is nothing whole."""
        try:
            record, file = self.record(cell_id), self._file(cell_id, "safetensors")
            if not record["files"] or fingerprint(file) != record["files"]["arrays"]:
                return None
            return read_weights(file), record["parts"]
        except (Damage, OSError, ValueError, KeyError, TypeError):
            return None

    def fail(self, cell_id: str, reason: str, files: Mapping[str, Any]) -> None:
        """Note why a cell was not measured, and what its own files then hold."""
        try:
            known = self.record(cell_id)
        except Damage:
            known = {"parts": {}, "files": {}}
        path = self._file(cell_id, "json")
        with temporary(path) as name:
            self._write(cell_id, name, known["parts"], reason, {**known["files"], **files})
            publish(name, path)

    def drop(self, cell_id: str) -> None:
        """Forget a training: its cell is measured. The record goes first."""
        for kind in ("json", "safetensors"):
            self._file(cell_id, kind).unlink(missing_ok=True)

    def record(self, cell_id: str) -> dict[str, Any]:
        """The record of a training; raises Damage for none that is whole and its own."""
        entries = read_record(self._file(cell_id, "json"), ()).entries
        if entries.keys() != set(KEEPS) or (entries["id"], entries["schema"]) != (cell_id, SCHEMA):
            raise Damage("it is the record of something else")
        return entries

    def ids(self) -> Iterator[str]:
        """Of the cells of which something is kept."""
        yield from sorted(path.stem for path in self.path.glob("[!.]*.json"))

    def _file(self, cell_id: str, suffix: str) -> Path:
        return self.path / f"{cell_id}.{suffix}"

    def _write(
        self,
        cell_id: str,
        name: Path,
        parts: Mapping[str, Any],
        reason: str | None,
        files: Mapping[str, Any],
    ) -> None:
        values = (cell_id, SCHEMA, __version__, now(), parts, reason, files)
        name.write_text(text_of(dict(zip(KEEPS, values, strict=True))), "utf-8")
        flush(name)
