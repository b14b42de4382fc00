"""One claim, the predicted and the measured number, and the verdict between them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from theory.spectra.predicted_spectrum import PredictedSpectrum

if TYPE_CHECKING:
    import xarray

Verdict = Literal["proved", "verified", "refuted", "inconclusive", "not-applicable"]
"""proved: it follows from a proved theorem and exact inputs, and the measurement, in floats,
agrees. verified: the prediction has a measured input, or is of a size larger than those that the
machine goes through, and the measurement agrees. refuted: the measurement disagrees. inconclusive:
it cannot tell. not-applicable: a hypothesis fails."""

ORDER: tuple[Verdict, ...] = ("refuted", "inconclusive", "not-applicable", "verified", "proved")

MEASURED_INPUTS = "the prediction has measured inputs"

Value = int | float | list[int] | list[float] | str | None


def worst(verdicts: Iterable[str]) -> Verdict:
    """The verdict that counts, one refuted check refuting all; "not-applicable" without any.

    >>> worst(["verified", "refuted", "proved"]), worst([])
    ('refuted', 'not-applicable')
    """
    found = set(verdicts)
    return next((verdict for verdict in ORDER if verdict in found), "not-applicable")


@dataclass(frozen=True)
class NotApplicable(Exception):
    """A hypothesis on the model or its source that fails, in words."""

    reason: str


@dataclass(frozen=True)
class Check:
    """One claim, the number theory gives, the number measured, and the verdict between them.

    Fields:
        id: a word for what is compared, in a verification after its theorem and a slash.
        claim: in words.
        source: the paper and the claim by name, or "this project".
        predicted, measured: numbers, counts or names.
        tolerance: how far two numbers may differ; None where the two must be equal.
        verdict: as `Verdict` says.
        error: |predicted - measured|, where both are numbers.
        certificate: what vouches for the prediction beside the proof: a certificate that
            `theory.check` validates, or the digest of the proof.
        note: why the verdict is not better.
        theorems: ids of those that it is a consequence of.

    >>> Check.of("loss", "the loss is H_u", 0.5, 0.75, 0.1).verdict
    'refuted'
    """

    id: str
    claim: str
    source: str
    predicted: Value
    measured: Value
    tolerance: float | None
    verdict: Verdict
    error: float | None = None
    certificate: Mapping[str, Any] | None = None
    note: str = ""
    theorems: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        id: str,
        claim: str,
        predicted: Value,
        measured: Value,
        tolerance: float | None = None,
        *,
        source: str = "Attention with Markov",
        undecided: str = "",
        certificate: Mapping[str, Any] | None = None,
    ) -> Check:
        """The check that a comparison leads to, "verified" where the two agree.

        Args:
            id, claim, predicted, measured, tolerance, source, certificate: as the fields.
            undecided: why the measurement cannot tell, if it cannot: "inconclusive".
        """
        error = None
        if isinstance(predicted, float) and isinstance(measured, float):
            error = abs(predicted - measured)
        agree = predicted == measured
        if error is not None and tolerance is not None:
            agree = error <= tolerance
        verdict: Verdict = "inconclusive" if undecided else "verified" if agree else "refuted"
        return cls(
            *(id, claim, source, predicted, measured, tolerance, verdict),
            error=error,
            certificate=certificate,
            note=undecided,
        )

    def beyond(self, reason: str) -> Check:
        """The same check where it is more than a theorem proves: what agrees is no more than that.

        >>> Check.of("loss", "", 0.5, 0.5, 0.1).beyond(MEASURED_INPUTS).note
        'the prediction has measured inputs'
        """
        return replace(self, note=reason) if self.verdict == "verified" else self


BLURRED = 1e-6
"""Tolerance, relative to what is compared, beyond which an agreement says nothing."""


def within(
    id: str, claim: str, predicted: float, measured: float, tolerance: float, size: float = 1.0
) -> Check:
    """Two numbers that differ by no more than a tolerance.

    "inconclusive" where that is more than `BLURRED` of their `size`, as at enormous weights.
    """
    found = Check.of(id, claim, predicted, measured, tolerance)
    if found.verdict == "refuted" or tolerance <= BLURRED * size:
        return found
    blurred = f"float64 tells it to {tolerance:.0e} only"
    return Check.of(id, claim, predicted, measured, tolerance, undecided=blurred)


@dataclass(frozen=True)
class Report:
    """A measured spectrum beside the predicted one.

    `predicted` is None at points no theorem speaks about (trained weights); `max_error` is the
    largest difference between the ascending eigenvalues, all D of them. `verdict` is the worst of
    the checks: "refuted", "inconclusive", "not-applicable", else "verified".
    """

    predicted: PredictedSpectrum | None
    max_error: float | None
    classification: str
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict among the checks; "not-applicable" without any."""
        return worst(check.verdict for check in self.checks)

    @property
    def reason(self) -> str:
        """Why the verdict is not better, as its checks found it, each reason once.

        Of a check without a note it is the claim that fails. Empty for "verified".
        """
        if self.verdict in ("proved", "verified"):
            return ""
        decisive = (check for check in self.checks if check.verdict == self.verdict)
        found = dict.fromkeys(check.note or f"it fails that {check.claim}" for check in decisive)
        return "; ".join(found) or "theory makes no prediction here"

    def to_xarray(self) -> xarray.Dataset:
        """Predicted eigenvalues (all D, ascending) and inertia, and the checks as columns."""
        import xarray

        attrs: dict[str, Any] = {
            "classification": self.classification,
            "verdict": self.verdict,
            "checks": json.dumps([asdict(check) for check in self.checks]),
        }
        if self.predicted is None or self.max_error is None:
            return xarray.Dataset(attrs=attrs)
        return xarray.Dataset(
            {
                "eigenvalue": ("index", self.predicted.full(), {"units": "nat"}),
                "inertia": ("sign", list(self.predicted.inertia)),
                "max_error": ((), self.max_error),
            },
            coords={"sign": ["negative", "zero", "positive"]},
            attrs={**attrs, "method": self.predicted.method},
        )
