"""The page of a scan says what the scan's files say, and lets nothing else in or out."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
import xarray as xr
from click.testing import CliRunner
from hypothesis import given, strategies as st

from landscape.comparison.checks import worst
from landscape.config.scan import ScanConfig
from landscape.report import page, render, write_report
from landscape.report.data.axes import axes_of, words
from landscape.report.data.cell_file import Budget, CellRecord, read_cell
from landscape.report.data.counting import groups, share_stuck
from landscape.report.data.gather import for_script, read_records
from landscape.report.data.listing import cell_rows, csv_text
from landscape.report.data.theorems import held, repeats, scope_of
from landscape.report.data.thinning import changes, late_losses, rounded, spread, symmetric
from landscape.report.text.summary import Summary, summarise
from landscape.report.text.sure import fisher, with_sizes
from landscape.report.text.typeset import signs, typeset
from landscape.scanning.scan import scan
from landscape.store.scan_store import ScanStore
from theory import theorems
from theory.proving.steps import Identity
from theory.statements import registry

MODEL = {"width": 2, "length": 3}
NASTY = """"><script>alert(1)</script>'&"""


def theorem(**changes: Any) -> dict[str, Any]:
    step: dict[str, Any] = {
        "kind": "sign",
        "claim": "a claim",
        "where": "for w > 0",
        "mathml": "<math></math>",
    }
    step["same"] = False
    plain = {
        "id": "one",
        "title": "A theorem",
        "statement": "It is so.",
        "source": "this project",
        "hypotheses": ["p + q != 1"],
        "proved": True,
        "steps": [{**step, "accepted": True, "reason": ""}],
        "control": {**step, "refuted": True, "reason": "refuted: 0 at p = 1/2"},
        "applies": [],
        "kinds": [],
        "tying": None,
        "checks": [("unigram", "loss")],
    }
    return plain | changes


def config(**changes: Any) -> ScanConfig:
    settings: dict[str, Any] = {
        "name": "small",
        "model": MODEL,
        "train": {"steps": 12, "seeds": 2},
        "measure": {"points": ["unigram", "bigram"], "slice": {"resolution": 5}},
        "axes": {
            "source.p": ["0.2", "0.8"],
            "source.q": ["0.2", "0.9"],
            "model.tying": ["tied", "untied"],
        },
    }
    return ScanConfig(**{**settings, **changes})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan of both sides of p + q = 1, and of the line."""
    return scan(config(), out=tmp_path_factory.mktemp("report") / "scan").path


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> ScanStore:
    """A copy that may be damaged."""
    return ScanStore(shutil.copytree(made, tmp_path / "scan"))


class Elements(HTMLParser):
    """What a browser makes of a page: elements with their attributes, and the text of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.starts: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.starts.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside = tag
            self.scripts += [""] * (tag == "script")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif not self._inside:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def data(self) -> dict[str, Any]:
        def refuse(name: str) -> None:
            raise AssertionError(f"{name} is not JSON")

        found: dict[str, Any] = json.loads(self.scripts[0], parse_constant=refuse)
        return found


def shown(store: ScanStore, *theorems: dict[str, Any]) -> Elements:
    return Elements(render(store, theorems, store.path))


def scalars(store: ScanStore) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Coordinates and scalars of each cell, read from its JSON alone."""
    for path in sorted((store.path / "cells").glob("*.json")):
        record = json.loads(path.read_text("utf-8"))
        yield record["coordinates"], record["scalars"]


# --- the numbers ---------------------------------------------------------------------------------


def test_the_shares_are_those_counted_in_the_files(folder: ScanStore) -> None:
    counted: dict[tuple[str, bool], list[int]] = {}
    for at, found in scalars(folder):
        total = round(10 * (float(at["source.p"]) + float(at["source.q"])))
        if total != 10:
            pair = counted.setdefault((at["model.tying"], total > 10), [0, 0])
            pair[0] += found["outcome"].count("unigram")
            pair[1] += len(found["outcome"])
    records = read_records(folder)
    settings = [record.config.model.tying for record in records]
    parts = groups(records, settings)
    found_shares = {
        (part.setting, part.side == "p + q > 1"): [part.share.stuck, part.share.runs]
        for part in parts
    }
    assert found_shares == counted
    assert sum(runs for _, runs in counted.values()) == 12
    assert len(records) == 8  # two of them at p + q = 1, where nothing can be stuck


def test_the_limits_are_the_binomials_own(folder: ScanStore) -> None:
    """Each limit is the probability at which the other tail of the binomial law is 2.5%."""
    record = next(r for r in read_records(folder) if r.stuck is not None)
    share = share_stuck([record])
    assert share is not None

    def tail(p: float, at_least: int, n: int) -> float:
        return sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(at_least, n + 1))

    k, n = share.stuck, share.runs
    assert share.independent == n == 2
    if k:
        assert tail(share.low, k, n) == pytest.approx(0.025, rel=1e-9)
    if k < n:
        assert 1 - tail(share.high, k + 1, n) == pytest.approx(0.025, rel=1e-9)


def test_seeds_that_recur_in_every_cell_count_once(folder: ScanStore) -> None:
    cells = [record for record in read_records(folder) if record.stuck is not None]
    one, all_of_them = share_stuck(cells[:1]), share_stuck(cells)
    assert one is not None and all_of_them is not None
    assert all_of_them.runs == len(cells) * one.runs
    assert all_of_them.independent == pytest.approx(one.independent)


def test_curves_and_surfaces_are_those_of_the_files(folder: ScanStore) -> None:
    cell = folder.config().cells()[0]
    drawn = read_cell(folder, cell, Budget(side=3, steps=4)).drawn

    def group(name: str) -> xr.Dataset:
        file = folder.path / "cells" / f"{cell.id}.nc"
        return xr.load_dataset(file, group=name, engine="h5netcdf")

    loss = group("training")["loss"].sel(step=drawn["training"]["step"]).values
    surface = group("slices/unigram")["loss"].values[::2, ::2]
    centre = group("slices/unigram").attrs["center_loss"]
    eigenvalues = group("spectrum/unigram")["eigenvalue"].values
    bound = float(group("spectrum/unigram")["zero_bound"])
    # Five significant digits of a curve, four of a surface.
    np.testing.assert_allclose(drawn["training"]["loss"], loss, rtol=5e-5)
    np.testing.assert_allclose(drawn["slices"]["unigram"]["loss"], surface, rtol=5e-4)
    assert drawn["slices"]["unigram"]["loss"][1][1] == pytest.approx(centre, rel=5e-4)
    kept = eigenvalues[np.abs(eigenvalues) > bound]
    np.testing.assert_allclose(drawn["spectra"]["unigram"]["measured"], kept, rtol=5e-6)
    assert drawn["spectra"]["unigram"]["zeros"] == len(eigenvalues) - len(kept)
    with pytest.raises(AssertionError):  # the control: other nodes are other numbers
        np.testing.assert_allclose(
            drawn["slices"]["unigram"]["loss"], np.roll(surface, 1, 0), rtol=5e-4
        )


def test_the_summary_states_the_largest_error_and_the_verdicts(folder: ScanStore) -> None:
    points = [
        found["points"][kind] for _, found in scalars(folder) for kind in ("unigram", "bigram")
    ]
    error = max(point["max_error"] for point in points)
    records = read_records(folder)
    sure = " ".join(summarise(records, [], [theorem(), theorem(proved=False)], 3).sure.sentences)
    digits, power = f"{error:.1e}".split("e")
    superscript = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    times = "\N{NO-BREAK SPACE}\N{MULTIPLICATION SIGN}\N{NO-BREAK SPACE}"
    assert f"Largest difference {digits}{times}10{superscript}, at the " in sure
    # What it is held against is the tolerance of that very check.
    largest = max(
        (record.point(kind)["max_error"], check["tolerance"])
        for record in records
        for kind in ("unigram", "bigram")
        for check in record.checks[kind]
        if check["id"] == "spectrum"
    )
    digits, power = f"{largest[1]:.1e}".split("e")
    superscript = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    assert f"; the check there allows {digits}{times}10{superscript}." in sure
    verified = sum(point["verdict"] == "verified" for point in points)
    assert f"{len(points)} spectra" in sure and f"{verified} verified" in sure
    assert "1 of 2 theorems" in sure
    assert "3 damaged cells set aside" in sure


def test_the_page_answers_which_why_and_how_sure(folder: ScanStore) -> None:
    text = shown(folder, theorem()).text
    for question in ("Which get stuck?", "Why?", "How sure is that?"):
        assert question in text
    assert re.search(r"got stuck(, in any of| in \d+ of) 6 cells", text)
    assert "In 2 more cells the symbols are independent" in text
    assert "Theory calls it a local minimum in 2 cells" in text  # tied, p + q > 1
    assert "Theory calls it a saddle in 4 cells" in text


def test_a_check_that_follows_from_a_theorem_is_counted_for_it(folder: ScanStore) -> None:
    records = read_records(folder)
    some = [record.config.id for record in records[:3]]
    follows = theorem(applies=some, checks=[("unigram", "loss"), ("bigram", "loss")])
    assert held(follows, records) == {"verified": 6}
    assert held(follows | {"kinds": ["gpt"]}, records) == {}
    tied = sum(record.config.model.tying == "tied" for record in records[:3])
    assert held(follows | {"tying": "tied"}, records) == {"verified": 2 * tied}
    records[0].checks["unigram"][0]["verdict"] = "refuted"
    assert worst(held(follows, records)) == "refuted"


def test_the_page_counts_for_a_theorem_the_checks_that_name_it(folder: ScanStore) -> None:
    """Cells stored before checks named their theorems are counted by the same scope."""
    records = read_records(folder)
    checks = [check for record in records for kind in record.checks.values() for check in kind]
    named = Counter(name for check in checks for name in check["theorems"])
    for found in theorems():
        counted = held(scope_of(found, folder.config()), records)
        assert sum(counted.values()) == named[found.id]
    assert named["tied-condition"] > 0 and named["untied-unigram"] > 0  # of cells of both kinds
    assert named["bigram-spectrum"] == 0  # the control: none is of the reduced model


@given(count=st.integers(1, 200), most=st.integers(3, 60))
def test_thinning_keeps_ends_and_the_middle(count: int, most: int) -> None:
    kept = symmetric(count, most).tolist()
    assert {0, (count - 1) // 2, count - 1} <= set(kept) or count % 2 == 0
    assert kept == sorted(set(kept)) and kept[0] == 0 and kept[-1] == count - 1
    assert len(kept) <= most + 2
    even = spread(count, most)
    assert len(even) == min(count, most) and even[0] == 0 and even[-1] == count - 1


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=30))
def test_a_stair_is_whole_from_its_changes(values: list[float]) -> None:
    row = np.array(values)
    kept = changes(row)
    again = row[kept][np.searchsorted(kept, np.arange(len(row)), side="right") - 1]
    np.testing.assert_array_equal(again, row)


def test_numbers_that_are_not_finite_become_null() -> None:
    assert [rounded(value) for value in (math.nan, math.inf, -0.123456)] == [None, None, -0.12346]


# --- the reasons, and how sure they are ----------------------------------------------------------


def planted(store: ScanStore, plant: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    """Change the scalars of each cell, given its coordinates."""
    for path in (store.path / "cells").glob("*.json"):
        record = json.loads(path.read_text("utf-8"))
        plant(record["coordinates"], record["scalars"])
        path.write_text(json.dumps(record), "utf-8")


def answers(store: ScanStore, *theorems: dict[str, Any]) -> Summary:
    records = read_records(store)
    axes = axes_of(store.config())
    parts = groups(records, [words(record.config, axes, plane=False) for record in records])
    return summarise(records, parts, theorems, 0)


def minimum(at: dict[str, Any]) -> bool:
    """Where the unigram is a local minimum: tied, p + q > 1 (*Attention with Markov*)."""
    return bool(at["model.tying"] == "tied" and float(at["source.p"]) + float(at["source.q"]) > 1)


def end(downhill: bool = False, word: str = "negative curvature", **changes: Any) -> dict[str, Any]:
    """What is kept of the end of a run."""
    plain = {
        "loss": 0.6,
        "inertia": [1, 0, 1],
        "classification": word,
        "lowest": -0.25,
        "gradient_norm": 0.5,
        "predicted_unigram_inertia": [int(downhill), 2, 3],
    }
    return plain | changes


def test_runs_that_leave_a_minimum_are_counted_by_where_they_end(folder: ScanStore) -> None:
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


def test_the_way_out_is_claimed_where_it_is_proved(folder: ScanStore) -> None:
    valley = theorem(id="valley", title="The valley")
    radius = theorem(id="escape-radius", title="The escape radius")
    records = read_records(folder)

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


def test_the_floor_under_stuck_runs_is_counted_apart_from_that_of_others(folder: ScanStore) -> None:
    def plant(at: dict[str, Any], found: dict[str, Any]) -> None:
        found["outcome"] = ["unigram", "bigram" if at["source.p"] == "0.2" else "unigram"]
        runs = [end(at["source.p"] == "0.8", seed=0), end(at["source.p"] == "0.2", seed=1)]
        found["points"]["trained"] = {"runs": runs}

    assert "theory sees a way down" not in " ".join(answers(folder).why.sentences)
    planted(folder, plant)
    said = " ".join(answers(folder).why.sentences)
    assert "a way down from the unigram for 1 of 3 stuck runs and for 1 of the 1 others." in said


def test_the_unigram_is_said_to_be_a_set_with_both_types(folder: ScanStore) -> None:
    condition = theorem(id="tied-condition", title="The tied unigram point at any weights")
    said = " ".join(answers(folder, condition).why.further)
    assert "all other weights are 0, as measured here" in said
    assert "decided by the signs of a matrix M" in said
    assert "matrix M" not in " ".join(answers(folder).why.further)


def test_the_count_is_given_at_other_cuts_and_at_half_time(folder: ScanStore) -> None:
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
    for cell in folder.config().cells():
        record = json.loads((folder.path / "cells" / f"{cell.id}.json").read_text("utf-8"))
        found = record["scalars"]
        gap = found["unigram_loss"] - found["bigram_loss"]
        if not cell.source.degenerate:
            for share in counted:
                near = (abs(x - found["unigram_loss"]) < share * gap for x in found["final_loss"])
                counted[share] += sum(near)
            file = folder.path / "cells" / f"{cell.id}.nc"
            loss = xr.load_dataset(file, group="training", engine="h5netcdf")["loss"]
            middle = loss.sel(step=6, method="pad").values
            half += int((np.abs(middle - found["unigram_loss"]) < 0.1 * gap).sum())
    assert counted == {0.05: 3, 0.1: 6, 0.2: 9}
    said = " ".join(answers(folder).sure.further)
    assert "Within 10% of the gap" in said and "at the end: 6 runs; within 5%: 3;" in said
    assert f"within 20%: 9; within 10% after half of the steps: {half}." in said


def test_a_run_that_falls_at_the_end_is_marked(folder: ScanStore) -> None:
    step, loss = np.arange(0, 101, 5), np.full((2, 21), 0.6)
    loss[0, -2:] = 0.5  # falls after step 90, the last one before the last tenth
    loss[1, 10:] = 0.5  # falls at step 50
    assert late_losses(step, loss) == {"half": [0.6, 0.5], "late": [0.6, 0.5]}
    for record in read_records(folder):
        record.late["late"][:] = [1.0, record.scalars["final_loss"][1]]
        marks = [run["falls"] for run in for_script_of(folder, record)]
        assert marks == [not record.config.source.degenerate, False]


def for_script_of(store: ScanStore, record: CellRecord) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = for_script(store, [record])["cells"][0]["runs"]
    return runs


def test_the_ends_of_stuck_runs_are_split_with_their_numbers(folder: ScanStore) -> None:
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
    run = for_script(folder, read_records(folder))["cells"][0]["runs"][0]
    assert (run["lowest"], run["slope"], run["downhill"]) == (-0.25, 0.5, False)


def test_what_would_refute_is_said_and_what_is_refuted_counted(folder: ScanStore) -> None:
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
    axes = {"source.p": ["0.3", "0.9"], "source.q": ["0.3", "0.9"]}
    changes = {"axes": axes, "measure": {"points": ["unigram"]}}
    store = ScanStore(scan(config(**changes), out=tmp_path).path)
    planted(store, lambda at, found: found.update(outcome=["unigram"] * 2))
    assert "mirror" not in " ".join(answers(store).sure.further)

    def plant(at: dict[str, Any], found: dict[str, Any]) -> None:
        if (at["source.p"], at["source.q"]) == ("0.3", "0.9"):
            found["outcome"] = ["bigram"] * 2

    planted(store, plant)
    said = " ".join(answers(store).sure.further)
    assert "in 1 of 1 pairs not as many runs got stuck: (0.3, 0.9) 0 of 2 against" in said
    assert "(0.9, 0.3) 2 of 2 (Fisher's exact test: 0.33)" in said


def test_where_none_is_stuck_the_limits_stand_beside(folder: ScanStore) -> None:
    """With no success in n runs the upper limit is 1 - 0.025^(1/n), n = 2 seeds."""
    planted(folder, lambda at, found: found.update(outcome=["bigram"] * 2))
    said = " ".join(answers(folder).which.sentences)
    assert f"95% limits 0% to {100 * (1 - 0.025**0.5):.0f}%" in said
    text = shown(folder).text
    assert "Counted as" in text and "0 of 2" in text


def test_a_row_has_the_larger_of_both_errors_and_the_file_both(folder: ScanStore) -> None:
    records, axes = read_records(folder), axes_of(folder.config())
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


def test_every_setting_is_listed_once(folder: ScanStore) -> None:
    text = shown(folder).text
    assert text.count("source.p 0.2, 0.8 (varied)") == 1
    assert len(re.findall(r"\bmodel\.tying\b", text)) == 1
    assert len(re.findall(r"\bmodel\.width\b", text)) == 1


def test_checks_that_follow_from_two_theorems_are_said_to_count_twice(folder: ScanStore) -> None:
    records = read_records(folder)
    ids = [record.config.id for record in records]
    one = theorem(applies=ids, checks=[("unigram", "loss"), ("bigram", "loss")])
    two = theorem(id="two", applies=ids, checks=[("unigram", "loss")])
    assert repeats([one, two], records) == (16, 24)
    assert repeats([one], records) == (16, 16)
    assert "There are 16 such checks;" in shown(folder, one, two).text


def test_proofs_say_what_a_machine_did_not_check(folder: ScanStore) -> None:
    step = theorem()["steps"][0]
    cited = theorem(steps=[step, step | {"kind": "lemma"}])
    sized = theorem(id="sized", statement="So it is. The machine differentiates at d = r = 1.")
    text = shown(folder, cited, sized).text
    assert "1 step by SymPy, 1 cited" in text and "1 step by SymPy, sizes stated" in text
    assert "1 step of 3 cite the literature, which no machine checked" in text
    assert with_sizes(registry.theorem("full-bigram").statement)
    assert not with_sizes(registry.theorem("entropies").statement)


def test_words_are_explained_as_far_as_the_scan_has_them(folder: ScanStore, tmp_path: Path) -> None:
    text = shown(folder, theorem()).text
    for word in ("tied, untied", "ansatz", "degenerate", "odds of staying", "2402.04161"):
        assert word in text
    assert "LayerNorm" not in text
    gpt = config(model={"kind": "gpt", **MODEL})
    other = shown(ScanStore(tmp_path / "gpt").open_or_create(gpt, {})).text
    assert "LayerNorm" in other and "2402.04161" not in other


def test_without_a_script_the_map_is_a_table(folder: ScanStore) -> None:
    planted(folder, lambda at, found: found.update(outcome=["unigram", "bigram"]))
    text = render(folder, [], folder.path)
    tables = re.findall(r'<table class="static">.*?</table>', text, re.DOTALL)
    assert len(tables) == 2
    untied = next(table for table in tables if "tying = untied" in table)
    tied = next(table for table in tables if "tying = tied" in table)
    assert tied.count("<b>1/2</b>") == 2 and untied.count("<b>") == 0
    assert untied.count("<td>1/2</td>") == 3 and untied.count("\N{EN DASH}</td>") == 1
    assert "<noscript><style>.explorer" in text


# --- nothing gets in, nothing goes out -----------------------------------------------------------


def test_the_page_loads_nothing(folder: ScanStore) -> None:
    elements = shown(folder, theorem())
    for tag, attributes in elements.starts:
        assert "src" not in attributes and "srcset" not in attributes
        if tag == "link":
            assert attributes["href"] == "data:,"
        elif "href" in attributes:
            assert re.match(r"#|\./|data:text/csv", attributes["href"] or "")
    policy = next(a for _, a in elements.starts if a.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in (policy["content"] or "").split(";"))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in rules["script-src"]
    # The browser runs only what has one of these hashes: the two scripts as they stand here.
    digests = [hashlib.sha256(text.encode()).digest() for text in elements.scripts[1:]]
    assert rules["script-src"].split() == [
        f"'sha256-{base64.b64encode(digest).decode()}'" for digest in reversed(digests)
    ]


def nasty_copy(made: Path, tmp_path: Path) -> ScanStore:
    """A scan in a folder with a name, and with versions, that would like to be a script."""
    store = ScanStore(shutil.copytree(made, tmp_path / NASTY.replace("/", "\u2044")))
    manifest = store.path / "scan.json"
    description = json.loads(manifest.read_text("utf-8"))
    description["versions"][NASTY] = NASTY
    description["created_at"] = NASTY
    manifest.write_text(json.dumps(description), "utf-8")
    cell = store.config().cells()[0]
    record = store.path / "cells" / f"{cell.id}.json"
    content = json.loads(record.read_text("utf-8"))
    content["scalars"]["points"]["bigram"]["reason"] = NASTY
    content["created_at"] = NASTY
    record.write_text(json.dumps(content), "utf-8")
    return store


def test_no_text_of_a_user_becomes_markup(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = nasty_copy(made, tmp_path)
    proof = theorem(title=NASTY, statement=NASTY, source=NASTY, hypotheses=[NASTY])
    elements = shown(store, proof)
    names = [tag for tag, _ in elements.starts]
    assert names.count("script") == 3
    assert NASTY in elements.text
    assert any(c["points"]["bigram"]["reason"] == NASTY for c in elements.data["cells"][:1])
    assert not any("alert" in (value or "") for _, a in elements.starts for value in a.values())
    # The control: the same page of a template that does not escape has more scripts.
    careless = page._environment()
    careless.autoescape = False
    monkeypatch.setattr(page, "_environment", lambda: careless)
    assert [tag for tag, _ in shown(store, proof).starts].count("script") > 3


def test_the_data_is_strict_json_even_where_a_loss_is_not_finite(folder: ScanStore) -> None:
    for path in (folder.path / "cells").glob("*.json"):
        record = json.loads(path.read_text("utf-8"))
        record["scalars"]["final_loss"][0] = None
        path.write_text(json.dumps(record), "utf-8")
    elements = shown(folder, theorem())
    assert all(cell["stuck"] is None for cell in elements.data["cells"])
    assert "Left out: 8 runs whose loss is not finite" in elements.text


@given(st.text(alphabet="<>&\"'-^_{}abipq12 sqrt/=!", max_size=40))
def test_typesetting_lets_no_markup_through(text: str) -> None:
    made = Elements(str(typeset(text)))
    assert {tag for tag, _ in made.starts} <= {"sub"}
    assert all(not attributes for _, attributes in made.starts)
    careless = Elements(signs("<b title=1 >"))  # the control: not escaped
    assert [tag for tag, _ in careless.starts] == ["b"]
    assert Elements(str(typeset("<b title=1 >"))).starts == []


def test_statements_are_set_in_signs() -> None:
    for plain, sign in (
        ("p + q != 1, w <= -1/sqrt2", "p + q ≠ 1, w ≤ \N{MINUS SIGN}1/√2"),
        ("2 pi0 pi1 (p+q-1) e^2", "2 π₀ π₁ (p+q\N{MINUS SIGN}1) e²"),
        ("<z z^T - sum_{i <= n} J>", "⟨z zᵀ \N{MINUS SIGN} sum_{i ≤ n} J⟩"),
        ("a rank-one, single-layer, order-2 chain, e > 0 < p", None),
        ("theorem degenerate-lines, 0 < p < 1 and q > 0", None),
    ):
        assert signs(plain) == (plain if sign is None else sign)


# --- scans of every kind -------------------------------------------------------------------------


def test_missing_and_damaged_cells_are_said_and_left_alone(folder: ScanStore) -> None:
    first, second, third, *_ = folder.config().cells()
    (folder.path / "cells" / f"{first.id}.json").unlink()
    results = folder.path / "cells" / f"{second.id}.nc"
    content = bytearray(results.read_bytes())
    content[len(content) // 2] ^= 1
    results.write_bytes(content)
    (folder.path / "cells" / f"{third.id}.json").write_text("{")
    (folder.path / "quarantine" / f"{third.id}-1").mkdir(parents=True)
    before = sorted(folder.path.rglob("*"))
    elements = shown(folder, theorem())
    assert sorted(folder.path.rglob("*")) == before
    states = [cell["state"] for cell in elements.data["cells"]]
    assert states[:4] == ["missing", "damaged", "damaged", "done"]
    assert "1 of 8 cells have no result yet" in elements.text
    assert "2 of 8 cells cannot be read" in elements.text
    assert "1 damaged cell set aside" in elements.text
    assert "5 of 8 cells" in elements.text


def test_a_scan_that_has_not_begun_has_a_page(tmp_path: Path) -> None:
    store = ScanStore(tmp_path).open_or_create(config(), {})
    elements = shown(store)
    assert "No cell is finished" in elements.text
    assert {cell["state"] for cell in elements.data["cells"]} == {"missing"}


OTHER: dict[str, dict[str, Any]] = {
    "one cell, nothing measured": {
        "source": {"p": "0.5", "q": "0.8"},
        "measure": {"points": []},
        "axes": {},
    },
    "no slices": {
        "source": {"p": "0.5", "q": "0.8"},
        "measure": {"points": ["unigram"], "slice": None},
        "axes": {"model.width": [2, 3], "train.lr": [1e-3, 1e-2]},
    },
    "three symbols": {
        "source": {"kind": "switching", "states": 3, "p": "0.4"},
        "model": {"kind": "gpt", **MODEL},
        "measure": {"points": ["unigram"]},
        "axes": {"source.p": ["0.4", "0.5"]},
    },
}


@pytest.mark.parametrize("changes", OTHER.values(), ids=[*OTHER])
def test_other_scans_are_chosen_by_their_axes(tmp_path: Path, changes: dict[str, Any]) -> None:
    train = {"steps": 3, "seeds": 1}
    result = scan(config(**{"train": train, **changes}), out=tmp_path)
    assert not result.failed
    store = ScanStore(tmp_path)
    data = shown(store, theorem()).data
    assert data["plane"] is False
    assert [axis["name"] for axis in data["axes"]] == [*changes["axes"]]
    measured = changes["measure"]["points"]
    assert all([*cell["points"]] == measured for cell in data["cells"])
    if changes["measure"].get("slice", 0) is None or not measured:
        assert all(cell["slices"] == {} for cell in data["cells"])
    assert ("after a 0 comes a 1" in shown(store).text) is ("kind" not in changes["source"])


def test_the_cell_shown_first_is_stuck_if_any_is(folder: ScanStore) -> None:
    data = for_script(folder, read_records(folder))
    shares = [c["stuck"][0] / c["stuck"][1] if c["stuck"] else -1 for c in data["cells"]]
    assert shares[data["first"]] == max(shares)


# --- the command ---------------------------------------------------------------------------------


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
    folder: ScanStore, command: Callable[..., tuple[int, str, str]]
) -> None:
    before = set(folder.path.rglob("*"))
    code, out, _ = command(str(folder.path), "--json")
    record = json.loads(out)
    report = folder.path / "report.html"
    assert code == 0
    assert set(folder.path.rglob("*")) - before == {report}
    assert record["report"] == str(report)
    assert record["bytes"] == report.stat().st_size
    assert (record["cells"], record["done"]) == (8, 8)
    assert (record["theorems"], record["proved"]) == (1, 1)
    assert command(str(folder.path))[1] == f"Report    {report}\n"


def test_links_lead_to_the_scan_from_wherever_the_page_is(
    folder: ScanStore, tmp_path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    (folder.path / "phase diagram.png").touch()
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "page.html"
    command(str(folder.path), "--out", str(target))
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
    folder: ScanStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_report(folder, [theorem()])
    before = path.read_bytes()

    def full(name: Path, text: str) -> None:
        (name.parent / name.name).touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("landscape.store.atomic.flush", lambda name: full(name, ""))
    with pytest.raises(OSError, match="No space left"):
        write_report(folder, [theorem(title="another")])
    assert path.read_bytes() == before
    assert [p.name for p in folder.path.glob(".*.partial")] == []


def test_a_theorem_comes_with_its_proof_in_mathml(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from landscape.report.data import theorems as report_theorems
    from theory.statements import registry

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
