"""`landscape collect` writes what the cells' files hold, whole or not at all."""

import csv
import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import xarray as xr

from landscape.store import cube
from landscape.store.reading import open_scan
from tests.landscape.cli.running import Record, Run
from tests.planted.scans import planted_runs
from tests.planted.stored import IDS, stored_before


@pytest.fixture
def run(run: Run) -> Run:
    return partial(run, "collect")


def test_the_table_is_that_of_the_records(tmp_path: Path, run: Run) -> None:
    folder = stored_before(tmp_path / "scan")
    told = f"Collected 2 of 2 cells of before\nFile      {tmp_path / 'runs.csv'}\n"
    assert run(folder, "--out", tmp_path / "runs.csv") == (0, told, "")
    with (tmp_path / "runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["q"] for row in rows] == ["0.8", "0.8", "0.3", "0.3"]
    for row in rows:
        record = json.loads((folder / "cells" / f"{row['id']}.json").read_text("utf-8"))["scalars"]
        assert float(row["final_loss"]) == record["final_loss"][int(row["seed"])]
        assert row["unigram.classification"] == record["points"]["unigram"]["classification"]


def test_the_dataset_in_the_folder_comes_back_as_it_was(tmp_path: Path, record: Record) -> None:
    folder = stored_before(tmp_path)
    found, out = record(folder), folder / "collected.nc"
    assert (found["path"], found["name"], found["out"]) == (str(folder), "before", str(out))
    assert (found["bytes"], found["cells"], found["done"]) == (out.stat().st_size, 2, 2)
    assert found["scan_cells"] == 2 and len(found) == 7
    with xr.open_datatree(out, engine="h5netcdf") as tree:
        back = tree.load()
    cell = folder / "cells" / f"{IDS['0.3']}.nc"
    loss = xr.load_dataset(cell, group="training", engine="h5netcdf")["loss"]
    joined = back["training/loss"]
    assert isinstance(joined, xr.DataArray)
    assert joined.sel(q=0.3).values.tolist() == loss.values.tolist()
    assert joined.sel(q=0.8).values.tolist() != loss.values.tolist()


def test_a_selection_and_what_is_not_finished_are_said(tmp_path: Path, run: Run) -> None:
    some = planted_runs(tmp_path, lambda cell: [10] if str(cell.source.p) != "0.5" else None)
    damaged = some.select({"source.p": 0.2, "source.q": 0.2, "model.tying": "tied"}).cells[0]
    (tmp_path / "cells" / f"{damaged.id}.nc").write_bytes(b"not netCDF")
    code, out, err = run(tmp_path, "--select model.tying=tied --json")
    record = json.loads(out)
    assert (code, record["cells"], record["done"]) == (0, 9, 5)
    assert err == "4 of 9 cells have no result to collect; run the same scan again to finish them\n"
    code, _, err = run(tmp_path, "--select model.tying=tie")
    told = "--select model.tying=tie is refused: no cell has it; choose from tied, untied; did you"
    assert code == 2 and err == f"Error: {told} mean tied?\n"


def test_how_many_were_selected_of_how_many_is_said(tmp_path: Path, run: Run) -> None:
    planted_runs(tmp_path, lambda cell: [10])
    code, out, _ = run(tmp_path, "--select model.tying=tied --select source.p=.5")
    assert code == 0
    assert out.startswith("Collected 3 of 3 cells that are selected, of 18 of planted\n")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "not the one that was written": lambda path: path.write_bytes(b"not netCDF"),
}


@pytest.mark.parametrize("suffix", [".nc", ".csv"])
@pytest.mark.parametrize("reason", DAMAGES)
def test_what_is_damaged_is_noticed_by_every_command_alike(
    tmp_path: Path, reason: str, suffix: str, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    folder = stored_before(tmp_path / "scan")
    DAMAGES[reason](folder / "cells" / f"{IDS['0.3']}.nc")
    code, out, err = run(folder, "--out", tmp_path / f"found{suffix}")
    assert code == 0 and out.startswith("Collected 1 of 2 cells of before\n")
    assert err.startswith("1 of 2 cells have no result to collect")
    assert f"the cell {IDS['0.3'][:8]} of {folder} cannot be read" in caplog.text
    assert reason in caplog.text and IDS["0.8"][:8] not in caplog.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--out x.cvs", r"--out x.cvs is refused: its name must end in \.nc .*\.csv or"),
        ("--out x.parquet", "Parquet is written by pyarrow, which is not installed"),
        ("--select source.p", "--select source.p is refused: write name=value"),
        ("", "is not the folder of a scan"),
        (
            "--out no/a.nc",
            r"--out no/a\.nc is refused: the folder no does not exist; make it first",
        ),
        (
            "--select source.p=.5 --select source.p=.50 --select source.p=.2",
            r"--select source\.p=\.2 is refused: --select source\.p=\.50 is given too; give one of",
        ),
    ],
)
def test_bad_input_is_refused_before_anything_is_read(
    arguments: str, message: str, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cube, "find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)
    code, _, err = run("nowhere", arguments)
    assert code == 2 and re.search(message, err)
    assert list(tmp_path.iterdir()) == []


def test_parquet_is_the_same_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is handed to pandas; pyarrow itself need not be here."""
    import pandas

    def to_parquet(self: pandas.DataFrame, path: Path, *, engine: str, index: bool) -> None:
        assert engine == "pyarrow"
        path.write_text(self.to_csv(index=index))

    monkeypatch.setattr(cube, "find_spec", lambda name: name)
    monkeypatch.setattr(pandas.DataFrame, "to_parquet", to_parquet)
    stored = open_scan(stored_before(tmp_path))
    assert cube.write(stored, tmp_path / "runs.parquet") == 2
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
    code, _, err = run(folder)
    assert code == 1 and "No space left" in err
    assert (folder / "collected.nc").read_bytes() == before
    assert [path.name for path in folder.glob(".*.partial")] == []
