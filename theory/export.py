"""The theorems as Markdown, LaTeX or MathML; `python -m theory.export` writes their page."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from theory.export_latex import article
from theory.export_markdown import page
from theory.export_mathml import mathml
from theory.proof_cache import ProofRecord, proof_record
from theory.theorem import Theorem
from theory.theorems import THEOREM_IDS, theorem

__all__ = ["article", "main", "mathml", "page", "with_records"]

PAGE = Path("docs/theorems.md")


def with_records(names: Sequence[str] = ()) -> tuple[tuple[Theorem, ProofRecord], ...]:
    """Theorems, all by default, each with what became of its proof.

    Raises ValueError for an unknown id, naming the nearest.
    """
    chosen = [theorem(name) for name in names or THEOREM_IDS]
    return tuple((found, proof_record(found.id)) for found in chosen)


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
