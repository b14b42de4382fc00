"""Where prediction meets measurement: the only module of landscape that knows theory.

Theory is handed numbers (p and q as decimals, weights as arrays) and never a tensor, a model or a
measured spectrum; what it answers is set beside the measurement here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, cast

import mpmath
import numpy as np
from torch import nn

from landscape.critical_point import CriticalPoint
from landscape.models import ReducedModel, SingleLayer
from landscape.sources import BinaryMarkov, MarkovSource
from landscape.spectrum import Spectrum
from theory.numeric import function
from theory.prediction import PredictedSpectrum
from theory.source import entropy_rate, unigram_entropy
from theory.spectra import (
    ansatz_bigram,
    bigram_spectrum,
    reduced_bigram_spectrum,
    reduced_unigram_spectrum,
    single_layer_representation,
    unigram_spectrum,
)
from theory.symbols import p as _p
from theory.symbols import q as _q

if TYPE_CHECKING:
    import xarray

PROBABILITIES = (_p, _q)

Verdict = Literal["verified", "refuted", "inconclusive", "not-applicable"]

SPECTRUM_TOLERANCE = 1e-12  # times max(1, ||H||): round-off of D eigenvalues of a float64 Hessian
LOSS_TOLERANCE = 1e-14  # a few units in the last place of a loss near 1
GRADIENT_TOLERANCE = 1e-14  # times max(1, E|grad logit|): round-off of the residuals it averages


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


def predict(
    model: nn.Module, point: CriticalPoint, source: MarkovSource
) -> PredictedSpectrum | None:
    """What theory says of the Hessian spectrum at a constructed point; None for a trained one.

    At the unigram it is the closed-form block of a causal model at the point's own weights; at the
    bigram the Gauss-Newton matrix of the ansatz. At p+q = 1 the bigram point has e = 0, so it lies
    on the unigram set, and is predicted as such.
    """
    if not isinstance(source, BinaryMarkov):
        return None
    p, q = source.p, source.q
    at_unigram = point.kind == "unigram" or (point.kind == "bigram" and source.degenerate)
    if isinstance(model, ReducedModel) and point.kind in ("unigram", "bigram"):
        w = point.params["feedforward"].item()
        if at_unigram:
            return reduced_unigram_spectrum(p, q, w)
        return reduced_bigram_spectrum(p, q, w)
    if not isinstance(model, SingleLayer):
        return None
    weights = {name: value.double().cpu().numpy() for name, value in point.params.items()}
    tying = cast(Literal["tied", "untied"], model.tying)
    if at_unigram:
        z, J = single_layer_representation(weights)
        parameters = sum(value.size for value in weights.values())
        return unigram_spectrum(z, J, p=p, q=q, tying=tying, parameters=parameters)
    if point.kind == "bigram" and point.coordinates is not None:
        e, w = point.coordinates["e"], point.coordinates["w"]
        alpha = weights["embedding"] / e
        score = float((weights["query"] @ alpha) @ (weights["key"] @ alpha)) / model.width**0.5
        return bigram_spectrum(
            p=p,
            q=q,
            w=w,
            e_sign=1 if e > 0 else -1,
            width=model.width,
            hidden=model.hidden,
            length=model.length,
            tying=tying,
            attention_score=score,
        )
    return None


def compare(
    model: nn.Module, point: CriticalPoint, spectrum: Spectrum, source: MarkovSource
) -> Report:
    """Set the spectrum measured at a point beside the one predicted there.

    Args:
        model: which closed form applies.
        point: where the spectrum was measured.
        spectrum: the measurement.
        source: the chain, its p and q exact.

    Returns:
        A `Report`. At a relu kink every verdict is "not-applicable": the loss has no Hessian
        there, whatever number automatic differentiation returns.
    """
    if spectrum.kink:
        check = Check(
            "differentiable",
            "no relu pre-activation is 0 where its outgoing weights are not",
            "this project, hypothesis of the universal unigram law",
            None,
            spectrum.min_preactivation or 0.0,
            None,
            "not-applicable",
        )
        return Report(None, None, "not-applicable", (check,))
    predicted = predict(model, point, source)
    if predicted is None or not isinstance(source, BinaryMarkov):
        return Report(None, None, _curvature_word(spectrum), ())

    full = predicted.full()
    max_error = float(np.abs(full - spectrum.eigenvalues.cpu().numpy()).max())
    size = float(np.abs(full).max(initial=1.0))
    # the logits of the ansatz are differences of terms of size e^2, which grows near w = -1/sqrt(2)
    cancelled = max(1.0, point.coordinates["e"] ** 2) if point.coordinates else 1.0
    tolerance = SPECTRUM_TOLERANCE * size * cancelled
    name, value = "H_u", entropies(source.p, source.q)[0]
    if point.kind == "bigram":
        name, value = "H_b", entropies(source.p, source.q)[1]
    # ||H|| is at least the largest eigenvalue of E[r(1-r) g g^T], so that this bounds E|g|
    chances = np.append(source.next_law(1)[:, 1], source.context_law(1)[1])
    spread = float((chances * (1 - chances)).min())
    steepness = max(1.0, (float(np.abs(full).max()) / spread) ** 0.5)
    inertia = _inertia(predicted, spectrum, max_error, tolerance, source.degenerate)
    checks = [
        _within("loss", f"the loss is {name}", value, spectrum.loss, LOSS_TOLERANCE * cancelled),
        _within(
            "gradient",
            "the gradient vanishes",
            0.0,
            spectrum.gradient_norm,
            GRADIENT_TOLERANCE * steepness * cancelled,
        ),
        _within("spectrum", "all eigenvalues are the predicted ones", 0.0, max_error, tolerance),
        inertia,
        _word(predicted, spectrum, point.kind, source.degenerate, inertia.verdict),
    ]
    if point.coordinates is not None and not source.degenerate:
        checks.append(_coordinates(point.coordinates, source, isinstance(model, ReducedModel)))
    word = predicted.classification
    if inertia.verdict != "verified":
        word = "undecided" if inertia.verdict == "inconclusive" else _curvature_word(spectrum)
    return Report(predicted, max_error, word, tuple(checks))


@cache
def entropies(p: Decimal, q: Decimal) -> tuple[float, float]:
    """Theory's H_u and H_b in nats, evaluated from the decimals with 30 digits."""
    with mpmath.workdps(30):
        exact = [mpmath.mpf(x.numerator) / x.denominator for x in (Fraction(p), Fraction(q))]
        values = function(PROBABILITIES, [unigram_entropy(), entropy_rate()], mpmath)(*exact)
        return float(values[0]), float(values[1])


def _coordinates(measured: Mapping[str, float], source: BinaryMarkov, reduced: bool) -> Check:
    """The (e, w, b) at which the bigram point was built are theory's, solved from grad L = 0."""
    sign = 1 if measured["e"] > 0 or reduced else -1  # the reduced model keeps one branch
    e, w, b = ansatz_bigram(source.p, source.q, measured["w"], sign)
    pairs = ((abs(e), abs(measured["e"])), (w, measured["w"]), (b, measured["b"]))
    error = max(abs(x - y) / max(1.0, abs(x)) for x, y in pairs)
    return _within("coordinates", "(e, w, b) are those theory solves for", 0.0, error, 1e-13)


def _within(name: str, claim: str, predicted: float, measured: float, tolerance: float) -> Check:
    verdict: Verdict = "verified" if abs(measured - predicted) <= tolerance else "refuted"
    return Check(name, claim, "Attention with Markov", predicted, measured, tolerance, verdict)


def _inertia(
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


def _word(
    predicted: PredictedSpectrum, spectrum: Spectrum, kind: str, degenerate: bool, counted: Verdict
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


NOT_CRITICAL = "not a critical point"
CLEAR = float(np.finfo(np.float64).eps) ** 0.5


def _curvature_word(spectrum: Spectrum) -> str:
    """What can be said of the signs at a point that no theorem speaks about, such as a trained one.

    Such a point is critical only to its gradient norm, so eigenvalues below sqrt(eps) ||H|| have
    no sign that means anything, however many of them lie beyond the eigensolver's bound. Where the
    gradient exceeds that too, the point is not critical, and the word says so.
    """
    lowest = float(spectrum.eigenvalues[0])
    clear = CLEAR * float(spectrum.eigenvalues.abs().max())
    word = "negative curvature" if lowest < -clear else "no clear negative curvature"
    return word if spectrum.gradient_norm <= clear else f"{word}, {NOT_CRITICAL}"
