"""The gradient flow with the bias at its best value: it moves the gap to s*, and falls."""

import sympy as sp

from theory.chain.binary import stationary_law
from theory.proving.domain import BELOW
from theory.proving.steps import Identity, Lemma, Sign, Step
from theory.proving.theorem import ANY_CHAIN, Control, Theorem
from theory.reduced.flow import gap, slope, vector_field
from theory.statements.shared.least_loss import (
    BRANCHES,
    HALVES,
    REDUCED,
    half,
    least_loss_steps,
    slope_sign_steps,
    unigram_gap_steps,
)
from theory.symbols import e, p, q, s, tau, w

_slope = sp.Symbol("l_s", real=True)


def steepness() -> sp.Expr:
    """|grad s|^2 in (e, w)."""
    return 4 * e**2 * ((1 + 2 * tau * w**2) ** 2 + 4 * w**2 * e**2)


def along(sign: int, words: str) -> tuple[Step, ...]:
    """The flow on one branch of e, with l'(s) a symbol where its value does not matter."""
    rise = sp.Matrix([sp.diff(gap(sign), z) for z in (e, w)])
    field = vector_field(sign)
    rate = slope().subs(s, gap(sign))
    return (
        Identity(
            f"{words}: (e', w') = -l'(s) grad s",
            field,
            -rate * sp.Matrix([2 * e * (1 + 2 * tau * w**2), 4 * tau * e**2 * w]),
        ),
        *(
            Identity(
                f"{words}, {side}: s' = -l'(s) |grad s|^2, against the sign of s - s*",
                (rise.T * field)[0],
                -rate * steepness(),
                half(w_sign),
            )
            for w_sign, side in HALVES
        ),
        Identity(
            f"{words}: e' = 0 at e = 0 and w' = 0 at w = 0",
            sp.Matrix([field[0].subs(e, 0), field[1].subs(w, 0)]),
            sp.zeros(2, 1),
        ),
    )


def steps() -> tuple[Step, ...]:
    return (
        *least_loss_steps(),
        *slope_sign_steps(),
        *unigram_gap_steps(),
        *(step for sign, words in BRANCHES for step in along(sign, words)),
        Lemma(
            "the field is locally Lipschitz, so flows do not meet: none crosses e = 0 or w = 0, "
            "and none reaches s = s*, where every point is at rest, in finite time",
            "the Picard-Lindelof theorem",
            "Hirsch, Smale and Devaney, Differential Equations, Dynamical Systems, and an "
            "Introduction to Chaos, section 7.2",
        ),
        Sign(
            "and the loss has the derivative l'(s) s' = -l'(s)^2 |grad s|^2 <= 0",
            -(_slope**2) * steepness(),
            "nonpositive",
        ),
    )


def control() -> Control:
    """Two: on where the flow goes, and on how fast."""
    pi0, pi1 = stationary_law()
    rise = sp.Matrix([sp.diff(gap(1), z) for z in (e, w)])
    bare = 4 * e**2 * ((1 + 2 * tau * w**2) ** 2 + 4 * w**2)
    return Control(
        "for p + q < 1 the flow moves a small gap s > 0 towards 0",
        Sign("l'(0) > 0", pi0 * pi1 * (p + q - 1), "positive", BELOW),
        (
            Control(
                "|grad s|^2 = 4 e^2 [(1 + 2w|w|)^2 + 4 w^2], as if e and w moved alike",
                Identity("|grad s|^2", (rise.T * rise)[0], bare, half(1)),
            ),
        ),
    )


THEOREM = Theorem(
    id="gradient-flow",
    title="Gradient flow with the bias at its best value",
    statement=(
        "With b at its best value the reduced loss is a function l(s) of s = e^2 (1 + 2w|w|) "
        "alone, on both branches of e, and its gradient flow is e' = -2 l'(s) e (1 + 2w|w|), w' "
        "= -4 l'(s) e^2 |w|. Here l''(s) > 0, l(0) = H_u, l'(0) = pi0 pi1 (p+q-1), and l'(s) has "
        "the sign of s - s* with s* = ln[(1-p)(1-q)/(pq)], which has the sign of 1-p-q; l(s*) = "
        "H_b. So the signs of e and w never change, s moves monotonically towards s* and does "
        "not cross it, and the loss never increases."
    ),
    latex=(
        r"With $b$ at its best value the reduced loss is a function $l(s)$ of $s = e^2 (1 + "
        r"2w|w|)$ alone, on both branches of $e$, and its gradient flow is \[e' = -2\, l'(s)\, "
        r"e\, (1 + 2w|w|), \qquad w' = -4\, l'(s)\, e^2 |w|.\] Here $l''(s) > 0$, $l(0) = H_u$, "
        r"$l'(0) = \pi_0 \pi_1 (p+q-1)$, and $l'(s)$ has the sign of $s - s^*$ with $s^* = "
        r"\ln\frac{(1-p)(1-q)}{pq}$, which has the sign of $1-p-q$; $l(s^*) = H_b$. So the signs "
        r"of $e$ and $w$ never change, $s$ moves monotonically towards $s^*$ and does not cross "
        r"it, and the loss never increases."
    ),
    hypotheses=(ANY_CHAIN, REDUCED),
    source="Local to Global, gradient flow in the canonical parametrisation",
    steps=steps,
    control=control,
    tests=(
        "tests/theory/reduced/test_landscape.py::"
        "test_the_least_loss_is_convex_in_the_gap_and_falls_towards_the_target",
        "tests/theory/reduced/test_flow.py::"
        "test_the_field_and_its_jacobian_are_differences_of_the_least_loss",
        "tests/theory/reduced/test_flow.py::test_no_flow_crosses_the_axes",
        "tests/theory/reduced/test_loss.py::test_loss_at_best_bias_runs_between_the_two_entropies",
    ),
)
