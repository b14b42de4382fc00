"""`landscape figures`: what is missing is provided, what fails is named, what is fresh is left."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from figures.paper import no_attention
from landscape.cli.commands.figures import command
from landscape.scanning import figure_data
from tests.planted.scans import planted_record, planted_scan, valley

Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command in a folder that has the planted scan `no-attention` and the record `valley`."""
    monkeypatch.chdir(tmp_path)
    planted_scan(Path("runs/presets"), "no-attention")

    def measure(folder: Path, name: str, size: str) -> Path:
        assert (name, size) == ("valley", "quick")
        return planted_record(folder, "valley-quick", valley())

    monkeypatch.setattr(figure_data, "measure", measure)
    monkeypatch.setattr("landscape.scanning.scan.scan", lambda *_, **__: pytest.fail("it trains"))

    def main(*arguments: str) -> int:
        return int(command.main(args=[*arguments], prog_name="figures", standalone_mode=False))

    return main


def test_it_draws_what_is_named_and_leaves_what_is_fresh(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("no-attention", "valley", "--json") == 0
    first = json.loads(capsys.readouterr().out)
    assert [(each["name"], each["status"]) for each in first["figures"]] == [
        ("no-attention", "built"),
        ("valley", "built"),
    ]
    files = [Path(path) for each in first["figures"] for path in each["files"]]
    assert [path.name for path in files] == [
        "no-attention.png", "no-attention.pdf", "valley.png", "valley.pdf",
    ]  # fmt: skip
    assert all(path.stat().st_size > 5_000 for path in files)
    monkeypatch.setattr(figure_data, "is_fresh", lambda *_: True)
    assert run("no-attention", "valley", "--json") == 0
    second = json.loads(capsys.readouterr().out)
    assert {each["status"] for each in second["figures"]} == {"fresh"}
    text = Path("runs/figures/quick/numbers.tex").read_text("utf-8")
    assert r"\newcommand{\figValleyWalk}{4.00}" in text and r"\figNoAttentionTied}" in text


def test_a_figure_that_fails_is_named_and_the_others_are_drawn(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(no_attention, "draw", broken)
    assert run("no-attention", "valley", "--out", "pictures") == 1
    output = capsys.readouterr()
    assert "The figure no-attention failed: ZeroDivisionError: planted" in output.err
    assert sorted(path.name for path in Path("pictures").glob("*.p*")) == [
        "valley.pdf",
        "valley.png",
    ]


@pytest.mark.parametrize(("arguments", "message"), [
    (["vallee"], "figure vallee is refused: there is no such figure; did you mean valley?"),
    (["valley", "--page", "x.md"], "--page is of all figures; give no names with it"),
])  # fmt: skip
def test_bad_input_is_a_usage_error_and_nothing_is_written(
    arguments: list[str], message: str, run: Run
) -> None:
    with pytest.raises(click.UsageError) as caught:
        run(*arguments)
    assert caught.value.exit_code == 2 and message in str(caught.value)
    assert not Path("runs/figures").exists()


def test_the_list_names_every_figure(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--list", "--json") == 0
    assert {"loss", "valley", "survival"} <= set(json.loads(capsys.readouterr().out))


def test_a_record_is_fresh_until_its_settings_or_its_file_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from landscape.scanning.figure_data import RECORDS, is_fresh, measure, path_of, read

    small = {"p": 0.5, "q": 0.8, "width": 2, "length": 3, "deviation": 0.1, "seed": 0}
    monkeypatch.setitem(RECORDS["valley"], "quick", small)
    assert not is_fresh(tmp_path, "valley", "quick")
    path = measure(tmp_path, "valley", "quick")
    assert is_fresh(tmp_path, "valley", "quick") and path == path_of(tmp_path, "valley", "quick")
    found = read(tmp_path, "valley", "quick")
    assert float(found["loss"][0]) == pytest.approx(0.66628, abs=1e-5)  # H_u at (.5,.8)
    monkeypatch.setitem(RECORDS["valley"], "quick", {**small, "seed": 1})
    assert not is_fresh(tmp_path, "valley", "quick")
    monkeypatch.setitem(RECORDS["valley"], "quick", small)
    path.write_bytes(path.read_bytes()[:-1])
    assert not is_fresh(tmp_path, "valley", "quick")
