"""`python -m tests.figures.baselines`: draw the baselines anew; look at them before committing."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib.figure import Figure

from figures.panels.portrait import Plane
from figures.paper import basins, energy_lines
from figures.plots import phase_diagram
from figures.records.phase import load
from figures.style import styled
from tests.planted.scans import planted

__all__ = ["DPI", "DRAWN", "FOLDER", "write"]

FOLDER = Path(__file__).with_name("baselines")
DPI = 80


def energy(folder: Path, *, changed: bool = False) -> Figure:
    """Level lines, arrows and critical sets at p = q = .1 and .9; the control is at .15."""
    chances = ("0.15", "0.9") if changed else energy_lines.CHAINS
    figure = Figure()
    with styled():
        planes = tuple(Plane(Decimal(chance), Decimal(chance)) for chance in chances)
        energy_lines.draw(figure, planes)
    return figure


def runs(folder: Path, *, changed: bool = False) -> Figure:
    """Basins with twelve runs; the control has one outcome mistaken."""
    start = np.array([[e, w, 0.0] for e in (-1.2, 0.0, 0.9) for w in (-1.4, -0.4, 0.4, 1.2)])
    outcome = np.where(start[:, 1] < 0, "unigram", "bigram")
    if changed:
        outcome[5] = "bigram"
    panels = tuple(
        basins.Panel(Plane(Decimal(chance), Decimal(chance)), start, 0.9 * start, outcome)
        for chance in ("0.1", "0.9")
    )
    figure = Figure()
    with styled():
        basins.draw(figure, panels)
    return figure


def phase(folder: Path, *, changed: bool = False) -> Figure:
    """The phase diagram of a planted scan; the control lacks one cell."""
    skip = [("tied", "0.8", "0.5")] if changed else []
    figure = Figure()
    with styled():
        phase_diagram.draw(figure, load(planted(folder, skip=skip)))
    return figure


DRAWN: dict[str, Callable[..., Figure]] = {
    "energy-lines": energy,
    "basins": runs,
    "phase-diagram": phase,
}


def write(name: str, path: Path, *, changed: bool = False) -> None:
    """Draw one of the pictures, or its control, into a file."""
    with TemporaryDirectory() as folder, styled():
        DRAWN[name](Path(folder) / "scan", changed=changed).savefig(path, dpi=DPI)


if __name__ == "__main__":
    for name in DRAWN:
        write(name, FOLDER / f"{name}.png")
