"""`python -m theory.export`: go through every proof and write the page of all theorems."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from theory.export.markdown import page
from theory.statements.records import with_records

PAGE = Path("docs/theorems.md")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, and return 0, or 1 where a proof is not accepted or a control not refused."""
    parser = argparse.ArgumentParser(
        prog="python -m theory.export", description="Write the page of all theorems."
    )
    parser.add_argument("--out", type=Path, default=PAGE, metavar="FILE")
    options = parser.parse_args(arguments)
    pairs = with_records()
    options.out.write_text(page(pairs), "utf-8")
    wrong = [found.id for found, record in pairs if not record.proved]
    for name in wrong:
        print(f"not proved: {name}", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
