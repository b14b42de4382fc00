"""`python -m benchmarks`: time each pair in turns and print the paired ratios."""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import torch

from benchmarks.pairs import agree, pairs
from landscape.allocator import keep_freed_memory


def seconds(call: Callable[[], object]) -> float:
    """Wall time of one call."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def main() -> None:
    """Print, per pair, the median time of ours and the median and range of naive/ours."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="paired rounds (default 7)")
    rounds = parser.parse_args().rounds
    keep_freed_memory()
    agree()
    print(f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    for pair in pairs():
        pair.ours(), pair.naive()  # warm up
        times = [(seconds(pair.ours), seconds(pair.naive)) for _ in range(rounds)]
        ratios = sorted(naive * pair.units / ours for ours, naive in times)
        ours = statistics.median(time for time, _ in times) / pair.units
        print(
            f"{pair.name}: {statistics.median(ratios):.1f}x "
            f"({ratios[0]:.1f} to {ratios[-1]:.1f}), ours {1e3 * ours:.3g} ms"
        )


if __name__ == "__main__":
    main()
