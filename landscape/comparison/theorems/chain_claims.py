"""Claims about the source alone: entropies, and lag covariances of a source with memory."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from landscape.comparison.checks import Check
from landscape.comparison.spectra import COVARIANCE_TOLERANCE, LOSS_TOLERANCE, entropies
from landscape.comparison.theorems.subject import Subject, claims_of
from landscape.sources import LagMarkov
from theory.chain.kernel import chain_of

__all__ = ["entropy_claims", "memory_claims"]

MEMORY_LENGTH, FLOOR_LENGTH = 6, 3
"""Symbols of the lag-2 twin of the chain that are enumerated: sizes of the proof."""


@claims_of("entropies")
def entropy_claims(subject: Subject) -> Iterator[Check]:
    """H_u, H_b and their difference, beside sums over every context and pair."""
    p, q = subject.chances
    H_u, H_b = entropies(p, q)
    weights, joint = (table.cpu().numpy() for table in subject.objective.tables)
    marginal = joint.sum(axis=0)
    unigram = float(-marginal @ np.log(marginal))
    bigram = float(-(joint * np.log(joint / weights[:, None])).sum())
    yield Check.of("unigram", "the law of one symbol has loss H_u", H_u, unigram, LOSS_TOLERANCE)
    yield Check.of("bigram", "the kernel has loss H_b", H_b, bigram, LOSS_TOLERANCE)
    pair = subject.binary.context_law(2).reshape(2, 2)
    product = np.outer(pair.sum(axis=1), pair.sum(axis=0))
    information = float((pair * np.log(pair / product)).sum())
    claim = "H_u - H_b = I(x_n; x_{n+1})"
    yield Check.of("gap", claim, H_u - H_b, information, 2 * LOSS_TOLERANCE)


@claims_of("memory")
def memory_claims(subject: Subject) -> Iterator[Check]:
    """Lag covariances and least loss of the lag-2 source with this kernel, by enumeration."""
    source = LagMarkov(subject.binary, 2)
    p, q = (Fraction(x) for x in subject.chances)
    known = chain_of([[1 - p, p], [q, 1 - q]], length=MEMORY_LENGTH - 1, lag=2)
    law = source.context_law(MEMORY_LENGTH).reshape((2,) * MEMORY_LENGTH)
    worst = 0.0
    for k in range(1, MEMORY_LENGTH):
        others = tuple(axis for axis in range(MEMORY_LENGTH) if axis not in (0, k))
        pair = law.sum(axis=others)
        covariance = pair - np.outer(pair.sum(axis=1), pair.sum(axis=0))
        worst = max(worst, float(np.abs(covariance - known.covariance[k]).max()))
    yield Check.of(
        "covariance",
        "C_k of the lag-2 source is that of the chain at k/2, and 0 for odd k",
        0.0,
        worst,
        COVARIANCE_TOLERANCE,
    )
    H_u, H_b = entropies(*subject.chances)
    floor = H_b + (H_u - H_b) / FLOOR_LENGTH
    least = 0.0
    for n in range(1, FLOOR_LENGTH + 1):
        following = source.next_law(n)
        rows = source.context_law(n)[:, None] * following
        least -= float((rows * np.log(following)).sum()) / FLOOR_LENGTH
    yield Check.of(
        "floor",
        f"its least loss over {FLOOR_LENGTH} positions is H_b + (H_u - H_b)/{FLOOR_LENGTH}",
        floor,
        least,
        LOSS_TOLERANCE * FLOOR_LENGTH,
    )
