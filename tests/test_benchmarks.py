"""The benchmarks refuse to compare what is not the same, and report what was missed."""

from dataclasses import replace
from functools import partial

import pytest

from benchmarks import pair
from benchmarks.pair import Pair, measure
from benchmarks.report import page, row


def ours() -> float:
    return 0.5


def naive() -> float:
    return 1.0


SOUND = Pair(
    "a planted pair",
    ours=ours,
    naive=naive,
    difference=lambda: 1e-16,
    tolerance=1e-15,
    units=4,
    unit="planted unit",
    goal=7.5,
)


@pytest.fixture(autouse=True)
def calls_say_how_long_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on a clock: the seconds of a call are what it returns."""
    monkeypatch.setattr(pair, "_seconds", lambda call: call())


def test_ways_with_different_results_are_not_timed() -> None:
    assert measure(SOUND, 3).difference == 1e-16
    for wrong in (1e-3, float("nan")):
        with pytest.raises(RuntimeError, match="the two ways differ by"):
            measure(replace(SOUND, difference=partial(float, wrong)), 3)


def test_the_ratio_is_per_unit_of_work() -> None:
    """A call of ours does four units in half of the time of one: eight times as fast."""
    timing = measure(SOUND, 5)
    assert timing.ratios == (8.0,) * 5 and timing.ratio == 8 and not timing.missed
    assert (timing.ours, timing.naive) == (0.125, 1.0)
    one = measure(replace(SOUND, units=1), 5)
    assert one.ratio == 2 and one.missed


def test_a_missed_goal_is_reported_with_its_profile() -> None:
    met = measure(replace(SOUND, name="fast enough", units=1, goal=2), 3)
    missed = measure(replace(SOUND, name="too slow", units=1, goal=2.5), 3)
    text = page([met, missed], 3)
    assert "(missed)" in row(missed) and "(missed)" not in row(met)
    assert "### too slow" in text and "### fast enough" not in text
