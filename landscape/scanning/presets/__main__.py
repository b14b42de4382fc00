"""`python -m landscape.scanning.presets`: run presets and write the page that compares them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from landscape.scanning.presets.expectation import Expectation, Finding, compare_with
from landscape.scanning.presets.preset import SIZES, Preset, Size, load, names
from landscape.scanning.scan import scan

HEAD = """\
# The published experiments, run again

Each preset is one experiment of the papers: `landscape scan --preset NAME` runs it in minutes on
two cores, and `--size paper` with the published lengths and runs. *Published* is read off the
paper's figure, to about two digits; *expected* is the range that `make slow` holds this project's
quick run to; *measured* is the mean over the seeds with its standard error. *Agrees* says whether
the published value lies in the expected range; where it does not, the lines below the table say
what is known of the reason.
This page is written by `make presets`.
"""

ROW = "| {} | {} | {} | {} | {} | {} |"


def page(found: Mapping[str, tuple[Preset, Sequence[Finding]]], size: Size) -> str:
    """The page as Markdown, a section for each preset.

    Args:
        found: by name, the presets and what was found in their runs.
        size: of the runs, "quick" or "paper".
    """
    return "\n".join([HEAD, *(_section(preset, rows, size) for preset, rows in found.values())])


def _section(preset: Preset, findings: Sequence[Finding], size: Size) -> str:
    cell = preset.config(size).cells()[0]
    settings = (
        f"Run at length {cell.model.length}, {cell.train.steps} steps, {cell.train.seeds} seeds"
        + ("." if cell.train.batch is None else f", batch {cell.train.batch}.")
    )
    lines = [
        f"## {preset.name}: {preset.title}",
        "",
        " ".join(preset.published.split()),
        "",
        settings,
        "",
        ROW.format("quantity", "published", "expected", "measured", "seeds", "agrees"),
        "|---|---|---|---|---|---|",
        *(_row(finding) for finding in findings),
    ]
    notes = dict.fromkeys(finding.expectation.note for finding in findings)
    lines += [f"\n{note}" for note in notes if note]
    return "\n".join([*lines, ""])


def _row(finding: Finding) -> str:
    e = finding.expectation
    expected = "recorded" if e.low is None else f"{e.low:g} to {e.high:g}"
    if finding.verdict in ("differs", "missing"):
        expected += f" (**{finding.verdict}**)"
    published = "" if e.published is None else f"{e.published:g}"
    name = e.what.replace("|", "\\|")  # a bar would end the cell
    return ROW.format(name, published, expected, finding.words, finding.seeds, _agrees(e))


def _agrees(expectation: Expectation) -> str:
    low, high, published = expectation.low, expectation.high, expectation.published
    if low is None or high is None or published is None:
        return ""
    return "yes" if low <= published <= high else "**no**"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is not finished yet, write the page, and return 0, or 1 where a number differs."""
    parser = argparse.ArgumentParser(
        prog="python -m landscape.scanning.presets",
        description="Run presets and write the page of them.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all of them")
    parser.add_argument("--size", choices=SIZES, default="quick")
    parser.add_argument("--runs", type=Path, default=Path("runs/presets"), metavar="DIR")
    parser.add_argument("--out", type=Path, default=Path("docs/presets.md"), metavar="FILE")
    options = parser.parse_args(arguments)
    found = {}
    for name in options.names or names():
        preset = load(name)
        config = preset.config(options.size)
        print(f"{config.name}: {len(config.cells())} cells", file=sys.stderr)
        result = scan(config, out=options.runs / config.name)
        findings = [compare_with(e, result.store) for e in preset.expected(options.size)]
        found[name] = preset, findings
    options.out.write_text(page(found, options.size), "utf-8")
    wrong = [f for _, rows in found.values() for f in rows if f.verdict in ("differs", "missing")]
    for finding in wrong:
        print(f"{finding.verdict}: {finding.expectation.what}", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
