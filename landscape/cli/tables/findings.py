"""A preset's expectations beside what was measured, as a table and as records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from landscape.scanning.presets.expectation import Finding

COLOURS = {"as expected": "", "differs": "[red]", "recorded": "[dim]", "missing": "[yellow]"}


def as_record(finding: Finding) -> dict[str, Any]:
    """A finding as plain data."""
    expectation = finding.expectation
    return {
        "what": expectation.what,
        "quantity": expectation.quantity,
        "published": expectation.published,
        "low": expectation.low,
        "high": expectation.high,
        "measured": finding.value,
        "standard_error": finding.error,
        "seeds": finding.seeds,
        "verdict": finding.verdict,
        "note": expectation.note,
    }


def print_findings(findings: Sequence[Finding]) -> None:
    """Print a row for each finding."""
    import sys

    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from landscape.cli.emit import console as terminal

    console = terminal(width=None if sys.stdout.isatty() else 110)
    table = Table(title="Published and measured", title_justify="left", box=SIMPLE_HEAD)
    for heading in ("what", "published", "expected", "measured", "seeds", "verdict"):
        table.add_column(heading, justify="left" if heading in ("what", "verdict") else "right")
    for finding in findings:
        e = finding.expectation
        expected = "-" if e.low is None else f"{e.low:g} to {e.high:g}"
        table.add_row(
            e.what,
            "-" if e.published is None else f"{e.published:g}",
            expected,
            finding.words.replace("±", "+-"),
            str(finding.seeds),
            f"{COLOURS[finding.verdict]}{finding.verdict}",
        )
    console.print(table)
