"""The cells of a scan as one labelled tree over its axes, and the files that it is written to."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray

from landscape.errors import ConfigError, nearest, refused
from landscape.store.atomic import check_folder, flush, publish, temporary
from landscape.store.cell_files import groups_of, header_of, values_of, write_tree
from landscape.store.reading import StoredScan

_log = logging.getLogger(__name__)

OF_ITS_OWN = ("axis",)
"""Labels that name what a cell has of its own, such as the directions of its slices."""

Arrays = dict[str, np.ndarray]
Parts = list[tuple[tuple[int, ...], Arrays]]
"""Of each cell: its place on the axes, and its arrays by name."""

Headers = dict[str, tuple[tuple[str, ...], Mapping[str, Any]] | None]
"""By array: its dimensions and attributes; None for the mark of a dimension without labels."""


def cube(stored: StoredScan, groups: Sequence[str] = ()) -> xarray.DataTree:
    """The finished cells of a scan as one labelled tree over its axes.

    Arguments:
        stored: the scan, or a selection of it.
        groups: those of the cells' files to read, with what lies below them, such as "training" or
            "spectrum/unigram"; all where left out.

    At the root lie the scalars of `StoredScan.rows`, [axes] or [axes, seed]; below it the arrays of
    the cells' groups, [axes, own dimensions]. Labels that are whole numbers or words (steps, seeds,
    names) are aligned; where other ones differ between cells, as the nodes of slices may, the
    dimension is called NAME_index and the labels are an array of their own. What is not there is
    NaN, or the empty text; a cell that cannot be read is left out, and named. Attributes of single
    groups are left out; their numbers are scalars.

    Raises ConfigError for a group that no cell has; the message says which there are.
    """
    places = {cell.id: stored.place(cell) for cell in stored.cells}
    labels = sorted(stored.labels.values(), key=lambda label: ("p", "q", label).index(label))
    axes = {label: _ordered([at[label] for at in places.values()]) for label in labels}
    tables: dict[str, Parts] = {"/": []}
    headers: dict[str, Headers] = {"/": {}}
    present: dict[str, None] = {}
    for cell in stored.readable():
        try:
            with stored.opened(cell) as file:
                present |= dict.fromkeys(groups_of(file) if groups else ())
                names = groups or [key for key in file if isinstance(file[key], h5py.Group)]
                found = [part for key in names if key in file for part in _read(file[key], headers)]
        except ConfigError as damage:
            _log.warning("%s; it is left out", damage)
            continue
        place = tuple(axes[label].index(places[cell.id][label]) for label in axes)
        for group, arrays in [("/", _scalars(stored, cell, headers["/"])), *found]:
            tables.setdefault(group, []).append((place, arrays))
    for name in groups if present else ():
        if name.strip("/") not in present:
            hint = nearest(name, present, separator="/")
            why = f"no cell has it; the groups are {', '.join(present)}"
            raise refused("group", name, why=why, hint=hint)
    coordinates = {name: np.array(values) for name, values in axes.items()}
    seeds = np.unique([s for _, arrays in tables["/"] for s in arrays["seed"]]).astype(int)
    datasets = {
        name: _joined(parts, headers[name], coordinates, {"seed": seeds})
        for name, parts in tables.items()
    }
    fixed = {k: v for k, v in next(iter(places.values())).items() if k not in axes}
    datasets["/"] = datasets["/"].assign_coords(fixed)
    datasets["/"].attrs = {
        "name": stored.config.name,
        "config": stored.config.written,
        "cells": len(stored.cells),
        "finished": len(tables["/"]),
    }
    return xarray.DataTree.from_dict(datasets)


def check_file(path: Path) -> None:
    """Raise ConfigError unless `write` can write a file of this name here."""
    if path.suffix not in (".nc", ".csv", ".parquet"):
        raise ConfigError(
            f"--out {path} is refused: its name must end in .nc (labelled arrays), .csv or "
            ".parquet (a row for each run)"
        )
    if path.suffix == ".parquet" and find_spec("pyarrow") is None:
        raise ConfigError(
            f"--out {path} is refused: Parquet is written by pyarrow, which is not installed; "
            "install pyarrow, or write .csv or .nc"
        )
    check_folder("--out", path)


def write(stored: StoredScan, path: Path) -> int:
    """Write a scan whole or not at all: the cube as .nc, the table of runs as .csv or .parquet.

    Returns the number of cells in it. Raises ConfigError as `check_file` does, OSError if the file
    cannot be written.
    """
    check_file(path)
    with temporary(path) as name:
        if path.suffix == ".nc":
            tree = cube(stored)
            write_tree(name, tree, {})
            cells = int(tree.attrs["finished"])
        else:
            frame = stored.to_dataframe()
            cells = len(frame) and frame["id"].nunique()
            if path.suffix == ".csv":
                frame.to_csv(name, index=False)
            else:
                frame.to_parquet(name, engine="pyarrow", index=False)
        flush(name)
        publish(name, path)
    return cells


def _ordered(values: list[Any]) -> list[Any]:
    known = list(dict.fromkeys(values))
    return known if any(isinstance(value, str | bool) for value in known) else sorted(known)


def _scalars(stored: StoredScan, cell: Any, headers: Headers) -> Arrays:
    whole, runs = stored.rows(cell)
    arrays = {name: _array([value]).reshape(()) for name, value in whole.items()}
    headers |= dict.fromkeys(arrays, ((), {}))
    for name in dict.fromkeys(key for run in runs for key in run):
        arrays[name] = _array([run.get(name) for run in runs])
        headers[name] = (("seed",), {})
    return arrays


def _array(values: list[Any]) -> np.ndarray:
    """Scalars of a JSON record; null is NaN, or the empty text among texts."""
    if any(isinstance(value, str) for value in values):
        return np.array([value or "" for value in values])
    return np.array([np.nan if value is None else value for value in values])


def _read(group: Any, headers: dict[str, Headers]) -> Iterator[tuple[str, Arrays]]:
    """The arrays of a group and of those below it; what they are called is asked once a scan."""
    known = headers.setdefault(group.name, {})
    arrays: Arrays = {}
    for name in group:
        if name not in known:
            item = group[name]
            if isinstance(item, h5py.Group):
                yield from _read(item, headers)
                continue
            known[name] = header_of(item)
        if known[name] is not None:
            arrays[name] = values_of(h5py.h5d.open(group.id, name.encode()))
    if arrays:
        yield group.name, arrays


def _joined(
    parts: Parts, given: Headers, axes: Mapping[str, np.ndarray], known: Mapping[str, np.ndarray]
) -> xarray.Dataset:
    seen = {name for _, arrays in parts for name in arrays}
    headers = {name: header for name, header in given.items() if header and name in seen}
    labels, loose = dict(known), set()
    for name in (name for name, (dims, _) in headers.items() if dims == (name,)):
        if name not in labels:
            found = _labels(name, [arrays[name] for _, arrays in parts if name in arrays])
            if found is None:
                loose.add(name)
            else:
                labels[name] = found
    sizes = {name: len(values) for name, values in labels.items()}
    for _, arrays in parts:
        for name, array in arrays.items():
            for dim, size in zip(headers[name][0], array.shape, strict=True):
                sizes[dim] = sizes[dim] if dim in labels else max(size, sizes.get(dim, 0))
    outer = tuple(map(len, axes.values()))
    variables: dict[str, Any] = {}
    for name, (dims, attributes) in headers.items():
        if dims != (name,) or name in loose:
            pieces = [
                ((*place, *_index(dims, arrays[name], arrays, labels)), arrays[name])
                for place, arrays in parts
                if name in arrays
            ]
            shape = outer + tuple(sizes[dim] for dim in dims)
            own = (f"{dim}_index" if dim in loose else dim for dim in dims)
            variables[name] = ((*axes, *own), _filled(pieces, shape), attributes)
    used = {dim for dims, _ in headers.values() for dim in dims}
    return xarray.Dataset(variables, {**{k: labels[k] for k in labels if k in used}, **axes})


def _labels(name: str, found: list[np.ndarray]) -> np.ndarray | None:
    """The labels of a dimension in all cells; None where they are real numbers that differ."""
    first = found[0]
    if all(np.array_equal(first, other) for other in found[1:]):
        return first
    if first.dtype.kind == "f" or name in OF_ITS_OWN:
        return None
    joined = list(dict.fromkeys(label for labels in found for label in labels.tolist()))
    return np.array(joined if first.dtype.kind == "U" else sorted(joined))


def _index(
    dims: tuple[str, ...], array: np.ndarray, arrays: Arrays, labels: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, ...]:
    """Where the entries of a cell's array lie along its dimensions."""
    found = []
    for dim, size in zip(dims, array.shape, strict=True):
        index = np.arange(size)
        if dim in labels and dim in arrays and not np.array_equal(arrays[dim], labels[dim]):
            position = {label: k for k, label in enumerate(labels[dim].tolist())}
            index = np.array([position[label] for label in arrays[dim].tolist()], dtype=int)
        found.append(index)
    return np.ix_(*found)


def _filled(pieces: list[tuple[Any, np.ndarray]], shape: tuple[int, ...]) -> np.ndarray:
    """An array of this shape with the pieces at their places, and nothing elsewhere."""
    texts = any(array.dtype.kind == "U" for _, array in pieces)
    if texts:
        found = np.full(shape, "", dtype=object)
    elif sum(array.size for _, array in pieces) == np.prod(shape):
        found = np.empty(shape, np.result_type(*(array for _, array in pieces)))
    else:
        found = np.full(shape, np.nan)
    for place, array in pieces:
        if not texts or array.dtype.kind == "U":  # an empty text where there is a null
            found[place] = array
    return found.astype(str) if texts else found
