"""The records and scans that figures draw: their settings at each size, and where records lie.

A record is measured for figures alone: an `xarray.Dataset` that depends on its settings alone, kept
as netCDF with the settings beside it. The command line measures what is missing; the scripts of
`figures` only read.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landscape.config.canonical import dumps
from landscape.config.scan import ScanConfig
from landscape.scanning.presets import load
from landscape.scanning.presets.preset import Size
from landscape.store.atomic import publish, temporary, write_text

if TYPE_CHECKING:
    import xarray

RECORDS: dict[str, dict[str, dict[str, Any]]] = {
    "spectra": {
        "quick": {"p": 0.5, "q": 0.8, "width": 4, "length": 8, "deviation": 0.3, "seed": 0},
        "paper": {"p": 0.5, "q": 0.8, "width": 8, "length": 10, "deviation": 0.3, "seed": 0},
    },
    "valley": {
        "quick": {"p": 0.5, "q": 0.8, "width": 4, "length": 8, "deviation": 0.1, "seed": 0},
        "paper": {"p": 0.5, "q": 0.8, "width": 8, "length": 10, "deviation": 0.1, "seed": 0},
    },
    "escape": {
        "quick": {"p": 0.5, "q": 0.8, "points": 9, "width": 2, "length": 3, "steps": 120},
        "paper": {"p": 0.5, "q": 0.8, "points": 17, "width": 4, "length": 6, "steps": 100},
    },
    "surface": {
        "quick": {"chains": [[0.2, 0.3], [0.5, 0.8]], "width": 4, "length": 6, "resolution": 41},
        "paper": {"chains": [[0.2, 0.3], [0.5, 0.8]], "width": 8, "length": 8, "resolution": 81},
    },
    "basins": {
        "quick": {"chains": [0.1, 0.9], "runs": 48, "steps": 20000, "lr": 4e-3, "seed": 0},
        "paper": {"chains": [0.1, 0.9], "runs": 128, "steps": 40000, "lr": 2e-3, "seed": 0},
    },
}
"""Settings by record and size; `landscape.scanning.figure_measuring` measures with them."""


def settings_of(name: str, size: Size) -> dict[str, Any]:
    """The settings of a record at a size, as JSON holds them.

    Raises KeyError for a name that is not in `RECORDS`.

    >>> settings_of("valley", "quick")["length"]
    8
    """
    return copy.deepcopy(RECORDS[name][size])


WIDTH: dict[str, Any] = {
    "source": {"p": 0.5, "q": 0.8},
    "model": {"kind": "single-layer", "length": 8},
    "measure": {"points": []},
}

WIDTHS: dict[Size, dict[str, Any]] = {
    "quick": {"train": {"steps": 2000, "seeds": 16}, "axes": {"model.width": [2, 4, 8, 16]}},
    "paper": {"train": {"steps": 3000, "seeds": 64}, "axes": {"model.width": [2, 4, 8, 16, 32]}},
}

SCANS = ("demo", "width")
"""The scans besides the presets."""


def config_of(name: str, size: Size) -> ScanConfig:
    """The configuration of a scan: `SCANS`, or a preset's name.

    "demo" is the demonstration, the same at both sizes; "width" trains the tied single layer at
    (.5,.8) on the exact loss, for several widths.

    Raises ConfigError for another name.

    >>> config_of("width", "quick").name, config_of("depth", "quick").name
    ('width-quick', 'depth-quick')
    """
    if name == "demo":
        return ScanConfig.from_toml(None)
    if name == "width":
        return ScanConfig(name=f"width-{size}", **WIDTH, **WIDTHS[size])
    return load(name).config(size)


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

    from landscape.scanning.figure_measuring import MEASURED
    from landscape.store.cell_files import fingerprint, write_tree

    settings = settings_of(name, size)
    found = MEASURED[name](**settings)
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
