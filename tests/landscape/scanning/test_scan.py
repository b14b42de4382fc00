"""The main job: batches, resuming, sharing of points, and what happens when a cell fails."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent import futures
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from landscape.comparison.spectra import entropies
from landscape.config.scan import ScanConfig
from landscape.errors import ConfigError
from landscape.scanning import measurement, scan as scanning
from landscape.scanning.scan import ScanResult, Silence, batches, scan
from landscape.slices.plane import loss_slice
from tests.planted.stored import same_floats

SMALL: dict[str, Any] = {
    "model": {"width": 2, "length": 3},
    "train": {"steps": 30, "seeds": 2},
    "measure": {"slice": {"resolution": 5}},
}
AXES = {
    "source.p": [0.2, 0.5, 0.7], "source.q": [0.3, 0.8], "model.tying": ["tied", "untied"],
}  # fmt: skip
TWO: dict[str, Any] = {"source": {"q": 0.8}, "axes": {"source.p": [0.2, 0.5]}}
GRID: dict[str, Any] = {"source": {}, **SMALL, "axes": AXES}


def configured(**tables: Any) -> ScanConfig:
    """One cell at (.5, .8), unless the tables say otherwise."""
    return ScanConfig(**{"source": {"p": 0.5, "q": 0.8}, **SMALL, **tables})


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> ScanResult:
    return scan(configured(**GRID), out=tmp_path_factory.mktemp("scan"))


def test_every_cell_is_measured_and_no_prediction_is_refuted(finished: ScanResult) -> None:
    assert len(finished.scalars) == 12 and not finished.failed
    assert finished.problems("refuted", "inconclusive") == []
    for scalars in finished.scalars.values():
        for kind in ("unigram", "bigram"):
            point = scalars["points"][kind]
            assert point["verdict"] == "verified"
            assert point["inertia"] == point["predicted_inertia"]


def test_a_wrong_prediction_is_refuted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above: a theory of another chain does not pass."""
    from landscape.comparison import spectra as compare
    from theory.spectra.universal_law import lag_covariances as true

    def elsewhere(*, p: Any, q: Any, length: int) -> Any:
        return true(p=p / 2, q=q, length=length)

    monkeypatch.setattr(compare, "lag_covariances", elsewhere)
    result = scan(configured(), out=tmp_path / "scan")
    assert [found.point for found in result.problems("refuted")] == ["unigram"]


def test_the_tree_holds_what_the_design_promises(finished: ScanResult) -> None:
    store = finished.store
    cell = finished.config.cells()[0]
    tree = store.tree(cell)
    groups = {path.lstrip("/") for path in tree.groups}
    for group in ("training", "points", "spectrum", "slices", "theory"):
        assert group in groups
    assert tree["training"]["loss"].shape == (2, 31)
    for kind in ("unigram", "bigram"):
        measured = np.asarray(tree[f"spectrum/{kind}/eigenvalue"])
        predicted = np.asarray(tree[f"theory/{kind}/eigenvalue"])
        assert np.abs(measured - predicted).max() < 1e-12
        assert tree[f"slices/{kind}"]["loss"].shape == (5, 5)
    assert tree["spectrum/trained"]["eigenvalue"].dims == ("seed", "index")


def test_each_cell_holds_its_survival_curve(finished: ScanResult) -> None:
    store = finished.store
    for cell in finished.config.cells():
        tree, scalars = store.tree(cell), finished.scalars[cell.id]
        if "degenerate" in scalars["outcome"]:
            assert "/survival" not in tree.groups  # there is nothing to escape from
            continue
        curve = tree["/survival"]
        steps = [step for step in scalars["escape_step"] if step is not None]
        above = [2 - sum(step <= t for step in steps) for t in range(31)]
        assert curve["above"].to_numpy().tolist() == above
        assert curve["step"].to_numpy().tolist() == list(range(31))
        low, high = curve["low"].to_numpy(), curve["high"].to_numpy()
        # Clopper and Pearson for 2 of 2 and 0 of 2: (0.025)^(1/2)
        assert abs(low[0] - 0.025**0.5) < 1e-12 and high[0] == 1
        if not steps:
            assert abs(low[-1] - 0.025**0.5) < 1e-12


def test_stored_weights_reproduce_the_stored_loss(finished: ScanResult) -> None:
    """Independent channel: the weights read back from disk, through the plain forward pass."""
    from landscape.config.build import model_of
    from tests.twins.single_layer import naive_loss

    cell = finished.config.cells()[0]
    weights = finished.store.weights(cell)
    names = [name for name, _ in model_of(cell).named_parameters()]
    p, q = map(float, cell.source.chain)
    for run in range(2):
        own = {name: np.asarray(weights[f"trained/{name}"][run]) for name in names}
        loss = naive_loss(own, p, q, cell.model.length)
        assert abs(loss - finished.scalars[cell.id]["final_loss"][run]) < 1e-13


def test_running_again_trains_nothing(
    finished: ScanResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "train_together", Mock(side_effect=AssertionError("again")))
    again = scan(finished.config, out=finished.path)
    assert again.scalars == finished.scalars and not again.failed


def test_a_lost_cell_is_made_again_to_the_same_floats(finished: ScanResult, tmp_path: Path) -> None:
    folder = shutil.copytree(finished.path, tmp_path / "copy")
    cell = finished.config.cells()[3]
    (folder / "cells" / f"{cell.id}.json").unlink()
    weights = folder / "weights" / f"{cell.id}.safetensors"
    before = load_file(weights)
    weights.unlink()
    again = scan(finished.config, out=folder)
    after = load_file(weights)
    assert all((after[name] == before[name]).all() for name in before)
    losses = [result.scalars[cell.id]["final_loss"] for result in (finished, again)]
    assert losses[0] == losses[1]


def test_batches_do_not_depend_on_the_order_of_the_axes() -> None:
    turned = {**GRID, "axes": dict(reversed(GRID["axes"].items()))}
    one = [[cell.id for cell in batch] for batch in batches(configured(**GRID).cells())]
    other = [[cell.id for cell in batch] for batch in batches(configured(**turned).cells())]
    assert sorted(one) == sorted(other)
    assert len(one) == 2  # tied and untied models cannot share a graph


def test_batches_stay_within_the_size_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = configured(**GRID).cells()
    monkeypatch.setattr(scanning, "BATCH_SIZE", 2 * 2**3 * 8 * 4)  # four cells of two seeds
    sizes = [len(batch) for batch in batches(cells)]
    assert sizes == [3, 3, 3, 3]
    monkeypatch.setattr(scanning, "BATCH_SIZE", 1)  # a single cell is never split
    assert {len(batch) for batch in batches(cells)} == {1}


def test_a_shared_point_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Mock(wraps=measurement.measure_point)
    monkeypatch.setattr(measurement, "measure_point", counted)
    config = configured(axes={"train.lr": [1e-3, 2e-3]})
    result = scan(config, out=tmp_path / "scan")
    assert sorted(call.args[1] for call in counted.call_args_list) == ["bigram", "unigram"]
    first, second = result.scalars.values()
    assert first["points"]["unigram"] == second["points"]["unigram"]


def test_a_cell_that_fails_is_reported_and_the_others_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sometimes(cell: Any, *rest: Any) -> Any:
        if str(cell.source.p) == "0.2":
            raise ValueError("planted")
        return true(cell, *rest)

    true = measurement.measure_cell
    monkeypatch.setattr(scanning, "measure_cell", sometimes)
    config = configured(**TWO)
    result = scan(config, out=tmp_path / "scan")
    bad, good = config.cells()
    assert result.failed == {bad.id: "ValueError: planted"} and list(result.scalars) == [good.id]
    monkeypatch.undo()
    assert not scan(config, out=tmp_path / "scan").failed  # and is tried again


def test_batches_side_by_side_compute_the_floats_of_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(**TWO)
    assert len(batches(config.cells())) == 2
    together = scan(config, out=tmp_path / "together")
    alone = partial(futures.ThreadPoolExecutor, 1)
    monkeypatch.setattr(scanning, "ThreadPoolExecutor", lambda _, *rest: alone(*rest))
    assert same_floats(scan(config, out=tmp_path / "alone"), together)
    other = configured(**TWO, train={**SMALL["train"], "seed": 1})
    shifted = scan(other, out=tmp_path / "shifted")
    assert not same_floats(shifted, together)


def everything(result: ScanResult) -> list[Any]:
    """All scalars but the seconds, and the bytes of all arrays, of every cell in order."""
    cells = result.store.cells
    scalars = [{**result.scalars[cell.id], "seconds": None} for cell in cells]
    trees = [result.store.tree(cell) for cell in cells]
    arrays = [
        (group, name, values.to_numpy().tobytes())
        for tree in trees
        for group, node in sorted(tree.to_dict().items())
        for name, values in sorted(node.variables.items(), key=str)
        if values.dtype.kind in "fi"
    ]
    attributes = [tree[f"theory/{kind}"].attrs for tree in trees for kind in ("unigram", "bigram")]
    return [json.dumps(scalars), arrays, attributes]


def test_a_scan_in_two_threads_is_the_same_every_time(tmp_path: Path) -> None:
    """Its predictions too, with nothing remembered: at 15 digits and at 50 an entropy differs."""
    changes: dict[str, Any] = {"model": {"kind": "reduced"}, "train": {"steps": 3, "seeds": 1}}
    config = configured(**TWO, **changes)
    assert len(batches(config.cells())) == 2
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        found = []
        for k in range(4):
            entropies.cache_clear()
            found.append(everything(scan(config, out=tmp_path / str(k))))
    finally:
        sys.setswitchinterval(interval)
    assert found[1:] == found[:1] * 3
    other = configured(**TWO, **{**changes, "train": {"steps": 3, "seeds": 1, "seed": 1}})
    assert everything(scan(other, out=tmp_path / "other")) != found[0]  # the control


def test_a_batch_that_fails_stops_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []

    class Watch(Silence):
        def step(self, number: int, step: int, steps_: int, loss: float) -> None:
            steps.append(number)
            if step == 5 and number == 1:
                raise OSError("planted: disk full")

    config = configured(**TWO, train={"steps": 100_000, "seeds": 1})
    assert len(batches(config.cells())) == 2
    with pytest.raises(OSError, match="planted: disk full"):
        scan(config, out=tmp_path / "scan", watcher=Watch())
    assert steps.count(1) == 5 and steps.count(2) < 50_000


def test_a_slice_that_fails_its_own_checks_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A moved centre is a fault, a loss that is no number is counted; a sound slice has neither."""
    true = loss_slice

    def planted(*arguments: Any, **rest: Any) -> Any:
        return dataclasses.replace(true(*arguments, **rest), center_error=1e-6, not_finite=3)

    config = configured()
    sound = scan(config, out=tmp_path / "sound")
    assert sound.problems("slice fault", "not finite") == []
    monkeypatch.setattr(measurement, "loss_slice", planted)
    result = scan(config, out=tmp_path / "planted")
    assert [found.detail for found in result.problems("not finite")] == [3, 3] and not result.failed
    faults = result.problems("slice fault")
    assert [fault.point for fault in faults] == ["unigram", "bigram"]
    assert "middle is 1.0e-06 nat away" in faults[0].words


def test_threads_and_random_state_are_given_back(tmp_path: Path) -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    scan(configured(), out=tmp_path / "scan")
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_a_diverged_run_is_recorded_not_hidden(tmp_path: Path) -> None:
    config = configured(train={"steps": 3, "seeds": 1, "lr": 1e200})
    result = scan(config, out=tmp_path / "scan")
    (scalars,) = result.scalars.values()
    assert scalars["final_loss"] == [None] and scalars["outcome"] == ["other"]
    assert scalars["points"]["trained"]["runs"][0]["classification"] == "not finite"


def test_p_plus_q_equal_1_is_measured_and_called_degenerate(tmp_path: Path) -> None:
    config = configured(source={"p": "0.3", "q": "0.7"})
    (scalars,) = scan(config, out=tmp_path / "scan").scalars.values()
    assert set(scalars["outcome"]) == {"degenerate"} and scalars["escape_step"] == [None, None]
    for kind in ("unigram", "bigram"):
        assert scalars["points"][kind]["classification"] == "degenerate"


def test_the_run_knows_whether_the_floor_under_it_is_still_a_minimum(finished: ScanResult) -> None:
    """At standard initialisation's small weights the sign is the paper's: p+q against 1."""
    seen = set()
    for cell in finished.config.cells():
        excess = sum(cell.source.chain) - 1
        if excess == 0:
            continue
        saddle = cell.model.tying == "untied" or excess < 0
        for run in finished.scalars[cell.id]["points"]["trained"]["runs"]:
            assert (run["predicted_unigram_inertia"][0] > 0) == saddle
        seen.add(saddle)
    assert seen == {True, False}


def test_another_scan_in_the_folder_is_refused(finished: ScanResult) -> None:
    other = configured(**{**GRID, "train": {"steps": 31, "seeds": 2}})
    with pytest.raises(ConfigError, match=r"train\.steps: 31 here, 30 in the folder"):
        scan(other, out=finished.path)


def test_a_killed_scan_keeps_its_finished_cells(tmp_path: Path) -> None:
    folder = tmp_path / "scan"
    config = tmp_path / "grid.toml"
    config.write_text(
        "[model]\nwidth = 2\nlength = 3\n[train]\nsteps = 20\nseeds = 1\n[axes]\n"
        '"source.p" = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]\n"source.q" = [0.2, 0.8]\n'
    )
    command = [sys.executable, "-m", "landscape", "scan", str(config), "--out", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 120
        while len(list(folder.glob("cells/*.json"))) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout and process.stderr
        process.stdout.close()
        process.stderr.close()
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("cells/*.json")}
    assert 3 <= len(kept) < 12

    told: list[int] = []

    class Watch(Silence):
        def begin(self, cells: int, done: int, batches: int) -> None:
            told.append(done)

    result = scan(config, out=folder, watcher=Watch())
    assert told == [len(kept)] and len(result.scalars) == 12 and not result.failed
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in kept.items())


def test_result_is_frozen(finished: ScanResult) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        finished.path = Path()  # type: ignore[misc]  # the point of the test
