"""Where a measured spectrum meets the predicted one.

Theory is handed numbers (p and q as decimals, weights as arrays) and never a tensor, a model or a
measured spectrum; what it answers is set beside the measurement here.
"""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import cast

import mpmath
import numpy as np
from torch import nn

from landscape.comparison.checks import Check, Report, within
from landscape.comparison.unigram_law import (
    FailedHypothesis,
    UnigramPrediction,
    arrays_of,
    predict_unigram,
)
from landscape.models import ReducedModel, SingleLayer
from landscape.models.protocols import OnAnsatz
from landscape.objectives.exact import ExactLoss
from landscape.objectives.protocol import Objective
from landscape.points.critical_point import CriticalPoint
from landscape.sources import TwoState
from landscape.sources.protocol import Exact
from landscape.spectra.spectrum import Spectrum
from theory.chain.binary import entropy_rate, unigram_entropy
from theory.numeric import function
from theory.precision import workdps
from theory.spectra.bigram import bigram_spectrum
from theory.spectra.predicted_spectrum import PredictedSpectrum
from theory.spectra.reduced import ansatz_bigram, reduced_bigram_spectrum, reduced_unigram_spectrum
from theory.spectra.states import states_spectrum
from theory.spectra.universal_law import Tying, lag_covariances
from theory.statements.registry import theorems
from theory.symbols import p, q
from theory.transformer.representation import single_layer_representation

SPECTRUM_TOLERANCE = 1e-12  # times max(1, ||H||): round-off of D eigenvalues of a float64 Hessian

LOSS_TOLERANCE = 1e-14  # a few units in the last place of a loss near 1

GRADIENT_TOLERANCE = 1e-14  # times max(1, E|grad logit|): round-off of the residuals it averages

COVARIANCE_TOLERANCE = 1e-14  # probabilities of N steps, each rounded to 1e-16

KINDS = {SingleLayer: "single-layer", ReducedModel: "reduced"}
"""The models that theorems are about by their names."""


def predict(
    model: nn.Module, objective: Objective, point: CriticalPoint
) -> PredictedSpectrum | None:
    """What theory says of the Hessian spectrum at a constructed point; None for a trained one.

    At the unigram it is the closed-form block of a causal model at the point's own weights, for any
    `Readable` model and any stationary source; at the bigram the Gauss-Newton matrix of the ansatz,
    for the paper's models on the binary chain. None where neither speaks, where a hypothesis fails,
    and for a loss that is not the population's. At p+q = 1 the bigram point has e = 0, so it lies
    on the unigram set, and is predicted as such.

    Args:
        model: which closed form applies.
        objective: the loss, which tells the chain and N.
        point: where.
    """
    found = _predicted(model, objective, point)
    if isinstance(found, UnigramPrediction):
        return found.spectrum
    return found if isinstance(found, PredictedSpectrum) else None


def _predicted(
    model: nn.Module, objective: Objective, point: CriticalPoint
) -> PredictedSpectrum | UnigramPrediction | FailedHypothesis | None:
    """The exact prediction for the paper's models, else what the universal unigram law says."""
    if not isinstance(objective, ExactLoss):
        return None
    source, length = objective.source, objective.length
    if isinstance(model, (SingleLayer, ReducedModel)) and isinstance(source, TwoState):
        return _predict_exactly(model, point, source, length)
    if point.kind != "unigram":
        return None
    return predict_unigram(model, point.params, source, length)


def _predict_exactly(
    model: SingleLayer | ReducedModel, point: CriticalPoint, source: TwoState, length: int
) -> PredictedSpectrum | None:
    """The paper's models on the binary chain, from p and q as decimals."""
    p, q = source.p, source.q
    if point.kind not in ("unigram", "bigram"):
        return None
    at_unigram = point.kind == "unigram" or source.degenerate
    if not isinstance(model, SingleLayer):
        w = point.params["feedforward"].item()
        return (reduced_unigram_spectrum if at_unigram else reduced_bigram_spectrum)(p, q, w)
    tying = cast(Tying, model.tying)
    weights = arrays_of(point.params, length)
    if at_unigram:
        z, J = single_layer_representation(weights)
        return states_spectrum(
            z,
            J,
            lag_covariances(p=p, q=q, length=len(z)),
            tying=tying,
            parameters=sum(value.numel() for value in point.params.values()),
            head="logit",
            degenerate=source.degenerate,
            inputs="lag covariances of the chain; z and J derived from the weights",
        )
    if point.coordinates is None:
        return None
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
        length=length,
        positions=model.length,
        tying=tying,
        attention_score=score,
    )


def compare(
    model: nn.Module, objective: Objective, point: CriticalPoint, spectrum: Spectrum
) -> Report:
    """Set the spectrum measured at a point beside the one predicted there.

    Args:
        model: which closed form applies.
        objective: the loss that was measured, which tells the chain and N.
        point: where the spectrum was measured.
        spectrum: the measurement.

    Returns:
        A `Report`, whose checks name the theorems that they are consequences of. At a kink every
        verdict is "not-applicable": the loss has no Hessian there, whatever number automatic
        differentiation returns. So it is for a model whose logits are not what the names of its
        parameters promise. Of a loss that is not the population's, such as a sample's, only the
        signs of the curvature are told.
    """
    if spectrum.kink:
        at = spectrum.min_preactivation if spectrum.jump is None else spectrum.jump
        return _not_applicable("differentiable", at or 0.0)
    predicted = _predicted(model, objective, point)
    if isinstance(predicted, FailedHypothesis):
        return _not_applicable(predicted.name, predicted.measured)
    universal = predicted if isinstance(predicted, UnigramPrediction) else None
    if universal is not None:
        predicted = universal.spectrum
    if not isinstance(predicted, PredictedSpectrum):
        return Report(None, None, _curvature_word(spectrum), ())

    assert isinstance(objective, ExactLoss)  # or there would be no prediction
    source = objective.source
    chain = source if isinstance(source, TwoState) else None
    full = predicted.full()
    max_error = float(np.abs(full - spectrum.eigenvalues.cpu().numpy()).max())
    size = float(np.abs(full).max(initial=1.0))
    # the logits of the ansatz are differences of terms of size e^2, which grows near w = -1/sqrt(2)
    cancelled = max(1.0, point.coordinates["e"] ** 2) if point.coordinates else 1.0
    tolerance = SPECTRUM_TOLERANCE * size * cancelled
    name = "H_b" if point.kind == "bigram" else "H_u"
    if universal is not None:
        value, steepness = universal.source.unigram_loss, universal.steepness
        degenerate = universal.source.degenerate
    else:
        assert chain is not None  # what _predicted says by leaving out the other
        value = entropies(chain.p, chain.q)[point.kind == "bigram"]
        # ||H|| is at least the largest eigenvalue of E[r(1-r) g g^T], so that this bounds E|g|
        chances = np.append(source.next_law(1)[:, 1], source.context_law(1)[1])
        spread = float((chances * (1 - chances)).min())
        steepness = max(1.0, (float(np.abs(full).max()) / spread) ** 0.5)
        degenerate = chain.degenerate
    steep, every = GRADIENT_TOLERANCE * steepness, "all eigenvalues are the predicted ones"
    inertia = _same_inertia(predicted, spectrum, max_error, tolerance, degenerate)
    named = _same_word(predicted, spectrum, point.kind, degenerate, inertia, tolerance)
    checks = [
        within("loss", f"the loss is {name}", value, spectrum.loss, LOSS_TOLERANCE * cancelled),
        within("gradient", "the gradient vanishes", 0.0, spectrum.gradient_norm, steep * cancelled),
        within("spectrum", every, 0.0, max_error, tolerance, size),
        inertia,
        named,
    ]
    if point.coordinates is not None and chain is not None and not degenerate:
        mirror = isinstance(model, OnAnsatz) and model.mirror
        checks.append(_coordinates(point.coordinates, chain, mirror))
    if universal is not None and universal.source.derived:
        checks.append(_lags(universal))
    word = predicted.classification
    if inertia.verdict == "refuted":
        word = _curvature_word(spectrum)
    found = (_consequence(check, model, point.kind, chain) for check in checks)
    return Report(predicted, max_error, word, tuple(found))


def _consequence(check: Check, model: nn.Module, kind: str, chain: TwoState | None) -> Check:
    """The check with the theorems that it is a consequence of."""
    at = None if chain is None else (chain.p, chain.q)
    about = KINDS.get(type(model), ""), getattr(model, "tying", "")
    found = (t.id for t in theorems() if t.about(at) and t.scope.has(kind, check.id, *about))
    return replace(check, theorems=tuple(found))


def _same_inertia(
    predicted: PredictedSpectrum,
    spectrum: Spectrum,
    max_error: float,
    tolerance: float,
    degenerate: bool,
) -> Check:
    """Equal counts of signs.

    "inconclusive" where float64 cannot tell: where theory's own block has an eigenvalue that is 0
    to rounding and no symmetry says why, or where the counts differ by eigenvalues within the
    tolerance of 0 only. A prediction that denies a clearly measured sign is refuted.
    """
    check = Check.of(
        "inertia",
        "the numbers of negative, zero and positive eigenvalues are the predicted ones",
        list(predicted.inertia),
        list(spectrum.inertia),
        source="this project, universal unigram law and bigram Gauss-Newton rank",
    )
    measured = spectrum.eigenvalues
    clear = (int((measured < -tolerance).sum()), int((measured > tolerance).sum()))
    if predicted.inertia[0] < clear[0] or predicted.inertia[2] < clear[1]:
        return replace(check, verdict="refuted")
    blurred = predicted.zeros - (predicted.parameters - len(predicted.eigenvalues))
    if blurred and not degenerate:
        note = (
            f"{_eigenvalues(blurred)} of the predicted block {_are(blurred)} 0 to rounding and not "
            "by a symmetry of the network: float64 does not tell the sign, and at exactly 0 higher "
            "orders of the loss decide"
        )
        return replace(check, verdict="inconclusive", note=note)
    if check.verdict == "refuted" and max_error <= tolerance:
        small = spectrum.parameters - sum(clear) - predicted.zeros
        note = f"the counts differ by eigenvalues below {tolerance:.0e}, which float64 cannot tell"
        if small > 0:
            note = (
                f"{_eigenvalues(small)} that theory calls nonzero {_are(small)} below "
                f"{tolerance:.0e}, which float64 cannot tell from 0"
            )
        return replace(check, verdict="inconclusive", note=note)
    return check


def _eigenvalues(count: int) -> str:
    return "1 eigenvalue" if count == 1 else f"{count} eigenvalues"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _same_word(
    predicted: PredictedSpectrum,
    spectrum: Spectrum,
    kind: str,
    degenerate: bool,
    counted: Check,
    tolerance: float,
) -> Check:
    """The name theory gives the point is the one the measured signs give it.

    One certain negative eigenvalue makes a saddle, whatever the others are.
    """
    if degenerate:
        word = "degenerate"
    elif spectrum.inertia[0]:
        word = "saddle"
    else:
        word = "local minimum" if kind == "unigram" else "global minimum"
    claim = "the point is what theory calls it, by its measured signs"
    given = predicted.classification
    certain = given == word == "saddle" and float(spectrum.eigenvalues[0]) < -tolerance
    unclear = counted.note if counted.verdict == "inconclusive" and not certain else ""
    return Check.of("classification", claim, given, word, undecided=unclear)


TOO_SMALL = "an eigenvalue is too small for float64"

HYPOTHESES = {
    "differentiable": (
        "no slope of the network jumps there, as it does where a relu pre-activation is 0 and its "
        "outgoing weights are not"
    ),
    "readable": "the logits are the readout of represent(embedding + positions), plus the bias",
}


FAILURES = {
    "differentiable": "the loss has a kink here, and no Hessian",
    "readable": (
        "the logits differ by {:.1e} of their size from the readout of represent(embedding + "
        "positions), plus the bias: what the names of the model's parameters promise"
    ),
}
"""What it means that a hypothesis fails, and by how much."""


def _not_applicable(name: str, measured: float) -> Report:
    """A report of one hypothesis that fails."""
    origin = "this project, hypothesis of the universal unigram law"
    check = Check(name, HYPOTHESES[name], origin, None, measured, None, "not-applicable")
    check = replace(check, note=FAILURES[name].format(measured), theorems=("universal-law",))
    return Report(None, None, "not-applicable", (check,))


def _lags(universal: UnigramPrediction) -> Check:
    """The source's own lag covariances are those that theory derives from its kernel."""
    error = float(np.abs(universal.source.covariance - universal.source.given).max())
    claim = "the source's lag covariances are those of its kernel"
    origin = "this project, universal unigram law"
    return Check.of("lag-covariances", claim, 0.0, error, COVARIANCE_TOLERANCE, source=origin)


@cache
def entropies(up: Exact, down: Exact) -> tuple[float, float]:
    """Theory's H_u and H_b in nats at (p, q), evaluated from the decimals with 30 digits."""
    with workdps(30):
        exact = [mpmath.mpf(x.numerator) / x.denominator for x in (Fraction(up), Fraction(down))]
        values = function([p, q], [unigram_entropy(), entropy_rate()], mpmath)(*exact)
        return float(values[0]), float(values[1])


def _coordinates(measured: Mapping[str, float], source: TwoState, mirror: bool) -> Check:
    """The (e, w, b) at which the bigram point was built are theory's, solved from grad L = 0."""
    sign = -1 if mirror and measured["e"] < 0 else 1  # the reduced model keeps one branch
    e, w, b = ansatz_bigram(source.p, source.q, measured["w"], sign)
    pairs = ((abs(e), abs(measured["e"])), (w, measured["w"]), (b, measured["b"]))
    error = max(abs(x - y) / max(1.0, abs(x)) for x, y in pairs)
    return within("coordinates", "(e, w, b) are those theory solves for", 0.0, error, 1e-13)


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
