"""What a figure is drawn from: stored scans and records, and the fingerprint of their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from landscape.store.reading import StoredScan, open_scan

if TYPE_CHECKING:
    import xarray

__all__ = ["Inputs"]


@dataclass(frozen=True)
class Inputs:
    """The stored results that the scripts read.

    Fields:
        size: "quick" or "paper", of the scans and records.
        scans: the folder of each scan, by its name.
        records: the netCDF file of each record, by its name.
    """

    size: Literal["quick", "paper"]
    scans: Mapping[str, Path] = field(default_factory=dict)
    records: Mapping[str, Path] = field(default_factory=dict)
    _scans: dict[str, StoredScan] = field(default_factory=dict, repr=False, compare=False)

    def scan(self, name: str) -> StoredScan:
        """A scan, opened. Raises ValueError where it was not handed over."""
        if name not in self.scans:
            raise ValueError(f"the scan {name} is not among the inputs: {', '.join(self.scans)}")
        return self._opened(name)

    def record(self, name: str) -> xarray.Dataset:
        """A record, in memory. Raises ValueError if not handed over, OSError if not there."""
        from landscape.store.cell_files import read_tree

        if name not in self.records:
            raise ValueError(
                f"the record {name} is not among the inputs: {', '.join(self.records)}"
            )
        return read_tree(self.records[name]).to_dataset()

    def fingerprint(self) -> str:
        """SHA-256 of what is stored, wherever it lies: it changes if a number in it does.

        Of a scan, the configuration and the fingerprints that its finished cells carry.
        """
        content: dict[str, object] = {"size": self.size}
        for name in self.scans:
            stored = self._opened(name)
            cells = {c.id: stored.record(c)["files"]["tree"]["sha256"] for c in stored.readable()}
            content[f"scan {name}"] = [stored.config.hash, cells]
        for name, path in self.records.items():
            content[f"record {name}"] = hashlib.sha256(path.read_bytes()).hexdigest()
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def _opened(self, name: str) -> StoredScan:
        # A script asks for many cells of a scan, and the fingerprint for all of them.
        if name not in self._scans:
            self._scans[name] = open_scan(self.scans[name])
        return self._scans[name]
