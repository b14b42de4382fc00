"""What a scan's own checks say of each theorem."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from landscape.report.data.cell_file import CellRecord

__all__ = ["TheoremRecord", "held", "repeats", "worst"]

TheoremRecord = Mapping[str, Any]
"""A theorem as plain data, for this layer imports no theory.

Keys: id, title, statement, source, hypotheses (words), proved, steps and control (each with kind,
claim, where, mathml, reason, and same where both sides of an identity are one expression, which
is then set once; steps with accepted, the control with refuted), applies (ids of the
cells whose source fulfils the hypotheses), kinds (of model, empty for all), tying (None for both)
and checks (pairs of a point and the id of a check that is a consequence of it).
"""

WORST = ("refuted", "inconclusive", "verified")


def held(theorem: TheoremRecord, records: Sequence[CellRecord]) -> dict[str, int]:
    """How many of the checks that follow from a theorem had each verdict; empty without any.

    >>> held({"checks": [], "applies": [], "kinds": [], "tying": None}, [])
    {}
    """
    return dict(Counter(verdict for _, verdict in _follow(theorem, records)))


def repeats(theorems: Sequence[TheoremRecord], records: Sequence[CellRecord]) -> tuple[int, int]:
    """How many checks follow from a theorem, and how often they count: for each that they follow.

    >>> repeats([], [])
    (0, 0)
    """
    keys = [key for theorem in theorems for key, _ in _follow(theorem, records)]
    return len(set(keys)), len(keys)


def _follow(
    theorem: TheoremRecord, records: Sequence[CellRecord]
) -> Iterator[tuple[tuple[str, str, str], str]]:
    """Cell, point and id of the checks that follow from a theorem, with their verdicts."""
    applies = set(theorem["applies"])
    for record in records:
        model = record.config.model
        fits = record.config.id in applies
        fits &= not theorem["kinds"] or model.kind in theorem["kinds"]
        fits &= theorem["tying"] is None or model.tying == theorem["tying"]
        if not fits:
            continue
        for point, name in theorem["checks"]:
            for check in record.checks.get(point, ()):
                if check["id"] == name and check["verdict"] != "not-applicable":
                    yield (record.config.id, point, name), check["verdict"]


def worst(counts: Mapping[str, int]) -> str:
    """The verdict that counts: one refuted check refutes.

    >>> worst({"verified": 99, "refuted": 1}), worst({})
    ('refuted', 'not measured')
    """
    return next((verdict for verdict in WORST if counts.get(verdict)), "not measured")
