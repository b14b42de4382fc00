"""The page says why runs got stuck, and how sure that is, from what the files hold."""

import json
import re
from dataclasses import replace
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, strategies as st

from landscape.report import render
from landscape.report.data.cell_file import CellRecord, late_losses
from landscape.report.data.gather import axes_of, cell_rows, csv_text, for_script
from landscape.report.data.theorems import repeats
from landscape.report.text.summary import summarise
from landscape.report.text.sure import fisher, with_sizes
from landscape.scanning.scan import scan
from landscape.store.reading import open_scan
from landscape.store.scan_store import ScanStore
from tests.landscape.report.small_scan import (
    MODEL,
    answers,
    config,
    end,
    minimum,
    planted,
    records_of,
    scalars,
    shown,
    theorem,
)
from theory.statements import registry


def test_runs_that_leave_a_minimum_are_counted_by_where_they_end(folder: Path) -> None:
    def plant(at: dict[str, Any], found: dict[str, Any]) -> None:
        if minimum(at):
            found["outcome"] = ["bigram", "unigram" if at["source.p"] == "0.2" else "other"]

    planted(folder, lambda at, found: found.update(outcome=["unigram"] * 2))
    assert "Of the rest" not in " ".join(answers(folder).why.sentences)  # the control
    planted(folder, plant)
    said = " ".join(answers(folder).why.sentences)
    assert "local minimum in 2 cells, and there 1 of 4 runs got stuck (25%)." in said
    assert "Of the rest, 2 reached the bigram and 1 ended at neither" in said


def of_model(records: list[CellRecord], **changes: Any) -> list[CellRecord]:
    found = []
    for record in records:
        model = record.config.model.model_copy(update=changes)
        config = record.config.model_copy(update={"model": model})
        found.append(replace(record, config=config))
    return found


def test_the_way_out_is_claimed_where_it_is_proved(folder: Path) -> None:
    valley = theorem(id="valley", title="The valley")
    radius = theorem(id="escape-radius", title="The escape radius")
    records = records_of(folder)

    def said(cells: list[CellRecord], *theorems: dict[str, Any]) -> str:
        return " ".join(summarise(cells, [], theorems, 0).why.sentences)

    both = said(records, valley, radius)
    assert "The barrier is exactly 0" in both and "at most √2 away" in both
    # tied, width 2, length 3: 54 of 57 directions lie outside the block of bias and embedding.
    assert "54 of 57 directions are flat" in both
    assert "to where a way down opens, if there is one." in said(records)
    assert "barrier" not in said(records, valley | {"proved": False}, radius)
    assert "barrier" not in said(of_model(records, kind="gpt"), valley, radius)
    assert "√2" not in said(of_model(records, kind="reduced"), valley, radius)
    for record in records:
        record.config.measure.__dict__["random_weights"] = 0.1
    drawn = summarise(records, [], [valley, radius], 0).why
    assert "barrier is exactly 0" in " ".join(drawn.sentences)
    assert "√2" not in " ".join(drawn.sentences)
    assert "drawn with standard deviation 0.1" in " ".join(drawn.further)


def test_the_floor_under_stuck_runs_is_counted_apart_from_that_of_others(folder: Path) -> None:
    def plant(at: dict[str, Any], found: dict[str, Any]) -> None:
        found["outcome"] = ["unigram", "bigram" if at["source.p"] == "0.2" else "unigram"]
        runs = [end(at["source.p"] == "0.8", seed=0), end(at["source.p"] == "0.2", seed=1)]
        found["points"]["trained"] = {"runs": runs}

    assert "theory sees a way down" not in " ".join(answers(folder).why.sentences)
    planted(folder, plant)
    said = " ".join(answers(folder).why.sentences)
    assert "a way down from the unigram for 1 of 3 stuck runs and for 1 of the 1 others." in said


def test_the_unigram_is_said_to_be_a_set_with_both_types(folder: Path) -> None:
    condition = theorem(id="tied-condition", title="The tied unigram point at any weights")
    said = " ".join(answers(folder, condition).why.further)
    assert "all other weights are 0, as measured here" in said
    assert "decided by the signs of a matrix M" in said
    assert "matrix M" not in " ".join(answers(folder).why.further)


def test_the_count_is_given_at_other_cuts_and_at_half_time(folder: Path) -> None:
    """Counted again with the definition alone, |L - H_u| < share (H_u - H_b), from the files."""

    def plant(at: dict[str, Any], found: dict[str, Any]) -> None:
        gap = found["unigram_loss"] - found["bigram_loss"]
        far = (0.07, 0.15) if at["model.tying"] == "tied" else (0.02, 0.5)
        found["final_loss"] = [found["unigram_loss"] - share * gap for share in far]
        if gap:
            found["outcome"] = ["unigram", "other"]

    planted(folder, plant)
    counted = {0.05: 0, 0.1: 0, 0.2: 0}
    half = 0
    for cell in open_scan(folder).cells:
        record = json.loads((folder / "cells" / f"{cell.id}.json").read_text("utf-8"))
        found = record["scalars"]
        gap = found["unigram_loss"] - found["bigram_loss"]
        if not cell.source.degenerate:
            for share in counted:
                near = (abs(x - found["unigram_loss"]) < share * gap for x in found["final_loss"])
                counted[share] += sum(near)
            file = folder / "cells" / f"{cell.id}.nc"
            loss = xr.load_dataset(file, group="training", engine="h5netcdf")["loss"]
            middle = loss.sel(step=6, method="pad").values
            half += int((np.abs(middle - found["unigram_loss"]) < 0.1 * gap).sum())
    assert counted == {0.05: 3, 0.1: 6, 0.2: 9}
    said = " ".join(answers(folder).sure.further)
    assert "Within 10% of the gap" in said and "at the end: 6 runs; within 5%: 3;" in said
    assert f"within 20%: 9; within 10% after half of the steps: {half}." in said


def test_a_run_that_falls_at_the_end_is_marked(folder: Path) -> None:
    step, loss = np.arange(0, 101, 5), np.full((2, 21), 0.6)
    loss[0, -2:] = 0.5  # falls after step 90, the last one before the last tenth
    loss[1, 10:] = 0.5  # falls at step 50
    assert late_losses(step, loss) == {"half": [0.6, 0.5], "late": [0.6, 0.5]}
    for record in records_of(folder):
        record.late["late"][:] = [1.0, record.scalars["final_loss"][1]]
        (cell,) = for_script(open_scan(folder), [record])["cells"]
        falls = [run["falls"] for run in cell["runs"]]
        assert falls == [not record.config.source.degenerate, False]


def test_the_ends_of_stuck_runs_are_split_with_their_numbers(folder: Path) -> None:
    def plant(at: dict[str, Any], found: dict[str, Any]) -> None:
        found["outcome"] = ["unigram", "bigram"]
        word = "negative curvature" if minimum(at) else "no clear negative curvature"
        lowest = -0.5 if minimum(at) and at["source.p"] == "0.8" else -0.25
        runs = [end(word=word, lowest=lowest, seed=0), end(word="of no account", seed=1)]
        found["points"]["trained"] = {"runs": runs}

    planted(folder, plant)
    said = " ".join(answers(folder).sure.further).replace("\N{MINUS SIGN}", "-")
    assert "2 of 6 have negative curvature (λ_min -0.5 to -0.25)" in said
    assert "4 of 6 have no clear negative curvature (λ_min -0.25)" in said
    assert "of no account" not in said
    run = for_script(open_scan(folder), records_of(folder))["cells"][0]["runs"][0]
    assert (run["lowest"], run["slope"], run["downhill"]) == (-0.25, 0.5, False)


def test_what_would_refute_is_said_and_what_is_refuted_counted(folder: Path) -> None:
    said = " ".join(answers(folder).sure.sentences)
    assert "This would be refuted by a point whose numbers of negative, zero and positive" in said
    assert "Refuted so far: none of 16 points." in said
    assert "get stuck as often where theory sees a saddle" in said

    def plant(at: dict[str, Any], found: dict[str, Any]) -> None:
        if minimum(at):
            found["points"]["bigram"]["verdict"] = "refuted"

    planted(folder, plant)
    assert "Refuted so far: 2 of 16 points." in " ".join(answers(folder).sure.sentences)


@given(st.data())
def test_mirrored_counts_are_judged_by_fishers_test(data: Any) -> None:
    n, m = (data.draw(st.integers(1, 12)) for _ in range(2))
    k, j = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    # The chance, with both shares equal, of a split no more likely than the one seen.
    ways = [comb(n, i) * comb(m, k + j - i) for i in range(max(0, k + j - m), min(n, k + j) + 1)]
    seen = comb(n, k) * comb(m, j)
    expected = sum(way for way in ways if way <= seen) / comb(n + m, k + j)
    assert fisher((k, n), (j, m)) == pytest.approx(expected, rel=1e-9)
    twice = sum(way for way in ways if way < seen) / comb(n + m, k + j)
    assert fisher((k, n), (j, m)) != pytest.approx(twice, rel=1e-9)  # the control: less is not it


def test_mirrored_cells_that_differ_are_named(tmp_path: Path) -> None:
    axes = {key: ["0.3", "0.9"] for key in ("source.p", "source.q")}
    scan(config(axes=axes, measure={"points": ["unigram"]}), out=tmp_path)
    planted(tmp_path, lambda at, found: found.update(outcome=["unigram"] * 2))
    assert "mirror" not in " ".join(answers(tmp_path).sure.further)

    mirrored = {"source.p": "0.3", "source.q": "0.9"}.items()
    bigram = {"outcome": ["bigram"] * 2}
    planted(tmp_path, lambda at, found: found.update(bigram if mirrored <= at.items() else {}))
    said = " ".join(answers(tmp_path).sure.further)
    assert "in 1 of 1 pairs not as many runs got stuck: (0.3, 0.9) 0 of 2 against" in said
    assert "(0.9, 0.3) 2 of 2 (Fisher's exact test: 0.33)" in said


def test_where_none_is_stuck_the_limits_stand_beside(folder: Path) -> None:
    """With no success in n runs the upper limit is 1 - 0.025^(1/n), n = 2 seeds."""
    planted(folder, lambda at, found: found.update(outcome=["bigram"] * 2))
    said = " ".join(answers(folder).which.sentences)
    assert f"95% limits 0% to {100 * (1 - 0.025**0.5):.0f}%" in said
    text = shown(folder).text
    assert "Counted as" in text and "0 of 2" in text


def test_a_row_has_the_larger_of_both_errors_and_the_file_both(folder: Path) -> None:
    records, axes = records_of(folder), axes_of(open_scan(folder).config)
    rows = cell_rows(records, axes)
    files = {tuple(map(str, at.values())): found["points"] for at, found in scalars(folder)}
    at_bigram = 0
    for row in rows:
        errors = {kind: point["max_error"] for kind, point in files[tuple(row["at"])].items()}
        assert row["max_error"] == max(errors.values())
        assert errors[row["error_at"]] == row["max_error"]
        at_bigram += row["error_at"] == "bigram"
    assert at_bigram  # the control: the unigram's alone would be another number
    heading = csv_text(rows, axes).splitlines()[0]
    assert "unigram_error,unigram_verdict,bigram_error,bigram_verdict" in heading


def test_every_setting_is_listed_once(folder: Path) -> None:
    text = shown(folder).text
    assert text.count("source.p 0.2, 0.8 (varied)") == 1
    assert len(re.findall(r"\bmodel\.tying\b", text)) == 1
    assert len(re.findall(r"\bmodel\.width\b", text)) == 1


def test_checks_that_follow_from_two_theorems_are_said_to_count_twice(folder: Path) -> None:
    records = records_of(folder)
    ids = [record.config.id for record in records]
    one = theorem(applies=ids, checks=[("unigram", "loss"), ("bigram", "loss")])
    two = theorem(id="two", applies=ids, checks=[("unigram", "loss")])
    assert repeats([one, two], records) == (16, 24)
    assert repeats([one], records) == (16, 16)
    assert "There are 16 such checks;" in shown(folder, one, two).text


def test_proofs_say_what_a_machine_did_not_check(folder: Path) -> None:
    step = theorem()["steps"][0]
    cited = theorem(steps=[step, step | {"kind": "lemma"}])
    sized = theorem(id="sized", statement="So it is. The machine differentiates at d = r = 1.")
    text = shown(folder, cited, sized).text
    assert "1 step by SymPy, 1 cited" in text and "1 step by SymPy, sizes stated" in text
    assert "1 step of 3 cite the literature, which no machine checked" in text
    assert with_sizes(registry.theorem("full-bigram").statement)
    assert not with_sizes(registry.theorem("entropies").statement)


def test_words_are_explained_as_far_as_the_scan_has_them(folder: Path, tmp_path: Path) -> None:
    text = shown(folder, theorem()).text
    for word in ("tied, untied", "ansatz", "degenerate", "odds of staying", "2402.04161"):
        assert word in text
    assert "LayerNorm" not in text
    gpt = config(model={"kind": "gpt", **MODEL})
    other = shown(ScanStore(tmp_path / "gpt").open_or_create(gpt, {}).path).text
    assert "LayerNorm" in other and "2402.04161" not in other


def test_without_a_script_the_map_is_a_table(folder: Path) -> None:
    planted(folder, lambda at, found: found.update(outcome=["unigram", "bigram"]))
    text = render(open_scan(folder), [], folder)
    tables = re.findall(r'<table class="static">.*?</table>', text, re.DOTALL)
    assert len(tables) == 2
    untied = next(table for table in tables if "tying = untied" in table)
    tied = next(table for table in tables if "tying = tied" in table)
    assert tied.count("<b>1/2</b>") == 2 and untied.count("<b>") == 0
    assert untied.count("<td>1/2</td>") == 3 and untied.count("\N{EN DASH}</td>") == 1
    assert "<noscript><style>.explorer" in text
