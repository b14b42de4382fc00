"""A scan's folder of two small cells, written with chosen numbers: fixtures, for the conftest."""

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from landscape.config.cell import CellConfig
from landscape.config.scan import ScanConfig
from landscape.store.scan_store import ScanStore

CONFIG: dict[str, Any] = {
    "source": {"q": Decimal("0.8")},
    "axes": {"source.p": [Decimal("0.1"), Decimal("0.5")]},
}
VERSIONS = {"torch": "2.13.0"}
ATTRIBUTES = {"tied": True, "note": None, "table": {"d": 4}, "names": ["e", "b"]}


@pytest.fixture
def config() -> ScanConfig:
    return ScanConfig(**CONFIG)


@pytest.fixture
def folder(tmp_path: Path, config: ScanConfig) -> ScanStore:
    return ScanStore(tmp_path / "scan").open_or_create(config, VERSIONS)


@pytest.fixture
def cell(config: ScanConfig) -> CellConfig:
    return config.cells()[0]


def a_tree(value: float = 1.0) -> xr.DataTree:
    loss = xr.DataArray([[value, 0.5], [math.nan, 0.25]], dims=("seed", "step"))
    groups = {
        "/": xr.Dataset(attrs=ATTRIBUTES),
        "/training": xr.Dataset({"loss": loss.assign_attrs(unit="nats", exact=np.True_)}),
        "/points/unigram": xr.Dataset({"stuck": ("seed", [True, False])}),
    }
    return xr.DataTree.from_dict(groups)


def write(folder: ScanStore, cell: CellConfig, value: float = 1.0) -> None:
    folder.write_cell(cell, a_tree(value), {"loss": value}, {"w": np.full(3, value)})


def names(folder: ScanStore) -> set[str]:
    """Every file of the folder that is not there from the start."""
    found = {p.relative_to(folder.path).as_posix() for p in folder.path.rglob("*") if p.is_file()}
    return found - {"scan.json", ".lock"}


def files(cell: CellConfig) -> set[str]:
    return {f"cells/{cell.id}.nc", f"cells/{cell.id}.json", f"weights/{cell.id}.safetensors"}
