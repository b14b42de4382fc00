"""Claims about the way out of the unigram point: no barrier, and how far it is."""

from __future__ import annotations

import math
from collections.abc import Iterator

from landscape.comparison.checks import Check, NotApplicable
from landscape.comparison.theorems.subject import Subject, claims_of
from landscape.models import ReducedModel
from landscape.models.ansatz import ansatz
from landscape.models.parameters import Coordinates
from landscape.objectives.exact import ExactLoss
from landscape.points.unigram import unigram_point
from landscape.sublevel.ball_descent import BallDescent
from landscape.sublevel.loss_path import LOSS_TOLERANCE
from landscape.sublevel.valley import valley_path
from landscape.sublevel.witness import MARGIN
from theory.reduced.escape import escape_radius, full_model_bound, witness

__all__ = ["escape_claims", "valley_claims"]

BEYOND = 1e-2
"""How far beyond the escape radius a witness is asked for, and how far within it none is found."""

STARTS, STEPS = 16, 60
"""Of the descent within the radius."""

CORNERS = 61


@claims_of("valley")
def valley_claims(subject: Subject) -> Iterator[Check]:
    """The path of `valley_path`, from the chosen model's unigram point to its bigram."""
    subject.binary  # noqa: B018  # raises for another source
    if subject.on_ansatz is None:
        name = type(subject.model).__name__
        raise NotApplicable(f"the path is through the rank-one ansatz, and the model is {name}")
    path = valley_path(subject.on_ansatz, subject.objective, subject.unigram, points=CORNERS)
    tolerance = LOSS_TOLERANCE
    yield Check.of(
        "barrier", "the highest loss on the path less H_u", 0.0, max(path.barrier, 0.0), tolerance
    )
    yield Check.of("descent", "the largest rise on the descent", 0.0, path.largest_rise, tolerance)
    yield Check.of(
        "end", "the path ends at H_b", path.bigram_loss, float(path.loss[-1]), 10 * tolerance
    )
    yield Check.of("faults", "corners and pieces of the path at fault", 0, len(path.faults()))


@claims_of("escape-radius")
def escape_claims(subject: Subject) -> Iterator[Check]:
    """A witness just beyond the radius, and descent that finds none just within."""
    p, q = subject.chances
    reduced = subject.reduced
    origin = reduced.unigram
    w = origin.params["feedforward"].item()
    radius = escape_radius(p, q, w)
    if math.isinf(radius):
        yield _none_within(reduced, 1.0)
        return
    e, at_w, b = (float(x) for x in witness(p, q, w, radius + BEYOND))
    lower = reduced.objective(reduced.model, ansatz(ReducedModel(), e, at_w, b)).item()
    axes = Coordinates.of(origin.params)
    there = axes.vector(ansatz(ReducedModel(), e, at_w, b)) - axes.vector(origin.params)
    distance = there.norm().item()
    yield Check.of(
        "witness",
        f"a point at most {radius + BEYOND:.4g} from (0, {w:g}, ln(p/q)) has a lower loss",
        "lower",
        "lower" if lower < origin.loss and distance <= radius + BEYOND else "not lower",
        undecided="" if origin.loss - lower != 0 else "the difference is below round-off",
    )
    if radius > 2 * BEYOND:
        yield _none_within(reduced, radius - BEYOND)
    yield from _full(subject)


def _none_within(reduced: Subject, radius: float) -> Check:
    """Descent in a ball around the reduced unigram point."""
    descent = BallDescent(
        reduced.model, reduced.objective, reduced.unigram, starts=STARTS, steps=STEPS, seed=0
    )
    found = descent(radius, MARGIN)
    return Check.of(
        "within",
        f"descent from {STARTS} starts finds no lower loss within {radius:.4g}",
        "none",
        "none" if found.offset is None else "lower",
    )


def _full(subject: Subject) -> Iterator[Check]:
    """A lower loss of the transformer at a distance just above sqrt2 from W = 0, p_n = 0."""
    model = subject.layer
    p, q = (float(x) for x in subject.chances)
    if model is None or model.tying != "tied" or p + q < 1:
        return
    bound = full_model_bound() + BEYOND
    zeros = {name: 0 * value.detach() for name, value in model.named_parameters()}
    objective = ExactLoss(subject.objective.source, min(model.length, subject.objective.length))
    origin = unigram_point(model, objective, free=zeros)
    moved = {name: value.clone() for name, value in origin.params.items()}
    gain = bound - BEYOND / 4  # of W_1 and W_2 together
    moved["hidden_in"][0, 0], moved["hidden_out"][0, 0] = gain / 2**0.5, -gain / 2**0.5
    moved["positions"][:, 0] = small = 1e-2
    least, nearest = 0.0, float("inf")
    for power in range(4, 12):  # the embedding has to be small against the positions
        moved["embedding"][0] = small * 2.0 ** (-power)
        drop = origin.loss - objective(model, moved).item()
        axes = Coordinates.of(moved)
        far = (axes.vector(moved) - axes.vector(origin.params)).norm().item()
        if drop > least:
            least, nearest = drop, far
    yield Check.of(
        "transformer",
        f"the transformer has a lower loss within {bound:.4g} of W = 0, p_n = 0",
        "lower",
        "lower" if nearest <= bound else "not lower",
        undecided="" if least > LOSS_TOLERANCE else "the difference is below round-off",
    )
