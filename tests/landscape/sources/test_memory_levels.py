"""With memory beyond a symbol, runs are judged by the floor and not by the entropy rate.

The floors are computed here from pair and triple probabilities in plain numpy, or by the walked
paths of `tests.twins.sources`.
"""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from landscape.config.scan import ScanConfig
from landscape.objectives.exact import ExactLoss
from landscape.objectives.sampled import SampledLoss
from landscape.scanning.scan import scan
from landscape.sources import BinaryMarkov, InContext, LagMarkov, OrderKMarkov, SampledSource
from landscape.training.loop import train
from landscape.training.outcome import MARGIN, levels, outcome
from landscape.training.trajectory import Trajectory
from tests.planted.readers import LastTwo, Lookup
from tests.twins.sources import (
    BINARY,
    SECOND,
    Twin,
    lagged,
    learning,
    loss,
    named,
    remembering,
    table,
)

LENGTH = 5
LAG = lagged("lag 2", LagMarkov(BinaryMarkov("0.2", "0.3"), 2), BINARY)
TWINS = [
    LAG,
    remembering("order 2", OrderKMarkov(SECOND), 2, table(SECOND)),
    learning("in context", InContext(2)),
    learning("in context, a=.3", InContext(2, concentration=0.3)),
]


class Table(nn.Module):
    """A free logit for every context of every length: it can predict whatever the source says."""

    states = 2

    def __init__(self, length: int) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.zeros(2 ** (length + 1), 2, dtype=torch.float64))

    def forward(self, tokens: Tensor) -> Tensor:
        number, logits = torch.ones_like(tokens[:, 0]), []
        for n in range(tokens.shape[1]):  # the heap's numbering: 1, then 2k and 2k+1
            number = 2 * number + tokens[:, n]
            logits.append(self.rows[number])
        return torch.stack(logits, dim=1)


def trained(
    model: nn.Module, source: SampledSource, length: int = LENGTH, **more: Any
) -> Trajectory:
    options: dict[str, Any] = {"steps": 250, "lr": 0.2, "seeds": [0], "weight_decay": 0.0, **more}
    return train(model, ExactLoss(source, length), **options)


@pytest.mark.parametrize("twin", TWINS, ids=named)
def test_the_levels_are_the_floor_and_the_unigram_s_loss_at_the_length(twin: Twin) -> None:
    trajectory = trained(Table(LENGTH), twin.source, steps=0)
    floor, unigram = (loss(twin, name, LENGTH) for name in ("optimal", "unigram"))
    assert abs(trajectory.bigram_loss - floor) < 1e-14
    assert abs(trajectory.unigram_loss - unigram) < 1e-14
    assert levels(twin.source, LENGTH) == (trajectory.bigram_loss, trajectory.unigram_loss)
    assert twin.source.entropy_rate < floor - 1e-3  # control: what it must not be
    longer = trained(Table(2), twin.source, length=2, steps=0)
    assert longer.bigram_loss > trajectory.bigram_loss + 1e-3  # a floor falls with the length


def test_the_floor_of_lag_2_at_length_8_is_the_published_one() -> None:
    def h(x: float) -> float:
        return -(x * math.log(x) + (1 - x) * math.log(1 - x))

    rate, unigram = 0.6 * h(0.2) + 0.4 * h(0.3), h(0.4)
    # after one symbol nothing is known; after n >= 2 the symbol before the last is
    floor = (unigram + 7 * rate) / 8
    assert (round(floor, 5), round(rate, 5)) == (0.56064, 0.54459)
    trajectory = trained(Table(8), LAG.source, length=8, steps=0)
    assert abs(trajectory.bigram_loss - floor) < 1e-15
    assert abs(trajectory.unigram_loss - unigram) < 1e-15


@pytest.mark.parametrize("twin", TWINS, ids=named)
def test_a_run_at_the_floor_is_called_so_though_the_entropy_rate_lies_below(twin: Twin) -> None:
    trajectory = trained(Table(LENGTH), twin.source)
    floor, unigram = (loss(twin, name, LENGTH) for name in ("optimal", "unigram"))
    end = trajectory.loss[0, -1]
    assert 0 <= end - floor < 1e-3 * (unigram - floor)
    assert trajectory.outcomes == ("bigram",)
    rate = twin.source.entropy_rate
    # control: held against the entropy rate the best there is would be no success
    assert end - rate > MARGIN * (unigram - rate)
    assert outcome(float(end), twin.source) != "bigram"


@pytest.mark.parametrize("twin", TWINS, ids=named)
def test_an_escape_is_below_the_middle_of_floor_and_unigram(twin: Twin) -> None:
    trajectory = trained(Table(LENGTH), twin.source, lr=0.02)
    floor, unigram = (loss(twin, name, LENGTH) for name in ("optimal", "unigram"))
    (step,) = trajectory.escape_steps
    curve, middle = trajectory.loss[0], (floor + unigram) / 2
    assert step is not None and step > 0
    assert curve[step] < middle <= curve[step - 1]
    judged_otherwise = np.flatnonzero(curve < (twin.source.entropy_rate + unigram) / 2)
    assert len(judged_otherwise) == 0 or judged_otherwise[0] > step


def test_what_a_bigram_predictor_reaches_is_told_from_the_floor() -> None:
    """Of lag 2 the last symbol says nothing: a model of it ends at the unigram, and one of two not.

    Of order 2 it says something: such a model ends in between.
    """
    order = TWINS[1]
    last, both = (trained(model(), LAG.source) for model in (Lookup, LastTwo))
    assert (last.outcomes, both.outcomes) == (("unigram",), ("bigram",))
    assert last.escape_steps == (None,) and both.escape_steps != (None,)
    last, both = (trained(model(), order.source) for model in (Lookup, LastTwo))
    assert both.outcomes == ("bigram",)
    assert abs(last.loss[0, -1] - loss(order, "bigram", LENGTH)) < 1e-6
    floor, unigram = (loss(order, name, LENGTH) for name in ("optimal", "unigram"))
    assert floor + 0.1 * (unigram - floor) < last.loss[0, -1]
    assert last.outcomes != ("bigram",)


@pytest.mark.parametrize("twin", TWINS, ids=named)
def test_the_distances_of_a_run_at_the_floor_are_those_of_the_predictors(twin: Twin) -> None:
    trajectory = trained(Table(LENGTH), twin.source)
    assert trajectory.distance["optimal"][0] < 1e-3
    for name in ("unigram", "bigram"):
        apart = loss(twin, name, LENGTH) - loss(twin, "optimal", LENGTH)
        # E KL(r || answer) is the excess loss of the answer; at r itself the model's KL is that
        if apart < 1e-12:  # with the uniform prior the in-context bigram is the best there is
            assert twin.name == "in context" and trajectory.distance[name][0] < 1e-3
        else:
            assert abs(trajectory.distance[name][0] - apart) < 0.05 * apart + 1e-4


def test_sampled_runs_are_judged_by_the_same_levels() -> None:
    """At a length without exact contexts the floor of in-context learning is an estimate."""
    source, length = InContext(2), 20
    run = train(Table(3), SampledLoss(source, 3, batch=8, seed=0), steps=2, seeds=[0])
    twin = TWINS[2]
    assert abs(run.bigram_loss - loss(twin, "optimal", 3)) < 1e-14
    assert source.loss_error("optimal", 3) == 0 < source.loss_error("optimal", length)
    floor, unigram = levels(source, length)
    assert source.entropy_rate < floor < unigram < math.log(2)
    moved = replace(run, length=length)
    assert (moved.bigram_loss, moved.unigram_loss) == (floor, unigram)


def test_a_scan_stores_the_levels_of_its_source(tmp_path: Path) -> None:
    tables: dict[str, Any] = {
        "source": {"kind": "lag", "order": 2, "p": "0.2", "q": "0.3"},
        "model": {"kind": "gpt", "width": 2, "length": 8},
        "train": {"steps": 1, "seeds": 1},
        "measure": {"points": []},
    }
    (scalars,) = scan(ScanConfig(**tables), out=tmp_path / "scan").scalars.values()
    assert round(scalars["bigram_loss"], 5) == 0.56064
    assert round(scalars["unigram_loss"], 5) == 0.67301
    assert scalars["outcome"] == ["other"] or scalars["outcome"] == ["unigram"]
