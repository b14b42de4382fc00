"""How far the nearest points of lower loss are from a unigram point."""

import sympy as sp

from theory.chain.binary import entropy_rate, stationary_law, unigram_entropy
from theory.proving.domain import ABOVE, BELOW, ON, y
from theory.proving.steps import Identity, Sign, Step
from theory.proving.theorem import ANY_CHAIN, Control, Theorem
from theory.reduced.flow import gap
from theory.reduced.loss import best_bias, best_logit
from theory.statements.shared.least_loss import (
    BRANCHES,
    REDUCED,
    factored_roots,
    gap_sign_steps,
    least_loss_steps,
    slope_sign_steps,
    unigram_gap_steps,
)
from theory.symbols import b, e, length, p, q, s, tau, w
from theory.transformer.forward import along_alpha, alpha, relu, sign_symbol

_k = sp.Symbol("k", integer=True, nonnegative=True)
_position, _gain, _small = sp.symbols("epsilon g E", positive=True)


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


def moved() -> tuple[Step, ...]:
    """How far the witnesses of lower loss are from (0, w0, ln(p/q))."""
    start = sp.Symbol("w0", real=True)
    return tuple(
        Identity(
            f"{words}: the squared distance from (0, w0, ln(p/q)) to (e, w, b*) is continuous in "
            "e, and tends to (w - w0)^2 with e -> 0",
            factored_roots(
                (e**2 + (w - start) ** 2 + (best_bias(sign) - sp.log(p / q)) ** 2).subs(e, 0)
            ),
            (w - start) ** 2,
        )
        for sign, words in BRANCHES
    )


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
            "p + q > 1: l'(0) > 0 and s* < 0. So l rises for s >= 0, and l(s) < H_u = l(0) needs s "
            "< 0, thus e != 0 and w < -1/sqrt2: at a distance larger than w0 + 1/sqrt2 from w0. At "
            "each such w and e != 0 so small that s* <= s < 0, l(s) < l(0)",
            tilt,
            "positive",
            ABOVE,
        ),
        Sign(
            "p + q < 1: l'(0) < 0 and s* > 0. So l falls for s <= 0, and l(s) < H_u needs s > 0, "
            "thus e != 0 and w > -1/sqrt2; and at each such w and e != 0 so small that s <= s*, "
            "l(s) < l(0)",
            tilt,
            "negative",
            BELOW,
        ),
        *moved(),
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
    here = {embedding: 0, _position: 0, _gain: 1}
    pull = embedding * _position * (1 - _gain**2)
    apart = embedding**2 * (1 - _gain**2)
    best = best_logit().subs(s, apart) - pull
    return (
        Identity(
            "in the transformer with embedding e alpha, positions eps alpha, one hidden unit with "
            "W_1 = g u alpha^T and W_2 = -g alpha u^T, and all else 0: f(0) = b + e eps (1 - g^2)",
            witness_logit(0),
            b + pull,
        ),
        Identity("and f(1) - f(0) = e^2 (1 - g^2)", witness_logit(1) - witness_logit(0), apart),
        Sign(
            "g > 1: that is negative, so for p + q > 1, e so small that it is above s*, and the "
            "best f(0), the loss is l(s) < H_u",
            apart,
            "negative",
            {_gain: 1 + y},
        ),
        Identity(
            "the best b, the best f0 less e eps (1 - g^2), is continuous in e, eps and g, and "
            "tends to ln(p/q) with g -> 1 and e, eps -> 0",
            factored_roots(best.subs(here)),
            sp.log(p / q),
        ),
        Identity(
            "there the squared distance |E|^2 + N eps^2 + |W_1|^2 + |W_2|^2 + (b - ln(p/q))^2 "
            "tends to 2",
            squared_distance().subs({**here, b: sp.log(p / q)}),
            sp.Integer(2),
        ),
    )


def steps() -> tuple[Step, ...]:
    return (*reduced(), *full())


def control() -> Control:
    share = y / (1 + y)
    between = -(1 - share) / sp.sqrt(2) - share / 2
    return Control(
        "for p + q > 1 the gap of lower losses, s < 0, is found at every w < -1/2 already, as "
        "along +alpha in the transformer (theorem relu-kink): R = w + 1/2",
        Sign(
            "s < 0 at -1/sqrt2 < w < -1/2",
            gap(1).subs(e, _small),
            "negative",
            {w: between, tau: sp.S.NegativeOne},
        ),
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
    hypotheses=(ANY_CHAIN, REDUCED),
    source="this project",
    steps=steps,
    control=control,
    tests=(
        "tests/theory/reduced/test_landscape.py::"
        "test_the_escape_radius_is_where_lower_losses_begin",
        "tests/theory/reduced/test_landscape.py::"
        "test_in_the_transformer_lower_losses_begin_at_no_more_than_the_root_of_two",
        "tests/theory/reduced/test_loss.py::test_loss_at_best_bias_runs_between_the_two_entropies",
        "tests/theory/statements/test_best_level.py::"
        "test_the_best_bias_exists_and_stays_within_the_bound",
    ),
)
