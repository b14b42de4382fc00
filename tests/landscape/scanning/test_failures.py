"""What was trained is kept before anything is measured, and why a cell failed is told."""

import json
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from landscape.config.scan import ScanConfig
from landscape.errors import ConfigError
from landscape.scanning.measurement import measure_cell
from landscape.scanning.scan import ScanResult, scan
from landscape.store.reading import open_scan
from landscape.training.loop import train_together
from tests.landscape.cli.running import Record
from tests.planted.stored import same_floats

CONFIG: dict[str, Any] = {
    "model": {"width": 2, "length": 3},
    "train": {"steps": 20, "seeds": 2, "checkpoints": 3},
    "source": {"q": 0.7},
    "axes": {"source.p": [0.2, 0.5]},
}
WORDS = "no derivative of this kernel"


@pytest.fixture
def config() -> ScanConfig:
    return ScanConfig(**CONFIG)


def plant(monkeypatch: pytest.MonkeyPatch, error: BaseException, p: float | None = None) -> None:
    """Let the measurement of one cell, or of both, raise an error.

    Of both it comes when both are trained: an interrupt of one stops the training of the other.
    """
    trained = Barrier(2, timeout=60)

    def measure(cell: Any, *rest: Any) -> Any:
        if p is None:
            trained.wait()
            raise error
        if float(cell.source.p) == p:
            raise error
        return measure_cell(cell, *rest)

    monkeypatch.setattr("landscape.scanning.scan.measure_cell", measure)


def forbid_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*_: Any, **__: Any) -> Any:
        raise OSError("it trains again")

    monkeypatch.setattr("landscape.scanning.scan.train_together", train)


def disturbed(config: ScanConfig, out: Path, error: BaseException) -> None:
    with pytest.MonkeyPatch.context() as patch:
        plant(patch, error)
        try:
            scan(config, out=out)
        except type(error):
            assert not isinstance(error, Exception)  # an interrupt ends the scan


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> ScanResult:
    return scan(ScanConfig(**CONFIG), out=tmp_path_factory.mktemp("undisturbed"))


@pytest.mark.parametrize(
    "error",
    [
        NotImplementedError(WORDS),
        KeyboardInterrupt(),
        pytest.param(TypeError(WORDS), marks=pytest.mark.slow),
        pytest.param(MemoryError(), marks=pytest.mark.slow),
    ],
)
def test_a_cell_is_measured_from_the_training_that_was_kept(
    undisturbed: ScanResult, config: ScanConfig, tmp_path: Path, error: BaseException
) -> None:
    disturbed(config, tmp_path, error)
    assert not list((tmp_path / "cells").glob("*.json"))
    with pytest.MonkeyPatch.context() as patch:
        forbid_training(patch)
        again = scan(config, out=tmp_path)
    assert same_floats(again, undisturbed) and not again.failed
    assert list((tmp_path / "training").iterdir()) == []
    for cell in config.cells():
        for name in ("training", "checkpoints", "survival"):
            one, other = (r.store.groups(cell, name)[name] for r in (again, undisturbed))
            assert one.identical(other)


def test_a_training_that_is_not_whole_is_made_again(config: ScanConfig, tmp_path: Path) -> None:
    disturbed(config, tmp_path, TypeError(WORDS))
    first = config.cells()[0]
    path = tmp_path / "training" / f"{first.id}.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        forbid_training(patch)
        with pytest.raises(OSError, match="it trains again"):
            scan(config, out=tmp_path)
    assert scan(config, out=tmp_path).failed == {}


def test_a_failed_cell_keeps_curves_ends_and_weights_and_its_reason_is_told(
    config: ScanConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: Record
) -> None:
    plant(monkeypatch, NotImplementedError(WORDS), p=0.2)
    result = scan(config, out=tmp_path)
    failed, sound = config.cells()
    reason = f"NotImplementedError: {WORDS}"
    assert result.failed == {failed.id: reason}
    status = record("status", tmp_path)
    assert (status["done"], status["pending"], status["trained"]) == (1, 1, 1)
    assert [(row["id"], row["reason"], row["trained"]) for row in status["failed"]] == [
        (failed.id, reason, True)
    ]
    stored = open_scan(tmp_path)
    curves = stored.groups(failed, "training")["training"]
    assert curves["loss"].shape == (2, 21) and curves["loss"].notnull().all()
    ends = stored.weights(failed)
    assert ends["trained/embedding"].shape == (2, 2)
    assert stored.weights(sound).keys() > ends.keys()  # the control: more was measured there
    with pytest.raises(ConfigError, match=WORDS):
        stored.scalars(failed)
    # and a file that is damaged is not read
    (tmp_path / "cells" / f"{failed.id}.nc").write_bytes(b"")
    with pytest.raises(ConfigError, match="is not finished"):
        open_scan(tmp_path).groups(failed, "training")


def test_the_page_says_why_a_cell_has_no_result(
    config: ScanConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from landscape.report.data.cell_file import Budget, read_cell

    plant(monkeypatch, NotImplementedError(WORDS), p=0.2)
    stored = scan(config, out=tmp_path).store
    first, second = (read_cell(stored, cell, Budget(10, 5)) for cell in config.cells())
    assert first.state == "failed" and WORDS in first.why
    assert second.state == "done"


def test_a_training_that_raises_fails_its_cells_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ScanConfig(
        **{**CONFIG, "axes": {"model.width": [2, 3]}, "source": {"p": 0.5, "q": 0.8}}
    )

    def train(model: Any, *rest: Any, **more: Any) -> Any:
        if model.width == 2:
            raise RuntimeError(WORDS)
        return train_together(model, *rest, **more)

    monkeypatch.setattr("landscape.scanning.scan.train_together", train)
    result = scan(config, out=tmp_path)
    failed, sound = config.cells()
    assert result.failed == {failed.id: f"RuntimeError: {WORDS}"}
    assert result.store.done(sound) and not open_scan(tmp_path).failed[failed.id].trained


def test_a_training_is_smaller_than_a_cell(config: ScanConfig, tmp_path: Path) -> None:
    """What is written twice is little: the arrays once more, without labels."""
    disturbed(config, tmp_path, TypeError(WORDS))
    cell = config.cells()[0]
    own = (tmp_path / "training" / f"{cell.id}.safetensors").stat().st_size
    assert 0 < own < (tmp_path / "cells" / f"{cell.id}.nc").stat().st_size
    record = json.loads((tmp_path / "training" / f"{cell.id}.json").read_text("utf-8"))
    assert record["reason"] == f"TypeError: {WORDS}"
