"""One claim, the predicted and the measured number, and the verdict between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from landscape.spectrum import Spectrum
from theory.prediction import PredictedSpectrum

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
    prediction beside the proof: a certificate that `theory.certify.check` validates, or the digest
    of the proof; `note` says why a verdict is not better.
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
