"""`python -m figures` draws a scan's folder, or says in one line what is wrong with it."""

import os
from pathlib import Path

import pytest

from figures.__main__ import main, newest
from landscape.config.scan import ScanConfig
from landscape.store.scan_store import ScanStore
from tests.planted.scans import planted, scan_of

SMALL = {"source.p": ["0.5"], "source.q": ["0.8"]}
WIDER = {**SMALL, "model.length": [2, 3]}


def test_it_draws_into_the_folder_and_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planted(tmp_path, config=scan_of(axes=SMALL))
    assert main([str(tmp_path)]) == 0
    paths = [tmp_path / "phase_diagram.png", tmp_path / "phase_diagram.pdf"]
    assert capsys.readouterr().out.split() == list(map(str, paths))
    assert all(path.stat().st_size > 10_000 for path in paths)


def test_it_draws_elsewhere_and_leaves_the_scan_as_it_was(tmp_path: Path) -> None:
    planted(tmp_path / "run", config=scan_of(axes=WIDER))
    before = sorted(tmp_path.joinpath("run").rglob("*"))
    arguments = [str(tmp_path / "run"), "--out", str(tmp_path / "new" / "pictures")]
    assert main([*arguments, "--select", "model.length=2"]) == 0
    assert sorted(tmp_path.joinpath("run").rglob("*")) == before
    assert (tmp_path / "new" / "pictures" / "phase_diagram.png").is_file()


def test_without_a_folder_it_takes_the_newest_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for age, name in enumerate(("b", "c", "a")):
        ScanStore(Path("runs") / name).open_or_create(_one(), {})
        os.utime(Path("runs") / name / "scan.json", (1000 + age, 1000 + age))
    assert newest(Path("runs")) == Path("runs/a")
    os.utime("runs/b/scan.json", (2000, 2000))
    assert main([]) == 0
    assert [p.parent.name for p in Path("runs").glob("*/phase_diagram.png")] == ["b"]


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "there is no scan in runs/ to draw: run `landscape scan` first"),
    (["nowhere"], "nowhere"),
    (["wide"], "because it varies model.length = 2, 3"),
    (["wide", "--select", "model.length"], "--select model.length is refused: write"),
    (["wide", "--select", "model.length=9"], "--select model.length=9 is refused: no cell"),
])  # fmt: skip
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    ScanStore("wide").open_or_create(scan_of(axes=WIDER), {})
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert message in output.err
    assert output.err.startswith("python -m figures: ")
    assert "Traceback" not in output.err
    assert list(tmp_path.rglob("*.png")) == []


def _one() -> ScanConfig:
    return scan_of(axes=SMALL)
