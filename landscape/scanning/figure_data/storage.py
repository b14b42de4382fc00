"""A record on disk: netCDF, and beside it the settings that it was measured with."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from landscape.config.canonical import dumps
from landscape.scanning.figure_data.registry import settings_of
from landscape.scanning.presets.preset import Size
from landscape.store.atomic import publish, temporary, write_text

if TYPE_CHECKING:
    import xarray

__all__ = ["is_fresh", "measure", "path_of", "read"]


def path_of(folder: Path, name: str, size: Size) -> Path:
    """The file of a record.

    >>> path_of(Path("cache"), "valley", "quick").as_posix()
    'cache/valley-quick.nc'
    """
    return folder / f"{name}-{size}.nc"


def is_fresh(folder: Path, name: str, size: Size) -> bool:
    """Whether the record is there, whole, and was measured with the settings of today."""
    path = path_of(folder, name, size)
    try:
        note = json.loads(path.with_suffix(".json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    from landscape.store.cell_files import fingerprint

    wanted = json.loads(dumps(settings_of(name, size)))
    return bool(
        path.is_file() and note.get("settings") == wanted and note["file"] == fingerprint(path)
    )


def measure(folder: Path, name: str, size: Size) -> Path:
    """Measure a record and store it; returns its path.

    The JSON comes last and marks the record whole. Raises KeyError for an unknown name, OSError
    where the files cannot be written, and what the measurement itself raises.
    """
    import xarray

    from landscape.store.cell_files import fingerprint, write_tree

    settings = settings_of(name, size)
    module = importlib.import_module(f"landscape.scanning.figure_data.{name}")
    found: xarray.Dataset = module.measured(**settings)
    path = path_of(folder, name, size)
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary(path) as partial:
        write_tree(partial, xarray.DataTree(found), {"settings": settings})
        note = {"settings": settings, "file": fingerprint(partial)}
        publish(partial, path)
    write_text(path.with_suffix(".json"), dumps(note))
    return path


def read(folder: Path, name: str, size: Size) -> xarray.Dataset:
    """The record in memory. Raises OSError where it has not been measured."""
    from landscape.store.cell_files import read_tree

    return read_tree(path_of(folder, name, size)).to_dataset()
