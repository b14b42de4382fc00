"""`python -m benchmarks`: time every pair and write the page of results."""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # before torch is loaded, as the command line does


def main() -> int:
    """Time the pairs, print a line for each as it is done, and write the page."""
    import torch

    from benchmarks.pair import measure
    from benchmarks.pairs import pairs
    from benchmarks.report import machine, page, row
    from landscape.cli.process import prepare

    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="paired rounds (default: 7)")
    parser.add_argument("--only", default="", help="pairs whose name holds this text; no page")
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks.md"))
    parser.add_argument(
        "--threads", type=int, default=1, help="torch threads (default: 1, as in a batch of a scan)"
    )
    options = parser.parse_args()
    for name in ("rounds", "threads"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} {getattr(options, name)} is out of range; give at least 1")
    prepare("cpu")
    torch.set_num_threads(options.threads)
    print(machine(), file=sys.stderr)
    timings = []
    for pair in pairs():
        if options.only.lower() in pair.name.lower():
            timings.append(measure(pair, options.rounds))
            print(row(timings[-1]), flush=True)
    if not options.only:
        options.out.write_text(page(timings, options.rounds), "utf-8")
        print(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
