"""`landscape report` writes one file, whole or not at all, with the theorems' proofs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import sympy as sp
from click.testing import CliRunner

from landscape.report import write_report
from landscape.store.reading import open_scan
from tests.landscape.report.small_scan import (
    Elements,
    config,
    theorem,
)
from theory.proving.steps import Identity
from theory.statements import registry


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Run the command with one theorem, whose proof takes no time."""
    from landscape.cli.commands import report
    from landscape.report.data import theorems as report_theorems

    monkeypatch.setattr(report_theorems, "theorem_records", lambda config: [theorem()])

    def run(*arguments: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(report.command, [*arguments], standalone_mode=False)
        if result.exception is not None:
            raise result.exception
        return result.return_value, result.stdout, result.stderr

    return run


def test_the_command_writes_one_file_and_says_where(
    folder: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    before = set(folder.rglob("*"))
    code, out, _ = command(str(folder), "--json")
    record = json.loads(out)
    report = folder / "report.html"
    assert code == 0
    assert set(folder.rglob("*")) - before == {report}
    assert record["report"] == str(report)
    assert record["bytes"] == report.stat().st_size
    assert (record["cells"], record["done"]) == (8, 8)
    assert (record["theorems"], record["proved"]) == (1, 1)
    assert command(str(folder))[1] == f"Report    {report}\n"


def test_links_lead_to_the_scan_from_wherever_the_page_is(
    folder: Path, tmp_path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    (folder / "phase diagram.png").touch()
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "page.html"
    command(str(folder), "--out", str(target))
    elements = Elements(target.read_text("utf-8"))
    links = [a["href"] for tag, a in elements.starts if tag == "a"]
    assert "../scan/phase%20diagram.png" in links and "../scan/scan.json" in links
    assert elements.data["base"] == "../scan"


def test_a_folder_that_is_no_scan_is_refused(tmp_path: Path) -> None:
    from landscape.cli.commands import report

    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ValueError, match=f"{place} is not the folder of a scan"):
            CliRunner().invoke(
                report.command, [str(place)], standalone_mode=False, catch_exceptions=False
            )
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_cannot_be_written_leaves_the_one_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_report(open_scan(folder), [theorem()])
    before = path.read_bytes()

    def full(name: Path, text: str) -> None:
        (name.parent / name.name).touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("landscape.store.atomic.flush", lambda name: full(name, ""))
    with pytest.raises(OSError, match="No space left"):
        write_report(open_scan(folder), [theorem(title="another")])
    assert path.read_bytes() == before
    assert [p.name for p in folder.glob(".*.partial")] == []


def test_a_theorem_comes_with_its_proof_in_mathml(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from landscape.report.data import theorems as report_theorems

    monkeypatch.setenv("MARKOV_LANDSCAPE_CACHE", str(tmp_path))
    only = registry.theorem("entropies")
    monkeypatch.setattr(registry, "theorems", lambda: (only,))
    settings = config(axes={"source.p": ["0.2", "0.8"], "source.q": ["0.2"]})
    (record,) = report_theorems.theorem_records(settings)
    assert record["proved"] and record["title"] == "Entropies of the chain"
    assert all(step["mathml"].startswith("<math") for step in record["steps"])
    assert record["control"]["refuted"]
    assert record["applies"] == [cell.id for cell in settings.cells()]
    # The second time it is read, and the same; a kept page that is damaged is made again.
    assert report_theorems.theorem_records(settings) == [record]
    (kept,) = (tmp_path / "pages").glob("*.json")
    kept.write_text("{")
    assert report_theorems.theorem_records(settings) == [record]


def test_sides_that_are_equal_as_written_are_set_once() -> None:
    from landscape.report.data import theorems as report_theorems

    x = sp.Symbol("x")
    same = report_theorems._step(Identity("one expression", 2 * x, x + x))
    assert same["same"] and same["mathml"].count("<mi>x</mi>") == 1
    assert "<mo>=</mo>" not in same["mathml"] and same["mathml"].endswith("</math>")
    other = report_theorems._step(Identity("two", (x + 1) ** 2, x**2 + 2 * x + 1))
    assert not other["same"] and "<mo>=</mo>" in other["mathml"]
