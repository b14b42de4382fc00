"""The curve is the count, and its limits cover what they say, by enumeration of all outcomes."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import CensoredData, ecdf

from landscape.errors import ConfigError
from landscape.numerics.binomial import clopper_pearson
from landscape.scanning.scan import scan
from landscape.scanning.survival import pooled_curve, read_runs, survival_by
from landscape.store.reading import open_scan
from landscape.training.survival import SurvivalCurve, lost_steps, survival_curve
from tests.planted.scans import planted_runs, scan_of_runs

# A binomial tail is a sum of at most 41 terms of round-off 1e-16 each.
ROUNDING = 1e-12
Limits = tuple[np.ndarray, np.ndarray]
GRID = np.linspace(0.001, 0.999, 999)


def law_of(*runs: Sequence[float] | np.ndarray) -> np.ndarray:
    """The law of a sum of independent counts, each given by its own law: enumeration."""
    law = np.ones(1)
    for single in runs:
        law = np.convolve(law, single)
    return law


def errors(limits: Limits, truth: float, law: np.ndarray) -> tuple[float, float]:
    """The chances that the lower limit is above the truth, and the upper one below it."""
    low, high = limits
    return float(law[low > truth].sum()), float(law[high < truth].sum())


def binomial_errors(limits: Limits, runs: int) -> tuple[float, float]:
    """The worst of either chance over the probabilities of the grid, for independent runs."""
    pairs = [errors(limits, p, law_of(*[[1 - p, p]] * runs)) for p in GRID]
    below, above = np.array(pairs).max(axis=0)
    return float(below), float(above)


def wald(runs: int) -> Limits:
    share = np.arange(runs + 1) / runs
    half = 1.959964 * np.sqrt(share * (1 - share) / runs)
    return share - half, share + half


def wilson(runs: int) -> Limits:
    share, z = np.arange(runs + 1) / runs, 1.959964
    half = z * np.sqrt(share * (1 - share) / runs + z**2 / (4 * runs**2))
    middle = share + z**2 / (2 * runs)
    return (middle - half) / (1 + z**2 / runs), (middle + half) / (1 + z**2 / runs)


@pytest.mark.parametrize("runs", [1, 4, 7, 16, 40])
def test_either_limit_errs_in_at_most_a_fortieth_of_all_outcomes(runs: int) -> None:
    limits = clopper_pearson(np.arange(runs + 1), runs)
    assert max(binomial_errors(limits, runs)) <= 0.025 + ROUNDING
    # The controls: limits of 90%, those of Wald, and those of Wilson are caught.
    assert max(
        binomial_errors(clopper_pearson(np.arange(runs + 1), runs, confidence=0.9), runs)
    ) > (0.025 + ROUNDING)
    assert max(binomial_errors(wald(runs), runs)) > 0.3
    assert max(binomial_errors(wilson(runs), runs)) > 0.1


@pytest.mark.parametrize(("count", "trials"), [(1, 4), (4, 4), (3, 16), (39, 40)])
def test_at_its_limits_a_count_has_a_chance_of_exactly_a_fortieth(count: int, trials: int) -> None:
    def tail(p: float, counts: range) -> float:
        return sum(math.comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in counts)

    (low,), (high,) = clopper_pearson(np.array([count]), trials)
    assert abs(tail(low, range(count, trials + 1)) - 0.025) < ROUNDING
    if count < trials:
        assert abs(tail(high, range(count + 1)) - 0.025) < ROUNDING
    else:
        assert high == 1
    # The control: a limit off by a thousandth has another chance.
    assert abs(tail(low + 1e-3, range(count, trials + 1)) - 0.025) > 1e-6


def limits_of(counts: int, seeds: Sequence[int]) -> Limits:
    """The limits of a survival curve for each number of runs still above."""
    runs = len(seeds)
    curves = [
        survival_curve(np.array([0]), [None] * k + [0] * (runs - k), seeds=seeds)
        for k in range(counts)
    ]
    return np.array([c.low[0] for c in curves]), np.array([c.high[0] for c in curves])


def test_the_limits_cover_the_average_over_cells_however_the_cells_differ() -> None:
    generator = np.random.default_rng(3)
    limits = limits_of(13, range(12))
    worst = one_cell = 0.0
    for _ in range(300):
        cells = generator.beta(0.3, 0.3, size=3)  # mostly near 0 and 1
        law = law_of(*[[1 - p, p] for p in cells for _ in range(4)])
        worst = max(worst, *errors(limits, cells.mean(), law))
        one_cell = max(one_cell, *errors(limits, cells[0], law))
    assert worst <= 0.025 + ROUNDING
    # The control: they are for the average, not for any cell of it.
    assert one_cell > 0.5


@pytest.mark.parametrize("alike", [0.0, 0.5, 1.0])
def test_the_limits_cover_where_runs_of_one_seed_escape_together(alike: float) -> None:
    # Two cells of the same six seeds: both runs of a seed are above with chance p, or they differ.
    seeds = [*range(6)] * 2
    honest, naive = limits_of(13, seeds), limits_of(13, range(12))
    honest_errors, naive_errors = [], []
    for p in GRID[::10]:
        differ = (1 - alike) * 2 * min(p, 1 - p)
        law = law_of(*[[1 - p - differ / 2, differ, p - differ / 2]] * 6)
        honest_errors.append(max(errors(honest, p, law)))
        naive_errors.append(max(errors(naive, p, law)))
    assert max(honest_errors) <= 0.025 + ROUNDING
    # The control: where they do escape together, to count all runs as independent is caught.
    if alike == 1.0:
        assert max(naive_errors) > 0.05


@pytest.mark.parametrize(
    ("seeds", "independent"),
    [([0, 1, 2, 3], 4), ([0, 1, 0, 1], 2), ([7, 7, 7], 1), ([0, 0, 0, 1], 1.6)],
)
def test_runs_of_one_seed_count_once(seeds: list[int], independent: float) -> None:
    curve = survival_curve(np.array([0, 1]), [None] * len(seeds), seeds=seeds)
    assert curve.independent == independent
    # Nobody escaped: the limit solves low^n* = 1/40.
    assert abs(curve.low[1] - 0.025 ** (1 / independent)) < ROUNDING


TIMES = np.array([0, 10, 20, 25])


def test_the_curve_drops_at_each_escape_and_nowhere_else() -> None:
    curve = survival_curve(TIMES, [10, None, 25, 10, None])
    assert curve.above.tolist() == [5, 3, 3, 2]
    assert curve.escaped.tolist() == [0, 2, 2, 3]
    assert curve.share.tolist() == [1.0, 0.6, 0.6, 0.4]
    assert survival_curve(TIMES, [0, None]).share.tolist() == [0.5] * 4  # it began below
    # The control: an escape one evaluation later is another curve.
    assert survival_curve(TIMES, [20, None, 25, 10, None]).above.tolist() == [5, 4, 3, 2]


def test_a_run_that_comes_back_above_has_escaped() -> None:
    # First passage: at step 20 both runs are above the level 0.5, and one has been below it.
    loss = np.array([[0.7, 0.4, 0.7, 0.7], [0.7, 0.7, 0.7, 0.7]])
    first = [int(TIMES[np.argmax(run < 0.5)]) if (run < 0.5).any() else None for run in loss]
    curve = survival_curve(TIMES, first)
    assert curve.above.tolist() == [2, 1, 1, 1]
    assert (loss >= 0.5).sum(axis=0).tolist() == [2, 1, 2, 2]


def test_without_lost_runs_it_is_the_kaplan_meier_curve_of_another_library() -> None:
    generator = np.random.default_rng(0)
    times = np.arange(0, 51, 5)
    drawn = [int(step) for step in generator.choice(times[1:], size=30)]
    steps = [None if generator.random() < 0.3 else step for step in drawn]
    mine = survival_curve(times, steps)
    data = CensoredData(
        uncensored=[step for step in steps if step is not None],
        right=[int(times[-1]) + 1 for step in steps if step is None],
    )
    theirs = ecdf(data).sf.evaluate(times)
    # A product of at most ten ratios against one ratio.
    assert np.abs(mine.share - theirs).max() < 1e-14
    assert 0 < mine.share[-1] < 1


def test_a_diverged_run_is_neither_above_nor_escaped() -> None:
    loss = np.array([[0.7, 0.7, 0.7, 0.7], [0.7, 0.7, np.nan, np.nan], [0.7, 0.7, 0.4, 0.4]])
    steps = [None, None, 20]
    lost = lost_steps(loss, TIMES, steps)
    assert lost == (None, 20, None)
    curve = survival_curve(TIMES, steps, lost=lost)
    assert curve.above.tolist() == [3, 3, 1, 1]
    assert curve.lost.tolist() == [0, 0, 1, 1]
    assert (curve.above + curve.escaped + curve.lost).tolist() == [3] * 4
    # The limits hold whether it would have stayed or have escaped.
    stayed, left = survival_curve(TIMES, steps), survival_curve(TIMES, [None, 20, 20])
    assert np.array_equal(curve.low, left.low)
    assert np.array_equal(curve.high, stayed.high)
    # The control: taken for a run that stayed, as its escape step alone says, it raises the share.
    assert stayed.share[-1] > curve.share[-1]
    assert stayed.low[-1] > curve.low[-1]


@pytest.mark.parametrize(
    ("curve", "escape", "lost"),
    [
        ([0.7, 0.7, 0.7, 0.7], None, None),
        ([0.7, 0.7, 0.7, np.inf], None, 25),
        ([np.nan, np.nan, np.nan, np.nan], None, 0),
        ([0.7, np.nan, 0.7, 0.7], None, None),  # it was seen again, still above
        ([0.7, np.nan, 0.7, np.nan], None, 25),
        ([0.7, 0.4, np.nan, np.nan], 10, None),  # it had escaped before
    ],
)
def test_a_run_is_lost_from_where_its_loss_stays_not_finite(
    curve: list[float], escape: int | None, lost: int | None
) -> None:
    assert lost_steps(np.array([curve]), TIMES, [escape]) == (lost,)


def test_the_dataset_holds_the_record() -> None:
    curve = survival_curve(TIMES, [10, None, None], lost=[None, 20, None], confidence=0.9)
    dataset = curve.to_xarray()
    for name in ("share", "low", "high", "above", "escaped", "lost"):
        assert dataset[name].dims == ("step",)
        assert np.array_equal(dataset[name], getattr(curve, name))
    assert (dataset.attrs["runs"], dataset.attrs["confidence"]) == (3, 0.9)
    assert dataset["step"].values.tolist() == TIMES.tolist()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: survival_curve(TIMES, []), "times has 4 entries and escape_steps 0: give at"),
        (lambda: survival_curve(TIMES[:0], [None]), "times has 0 entries"),
        (lambda: survival_curve(TIMES[::-1], [None]), "times is not strictly ascending"),
        (lambda: survival_curve(TIMES, [11]), r"escape_steps has 11, .* \(from 0 to 25\)"),
        (lambda: survival_curve(TIMES, [None], lost=[26]), "lost has 26, a step at which nothing"),
        (lambda: survival_curve(TIMES, [10], lost=[20]), "run 0 has escaped at 10 and was lost"),
        (lambda: survival_curve(TIMES, [10], lost=[]), "lost has 0 entries for 1 runs"),
        (lambda: survival_curve(TIMES, [10], seeds=[1, 2]), "seeds has 2 entries for 1 runs"),
        (lambda: survival_curve(TIMES, [10], confidence=95.0), r"confidence=95.0 .* in \(0, 1\)"),
        (lambda: clopper_pearson(np.array([1, 5]), 4), "count=5, trials=4: give"),
        (lambda: clopper_pearson(np.array([0]), 0), "trials=0: give a positive number"),
        (lambda: pooled_curve([]), "there are no cells to pool"),
    ],
)
def test_what_makes_no_curve_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_a_scan_gives_one_curve_for_each_value_of_a_setting(tmp_path: Path) -> None:
    def escapes(cell: object) -> list[int | None]:
        tied = cell.model.tying == "tied"  # type: ignore[attr-defined]  # a CellConfig
        return [50, None, None, None] if tied else [10, 20, 20, 30]

    store = planted_runs(tmp_path, escapes)
    curves = survival_by(store, "model.tying")
    assert {key: curve.runs for key, curve in curves.items()} == {"tied": 24, "untied": 24}
    # Nine chains less the three at p+q = 1 (0.2 + 0.8, 0.5 + 0.5), four seeds in each.
    assert {curve.independent for curve in curves.values()} == {4.0}
    assert curves["tied"].share[[4, 5]].tolist() == [1.0, 0.75]
    assert curves["untied"].share[:4].tolist() == [1.0, 0.75, 0.25, 0.0]
    one = survival_by(store, "model.tying", select={"source.p": "0.2", "source.q": "0.2"})
    again = survival_by(store, "model.tying", select={"source.p": ".2", "source.q": "0.20"})
    assert [curve.runs for curve in again.values()] == [curve.runs for curve in one.values()]
    assert one["tied"].runs == 4
    with pytest.raises(ConfigError, match=r"there is no such setting; did you mean model\.width"):
        survival_by(store, "model.widht")
    with pytest.raises(
        ValueError, match=r"select source\.p = '0\.3' is refused: no cell has it; choose from 0\.2"
    ):
        survival_by(store, "model.tying", select={"source.p": "0.3"})


def test_cells_that_were_not_seen_at_the_same_steps_are_not_pooled(tmp_path: Path) -> None:
    config = scan_of_runs(source={"p": "0.5", "q": "0.8"}, axes={"train.steps": [50, 100]})
    store = planted_runs(tmp_path, lambda cell: [None] * 4, config=config)
    with pytest.raises(ValueError, match=r"end at \[50, 100\]\): select one value of train\.steps"):
        survival_by(store, "model.width")
    assert {k: c.step[-1] for k, c in survival_by(store, "train.steps").items()} == {
        50: 50,
        100: 100,
    }


def test_runs_that_no_seed_enters_are_one_run(tmp_path: Path) -> None:
    model = {"width": 2, "length": 3, "init": "ansatz"}
    config = scan_of_runs(source={"p": "0.5", "q": "0.8"}, model=model, axes={})
    store = planted_runs(tmp_path / "ansatz", lambda cell: [None] * 4, config=config)
    assert survival_by(store, "model.init")["ansatz"].independent == 1
    standard = scan_of_runs(source={"p": "0.5", "q": "0.8"}, axes={})
    store = planted_runs(tmp_path / "standard", lambda cell: [None] * 4, config=standard)
    assert survival_by(store, "model.init")["standard"].independent == 4


def test_a_damaged_cell_is_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = planted_runs(tmp_path, lambda cell: [10] * 4)
    cell = store.cells[0]
    (tmp_path / "cells" / f"{cell.id}.nc").write_bytes(b"not netCDF")
    assert read_runs(store, cell) is None
    assert f"cell {cell.id[:8]} cannot be read" in caplog.text
    assert survival_by(store, "model.tying")["tied"].runs == 20


def test_trained_runs_give_the_curve_of_their_escape_steps(tmp_path: Path) -> None:
    config = scan_of_runs(
        source={"p": 0.2, "q": 0.3}, train={"steps": 150, "seeds": 3, "lr": 1e-2}, axes={}
    )
    result = scan(config, out=tmp_path)
    (scalars,) = result.scalars.values()
    steps = scalars["escape_step"]
    assert None not in steps
    curve = survival_by(open_scan(tmp_path), "source.p")[config.source.p]
    assert isinstance(curve, SurvivalCurve)
    by_hand = [sum(step > t for step in steps) / 3 for t in curve.step.tolist()]
    assert curve.share.tolist() == by_hand
    assert (curve.share[0], curve.share[-1], curve.independent) == (1, 0, 3)
