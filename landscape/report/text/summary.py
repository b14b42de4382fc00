"""What a scan found, in sentences made from its numbers."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from landscape.report.data.cell_file import CellRecord
from landscape.report.data.counting import Group, Share, called, share_stuck, side_of
from landscape.report.data.theorems import TheoremRecord
from landscape.report.text.sure import sure, sure_further
from landscape.report.text.typeset import counted, percent

MOST = 4
"""Settings that are named; the table on the page has them all."""


MINIMUM = "local minimum"

NOUNS = ("saddle", MINIMUM)
"""What a point is; what else is said of it, such as "undecided", takes no article."""

ENDS = {"bigram": "reached the bigram", "other": "ended at neither (“other”)"}


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
        why=Answer("Why?", tuple(_why(records, theorems)), tuple(_why_further(records, theorems))),
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


def _why(records: Sequence[CellRecord], theorems: Sequence[TheoremRecord]) -> Iterator[str]:
    """Theory's words, the runs that ended there, and how a run leaves a minimum."""
    by_word = _by_word(records)
    if not by_word:
        yield (
            "Theory makes no prediction for these models here, so the page shows what was "
            "measured and gives no reason."
        )
        return
    for word, cells in sorted(by_word.items()):
        yield from _counts(word, cells)
    yield (
        "The gradient is zero at the unigram, so close to it curvature decides. At a saddle a "
        "direction leads downhill, and runs can leave along it. At a local minimum no point close "
        "by is lower."
    )
    minima = by_word.get(MINIMUM, [])
    if minima:
        yield _way_out(minima, theorems)
        yield from _floors(minima)


def _by_word(records: Sequence[CellRecord]) -> dict[str, list[CellRecord]]:
    found: dict[str, list[CellRecord]] = {}
    for record in records:
        if record.stuck is not None and called(record) != "no prediction":
            found.setdefault(called(record), []).append(record)
    return found


def _counts(word: str, cells: Sequence[CellRecord]) -> Iterator[str]:
    share = share_stuck(cells)
    assert share is not None  # each of them has runs
    named = f"a {word}" if word in NOUNS else word
    yield (
        f"Theory calls it {named} in {counted(len(cells), 'cell')}, and there "
        f"{share.stuck} of {counted(share.runs, 'run')} got stuck "
        f"({percent(share.stuck / share.runs)})."
    )
    ends = Counter(outcome for cell in cells for outcome in cell.scalars["outcome"])
    rest = [f"{ends[name]} {words}" for name, words in ENDS.items() if ends[name]]
    if share.stuck and rest:
        yield f"Of the rest, {' and '.join(rest)}."


def _way_out(minima: Sequence[CellRecord], theorems: Sequence[TheoremRecord]) -> str:
    """A minimum is no trap for ever: its set is flat, and, where that is proved, has a way out."""
    flat = sorted({_flat(cell) for cell in minima})
    directions = flat[0] if len(flat) == 1 else f"from {flat[0]} to {flat[-1]}"
    text = (
        f"But that holds close by only: {directions} directions are flat, and a run can drift "
        "along them, at no cost, to where a way down opens"
    )
    proved = {theorem["id"]: theorem["title"] for theorem in theorems if theorem["proved"]}
    if "valley" not in proved or not all(_in_valley(cell) for cell in minima):
        return f"{text}, if there is one."
    text = f"{text}. The barrier is exactly 0 (theorem “{proved['valley']}”)"
    if "escape-radius" in proved and all(_within_root_two(cell) for cell in minima):
        text += f", and lower loss is at most √2 away (“{proved['escape-radius']}”)"
    return f"{text}."


def _flat(cell: CellRecord) -> str:
    inertia = cell.point("unigram")["predicted_inertia"]
    return f"{inertia[1]} of {sum(inertia)}"


def _in_valley(cell: CellRecord) -> bool:
    model = cell.config.model
    paper = model.kind == "reduced" or (model.kind == "single-layer" and model.tying == "tied")
    return paper and cell.config.source.kind == "binary"


def _within_root_two(cell: CellRecord) -> bool:
    config = cell.config
    zero = config.model.kind == "single-layer" and config.spread == 0
    return zero and side_of(cell) == "p + q > 1"


def _floors(minima: Sequence[CellRecord]) -> Iterator[str]:
    """Theory at the unigram point of each run's own last weights: does it lead down from there?"""
    found: Counter[tuple[str, bool]] = Counter()
    for cell in minima:
        for outcome, end in zip(cell.scalars["outcome"], cell.ends, strict=bool(cell.ends)):
            floor = end.get("predicted_unigram_inertia")
            if floor is not None:
                found[outcome, floor[0] > 0] += 1
    stuck = found["unigram", True] + found["unigram", False]
    if not stuck:
        return
    text = (
        "At the weights where they ended, theory sees a way down from the unigram for "
        f"{found['unigram', True]} of {counted(stuck, 'stuck run')}"
    )
    left = sum(count for (outcome, _), count in found.items() if outcome != "unigram")
    if left:
        down = sum(n for (outcome, below), n in found.items() if below and outcome != "unigram")
        text += f" and for {down} of the {left} others"
    yield f"{text}."


def _why_further(records: Sequence[CellRecord], theorems: Sequence[TheoremRecord]) -> Iterator[str]:
    """At which of the unigram points theory is asked, and what is asked at the ends of runs."""
    asked = [record for cells in _by_word(records).values() for record in cells]
    if not asked:
        return
    spreads = sorted({record.config.spread for record in asked if record.config.spread is not None})
    if not spreads:
        where = "that of the model's own weights"
    elif spreads == [0.0]:
        where = "that at which all other weights are 0, as measured here"
    else:
        drawn = " or ".join(f"{spread:g}" for spread in spreads)
        where = f"one whose other weights are drawn with standard deviation {drawn}"
    text = (
        "“The unigram” is a set, not one point: only embedding, readout and bias are fixed. Theory "
        f"is asked at one point of it, {where}. At others it can be of the opposite type"
    )
    titles = {theorem["id"]: theorem["title"] for theorem in theorems}
    tyings = {record.config.model.tying for record in asked}
    tied = {record.config.model.kind for record in asked} == {"single-layer"} and "tied" in tyings
    if tied and "tied-condition" in titles:
        text += (
            f": when tied, the type is decided by the signs of a matrix M that depends on them "
            f"(“{titles['tied-condition']}”)"
        )
    yield f"{text}."
    if any(cell.ends for cell in asked):
        yield (
            "“At the weights where they ended”: a run's embedding and bias are put back to the "
            "unigram, all its other weights are kept, and theory is asked for a negative "
            "eigenvalue there."
        )
