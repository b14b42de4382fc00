"""One claim, the predicted and the measured number, and the verdict between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from landscape.spectrum import Spectrum
from theory.prediction import PredictedSpectrum

Verdict = Literal["verified", "refuted", "inconclusive", "not-applicable"]


@dataclass(frozen=True)
class Check:
    """One claim, the number theory gives, the number measured, and the verdict between them."""

    id: str
    claim: str
    source: str
    predicted: float | list[int] | str | None
    measured: float | list[int] | str
    tolerance: float | None
    verdict: Verdict


def within(name: str, claim: str, predicted: float, measured: float, tolerance: float) -> Check:
    """Two numbers that differ by no more than a tolerance."""
    verdict: Verdict = "verified" if abs(measured - predicted) <= tolerance else "refuted"
    return Check(name, claim, "Attention with Markov", predicted, measured, tolerance, verdict)


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
