"""The cells of a scan as one labelled tree over its axes, and the files that it is written to."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray

from landscape.errors import ConfigError
from landscape.store.atomic import flush, publish, temporary
from landscape.store.cell_files import write_tree
from landscape.store.reading import StoredScan, attributes_of, dims_of, is_bare, values_of

__all__ = ["SUFFIXES", "check_file", "cube", "write"]

_log = logging.getLogger(__name__)

SUFFIXES = (".nc", ".csv", ".parquet")

OF_ITS_OWN = ("axis",)
"""Labels that name what a cell has of its own, such as the directions of its slices."""

Place = tuple[int, ...]
Parts = list[tuple[Place, dict[str, np.ndarray]]]
"""Of each cell: its place on the axes, and its arrays by name."""

Header = tuple[tuple[str, ...], Mapping[str, Any]]
"""Of an array: its dimensions and its attributes."""


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
    """
    places = {cell.id: stored.place(cell) for cell in stored.cells}
    axes = {label: _ordered([at[label] for at in places.values()]) for label in _varied(stored)}
    fixed = {
        label: value
        for label, value in next(iter(places.values())).items()
        if label not in axes and label in ("p", "q")
    }
    tables: dict[str, Parts] = {"/": []}
    headers: dict[str, dict[str, Header]] = {"/": {}}
    for cell in stored.readable():
        place = tuple(axes[label].index(places[cell.id][label]) for label in axes)
        try:
            with stored.opened(cell) as file:
                names = groups or [key for key in file if isinstance(file[key], h5py.Group)]
                found = [part for key in names if key in file for part in _read(file[key], headers)]
        except ConfigError as damage:
            _log.warning("%s; it is left out", damage)
            continue
        for group, arrays in found:
            tables.setdefault(group, []).append((place, arrays))
        whole, runs = stored.rows(cell)
        arrays = {name: _array([value]).reshape(()) for name, value in whole.items()}
        headers["/"] |= dict.fromkeys(arrays, ((), {}))
        for name in dict.fromkeys(key for run in runs for key in run):
            arrays[name] = _array([run.get(name) for run in runs])
            headers["/"][name] = (("seed",), {})
        tables["/"].append((place, arrays))
    coordinates = {name: np.array(values) for name, values in axes.items()}
    seeds = np.unique([s for _, arrays in tables["/"] for s in arrays["seed"]]).astype(int)
    datasets = {
        name: _joined(parts, headers[name], coordinates, {"seed": seeds})
        for name, parts in tables.items()
    }
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
    if path.suffix not in SUFFIXES:
        raise ConfigError(
            f"--out {path} is refused: its name must end in .nc (labelled arrays), .csv or "
            ".parquet (a row for each run)"
        )
    if path.suffix == ".parquet" and find_spec("pyarrow") is None:
        raise ConfigError(
            f"--out {path} is refused: Parquet is written by pyarrow, which is not installed; "
            "install pyarrow, or write .csv or .nc"
        )


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


def _varied(stored: StoredScan) -> list[str]:
    """The labels of the axes, p and q first."""
    labels = list(stored.labels.values())
    return sorted(labels, key=lambda label: ("p", "q").index(label) if label in ("p", "q") else 2)


def _ordered(values: list[Any]) -> list[Any]:
    known = list(dict.fromkeys(values))
    return known if any(isinstance(value, str | bool) for value in known) else sorted(known)


def _array(values: list[Any]) -> np.ndarray:
    """Scalars of a JSON record; null is NaN, or the empty text among texts."""
    if any(isinstance(value, str) for value in values):
        return np.array([value or "" for value in values])
    return np.array([np.nan if value is None else value for value in values])


def _read(
    group: Any, headers: dict[str, dict[str, Header]]
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """The arrays of a group and of those below it; what they are called is asked once a scan."""
    known = headers.setdefault(group.name, {})
    arrays: dict[str, np.ndarray] = {}
    for name in group:
        if name not in known:
            item = group[name]
            if isinstance(item, h5py.Group):
                yield from _read(item, headers)
                continue
            known[name] = _BARE if is_bare(item) else (dims_of(item), attributes_of(item))
        if known[name] != _BARE:
            arrays[name] = values_of(h5py.h5d.open(group.id, name.encode()))
    if arrays:
        yield group.name, arrays


_BARE: Header = (("",), {})
"""Of the mark of a dimension without labels."""


def _joined(
    parts: Parts,
    headers: Mapping[str, Header],
    axes: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
) -> xarray.Dataset:
    headers = {name: header for name, header in headers.items() if header != _BARE}
    labels = dict(labels)
    loose = set()
    for name in (name for name, (dims, _) in headers.items() if dims == (name,)):
        if name not in labels:
            found = _labels(name, [arrays[name] for _, arrays in parts if name in arrays])
            loose |= {name} if found is None else set()
            labels |= {} if found is None else {name: found}
    sizes = {name: len(values) for name, values in labels.items()}
    for _, arrays in parts:
        for name, array in arrays.items():
            for dim, size in zip(headers[name][0], array.shape, strict=True):
                sizes[dim] = sizes[dim] if dim in labels else max(size, sizes.get(dim, 0))
    shape = tuple(map(len, axes.values()))
    variables: dict[str, Any] = {}
    for name, (dims, attributes) in headers.items():
        if dims == (name,) and name in labels:
            continue
        inner = tuple(sizes[dim] for dim in dims)
        pieces = [
            (place, arrays[name], [_index(dim, k, arrays, labels) for dim, k in _sized(dims, a)])
            for place, arrays in parts
            if (a := arrays.get(name)) is not None
        ]
        outer = tuple(f"{dim}_index" if dim in loose else dim for dim in dims)
        variables[name] = ((*axes, *outer), _filled(pieces, shape, inner), attributes)
    used = {dim for dims, _ in headers.values() for dim in dims}
    return xarray.Dataset(variables, {**{k: labels[k] for k in labels if k in used}, **axes})


def _sized(dims: tuple[str, ...], array: np.ndarray) -> zip[tuple[str, int]]:
    return zip(dims, array.shape, strict=True)


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
    dim: str, size: int, arrays: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Where the entries of a cell lie along a dimension."""
    if dim not in labels or dim not in arrays or np.array_equal(arrays[dim], labels[dim]):
        return np.arange(size)
    position = {label: k for k, label in enumerate(labels[dim].tolist())}
    return np.array([position[label] for label in arrays[dim].tolist()], dtype=int)


def _filled(
    pieces: list[tuple[Place, np.ndarray, list[np.ndarray]]], shape: Place, inner: Place
) -> np.ndarray:
    kinds = {array.dtype.kind for _, array, _ in pieces}
    whole = len(pieces) == np.prod(shape) and all(a.shape == inner for _, a, _ in pieces)
    found: np.ndarray
    if "U" in kinds:
        found = np.full(shape + inner, "", dtype=object)
    elif whole:
        found = np.empty(shape + inner, np.result_type(*(array for _, array, _ in pieces)))
    else:
        found = np.full(shape + inner, np.nan)
    for place, array, index in pieces:
        if "U" in kinds and array.dtype.kind != "U":
            continue  # no text there
        here: Any = (*place, ...)
        found[here][np.ix_(*index) if index else ...] = array
    return found.astype(str) if "U" in kinds else found
