"""Claims about the reduced gradient flow, beside its integration."""

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache

import numpy as np

from landscape.comparison.checks import Check, NotApplicable
from landscape.comparison.reduced_model import ReducedFlow, allowed_drift, closed, reduced_flow
from landscape.comparison.theorems.subject import Subject, claims_of
from landscape.sources.protocol import Exact
from theory.reduced.basins import basin, separatrix

STARTS = ((0.3, 0.4), (0.5, -0.2), (-1.2, -0.5), (0.4, -1.1), (2.0, -1.6))
"""(e, w) of the flows that are followed: both signs of e, both sides of w = -1/sqrt2."""

LONGEST = 1e6
"""Time within which a flow has to settle: near p + q = 1 it may take longer, and is left alone."""

BISECTION = 1e-5
"""Width in e to which the separatrix is bisected."""


@lru_cache(maxsize=1)
def _flows(p: Exact, q: Exact) -> tuple[ReducedFlow, ...]:
    """The flows from `STARTS`, which three theorems speak about, followed once a chain."""
    return tuple(reduced_flow(p, q, e, w, time=LONGEST) for e, w in STARTS)


@claims_of("gradient-flow")
def field_claims(subject: Subject) -> Iterator[Check]:
    """The loss falls and the gap nears s* at every step, and no flow crosses e = 0 or w = 0."""
    p, q = subject.chances
    star = float(closed("star", 1)(float(p), float(q)))
    rise, away, crossed = 0.0, 0.0, 0
    for (e, w), flow in zip(STARTS, _flows(p, q), strict=True):
        points = flow.orbit.points
        w_sign, e_sign = (-1 if w < 0 else 1), (-1 if e < 0 else 1)
        gap = closed("gap", e_sign)(points[:, 0], points[:, 1], w_sign)
        bias = closed("bias", e_sign)(float(p), float(q), points[:, 0], points[:, 1], w_sign)
        loss = closed("loss", e_sign)(float(p), float(q), points[:, 0], points[:, 1], bias, w_sign)
        rise = max(rise, float(np.diff(loss).max(initial=0.0)))
        away = max(away, float(np.diff(np.abs(gap - star)).max(initial=0.0)))
        crossed += int((points[:, 0] * e_sign < 0).any() or (points[:, 1] * w_sign < 0).any())
    # what a step of the integrator may be wrong by, and a loss of order 1 by rounding
    yield Check.of("loss", "the largest rise of the loss in a step", 0.0, rise, 1e-12)
    yield Check.of("gap", "the largest step of s away from s*", 0.0, away, 1e-9)
    yield Check.of("axes", "flows that crossed e = 0 or w = 0", 0, crossed)


@claims_of("conserved-energy")
def energy_claims(subject: Subject) -> Iterator[Check]:
    """The energy at every step of the integrated flows."""
    p, q = subject.chances
    drifts = [flow.energy_drift for flow in _flows(p, q)]
    worst = max(drift for drift in drifts if drift is not None)  # none at w = 0, which is not there
    allowed = min(allowed_drift(e, w) for e, w in STARTS)
    claim = f"the largest drift of the energy along {len(STARTS)} flows"
    yield Check.of("drift", claim, 0.0, worst, allowed)


@claims_of("separatrix")
def separatrix_claims(subject: Subject) -> Iterator[Check]:
    """e_sep at one w, beside a bisection with the integrator for where flows turn."""
    p, q = subject.chances
    if subject.binary.degenerate:
        raise NotApplicable("at p + q = 1 no flow tells the sides of the separatrix apart")
    w = -2.0 if sum(Fraction(x) for x in subject.chances) < 1 else -0.3
    known = separatrix(w)
    assert known is not None  # w < 0
    inner, outer = 0.0, 2 * known + 0.1
    inside = reduced_flow(p, q, known / 2, w, time=LONGEST).basin
    while outer - inner > BISECTION:
        middle = (inner + outer) / 2
        found = reduced_flow(p, q, middle, w, time=LONGEST).basin
        if found is None:
            yield Check.of(
                "bisection", f"e_sep({w:g})", known, None, undecided="a flow did not settle"
            )
            return
        inner, outer = (middle, outer) if found == inside else (inner, middle)
    yield Check.of("bisection", f"e_sep({w:g})", known, (inner + outer) / 2, BISECTION)


@claims_of("basins")
def basin_claims(subject: Subject) -> Iterator[Check]:
    """Where theory says that flows end, beside where they ended."""
    p, q = subject.chances
    for number, ((e, w), found) in enumerate(zip(STARTS, _flows(p, q), strict=True)):
        yield Check.of(
            f"end-{number + 1}",
            f"where the flow from (e, w) = ({e:g}, {w:g}) ends",
            basin(p, q, e, w),
            found.basin,
            undecided="" if found.basin else "the flow did not settle",
        )
