"""A scan's folder as the version before the reader wrote it: two cells, q = .8 and .3, width 2.

Made by `landscape scan` with p = .5, length 3, 20 steps, 2 seeds, the points unigram, bigram and
trained, and slices of 5 nodes.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from landscape.store.records import text_of

if TYPE_CHECKING:
    from landscape.scanning.scan import ScanResult

IDS = {
    "0.8": "9ef1579f2fa1e569d00d3fa6f353f8cf33d269d20715fe1bfda85ebb6189fc9e",
    "0.3": "489d4d1133b76100baaf631894fdcaee3492f57ca580ae6c97400cadf35c5cdd",
}
"""Of each cell, by q as it is written."""

SETTINGS = """
name = "before"
[source]
p = 0.5
[model]
width = 2
length = 3
[train]
steps = 20
seeds = 2
[measure]
points = ["unigram", "bigram", "trained"]
slice = { resolution = 5, directions = "eigen" }
[axes]
"source.q" = [0.8, 0.3]
"""


def stored_before(folder: Path) -> Path:
    """The folder, unpacked."""
    with tarfile.open(Path(__file__).with_name("before.tar.xz")) as archive:
        archive.extractall(folder, filter="data")
    return folder


def same_floats(one: ScanResult, other: ScanResult) -> bool:
    """Whether all weights and trained spectra agree to the last bit, cell by cell in order."""

    def stored(result: ScanResult) -> list[np.ndarray]:
        store, cells = result.store, result.store.cells
        trees = [store.tree(cell)["/spectrum/trained"] for cell in cells]
        spectra = [tree["eigenvalue"].to_numpy() for tree in trees]
        return [*spectra, *(w for cell in cells for w in store.weights(cell).values())]

    pairs = zip(stored(one), stored(other), strict=True)
    return all(np.array_equal(mine, theirs) for mine, theirs in pairs)


def change(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Edit the entries of a record, and let its digest vouch for what it then says."""
    entries = json.loads(path.read_text("utf-8"))
    entries.pop("digest", None)
    edit(entries)
    path.write_text(text_of(entries), "utf-8")
