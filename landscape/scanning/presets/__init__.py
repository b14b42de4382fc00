"""The papers' experiments, each a configuration in two sizes with what its run is held against."""

from landscape.scanning.presets.preset import Preset, load, names

__all__ = ["Preset", "load", "names"]
