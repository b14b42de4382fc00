"""Claims about the degenerate lines p + q = 1 and w = -1/sqrt2, at the order that decides."""

import math
from collections.abc import Iterator
from fractions import Fraction

import mpmath
import torch

from landscape.comparison.checks import Check
from landscape.comparison.spectra import entropies
from landscape.comparison.theorems.subject import Subject, claims_of
from landscape.models import ReducedModel
from landscape.models.ansatz import ansatz, best_bias
from landscape.points.bigram import log_ratio
from theory import symbols
from theory.numeric import function
from theory.precision import workdps
from theory.reduced.degenerate import leading_term, offset

STEP = 2.0**-7
"""Of e^2 and of v, in the quotients of the loss by its leading term."""

EPS = 2.0**-52

EDGE = -math.sqrt(0.5)


@claims_of("degenerate-lines")
def degenerate_claims(subject: Subject) -> Iterator[Check]:
    """The loss over its leading term, extrapolated to the degenerate line."""
    if subject.binary.degenerate:
        yield _ratio(subject, "p+q=1", 0.0)
        yield _ratio(subject, "both", None)
        return
    yield _ratio(subject, "w=-1/sqrt2", None)
    H_u, _ = entropies(*subject.chances)
    flat = max(abs(_loss(subject, e, EDGE) - H_u) for e in (0.2, 0.5, 1.0))
    claim = "along w = -1/sqrt2 the loss at the best bias is H_u, largest error"
    yield Check.of("flat", claim, 0.0, flat, 1e-14)
    e = 0.3 * _scale(subject)  # so that the gap stays far below s*, where the loss turns
    below, above = (_loss(subject, e, EDGE + v) - H_u for v in (-0.1, 0.1))
    yield Check.of(
        "signs",
        "beside w = -1/sqrt2 the loss is lower on one side and higher on the other",
        -1,
        round(math.copysign(1, below) * math.copysign(1, above)),
        undecided="" if min(abs(below), abs(above)) > 1e-14 else "the differences are round-off",
    )


def _ratio(subject: Subject, line: str, w: float | None) -> Check:
    """The loss over the leading term on a line, at distance 0 by the cubic through four points."""
    H_u, _ = entropies(*subject.chances)
    names = [symbols.p, symbols.q, symbols.e, symbols.w, symbols.tau, offset]
    term = function(names, leading_term(line), mpmath)
    ratios, least = [], math.inf
    for k in range(1, 5):
        step = k * STEP * (_scale(subject) if line == "w=-1/sqrt2" else 1.0)
        e, v = math.sqrt(step), step if w is None else 0.0
        at = EDGE + v if w is None else w
        with workdps(30):
            expected = float(term(*subject.chances, e, at, -1 if at < 0 else 1, v))
        # of two points beside the line, what is odd in v; on the line p+q = 1 the loss itself
        found = _loss(subject, e, at) - H_u
        if line == "w=-1/sqrt2":
            found = (found - (_loss(subject, e, EDGE - v) - H_u)) / 2
        ratios.append(found / expected if expected else math.nan)
        least = min(least, abs(expected))
    value = 4 * ratios[0] - 6 * ratios[1] + 4 * ratios[2] - ratios[3]
    # 24 h^4 of the cubic, times a derivative of order 100; 15 roundings of a loss over the term
    tolerance = 24 * STEP**4 * 100 + (30 * EPS / least if least else math.inf)
    return Check.of(
        f"order-{line}",
        f"on the line {line} the loss over its leading term tends to 1"
        if line != "both"
        else "where both lines meet the loss over its leading term tends to 1",
        1.0,
        value,
        tolerance,
        undecided="" if tolerance < 0.1 else "the leading term is below round-off",
    )


def _scale(subject: Subject) -> float:
    """sqrt(min(1, |s*|)), s* = ln[(1-p)(1-q)/(pq)]: the size of e at which s is of order s*."""
    p, q = (Fraction(x) for x in subject.chances)
    return math.sqrt(min(1.0, abs(log_ratio((1 - p) * (1 - q), p * q))))


def _loss(subject: Subject, e: float, w: float) -> float:
    """The measured loss of the reduced model at (e, w) and the best bias."""
    at = [torch.tensor(x, dtype=torch.float64) for x in (e, w)]
    b = best_bias(subject.binary, at[0], at[1], mirror=False).item()
    reduced = subject.reduced
    return reduced.objective(reduced.model, ansatz(ReducedModel(), e, w, b)).item()
