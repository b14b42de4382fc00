"""The record of the phase diagram is what the folder holds, cell by cell."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from figures.records.phase import PhaseRecord, load
from landscape.errors import ConfigError
from landscape.store.reading import open_scan
from tests.planted.scans import GRID, Key, key_of, lowest, plant, planted, scan_of, stuck

GONE: Key = ("tied", "0.8", "0.2")
SEEN: Key = ("untied", "0.2", "0.8")


def at(record: PhaseRecord, key: Key) -> tuple[int, int, int]:
    tying, p, q = key
    return record.tying.index(tying), GRID.index(q), GRID.index(p)


def test_every_number_of_the_record_is_that_of_its_cell(tmp_path: Path) -> None:
    store = planted(tmp_path)
    record = load(store)
    assert record.tying == ("tied", "untied")
    assert (record.p.tolist(), record.q.tolist()) == ([0.2, 0.5, 0.8], [0.2, 0.5, 0.8])
    assert (record.name, record.seeds, record.steps) == ("planted", 4, 100)
    for cell in store.cells:
        place = at(record, key_of(cell))
        # At p+q = 1 the block is 0 but for c, and the planted noise of 1e-17 is what is left.
        assert abs(record.curvature[place] - lowest(key_of(cell))) < 1e-16
        assert record.error[place] == 1e-16 * (1 + place[2])
        assert record.state[place] == "verified"
        assert record.degenerate[place[1:]] == (sum(cell.source.chain) == 1)
        expected = 0 if record.degenerate[place[1:]] else stuck(key_of(cell))
        assert record.stuck[place] == expected
    # The control: p is not q. The planted counts are not symmetric, and the record has them so.
    assert (record.stuck != record.stuck.transpose(0, 2, 1)).any()


def test_a_cell_that_was_not_finished_is_missing(tmp_path: Path) -> None:
    record = load(planted(tmp_path, skip=[GONE]))
    missing = record.state == "missing"
    assert missing.sum() == 1
    assert missing[at(record, GONE)]
    assert np.isnan(record.curvature[missing]).all()
    assert record.stuck[missing].tolist() == [-1]


def test_a_cell_whose_file_is_damaged_is_missing_and_stays_where_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = planted(tmp_path)
    cell = next(c for c in store.cells if key_of(c) == GONE)
    path = tmp_path / "cells" / f"{cell.id}.nc"
    path.write_bytes(b"not netCDF")
    record = load(store)
    assert (record.state == "missing").sum() == 1
    assert record.state[at(record, GONE)] == "missing"
    assert f"cell {cell.id[:8]} cannot be read" in caplog.text
    assert path.read_bytes() == b"not netCDF"


def test_a_verdict_cannot_call_different_inertias_equal(tmp_path: Path) -> None:
    changed = {GONE: {"inertia": [1, 37, 2], "predicted_inertia": [0, 38, 2]}}
    record = load(planted(tmp_path, unigram=changed))
    assert record.state[at(record, GONE)] == "refuted"
    assert (record.state == "verified").sum() == record.state.size - 1


def test_without_a_prediction_there_is_no_curvature_and_no_error(tmp_path: Path) -> None:
    kink = {"predicted_inertia": None, "max_error": None, "verdict": "not-applicable"}
    record = load(planted(tmp_path, unigram={GONE: kink}))
    place = at(record, GONE)
    assert record.state[place] == "not-applicable"
    assert np.isnan([record.curvature[place], record.error[place]]).all()
    assert record.stuck[place] == 0  # degenerate runs were still trained


def test_a_run_that_diverged_leaves_no_count(tmp_path: Path) -> None:
    record = load(planted(tmp_path, top={SEEN: {"final_loss": [0.6, float("nan"), 0.6, 0.6]}}))
    assert record.stuck[at(record, SEEN)] == -1
    assert (record.stuck == -1).sum() == 1


def test_the_line_is_decided_on_the_decimals(tmp_path: Path) -> None:
    # In floats 0.7 + 0.2 + 0.1 is not 1, and 0.1 + 0.9 - 1e-17 is.
    axes = {"source.p": ["0.1", "0.3"], "source.q": ["0.7", "0.9", "0.90000000000000001"]}
    config = scan_of(axes=axes)
    record = load(plant(tmp_path, config, lambda cell: None))
    assert record.degenerate.tolist() == [[False, True], [True, False], [False, False]]


def test_a_scan_at_one_point_is_a_plane_of_one_cell(tmp_path: Path) -> None:
    config = scan_of(axes={}, source={"p": "0.5", "q": "0.8"})
    record = load(planted(tmp_path, config=config))
    assert record.curvature.shape == (1, 1, 1)
    assert abs(record.curvature[0, 0, 0] - lowest(("tied", "0.5", "0.8"))) < 1e-16


WIDER = {"source.p": ["0.5"], "source.q": ["0.2", "0.8"], "model.length": [2, 3]}


def test_a_plane_with_two_cells_at_one_point_is_refused_by_the_name_of_the_axis(
    tmp_path: Path,
) -> None:
    store = planted(tmp_path, config=scan_of(axes=WIDER))
    with pytest.raises(ValueError, match=r"because it varies model\.length = 2, 3") as caught:
        load(store)
    assert "load(store, select={'model.length': '2'})" in str(caught.value)
    assert "--select model.length=2" in str(caught.value)
    # What the message proposes works.
    assert load(store, select={"model.length": "2"}).curvature.shape == (1, 2, 1)


@pytest.mark.parametrize(("select", "message"), [
    ({"model.lenght": "2"}, r"select model\.lenght .* did you mean model\.length\?"),
    ({"model.length": "4"}, r"select model\.length = '4' is refused: .*; choose from 2, 3"),
])  # fmt: skip
def test_a_selection_that_is_not_there_is_refused(
    tmp_path: Path, select: dict[str, str], message: str
) -> None:
    store = plant(tmp_path, scan_of(axes=WIDER), lambda cell: None)
    with pytest.raises(ValueError, match=message):
        load(store, select=select)


def test_a_scan_without_the_unigram_point_is_refused(tmp_path: Path) -> None:
    config = scan_of(measure={"points": ["bigram"]})
    store = plant(tmp_path, config, lambda cell: None)
    with pytest.raises(ValueError, match=r"measure\.points = \['bigram'\] lacks 'unigram'"):
        load(store)


def test_a_folder_without_a_scan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load(open_scan(tmp_path))


INNOCENT: list[tuple[dict[str, Any], str, str]] = [
    ({"source": {"kind": "lag", "order": 2, "p": 0.5, "q": 0.8}}, "source.kind = 'lag'", "model.k"),
    ({"model": {"kind": "gpt"}}, "model.kind = 'gpt'", "source.kind"),
]


@pytest.mark.parametrize(("changes", "guilty", "innocent"), INNOCENT)
def test_only_the_setting_that_prevents_the_diagram_is_named(
    tmp_path: Path, changes: dict[str, Any], guilty: str, innocent: str
) -> None:
    settings = {"axes": {}, "source": {"p": 0.5, "q": 0.8}, **changes}
    with pytest.raises(ValueError, match=guilty) as caught:
        load(plant(tmp_path, scan_of(**settings), lambda cell: None))
    assert innocent not in str(caught.value)
