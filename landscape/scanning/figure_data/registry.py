"""The records by name: which module measures each, and with what settings at each size."""

from __future__ import annotations

import copy
from typing import Any

from landscape.scanning.presets.preset import Size

__all__ = ["RECORDS", "settings_of"]

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
        "quick": {
            "chains": [0.1, 0.9],
            "runs": 48,
            "steps": 20000,
            "lr": 4e-3,
            "seed": 0,
        },
        "paper": {
            "chains": [0.1, 0.9],
            "runs": 128,
            "steps": 40000,
            "lr": 2e-3,
            "seed": 0,
        },
    },
}
"""Settings by record and size; the module of a record's name has the function `measured`."""


def settings_of(name: str, size: Size) -> dict[str, Any]:
    """The settings of a record at a size, as JSON holds them.

    Raises KeyError for a name that is not in `RECORDS`.

    >>> settings_of("valley", "quick")["length"]
    8
    """
    return copy.deepcopy(RECORDS[name][size])
