"""How far the nearest points of lower loss are from a unigram point."""

from __future__ import annotations

import sympy as sp

from theory.chain.binary import entropy_rate, stationary_law, unigram_entropy
from theory.proving.domain import ABOVE, BELOW, ON, SHALLOW, y
from theory.proving.steps import Identity, Sign, Step
from theory.proving.theorem import ANY_CHAIN, Control, Theorem
from theory.statements.shared.least_loss import (
    gap_sign_steps,
    least_loss_steps,
    slope_sign_steps,
    unigram_gap_steps,
)
from theory.symbols import b, length, p, q, tau, w
from theory.transformer.forward import along_alpha, alpha, relu, sign_symbol

__all__ = ["THEOREM"]

_k = sp.Symbol("k", integer=True, nonnegative=True)
_position, _gain = sp.symbols("epsilon g", positive=True)


def witness_logit(token: int) -> sp.Expr:
    """The logit of a transformer with one hidden unit, W_1 = g u alpha^T and W_2 = -g alpha u^T.

    The embedding is e alpha with e > 0 and every position epsilon alpha; attention averages
    nothing, its matrices being 0.
    """
    embedding = sign_symbol(1)
    y_n = token * embedding * alpha(_k) + _position * alpha(_k)
    hidden = relu(_gain * along_alpha(y_n))
    z_n = y_n - _gain * hidden * alpha(_k)
    return sp.expand(embedding * along_alpha(z_n) + b)


def squared_distance() -> sp.Expr:
    """From W = 0, p_n = 0, E = 0, b = ln(p/q) to the witness: |E|^2 + N eps^2 + 2 g^2 + ..."""
    return sign_symbol(1) ** 2 + length * _position**2 + 2 * _gain**2 + (b - sp.log(p / q)) ** 2


def reduced() -> tuple[Step, ...]:
    """Lower losses need a gap on the side of s*, and are found at each such w."""
    pi0, pi1 = stationary_law()
    tilt = pi0 * pi1 * (p + q - 1)
    return (
        *least_loss_steps(),
        *slope_sign_steps(),
        *unigram_gap_steps(),
        *gap_sign_steps(),
        Sign(
            "p + q > 1: l'(0) > 0 and s* < 0, so l(s) < H_u = l(0) needs s < 0, thus w < "
            "-1/sqrt2, at a distance larger than w0 + 1/sqrt2 from w0; and at each such w1, b at "
            "its best and e -> 0 give s < 0 of lower loss, at a distance that tends to |w1 - w0|",
            tilt,
            "positive",
            ABOVE,
        ),
        Sign(
            "p + q < 1: l'(0) < 0 and s* > 0, so l(s) < H_u needs s > 0, thus w > -1/sqrt2, and "
            "the same holds on that side",
            tilt,
            "negative",
            BELOW,
        ),
        Identity(
            "p + q = 1: H_u = H_b, and there is no lower loss: the infimum over no points is "
            "infinite",
            unigram_entropy(),
            entropy_rate(),
            ON,
        ),
    )


def full() -> tuple[Step, ...]:
    """A witness in the transformer, from all weights 0."""
    embedding = sign_symbol(1)
    here = {embedding: 0, _position: 0, _gain: 1, b: sp.log(p / q)}
    pull = embedding * _position * (1 - _gain**2)
    return (
        Identity(
            "in the transformer with embedding e alpha, positions eps alpha, one hidden unit with "
            "W_1 = g u alpha^T and W_2 = -g alpha u^T, and all else 0: f(0) = b + e eps (1 - g^2)",
            witness_logit(0),
            b + pull,
        ),
        Identity(
            "and f(1) - f(0) = e^2 (1 - g^2)",
            witness_logit(1) - witness_logit(0),
            embedding**2 * (1 - _gain**2),
        ),
        Sign(
            "g > 1: that is negative, so for p + q > 1, a small e and the best f(0), the loss is "
            "l(s) < H_u",
            embedding**2 * (1 - _gain**2),
            "negative",
            {_gain: 1 + y},
        ),
        Identity(
            "as g -> 1 and e, eps -> 0, the best f(0) and so b tend to ln(p/q), and the squared "
            "distance |E|^2 + N eps^2 + |W_1|^2 + |W_2|^2 + (b - ln(p/q))^2 tends to 2",
            squared_distance().subs(here),
            sp.Integer(2),
        ),
    )


def steps() -> tuple[Step, ...]:
    return (*reduced(), *full())


def control() -> Control:
    return Control(
        "for p + q > 1 the gap of lower losses is found at w > -1/sqrt2 too",
        Sign("1 + 2w|w| < 0 at -1/sqrt2 < w < 0", 1 + 2 * tau * w**2, "negative", SHALLOW),
    )


THEOREM = Theorem(
    id="escape-radius",
    title="The escape radius",
    statement=(
        "Let the escape radius of a point be the infimum of the Euclidean distances from it to "
        "points of lower loss. In the reduced model that of (0, w, ln(p/q)), in (e, w, b), is "
        "max(0, sign(p+q-1) (w + 1/sqrt2)) for p + q != 1, and no point of lower loss is at that "
        "distance; for p + q = 1 there is none, and it is infinite. In the tied transformer of "
        "one layer, for p + q > 1, that of the unigram point at which all weights and positions "
        "are 0 is at most sqrt2."
    ),
    latex=(
        r"Let the escape radius of a point be the infimum of the Euclidean distances from it to "
        r"points of lower loss. In the reduced model that of $(0, w, \ln(p/q))$, in $(e, w, b)$, "
        r"is \[R = \max\left(0,\quad \operatorname{sign}(p+q-1) \left(w + "
        r"\frac{1}{\sqrt2}\right)\right), \qquad p + q \ne 1,\] and no point of lower loss is at "
        r"that distance; for $p + q = 1$ there is none, and $R = \infty$. In the tied transformer "
        r"of one layer, for $p + q > 1$, that of the unigram point at which all weights and "
        r"positions are $0$ is at most $\sqrt2$."
    ),
    hypotheses=(ANY_CHAIN,),
    source="this project",
    steps=steps,
    control=control,
    tests=(
        "tests/theory/reduced/test_landscape.py::"
        "test_the_escape_radius_is_where_lower_losses_begin",
        "tests/theory/reduced/test_landscape.py::"
        "test_in_the_transformer_lower_losses_begin_at_no_more_than_the_root_of_two",
        "tests/theory/reduced/test_loss.py::test_loss_at_best_bias_runs_between_the_two_entropies",
    ),
)
