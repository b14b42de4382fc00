"""The table a scan ends with: theory and measurement side by side, a row a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from landscape.scanning import ScanResult


def rows(result: ScanResult) -> list[dict[str, Any]]:
    """One row a finished cell: where it lies, the inertias at both points, the fate of its runs."""
    found = []
    for cell in result.config.cells():
        scalars = result.scalars.get(cell.id)
        if scalars is None:
            continue
        points = scalars["points"]
        row: dict[str, Any] = {"id": cell.id, **cell.coordinates}
        for kind in ("unigram", "bigram"):
            if kind in points:
                keys = ("predicted_inertia", "inertia", "max_error", "classification", "verdict")
                row[kind] = {key: points[kind][key] for key in keys}
        outcomes = scalars["outcome"]
        row["at_unigram"] = (
            None if "degenerate" in outcomes else [outcomes.count("unigram"), len(outcomes)]
        )
        losses = [loss for loss in scalars["final_loss"] if loss is not None]
        row["mean_loss"] = sum(losses) / len(losses) if losses else None
        row["unigram_loss"] = scalars["unigram_loss"]
        row["bigram_loss"] = scalars["bigram_loss"]
        found.append(row)
    return found


def print_table(result: ScanResult) -> None:
    """Print the rows; an inertia is written negative/zero/positive."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Hessian inertia (negative/zero/positive), predicted = measured, and runs")
    axes = list(result.config.axes)
    for name in axes:
        table.add_column(name.split(".")[-1])
    for title in ("unigram", "", "bigram", "", "stuck", "loss", "H_u", "H_b"):
        table.add_column(title, justify="right", no_wrap=True)
    before = None
    for row in rows(result):
        group = [row[name] for name in axes[:1]]
        if before is not None and group != before:
            table.add_section()
        before = group
        cells = [str(row[name]) for name in axes]
        for kind in ("unigram", "bigram"):
            cells += _point(row.get(kind))
        stuck = row["at_unigram"]
        cells.append("p+q=1" if stuck is None else f"{stuck[0]}/{stuck[1]}")
        losses = (row["mean_loss"], row["unigram_loss"], row["bigram_loss"])
        cells += ["nan" if loss is None else f"{loss:.4f}" for loss in losses]
        table.add_row(*cells)
    console = Console()
    console.print(table)
    worst = [
        row[kind]["max_error"]
        for row in rows(result)
        for kind in ("unigram", "bigram")
        if kind in row and row[kind]["max_error"] is not None
    ]
    if worst:
        console.print(
            f"Largest difference between a predicted and a measured eigenvalue: {max(worst):.1e}"
        )


def _point(point: dict[str, Any] | None) -> list[str]:
    if point is None:
        return ["", ""]
    measured = "/".join(map(str, point["inertia"]))
    if point["predicted_inertia"] is None:
        return [measured, point["verdict"]]
    predicted = "/".join(map(str, point["predicted_inertia"]))
    if point["verdict"] == "verified":
        return [f"{predicted} = {measured}", f"[green]{point['classification']}[/green]"]
    return [f"{predicted} | {measured}", f"[red]{point['verdict']}[/red]"]
