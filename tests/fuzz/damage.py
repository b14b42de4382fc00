"""Damaged folders of scans: whatever is done to a file, nothing false is read, and a scan heals it.

Each trial takes a sound folder of two small cells, does one thing to one of its files, and lets
every command that reads it have its say.
"""

import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from landscape.config.scan import ScanConfig
from landscape.errors import ConfigError
from landscape.scanning.scan import scan
from landscape.store.reading import open_scan
from tests.fuzz.command import Said, say

PATIENCE, BLOCKED = 20.0, 120.0
"""Seconds of CPU, and seconds at all on a machine that is busy, after which a command hangs."""

CONFIG: dict[str, Any] = {
    "name": "fuzz",
    "model": {"width": 2, "length": 2},
    "train": {"steps": 3, "seeds": 1},
    "source": {"q": 0.8},
    "axes": {"source.p": [0.5, 0.7]},
}


def truncate(path: Path, draw: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: draw.randrange(path.stat().st_size)])


def flip_one(path: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def flip_many(path: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(20):
        content[draw.randrange(len(content))] = draw.randrange(256)
    path.write_bytes(content)


def overwrite(path: Path, draw: random.Random) -> None:
    path.write_bytes(draw.randbytes(draw.choice((0, 1, 100, 10_000))))


def nest(path: Path, draw: random.Random) -> None:
    path.write_text(draw.choice(("[", '{"a":')) * 100_000)


def enlarge(path: Path, draw: random.Random) -> None:
    path.write_text('{"schema": 1' + "0" * draw.choice((10, 5000)) + "}")


def another(path: Path, draw: random.Random) -> None:
    others = [p for p in path.parent.iterdir() if p.suffix == path.suffix and p != path]
    path.write_bytes(draw.choice(others).read_bytes() if others else b"{}")


def remove(path: Path, draw: random.Random) -> None:
    path.unlink()


def in_place(make: Callable[[Path], object]) -> Callable[[Path, random.Random], None]:
    def damage(path: Path, draw: random.Random) -> None:
        path.unlink()
        make(path)

    return damage


DAMAGE: dict[str, Callable[[Path, random.Random], None]] = {
    "cut short": truncate,
    "one bit flipped": flip_one,
    "twenty bytes changed": flip_many,
    "other bytes": overwrite,
    "deep JSON": nest,
    "a number without end": enlarge,
    "the file of another cell": another,
    "removed": remove,
    "a folder": in_place(Path.mkdir),
    "a device": in_place(lambda path: path.symlink_to("/dev/zero")),
    "a pipe": in_place(os.mkfifo),
    "a link to nowhere": in_place(lambda path: path.symlink_to(path.with_name("nowhere"))),
}


@dataclass
class Tally:
    """What became of the trials: how often each damage was done, and what went wrong."""

    done: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0


def sound_folder(out: Path) -> Path:
    """A finished scan."""
    scan(ScanConfig(**CONFIG), out=out)
    return out


def content(folder: Path) -> dict[str, Any]:
    """What is read of each cell that is not refused."""
    found: dict[str, Any] = {}
    try:
        stored = open_scan(folder)
        for cell in stored.readable():
            loss = stored.arrays(cell, "training/loss")[0].tolist()
            ends = {name: value.tolist() for name, value in stored.weights(cell).items()}
            scalars = {k: v for k, v in stored.scalars(cell).items() if k != "seconds"}
            found[cell.id] = loss, ends, scalars
    except ConfigError:
        pass
    return found


def trials(sound: Path, work: Path, count: int, seed: int) -> Tally:
    """Damage a folder so many times, each time afresh."""
    tally, true = Tally(), content(sound)
    assert len(true) == 2
    for trial in range(count):
        draw = random.Random(f"{seed}/{trial}")
        folder = work / f"trial-{trial}"
        shutil.copytree(sound, folder)
        files = sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size)
        path, name = draw.choice(files), draw.choice(sorted(DAMAGE))
        label = f"trial {trial}, {name} in place of {path.parent.name}/{path.suffix}"
        DAMAGE[name](path, draw)
        tally.done[name] += 1
        _judge(tally, label, folder, true)
        shutil.rmtree(folder)
    return tally


def _judge(tally: Tally, label: str, folder: Path, true: dict[str, Any]) -> None:
    def said(*words: str) -> Said:
        begin, busy = time.perf_counter(), time.process_time()
        answer = say(*words)
        used, lasted = time.process_time() - busy, time.perf_counter() - begin
        tally.slowest = max(tally.slowest, used)
        if answer.raised:
            tally.faults.append(f"{label}: {words[0]} raised {answer.raised}")
        if used > PATIENCE or lasted > BLOCKED:
            tally.faults.append(f"{label}: {words[0]} took {lasted:.0f} s, {used:.0f} of CPU")
        return answer

    def false() -> bool:
        return any(true.get(key) != value for key, value in content(folder).items())

    said("status", str(folder))
    said("collect", str(folder), "--out", str(folder.with_suffix(".csv")))
    if false():
        tally.faults.append(f"{label}: something else than was written was read")
    settings = folder.with_suffix(".toml")
    settings.write_text(TOML)
    healed = said("scan", str(settings), "--no-report", "--out", str(folder))
    if healed.code == 0 and content(folder) != true:
        tally.faults.append(f"{label}: the scan did not heal it")
    if healed.code not in (0, 2):
        tally.faults.append(f"{label}: the scan left with {healed.code}: {healed.err[-200:]}")


TOML = """
name = "fuzz"
model = { width = 2, length = 2 }
train = { steps = 3, seeds = 1 }
source = { q = 0.8 }
[axes]
"source.p" = [0.5, 0.7]
"""
