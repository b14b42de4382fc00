"""`python -m landscape.scanning.presets`: run presets and write the page that compares them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from landscape.scanning.presets.expectation import compare_with
from landscape.scanning.presets.page import page
from landscape.scanning.presets.preset import SIZES, load, names
from landscape.scanning.scan import scan
from landscape.store.scan_store import ScanStore


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
        store = ScanStore(result.path)
        findings = [compare_with(e, store, config) for e in preset.expected(options.size)]
        found[name] = preset, findings
    options.out.write_text(page(found, options.size), "utf-8")
    wrong = [f for _, rows in found.values() for f in rows if f.verdict in ("differs", "missing")]
    for finding in wrong:
        print(f"{finding.verdict}: {finding.expectation.what}", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
