"""What is wrong in a scan is one list, told in one order, and decides the exit code."""

from pathlib import Path
from typing import Any

import pytest

from landscape.scanning.scan import UNTOLD, Problem, ScanResult
from landscape.store.reading import open_scan, place_of
from tests.landscape.cli.running import Run, strict
from tests.planted.scans import plant, scan_of
from tests.planted.stored import SETTINGS, stored_before


def test_every_problem_is_one_record_in_the_order_in_which_it_is_told(tmp_path: Path) -> None:
    config = scan_of(axes={"source.p": ["0.2", "0.5", "0.7"]}, source={"q": "0.8"})
    bad, odd, good = config.cells()
    well = {"verdict": "verified"}
    points = {
        "unigram": {
            "verdict": "inconclusive",
            "why": "a planted reason",
            "slice_faults": ["it is curved", "it is moved"],
            "slice_not_finite": 3,
        },
        "bigram": {"verdict": "refuted"},
        "trained": {"verdict": "not-applicable", "reason": "there is none"},
    }
    contents: dict[str, dict[str, Any]] = {
        odd.id: {"final_loss": [0.6, None], "points": points},
        good.id: {"final_loss": [0.6, 0.6], "points": {"unigram": well, "bigram": well}},
    }

    def content(cell: Any) -> Any:
        return ({}, contents[cell.id]) if cell.id in contents else None

    result = ScanResult(plant(tmp_path, config, content), {bad.id: "ValueError: planted"})
    found = [(each.kind, each.point, each.detail, each.severity) for each in result.problems()]
    assert found == [
        ("absent", "trained", "there is none", "note"),
        ("refuted", "bigram", UNTOLD, "error"),
        ("slice fault", "unigram", "it is curved", "error"),
        ("slice fault", "unigram", "it is moved", "error"),
        ("diverged", None, 1, "note"),
        ("not finite", "unigram", 3, "note"),
        ("failed", None, "ValueError: planted", "error"),
        ("inconclusive", "unigram", "a planted reason", "doubt"),
    ]
    assert [each.words for each in result.problems()] == [
        "No trained point at p=0.5: there is none",
        f"Refuted at the bigram point of p=0.5: {UNTOLD}",
        "Slice at the unigram point of p=0.5: it is curved",
        "Slice at the unigram point of p=0.5: it is moved",
        "Diverged: 1 of 4 runs at p=0.5 have no finite loss; try a smaller train.lr",
        "Slice at the unigram point of p=0.5: 3 losses are not finite",
        f"Cell {bad.id[:8]} failed: ValueError: planted",
        "Inconclusive at the unigram point of p=0.5: a planted reason",
    ]
    assert all(each.cell.id != good.id for each in result.problems())  # the control
    some = result.problems("refuted", "not finite")
    assert [each.point for each in some] == ["bigram", "unigram"]


def test_the_command_tells_each_problem_once_and_fails_by_the_gravest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    def told(flag: str = "") -> tuple[int, dict[str, Any], list[str]]:
        code, out, err = run("scan", settings, "--out", folder, "--no-report --json", flag)
        return code, strict(out), err.splitlines()

    folder = stored_before(tmp_path / "scan")
    settings = tmp_path / "before.toml"
    settings.write_text(SETTINGS)
    monkeypatch.setattr("figures.plots.of_a_scan.save", lambda *_, **__: ([], []))
    assert told("--strict")[0] == 0  # the control
    cell = open_scan(folder).cells[0]
    kinds: dict[str, tuple[Any, Any, int, int]] = {
        "absent": ("note", "note", 0, 0),
        "inconclusive": ("doubt", "a planted reason", 0, 1),
        "refuted": ("error", "another reason", 1, 1),
        "slice fault": ("error", "fault", 1, 1),
        "not finite": ("note", 3, 0, 0),
    }
    keys = {"slice fault": "slice_faults", "not finite": "not_finite"}
    details = {"inconclusive": "reason", "refuted": "reason", "absent": "reason"}
    details |= {"slice fault": "fault", "not finite": "losses"}
    place = {name: str(value) for name, value in cell.coordinates.items()}
    for kind, (severity, detail, code, strictly) in kinds.items():
        problem = Problem(cell, "unigram", kind, detail, f"planted {kind}", severity)
        monkeypatch.setattr(ScanResult, "problems", lambda self, p=problem: [p, p])
        found, record, err = told()
        assert (found, told("--strict")[0]) == (code, strictly)
        expected: dict[str, Any] = {**place, "point": "unigram"}
        if kind in details:
            expected[details[kind]] = detail
        assert record[keys.get(kind, kind)] == [expected] * 2
        at = f"the unigram point of {place_of(cell)}"
        summed = f"Inconclusive at 2 points, {at}; {at}: a planted reason"
        assert err[1:] == ([summed] if kind == "inconclusive" else [f"planted {kind}"] * 2)


def test_points_are_named_by_the_reason_that_was_found_at_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    """Eight share a reason, one has another: none is told that it is near p+q = 1."""
    folder = stored_before(tmp_path / "scan")
    settings = tmp_path / "before.toml"
    settings.write_text(SETTINGS)
    monkeypatch.setattr("figures.plots.of_a_scan.save", lambda *_, **__: ([], []))
    cell = open_scan(folder).cells[0]
    reasons = ["it is blurred"] * 8 + ["it is tiny"]
    problems = [
        Problem(cell, "unigram" if k % 2 else "bigram", "inconclusive", why, "", "doubt")
        for k, why in enumerate(reasons)
    ]
    monkeypatch.setattr(ScanResult, "problems", lambda self: problems)
    _, out, err = run("scan", settings, "--out", folder, "--no-report --json")
    first, second = [line for line in err.splitlines() if line.startswith("Inconclusive")]
    assert first.startswith("Inconclusive at 8 points, the bigram point of ")
    assert first.count(" point of ") == 6
    assert first.endswith("; and 2 more, which --json lists: it is blurred")
    assert second == f"Inconclusive at 1 point, the bigram point of {place_of(cell)}: it is tiny"
    assert [found["reason"] for found in strict(out)["inconclusive"]] == reasons
