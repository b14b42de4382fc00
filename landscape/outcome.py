"""What became of a trained run, judged from its population loss."""

from __future__ import annotations

from collections.abc import Sequence

from landscape.sources import MarkovSource

MARGIN = 0.1
"""Share of H_u - H_b within which a loss counts as being at the unigram or the bigram."""


def outcome(loss: float, source: MarkovSource) -> str:
    """Where a run ended: "bigram", "unigram", "other", or "degenerate" at p+q = 1.

    "bigram" if ``L - H_b < (H_u - H_b)/10``, "unigram" if ``|L - H_u| < (H_u - H_b)/10``.

    >>> from landscape.sources import BinaryMarkov
    >>> outcome(0.6663, BinaryMarkov(0.5, 0.8)), outcome(0.62, BinaryMarkov(0.5, 0.8))
    ('unigram', 'bigram')
    """
    bigram, unigram = source.entropy_rate, source.unigram_entropy
    if source.degenerate:
        return "degenerate"
    if loss - bigram < MARGIN * (unigram - bigram):
        return "bigram"
    if abs(loss - unigram) < MARGIN * (unigram - bigram):
        return "unigram"
    return "other"


def escape_step(
    losses: Sequence[float], source: MarkovSource, *, times: Sequence[int] | None = None
) -> int | None:
    """First evaluated step at which the loss is below (H_u + H_b)/2, or None if there is none.

    `losses[k]` is the population loss after times[k] steps, by default after k steps. At p+q = 1
    there is nothing to escape from.

    Raises:
        ValueError: if there are not as many times as losses.

    >>> from landscape.sources import BinaryMarkov
    >>> escape_step([0.67, 0.66, 0.63, 0.62], BinaryMarkov(0.5, 0.8))
    2
    >>> escape_step([0.67, 0.63], BinaryMarkov(0.5, 0.8), times=[0, 10])
    10
    """
    times = range(len(losses)) if times is None else times
    if len(times) != len(losses):
        raise ValueError(f"times has {len(times)} entries for {len(losses)} losses; give one each")
    if source.degenerate:
        return None
    level = (source.unigram_entropy + source.entropy_rate) / 2
    below = (step for step, loss in zip(times, losses, strict=True) if loss < level)
    return next(below, None)
