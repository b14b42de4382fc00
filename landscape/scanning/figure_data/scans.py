"""The scans that figures draw: the presets, the demonstration, and one over the width."""

from __future__ import annotations

from typing import Any

from landscape.config.scan import ScanConfig
from landscape.scanning.presets import load
from landscape.scanning.presets.preset import Size

__all__ = ["SCANS", "config_of"]

WIDTH: dict[str, Any] = {
    "source": {"p": 0.5, "q": 0.8},
    "model": {"kind": "single-layer", "length": 8},
    "measure": {"points": []},
}

SIZES: dict[Size, dict[str, Any]] = {
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
        return ScanConfig(name=f"width-{size}", **WIDTH, **SIZES[size])
    return load(name).config(size)
