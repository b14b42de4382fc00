"""What a scan found, in sentences made from its numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from landscape.report.cell_file import POINTS, CellRecord
from landscape.report.counting import Group, Share, called, share_stuck
from landscape.report.held import TheoremRecord
from landscape.report.wording import counted, percent, scientific

__all__ = ["Summary", "summarise"]


MOST = 4
"""Settings that are named; the table on the page has them all."""


@dataclass(frozen=True)
class Summary:
    """The three answers of the page, each as sentences: which get stuck, why, and how sure."""

    which: tuple[str, ...]
    why: tuple[str, ...]
    sure: tuple[str, ...]


def summarise(
    records: Sequence[CellRecord],
    parts: Sequence[Group],
    theorems: Sequence[TheoremRecord],
    quarantined: int,
) -> Summary:
    """The answers for the cells of a scan, `parts` being its groups.

    >>> summarise([], [], [], 0).which
    ('No cell is finished, so nothing can be said yet.',)
    """
    return Summary(
        which=tuple(_which(records, parts)),
        why=tuple(_why(records)),
        sure=tuple(_sure(records, theorems, quarantined)),
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
    if not able:
        yield "In none of the finished cells is there anything to be stuck at."
    elif not touched:
        yield f"No run got stuck, in any of {counted(able, 'cell')}."
    else:
        total = sum(part.touched for part in touched)
        yield f"Runs got stuck in {total} of {counted(able, 'cell')}."
        for part in touched[:MOST]:
            where = f"{part.touched} of {part.cells} cells"
            yield f"Where {part.name}: in {where} ({limits(part.share)})."
        if len(touched) > MOST:
            yield f"So do runs in {len(touched) - MOST} more settings, in the table below."
        rest = [part for part in parts if not part.touched]
        if rest:
            runs = sum(part.share.runs for part in rest)
            names = "; or ".join(part.name for part in rest[:MOST])
            more = f"; or in {len(rest) - MOST} more settings" if len(rest) > MOST else ""
            yield f"Nowhere else: none of {counted(runs, 'run')} where {names}{more}."
    flat = sum(record.state == "done" and record.config.source.degenerate for record in records)
    if flat:
        yield (
            f"In {counted(flat, 'more cell')} the symbols are independent (for two symbols: "
            "p + q = 1), so there is nothing to learn and nothing to be stuck at."
        )


def _why(records: Sequence[CellRecord]) -> Iterator[str]:
    by_word: dict[str, list[CellRecord]] = {}
    for record in records:
        if record.stuck is not None and called(record) != "no prediction":
            by_word.setdefault(called(record), []).append(record)
    if not by_word:
        yield (
            "Theory makes no prediction for these models here, so the page shows what was "
            "measured and gives no reason."
        )
        return
    yield (
        "At the unigram solution the gradient is zero, so what a run does near it depends on the "
        "curvature. At a saddle there is a direction downhill, and runs leave along it. At a local "
        "minimum there is none: a run that comes close stays."
    )
    for word, cells in sorted(by_word.items()):
        share = share_stuck(cells)
        if share is not None:
            article = "an" if word[0] in "aeiou" else "a"
            yield (
                f"Theory calls it {article} {word} in {counted(len(cells), 'cell')}, and there "
                f"{share.stuck} of {counted(share.runs, 'run')} got stuck "
                f"({percent(share.stuck / share.runs)})."
            )


def _sure(
    records: Sequence[CellRecord], theorems: Sequence[TheoremRecord], quarantined: int
) -> Iterator[str]:
    done = [record for record in records if record.state == "done"]
    points = [record.point(kind) for record in done for kind in POINTS]
    compared = [point for point in points if point and point["max_error"] is not None]
    if compared:
        error = max(point["max_error"] for point in compared)
        eigenvalues = sum(sum(point["predicted_inertia"]) for point in compared)
        verdicts = Counter(str(point["verdict"]) for point in compared)
        counts = ", ".join(f"{verdicts[name]} {name}" for name in sorted(verdicts))
        yield (
            f"Theory against measurement: {counted(len(compared), 'spectrum', 'spectra')} "
            f"({eigenvalues:,} eigenvalues), computed from theory and measured apart from it. "
            f"Largest difference {scientific(error)}. Verdicts: {counts}."
        )
    if theorems:
        proved = sum(bool(theorem["proved"]) for theorem in theorems)
        yield (
            f"Proofs: {proved} of {counted(len(theorems), 'theorem')} proved in steps that a "
            "machine has accepted; they are below."
        )
    share = share_stuck(done)
    if share is not None:
        runs, steps = _training(done)
        recur = share.independent < share.runs
        note = (
            f" The same {share.independent:.3g} seeds recur in every cell, so the limits count "
            "them once: they are wide, and more seeds would narrow them."
            if recur
            else ""
        )
        yield f"Training: {runs} a cell, {steps}.{note} A run that is stuck may leave later."
    yield from _gaps(records, quarantined)


def _gaps(records: Sequence[CellRecord], quarantined: int) -> Iterator[str]:
    for state, what in (("missing", "have no result yet"), ("damaged", "cannot be read")):
        count = sum(record.state == state for record in records)
        if count:
            yield f"Missing from this page: {count} of {counted(len(records), 'cell')} {what}."
    diverged = sum(
        loss is None for record in records for loss in record.scalars.get("final_loss", ())
    )
    if diverged:
        yield f"Left out: {counted(diverged, 'run')} whose loss is not finite, and their cells."
    if quarantined:
        yield f"{counted(quarantined, 'damaged cell')} set aside in the folder quarantine/."
    faults = sum(
        len(record.point(kind).get("slice_faults", ())) for record in records for kind in POINTS
    )
    if faults:
        yield f"{counted(faults, 'fault')} found by the loss surfaces' own checks."


def _training(done: Sequence[CellRecord]) -> tuple[str, str]:
    seeds = sorted({record.config.train.seeds for record in done})
    steps = sorted({record.config.train.steps for record in done})
    runs = counted(seeds[0], "run") if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} runs"
    return runs, f"{steps[0]} steps" if len(steps) == 1 else f"{steps[0]} to {steps[-1]} steps"
