"""The files of one cell: labelled arrays as netCDF, weights as safetensors."""

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from landscape.config.canonical import jsonable


def attribute(value: Any) -> Any:
    """A netCDF attribute for a value: a number, a string or a list of numbers.

    netCDF knows no bool, which becomes 0 or 1, and no table or mixed list, which becomes JSON text.

    >>> attribute(True), attribute({"n": 4}), attribute((1, 2))
    (1, '{"n": 4}', [1, 2])
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    match value:
        case bool():
            return int(value)
        case str() | int() | float():
            return value
        case list() | tuple() if value and all(type(item) in (int, float) for item in value):
            return list(value)
        case Mapping() | list() | tuple():
            return json.dumps(jsonable(value))
        case date():
            return value.isoformat()
        case _:
            return str(value)


def write_tree(path: Path, tree: xr.DataTree, attributes: Mapping[str, Any]) -> None:
    """Write a tree as netCDF, `attributes` added to its root's; the tree itself stays as it is.

    Attributes go through `attribute`; one that is None is left out.
    """
    nodes = {node.path: _clean(node.to_dataset(inherit=False)) for node in tree.subtree}
    root = nodes[tree.path]
    root.attrs = {**root.attrs, **_attributes(attributes)}
    below = len(tree.path.rstrip("/"))  # a subtree becomes a tree of its own
    clean = xr.DataTree.from_dict({name[below:] or "/": node for name, node in nodes.items()})
    # In memory first: where the disk is full, HDF5 fails again at exit and takes the process down.
    path.write_bytes(clean.to_netcdf(None, engine="h5netcdf"))


def read_tree(path: Path) -> xr.DataTree:
    """Read a whole netCDF file into memory; the file is closed again."""
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        return tree.load()


OF_THE_FORMAT = {
    "CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_FillValue", "_NCProperties",
    "_Netcdf4Dimid", "_Netcdf4Coordinates", "_nc3_strict", "coordinates", "dtype",
}  # fmt: skip
"""Attributes by which netCDF keeps dimensions, coordinates and types."""


def dataset_of(group: Any) -> xr.Dataset:
    """A group of an open h5py file in memory, labelled as `read_tree` labels it, but faster."""
    variables, coordinates = {}, _names(group)
    for name, item in group.items():
        if isinstance(item, h5py.Dataset) and (header := header_of(item)) is not None:
            dims, attributes = header
            variables[name] = (dims, values_of(item.id), attributes)
            coordinates |= _names(item)
    found = xr.Dataset(variables, attrs=_given(group))
    return found.set_coords(coordinates & set(variables))


def groups_of(file: Any) -> list[str]:
    """The groups of an open h5py file by full name, such as "spectrum/unigram"."""
    return _named(file, h5py.Group)


def arrays_of(file: Any) -> list[str]:
    """The arrays of an open h5py file by full name, such as "training/loss"."""
    return [name for name in _named(file, h5py.Dataset) if header_of(file[name]) is not None]


def header_of(item: Any) -> tuple[tuple[str, ...], dict[str, Any]] | None:
    """Dimensions and attributes of an array; None for the mark of a dimension without labels."""
    if str(_plain(item.attrs.get("NAME", ""))).startswith("This is a netCDF dimension but not"):
        return None
    own = item.ndim == 1 and item.is_scale
    scales = [item] if own else [scale[0] for scale in item.dims]
    return tuple(scale.name.rpartition("/")[2] for scale in scales), _given(item)


def values_of(item: Any) -> np.ndarray:
    """An array in memory, texts and truth values as such; by HDF5's own call, three times faster.

    Takes `dataset.id`, or what `h5py.h5d.open` returns.
    """
    kind = item.dtype
    if kind.kind not in "iuf":
        return np.asarray(h5py.Dataset(item).asstr()[...]).astype(str)
    values = np.empty(item.shape, kind)
    if values.size:
        item.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
    # the truth values that xarray writes are bytes with a note
    noted = kind.itemsize == 1 and h5py.h5a.exists(item, b"dtype")
    return values.astype(bool) if noted else values


def write_weights(path: Path, weights: Mapping[str, Any], cell_id: str | None = None) -> None:
    """Write named arrays, or torch tensors of any device, as safetensors; `cell_id`: whose."""
    note = None if cell_id is None else {"id": cell_id}
    # save_file would make a file that only its owner may read, whatever the umask says.
    path.write_bytes(save({name: _array(value) for name, value in weights.items()}, note))


def read_weights(path: Path, cell_id: str | None = None) -> dict[str, np.ndarray]:
    """Read the named arrays of a safetensors file.

    Raises OSError or ValueError if it cannot be read, or says that it is not of the cell `cell_id`.
    """
    try:
        with safe_open(path, "numpy") as file:
            check_owner((file.metadata() or {}).get("id"), cell_id)
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no dict)
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def check_owner(written: Any, cell_id: str | None) -> None:
    """Raise ValueError if a file says that it is of another cell than `cell_id`.

    `written` is the id that the file carries; None where it carries none, as old ones may.

    >>> check_owner(None, "4ab3"), check_owner("4ab3", "4ab3")
    (None, None)
    """
    found = None if written is None else str(_plain(written))
    if found is not None and cell_id is not None and found != cell_id:
        raise ValueError(f"it is the file of the cell {found[:8]}")


def fingerprint(path: Path) -> dict[str, Any]:
    """SHA-256 (hexadecimal) and size (bytes) of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"sha256": digest, "size": path.stat().st_size}


def _attributes(given: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): attribute(value) for key, value in given.items() if value is not None}


def _clean(dataset: xr.Dataset) -> xr.Dataset:
    dataset = dataset.copy(deep=False)
    dataset.attrs = _attributes(dataset.attrs)
    for name in dataset.variables:
        dataset[name].attrs = _attributes(dataset[name].attrs)
    return dataset


def _array(value: Any) -> np.ndarray:
    # Tensors are known by what they can do: this module is read by figures, which load no torch.
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return np.array(value, order="C")


def _named(file: Any, kind: type) -> list[str]:
    found: list[str] = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, kind) else None)
    return found


def _names(item: Any) -> set[str]:
    return set(str(_plain(item.attrs.get("coordinates", ""))).split())


def _given(item: Any) -> dict[str, Any]:
    return {k: _plain(v) for k, v in item.attrs.items() if k not in OF_THE_FORMAT}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(())[()]  # netCDF has no attribute that is not a list
    return value.decode() if isinstance(value, bytes) else value
