"""The reader of a scan's folder says what its files say, each read here by h5py and json alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

from figures.records import phase
from figures.records.runs import cell_of
from landscape.config.cell import CellConfig
from landscape.config.scan import ScanConfig
from landscape.errors import ConfigError
from landscape.report.data import theorems
from landscape.scanning.presets.expectation import Expectation, compare_with
from landscape.scanning.scan import scan
from landscape.scanning.survival import survival_by
from landscape.store import scan_store
from landscape.store.reading import StoredScan, open_scan
from tests.landscape.cli.running import Record
from tests.planted.scans import Content, plant, planted, planted_runs, scan_of, scan_of_runs
from tests.planted.stored import IDS, SETTINGS, stored_before


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored_before(tmp_path_factory.mktemp("before"))


def by_hand(folder: Path, cell: CellConfig) -> dict[str, Any]:
    """Every array of a cell's file by its full name, without the marks of bare dimensions."""
    found: dict[str, Any] = {}

    def keep(name: str, item: Any) -> None:
        mark = b"This is a netCDF dimension but not a netCDF variable"
        if isinstance(item, h5py.Dataset) and not item.attrs.get("NAME", b"").startswith(mark):
            text = h5py.check_string_dtype(item.dtype)
            found[name] = item.asstr()[...].astype(str) if text else item[...]

    with h5py.File(folder / "cells" / f"{cell.id}.nc") as file:
        file.visititems(keep)
    return found


def record_by_hand(folder: Path, cell: CellConfig) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "cells" / f"{cell.id}.json").read_text("utf-8"))
    return found


def at(tree: xr.DataTree, name: str, **labels: Any) -> xr.DataArray:
    found = tree[name]
    assert isinstance(found, xr.DataArray)
    return found.sel(labels)


# --- a cell --------------------------------------------------------------------------------------


def test_a_folder_written_before_is_read_and_its_ids_stand(before: Path) -> None:
    stored = open_scan(before)
    assert {str(cell.source.q): cell.id for cell in stored.cells} == IDS
    assert stored.finished == set(IDS.values())
    for cell in stored.cells:
        assert stored.scalars(cell) == record_by_hand(before, cell)["scalars"]


def test_arrays_by_name_are_those_of_the_file(before: Path) -> None:
    stored = open_scan(before)
    first, second = stored.cells
    names = list(by_hand(before, first))
    assert len(names) > 80 and "training/loss" in names
    for cell in stored.cells:
        for name, array in zip(names, stored.arrays(cell, *names), strict=True):
            np.testing.assert_array_equal(array, by_hand(before, cell)[name])
    (loss,) = stored.arrays(first, "training/loss")
    assert (loss != by_hand(before, second)["training/loss"]).any()  # the control


def test_groups_are_labelled_as_xarray_labels_them(before: Path) -> None:
    """xarray reads through h5netcdf, which is another path to dimensions, labels and attributes."""
    stored = open_scan(before)
    cell = stored.cells[0]
    tree = stored.tree(cell)
    names = [name.lstrip("/") for name in tree.groups if tree[name].data_vars]
    found = stored.groups(cell, *names, "checkpoints")
    assert list(found) == names  # and what is not there is left out
    for name in names:
        node = tree[name]
        assert isinstance(node, xr.DataTree)
        xr.testing.assert_equal(found[name], node.to_dataset(inherit=False))
        expected = {key: np.asarray(value).tolist() for key, value in node.attrs.items()}
        attributes = {key: np.asarray(value).tolist() for key, value in found[name].attrs.items()}
        assert attributes == expected
    with pytest.raises(AssertionError):  # the control
        xr.testing.assert_equal(found["training"], found["survival"])


def test_coordinates_that_are_no_dimension_and_truth_values_come_back(tmp_path: Path) -> None:
    arrays = {"stuck": ("run", np.array([True, False])), "word": ("run", ["a", "b"])}
    dataset = xr.Dataset(arrays, coords={"step": ("run", [3, 4])})
    config = scan_of(axes={}, source={"p": 0.5, "q": 0.8})
    stored = plant(tmp_path, config, lambda _: ({"/training": dataset}, {}))
    found = stored.groups(stored.cells[0], "training")["training"]
    xr.testing.assert_identical(found, dataset)
    assert found["stuck"].dtype == bool and set(found.coords) == {"step"}


def test_what_cannot_be_read_says_so_and_what_to_do(tmp_path: Path) -> None:
    stored = open_scan(stored_before(tmp_path))
    first, second = stored.cells
    (tmp_path / "cells" / f"{first.id}.nc").write_bytes(b"not netCDF")
    with pytest.raises(ConfigError, match=f"the cell {first.id[:8]} of .* cannot be read"):
        stored.groups(first, "training")
    assert stored.groups(second, "training")
    (tmp_path / "cells" / f"{second.id}.json").write_text("{")
    with pytest.raises(ConfigError, match=f"the cell {second.id[:8]} of .* cannot be read"):
        open_scan(tmp_path).record(second)
    with pytest.raises(ConfigError, match="is not the folder of a scan"):
        open_scan(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("training/los", "did you mean training/loss?"),
        ("trainin/loss", "did you mean training/loss?"),
        ("loss", "did you mean"),
        ("training", ""),
        ("zzz", ""),
    ],
)
def test_a_name_that_no_array_has_is_refused_with_those_that_have_one(
    before: Path, name: str, hint: str
) -> None:
    stored = open_scan(before)
    with pytest.raises(ConfigError) as caught:
        stored.arrays(stored.cells[0], "training/step", name)
    told = str(caught.value)
    assert told.startswith(f"array = {name!r} is refused: the cell {stored.cells[0].id[:8]} has ")
    assert "training/{" in told and hint in told and bool(hint) == ("did you mean" in told)
    assert "cannot be read" not in told and "run the scan again" not in told


def test_a_group_that_no_cell_has_is_refused_with_those_that_some_have(before: Path) -> None:
    stored = open_scan(before)
    assert "training" in stored.to_tree("training")  # the control
    with pytest.raises(
        ConfigError, match=r"group = 'trainin' is refused: .* did you mean training\?"
    ):
        stored.to_tree("trainin")


def test_a_scan_is_shown_in_a_line_counted_and_gone_over(tmp_path: Path) -> None:
    stored = planted(tmp_path, skip=[("tied", "0.2", "0.2")])
    assert repr(stored) == f"StoredScan({str(tmp_path)!r}, 18 cells, 17 done)"
    tied = stored.select({"model.tying": "tied", "source.p": 0.2})
    assert repr(tied) == f"StoredScan({str(tmp_path)!r}, 3 cells, 2 done)"
    assert len(tied) == 3 and tuple(tied) == tied.cells and bool(tied)
    assert tied.axes["model.tying"] == ("tied",) and len(tied.axes["source.q"]) == 3
    assert stored.axes["model.tying"] == ("tied", "untied")


# --- opened once, resumed ------------------------------------------------------------------------


def counted(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[str]:
    calls: list[str] = []
    true = getattr(owner, name)

    def count(*arguments: Any, **rest: Any) -> Any:
        calls.append(name)
        return true(*arguments, **rest)

    monkeypatch.setattr(owner, name, count)
    return calls


def test_a_finished_scan_is_opened_once_by_landscape_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: Record
) -> None:
    """Its folder is opened, its manifest read and its configuration parsed once, page and all."""
    settings = tmp_path / "again.toml"
    settings.write_text(SETTINGS)
    folder = stored_before(tmp_path / "scan")
    monkeypatch.setattr(theorems, "theorem_records", lambda config: [])
    opened = counted(monkeypatch, scan_store.ScanStore, "__init__")
    read = counted(monkeypatch, scan_store, "read_manifest")
    parsed = counted(monkeypatch, ScanConfig, "__init__")
    found = record("scan", settings, "--out", folder)
    assert found["done"] == 2 and found["report"] and found["pictures"]
    assert (len(opened), len(read)) == (1, 1)
    assert len(parsed) == 2  # the file's, and the folder's
    open_scan(folder)  # the control: what opens it is counted
    assert (len(opened), len(read), len(parsed)) == (2, 2, 3)


def test_a_folder_written_before_is_resumed_and_what_is_finished_stays(tmp_path: Path) -> None:
    folder = stored_before(tmp_path)
    lost, kept = IDS["0.3"], IDS["0.8"]
    expected = json.loads((folder / "cells" / f"{lost}.json").read_text("utf-8"))["scalars"]
    for path in folder.rglob(f"{lost}*"):
        path.unlink()

    def files() -> dict[Path, tuple[bytes, int]]:
        return {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob(f"{kept}*")}

    as_they_were = files()
    assert len(as_they_were) == 3
    result = scan(open_scan(folder).config, out=folder)
    assert files() == as_they_were
    assert set(result.scalars) == {lost, kept} and not result.failed
    again = result.scalars[lost]
    # 20 steps from equal weights: other processors round otherwise.
    np.testing.assert_allclose(again["final_loss"], expected["final_loss"], rtol=1e-6)
    for kind in ("unigram", "bigram"):
        assert again["points"][kind]["inertia"] == expected["points"][kind]["inertia"]


def test_what_is_finished_later_is_seen_by_the_next_that_opens(tmp_path: Path) -> None:
    stored = planted(tmp_path, skip=[("tied", "0.2", "0.2")])
    first = stored.cells[0]
    assert not stored.done(first) and len(stored.finished) == 17
    planted(tmp_path)
    assert not stored.done(first) and open_scan(tmp_path).done(first)


# --- a selection ---------------------------------------------------------------------------------


CHOSEN: list[tuple[dict[str, Any] | None, int]] = [
    ({"source.p": ".50"}, 6), ({"source.p": 0.5, "source.q": "2e-1"}, 2), ({"source.p": "1/2"}, 6),
    ({"model.tying": "tied"}, 9), ({}, 18), (None, 18),
    ({"train.lr": ".002"}, 18),  # varied by no axis
    ({"train.lr": "2e-3", "measure.refine": "false"}, 18),
    ({"model.hidden": 8}, 18),  # follows from the width
]  # fmt: skip


@pytest.mark.parametrize(("select", "left"), CHOSEN)
def test_values_are_compared_as_the_configuration_reads_them(
    tmp_path: Path, select: dict[str, Any] | None, left: int
) -> None:
    stored = plant(tmp_path, scan_of(), lambda cell: None)
    assert len(stored.select(select).cells) == left


@pytest.mark.parametrize(
    ("select", "message"),
    [
        ({"model.tieing": "tied"}, "select model.tieing .* did you mean model.tying"),
        ({"tying": "tied"}, "did you mean model.tying"),
        ({"nonsense": 1}, "the axes of this scan are source.p, source.q, model.tying"),
        ({"model": 1}, "there is no such setting"),
        ({"name": "planted"}, "there is no such setting"),
        ({"source.p": "0.500000000000000001"}, "choose from 0.2, 0.5, 0.8"),
        ({"model.tying": "tie"}, "choose from tied, untied; did you mean tied"),
        ({"train.lr": "0.02"}, "train.lr = '0.02' is refused: no cell has it; choose from 0.002"),
        ({"source.p": "nan"}, "source.p = 'nan' is refused: no cell has it"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(
    tmp_path: Path, select: dict[str, Any], message: str
) -> None:
    stored = plant(tmp_path, scan_of(), lambda cell: None)
    with pytest.raises(ConfigError, match=message):
        stored.select(select)


READERS: dict[str, Callable[[StoredScan, dict[str, Any]], Any]] = {
    "phase diagram": lambda stored, select: phase.load(stored, select=select),
    "survival": lambda stored, select: survival_by(stored, "model.tying", select=select),
    "figures": cell_of,
    "presets": lambda stored, select: compare_with(
        Expectation(what="it", quantity="loss", select=select), stored
    ),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_selection_means_the_same_to_every_reader(tmp_path: Path, reader: str) -> None:
    """`train.lr` is no axis here: a selection by it was taken by one and refused by another."""
    config = scan_of(axes={"source.p": ["0.5", "0.2"]}, source={"q": "0.8"})
    stored = planted_runs(tmp_path, lambda cell: [10] * 4, config=config)
    READERS[reader](stored, {"train.lr": ".002", "source.p": ".50"})
    for wrong in ({"train.lr": ".02"}, {"source.p": "0.3"}, {"source.pp": "0.5"}):
        with pytest.raises(ConfigError, match="select"):
            READERS[reader](stored, wrong)


# --- a table -------------------------------------------------------------------------------------


def test_the_table_has_a_row_for_each_run_and_numbers_as_numbers(before: Path) -> None:
    stored = open_scan(before)
    table = stored.to_dataframe()
    assert len(table) == 4
    assert table["q"].tolist() == [0.8, 0.8, 0.3, 0.3] and set(table["p"]) == {0.5}
    row = 0
    for cell in stored.cells:
        scalars = record_by_hand(before, cell)["scalars"]
        for run in range(2):
            found, row = table.iloc[row], row + 1
            assert (found["id"], found["seed"]) == (cell.id, run)
            assert found["final_loss"] == scalars["final_loss"][run]
            assert found["outcome"] == scalars["outcome"][run]
            assert np.isnan(found["escape_step"]) and scalars["escape_step"][run] is None
            assert found["unigram.max_error"] == scalars["points"]["unigram"]["max_error"]
            counts = [found[f"bigram.inertia.{s}"] for s in ("negative", "zero", "positive")]
            assert counts == scalars["points"]["bigram"]["inertia"]
            assert found["trained.lowest"] == scalars["points"]["trained"]["runs"][run]["lowest"]
    texts = {name for name in table if table[name].dtype.kind not in "if"}
    words = {f"{k}.{w}" for k in IDS_OF_POINTS for w in ("classification", "verdict")}
    assert texts == {"id", "outcome"} | words


IDS_OF_POINTS = ("unigram", "bigram", "trained")


def test_no_axis_is_called_seed_which_is_of_a_run(tmp_path: Path) -> None:
    axes = {"train.seed": [0, 9], "source.p": ["0.5"]}
    stored = plant(tmp_path, scan_of(axes=axes, source={"q": 0.8}), lambda cell: None)
    assert stored.labels == {"train.seed": "train.seed", "source.p": "p"}


# --- one labelled tree ---------------------------------------------------------------------------


def test_the_tree_has_each_array_at_its_labels(before: Path) -> None:
    stored = open_scan(before)
    tree = stored.to_tree()
    assert at(tree, "q").values.tolist() == [0.3, 0.8] and float(at(tree, "p")) == 0.5  # ascending
    for cell in stored.cells:
        here = {"q": float(cell.coordinates["source.q"])}
        for name, array in by_hand(before, cell).items():
            group, _, last = name.rpartition("/")
            if last in tree[group].indexes or last == "axis":
                continue  # the labels themselves
            found = at(tree, name, **here)
            if "axis_index" in found.dims:  # names of a cell's own, by their place
                labels = at(tree, f"{group}/axis", **here).values.tolist()
                assert labels == by_hand(before, cell)[f"{group}/axis"].tolist()
            np.testing.assert_array_equal(found.values, array)
    swapped = at(tree, "training/loss", q=0.3).values
    assert (swapped != by_hand(before, stored.cells[0])["training/loss"]).any()  # the control
    loss = at(tree, "final_loss", q=0.8, seed=1)
    assert float(loss) == record_by_hand(before, stored.cells[0])["scalars"]["final_loss"][1]


def ragged(cell: CellConfig) -> Content | None:
    """Steps, spectra and nodes that are not the same in all cells; the last is not finished."""
    width, steps = cell.model.width, cell.train.steps
    if (width, steps) == (3, 20):
        return None
    step = np.arange(0, steps + 1, 10)
    training = xr.Dataset(
        {"loss": (("seed", "step"), width + np.outer([1.0, 2.0], step))},
        coords={"seed": [0, 1], "step": step},
    )
    spectrum = xr.Dataset({"eigenvalue": ("index", np.arange(width)), "kink": ((), width)})
    plane = xr.Dataset({"loss": ("alpha", [1.0, 2.0])}, coords={"alpha": [-0.1 * width, 0.0]})
    groups = {"/training": training, "/spectrum/unigram": spectrum, "/slices/unigram": plane}
    scalars = {"final_loss": [1.0, None], "outcome": ["bigram", "other"], "points": {}}
    return groups, scalars


def test_cells_of_unlike_sizes_are_aligned_by_their_labels(tmp_path: Path) -> None:
    axes = {"model.width": [2, 3], "train.steps": [10, 20]}
    config = scan_of_runs(source={"p": 0.5, "q": 0.8}, train={"seeds": 2}, axes=axes)
    tree = plant(tmp_path, config, ragged).to_tree()
    assert (tree.attrs["cells"], tree.attrs["finished"]) == (4, 3)
    loss = at(tree, "training/loss")
    assert loss.dims == ("width", "steps", "seed", "step")
    assert loss.sel(width=2, steps=20, seed=1).values.tolist() == [2, 22, 42]
    assert loss.sel(width=3, steps=10, seed=0).values[:2].tolist() == [3, 13]
    assert np.isnan(loss.sel(width=3, steps=10, step=20)).all()  # it had ended
    assert np.isnan(loss.sel(width=3, steps=20)).all()  # not finished
    eigenvalue = at(tree, "spectrum/unigram/eigenvalue")
    assert eigenvalue.sel(width=3, steps=10).values.tolist() == [0, 1, 2]
    assert eigenvalue.sel(width=2, steps=10).values[:2].tolist() == [0, 1]
    assert np.isnan(eigenvalue.sel(width=2, steps=10)[2])
    nodes = at(tree, "slices/unigram/alpha")
    assert nodes.dims == ("width", "steps", "alpha_index")
    np.testing.assert_allclose(nodes.sel(width=3, steps=10), [-0.3, 0.0])
    assert at(tree, "outcome", width=2, steps=10).values.tolist() == ["bigram", "other"]
    assert at(tree, "outcome", width=3, steps=20).values.tolist() == ["", ""]
    assert np.isnan(at(tree, "final_loss", width=2, steps=10, seed=1))
    part = open_scan(tmp_path).select({"train.steps": 20}).to_tree("training")
    assert at(part, "training/loss").shape == (2, 1, 2, 3) and set(part.children) == {"training"}


def test_each_file_is_opened_once_and_no_tree_of_a_cell_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a thousand cells cost: 436 ms a tree was seven minutes."""
    stored = planted_runs(tmp_path, lambda cell: [10] * 4)
    files = counted(monkeypatch, h5py, "File")
    trees = counted(monkeypatch, xr, "open_datatree")
    stored.to_tree()
    assert (len(files), len(trees)) == (18, 0)
    stored.tree(stored.cells[0])  # the control
    assert len(trees) == 1


def test_the_record_of_another_cell_is_not_taken_for_a_cell_s(tmp_path: Path) -> None:
    stored = planted(tmp_path)
    one, other = stored.cells[:2]
    assert len(open_scan(stored.path).to_dataframe()["id"].unique()) == len(stored.cells)
    records = stored.path / "cells"
    (records / f"{one.id}.json").write_bytes((records / f"{other.id}.json").read_bytes())
    with pytest.raises(ConfigError, match=f"its record is that of another cell .{other.id}"):
        open_scan(stored.path).scalars(one)
    assert one.id not in set(open_scan(stored.path).to_dataframe()["id"])


READ_FROM_FILES: dict[str, Callable[[StoredScan, CellConfig], Any]] = {
    "arrays": lambda stored, cell: stored.arrays(cell, "training/loss"),
    "groups": lambda stored, cell: stored.groups(cell, "training"),
    "tree": lambda stored, cell: stored.tree(cell),
    "weights": lambda stored, cell: stored.weights(cell),
}


@pytest.mark.parametrize("name", [name for name in READ_FROM_FILES if name != "weights"])
def test_the_file_of_another_cell_is_not_taken_for_a_cell_s(tmp_path: Path, name: str) -> None:
    read, stored = READ_FROM_FILES[name], planted_runs(tmp_path, lambda cell: [10] * 4)
    one, other = stored.cells[:2]
    mine, theirs = (tmp_path / "cells" / f"{cell.id}.nc" for cell in (one, other))
    read(stored, one)  # the control
    mine.write_bytes(theirs.read_bytes())
    with pytest.raises(ConfigError, match="is not the one that was written"):
        read(stored, one)


@pytest.mark.parametrize("name", READ_FROM_FILES)
def test_a_file_that_is_none_or_gone_is_said_whatever_reads_it(tmp_path: Path, name: str) -> None:
    stored = planted_runs(tmp_path, lambda cell: [10] * 4)
    cell = stored.cells[0]
    where = "weights/{}.safetensors" if name == "weights" else "cells/{}.nc"
    path = tmp_path / where.format(cell.id)
    path.write_bytes(b"nothing of the kind")
    for _ in range(2):
        with pytest.raises(ConfigError, match=f"the cell {cell.id[:8]} of .* cannot be read"):
            READ_FROM_FILES[name](stored, cell)
        path.unlink(missing_ok=True)
