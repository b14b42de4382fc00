"""How sure the answers are: what was compared, proved and run, and what would refute them."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from landscape.report.data.cell_file import POINTS, CellRecord
from landscape.report.data.counting import FALLS, called, cuts, falling, share_stuck
from landscape.report.data.theorems import TheoremRecord
from landscape.report.text.typeset import between, counted, percent, scientific
from landscape.training.outcome import MARGIN

MOST = 3
"""Pairs of mirrored cells that are named."""

SENTENCE = re.compile(r"(?<=[.;:]) (?=(?:The|the) machine )")
SIZE = re.compile(r"\b[A-Za-z] (?:=|<=) (?:[A-Za-z] = )*\d")


def sure(
    records: Sequence[CellRecord], theorems: Sequence[TheoremRecord], quarantined: int
) -> Iterator[str]:
    """Comparison, proofs, runs, what would refute the answers, and what is missing."""
    done = [record for record in records if record.state == "done"]
    yield from _compared(done)
    if theorems:
        proved = sum(bool(theorem["proved"]) for theorem in theorems)
        steps = [step for theorem in theorems for step in theorem["steps"]]
        cited = sum(step["kind"] == "lemma" for step in steps)
        lemmas = (
            f" {counted(cited, 'step')} of {len(steps)} cite the literature, which no machine "
            "checked."
            if cited
            else ""
        )
        yield (
            f"Proofs: {proved} of {counted(len(theorems), 'theorem')} proved; SymPy checked "
            f"their algebra, at sizes that each states.{lemmas}"
        )
    share = share_stuck(done)
    if share is not None:
        runs, steps_of = _training(done)
        recur = share.independent < share.runs
        note = (
            f" Seeds recur in every cell, so the limits count each once, "
            f"{counted_as(share.independent)} in all: they are wide, and more seeds would narrow "
            "them."
            if recur
            else ""
        )
        yield f"Training: {runs} a cell, {steps_of}.{note} A run that is stuck may leave later."
    yield from _refuted_by(done)
    yield from _gaps(records, quarantined)


def _compared(done: Sequence[CellRecord]) -> Iterator[str]:
    pairs = [(record, kind, record.point(kind)) for record in done for kind in POINTS]
    compared = [found for found in pairs if found[2] and found[2]["max_error"] is not None]
    if not compared:
        return
    record, kind, point = max(compared, key=lambda found: float(found[2]["max_error"]))
    eigenvalues = sum(sum(found["predicted_inertia"]) for _, _, found in compared)
    verdicts = Counter(str(found["verdict"]) for _, _, found in compared)
    counts = ", ".join(f"{verdicts[name]} {name}" for name in sorted(verdicts))
    yield (
        f"Theory against measurement: {counted(len(compared), 'spectrum', 'spectra')}, {counts}."
    )
    yield (
        f"These are {eigenvalues:,} eigenvalues, from theory and measured apart from it. Largest "
        f"difference {scientific(point['max_error'])}, at the {kind} of "
        f"{record.config.source.words}{_allowed(record, kind)}."
    )


def _allowed(record: CellRecord, kind: str) -> str:
    """The tolerance of the check of a spectrum, for a sentence; empty without one."""
    found = [check for check in record.checks.get(kind, ()) if check["id"] == "spectrum"]
    if not found or found[0]["tolerance"] is None:
        return ""
    return f"; the check there allows {scientific(found[0]['tolerance'])}"


def _refuted_by(done: Sequence[CellRecord]) -> Iterator[str]:
    """What a reader would have to find, or the scan to have found, for the answer to be wrong."""
    points = [record.point(kind) for record in done for kind in POINTS]
    judged = [point for point in points if point and point["predicted_inertia"] is not None]
    if not judged:
        return
    text = (
        "This would be refuted by a point whose numbers of negative, zero and positive eigenvalues "
        "are not the predicted ones"
    )
    able = [record for record in done if record.stuck is not None]
    if {"saddle", "local minimum"} <= {called(record) for record in able}:
        text += "; the explanation, by runs that get stuck as often where theory sees a saddle"
    refuted = sum(point["verdict"] == "refuted" for point in judged)
    yield f"{text}. Refuted so far: {refuted or 'none'} of {counted(len(judged), 'point')}."


def counted_as(independent: float) -> str:
    """A number of seeds, which need not be whole.

    >>> counted_as(1.0), counted_as(3.25)
    ('1 seed', '3.25 seeds')
    """
    return f"{independent:.3g} seed{'' if independent == 1 else 's'}"


GAPS = {
    "missing": "have no result yet",
    "failed": "could not be measured",
    "damaged": "cannot be read",
}
"""What is said of cells that are not done, by their state."""


def _gaps(records: Sequence[CellRecord], quarantined: int) -> Iterator[str]:
    for state, what in GAPS.items():
        found = [record for record in records if record.state == state]
        if found:
            many = f"{len(found)} of {counted(len(records), 'cell')} {what}"
            why = sorted({record.why for record in found} if state == "failed" else ())
            yield f"Missing from this page: {'; '.join([many, *why])}."
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


def sure_further(records: Sequence[CellRecord]) -> Iterator[str]:
    """How the count depends on the cut, what the ends look like, and mirrored cells."""
    able = [record for record in records if record.stuck is not None]
    yield from _cut(able)
    yield from _ends(able)
    yield from _mirrored(able)


def _cut(able: Sequence[CellRecord]) -> Iterator[str]:
    stuck = sum(outcome == "unigram" for cell in able for outcome in cell.scalars["outcome"])
    if not able:
        return
    half, twice, early = cuts(able)
    if not (stuck or half.count or twice.count or early.count):
        return
    fall = Counter(
        outcome
        for cell in able
        for outcome, falls in zip(cell.scalars["outcome"], falling(cell), strict=True)
        if falls and outcome != "bigram"
    )
    yield (
        f"The cut is a convention. Within {percent(MARGIN)} of the gap H_u \N{MINUS SIGN} H_b, at "
        f"the end: {counted(stuck, 'run')}; within {percent(half.margin)}: {half.count}; within "
        f"{percent(twice.margin)}: {twice.count}; within {percent(early.margin)} after half of the "
        f"steps: {early.count}. Still falling, by over {percent(FALLS)} of the gap in the last "
        f"tenth of the steps: {fall['unigram']} of the stuck, and {fall['other']} of those that "
        "end at “other”."
    )


def _ends(able: Sequence[CellRecord]) -> Iterator[str]:
    rows = [
        end
        for cell in able
        for outcome, end in zip(cell.scalars["outcome"], cell.ends, strict=bool(cell.ends))
        if outcome == "unigram" and end.get("inertia") is not None
    ]
    if not rows:
        return
    words: dict[str, list[float]] = {}
    for end in rows:
        words.setdefault(str(end["classification"]), []).append(float(end["lowest"]))
    split = "; ".join(
        f"{len(values)} of {len(rows)} have {word} (λ_min {between(values)})"
        for word, values in sorted(words.items())
    )
    slopes = between([float(end["gradient_norm"]) for end in rows])
    yield (
        f"Where the stuck runs end: {split}. Gradient norms: {slopes}. λ_min is the lowest "
        "eigenvalue of the Hessian there; its sign counts as clear beyond √ε‖H‖, and a gradient "
        "above that means that the run has not come to rest at a critical point."
    )


def fisher(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Fisher's exact two-sided p value for two counts, each a number of so many.

    >>> round(fisher((0, 4), (3, 4)), 4), fisher((2, 4), (2, 4))
    (0.1429, 1.0)
    """
    from scipy.stats import fisher_exact  # which takes a second to load, and few pages need

    return float(fisher_exact([[k, n - k] for k, n in (first, second)]).pvalue)


def _mirrored(able: Sequence[CellRecord]) -> Iterator[str]:
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


def with_sizes(statement: str) -> bool:
    """Whether a statement says at which sizes the machine has gone through something.

    >>> with_sizes("It is so. The machine differentiates the logit at d = r = 1, N = 2.")
    True
    >>> with_sizes("It is so at d = 1.")
    False
    """
    return any(
        part.lower().startswith("the machine ") and SIZE.search(part) is not None
        for part in SENTENCE.split(statement)
    )


def what_was_checked(theorem: TheoremRecord) -> str:
    """The steps of a theorem's proof by who vouches for them, and whether sizes are stated.

    >>> steps = [{"kind": "identity"}, {"kind": "lemma"}]
    >>> what_was_checked({"steps": steps, "statement": "It is so."})
    '1 step by SymPy, 1 cited'
    """
    cited = sum(step["kind"] == "lemma" for step in theorem["steps"])
    machine = len(theorem["steps"]) - cited
    parts = [f"{machine} step{'' if machine == 1 else 's'} by SymPy"]
    if cited:
        parts.append(f"{cited} cited")
    if with_sizes(theorem["statement"]):
        parts.append("sizes stated")
    return ", ".join(parts)
