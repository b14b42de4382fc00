"""The process that computes: what it imports, what ends it, its device, threads and memory."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
THRESHOLD = 2**30

ENDING = (signal.SIGTERM, signal.SIGHUP)
"""What ends a process from outside, as Ctrl-C does: a scheduler, a terminal that is closed."""


class Terminated(KeyboardInterrupt):
    """The process was told to end by a signal; it cleans up as after an interrupt."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Within it SIGTERM and SIGHUP raise `Terminated` where Ctrl-C raises KeyboardInterrupt.

    One that is ignored (`nohup`) stays ignored. Only the main thread may change this.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _: FrameType | None) -> None:
        raise Terminated(number)

    mine = [number for number in ENDING if signal.getsignal(number) is signal.SIG_DFL]
    for number in mine:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, signal.SIG_DFL)


def current_folder_last() -> None:
    """Look for modules in the current folder after everywhere else.

    `python -m` and `python -c` look there first, and would take a user's `figures.py` or
    `random.py` for the module that is meant. Nothing changes where the package itself lives there.
    """
    try:
        here, home = Path.cwd(), Path(__file__).resolve().parents[2]
    except FileNotFoundError:  # the folder is gone, and with it what was in it
        return
    found = [place for place in sys.path if not place or Path(place) == here]
    if found and here.resolve() != home:
        sys.path[:] = [place for place in sys.path if place not in found] + found[:1]


def keep_freed_memory() -> bool:
    """Ask glibc not to hand freed blocks of up to 1 GiB back to the system; True if it will.

    A training step frees tens of megabytes and takes them again at once. By default each round
    trip goes through the kernel, page by page, and costs as much as the arithmetic. The setting
    belongs to the whole process, so only the command line makes it; on other C libraries nothing
    happens.
    """
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return all(mallopt(key, THRESHOLD) == 1 for key in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD))


def prepare(device: str) -> None:
    """Set the process up for computing: the device checked, few threads, freed memory kept.

    The arrays are small: on a machine of many cores, more threads than a scan's only wait.
    """
    import torch

    from landscape.errors import refused
    from landscape.scanning.scan import WORKERS

    keep_freed_memory()
    torch.set_num_threads(WORKERS)
    try:
        torch.zeros(1, device=device).item()  # "meta" is a device, but holds no numbers
    except (RuntimeError, AssertionError):
        why, hint = "torch has no such device here", "give cpu, or cuda if it has one"
        raise refused("device", device, why=why, hint=hint) from None
