"""The files of one cell: labelled arrays as netCDF, weights as safetensors."""

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

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
    """Write a tree as netCDF-4, `attributes` added to its root's; the tree itself stays as it is.

    By h5py's own calls, with what the format asks for, each dimension a scale that its arrays are
    attached to: a tenth of the time of `DataTree.to_netcdf`, and read by xarray as what it was.
    Attributes go through `attribute`; one that is None is left out. Raises TypeError for arrays of
    what is no number, truth value or text.
    """
    below = len(tree.path.rstrip("/"))  # a subtree becomes a tree of its own
    # In memory first: where the disk is full, HDF5 fails again at exit and takes the process down.
    memory = BytesIO()
    with h5py.File(memory, "w") as file:
        for node in tree.subtree:
            group = file.require_group(node.path[below:] or "/")
            own = attributes if node is tree else {}
            _write_dataset(group, node.to_dataset(inherit=False), own)
    path.write_bytes(memory.getvalue())


WITHOUT_LABELS = "This is a netCDF dimension but not a netCDF variable."
"""Name that the format gives to the scale of a dimension that has no coordinate."""


def _write_dataset(group: Any, dataset: xr.Dataset, attributes: Mapping[str, Any]) -> None:
    group.attrs.update(_attributes({**dataset.attrs, **attributes}))
    scales = {}
    for dim, size in dataset.sizes.items():
        if dim not in dataset.variables:
            scales[dim] = group.create_dataset(dim, shape=(size,), dtype=">f4")
            scales[dim].make_scale(f"{WITHOUT_LABELS} {size:10d}")
    labels = {name: item for name, item in dataset.variables.items() if name in dataset.dims}
    beside = [name for name in dataset.coords if name not in labels]
    for name, item in {**labels, **dataset.variables}.items():
        values, kind, note = _stored(item.values)
        array = group.create_dataset(name, data=values, dtype=kind)
        if name in labels:
            array.make_scale(name)
            scales[name] = array
        else:
            for axis, dim in enumerate(item.dims):
                array.dims[axis].attach_scale(scales[dim])
        if name in dataset.data_vars:
            fitting = [x for x in beside if set(dataset[x].dims) <= set(item.dims)]
            note |= {"coordinates": " ".join(map(str, fitting))} if fitting else {}
        array.attrs.update({**note, **_attributes(item.attrs)})


def _stored(values: np.ndarray) -> tuple[np.ndarray, Any, dict[str, Any]]:
    """An array as the format can hold it, its type there, and the note by which it comes back."""
    match values.dtype.kind:
        case "b":
            return values.astype("i1"), "i1", {"dtype": "bool"}
        case "U" | "O":
            return values.astype(object), h5py.string_dtype(), {}
        case "f":
            return values, values.dtype, {"_FillValue": np.array([np.nan], values.dtype)}
        case "i" | "u":
            return values, values.dtype, {}
    raise TypeError(f"an array of {values.dtype} has no place in a cell's file")


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
    if str(_plain(item.attrs.get("NAME", ""))).startswith(WITHOUT_LABELS):
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


def write_weights(path: Path, weights: Mapping[str, Any]) -> None:
    """Write named arrays, or torch tensors of any device, as safetensors."""
    # save_file would make a file that only its owner may read, whatever the umask says.
    path.write_bytes(save({name: _array(value) for name, value in weights.items()}))


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Read the named arrays of a safetensors file; raises OSError or ValueError if it cannot be."""
    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def fingerprint(path: Path) -> dict[str, Any]:
    """SHA-256 (hexadecimal) and size (bytes) of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"sha256": digest, "size": path.stat().st_size}


def _attributes(given: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): attribute(value) for key, value in given.items() if value is not None}


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
