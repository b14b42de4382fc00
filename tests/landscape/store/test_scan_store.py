"""A scan's folder keeps whole cells only, whatever happens to those who write it."""

import errno
import hashlib
import json
import math
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
import xarray as xr
from h5netcdf.utils import CompatibilityError

from landscape.config.cell import CellConfig
from landscape.config.scan import ScanConfig
from landscape.errors import ConfigError
from landscape.store import scan_store
from landscape.store.atomic import is_temporary, sweep, temporary
from landscape.store.reading import StoredScan
from landscape.store.scan_store import ScanStore, Status

ROOT = Path(__file__).resolve().parents[3]
CONFIG: dict[str, Any] = {
    "source": {"q": Decimal("0.8")},
    "axes": {"source.p": [Decimal("0.1"), Decimal("0.5")]},
}
VERSIONS = {"torch": "2.13.0"}
ATTRIBUTES = {"tied": True, "note": None, "table": {"d": 4}, "names": ["e", "b"]}


@pytest.fixture
def config() -> ScanConfig:
    return ScanConfig(**CONFIG)


@pytest.fixture
def folder(tmp_path: Path, config: ScanConfig) -> ScanStore:
    return ScanStore(tmp_path / "scan").open_or_create(config, VERSIONS)


@pytest.fixture
def cell(config: ScanConfig) -> CellConfig:
    return config.cells()[0]


def refused(store: ScanStore, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        store.open_or_create(ScanConfig(**CONFIG), VERSIONS)


def a_tree(value: float = 1.0) -> xr.DataTree:
    loss = xr.DataArray([[value, 0.5], [math.nan, 0.25]], dims=("seed", "step"))
    groups = {
        "/": xr.Dataset(attrs=ATTRIBUTES),
        "/training": xr.Dataset({"loss": loss.assign_attrs(unit="nats", exact=np.True_)}),
        "/points/unigram": xr.Dataset({"stuck": ("seed", [True, False])}),
    }
    return xr.DataTree.from_dict(groups)


def write(folder: ScanStore, cell: CellConfig, value: float = 1.0) -> None:
    folder.write_cell(cell, a_tree(value), {"loss": value}, {"w": np.full(3, value)})


def names(folder: ScanStore) -> set[str]:
    """Every file of the folder that is not there from the start."""
    found = {p.relative_to(folder.path).as_posix() for p in folder.path.rglob("*") if p.is_file()}
    return found - {"scan.json", ".lock"}


def files(cell: CellConfig) -> set[str]:
    return {f"cells/{cell.id}.nc", f"cells/{cell.id}.json", f"weights/{cell.id}.safetensors"}


# --- what goes in comes out ----------------------------------------------------------------------


def test_a_cell_comes_back_as_it_was_written(folder: ScanStore, cell: CellConfig) -> None:
    tree = a_tree()
    scalars = {"loss": math.nan, "radius": math.inf, "inertia": (1, 0, 2), "n": np.int64(3)}
    weights = {
        "embedding": torch.arange(6.0, dtype=torch.float64).reshape(2, 3).T.requires_grad_(),
        "bias": np.float32(0.1),
    }
    folder.write_cell(cell, tree, scalars, weights)

    back = StoredScan.of(folder).tree(cell)
    for path in ("/training", "/points/unigram"):
        xr.testing.assert_equal(back[path].to_dataset(), tree[path].to_dataset())
    assert back["points/unigram/stuck"].dtype == bool
    expected = {"loss": None, "radius": None, "inertia": [1, 0, 2], "n": 3}
    assert StoredScan.of(folder).scalars(cell) == expected
    loaded = StoredScan.of(folder).weights(cell)
    np.testing.assert_array_equal(loaded["embedding"], [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]])
    assert [str(loaded[name].dtype) for name in weights] == ["float64", "float32"]
    assert loaded["bias"].shape == ()
    assert names(folder) == files(cell)


def test_attributes_that_netcdf_refuses_are_written_in_its_terms(
    folder: ScanStore, cell: CellConfig, tmp_path: Path
) -> None:
    tree, kept = a_tree(), deepcopy(ATTRIBUTES)
    # The control: netCDF does refuse them as they are.
    refusals = {"boolean dtypes": (CompatibilityError, True), "Object dtype": (TypeError, {"d": 4})}
    for words, (error, value) in refusals.items():
        plain = xr.DataTree(xr.Dataset(attrs={"value": value}))
        with pytest.raises(error, match=words):
            plain.to_netcdf(tmp_path / "control.nc", engine="h5netcdf")
    folder.write_cell(cell, tree, {}, {})
    attributes = StoredScan.of(folder).tree(cell).attrs
    assert attributes["tied"] == 1
    assert "note" not in attributes
    assert json.loads(attributes["table"]) == {"d": 4}
    assert json.loads(attributes["names"]) == ["e", "b"]
    assert {"created_at", "version", "schema", "seed", "id"} <= set(attributes)
    assert attributes["id"] == cell.id
    assert StoredScan.of(folder).tree(cell)["training/loss"].attrs == {"unit": "nats", "exact": 1}
    # Writing does not touch what it was given.
    assert tree.attrs == kept


def test_the_record_states_hash_and_size_of_the_files(folder: ScanStore, cell: CellConfig) -> None:
    write(folder, cell)
    record = json.loads((folder.path / "cells" / f"{cell.id}.json").read_text("utf-8"))
    for key, name in {"tree": "cells/{}.nc", "weights": "weights/{}.safetensors"}.items():
        content = (folder.path / name.format(cell.id)).read_bytes()
        hashed = hashlib.sha256(content).hexdigest()
        assert record["files"][key] == {"sha256": hashed, "size": len(content)}
    assert record["id"] == cell.id
    assert record["coordinates"] == {"source.p": "0.1"}


def test_a_file_read_is_closed_and_can_be_removed(folder: ScanStore, cell: CellConfig) -> None:
    write(folder, cell)
    tree = StoredScan.of(folder).tree(cell)
    (folder.path / "cells" / f"{cell.id}.nc").unlink()
    xr.testing.assert_equal(tree["training"].to_dataset(), a_tree()["training"].to_dataset())
    open_files = Path("/proc/self/fd")
    if open_files.exists():
        links = [os.readlink(p) for p in open_files.iterdir() if p.is_symlink()]
        assert [link for link in links if cell.id in link] == []


# --- opening -------------------------------------------------------------------------------------


def test_the_folder_says_what_it_holds(folder: ScanStore, config: ScanConfig) -> None:
    description = folder.description
    assert description["hash"] == config.hash == folder.config.hash
    assert description["axes"] == {"source.p": ["0.1", "0.5"]}
    assert description["versions"]["torch"] == "2.13.0"
    assert folder.status() == Status(done=0, pending=2, quarantined=0)


def test_the_same_configuration_resumes(folder: ScanStore, config: ScanConfig) -> None:
    first, second = config.cells()
    write(folder, first)
    before = (folder.path / "scan.json").read_bytes()
    again = ScanStore(folder.path).open_or_create(ScanConfig(**{**CONFIG, "name": "renamed"}), {})
    assert again.pending(config.cells()) == (second,)
    assert again.status() == Status(done=1, pending=1, quarantined=0)
    assert (folder.path / "scan.json").read_bytes() == before


def test_another_configuration_is_refused_with_the_difference(folder: ScanStore) -> None:
    other = ScanConfig(**{**CONFIG, "train": {"steps": 7}, "model": {"width": 8}})
    before = names(folder)
    with pytest.raises(ConfigError) as caught:
        ScanStore(folder.path).open_or_create(other, VERSIONS)
    assert str(caught.value) == (
        f"the folder {folder.path} holds another scan:\n"
        "  model.width: 8 here, 4 in the folder\n"
        "  train.steps: 7 here, 1000 in the folder\n"
        "choose another folder with --out, or run the configuration it holds"
    )
    assert names(folder) == before


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("all of it")
    refused(ScanStore(tmp_path), r"is not empty .* \(it holds thesis\.tex\); choose a new")
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_empty_folder_and_a_killed_start_s_are_used(tmp_path: Path, config: ScanConfig) -> None:
    (tmp_path / ".lock").touch()
    with temporary(tmp_path / "scan.json") as name:
        name.write_text("{")
        assert ScanStore(tmp_path).open_or_create(config, VERSIONS).config.hash == config.hash


FOREIGN = {
    b"": r"is damaged: it is not JSON \(.*line 1 column 1.*\); restore it from a copy",
    b"\xff": r"is damaged: it is not JSON \(.*\); restore it from a copy",
    b"{}": "is not that of a scan: it does not say format = 'markov-landscape scan'; name a folder",
    b"[1]": "is not that of a scan",
    b'{"format": "something else"}': "is not that of a scan",
    b'{"format": "markov-landscape scan", "schema": 1, "name": "a", "hash": "b", "config": 1, '
    b'"axes": {}}': "is damaged: it lacks versions, created_at; restore it from a copy",
}


@pytest.mark.parametrize("text", FOREIGN)
def test_a_folder_with_a_foreign_scan_json_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "scan.json").write_bytes(text)
    refused(ScanStore(tmp_path), f"^{tmp_path}/scan.json {FOREIGN[text]}")
    assert (tmp_path / "scan.json").read_bytes() == text


def test_a_scan_json_with_a_configuration_that_cannot_be_is_named(folder: ScanStore) -> None:
    path = folder.path / "scan.json"
    text = path.read_text("utf-8")
    path.write_text(text.replace('"p"', '"pp"'))
    assert path.read_text("utf-8") != text
    told = (
        rf"^{path} holds a configuration that cannot be used; restore it .*\n.*source\.pp.* is ref"
    )
    refused(ScanStore(folder.path), told)


def test_what_is_advised_about_a_damaged_scan_json_works(
    folder: ScanStore, cell: CellConfig, config: ScanConfig, tmp_path: Path
) -> None:
    write(folder, cell)
    (folder.path / "scan.json").write_text("{")
    refused(ScanStore(folder.path), "copy the scan.json of another folder into which the same scan")
    again = ScanStore(tmp_path / "again").open_or_create(config, VERSIONS)
    (folder.path / "scan.json").write_bytes((again.path / "scan.json").read_bytes())
    resumed = ScanStore(folder.path).open_or_create(config, VERSIONS)
    assert cell not in resumed.pending(config.cells())


def test_reading_a_folder_that_is_no_scan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name a folder that `landscape scan` wrote"):
        ScanStore(tmp_path / "nowhere").status()
    assert not (tmp_path / "nowhere").exists()


def test_another_schema_is_refused(folder: ScanStore) -> None:
    path = folder.path / "scan.json"
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 0'))
    refused(ScanStore(folder.path), "was written with schema 0, and this version reads and")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (file := tmp_path / "file").touch()
    refused(ScanStore(file / "scan"), "cannot be written: Not a directory; choose another one with")
    refused(ScanStore(file), "cannot be written: File exists; choose another one with")


def test_a_read_only_folder_is_refused(folder: ScanStore, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever runs the tests may be root, whom permissions do not stop: the refusal is put in.
    def touch(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "touch", touch)
    refused(folder, "cannot be written: Permission denied; choose another one")


def test_a_cell_that_is_not_finished_cannot_be_read(folder: ScanStore, cell: CellConfig) -> None:
    stored = StoredScan.of(folder)
    for read in (stored.tree, stored.scalars, stored.weights, stored.arrays, stored.groups):
        with pytest.raises(ConfigError, match=f"cell {cell.id} is not finished in .* run the scan"):
            read(cell)


# --- damage --------------------------------------------------------------------------------------


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def edit(old: str, new: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")

    return change


NETCDF, RECORD, WEIGHTS = "cells/{}.nc", "cells/{}.json", "weights/{}.safetensors"
Damage = tuple[str, Callable[[Path], object], str]
DAMAGE: list[Damage] = [
    (NETCDF, truncate, "its file of results is not the one that was written"),
    (NETCDF, flip, "its file of results is not the one that was written"),
    (NETCDF, Path.unlink, "its file of results is missing"),
    (WEIGHTS, flip, "its file of weights is not the one that was written"),
    (WEIGHTS, Path.unlink, "its file of weights is missing"),
    (RECORD, lambda p: os.truncate(p, 20), "cannot be read"),
    (RECORD, lambda p: p.write_text("[]"), "its record cannot be read"),
    (RECORD, lambda p: p.write_bytes(b"\xff"), "its record cannot be read"),
    (RECORD, edit('"schema": 1', '"schema": 0'), "its record has schema 0, not 1"),
    (RECORD, edit('"id": "', '"id": "f'), "its record is that of another cell (f"),
]


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_cell_is_set_aside_with_the_reason_and_run_again(
    folder: ScanStore, config: ScanConfig, caplog: pytest.LogCaptureFixture, case: Damage
) -> None:
    name, damage, reason = case
    first, second = config.cells()
    write(folder, first)
    write(folder, second)
    assert folder.pending(config.cells()) == ()  # the control: undamaged cells stay
    damage(folder.path / name.format(first.id))
    status = folder.status()
    assert (status.done, status.pending, status.quarantined) == (1, 1, 0)
    assert set(status.damaged) == {first.id} and reason in status.damaged[first.id]
    assert [cell.id for cell in StoredScan.of(folder).readable()] == [second.id]
    assert folder.pending(config.cells()) == (first,)
    assert folder.status() == Status(done=1, pending=1, quarantined=1)
    assert reason in caplog.text
    place = folder.path / "quarantine" / f"{first.id}-1"
    assert reason in (place / "reason.txt").read_text("utf-8")
    assert {n for n in names(folder) if not n.startswith("quarantine/")} == files(second)

    write(folder, first, 2.0)
    assert folder.pending(config.cells()) == ()
    assert StoredScan.of(folder).scalars(first) == {"loss": 2.0}


def test_a_second_quarantine_keeps_the_first(folder: ScanStore, cell: CellConfig) -> None:
    for _ in range(2):
        write(folder, cell)
        flip(folder.path / "cells" / f"{cell.id}.nc")
        assert folder.check(cell) is not None
    places = sorted(p.name for p in (folder.path / "quarantine").iterdir())
    assert places == [f"{cell.id}-1", f"{cell.id}-2"]


def test_a_cell_of_another_configuration_is_foreign(folder: ScanStore, config: ScanConfig) -> None:
    first, second = config.cells()
    write(folder, first)
    for name in (NETCDF, RECORD, WEIGHTS):
        (folder.path / name.format(first.id)).rename(folder.path / name.format(second.id))
    assert folder.check(second) == f"its record is that of another cell ({first.id})"
    assert folder.pending(config.cells()) == (first, second)


# --- writers that fail, die, or race -------------------------------------------------------------


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
