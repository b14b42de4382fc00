"""What a scan found, in sentences made from its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from landscape.report.data.cell_file import CellRecord
from landscape.report.data.counting import Group, Share
from landscape.report.data.held import TheoremRecord
from landscape.report.text.sure import sure, sure_further
from landscape.report.text.why import why, why_further
from landscape.report.text.wording import counted, percent

__all__ = ["Answer", "Summary", "summarise"]


MOST = 4
"""Settings that are named; the table on the page has them all."""


@dataclass(frozen=True)
class Answer:
    """A question of the page, its answer in sentences, and what a second look asks for."""

    question: str
    sentences: tuple[str, ...]
    further: tuple[str, ...] = ()


@dataclass(frozen=True)
class Summary:
    """The three answers of the page: which get stuck, why, and how sure."""

    which: Answer
    why: Answer
    sure: Answer


def summarise(
    records: Sequence[CellRecord],
    parts: Sequence[Group],
    theorems: Sequence[TheoremRecord],
    quarantined: int,
) -> Summary:
    """The answers for the cells of a scan, `parts` being its groups.

    >>> summarise([], [], [], 0).which.sentences
    ('No cell is finished, so nothing can be said yet.',)
    """
    return Summary(
        which=Answer("Which get stuck?", tuple(_which(records, parts))),
        why=Answer("Why?", tuple(why(records, theorems)), tuple(why_further(records, theorems))),
        sure=Answer(
            "How sure is that?",
            tuple(sure(records, theorems, quarantined)),
            tuple(sure_further(records)),
        ),
    )


def limits(share: Share) -> str:
    """The share of runs with its limits in words."""
    return (
        f"{share.stuck} of {share.runs} runs, {percent(share.stuck / share.runs)}; 95% limits "
        f"{percent(share.low)} to {percent(share.high)}"
    )


def _which(records: Sequence[CellRecord], parts: Sequence[Group]) -> Iterator[str]:
    if not any(record.state == "done" for record in records):
        yield "No cell is finished, so nothing can be said yet."
        return
    able = sum(part.cells for part in parts)
    touched = [part for part in parts if part.touched]
    rest = [part for part in parts if not part.touched]
    if not able:
        yield "In none of the finished cells is there anything to be stuck at."
    elif not touched:
        yield f"No run got stuck, in any of {counted(able, 'cell')}."
        yield f"None of {_none_of(rest)}."
    else:
        total = sum(part.touched for part in touched)
        yield f"Runs got stuck in {total} of {counted(able, 'cell')}."
        for part in touched[:MOST]:
            where = f"{part.touched} of {part.cells} cells"
            yield f"Where {part.name}: in {where} ({limits(part.share)})."
        if len(touched) > MOST:
            yield f"So do runs in {len(touched) - MOST} more settings, in the table below."
        if rest:
            yield f"Nowhere else: none of {_none_of(rest)}."
    flat = sum(record.state == "done" and record.config.source.degenerate for record in records)
    if flat:
        yield (
            f"In {counted(flat, 'more cell')} the symbols are independent (for two symbols: "
            "p + q = 1), so there is nothing to learn and nothing to be stuck at."
        )


def _none_of(rest: Sequence[Group]) -> str:
    """Groups without a stuck run: how many runs, where, and how large a share could hide."""
    runs = sum(part.share.runs for part in rest)
    names = "; or ".join(part.name for part in rest[:MOST])
    more = f"; or in {len(rest) - MOST} more settings" if len(rest) > MOST else ""
    highest = percent(max(part.share.high for part in rest))
    each = "; in each of these" if len(rest) > 1 else ";"
    return f"{counted(runs, 'run')} where {names}{more} (0%{each} 95% limits 0% to {highest})"
