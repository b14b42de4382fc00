"""Who stays and who leaves is as published: width 4, length 8, 1000 steps, 12 seeds."""

import numpy as np
import pytest
from scipy.stats import fisher_exact

from landscape.models import SingleLayer
from landscape.training.loop import train, train_together
from landscape.training.recipe import Recipe
from landscape.training.trajectory import Trajectory
from tests.check_values import agrees, entry, value
from tests.landscape.training.binary_runs import exact

PUBLISHED = {
    (0.5, 0.8): ("survivors_exact_50_80_steps_1000", "final_loss_exact_50_80"),
    (0.9, 0.9): ("survivors_exact_90_90_steps_1000", "final_loss_exact_90_90"),
    (0.2, 0.3): ("survivors_exact_20_30_steps_1000", "final_loss_exact_20_30"),
}
Survival = tuple[str, dict[tuple[float, float], Trajectory]]


@pytest.fixture(scope="module", params=["tied", "untied"])
def survival(request: pytest.FixtureRequest) -> Survival:
    model = SingleLayer(width=4, length=8, tying=request.param)
    losses = [exact(p, q, 8) for p, q in PUBLISHED]
    done = train_together(model, losses, Recipe(steps=1000), seeds=range(12))
    return request.param, dict(zip(PUBLISHED, done, strict=True))


def one_binomial(survivors: int, key: str) -> bool:
    """Whether both counts may be of one probability: Fisher's exact test at 1e-3."""
    published, of = int(value(key)), int(entry(key)["of"])
    table = [[survivors, 12 - survivors], [published, of - published]]
    return float(fisher_exact(table).pvalue) > 1e-3


@pytest.mark.slow
def test_survival_is_the_published_one(survival: Survival) -> None:
    tying, done = survival
    for chain, (count, last) in PUBLISHED.items():
        trajectory = done[chain]
        ends = trajectory.loss[:, -1]
        # the "at H_u to 1e-4"; the outcome allows a tenth of the gap
        exactly = int((np.abs(ends - trajectory.source.unigram_entropy) < 1e-4).sum())
        about = trajectory.outcomes.count("unigram")
        if tying == "untied":
            assert (exactly, about) == (0, 0)
            assert trajectory.outcomes == ("bigram",) * 12
            assert one_binomial(0, count) is (value(count) == 0)
            continue
        assert one_binomial(exactly, count)
        assert one_binomial(about, count)
        if value(count) >= 11:  # nearly all: at a chance of 11/12, 7 of 12 or fewer has 4e-4
            assert min(exactly, about) >= 8
        assert not one_binomial(0 if value(count) else 12, count)
        assert agrees(last, float(np.median(ends)))
    if tying == "tied":
        at_90, at_20 = done[0.9, 0.9], done[0.2, 0.3]
        assert np.abs(at_90.loss[:, -1] - at_90.source.unigram_entropy).max() < 1e-4
        assert "unigram" not in at_20.outcomes
        assert all(agrees("final_loss_exact_20_30", float(end)) for end in at_20.loss[:, -1])


def test_a_few_untied_runs_leave_where_tied_ones_stay() -> None:
    for tying, end in (("tied", "unigram"), ("untied", "bigram")):
        model = SingleLayer(width=4, length=2, tying=tying)
        done = train(model, exact(0.9, 0.9, 2), steps=300, lr=3e-3, seeds=range(3))
        assert done.outcomes == (end,) * 3
        assert {step is None for step in done.escape_steps} == {tying == "tied"}


@pytest.mark.slow
def test_escape_is_recorded_for_those_who_left_and_for_nobody_else(survival: Survival) -> None:
    _, done = survival
    for trajectory in done.values():
        chain = trajectory.source
        level = (chain.entropy_rate + chain.unigram_entropy) / 2
        pairs = zip(trajectory.outcomes, trajectory.escape_steps, trajectory.loss, strict=True)
        for end, step, curve in pairs:
            assert end != "unigram" or step is None
            assert end != "bigram" or step is not None
            if step is None:
                assert curve.min() >= level
            else:
                assert 0 < step <= 1000
                assert curve[step] < level <= curve[:step].min()
