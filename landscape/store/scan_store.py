"""A scan's folder: every cell in files of its own, whole or absent, resumed by running again."""

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

from landscape.config.canonical import SCHEMA
from landscape.config.cell import CellConfig
from landscape.config.scan import ScanConfig
from landscape.errors import ConfigError
from landscape.store.atomic import flush, is_temporary, locked, publish, sweep, temporary
from landscape.store.cell_files import fingerprint, write_tree, write_weights
from landscape.store.manifest import RESTORE, now, read_manifest, write_manifest
from landscape.store.records import Damage, Record, read_record, text_of
from landscape.store.trainings import Failure, Trainings
from landscape.version import __version__

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Status:
    """How far a scan is: cells done, cells still to do, and cells set aside as damaged.

    Fields:
        done, pending, quarantined: numbers of cells.
        damaged: by id, what is wrong with finished cells that are still in their place; they are
            counted as still to do.
        failed: by id, why cells could not be measured; they are still to do as well.
        trained: how many cells to do have their training kept, and will not be trained again.
        unvouched: how many of the finished cells have a record of 0.1.0, without a digest.
        checked: whether every digest was compared; False where names of files were counted.
    """

    done: int
    pending: int
    quarantined: int
    damaged: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, Failure] = field(default_factory=dict)
    trained: int = 0
    unvouched: int = 0
    checked: bool = True


CHECKED_BY_DEFAULT = 1000
"""Cells up to which a status compares every digest without being asked: in seconds."""

ENTRIES = ("id", "schema", "version", "created_at", "seed", "coordinates", "scalars", "files")
"""Of a record of 0.1.0, which has no digest."""


class ScanStore:
    """The folder of one scan.

    ::

        scan.json                   configuration, axes, versions
        cells/<id>.nc               labelled results, an xarray DataTree
        cells/<id>.json             scalars; written last, so that its presence marks the cell done
        weights/<id>.safetensors    named arrays
        training/<id>.*             finished training whose cell is not measured: `Trainings`
        quarantine/<id>-<k>/        files that are not what they claim to be, with the reason

    Any number of processes may write one folder. Where two of them finish the same cell, the first
    is kept whole. Nothing is ever left half-written under these names.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.trainings = Trainings(self.path / "training")

    def open_or_create(self, config: ScanConfig, versions: Mapping[str, str]) -> "ScanStore":
        """Make the folder, or resume the one that holds the same configuration.

        `versions`, of the packages that compute, is recorded by the first run. Raises ConfigError
        if the folder holds another scan (with the difference) or something else, or is read-only.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._refuse_foreign(config)
            with locked(self._lock):
                if not self._scan.exists():
                    write_manifest(self._scan, config, versions)
            for folder in self._folders:
                if os.path.lexists(folder) and not folder.is_dir():
                    place = self._aside(
                        folder.name, "in place of a folder there was something else", [folder]
                    )
                    _log.warning("%s is no folder; moved to %s", folder, place)
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
            prints = _write_files(names, tree, stamp, weights)
            record = {**stamp, "coordinates": cell.coordinates, "scalars": scalars, "files": prints}
            names["scalars"].write_text(text_of(record), "utf-8")
            flush(names["scalars"])
            with locked(self._lock):
                if not self.done(cell.id):
                    self._clear(cell.id)
                    for key in ("tree", "weights", "scalars"):
                        publish(names[key], finals[key])
                self.trainings.drop(cell.id)

    def write_failed(
        self, cell: CellConfig, tree: xr.DataTree, weights: Mapping[str, Any], reason: str
    ) -> None:
        """Store what there is of a cell that could not be measured, and why; it is not done."""
        stamp = {"id": cell.id, "schema": SCHEMA, "version": __version__, "created_at": now()}
        finals = self._files(cell.id)
        with _explained(cell.id), ExitStack() as stack:
            names = {
                key: stack.enter_context(temporary(finals[key])) for key in ("tree", "weights")
            }
            prints = _write_files(names, tree, {**stamp, "failed": reason}, weights)
            with locked(self._lock):
                if not self.done(cell.id):
                    self._clear(cell.id)
                    for key in ("tree", "weights"):
                        publish(names[key], finals[key])
                    self.trainings.fail(cell.id, reason, prints)

    def done(self, cell_id: str) -> bool:
        """Whether the cell has been finished (what its files hold is for `check` to say)."""
        return os.path.lexists(self._files(cell_id)["scalars"])

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

    def status(self, *, check: bool | None = None) -> Status:
        """How far the folder's configuration is; nothing is moved.

        Args:
            check: whether to compare every digest, as a scan does before it goes on, or to count
                records by their names; None compares up to `CHECKED_BY_DEFAULT` cells.
        """
        self.refuse_no_folder()
        cells = self.config.cells()
        begun = [cell.id for cell in cells if self.done(cell.id)]
        check = len(begun) <= CHECKED_BY_DEFAULT if check is None else check
        faults = {key: self.fault(key) if check else None for key in begun}
        damaged = {key: fault for key, fault in faults.items() if fault is not None}
        sound = [key for key in begun if key not in damaged]
        todo = {cell.id for cell in cells} - set(sound)
        return Status(
            done=len(sound),
            pending=len(todo),
            quarantined=self.quarantined,
            damaged=damaged,
            failed={key: why for key in todo if (why := self.failure(key)) is not None},
            trained=sum(self.trainings.recall(key) is not None for key in todo),
            unvouched=sum(not self.record(key).vouched for key in sound) if check else 0,
            checked=check,
        )

    @property
    def _folders(self) -> tuple[Path, ...]:
        return self.path / "cells", self.path / "weights", self.trainings.path

    def refuse_no_folder(self) -> None:
        """Raise ConfigError where something else lies in the place of a folder of the scan."""
        for folder in self._folders:
            if os.path.lexists(folder) and not folder.is_dir():
                raise ConfigError(
                    f"{folder} is no folder; run the scan again, which sets aside what is damaged"
                )

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

    def _refuse_foreign(self, config: ScanConfig) -> None:
        if os.path.lexists(self._scan):
            try:
                _ = self.description
            except ConfigError as error:
                self._restore(config, error)
            return
        foreign = [p for p in self.path.iterdir() if not is_temporary(p) and p != self._lock]
        # Looked at again: another process may have made the scan in between.
        if foreign and not self._scan.exists() and not self._fits(config):
            raise ConfigError(
                f"the folder {self.path} is not empty and is not the folder of a scan (it holds "
                f"{min(p.name for p in foreign)}); choose a new folder with --out"
            )

    def _restore(self, config: ScanConfig, error: ConfigError) -> None:
        """Set a damaged scan.json aside, to be written anew, if the cells are those of `config`."""
        if not self._fits(config):
            raise error
        with locked(self._lock):
            place = self._aside("scan", str(error), [self._scan])
        _log.warning("%s; moved to %s, and written anew", error, place)

    def _fits(self, config: ScanConfig) -> bool:
        """Whether there are cells in the folder, and all of them a configuration's own."""
        found = {path.stem for path in (self.path / "cells").glob("[!.]*.json")}
        return bool(found) and found <= {cell.id for cell in config.cells()}

    def record(self, cell_id: str) -> Record:
        """The record of a finished cell; raises Damage if there is none that is whole."""
        return read_record(self._files(cell_id)["scalars"], ENTRIES)

    def fault(self, cell_id: str) -> str | None:
        """What is wrong with the files of a finished cell, in words; None if they are sound.

        The record is held to its own digest, and the files to the record (SHA-256 and size);
        nothing is moved.
        """
        try:
            record = self.record(cell_id).entries
            claims = {key: record[key] for key in ("id", "schema", "scalars", "files")}
            prints = {key: claims["files"][key] for key in ("tree", "weights")}
        except Damage as damage:
            return f"its record cannot be believed: {damage}"
        except (KeyError, TypeError):
            return "its record lacks what a record has"
        if claims["id"] != cell_id:
            return f"its record is that of another cell ({claims['id']})"
        if claims["schema"] != SCHEMA:
            return f"its record has schema {claims['schema']}, not {SCHEMA}"
        return self._faulty(cell_id, prints)

    def signature(self, cell_id: str) -> tuple[object, ...]:
        """What differs as soon as a file of a cell is written anew: size, inode and time."""
        found: list[tuple[int, int, int] | None] = []
        for path in self._files(cell_id).values():
            try:
                known = path.lstat()
                found.append((known.st_size, known.st_ino, known.st_mtime_ns))
            except OSError:
                found.append(None)
        return tuple(found)

    def failure(self, cell_id: str) -> Failure | None:
        """Why a cell could not be measured, if what there is of it is what was written."""
        try:
            record = self.trainings.record(cell_id)
        except Damage:
            return None
        if record["reason"] is None:
            return None
        prints = {key: record["files"].get(key) for key in ("tree", "weights")}
        return Failure(record["reason"], self._faulty(cell_id, prints) is None)

    def _faulty(self, cell_id: str, prints: Mapping[str, Any]) -> str | None:
        """How a cell's files differ from what a record says of them; None if they do not."""
        for key, expected in prints.items():
            path, label = self._files(cell_id)[key], "results" if key == "tree" else key
            if not path.exists():
                return f"its file of {label} is missing"
            if not path.is_file():
                return f"in place of its file of {label} there is something else"
            try:
                found = fingerprint(path)
            except OSError as error:
                return f"its file of {label} cannot be read ({error.strerror or error})"
            if found != expected:
                return (
                    f"its file of {label} is not the one that was written (SHA-256 or size differ)"
                )
        return None

    def _clear(self, cell_id: str) -> None:
        """Set aside whatever lies in the place of a cell's files and is no file."""
        wrong = [p for p in self._files(cell_id).values() if os.path.lexists(p) and not p.is_file()]
        if wrong:
            self._aside(cell_id, "in place of a file there was something else", wrong)

    def _quarantine(self, cell_id: str, reason: str) -> Path:
        # The record goes first: without it the cell is not done, wherever this is interrupted.
        files = self._files(cell_id)
        return self._aside(cell_id, reason, [files[key] for key in ("scalars", "tree", "weights")])

    def _aside(self, name: str, reason: str, paths: Iterable[Path]) -> Path:
        aside = self.path / "quarantine"
        place = next(p for k in count(1) if not (p := aside / f"{name}-{k}").exists())
        place.mkdir(parents=True)
        (place / "reason.txt").write_text(f"{now()} {reason}\n", "utf-8")
        for path in paths:
            if os.path.lexists(path):
                os.replace(path, place / path.name)
        return place


def _write_files(
    names: Mapping[str, Path],
    tree: xr.DataTree,
    attributes: Mapping[str, Any],
    weights: Mapping[str, Any],
) -> dict[str, dict[str, Any]]:
    """Write the arrays of a cell to the disk; what is to be said of the files in a record."""
    write_tree(names["tree"], tree, attributes)
    write_weights(names["weights"], weights)
    for key in ("tree", "weights"):
        flush(names[key])
    return {key: fingerprint(names[key]) for key in ("tree", "weights")}


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
