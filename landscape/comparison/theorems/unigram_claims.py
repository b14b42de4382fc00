"""Claims about the unigram point of the chosen model and of the reduced one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from landscape.comparison.checks import MEASURED_INPUTS, Check, NotApplicable, Report
from landscape.comparison.spectra import SPECTRUM_TOLERANCE, TOO_SMALL
from landscape.comparison.theorems.subject import Subject, claims_of
from landscape.comparison.unigram_law import arrays_of, source_numbers
from landscape.models.protocols import Readable
from landscape.models.representation import representation
from theory.certificates.unigram import certify_unigram
from theory.reduced.critical_points import classify, one_sided_curvatures
from theory.spectra.states import contrasts, first_lag_criterion
from theory.spectra.universal_law import Tying
from theory.transformer.representation import single_layer_representation

__all__ = [
    "condition_claims",
    "kink_claims",
    "reduced_claims",
    "states_claims",
    "universal_claims",
    "untied_claims",
]

ROUND_OFF = 1e-10
"""Of a curvature extrapolated to the kink: eps/h of second derivatives near 1."""

EPS = float(np.finfo(np.float64).eps)

STEP = 2.0**-10
"""Of that extrapolation."""


@claims_of("tied-unigram")
def reduced_claims(subject: Subject) -> Iterator[Check]:
    """The Hessian of the reduced model at (0, w, ln(p/q)), and what the point is called."""
    p, q = subject.chances
    reduced = subject.reduced
    report = reduced.unigram_report
    yield from spectrum_claims(report)
    w = reduced.unigram.params["feedforward"].item()
    signs = reduced.unigram_spectrum.inertia
    yield Check.of(
        "classification",
        f"at w = {w:g} the unigram point is what the sign of (p+q-1)(1+2w|w|) says",
        classify(p, q, w),
        "degenerate" if subject.binary.degenerate else word_of(signs),
        undecided="" if signs[1] == 1 or subject.binary.degenerate else "a curvature is too small",
    )


@claims_of("universal-law")
def universal_claims(subject: Subject) -> Iterator[Check]:
    """The whole spectrum of the chosen model at its unigram point, by the universal law."""
    report = subject.unigram_report
    refuse_kink(subject)
    if report.predicted is None:
        reason = next((c.claim for c in report.checks if c.verdict == "not-applicable"), "")
        raise NotApplicable(
            f"its hypothesis fails: {reason}"
            if reason
            else "it is about a Readable model with a softmax or one logit, on a stationary source"
        )
    yield from spectrum_claims(report, "" if subject.on_ansatz is not None else MEASURED_INPUTS)


@claims_of("tied-condition")
def condition_claims(subject: Subject) -> Iterator[Check]:
    """The signs of the tied block at the model's own weights, certified in ball arithmetic."""
    yield from _certified(subject, "tied")


@claims_of("untied-unigram")
def untied_claims(subject: Subject) -> Iterator[Check]:
    """The signs of the untied block."""
    yield from _certified(subject, "untied")


def _certified(subject: Subject, tying: Tying) -> Iterator[Check]:
    model = subject.single_layer
    p, q = subject.chances
    if model.tying != tying:
        raise NotApplicable(f"it is about {tying} embeddings, and the model is {model.tying}")
    refuse_kink(subject)
    spectrum = subject.unigram_spectrum
    weights = arrays_of(subject.unigram.params, subject.objective.length)
    found = certify_unigram(weights, p=p, q=q, tying=tying)
    if found.status == "not-applicable":
        raise NotApplicable(found.reason)
    if found.status == "undecided":
        yield Check.of(
            "inertia",
            "the signs of the block at the model's own weights",
            None,
            list(spectrum.inertia),
            undecided=found.reason,
        )
        return
    if found.status == "degenerate":
        raise NotApplicable("p + q = 1: unigram and bigram are one, see degenerate-lines")
    measured = word_of(spectrum.inertia)
    agree = found.word == measured
    yield Check.of(
        "classification",
        "the unigram point at the model's own weights is what the certified signs say",
        found.word,
        measured,
        certificate=found.to_json(),
        undecided="" if agree else _too_small(subject.unigram_report),
    )


@claims_of("relu-kink")
def kink_claims(subject: Subject) -> Iterator[Check]:
    """One-sided curvatures of the ansatz at e = 0 across its relu kink."""
    model = subject.single_layer
    p, q = subject.chances
    w = -2.0 if subject.w is None else subject.w
    if w == 0:
        raise NotApplicable("w = 0 has no hidden unit: give another --w")
    if model.tying != "tied":
        raise NotApplicable("it is about tied embeddings, and the model is untied")
    at = Subject(model, subject.objective, w=w)
    sides = at.unigram_spectrum.one_sided
    if not sides:
        raise NotApplicable("the model has no relu kink at this point")
    # the cubic through h..4h leaves 24 h^4 times a sixth derivative: of the gain cubed
    size = ROUND_OFF + 24 * STEP**4 * (1 + 4 * w**2) ** 3
    low, high = sorted(one_sided_curvatures(float(p), float(q), w))
    found = sorted([sides[0].minus, sides[0].plus])
    place = f"at w = {w:g}, along alpha"
    yield Check.of("lower", f"the lower one-sided curvature {place}", low, found[0], size)
    yield Check.of("upper", f"the higher one-sided curvature {place}", high, found[1], size)


@claims_of("s-states")
def states_claims(subject: Subject) -> Iterator[Check]:
    """The word of the S-state criterion beside the signs at the model's own unigram point."""
    source = subject.objective.source
    numbers = source_numbers(source, subject.objective.length)
    if numbers is None or len(numbers.covariance) < 2:
        raise NotApplicable("it is about a stationary source, and two symbols or more of it")
    width = _width_where_identity(subject)
    C_1 = np.asarray(numbers.covariance[1])
    Q = contrasts(source.states)
    least = float(np.abs(np.linalg.eigvalsh(Q.T @ (C_1 + C_1.T) @ Q / 2)).min())
    word = first_lag_criterion(C_1) if subject.chain is None else classify(*subject.chances, 0.0)
    if word in ("degenerate", "undecided") and least <= 4 * EPS:
        raise NotApplicable("an eigenvalue of M is 0 to round-off, where the criterion is silent")
    negative, _, positive = subject.unigram_spectrum.inertia
    rises = positive == (source.states - 1) * (1 + width)
    measured = "saddle" if negative else "local minimum" if rises else "undecided"
    agree = word == measured or least > SPECTRUM_TOLERANCE
    yield Check.of(
        "criterion",
        "the sign of M = sym C_1 names the unigram point, as J = I and the z_n are equal",
        word,
        measured,
        undecided="" if agree else TOO_SMALL,
    ).beyond("" if subject.on_ansatz is not None else MEASURED_INPUTS)


def _width_where_identity(subject: Subject) -> int:
    """d of a tied network with J = I and equal z_n; NotApplicable for any other."""
    model, params, length = subject.model, subject.unigram.params, subject.objective.length
    refuse_kink(subject)
    if subject.unigram_report.predicted is None or subject.is_reduced:
        raise NotApplicable("it is about a network to which the universal law applies")
    if subject.layer is not None:
        tied = subject.layer.tying == "tied"
        z, J = single_layer_representation(arrays_of(params, length))
    else:
        assert isinstance(model, Readable)  # or there would be no prediction
        tied = model.readout_name == model.embedding_name
        found = representation(model, params, length)
        z, J = found.z, found.J
    if not tied:
        raise NotApplicable("it is about tied embeddings, and the model is untied")
    alone = np.einsum("ni,kl->nikl", np.eye(length), np.eye(z.shape[1]))
    if not (np.array_equal(J, alone) and (z == z[0]).all()):
        raise NotApplicable(
            "it is about J = I and equal z_n, as of a residual network without weights; at the "
            "model's own weights universal-law speaks"
        )
    return int(z.shape[1])


def spectrum_claims(report: Report, beyond: str = "") -> Iterator[Check]:
    """Loss, gradient, eigenvalues and their signs, from a comparison already made."""
    assert report.predicted is not None
    texts = {
        "spectrum": "the largest error of an eigenvalue",
        "inertia": "numbers of negative, zero and positive eigenvalues",
    }
    for check in report.checks:
        if check.id in ("loss", "gradient", *texts):
            yield replace(check, claim=texts.get(check.id, check.claim)).beyond(beyond)


def refuse_kink(subject: Subject) -> None:
    """Raise NotApplicable where the loss has no Hessian at the unigram point."""
    spectrum = subject.unigram_spectrum
    if spectrum.kink:
        sides = "; ".join(f"{s.minus:+.6g} and {s.plus:+.6g}" for s in spectrum.one_sided[:3])
        raise NotApplicable(
            "a relu pre-activation is 0 where its outgoing weights are not: no Hessian there, "
            f"one-sided curvatures {sides or 'not along the embedding'}"
        )


def word_of(inertia: tuple[int, int, int]) -> str:
    """What the counts of signs call a critical point.

    >>> word_of((0, 3, 1)), word_of((1, 3, 0))
    ('local minimum', 'saddle')
    """
    return "saddle" if inertia[0] else "local minimum"


def _too_small(report: Report) -> str:
    """Why the measured signs may be wrong, if float64 cannot resolve them."""
    predicted = report.predicted
    if predicted is None:
        return ""
    size = float(np.abs(predicted.eigenvalues).max(initial=1.0))
    least = float(np.abs(predicted.eigenvalues).min(initial=math.inf))
    return TOO_SMALL if least < SPECTRUM_TOLERANCE * size else ""
