"""Claims about the global minimum: in the chosen model, and in the reduced one."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from scipy.optimize import brentq, root

from landscape.comparison.checks import Check, NotApplicable
from landscape.comparison.reduced_model import closed
from landscape.comparison.spectra import (
    GRADIENT_TOLERANCE,
    LOSS_TOLERANCE,
    SPECTRUM_TOLERANCE,
    entropies,
)
from landscape.comparison.theorems.subject import Subject, claims_of
from landscape.comparison.theorems.unigram_claims import spectrum_claims
from landscape.models import ReducedModel
from landscape.models.ansatz import ansatz
from landscape.spectra.operators import dense_hessian, gradient
from theory.certificates.bigram_root import certify_bigram_root

__all__ = [
    "bias_claims",
    "critical_point_claims",
    "full_bigram_claims",
    "minimum_claims",
    "reduced_bigram_claims",
]

STARTS = 24
"""Random starts of the search for critical points."""

MOST = 150
"""Gradients of one search. About 40 are enough, and next to p + q = 1, where the gradient vanishes
to third order, more of them take long and find few more points."""

ROOT_TOLERANCE = 1e-14
"""A few dozen roundings of a closed form."""

EPS = 2.0**-52

SIZES = "the machine goes through the small sizes that the theorem names, and this one is larger"

ON_A_SET = 1e-6
"""Distance, in the logits, from which on a root lies on no set: a root of a gradient that vanishes
to second order is found to the square root of round-off."""


@claims_of("global-minimum")
def minimum_claims(subject: Subject) -> Iterator[Check]:
    """Loss, gradient and prediction at the constructed bigram point."""
    point = subject.bigram
    _, H_b = entropies(*subject.chances)
    # logits of the ansatz are differences of terms of size e^2
    size = max(1.0, point.coordinates["e"] ** 2) if point.coordinates else 1.0
    yield Check.of("loss", "the loss is H_b", H_b, point.loss, LOSS_TOLERANCE * size)
    steep = GRADIENT_TOLERANCE * size**2
    yield Check.of("gradient", "the gradient vanishes", 0.0, point.gradient_norm, steep)
    distance = subject.objective.divergence(subject.model, point.params, "bigram").item()
    yield Check.of(
        "prediction", "the prediction is the kernel (mean KL)", 0.0, distance, LOSS_TOLERANCE * size
    )
    spectrum = subject.bigram_spectrum
    lowest = max(0.0, -float(spectrum.eigenvalues[0]))
    # of the eigensolver, and of a Hessian whose entries are differences of terms of size e^2
    bound = size * max(spectrum.zero_bound, SPECTRUM_TOLERANCE * float(spectrum.eigenvalues[-1]))
    claim = "no eigenvalue of the Hessian is negative, by how much the lowest is"
    yield Check.of("curvature", claim, 0.0, lowest, bound)


@claims_of("bigram-spectrum")
def reduced_bigram_claims(subject: Subject) -> Iterator[Check]:
    """The rank-2 spectrum of the reduced model, and the root certified in ball arithmetic."""
    reduced = subject.reduced
    if subject.binary.degenerate:
        raise NotApplicable("it is about e != 0, and at p + q = 1 the bigram point has e = 0")
    yield _root(reduced)
    yield from spectrum_claims(reduced.bigram_report)


def _root(reduced: Subject) -> Check:
    """The constructed point lies in the box that holds exactly one bigram root of this w."""
    coordinates = reduced.bigram.coordinates
    assert coordinates is not None  # it is constructed
    e, w, b = (coordinates[name] for name in ("e", "w", "b"))
    found = certify_bigram_root(*reduced.chances, w)
    boxes = [[float(end) for end in span] for span in found.unique_in]
    inside = all(low < x < high for (low, high), x in zip(boxes, (e, b), strict=True))
    middle = [float(sum(span)) / 2 for span in found.root_in]
    error = max(abs(x - y) / max(1.0, abs(y)) for x, y in zip((e, b), middle, strict=True))
    return Check.of(
        "root",
        f"at w = {w:g} one root (e, b) in a box, certified: relative error of the one constructed",
        0.0,
        error if inside else math.inf,
        ROOT_TOLERANCE,
        certificate=found.to_json(),
    )


@claims_of("full-bigram")
def full_bigram_claims(subject: Subject) -> Iterator[Check]:
    """The Gauss-Newton spectrum of the single-layer transformer, of rank N + 2."""
    if subject.is_reduced:
        raise NotApplicable("it is about the single-layer transformer, and the model is reduced")
    report = subject.bigram_report
    if report.predicted is None:
        raise NotApplicable("no closed form at this point")
    yield from spectrum_claims(report, SIZES)


@claims_of("best-bias")
def bias_claims(subject: Subject) -> Iterator[Check]:
    """The best bias at a few (e, w), beside the root of dL/db of the measured loss."""
    p, q = (float(x) for x in subject.chances)
    reduced, model, worst = subject.reduced, ReducedModel(), 0.0
    for e, w in ((0.5, 0.3), (1.5, -0.4), (1.0, -1.3)):

        def slope(b: float, e: float = e, w: float = w) -> float:
            params = ansatz(model, e, w, b)
            return float(gradient(reduced.model, reduced.objective, params)[0][2])

        found = brentq(slope, -40.0, 40.0, xtol=1e-14)
        predicted = float(closed("bias", 1)(p, q, e, w, -1 if w < 0 else 1))
        worst = max(worst, abs(found - predicted) / max(1.0, abs(predicted)))
    # the root is as sharp as round-off of the slope over the curvature of L in b
    least = min(p * (1 - p), q * (1 - q)) * 0.1
    tolerance = 1e-15 / least + 1e-13
    yield Check.of("bias", "dL/db vanishes at b*(e, w), largest error", 0.0, worst, tolerance)


@claims_of("critical-points")
def critical_point_claims(subject: Subject) -> Iterator[Check]:
    """Every root of the measured gradient that a search finds lies on one of the two sets."""
    p, q = (float(x) for x in subject.chances)
    reduced = subject.reduced
    star = float(closed("star", 1)(p, q))
    draws = np.random.default_rng(0).normal(scale=1.2, size=(STARTS, 3))
    far, found, stiff = 0.0, 0, 0.0
    # at p + q = 1 the gradient is c^2 e^3 next to e = 0: so e is known to 1e-4, and s to 1e-8
    still = 1e-12 * (p * q / (p + q) ** 2) ** 2

    model = ReducedModel()  # making one costs as much as its gradient

    def slope(at: np.ndarray) -> np.ndarray:
        params = ansatz(model, *at.tolist())
        return np.asarray(gradient(reduced.model, reduced.objective, params)[0].numpy())

    for start in draws:
        solution = root(slope, start, tol=1e-13, options={"maxfev": MOST})
        if not np.linalg.norm(solution.fun) < still or np.abs(solution.x).max() > 50:
            continue
        found += 1
        e, w, b = solution.x
        gap = e**2 * (1 + 2 * w * abs(w))
        at_unigram = max(abs(e), abs(b - np.log(p / q)))
        at_bigram = max(abs(gap - star), abs(b - e**2 / 2 - np.log(p / (1 - p))))
        far = max(far, min(at_unigram, at_bigram))
        H = dense_hessian(reduced.model, reduced.objective, ansatz(model, e, w, b))
        stiff = max(stiff, EPS / float(torch.linalg.eigvalsh(H)[-1].abs()))
    yield Check.of(
        "search",
        f"{found} critical points found from {STARTS} starts: largest distance to the two sets",
        0.0,
        float(far),
        ON_A_SET,
        undecided="no start led to a critical point"
        if not found
        else "the curvatures are below what float64 resolves"
        if stiff > ON_A_SET
        else "",
    )
