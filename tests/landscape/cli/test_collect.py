"""`landscape collect` writes what the cells' files hold, whole or not at all."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import xarray as xr
from click.testing import CliRunner

from landscape.cli.commands.collect import command
from landscape.errors import ConfigError
from landscape.store import cube
from landscape.store.reading import open_scan
from tests.planted.scans import planted_runs
from tests.planted.stored import IDS, stored_before

Run = Callable[..., tuple[str, str]]


@pytest.fixture
def run() -> Run:
    def call(*arguments: object) -> tuple[str, str]:
        words = [str(word) for word in arguments]
        result = CliRunner().invoke(command, words, standalone_mode=False)
        if result.exception is not None:
            raise result.exception
        assert result.return_value == 0
        return result.stdout, result.stderr

    return call


def test_the_table_is_that_of_the_records(tmp_path: Path, run: Run) -> None:
    folder = stored_before(tmp_path / "scan")
    out, err = run(folder, "--out", tmp_path / "runs.csv")
    assert out == f"Collected 2 of 2 cells of before\nFile      {tmp_path / 'runs.csv'}\n"
    assert err == ""
    with (tmp_path / "runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["q"] for row in rows] == ["0.8", "0.8", "0.3", "0.3"]
    for row in rows:
        record = json.loads((folder / "cells" / f"{row['id']}.json").read_text("utf-8"))["scalars"]
        assert float(row["final_loss"]) == record["final_loss"][int(row["seed"])]
        assert row["unigram.classification"] == record["points"]["unigram"]["classification"]


def test_the_dataset_goes_to_the_folder_and_comes_back_as_it_was(tmp_path: Path, run: Run) -> None:
    folder = stored_before(tmp_path)
    record = json.loads(run(folder, "--json")[0])
    assert record == {
        "path": str(folder),
        "name": "before",
        "out": str(folder / "collected.nc"),
        "bytes": (folder / "collected.nc").stat().st_size,
        "cells": 2,
        "done": 2,
    }
    with xr.open_datatree(folder / "collected.nc", engine="h5netcdf") as tree:
        back = tree.load()
    cell = folder / "cells" / f"{IDS['0.3']}.nc"
    loss = xr.load_dataset(cell, group="training", engine="h5netcdf")["loss"]
    found = back["training/loss"]
    assert isinstance(found, xr.DataArray)
    assert found.sel(q=0.3).values.tolist() == loss.values.tolist()
    assert found.sel(q=0.8).values.tolist() != loss.values.tolist()


def test_a_selection_and_what_is_not_finished_are_said(tmp_path: Path, run: Run) -> None:
    some = planted_runs(tmp_path, lambda cell: [10] if str(cell.source.p) != "0.5" else None)
    damaged = some.select({"source.p": 0.2, "source.q": 0.2, "model.tying": "tied"}).cells[0]
    (tmp_path / "cells" / f"{damaged.id}.nc").write_bytes(b"not netCDF")
    out, err = run(tmp_path, "--select", "model.tying=tied", "--json")
    record = json.loads(out)
    assert (record["cells"], record["done"]) == (9, 5)
    assert err == (
        "4 of 9 cells have no result to collect; run the same scan again to finish them\n"
    )
    with pytest.raises(ConfigError, match=r"select: model\.tying = tie is not in the scan"):
        run(tmp_path, "--select", "model.tying=tie")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "x.cvs"], r"--out x.cvs is refused: its name must end in \.nc .*\.csv or"),
        (["--out", "x.parquet"], "Parquet is written by pyarrow, which is not installed"),
        (["--select", "source.p"], "--select source.p is refused: write name=value"),
        ([], "is not the folder of a scan"),
    ],
)
def test_bad_input_is_refused_before_anything_is_read(
    arguments: list[str], message: str, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cube, "find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):  # of which the command line makes exit code 2
        run("nowhere", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_with_pyarrow_parquet_is_the_same_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is handed to pandas; pyarrow itself need not be here."""
    import pandas

    asked: list[dict[str, object]] = []

    def to_parquet(self: pandas.DataFrame, path: Path, **settings: object) -> None:
        asked.append(settings)
        path.write_text(self.to_csv(index=False))

    monkeypatch.setattr(cube, "find_spec", lambda name: name)
    monkeypatch.setattr(pandas.DataFrame, "to_parquet", to_parquet)
    stored = open_scan(stored_before(tmp_path))
    assert cube.write(stored, tmp_path / "runs.parquet") == 2
    assert asked == [{"engine": "pyarrow", "index": False}]
    table = stored.to_dataframe().to_csv(index=False)
    assert (tmp_path / "runs.parquet").read_text() == table


def test_a_file_that_cannot_be_written_leaves_the_one_before(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stored_before(tmp_path)
    run(folder)
    before = (folder / "collected.nc").read_bytes()

    def full(name: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cube, "flush", full)
    with pytest.raises(OSError, match="No space left"):
        run(folder)
    assert (folder / "collected.nc").read_bytes() == before
    assert [path.name for path in folder.glob(".*.partial")] == []
