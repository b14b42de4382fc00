"""Cells (p, q) and (q, p): the same losses, with 0 and 1 renamed, and not always the same runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import comb

from landscape.report.data.cell_file import CellRecord

__all__ = ["fisher", "mirrored"]

MOST = 3
"""Pairs that are named."""


def fisher(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Fisher's exact two-sided p value for two counts, each a number of so many.

    The chance, with both shares equal, of a split no more likely than the one seen.
    Source: Fisher 1935.

    >>> round(fisher((0, 4), (3, 4)), 4), fisher((2, 4), (2, 4))
    (0.1429, 1.0)
    """
    (k, n), (j, m) = first, second
    ways = [comb(n, i) * comb(m, k + j - i) for i in range(max(0, k + j - m), min(n, k + j) + 1)]
    seen = comb(n, k) * comb(m, j)
    return sum(way for way in ways if way <= seen) / comb(n + m, k + j)


def mirrored(able: Sequence[CellRecord]) -> Iterator[str]:
    """A sentence about the pairs whose numbers of stuck runs differ; nothing without one."""
    by_place = {_place(r): r for r in able if r.config.source.kind == "binary"}
    pairs = []
    for (p, q, rest), record in by_place.items():
        other = by_place.get((q, p, rest))
        if p < q and other is not None and record.stuck is not None and other.stuck is not None:
            pairs.append((fisher(record.stuck, other.stuck), record, other))
    unlike = sorted(
        (pair for pair in pairs if pair[1].stuck != pair[2].stuck), key=lambda pair: pair[0]
    )
    if not unlike:
        return
    named = "; ".join(
        f"{_count(record)} against {_count(other)} (Fisher's exact test: {value:.2g})"
        for value, record, other in unlike[:MOST]
    )
    more = f"; and {len(unlike) - MOST} more" if len(unlike) > MOST else ""
    yield (
        "A chain (p, q) and its mirror (q, p) have the same two losses, yet in "
        f"{len(unlike)} of {len(pairs)} pairs not as many runs got stuck: {named}{more}. The runs "
        "of a seed start from the same weights in both, and a start is in general not symmetric "
        "under the swap of 0 and 1; whether that or chance is the reason this page cannot say."
    )


def _place(record: CellRecord) -> tuple[str, str, str]:
    coordinates = {name: str(value) for name, value in record.config.coordinates.items()}
    source = record.config.source
    coordinates.pop("source.p", None)
    coordinates.pop("source.q", None)
    return str(source.p), str(source.q), repr(sorted(coordinates.items()))


def _count(record: CellRecord) -> str:
    assert record.stuck is not None
    source = record.config.source
    return f"({source.p}, {source.q}) {record.stuck[0]} of {record.stuck[1]}"
