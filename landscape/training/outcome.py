"""What became of a trained run, judged from its population loss."""

from collections.abc import Sequence

from landscape.sources import MarkovSource

MARGIN = 0.1
"""Share of H_u - H_b within which a loss counts as being at the unigram or the bigram."""


def levels(source: MarkovSource, length: int | None) -> tuple[float, float]:
    """The two losses in nats between which runs are judged, the "bigram" and the "unigram" level.

    For contexts of lengths 1..N: the least loss there is, and that of the unigram predictor. At
    stationarity the second is H_u, and for a first-order chain the first is H_b. A source with more
    memory, or one that is learnt in context, has a floor that falls with N. Without a length, the
    limit of long contexts of a single kernel: the entropy rate and H_u.

    >>> from landscape.sources import BinaryMarkov
    >>> [round(level, 5) for level in levels(BinaryMarkov(0.5, 0.8), 8)]
    [0.61901, 0.66628]
    """
    if length is None:
        return source.entropy_rate, source.unigram_entropy
    return source.loss_of("optimal", length), source.loss_of("unigram", length)


def outcome(loss: float, source: MarkovSource, length: int | None = None) -> str:
    """Where a run ended: "bigram", "unigram", "other", or "degenerate" at p+q = 1.

    "bigram" if ``L - H_b < (H_u - H_b)/10``, "unigram" if ``|L - H_u| < (H_u - H_b)/10``, with the
    `levels` of contexts of this length for H_b and H_u. With more memory than one symbol "bigram"
    stands for the best predictor of all.

    >>> from landscape.sources import BinaryMarkov
    >>> outcome(0.6663, BinaryMarkov(0.5, 0.8)), outcome(0.62, BinaryMarkov(0.5, 0.8))
    ('unigram', 'bigram')
    """
    if source.degenerate:
        return "degenerate"
    bigram, unigram = levels(source, length)
    if loss - bigram < MARGIN * (unigram - bigram):
        return "bigram"
    if abs(loss - unigram) < MARGIN * (unigram - bigram):
        return "unigram"
    return "other"


def escape_step(
    losses: Sequence[float],
    source: MarkovSource,
    *,
    times: Sequence[int] | None = None,
    length: int | None = None,
) -> int | None:
    """First evaluated step at which the loss is below (H_u + H_b)/2, or None if there is none.

    `losses[k]` is the population loss after times[k] steps, by default after k steps, and H_b and
    H_u the `levels` of the length. At p+q = 1 there is nothing to escape from.

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
    level = sum(levels(source, length)) / 2
    below = (step for step, loss in zip(times, losses, strict=True) if loss < level)
    return next(below, None)
