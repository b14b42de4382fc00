"""A scan's folder gives back what was written, opens for its own scan, and sets damage aside."""

import errno
import hashlib
import json
import math
import os
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from h5netcdf.utils import CompatibilityError

from landscape.config.cell import CellConfig
from landscape.config.scan import ScanConfig
from landscape.errors import ConfigError
from landscape.store.atomic import temporary
from landscape.store.reading import StoredScan
from landscape.store.scan_store import ScanStore, Status
from tests.landscape.store.written import (
    ATTRIBUTES,
    CONFIG,
    VERSIONS,
    a_tree,
    files,
    names,
    write,
)  # fmt: skip
from tests.planted.stored import change


def refused(store: ScanStore, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        store.open_or_create(ScanConfig(**CONFIG), VERSIONS)


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


OLD_WITHOUT_TWO = (
    b'{"format": "markov-landscape scan", "schema": 1, "name": "a", "hash": "b", "config": 1, '
    b'"axes": {}}'
)
FOREIGN = {
    b"": "it is not JSON; run the folder's scan with its configuration",
    b"\xff": "it is not JSON",
    b"{}": "it has no digest, and is not a record of version 0.1.0 either",
    b"[1]": "it is not a JSON object",
    b'{"format": "something else"}': "it has no digest, and is not a record of version 0.1.0",
    OLD_WITHOUT_TWO: "it has no digest, and is not a record of version 0.1.0 either",
}


@pytest.mark.parametrize("text", FOREIGN)
def test_a_folder_with_a_foreign_scan_json_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "scan.json").write_bytes(text)
    refused(
        ScanStore(tmp_path),
        f"^{tmp_path}/scan.json is not what `landscape scan` wrote: {FOREIGN[text]}",
    )
    assert (tmp_path / "scan.json").read_bytes() == text


def test_a_scan_json_with_a_configuration_that_cannot_be_is_named(folder: ScanStore) -> None:
    path = folder.path / "scan.json"
    edit('"p"', '"pp"')(path)
    told = rf"^{path} holds a configuration that cannot be used; run the .*\n.*source\.pp.* is ref"
    refused(ScanStore(folder.path), told)


def test_reading_a_folder_that_is_no_scan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name a folder that `landscape scan` wrote"):
        ScanStore(tmp_path / "nowhere").status()
    assert not (tmp_path / "nowhere").exists()


def test_another_schema_is_refused(folder: ScanStore) -> None:
    path = folder.path / "scan.json"
    edit('"schema": 1', '"schema": 0')(path)
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
    def replace(entries: dict[str, Any]) -> None:
        text = json.dumps(entries)
        assert old in text
        entries.clear()
        entries.update(json.loads(text.replace(old, new)))

    return lambda path: change(path, replace)


NETCDF, RECORD, WEIGHTS = "cells/{}.nc", "cells/{}.json", "weights/{}.safetensors"
Damage = tuple[str, Callable[[Path], object], str]
DAMAGE: list[Damage] = [
    (NETCDF, truncate, "its file of results is not the one that was written"),
    (NETCDF, flip, "its file of results is not the one that was written"),
    (NETCDF, Path.unlink, "its file of results is missing"),
    (WEIGHTS, flip, "its file of weights is not the one that was written"),
    (WEIGHTS, Path.unlink, "its file of weights is missing"),
    (RECORD, lambda p: os.truncate(p, 20), "its record cannot be believed: it is not JSON"),
    (
        RECORD,
        lambda p: p.write_text("[]"),
        "its record cannot be believed: it is not a JSON object",
    ),
    (RECORD, lambda p: p.write_bytes(b"\xff"), "its record cannot be believed: it is not JSON"),
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
