"""Where the time of a call goes, and the least time its matrix products would need."""

import time
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.pair import Call


def multiplications(call: Call) -> int:
    """Floating-point operations of the matrix products in a call, two per multiplication."""
    with FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops())


def rate(dtype: torch.dtype) -> float:
    """Operations a second in a product of two matrices of 1024 x 1024: what the machine can do."""
    a = torch.ones(1024, 1024, dtype=dtype)
    best = float("inf")
    for _ in range(5):
        begin = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - begin)
    return 2 * 1024**3 / best


class _Count(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it bare
        self.total = 0

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.total += 1
        return operation(*args, **(kwargs or {}))


def operations(call: Call) -> int:
    """How many operations of torch a call makes, views included."""
    with _Count() as count:
        call()
    return int(count.total)


def price() -> float:
    """Seconds to call one operation on next to nothing: the sum of two numbers."""
    one = torch.ones(())
    best = float("inf")
    for _ in range(20):
        begin = time.perf_counter()
        for _ in range(1000):
            one + one
        best = min(best, time.perf_counter() - begin)
    return best / 1000


def costliest(call: Call, count: int = 6) -> list[tuple[str, int, float]]:
    """The operations with the largest share of a call's time: name, calls, share in percent."""
    with profile(activities=[ProfilerActivity.CPU]) as record:
        call()
    rows = record.key_averages()
    total = sum(row.self_cpu_time_total for row in rows)
    rows = sorted(rows, key=lambda row: -row.self_cpu_time_total)[:count]
    return [(row.key, row.count, 100 * row.self_cpu_time_total / total) for row in rows]
