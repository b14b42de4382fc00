"""The process that computes: its device, its threads, and the memory that it keeps."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
THRESHOLD = 2**30


def keep_freed_memory() -> bool:
    """Ask glibc not to hand freed blocks of up to 1 GiB back to the system; True if it will.

    A training step frees tens of megabytes and takes them again at once. By default each round
    trip goes through the kernel, page by page, and costs as much as the arithmetic. The setting
    belongs to the whole process, so only the command line makes it; on other C libraries nothing
    happens.
    """
    if not sys.platform.startswith("linux"):
        return False
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
