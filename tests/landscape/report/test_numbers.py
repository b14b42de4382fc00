"""The numbers of a scan's page are those of the scan's files."""

import math
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, strategies as st

from landscape.comparison.checks import worst
from landscape.report.data.cell_file import Budget, changes, read_cell, rounded, spread, symmetric
from landscape.report.data.counting import groups, share_stuck
from landscape.report.data.theorems import held, scope_of
from landscape.report.text.summary import summarise
from landscape.store.reading import open_scan
from tests.landscape.report.small_scan import records_of, scalars, shown, theorem
from theory.statements.registry import theorems


def test_the_shares_are_those_counted_in_the_files(folder: Path) -> None:
    counted: dict[tuple[str, bool], list[int]] = {}
    for at, found in scalars(folder):
        total = round(10 * (float(at["source.p"]) + float(at["source.q"])))
        if total != 10:
            pair = counted.setdefault((at["model.tying"], total > 10), [0, 0])
            pair[0] += found["outcome"].count("unigram")
            pair[1] += len(found["outcome"])
    records = records_of(folder)
    settings = [record.config.model.tying for record in records]
    parts = groups(records, settings)
    shares = {(part.setting, part.side == "p + q > 1"): part.share for part in parts}
    assert {key: [share.stuck, share.runs] for key, share in shares.items()} == counted
    assert sum(runs for _, runs in counted.values()) == 12
    assert len(records) == 8  # two of them at p + q = 1, where nothing can be stuck


def test_the_limits_are_the_binomials_own(folder: Path) -> None:
    """Each limit is the probability at which the other tail of the binomial law is 2.5%."""
    record = next(r for r in records_of(folder) if r.stuck is not None)
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


def test_seeds_that_recur_in_every_cell_count_once(folder: Path) -> None:
    cells = [record for record in records_of(folder) if record.stuck is not None]
    one, all_of_them = share_stuck(cells[:1]), share_stuck(cells)
    assert one is not None and all_of_them is not None
    assert all_of_them.runs == len(cells) * one.runs
    assert all_of_them.independent == pytest.approx(one.independent)


def test_curves_and_surfaces_are_those_of_the_files(folder: Path) -> None:
    cell = open_scan(folder).cells[0]
    drawn = read_cell(open_scan(folder), cell, Budget(side=3, steps=4)).drawn

    def group(name: str) -> xr.Dataset:
        file = folder / "cells" / f"{cell.id}.nc"
        return xr.load_dataset(file, group=name, engine="h5netcdf")

    loss = group("training")["loss"].sel(step=drawn["training"]["step"]).values
    surface = group("slices/unigram")["loss"].values[::2, ::2]
    centre = group("slices/unigram").attrs["center_loss"]
    eigenvalues = group("spectrum/unigram")["eigenvalue"].values
    bound = float(group("spectrum/unigram")["zero_bound"])
    # Five significant digits of a curve, four of a surface.
    np.testing.assert_allclose(drawn["training"]["loss"], loss, rtol=5e-5)
    slice_loss = drawn["slices"]["unigram"]["loss"]
    np.testing.assert_allclose(slice_loss, surface, rtol=5e-4)
    assert slice_loss[1][1] == pytest.approx(centre, rel=5e-4)
    kept = eigenvalues[np.abs(eigenvalues) > bound]
    np.testing.assert_allclose(drawn["spectra"]["unigram"]["measured"], kept, rtol=5e-6)
    assert drawn["spectra"]["unigram"]["zeros"] == len(eigenvalues) - len(kept)
    with pytest.raises(AssertionError):  # the control: other nodes are other numbers
        np.testing.assert_allclose(slice_loss, np.roll(surface, 1, 0), rtol=5e-4)


def written(x: float) -> str:
    digits, power = f"{x:.1e}".split("e")
    superscript = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    times = "\N{NO-BREAK SPACE}\N{MULTIPLICATION SIGN}\N{NO-BREAK SPACE}"
    return f"{digits}{times}10{superscript}"


def test_the_summary_states_the_largest_error_and_the_verdicts(folder: Path) -> None:
    kinds = ("unigram", "bigram")
    points = [found["points"][kind] for _, found in scalars(folder) for kind in kinds]
    error = max(point["max_error"] for point in points)
    records = records_of(folder)
    sure = " ".join(summarise(records, [], [theorem(), theorem(proved=False)], 3).sure.sentences)
    assert f"Largest difference {written(error)}, at the " in sure
    # What it is held against is the tolerance of that very check.
    largest = max(
        (record.point(kind)["max_error"], check["tolerance"])
        for record in records
        for kind in kinds
        for check in record.checks[kind]
        if check["id"] == "spectrum"
    )
    assert f"; the check there allows {written(largest[1])}." in sure
    verified = sum(point["verdict"] == "verified" for point in points)
    assert f"{len(points)} spectra" in sure and f"{verified} verified" in sure
    assert "1 of 2 theorems" in sure
    assert "3 damaged cells set aside" in sure


def test_the_page_answers_which_why_and_how_sure(folder: Path) -> None:
    text = shown(folder, theorem()).text
    for question in ("Which get stuck?", "Why?", "How sure is that?"):
        assert question in text
    assert re.search(r"got stuck(, in any of| in \d+ of) 6 cells", text)
    assert "In 2 more cells the symbols are independent" in text
    assert "Theory calls it a local minimum in 2 cells" in text  # tied, p + q > 1
    assert "Theory calls it a saddle in 4 cells" in text


def test_a_check_that_follows_from_a_theorem_is_counted_for_it(folder: Path) -> None:
    records = records_of(folder)
    some = [record.config.id for record in records[:3]]
    follows = theorem(applies=some, checks=[("unigram", "loss"), ("bigram", "loss")])
    assert held(follows, records) == {"verified": 6}
    assert held(follows | {"kinds": ["gpt"]}, records) == {}
    tied = sum(record.config.model.tying == "tied" for record in records[:3])
    assert held(follows | {"tying": "tied"}, records) == {"verified": 2 * tied}
    records[0].checks["unigram"][0]["verdict"] = "refuted"
    assert worst(held(follows, records)) == "refuted"


def test_the_page_counts_for_a_theorem_the_checks_that_name_it(folder: Path) -> None:
    """Cells stored before checks named their theorems are counted by the same scope."""
    records = records_of(folder)
    checks = [check for record in records for kind in record.checks.values() for check in kind]
    named = Counter(name for check in checks for name in check["theorems"])
    for found in theorems():
        counted = held(scope_of(found, open_scan(folder).config), records)
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
