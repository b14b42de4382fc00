import math

import pytest

from landscape.sources import BinaryMarkov
from landscape.training.outcome import escape_step, outcome

CHAIN = BinaryMarkov(0.5, 0.8)
BIGRAM, UNIGRAM = CHAIN.entropy_rate, CHAIN.unigram_entropy
GAP = UNIGRAM - BIGRAM


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (-0.05, "bigram"),  # below H_b by round-off of the optimiser's last step
        (0.0, "bigram"),
        (0.0999, "bigram"),
        (0.1001, "other"),
        (0.5, "other"),
        (0.8999, "other"),
        (0.9001, "unigram"),
        (1.0, "unigram"),
        (1.0999, "unigram"),
        (1.1001, "other"),
        (5.0, "other"),
    ],
)
def test_outcome_is_decided_by_a_tenth_of_the_gap(share: float, expected: str) -> None:
    assert outcome(BIGRAM + share * GAP, CHAIN) == expected


def test_the_two_margins_are_open_and_of_equal_width() -> None:
    # 0.1 * (H_u - H_b) is the margin; the losses next to it, one float to either side
    below = BIGRAM + 0.1 * GAP
    while below - BIGRAM >= 0.1 * GAP:
        below = math.nextafter(below, 0)
    above = below
    while above - BIGRAM < 0.1 * GAP:
        above = math.nextafter(above, 1)
    assert math.nextafter(below, 1) == above
    assert (outcome(below, CHAIN), outcome(above, CHAIN)) == ("bigram", "other")


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_run_that_diverged_is_other(loss: float) -> None:
    assert outcome(loss, CHAIN) == "other"
    assert escape_step([loss, loss], CHAIN) is None


def test_a_chain_without_memory_has_no_other_outcome_than_degenerate() -> None:
    independent = BinaryMarkov(0.3, 0.7)
    for loss in (0.0, independent.unigram_entropy, 10.0):
        assert outcome(loss, independent) == "degenerate"
    assert escape_step([10.0, 0.0], independent) is None
    # decided on decimals: one part in 10^20 away the chain has memory in theory, and is not called
    # degenerate, though its two entropies are one float
    nearly = BinaryMarkov("0.5", "0.50000000000000000001")
    assert outcome(nearly.unigram_entropy + 1, nearly) == "other"


LEVEL = (UNIGRAM + BIGRAM) / 2


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([UNIGRAM, UNIGRAM], None),
        ([], None),
        ([LEVEL, LEVEL], None),  # at the level is not below it
        ([LEVEL, math.nextafter(LEVEL, 0)], 1),
        ([BIGRAM, UNIGRAM], 0),  # it may start below
        ([0.67, 0.66, 0.63, 0.67, 0.62], 2),  # the first time counts, though it comes back
        ([math.nan, BIGRAM], 1),
    ],
)
def test_escape_is_the_first_step_below_the_mean_of_the_entropies(
    curve: list[float], expected: int | None
) -> None:
    assert escape_step(curve, CHAIN) == expected


def test_escape_depends_on_the_chain() -> None:
    curve = [0.69, 0.66, 0.6]
    assert escape_step(curve, CHAIN) == 2
    assert escape_step(curve, BinaryMarkov(0.9, 0.9)) is None


def test_an_escape_is_given_in_steps_not_in_evaluations() -> None:
    curve, times = [UNIGRAM, UNIGRAM, BIGRAM, UNIGRAM], [0, 10, 20, 25]
    assert escape_step(curve, CHAIN, times=times) == 20
    assert escape_step(curve, CHAIN) == 2
    assert escape_step(curve[:2], CHAIN, times=times[:2]) is None
    with pytest.raises(ValueError, match=r"times has 3 entries for 4 losses; give one each"):
        escape_step(curve, CHAIN, times=times[:3])
