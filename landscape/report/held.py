"""What a scan's own checks say of each theorem."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from landscape.report.cell_file import CellRecord

__all__ = ["TheoremRecord", "held", "worst"]

TheoremRecord = Mapping[str, Any]
"""A theorem as plain data, for this layer imports no theory.

Keys: id, title, statement, source, hypotheses (words), proved, steps and control (each with kind,
claim, where, mathml, reason; steps with accepted, the control with refuted), applies (ids of the
cells whose source fulfils the hypotheses), kinds (of model, empty for all), tying (None for both)
and checks (pairs of a point and the id of a check that is a consequence of it).
"""

WORST = ("refuted", "inconclusive", "verified")


def held(theorem: TheoremRecord, records: Sequence[CellRecord]) -> dict[str, int]:
    """How many of the checks that follow from a theorem had each verdict; empty without any.

    >>> held({"checks": [], "applies": [], "kinds": [], "tying": None}, [])
    {}
    """
    found: Counter[str] = Counter()
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
                    found[check["verdict"]] += 1
    return dict(found)


def worst(counts: Mapping[str, int]) -> str:
    """The verdict that counts: one refuted check refutes.

    >>> worst({"verified": 99, "refuted": 1}), worst({})
    ('refuted', 'not measured')
    """
    return next((verdict for verdict in WORST if counts.get(verdict)), "not measured")
