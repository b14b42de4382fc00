"""A stale figure is drawn again and a fresh one is not; the same inputs are the same bytes."""

import json
import os
from pathlib import Path

import pytest

from figures.building import build as building
from figures.building.build import build, is_fresh, macros, source_hash
from figures.building.catalogue import entry
from figures.paper import valley as script
from figures.records.inputs import Inputs
from tests.planted.scans import planted_record, planted_scan, valley

VALLEY = entry("valley")


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    return Inputs("quick", {}, {"valley": planted_record(tmp_path / "in", "valley", valley())})


def test_a_figure_is_drawn_once(inputs: Inputs, tmp_path: Path) -> None:
    assert not is_fresh(VALLEY, inputs, tmp_path / "out")
    first = build(VALLEY, inputs, tmp_path / "out")
    times = [os.stat(path).st_mtime_ns for path in first.files]
    second = build(VALLEY, inputs, tmp_path / "out")
    assert (first.status, second.status) == ("built", "fresh")
    assert second.numbers == first.numbers
    assert [os.stat(path).st_mtime_ns for path in second.files] == times


def test_the_same_inputs_are_the_same_bytes_wherever_they_lie(tmp_path: Path) -> None:
    def drawn(name: str, shift: float) -> list[bytes]:
        record = planted_record(tmp_path / name, "valley", valley(shift))
        found = build(VALLEY, Inputs("quick", {}, {"valley": record}), tmp_path / f"{name}-out")
        return [path.read_bytes() for path in found.files]

    assert drawn("a", 0.0) == drawn("b", 0.0)
    assert drawn("a", 0.0) != drawn("c", 0.01)


def test_a_pdf_embeds_its_fonts_and_has_no_date(inputs: Inputs, tmp_path: Path) -> None:
    text = build(VALLEY, inputs, tmp_path).files[1].read_bytes()
    assert b"/FontFile2" in text and b"/Type3" not in text
    assert b"CreationDate" not in text and b"Producer" not in text


@pytest.mark.parametrize("change", ["record", "picture", "missing", "mark", "script"])
def test_what_has_changed_is_drawn_again(
    change: str, inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    before = build(VALLEY, inputs, out)
    if change == "record":
        planted_record(tmp_path / "in", "valley", valley(0.01))
    elif change == "picture":
        before.files[0].write_bytes(b"another picture")
    elif change == "missing":
        before.files[1].unlink()
    elif change == "mark":
        (out / "valley.json").write_text("{", "utf-8")
    else:
        monkeypatch.setattr("figures.building.build.source_hash", lambda _: "another script")
    assert build(VALLEY, inputs, out).status == "built"
    assert build(VALLEY, inputs, out).status == "fresh"


def test_a_cell_that_has_changed_makes_its_figure_stale(tmp_path: Path) -> None:
    some = planted_scan(tmp_path / "some", "no-attention", skip=1)
    whole = planted_scan(tmp_path / "whole", "no-attention")
    prints = [Inputs("quick", {"no-attention": path}).fingerprint() for path in (some, whole)]
    assert prints[0] != prints[1]
    moved = whole.rename(tmp_path / "moved")
    assert Inputs("quick", {"no-attention": moved}).fingerprint() == prints[1]


def test_a_source_counts_if_the_script_uses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "figures"
    folder.mkdir()
    (folder / "__init__.py").touch()
    texts = {"script": "from figures import style", "style": "X = 1", "other": "Y = 1"}
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text, "utf-8")
    monkeypatch.setattr(building, "ROOT", tmp_path)

    def now() -> str:
        source_hash.cache_clear()
        return source_hash("figures.script")

    try:
        before = now()
        (folder / "other.py").write_text("Y = 2", "utf-8")
        assert now() == before
        (folder / "style.py").write_text("X = 2", "utf-8")
        assert now() != before
    finally:
        source_hash.cache_clear()


def test_a_figure_that_fails_leaves_nothing_that_looks_fresh(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(VALLEY, inputs, tmp_path)
    planted_record(tmp_path / "in", "valley", valley(0.01))
    with monkeypatch.context() as broken:
        broken.setattr(script, "numbers", lambda _: {"no name": "1"})
        with pytest.raises(ValueError, match="'no name' is no name for LaTeX"):
            build(VALLEY, inputs, tmp_path)
    assert build(VALLEY, inputs, tmp_path).status == "built"


def test_the_macros_are_the_numbers_of_the_figures(inputs: Inputs, tmp_path: Path) -> None:
    build(VALLEY, inputs, tmp_path)
    lines = macros([entry("loss"), VALLEY], tmp_path).splitlines()[1:]
    # of the planted path: 0.2 - 0.1 t is first negative at t = 3, the corner after its zero
    assert r"\newcommand{\figValleyTurn}{3.00}" in lines
    assert r"\newcommand{\figValleyStartCurvature}{0.200}" in lines
    assert len(lines) == len(json.loads((tmp_path / "valley.json").read_text("utf-8"))["numbers"])
