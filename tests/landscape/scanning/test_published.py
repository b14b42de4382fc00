"""The published experiments at their quick size against what is expected of them; some minutes."""

from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from landscape.scanning.presets import load, names
from landscape.scanning.presets.expectation import Expectation, Finding, compare_with
from landscape.scanning.scan import scan
from landscape.store.reading import StoredScan

pytestmark = pytest.mark.slow


@lru_cache
def run_of(name: str) -> StoredScan:
    return scan(load(name).config("quick"), out=Path(mkdtemp()) / name).store


def finding(name: str, expectation: Expectation) -> Finding:
    return compare_with(expectation, run_of(name))


@pytest.mark.parametrize("name", names())
def test_the_quick_run_is_as_expected(name: str) -> None:
    found = [finding(name, expectation) for expectation in load(name).expected("quick")]
    assert {f.verdict for f in found} <= {"as expected", "recorded"}, [
        (f.expectation.what, f.value) for f in found if f.verdict not in ("as expected", "recorded")
    ]
    # a preset that only records would say nothing
    assert any(f.verdict == "as expected" for f in found)


@pytest.mark.parametrize(
    ("name", "axis", "one", "other"),
    [
        ("no-attention", "model.tying", "tied", "untied"),
        ("basin", "model.init", "standard", "basin"),
        ("in-context", "model.layers", 1, 2),
        ("lag-2", "model.window", 2, 128),
    ],
)
def test_what_is_expected_of_one_cell_is_refuted_by_another(
    name: str, axis: str, one: str | int, other: str | int
) -> None:
    """The control: the same bounds, held against the cell on the other side of the claim."""
    ends = [
        e for e in load(name).expected("quick")
        if e.quantity == "loss" and e.at is None and e.select.get(axis) in (one, other)
    ]  # fmt: skip
    assert len(ends) == 2
    for expectation in ends:
        swapped = other if expectation.select[axis] == one else one
        wrong = expectation.model_copy(update={"select": {**expectation.select, axis: swapped}})
        assert finding(name, wrong).verdict == "differs"
