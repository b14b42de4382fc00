"""Survival on sampled data against the pilot's counts, row by row; a minute or two."""

from dataclasses import dataclass
from functools import lru_cache

import pytest
import torch
from scipy.stats import fisher_exact

from landscape.models import SingleLayer
from landscape.objectives.sampled import SampledLoss
from landscape.sources import BinaryMarkov
from landscape.training.loop import train
from tests.check_values import entry, value

pytestmark = pytest.mark.slow

SEEDS = 16


@dataclass(frozen=True)
class Row:
    """One row of the pilot's table, and the name of its count."""

    key: str
    p: float
    q: float
    width: int
    length: int
    batch: int
    steps: int = 1000
    optimizer: str = "adamw"


LONG, SHORT = (128, 16), (8, 256)
ROWS = [
    Row("survivors_50_80_width_4_length_128_batch_16_steps_1000", 0.5, 0.8, 4, *LONG),
    Row("survivors_50_80_width_8_length_128_batch_16_steps_1000", 0.5, 0.8, 8, *LONG),
    Row("survivors_50_80_width_8_length_8_batch_256_steps_1000", 0.5, 0.8, 8, *SHORT),
    Row("survivors_50_80_width_4_length_8_batch_256_steps_1000", 0.5, 0.8, 4, *SHORT),
    Row("survivors_50_80_width_4_length_8_batch_256_steps_3000", 0.5, 0.8, 4, *SHORT, 3000),
    Row("survivors_90_90_width_4_length_8_batch_256_steps_1000", 0.9, 0.9, 4, *SHORT),
    Row("survivors_90_90_width_4_length_8_batch_256_steps_3000", 0.9, 0.9, 4, *SHORT, 3000),
    Row("survivors_50_80_width_8_length_128_batch_16_sgd", 0.5, 0.8, 8, *LONG, 1000, "sgd"),
    *[
        Row("survivors_20_30_steps_1000", 0.2, 0.3, width, *sizes)
        for width in (4, 8)
        for sizes in (LONG, SHORT)
    ],
]

LEVEL = 0.01 / len(ROWS)
"""Bonferroni: all rows together raise a false alarm with probability at most 1%."""


@lru_cache
def survivors(row: Row) -> int:
    """How many of our runs end at the unigram."""
    model = SingleLayer(width=row.width, length=row.length, dtype=torch.float32)
    loss = SampledLoss(BinaryMarkov(row.p, row.q), row.length, batch=row.batch, seed=0)
    done = train(
        model,
        loss,
        steps=row.steps,
        seeds=range(SEEDS),
        optimizer=row.optimizer,
        evaluate_every=row.steps,
    )
    return done.outcomes.count("unigram")


def one_binomial(ours: int, key: str) -> bool:
    """Whether both counts may be of one probability: Fisher's exact test, two-sided."""
    theirs, of = int(value(key)), int(entry(key)["of"])
    table = [[ours, SEEDS - ours], [theirs, of - theirs]]
    return float(fisher_exact(table).pvalue) > LEVEL


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.key}-{row.width}-{row.length}")
def test_the_share_of_runs_at_the_unigram_is_the_pilots(row: Row) -> None:
    assert one_binomial(survivors(row), row.key)


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.q == 0.3], ids=lambda row: f"{row.width}-{row.length}"
)
def test_the_share_on_another_chain_is_not_the_pilots(row: Row) -> None:
    """The control: our counts at (.2,.3) beside the pilot's at (.5,.8), and the other way round."""
    other = ROWS[0] if row.length == 128 else ROWS[3]
    assert not one_binomial(survivors(row), other.key)
    assert not one_binomial(survivors(other), row.key)
