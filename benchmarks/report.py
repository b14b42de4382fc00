"""The page of results: a table of ratios, and profiles where a goal was missed."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path

import numpy
import torch

from benchmarks.floor import costliest, multiplications, operations, price, rate
from benchmarks.pair import Timing

HEAD = """\
# Benchmarks

Made by `make bench`. Each row times our routine and a naive twin that computes the same, in turns
in one process, and gives the median ratio naive/ours of {rounds} rounds, with its range. "Differ"
is how far apart the two results were before the clock ran: for the sampler the gap between two
estimated transition probabilities, against the plain torch loop that of the losses on one batch at
the same weights, else the largest difference of a number. "Against one by one" is the same code on
one run.

{machine}

| what | ratio (range) | goal | ours | naive | differ |
|---|---:|---:|---:|---:|---:|
"""


def machine() -> str:
    """Processor, threads and versions."""
    return (
        f"{processor()}, {os.cpu_count()} cores; {torch.get_num_threads()} torch threads; "
        f"Python {platform.python_version()}, torch {torch.__version__}, "
        f"numpy {numpy.__version__}; {platform.system()} {platform.machine()}."
    )


def processor() -> str:
    """The processor's name, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, "unknown processor")


def duration(seconds: float) -> str:
    """Seconds in a unit that keeps three digits readable.

    >>> duration(0.01234), duration(3.2e-5)
    ('12.3 ms', '32 us')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"


def row(timing: Timing) -> str:
    """One line of the table."""
    pair = timing.pair
    goal = "" if pair.goal is None else f">= {pair.goal:g}" + (" (missed)" if timing.missed else "")
    per = "" if pair.unit == "call" else f" per {pair.unit}"
    return (
        f"| {pair.name} | {timing.ratio:.3g} ({timing.ratios[0]:.3g} to {timing.ratios[-1]:.3g}) "
        f"| {goal} | {duration(timing.ours)}{per} | {duration(timing.naive)}{per} "
        f"| {timing.difference:.1g} |"
    )


def profiled(timing: Timing) -> str:
    """What bounds a routine: its matrix products, its calls, and where its time goes."""
    pair = timing.pair
    flops, speed = multiplications(pair.ours) / pair.units, rate(pair.dtype)
    calls, each = operations(pair.ours) / pair.units, price()
    lines = [
        f"### {pair.name}",
        "",
        *([pair.bound, ""] if pair.bound else []),
        f"It takes {duration(timing.ours)} per {pair.unit}. Its matrix products ({flops:.3g} "
        f"operations) alone would take {duration(flops / speed)} at the {speed / 1e9:.3g} Gflop/s "
        f"of a large product; its {calls:.0f} calls of torch operations would take "
        f"{duration(calls * each)} on next to nothing. The time goes to:",
        "",
        "| operation | calls | share |",
        "|---|---:|---:|",
        *(f"| `{name}` | {calls} | {share:.0f}% |" for name, calls, share in costliest(pair.ours)),
        "",
    ]
    return "\n".join(lines)


def page(timings: Sequence[Timing], rounds: int) -> str:
    """The whole page, in Markdown."""
    text = HEAD.format(rounds=rounds, machine=machine()) + "\n".join(map(row, timings)) + "\n"
    shown = [t for t in timings if t.missed or (t.pair.goal is None and t.pair.units > 1)]
    if shown:
        text += (
            "\n## What bounds them\n\nWhat missed its goal, and batched runs on long sequences.\n\n"
        )
        text += "\n".join(map(profiled, shown))
    return text
