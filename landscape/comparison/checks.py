"""One claim, the predicted and the measured number, and the verdict between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from landscape.spectra.spectrum import Spectrum
from theory.proving.theorem import Theorem
from theory.spectra.predicted_spectrum import PredictedSpectrum

if TYPE_CHECKING:
    import xarray

Verdict = Literal["proved", "verified", "refuted", "inconclusive", "not-applicable"]
"""proved: it follows from a proved theorem and exact inputs, and the measurement, in floats,
agrees. verified: the prediction has a measured input, or is of a size larger than those that the
machine goes through, and the measurement agrees. refuted: the measurement disagrees. inconclusive:
it cannot tell. not-applicable: a hypothesis fails."""

WORST: tuple[Verdict, ...] = ("refuted", "inconclusive", "not-applicable", "verified", "proved")

Value = int | float | list[int] | list[float] | str | None


@dataclass(frozen=True)
class Check:
    """One claim, the number theory gives, the number measured, and the verdict between them.

    `error` is their difference where both are numbers; `certificate` what vouches for the
    prediction beside the proof: a certificate that `theory.checker.check.check` validates,
    or the digest of the proof; `note` says why a verdict is not better.
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


BLURRED = 1e-6
"""Tolerance, relative to what is compared, beyond which an agreement says nothing."""


def within(
    name: str, claim: str, predicted: float, measured: float, tolerance: float, size: float = 1.0
) -> Check:
    """Two numbers that differ by no more than a tolerance.

    "inconclusive" where that is more than `BLURRED` of their `size`, as at enormous weights.
    """
    error = abs(measured - predicted)
    verdict: Verdict = "verified" if error <= tolerance else "refuted"
    note = ""
    if verdict == "verified" and not tolerance <= BLURRED * size:
        verdict, note = "inconclusive", f"float64 tells it to {tolerance:.0e} only"
    origin = "Attention with Markov"
    return Check(name, claim, origin, predicted, measured, tolerance, verdict, error, note=note)


def same_inertia(
    predicted: PredictedSpectrum,
    spectrum: Spectrum,
    max_error: float,
    tolerance: float,
    degenerate: bool,
) -> Check:
    """Equal counts of signs.

    "inconclusive" where float64 cannot tell: where theory's own block has an eigenvalue within
    round-off of 0, or where the counts differ by eigenvalues within the tolerance of 0 only. A
    prediction that denies a clearly measured sign is refuted.
    """
    measured = spectrum.eigenvalues
    clear = (int((measured < -tolerance).sum()), int((measured > tolerance).sum()))
    denied = predicted.inertia[0] < clear[0] or predicted.inertia[2] < clear[1]
    blurred = predicted.zeros > predicted.parameters - len(predicted.eigenvalues) and not degenerate
    verdict: Verdict = "verified" if spectrum.inertia == predicted.inertia else "refuted"
    if denied:
        verdict = "refuted"
    elif blurred or (verdict == "refuted" and max_error <= tolerance):
        verdict = "inconclusive"
    return Check(
        "inertia",
        "the numbers of negative, zero and positive eigenvalues are the predicted ones",
        "this project, universal unigram law and bigram Gauss-Newton rank",
        list(predicted.inertia),
        list(spectrum.inertia),
        None,
        verdict,
    )


def same_word(
    predicted: PredictedSpectrum,
    spectrum: Spectrum,
    kind: str,
    degenerate: bool,
    counted: Verdict,
) -> Check:
    """The name theory gives the point is the one the measured signs give it."""
    if degenerate:
        word = "degenerate"
    elif spectrum.inertia[0]:
        word = "saddle"
    else:
        word = "local minimum" if kind == "unigram" else "global minimum"
    verdict: Verdict = "verified" if predicted.classification == word else "refuted"
    if counted == "inconclusive":
        verdict = "inconclusive"
    claim = "the point is what theory calls it, by its measured signs"
    given = predicted.classification
    return Check("classification", claim, "Attention with Markov", given, word, None, verdict)


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
        found = {check.verdict for check in self.checks}
        order: tuple[Verdict, ...] = ("refuted", "inconclusive", "not-applicable", "verified")
        return next((verdict for verdict in order if verdict in found), "not-applicable")

    def to_xarray(self) -> xarray.Dataset:
        """Predicted eigenvalues (all D, ascending) and inertia, and the checks as columns."""
        import json

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
