"""What a run will take of the machine, predicted from its sizes, and refused where it is too much.

The figures are of the largest arrays that live at once, from the sizes alone: nothing is built. A
model of one's own is not known from its sizes; only what does not depend on it is counted.
"""

import os
import resource
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from landscape.config.cell import CellConfig, size_of
from landscape.config.model import CODE
from landscape.errors import ConfigError, Refusal, Setting, Text

LARGEST_DENSE = 20_000
"""Most parameters of a dense Hessian, as `landscape.spectra.operators` has it."""

DENSE_COPIES = 5
"""Matrices of D x D that live at once: unit vectors, products, their mean, eigenvectors, work."""

OPTIMISER_COPIES = 6
"""Copies of a run's parameters: themselves, the start, the gradient, two moments, an update."""

SAVED = 3
"""Copies of an activation that a backward pass holds."""


@dataclass(frozen=True)
class Part:
    """Bytes that one thing takes, the setting that decides them, and what may be done."""

    what: str
    size: int
    name: str
    value: object
    hint: tuple[Text, ...]


def parameters(cell: CellConfig) -> int | None:
    """Number D of parameters of a model of the package (a few per cent less for a gpt's biases).

    None for a model of one's own.
    """
    model, states = cell.model, cell.source.symbols
    if model.the_kind is CODE:
        return None
    if model.the_kind.scalars:
        return 3
    d, n = model.width, model.length
    layer = 4 * d * d + 2 * model.hidden * d + (model.heads or 1) * n
    return (2 * states + n) * d + (model.layers or 1) * layer


def memory(cell: CellConfig, *, training: bool, hessian: bool) -> Iterator[Part]:
    """The largest parts of the memory that a cell takes at its peak, in bytes.

    Args:
        cell: what is run.
        training: whether its runs are trained.
        hessian: whether a dense Hessian is measured.
    """
    model, train = cell.model, cell.train
    count, states, n = parameters(cell), cell.source.symbols, model.length
    item = 4 if train.dtype == "float32" else 8
    smaller: Text = "take a smaller width or hidden width"
    fewer: Text = ("take fewer ", Setting("train.seeds"))
    alone: Text = (Setting("measure.points", ()), " to train alone")
    if count is not None and training:
        size = OPTIMISER_COPIES * item * count * train.seeds
        what = (
            f"width={model.width}, hidden={model.hidden}, length={n} make {count:.3g} parameters; "
            f"{counted(train.seeds, 'run')} with the optimiser"
        )
        yield Part(what, size, "model.width", model.width, (smaller, fewer))
    if count is not None and hessian:
        size = DENSE_COPIES * 8 * count * count
        what = f"the dense Hessian of {count} parameters"
        yield Part(what, size, "model.width", model.width, (smaller, alone))
    per_symbol = 0 if model.the_kind.scalars else 4 * model.width + model.hidden
    if model.attention is not False:
        per_symbol += (model.heads or 1) * min(n, 10**9)
    layers = model.layers or 1
    if train.batch is None or hessian:  # all contexts, of one run at a time
        tree = 2 * states ** min(n, 64)
        runs = train.seeds if model.kind == "single-layer" and training else 1
        size = SAVED * 8 * runs * tree * max(1, (per_symbol + states) * layers)
        what = f"{counted(runs, 'run')} over {tree} contexts"
        yield Part(what, size, "model.length", n, ("take a shorter length", smaller))
    if train.batch is not None and training:
        rows = train.batch * n
        draws = 16 * train.seeds * rows * states
        size = draws + SAVED * item * rows * (per_symbol + states) * layers
        what = f"{counted(train.seeds, 'batch')} of {train.batch} sequences of {n} symbols"
        hint = (("take a smaller ", Setting("train.batch")), "a shorter length", fewer)
        name, value = ("model.length", n) if n > train.batch else ("train.batch", train.batch)
        yield Part(what, size, name, value, hint)
    if training:
        hints: tuple[Text, ...] = (("take fewer ", Setting("train.steps")), fewer)
        what = f"the curves of {counted(train.seeds, 'run')} over {train.steps} steps"
        yield Part(what, 3 * curves(cell), "train.steps", train.steps, hints)


def counted(number: int, what: str) -> str:
    """A number of things, in words.

    >>> counted(1, "run"), counted(4, "batch")
    ('1 run', '4 batches')
    """
    plural = f"{what}es" if what.endswith("ch") else f"{what}s"
    return f"{number} {what if number == 1 else plural}"


def curves(cell: CellConfig) -> int:
    """Bytes of the loss curves of a cell and of their errors."""
    train = cell.train
    evaluated = train.steps // (train.evaluate_every or 1) + 2
    return 16 * train.seeds * evaluated


def disk(cell: CellConfig) -> Part:
    """What a cell stores: curves, weights, eigenvalues and slices."""
    count, train = parameters(cell) or 0, cell.train
    points = len(cell.measure.points)
    size = curves(cell) + 8 * count * (train.seeds + 8 * points)
    if cell.measure.slice is not None:
        size += 2 * 8 * cell.measure.slice.resolution**2
    hint: tuple[Text, ...] = (("take fewer ", Setting("train.steps")),)
    return Part("the results", size, "train.steps", train.steps, (*hint, "another folder"))


def available_memory() -> int:
    """Bytes that this process may still take: what Linux calls available, within its limits.

    The least of MemAvailable of /proc/meminfo (elsewhere the physical memory), of what its control
    group leaves (cgroup v2 or v1), and of its own limit on the address space.
    """
    free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for line in _lines("/proc/meminfo"):
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            free = int(rest.split()[0]) * 1024
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes",
         "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):  # fmt: skip
        most, now = ("".join(_lines(path)).strip() for path in (limit, used))
        if most.isdigit() and now.isdigit():
            free = min(free, max(0, int(most) - int(now)))
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        free = min(free, soft)
    return free


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return []


def refuse_too_much(
    cells: Iterable[CellConfig],
    *,
    training: bool,
    hessian: bool,
    device: str = "cpu",
    folder: Path | None = None,
) -> None:
    """Refuse what does not fit the machine, before any of it is built.

    Args:
        cells: what is to be run.
        training: whether runs are trained.
        hessian: whether dense Hessians are measured where the cells say so.
        device: memory is counted for "cpu" alone.
        folder: where results are to be stored, if they are.

    Raises:
        ConfigError: with the figure, what is free, and the remedy.
    """
    free, stored = available_memory(), 0
    for cell in cells:
        measured = hessian and bool(cell.measure.points)
        count = parameters(cell)
        if measured and count is not None and count > LARGEST_DENSE:
            (part,) = (p for p in memory(cell, training=False, hessian=True) if "Hessian" in p.what)
            why = f"a model of {count} parameters is too large for a dense Hessian, which takes "
            why += f"{size_of(part.size)}"
            allowed = f"of at most {LARGEST_DENSE} parameters"
            raise ConfigError(Refusal(part.name, part.value, why, allowed, part.hint))
        parts = list(memory(cell, training=training, hessian=measured))
        largest = max(parts, key=lambda part: part.size)
        if device == "cpu" and largest.size > free:
            raise _refused(largest, f"{size_of(free)} of memory are free here")
        results = disk(cell)
        stored += results.size
    if folder is not None and stored:
        place = folder.absolute()
        while not place.exists():
            place = place.parent
        left = shutil.disk_usage(place).free
        if stored > left:
            part = Part(results.what, stored, results.name, results.value, results.hint)
            raise _refused(part, f"{size_of(left)} are free in {place}")


def _refused(part: Part, free: str) -> ConfigError:
    why = f"{part.what}: about {size_of(part.size)}, and {free}"
    return ConfigError(Refusal(part.name, part.value, why=why, hint=part.hint))
