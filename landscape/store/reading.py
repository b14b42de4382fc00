"""The one reader of a scan's folder: opened once; scalars, arrays by name, selections, tables."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from landscape.config.canonical import jsonable
from landscape.config.cell import CellConfig
from landscape.config.reading import SETTINGS, get, read_value
from landscape.config.scan import ScanConfig
from landscape.config.section import Section
from landscape.errors import ConfigError, nearest, refused
from landscape.store.cell_files import arrays_of, dataset_of, read_tree, read_weights, values_of
from landscape.store.scan_store import ScanStore
from landscape.store.trainings import Failure

if TYPE_CHECKING:
    import pandas
    import xarray

_log = logging.getLogger(__name__)


@dataclass(frozen=True, repr=False)
class StoredScan:
    """What a scan's folder held when it was opened: all of its cells, or those of a selection.

    `len` counts the cells, and iteration goes over them. Whatever reads a cell raises ConfigError
    if the cell is not finished, cannot be read, or has the file of another cell in its place.

    Fields:
        folder: the store that was opened.
        config: the configuration, parsed once.
        cells: the cells that are read, in the order of the configuration.
        finished: ids of the cells of the folder that were done.
        failed: by id, why cells could not be measured; what their training came to can be read.
    """

    folder: ScanStore
    config: ScanConfig
    cells: tuple[CellConfig, ...]
    finished: frozenset[str]
    failed: Mapping[str, Failure] = field(default_factory=dict, compare=False)
    _records: dict[str, dict[str, Any]] = field(default_factory=dict, compare=False)
    _faults: dict[str, tuple[object, str | None]] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, folder: ScanStore, config: ScanConfig | None = None) -> StoredScan:
        """What a store holds now, by its own configuration or by an equal one that is at hand."""
        folder.refuse_no_folder()
        config = config or folder.config
        marks = (folder.path / "cells").glob("*.json")
        finished = frozenset(mark.stem for mark in marks)
        begun = [key for key in folder.trainings.ids() if key not in finished]
        failed = {key: why for key in begun if (why := folder.failure(key)) is not None}
        return cls(folder, config, config.cells(), finished, failed)

    def __repr__(self) -> str:
        done = sum(map(self.done, self.cells))
        return f"StoredScan({str(self.path)!r}, {len(self.cells)} cells, {done} done)"

    def __len__(self) -> int:
        return len(self.cells)

    def __bool__(self) -> bool:
        return True  # a scan, however many cells are left of it

    def __iter__(self) -> Iterator[CellConfig]:
        return iter(self.cells)

    @property
    def path(self) -> Path:
        """The folder."""
        return self.folder.path

    @cached_property
    def axes(self) -> dict[str, tuple[Any, ...]]:
        """The values that the cells have on each axis, by the axis's dotted name.

        >>> import tempfile
        >>> config = ScanConfig(source={"p": 0.5}, axes={"source.q": [0.3, 0.8]})
        >>> stored = StoredScan.of(ScanStore(tempfile.mkdtemp()).open_or_create(config, {}))
        >>> {name: [float(value) for value in values] for name, values in stored.axes.items()}
        {'source.q': [0.3, 0.8]}
        >>> len(stored), [float(cell.source.q) for cell in stored]
        (2, [0.3, 0.8])
        """
        return {
            name: tuple(dict.fromkeys(cell.coordinates[name] for cell in self.cells))
            for name in self.config.axes
        }

    @cached_property
    def labels(self) -> dict[str, str]:
        """A name for each axis: the last part of its dotted name, or all where two end alike."""
        known = [*(name.rpartition(".")[2] for name in self.config.axes), "seed"]  # of a run
        pairs = zip(self.config.axes, known, strict=False)
        return {name: last if known.count(last) == 1 else name for name, last in pairs}

    def done(self, cell: CellConfig) -> bool:
        """Whether a cell was finished."""
        return cell.id in self.finished

    def record(self, cell: CellConfig) -> dict[str, Any]:
        """The JSON record of a finished cell: id, created_at, coordinates, scalars, files."""
        if cell.id not in self._records:
            with self._read(cell, "cells", "json"):
                self._records[cell.id] = self.folder.record(cell.id).entries
        return self._records[cell.id]

    def scalars(self, cell: CellConfig) -> dict[str, Any]:
        """The scalars of a finished cell."""
        return dict(self.record(cell)["scalars"])

    def arrays(self, cell: CellConfig, *names: str) -> list[np.ndarray]:
        """Arrays of a finished cell by name, such as "training/loss"; nothing else is read.

        Raises ConfigError for a name that the cell has no array of; the message says which it has.
        """
        with self.opened(cell) as file:
            unknown = [n for n in names if not isinstance(file.get(n), h5py.Dataset)]
            known = arrays_of(file) if unknown else []
            found = [] if unknown else [values_of(file[name].id) for name in names]
        for name in unknown:
            why = f"the cell {cell.id[:8]} has no array of this name; it has {_by_group(known)}"
            raise refused("array", name, why=why, hint=nearest(name, known, separator="/"))
        return found

    def groups(self, cell: CellConfig, *names: str) -> dict[str, xarray.Dataset]:
        """Groups of a finished cell by name, such as "slices/unigram", each labelled, in memory.

        A group that the cell has not is left out.
        """
        with self.opened(cell) as file:
            return {name: dataset_of(file[name]) for name in names if name in file}

    def tree(self, cell: CellConfig) -> xarray.DataTree:
        """All groups of a finished cell, in memory."""
        with self._read(cell, "cells", "nc") as path:
            return read_tree(path)

    def weights(self, cell: CellConfig) -> dict[str, np.ndarray]:
        """The weights of a finished cell."""
        with self._read(cell, "weights", "safetensors") as path:
            return read_weights(path)

    def select(self, select: Mapping[str, Any] | None) -> StoredScan:
        """The same folder with the cells that have these values of settings.

        A name is any setting, whether the scan varies it or not. A value is compared as the
        configuration reads it, in exact arithmetic: ".5", "0.50" and 0.5 are one number.

        Raises ConfigError for a name that is no setting, or a value that no cell has; the message
        says which there are.

        >>> import tempfile
        >>> config = ScanConfig(source={"p": 0.5}, axes={"source.q": [0.3, 0.8]})
        >>> stored = StoredScan.of(ScanStore(tempfile.mkdtemp()).open_or_create(config, {}))
        >>> len(stored.select({"source.q": ".80", "train.lr": 2e-3}).cells)
        1
        """
        cells = self.cells
        for name, value in (select or {}).items():
            if name not in SETTINGS:
                axes = f"the axes of this scan are {', '.join(self.config.axes) or 'none'}"
                hint = nearest(name, SETTINGS) or axes
                raise refused(f"select {name}", why="there is no such setting", hint=hint)
            known = list(dict.fromkeys(_shown(get(cell, name)) for cell in cells))
            left = tuple(cell for cell in cells if same_value(value, get(cell, name)))
            if not left:
                rest = f" of the {len(cells)} that the others leave"
                among = "" if len(cells) == len(self.cells) else rest
                near = filter(None, (", ".join(known), nearest(str(value), known)))
                hint = f"choose from {'; '.join(near)}"
                raise refused(f"select {name}", value, why=f"no cell{among} has it", hint=hint)
            cells = left
        return replace(self, cells=cells)

    def only(self, select: Mapping[str, Any]) -> CellConfig:
        """The one cell that `select` leaves; raises ConfigError as it does, or for several."""
        cells = self.select(select).cells
        if len(cells) != 1:
            raise ConfigError(
                f"{dict(select)} selects {len(cells)} cells of {self.config.name}; select one by "
                f"values of the axes {', '.join(self.config.axes)}"
            )
        return cells[0]

    def readable(self) -> Iterator[CellConfig]:
        """The cells that are finished and sound; a damaged one is left out, and named.

        Sound are files that are what was written, by the same check that `landscape status` makes.
        """
        for cell in filter(self.done, self.cells):
            fault = self.fault(cell)
            if fault is None:
                yield cell
            else:
                _log.warning("%s; it is left out", self._damage(cell, fault))

    def fault(self, cell: CellConfig) -> str | None:
        """What is wrong with a finished cell's files, in words; None if they are sound.

        They are compared with what was written when they are first read, and again if they change.
        """
        now = self.folder.signature(cell.id)
        if self._faults.get(cell.id, (None, None))[0] != now:
            self._faults[cell.id] = now, self.folder.fault(cell.id)
        return self._faults[cell.id][1]

    def place(self, cell: CellConfig) -> dict[str, Any]:
        """A cell's values on the axes, and of p and q, by label; numbers as numbers."""
        found = {self.labels[name]: value for name, value in cell.coordinates.items()}
        own = {"p": cell.source.p, "q": cell.source.q}
        found = {**{k: v for k, v in own.items() if v is not None and k not in found}, **found}
        return {k: float(v) if isinstance(v, Decimal | Fraction) else v for k, v in found.items()}

    def rows(self, cell: CellConfig) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The scalars of a finished cell by flat name: those of the cell, and those of each run.

        Those of a point are "unigram.max_error" and so on; an inertia is three counts.
        """
        whole: dict[str, Any] = {}
        runs = [{"seed": cell.train.seed + k} for k in range(cell.train.seeds)]
        for name, value in self.scalars(cell).items():
            if isinstance(value, list):
                for run, item in zip(runs, value, strict=True):
                    run[name] = item
            elif name != "points":
                whole[name] = value
        for kind, point in self.scalars(cell).get("points", {}).items():
            ends = {end["seed"]: end for end in point.get("runs", ())}
            for run in runs:
                run |= _flat(kind, ends.get(run["seed"], {}))
            whole |= _flat(kind, {} if ends else point)
        return whole, runs

    def to_dataframe(self) -> pandas.DataFrame:
        """A row for each run of each finished cell: id, place, seed, and every scalar.

        Losses are in nats, eigenvalues in nats per squared parameter. What was not measured, and a
        loss that is not finite, is NaN.

        >>> import tempfile
        >>> config = ScanConfig(source={"p": 0.5, "q": 0.8})
        >>> StoredScan.of(ScanStore(tempfile.mkdtemp()).open_or_create(config, {})).to_dataframe()
        Empty DataFrame
        Columns: []
        Index: []
        """
        import pandas

        found = []
        for cell in self.readable():
            whole, runs = self.rows(cell)
            found += [{"id": cell.id, **self.place(cell), **run, **whole} for run in runs]
        frame = pandas.DataFrame(found)
        return frame.astype(dict.fromkeys((k for k in frame if frame[k].isna().all()), float))

    def to_tree(self, *groups: str) -> xarray.DataTree:
        """One labelled tree over the axes, of some groups or all: `landscape.store.cube.cube`."""
        from landscape.store.cube import cube

        return cube(self, groups)

    @contextmanager
    def opened(self, cell: CellConfig) -> Iterator[h5py.File]:
        """The file of a finished cell's arrays; what is wrong with it is raised as ConfigError."""
        with self._read(cell, "cells", "nc") as path, h5py.File(path, "r") as file:
            yield file

    def _damage(self, cell: CellConfig, why: object) -> ConfigError:
        return ConfigError(
            f"the cell {cell.id[:8]} of {self.path} cannot be read ({why}); run the scan again, "
            "which sets aside what is damaged"
        )

    @contextmanager
    def _read(self, cell: CellConfig, folder: str, suffix: str) -> Iterator[Path]:
        """A file of a finished cell; what is wrong with any of them is raised as ConfigError.

        Of a cell that could not be measured, what its training came to can be read.
        """
        failure = None if self.done(cell) else self.failed.get(cell.id)
        if not self.done(cell) and (failure is None or not failure.trained or suffix == "json"):
            why = "" if failure is None else f" (it failed: {failure.reason})"
            raise ConfigError(
                f"the cell {cell.id} is not finished in {self.path}{why}; run the scan again to "
                "complete it"
            )
        if self.done(cell) and (fault := self.fault(cell)) is not None:
            raise self._damage(cell, fault)
        try:
            yield self.path / folder / f"{cell.id}.{suffix}"
        except ConfigError:
            raise
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise self._damage(cell, error) from error


def open_scan(path: Path | str) -> StoredScan:
    """Open the folder of a scan, finished or not, to read it.

    What is finished later is not seen: open it again. Raises ConfigError if `path` holds no scan.

    >>> import tempfile
    >>> config = ScanConfig(source={"p": 0.5}, axes={"source.q": [0.3, 0.8]})
    >>> store = ScanStore(tempfile.mkdtemp()).open_or_create(config, {})
    >>> stored = open_scan(store.path)
    >>> len(stored.cells), len(stored.finished)
    (2, 0)
    """
    return StoredScan.of(ScanStore(path))


def collect(path: Path | str, *, select: Mapping[str, Any] | None = None) -> xarray.DataTree:
    """A scan as one labelled tree over its axes: p, q, tying, seed and so on.

    Every scalar lies at the root, the groups of the cells' files below it; see
    `landscape.store.cube.cube`. `select` holds settings at values, as `StoredScan.select` does.
    Raises ConfigError if the folder `path` holds no scan, and as `select` does.

    >>> import tempfile
    >>> config = ScanConfig(source={"p": 0.5}, axes={"source.q": [0.3, 0.8]})
    >>> store = ScanStore(tempfile.mkdtemp()).open_or_create(config, {})
    >>> collect(store.path).coords["q"].values.tolist()
    [0.3, 0.8]
    """
    return open_scan(path).select(select).to_tree()


def place_of(cell: CellConfig) -> str:
    """Where a cell lies on the axes of its scan, in words; its chain where there are none."""
    axes = cell.coordinates
    if not axes and cell.source.kind != "binary":
        return cell.source.words
    axes = axes or {"p": cell.source.p, "q": cell.source.q}
    return ", ".join(f"{name.split('.')[-1]}={value}" for name, value in axes.items())


def same_value(one: Any, other: Any) -> bool:
    """Whether two values of a setting, or texts of them, mean the same to the configuration.

    >>> same_value(".5", Decimal("0.50")), same_value("2e-3", 0.002), same_value("tied", "untied")
    (True, True, False)
    """
    return _meaning(one) == _meaning(other)


def _by_group(names: Iterable[str]) -> str:
    """Names of arrays with each group named once: training/{loss, step}, ..."""
    groups: dict[str, list[str]] = {}
    for name in names:
        group, _, last = name.rpartition("/")
        groups.setdefault(group, []).append(last)
    return ", ".join(f"{group}/{{{', '.join(last)}}}" for group, last in groups.items())


def _meaning(value: Any) -> Fraction | str:
    value = read_value(value) if isinstance(value, str) else value
    if not isinstance(value, bool):
        try:
            return Fraction(str(value))
        except (ValueError, ZeroDivisionError):
            pass  # not a finite number
    return _shown(value)


def _shown(value: Any) -> str:
    value = value.model_dump() if isinstance(value, Section) else value
    return json.dumps(jsonable(value)).replace('"', "")


def _flat(kind: str, point: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in point.items():
        if name.endswith("inertia"):
            signs = ("negative", "zero", "positive")
            for sign, count in zip(signs, value or (None,) * 3, strict=True):
                yield f"{kind}.{name}.{sign}", count
        elif name != "seed" and not isinstance(value, list):
            yield f"{kind}.{name}", value
