"""All pictures of a scan, each if its folder holds what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from figures.plots import phase_diagram, slices, survival
from landscape.store.reading import StoredScan


def save(
    store: StoredScan, out: Path, *, select: Mapping[str, Any] | None = None, by: str | None = None
) -> tuple[list[Path], list[str]]:
    """Draw the phase diagram, the loss surfaces and the survival curves of a scan.

    Args:
        store: the scan, opened by `landscape.open_scan`.
        out: the folder for the pictures.
        select: values of settings to keep (`StoredScan.select`), in every picture.
        by: one survival curve for each value of this setting.

    Returns:
        The files, and for each picture that the scan has not, why.

    Raises:
        ConfigError: as `StoredScan.select` does.
        OSError: if a picture cannot be written.
    """
    store = store.select(select)
    paths, missing = list[Path](), list[str]()
    try:
        diagram = phase_diagram.load(store)
    except ValueError as error:
        missing.append(f"no phase diagram: {error}")
    else:
        paths += phase_diagram.save(diagram, out / "phase_diagram")
    if any(cell.measure.slice is not None for cell in store.cells):
        try:
            surfaces = slices.load(store)
        except ValueError as error:
            missing.append(f"no loss surfaces: {error}")
        else:
            paths += slices.save(surfaces, out / "slices")
    try:
        curves = survival.load(store, by=by)
    except ValueError as error:
        missing.append(f"no survival curves: {error}")
    else:
        paths += survival.save(curves, out / "survival")
    return paths, missing
