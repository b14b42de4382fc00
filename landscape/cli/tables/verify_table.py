"""Verifications as tables for people to read."""

import sys
from typing import Any

NAMED = 3
"""Points that are named for a check that does not hold there."""

COLOURS = {
    "proved": "[bold green]",
    "verified": "[green]",
    "refuted": "[bold red]",
    "inconclusive": "[yellow]",
    "not-applicable": "[dim]",
}


def words(value: Any) -> str:
    """A predicted or measured value: 6 digits, counts of signs, or a name.

    >>> words(0.6662784424), words([0, 3, 1]), words(None)
    ('0.666278', '0 / 3 / 1', '-')
    """
    if value is None:
        return "-"
    if isinstance(value, list):
        return " / ".join(words(entry) for entry in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _table(*headings: str) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD)
    for heading in headings:
        right = heading in ("predicted", "measured", "error", "largest error")
        table.add_column(
            heading,
            justify="right" if right else "left",
            no_wrap=heading in ("theorem", "verdict", "error", "largest error"),
        )
    return table


def _console() -> Any:
    from landscape.cli.emit import console

    return console(width=None if sys.stdout.isatty() else 120)


def print_point(record: dict[str, Any]) -> None:
    """One row a check; what is not applicable is listed below, by its reason."""
    console = _console()
    where = "" if record["p"] is None else f" at p = {record['p']!r}, q = {record['q']!r}"
    console.print(f"[bold]{record['verdict']}[/bold]: {record['model']}{where}")
    table = _table("theorem", "claim", "verdict", "predicted", "measured", "error")
    silent: dict[str, list[str]] = {}
    for check in record["checks"]:
        if check["verdict"] == "not-applicable":
            silent.setdefault(check["note"], []).append(check["id"])
            continue
        colour = COLOURS[check["verdict"]]
        error = "" if check["error"] is None else f"{check['error']:.1e}"
        name = check["id"].partition("/")[0]
        table.add_row(
            name,
            check["claim"],
            f"{colour}{check['verdict']}",
            words(check["predicted"]),
            words(check["measured"]),
            error,
        )
    console.print(table)
    for check in record["checks"]:
        if check["note"] and check["verdict"] not in ("not-applicable", "verified"):
            console.print(f"{check['verdict']}: {check['id']}: {check['note']}")
    for note, ids in silent.items():
        console.print(f"[dim]not-applicable: {', '.join(ids)}: {note}")
    console.print("Proofs: landscape theory THEOREM. Certificates: --json.")


def print_plane(record: dict[str, Any]) -> None:
    """One row a check, its verdicts counted over the grid."""
    console = _console()
    axis = record["grid"]["p"]
    console.print(
        f"[bold]{record['verdict']}[/bold]: {record['model']} at {len(axis) ** 2} points, "
        f"p and q from {axis[0]:g} to {axis[-1]:g}"
    )
    table = _table("theorem", "claim", "points", "largest error")
    for check in record["checks"]:
        counts = ", ".join(
            f"{COLOURS[verdict]}{count} {verdict}[/]" for verdict, count in check["counts"].items()
        )
        error = "" if check["largest_error"] is None else f"{check['largest_error']:.1e}"
        table.add_row(check["id"].partition("/")[0], check["claim"], counts, error)
    console.print(table)
    for check in record["checks"]:
        for doubt in check["doubts"][:NAMED]:
            why = f": {doubt['note']}" if doubt["note"] else ""
            place = f"p = {doubt['p']:g}, q = {doubt['q']:g}"
            console.print(f"{doubt['verdict']}: {check['id']} at {place}{why}")
        if more := len(check["doubts"][NAMED:]):
            console.print(f"{check['id']}: and at {more} more points, which --json lists")
    if record["plane"] is not None:
        console.print(
            f"Certified over the whole box: the signs at the unigram point on "
            f"{100 * record['plane']['decided_fraction']:.2f}% of its area. Left:"
        )
        for band in record["plane"]["left"]:
            console.print(f"  {band}")
