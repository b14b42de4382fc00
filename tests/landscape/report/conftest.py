"""The small scan, made once for each file of tests that asks for it."""

import shutil
from pathlib import Path

import pytest

from landscape.scanning.scan import scan
from tests.landscape.report.small_scan import config


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan of both sides of p + q = 1, and of the line."""
    return scan(config(), out=tmp_path_factory.mktemp("report") / "scan").path


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return shutil.copytree(made, tmp_path / "scan")
