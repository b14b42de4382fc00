"""`python -m figures [RUN_DIR]`: the phase diagram of a scan, from what its folder holds."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, print the paths of the files, and return the exit code: 0, or 2 for bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m figures", description="Draw the (p, q) phase diagram of a scan."
    )
    parser.add_argument(
        "run", nargs="?", type=Path, metavar="RUN_DIR", help="default: the newest under runs/"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: RUN_DIR itself")
    parser.add_argument(
        "--select",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="hold another axis of the scan at one of its values; repeatable",
    )
    options = parser.parse_args(arguments)
    from figures import phase_diagram
    from landscape.store import ScanStore

    try:
        run = options.run or newest(Path("runs"))
        record = phase_diagram.load(ScanStore(run), select=dict(map(_pair, options.select)))
        paths = phase_diagram.save(record, (options.out or run) / "phase_diagram")
    except (ValueError, OSError) as error:
        print(f"python -m figures: {error}", file=sys.stderr)
        return 2
    for path in paths:
        print(path)
    return 0


def newest(runs: Path) -> Path:
    """The folder in `runs` whose scan was begun last. Raises ValueError if there is no scan."""
    scans = sorted(runs.glob("*/scan.json"), key=lambda scan: (scan.stat().st_mtime_ns, scan))
    if not scans:
        raise ValueError(
            f"there is no scan in {runs}/ to draw: run `landscape scan` first (it takes about a "
            "minute), or give the folder of one: python -m figures RUN_DIR"
        )
    return scans[-1].parent


def _pair(option: str) -> tuple[str, str]:
    name, equals, value = option.partition("=")
    if not (name and equals and value):
        raise ValueError(f"--select {option} is not NAME=VALUE, as in --select model.width=4")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
