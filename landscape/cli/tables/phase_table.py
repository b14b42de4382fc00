"""The table a scan ends with: theory and measurement side by side, a row for each cell."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from landscape.scanning.scan import ScanResult

WIDE, NARROW = 104, 92
"""Columns of a terminal from which there is room for all, and below which some are left out."""

NAMED = 4
"""Points that are named; --json has them all."""

ENDS = ("unigram", "other", "bigram")
COLOURS = {
    "verified": "",
    "refuted": "[red]",
    "inconclusive": "[yellow]",
    "not-applicable": "[dim]",
}


def rows(result: ScanResult) -> list[dict[str, Any]]:
    """One row a finished cell: where it lies, the inertias at both points, the fate of its runs."""
    found = []
    for cell in result.config.cells():
        scalars = result.scalars.get(cell.id)
        if scalars is None:
            continue
        points = scalars["points"]
        row: dict[str, Any] = {"id": cell.id, **cell.coordinates}
        row["p"], row["q"] = cell.source.p, cell.source.q
        for kind in ("unigram", "bigram"):
            if kind in points:
                keys = ("predicted_inertia", "inertia", "max_error", "classification", "verdict")
                row[kind] = {key: points[kind][key] for key in keys}
                row[kind]["weights"] = points[kind].get("weights")
                row[kind]["narrow_gap"] = bool(points[kind].get("narrow_gap"))
                for key in ("why", "reason"):
                    if points[kind].get(key):
                        row[kind][key] = points[kind][key]
        outcomes = scalars["outcome"]
        row["at_unigram"] = (
            None if "degenerate" in outcomes else [outcomes.count("unigram"), len(outcomes)]
        )
        row["outcomes"] = dict(Counter(outcomes))
        losses = [loss for loss in scalars["final_loss"] if loss is not None]
        row["mean_loss"] = sum(losses) / len(losses) if losses else None
        row["unigram_loss"] = scalars["unigram_loss"]
        row["bigram_loss"] = scalars["bigram_loss"]
        found.append(row)
    return found


def print_table(result: ScanResult) -> None:
    """Print the rows, a table for each setting of the axes other than p and q."""
    import sys

    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from landscape.cli.emit import console as terminal

    console = terminal(width=None if sys.stdout.isatty() else 110)
    found = rows(result)
    places = [name for name in ("p", "q") if any(row[name] is not None for row in found)]
    others = [name for name in result.config.axes if name not in ("source.p", "source.q")]
    wide, narrow = console.width >= WIDE, console.width < NARROW
    kinds = ("unigram",) if narrow else ("unigram", "bigram")
    gap = (0, 1, 0, 0) if wide else 0
    console.print("Hessian inertia (negative/zero/positive), in theory and as measured.")
    console.print("runs: how many ended at the unigram / elsewhere / at the bigram.")
    weights = {row["unigram"].get("weights") for row in found if "unigram" in row} - {None}
    if weights:
        console.print(f"The unigram point is taken at {' or at '.join(sorted(weights))}.")
    if narrow:
        console.print(f"Terminals of {NARROW} columns show the bigram point and the entropies too.")
    for setting in dict.fromkeys(tuple(str(row[name]) for name in others) for row in found):
        title = ", ".join(f"{name} = {value}" for name, value in zip(others, setting, strict=True))
        table = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, padding=gap)
        for name in places:
            table.add_column(name, no_wrap=True)
        for kind in kinds:
            table.add_column(f"{kind}\ntheory", justify="right", no_wrap=True)
            table.add_column("\nmeasured", justify="right", no_wrap=True)
        if wide:
            table.add_column("unigram\nis", no_wrap=True)
        for heading in ("\nruns", "mean\nloss", *(() if narrow else ("\nH_u", "\nH_b"))):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in found:
            if tuple(str(row[name]) for name in others) == setting:
                table.add_row(*[str(row[name]) for name in places], *_cells(row, kinds, wide))
        console.print(table)
    errors = [
        row[kind]["max_error"]
        for row in found
        for kind in ("unigram", "bigram")
        if kind in row and row[kind]["max_error"] is not None
    ]
    unsafe = [
        f"the {kind} point of {row['id'][:8]}"
        for row in found
        for kind in ("unigram", "bigram")
        if kind in row and row[kind]["narrow_gap"]
    ]
    if unsafe:
        named = f"{', '.join(unsafe[:NAMED])}{', ...' if unsafe[NAMED:] else ''}"
        console.print(
            f"The gap around zero is below a factor of 10, and the counts are not safe, at "
            f"{len(unsafe)} of the points: {named}"
        )
    if errors:
        console.print(f"Largest |predicted - measured| eigenvalue: {max(errors):.1e}")


def _cells(row: dict[str, Any], kinds: tuple[str, ...], wide: bool) -> list[str]:
    from landscape.comparison.spectra import NOT_CRITICAL

    cells = []
    for kind in kinds:
        point = row.get(kind)
        colour = "" if point is None else COLOURS[point["verdict"]]
        for key in ("predicted_inertia", "inertia"):
            counts = None if point is None else point[key]
            if point is not None and point["classification"].endswith(NOT_CRITICAL):
                counts = None  # of a point that training only came near to
            cells.append("-" if counts is None else f"{colour}{'/'.join(map(str, counts))}")
    if wide:
        cells.append(row["unigram"]["classification"] if "unigram" in row else "-")
    ends = row["outcomes"]
    cells.append("p+q=1" if "degenerate" in ends else "/".join(str(ends.get(k, 0)) for k in ENDS))
    losses = [row["mean_loss"]]
    if len(kinds) > 1:
        losses += [row["unigram_loss"], row["bigram_loss"]]
    return cells + [_number(loss) for loss in losses]


def _number(loss: float | None) -> str:
    if loss is None:
        return "nan"
    return f"{loss:.4f}" if loss < 100 else f"{loss:.1e}"
