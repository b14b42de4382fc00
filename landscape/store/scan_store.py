"""A scan's folder: every cell in files of its own, whole or absent, resumed by running again."""

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import xarray as xr

from landscape.config.canonical import SCHEMA, dumps
from landscape.config.cell import CellConfig
from landscape.config.scan import ScanConfig
from landscape.errors import ConfigError
from landscape.store.atomic import flush, is_temporary, locked, publish, sweep, temporary
from landscape.store.cell_files import fingerprint, write_tree, write_weights
from landscape.store.manifest import RESTORE, now, read_manifest, write_manifest
from landscape.version import __version__

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Status:
    """How far a scan is: cells done, cells still to do, and cells set aside as damaged.

    `damaged` says, by id, what is wrong with finished cells that are still in their place; they are
    counted as still to do.
    """

    done: int
    pending: int
    quarantined: int
    damaged: Mapping[str, str] = field(default_factory=dict)


class ScanStore:
    """The folder of one scan.

    ::

        scan.json                   configuration, axes, versions
        cells/<id>.nc               labelled results, an xarray DataTree
        cells/<id>.json             scalars; written last, so that its presence marks the cell done
        weights/<id>.safetensors    named arrays
        quarantine/<id>-<k>/        files that are not what they claim to be, with the reason

    Any number of processes may write one folder. Where two of them finish the same cell, the first
    is kept whole. Nothing is ever left half-written under these names.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def open_or_create(self, config: ScanConfig, versions: Mapping[str, str]) -> "ScanStore":
        """Make the folder, or resume the one that holds the same configuration.

        `versions`, of the packages that compute, is recorded by the first run. Raises ConfigError
        if the folder holds another scan (with the difference) or something else, or is read-only.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._refuse_foreign()
            with locked(self._lock):
                if not self._scan.exists():
                    write_manifest(self._scan, config, versions)
            for folder in (self.path / "cells", self.path / "weights"):
                folder.mkdir(exist_ok=True)
                sweep(folder)
                with temporary(folder / "probe") as probe:
                    probe.touch()
        except OSError as error:
            raise ConfigError(
                f"the folder {self.path} cannot be written: {error.strerror or error}; choose "
                "another one with --out"
            ) from None
        difference = config.difference(self.config)
        if difference:
            lines = "\n  ".join(difference)
            raise ConfigError(
                f"the folder {self.path} holds another scan:\n  {lines}\nchoose another folder "
                "with --out, or run the configuration it holds"
            )
        return self

    @cached_property
    def config(self) -> ScanConfig:
        """The configuration that the folder holds; raises ConfigError if it holds none."""
        written = self.description["config"]
        try:
            return ScanConfig(**written)
        except ConfigError as error:
            why = f"{self._scan} holds a configuration that cannot be used; {RESTORE}"
            raise ConfigError(why, *error.refusals) from None

    @cached_property
    def description(self) -> dict[str, Any]:
        """What scan.json says: name, hash, config, axes, versions; raises ConfigError if none."""
        return read_manifest(self._scan)

    def write_cell(
        self,
        cell: CellConfig,
        tree: xr.DataTree,
        scalars: Mapping[str, Any],
        weights: Mapping[str, Any],
    ) -> None:
        """Store a finished cell: its tree, its scalars and its weights (arrays or torch tensors).

        NaN and infinite scalars are stored as null. Raises OSError, leaving the cell not done and
        nothing half-written, if the disk is full or fails. Does nothing if the cell is done.
        """
        stamp = {
            "id": cell.id,
            "schema": SCHEMA,
            "version": __version__,
            "created_at": now(),
            "seed": cell.train.seed,
        }
        finals = self._files(cell.id)
        with _explained(cell.id), ExitStack() as stack:
            names = {key: stack.enter_context(temporary(path)) for key, path in finals.items()}
            write_tree(names["tree"], tree, stamp)
            write_weights(names["weights"], weights, cell.id)
            record = {
                **stamp,
                "coordinates": cell.coordinates,
                "scalars": scalars,
                "files": {key: fingerprint(names[key]) for key in ("tree", "weights")},
            }
            names["scalars"].write_text(dumps(record), "utf-8")
            for name in names.values():
                flush(name)
            with locked(self._lock):
                if not self.done(cell.id):
                    for key in ("tree", "weights", "scalars"):
                        publish(names[key], finals[key])

    def done(self, cell_id: str) -> bool:
        """Whether the cell has been finished (what its files hold is for `check` to say)."""
        return self._files(cell_id)["scalars"].exists()

    def check(self, cell: CellConfig) -> str | None:
        """Compare a finished cell's files with what was written; the reason if they are set aside.

        A cell whose files are damaged, or belong to another cell or schema, is moved to quarantine/
        with the reason, logged as a warning, and counts as not done. None: sound, or not done yet.
        """
        with locked(self._lock):
            reason = self.fault(cell.id) if self.done(cell.id) else None
            if reason is not None:
                place = self._quarantine(cell.id, reason)
                _log.warning("cell %s: %s; moved to %s, to be run again", cell.id, reason, place)
        return reason

    def pending(self, cells: Iterable[CellConfig]) -> tuple[CellConfig, ...]:
        """Those of the cells that are to be run: not done, or found damaged by `check`."""
        return tuple(cell for cell in cells if self.check(cell) or not self.done(cell.id))

    def status(self) -> Status:
        """How many cells of the folder's configuration are done and sound; nothing is moved."""
        cells = self.config.cells()
        faults = {cell.id: self.fault(cell.id) for cell in cells if self.done(cell.id)}
        damaged = {key: fault for key, fault in faults.items() if fault is not None}
        done = len(faults) - len(damaged)
        return Status(done, len(cells) - done, self.quarantined, damaged)

    @property
    def quarantined(self) -> int:
        """How many damaged cells have been set aside."""
        aside = self.path / "quarantine"
        return len(list(aside.iterdir())) if aside.exists() else 0

    @property
    def _scan(self) -> Path:
        return self.path / "scan.json"

    @property
    def _lock(self) -> Path:
        return self.path / ".lock"

    def _files(self, cell_id: str) -> dict[str, Path]:
        return {
            "tree": self.path / "cells" / f"{cell_id}.nc",
            "weights": self.path / "weights" / f"{cell_id}.safetensors",
            "scalars": self.path / "cells" / f"{cell_id}.json",
        }

    def _refuse_foreign(self) -> None:
        if self._scan.exists():
            return
        foreign = [p for p in self.path.iterdir() if not is_temporary(p) and p != self._lock]
        # Looked at again: another process may have made the scan in between.
        if foreign and not self._scan.exists():
            raise ConfigError(
                f"the folder {self.path} is not empty and is not the folder of a scan (it holds "
                f"{min(p.name for p in foreign)}); choose a new folder with --out"
            )

    def fault(self, cell_id: str) -> str | None:
        """What is wrong with the files of a finished cell, in words; None if they are sound.

        They are compared with what was written (SHA-256 and size), and nothing is moved.
        """
        files = self._files(cell_id)
        try:
            record = json.loads(files["scalars"].read_text("utf-8"))
            claims = {key: record[key] for key in ("id", "schema", "scalars", "files")}
            prints = {key: claims["files"][key] for key in ("tree", "weights")}
        except (OSError, ValueError, KeyError, TypeError):
            return "its record cannot be read"
        if claims["id"] != cell_id:
            return f"its record is that of another cell ({claims['id']})"
        if claims["schema"] != SCHEMA:
            return f"its record has schema {claims['schema']}, not {SCHEMA}"
        for key, expected in prints.items():
            label = "results" if key == "tree" else key
            if not files[key].exists():
                return f"its file of {label} is missing"
            if not files[key].is_file():
                return f"in place of its file of {label} there is something else"
            if fingerprint(files[key]) != expected:
                return (
                    f"its file of {label} is not the one that was written (SHA-256 or size differ)"
                )
        return None

    def _quarantine(self, cell_id: str, reason: str) -> Path:
        aside = self.path / "quarantine"
        place = next(p for k in count(1) if not (p := aside / f"{cell_id}-{k}").exists())
        place.mkdir(parents=True)
        (place / "reason.txt").write_text(f"{now()} {reason}\n", "utf-8")
        # The record goes first: without it the cell is not done, wherever this is interrupted.
        for key in ("scalars", "tree", "weights"):
            path = self._files(cell_id)[key]
            if path.exists():
                os.replace(path, place / path.name)
        return place


@contextmanager
def _explained(cell_id: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(
            error.errno,
            f"the cell {cell_id} could not be written: {error.strerror or error}. Finished cells "
            "are kept and nothing half-written is left; make room, then run the same command again",
        ) from error
