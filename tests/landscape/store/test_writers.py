"""A scan's folder keeps whole cells only, whatever happens to those who write it."""

import errno
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from landscape.config.cell import CellConfig
from landscape.config.scan import ScanConfig
from landscape.store import scan_store
from landscape.store.atomic import is_temporary, sweep, temporary
from landscape.store.reading import StoredScan
from landscape.store.scan_store import ScanStore, Status
from tests.landscape.store.written import CONFIG, VERSIONS, files, names, write

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_full_disk_leaves_no_half_file_and_no_temporary(
    folder: ScanStore, cell: CellConfig, call: str, turn: int
) -> None:
    real, calls = getattr(os, call), []

    def full(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == turn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(*arguments)

    with patch.object(os, call, full):
        words = "could not be written: No space left on device.*Finished cells are kept"
        with pytest.raises(OSError, match=f"(?s){words}") as caught:
            write(folder, cell)
    assert caught.value.errno == errno.ENOSPC
    left = names(folder)
    assert f"cells/{cell.id}.json" not in left
    # All are flushed before the first is renamed; what was renamed is whole.
    assert len(left) == (turn - 1 if call == "replace" else 0)
    assert all((folder.path / name).stat().st_size > 0 for name in left)
    assert folder.pending([cell]) == (cell,)
    write(folder, cell)
    assert folder.pending([cell]) == ()


def test_an_interrupt_in_the_middle_leaves_no_file(folder: ScanStore, cell: CellConfig) -> None:
    interrupt = patch.object(scan_store, "write_weights", side_effect=KeyboardInterrupt)
    with interrupt, pytest.raises(KeyboardInterrupt):
        write(folder, cell)
    assert names(folder) == set()


PREAMBLE = f"""
import os, signal, sys, time
from decimal import Decimal
import numpy as np, xarray as xr
from landscape.store import scan_store as store
from landscape.config.scan import ScanConfig
config = ScanConfig(**{CONFIG!r})
folder = store.ScanStore(sys.argv[1]).open_or_create(config, {{}})
def write(cell, value):
    tree = xr.DataTree.from_dict({{"/training": xr.Dataset({{"loss": ("seed", [value] * 5)}})}})
    folder.write_cell(cell, tree, {{"loss": value}}, {{"w": np.full(3, value)}})
"""


def start(code: str, *arguments: str) -> subprocess.Popen[bytes]:
    """A fresh process that runs `code` after PREAMBLE."""
    return subprocess.Popen([sys.executable, "-c", PREAMBLE + code, *arguments], cwd=ROOT)


@pytest.mark.parametrize("published", [0, 1, 2])
def test_a_writer_killed_before_the_record_leaves_the_cell_to_be_run(
    folder: ScanStore, config: ScanConfig, published: int
) -> None:
    first, second = config.cells()
    write(folder, first)
    code = f"""
done = []
real = store.publish
def publish(name, path):
    if len(done) == {published}:
        os.kill(os.getpid(), signal.SIGKILL)
    real(name, path)
    done.append(path)
store.publish = publish
write(config.cells()[1], 1.0)
"""
    assert start(code, str(folder.path)).wait(timeout=60) == -signal.SIGKILL

    final = {name for name in names(folder) if not is_temporary(Path(name))}
    assert len(final - files(first)) == published  # the control: it was killed where it says
    assert folder.pending(config.cells()) == (second,)
    write(folder, second, 3.0)  # not held up by the lock of the dead
    assert folder.pending(config.cells()) == ()
    assert StoredScan.of(folder).scalars(second) == {"loss": 3.0}


def test_temporaries_of_the_dead_are_swept_and_those_of_the_living_are_not(
    folder: ScanStore, config: ScanConfig
) -> None:
    with temporary(folder.path / "cells" / "x.nc") as old, temporary(old) as new:
        old.touch()
        new.touch()
        os.utime(old, (time.time() - 7200,) * 2)
        stranger = folder.path / "cells" / ".partial-notes"
        stranger.touch()
        os.utime(stranger, (0, 0))
        folder.open_or_create(config, VERSIONS)
        assert (old.exists(), new.exists(), stranger.exists()) == (False, True, True)
        sweep(folder.path / "cells")
        assert new.exists()


def test_two_writers_of_one_folder_lose_no_cell(tmp_path: Path) -> None:
    # Both write every cell, in opposite order and at once, each with its own values.
    axes = {"source.p": {"from": 0.1, "to": 0.9, "count": 9}, "train.seed": [0, 1]}
    config = ScanConfig(**dict[str, Any]({"source": {"q": 0.8}, "axes": axes}))
    code = f"""
config = ScanConfig(source={{"q": 0.8}}, axes={axes!r})
folder = store.ScanStore(sys.argv[3]).open_or_create(config, {{}})
go = sys.argv[2]
open(go + sys.argv[4], "w").close()
while not all(os.path.exists(go + k) for k in "12"):
    time.sleep(0.001)
for cell in config.cells()[:: 1 if sys.argv[4] == "1" else -1]:
    write(cell, float(sys.argv[4]))
"""
    spare, go, path = (str(tmp_path / name) for name in ("spare", "go", "scan"))
    writers = [start(code, spare, go, path, number) for number in "12"]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]

    folder, stored = ScanStore(path), StoredScan.of(ScanStore(path))
    assert folder.pending(config.cells()) == ()
    assert folder.status() == Status(done=18, pending=0, quarantined=0)
    for cell in config.cells():
        # One writer's files throughout, never a mixture.
        value = stored.scalars(cell)["loss"]
        assert value in (1.0, 2.0)
        assert stored.arrays(cell, "training/loss")[0].tolist() == [value] * 5
        assert stored.weights(cell)["w"].tolist() == [value] * 3
    assert {name for name in names(folder) if is_temporary(Path(name))} == set()


def test_a_writer_waits_for_another_in_the_middle_of_the_same_cell(
    folder: ScanStore, cell: CellConfig, tmp_path: Path
) -> None:
    # One writer pauses after its first file; the other starts there and has a whole second to put
    # its own files under the same names, which the first would then complete with a foreign record.
    ready = tmp_path / "ready"
    pauses = """
real = store.publish
def publish(name, path):
    real(name, path)
    if not os.path.exists(sys.argv[2]):
        open(sys.argv[2], "w").close()
        time.sleep(1)
store.publish = publish
write(config.cells()[0], 1.0)
"""
    follows = """
while not os.path.exists(sys.argv[2]):
    time.sleep(0.001)
write(config.cells()[0], 2.0)
"""
    writers = [start(follows, str(folder.path), str(ready))]
    writers.append(start(pauses, str(folder.path), str(ready)))
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    assert folder.check(cell) is None
    assert StoredScan.of(folder).scalars(cell) == {"loss": 1.0}
    assert StoredScan.of(folder).weights(cell)["w"].tolist() == [1.0] * 3


def test_the_first_writer_of_a_cell_is_kept_whole(folder: ScanStore, cell: CellConfig) -> None:
    write(folder, cell, 1.0)
    before = {n: (folder.path / n).read_bytes() for n in names(folder)}
    write(folder, cell, 2.0)
    assert {n: (folder.path / n).read_bytes() for n in names(folder)} == before


def test_files_are_readable_by_those_the_umask_allows(folder: ScanStore, cell: CellConfig) -> None:
    write(folder, cell)
    umask = os.umask(0)
    os.umask(umask)
    modes = {stat.S_IMODE((folder.path / name).stat().st_mode) for name in files(cell)}
    assert modes == {0o666 & ~umask}
