"""The catalogue names every figure that is promised, and what it names is there."""

import importlib
from pathlib import Path

import pytest

from figures.building.catalogue import Entry, entries, entry
from landscape.scanning.figure_data import RECORDS, config_of, settings_of

PROMISED = {
    "loss", "probabilities", "grid", "depth", "switching", "lag", "attention", "no-attention",
    "energy-lines", "basins", "basin-start", "rank-one", "attention-flow", "phase", "spectra",
    "slices", "valley", "escape", "survival",
}  # fmt: skip


def test_every_promised_figure_has_an_entry_of_its_own() -> None:
    names = [each.name for each in entries()]
    assert set(names) >= PROMISED
    assert len(set(names)) == len(names)


def test_every_script_is_in_the_catalogue() -> None:
    scripts = {path.stem for path in (Path(__file__).parents[3] / "figures/paper").glob("*.py")}
    assert scripts - {"__init__"} == {each.module for each in entries()}


@pytest.mark.parametrize("each", entries(), ids=lambda each: each.name)
def test_an_entry_names_a_script_and_results_that_exist(each: Entry) -> None:
    script = importlib.import_module(f"figures.paper.{each.module}")
    assert all(callable(getattr(script, name)) for name in ("load", "draw", "numbers"))
    for size in ("quick", "paper"):
        assert all(config_of(name, size).axes for name in each.scans)
        assert all(settings_of(name, size) for name in each.records)
    assert each.title and not each.title.endswith(".")
    assert bool(each.differences) or not each.published  # a published figure is never the same


def test_every_record_is_drawn() -> None:
    assert {name for each in entries() for name in each.records} == set(RECORDS)


def test_a_misspelt_name_is_told_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"figure vallee is refused: .* did you mean valley"):
        entry("vallee")
    with pytest.raises(ValueError, match="there are loss, probabilities"):
        entry("zzzzzz")


def test_the_page_says_what_the_catalogue_says() -> None:
    text = (Path(__file__).parents[3] / "docs" / "figures.md").read_text("utf-8")
    for each in entries():
        section = text.partition(f"\n## {each.name}\n")[2].partition("\n## ")[0]
        lines = (f"{each.title}.", each.published, *each.differences)
        assert [line for line in lines if line not in section] == []
        assert f"](figures/{each.name}.png)" in section
        assert (Path(__file__).parents[3] / "docs" / "figures" / f"{each.name}.png").is_file()
