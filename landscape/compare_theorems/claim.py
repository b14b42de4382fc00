"""What a theorem says about one point, beside what was measured there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from landscape.compare_checks import Check, Value, Verdict
from theory.theorem import Theorem

__all__ = ["Claim", "NotApplicable", "judge"]


@dataclass(frozen=True)
class NotApplicable(Exception):
    """A hypothesis on the model or its source that fails, in words."""

    reason: str


@dataclass(frozen=True)
class Claim:
    """A consequence of a theorem at one point, predicted and measured.

    Fields:
        what: which of the theorem's consequences, a word for the id.
        text: the claim in words.
        predicted, measured: numbers, counts or names.
        tolerance: how far two numbers may differ; None where the two must be equal.
        exact: whether it is a case of what is proved, from exact inputs.
        certificate: what vouches for a sign, beside the proof.
        undecided: why the measurement cannot tell, if it cannot.
        beyond: why the claim is more than what is proved, where it is not `exact`.
    """

    what: str
    text: str
    predicted: Value
    measured: Value
    tolerance: float | None = None
    exact: bool = True
    certificate: Mapping[str, Any] | None = None
    undecided: str = ""
    beyond: str = "the prediction has measured inputs"

    @property
    def error(self) -> float | None:
        """|predicted - measured|, where both are numbers."""
        if isinstance(self.predicted, float) and isinstance(self.measured, float):
            return abs(self.predicted - self.measured)
        return None

    @property
    def agrees(self) -> bool:
        """Whether the measurement is what was predicted, to the tolerance."""
        if self.error is None or self.tolerance is None:
            return self.predicted == self.measured
        return self.error <= self.tolerance


def judge(theorem: Theorem, claim: Claim, digest: str | None) -> Check:
    """The verdict on a claim; `digest` is that of the theorem's proof, None if it is not proved."""
    verdict: Verdict
    note = claim.undecided
    if not claim.agrees:
        verdict = "inconclusive" if note else "refuted"
    elif note:
        verdict = "inconclusive"
    elif digest is None:
        verdict, note = "inconclusive", f"the proof of {theorem.id} is not accepted"
    else:
        verdict = "proved" if claim.exact else "verified"
        if not claim.exact:
            note = claim.beyond
    proof = None if digest is None else {"theorem": theorem.id, "proof": digest}
    return Check(
        id=f"{theorem.id}/{claim.what}",
        claim=claim.text,
        source=theorem.source,
        predicted=claim.predicted,
        measured=claim.measured,
        tolerance=claim.tolerance,
        verdict=verdict,
        error=claim.error,
        certificate=claim.certificate or proof,
        note=note,
    )
