"""The valley: from any unigram point the bigram is reached without climbing."""

import sympy as sp

from theory.chain.binary import unigram_entropy
from theory.proving.domain import ABOVE, SHALLOW
from theory.proving.steps import Identity, Sign, Step
from theory.proving.theorem import ANY_CHAIN, NOT_INDEPENDENT, Control, Theorem
from theory.reduced.critical_points import unigram_hessian, unigram_set
from theory.reduced.flow import gap
from theory.reduced.loss import best_bias, population_loss
from theory.statements.shared.least_loss import (
    BRANCHES,
    REDUCED,
    factored_roots,
    gap_sign_steps,
    least_loss_steps,
    slope_sign_steps,
    unigram_gap_steps,
)
from theory.statements.shared.logit_gradient import free
from theory.symbols import b, e, p, q, tau, w
from theory.transformer.forward import ansatz, attention_logit, forward, reduced_logit

CONTEXTS = ((1,), (0, 1))


def unembedded() -> sp.Matrix:
    """The transformer's logits at E = 0, every other matrix free, d = N = 2, r = 1."""
    weights = {
        name: free(name, matrix) for name, matrix in ansatz((1, 1), hidden=1, length=2).items()
    }
    weights |= {"embedding": sp.zeros(2, 1), "bias": sp.Matrix([b])}
    return sp.Matrix([forward(weights, context)[-1] for context in CONTEXTS])


def steps() -> tuple[Step, ...]:
    bias = unigram_set().b
    turn = {w: -1 / sp.sqrt(2), tau: -1}
    return (
        Identity(
            "tied, the logit <E, z_n> + b is b at E = 0, whatever z_n the other weights make: "
            "the forward pass with all matrices free, d = N = 2, r = 1, after 1 and 01",
            unembedded(),
            b * sp.ones(len(CONTEXTS), 1),
        ),
        Identity(
            "as in the reduced model, with attention and without",
            sp.Matrix([[*reduced_logit(sign), attention_logit(sign)] for sign, _ in BRANCHES]).subs(
                e, 0
            ),
            b * sp.ones(2, 3),
        ),
        Identity(
            "and with b = ln(p/q) the loss is H_u: constant while all else is moved",
            population_loss(bias, bias),
            unigram_entropy(),
        ),
        *least_loss_steps(),
        *unigram_gap_steps(),
        *slope_sign_steps(),
        *gap_sign_steps(),
        Identity(
            "from e = 0, with w on the side where 1 + 2w|w| has the sign of s* and b at its "
            "best, which is continuous in e, let e grow: |s| grows",
            sp.diff(gap(1), e),
            2 * e * (1 + 2 * tau * w**2),
        ),
        Identity(
            "from 0, where the best bias is ln(p/q), the point that was started from",
            factored_roots(best_bias(1).subs(e, 0)),
            sp.log(p / q),
        ),
        Identity(
            "to s*, so l, whose slope is not 0 between them, falls all the way from H_u to H_b; at "
            "w = -1/sqrt2 itself it would stay at H_u. Every path contains the point that it "
            "starts from, so no barrier is negative, and this one is 0",
            gap(1).subs(turn),
            sp.S.Zero,
        ),
    )


def control() -> Control:
    return Control(
        "for p + q > 1 no walk is needed: at w > -1/sqrt2 the loss does not rise with |e|",
        Sign("d2L/de2 <= 0", unigram_hessian()[0, 0], "nonpositive", {**ABOVE, **SHALLOW}),
    )


THEOREM = Theorem(
    id="valley",
    title="The valley",
    statement=(
        "Let p + q != 1, and let the barrier of a point be the infimum, over all continuous "
        "paths from it to points of loss H_b, of the largest loss on the path minus the loss of "
        "the point. On the unigram set (e = 0, b = ln(p/q), all other parameters free) the loss "
        "is H_u, in the reduced model and in the tied transformer of one layer. From each of its "
        "points one can walk within it to (0, w, ln(p/q)) of the ansatz, with w < -1/sqrt2 for p "
        "+ q > 1 and w > -1/sqrt2 for p + q < 1, and then raise e from 0 with b at its best "
        "until e^2 (1 + 2w|w|) = s*, along which the loss falls strictly from H_u to H_b. So the "
        "barrier of every unigram point is exactly 0, that of the local minima as well, and this "
        "path attains it."
    ),
    latex=(
        r"Let $p + q \ne 1$, and let the barrier of a point $\theta$ be \[\inf_\gamma \max_t "
        r"L(\gamma(t)) - L(\theta)\] over the continuous paths $\gamma$ from $\theta$ to points of "
        r"loss $H_b$. On the unigram set ($e = 0$, $b = \ln(p/q)$, all other parameters free) the "
        r"loss is $H_u$, in the reduced model and in the tied transformer of one layer. From each "
        r"of its points one can walk within it to $(0, w, \ln(p/q))$ of the ansatz, with $w < "
        r"-1/\sqrt2$ for $p + q > 1$ and $w > -1/\sqrt2$ for $p + q < 1$, and then raise $e$ from "
        r"$0$ with $b$ at its best until $e^2 (1 + 2w|w|) = s^*$, along which the loss falls "
        r"strictly from $H_u$ to $H_b$. So the barrier of every unigram point is exactly $0$, that "
        r"of the local minima as well, and this path attains it."
    ),
    hypotheses=(ANY_CHAIN, NOT_INDEPENDENT, REDUCED),
    source="this project",
    steps=steps,
    control=control,
    tests=(
        "tests/theory/reduced/test_landscape.py::"
        "test_from_any_unigram_point_of_the_transformer_a_path_descends_without_climbing",
        "tests/theory/reduced/test_loss.py::test_loss_at_best_bias_runs_between_the_two_entropies",
        ""
        "tests/theory/transformer/test_forward.py::test_reduced_logit_is_that_of_a_naive_transformer",
    ),
)
