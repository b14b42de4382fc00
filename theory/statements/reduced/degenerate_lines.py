"""What the Hessian leaves open: the unigram set on p + q = 1 and at w = -1/sqrt2."""

import sympy as sp

from theory.chain.binary import stationary_law
from theory.proving.domain import ABOVE, BELOW, ON, y
from theory.proving.steps import Identity, Lemma, Sign, Step
from theory.proving.theorem import ANY_CHAIN, Control, Theorem
from theory.reduced.degenerate import derivatives_at_unigram, gap_near_saddle, leading_term, offset
from theory.reduced.flow import gap
from theory.reduced.loss import reduced_loss
from theory.statements.shared.least_loss import (
    BRANCHES,
    REDUCED,
    bigram_gap,
    least_loss_steps,
    slope_sign_steps,
)
from theory.symbols import b, e, p, q, tau, w

_size = sp.Symbol("E", positive=True)


def steps() -> tuple[Step, ...]:
    pi0, pi1 = stationary_law()
    c = pi0 * pi1
    beside = {e: _size, offset: y}
    unigram = {b: sp.log(p / q), e: sp.S.Zero, w: -1 / sp.sqrt(2), tau: sp.S.NegativeOne}
    return (
        *least_loss_steps(),
        *slope_sign_steps(),
        Identity(
            "along rho0 + rho1 = 0 the level moves by df0/ds = -h1/(h0 + h1), so that at s = 0 the "
            "derivatives of l are l'(0) = c(p+q-1), l''(0) = c^2, l'''(0) = c^2 (pi0 - pi1)^2",
            sp.Matrix(derivatives_at_unigram()),
            sp.Matrix([c * (p + q - 1), c**2, c**2 * (pi0 - pi1) ** 2]),
        ),
        *(
            Identity(
                f"from {words}, w = -1/sqrt2: the Hessian in (e, w, b) is diag(0, 0, c), which is "
                "not indefinite",
                sp.hessian(reduced_loss(sign), (e, w, b)).subs(unigram),
                sp.diag(0, 0, c),
            )
            for sign, words in BRANCHES
        ),
        Sign("c > 0", c, "positive"),
        Lemma(
            "l(s) = H_u + l'(0) s + l''(0) s^2/2 + O(s^3), with s = e^2 (1 + 2w|w|): on the rays "
            "(e, v) = (E t, V t) the rest is of higher order in t than the leading term, so for "
            "small t l(s) - H_u has the sign of the leading term where that is not 0; there b = "
            "b*, within e^2/2 + |s| of ln(p/q), and L = l(s)",
            "Taylor's theorem",
            "Rudin, Principles of Mathematical Analysis, Theorem 5.15",
        ),
        Identity(
            "p + q = 1: s* = 0, so that H_u = H_b = l(0) is the least loss",
            bigram_gap(),
            sp.S.Zero,
            ON,
        ),
        Identity(
            "and the loss rises at order 4 in e: its leading term is c^2 (1+2w|w|)^2 e^4/2, c = "
            "p(1-p)",
            leading_term("p+q=1"),
            p**2 * (1 - p) ** 2 * (1 + 2 * tau * w**2) ** 2 * e**4 / 2,
            ON,
        ),
        Identity(
            "w = -1/sqrt2 + v: s = e^2 (2 sqrt2 v - 2 v^2)",
            gap_near_saddle(),
            e**2 * (2 * sp.sqrt(2) * offset - 2 * offset**2),
        ),
        Identity(
            "at v = 0 the gap is 0 for every e, and the loss at the best bias is H_u",
            gap().subs({w: -1 / sp.sqrt(2), tau: -1}),
            sp.S.Zero,
        ),
        Identity(
            "beside it the leading term, of order 3, is 2 sqrt2 c (p+q-1) e^2 v",
            leading_term("w=-1/sqrt2"),
            2 * sp.sqrt(2) * c * (p + q - 1) * e**2 * offset,
        ),
        Sign(
            "for p + q > 1 it is positive at v > 0",
            leading_term("w=-1/sqrt2").subs(beside),
            "positive",
            ABOVE,
        ),
        Sign(
            "and negative at v < 0",
            leading_term("w=-1/sqrt2").subs({**beside, offset: -y}),
            "negative",
            ABOVE,
        ),
        Sign(
            "for p + q < 1 it is negative at v > 0",
            leading_term("w=-1/sqrt2").subs(beside),
            "negative",
            BELOW,
        ),
        Sign(
            "and positive at v < 0: neither a minimum nor a maximum either way",
            leading_term("w=-1/sqrt2").subs({**beside, offset: -y}),
            "positive",
            BELOW,
        ),
        Identity(
            "where both lines meet the leading term, of order 6, is 4 c^2 e^4 v^2",
            leading_term("both"),
            4 * p**2 * (1 - p) ** 2 * e**4 * offset**2,
            ON,
        ),
    )


def control() -> Control:
    return Control(
        "for p + q > 1 the unigram point at w = -1/sqrt2 is a local minimum: beside it the "
        "leading term is not negative",
        Sign(
            "2 sqrt2 c (p+q-1) e^2 v >= 0",
            leading_term("w=-1/sqrt2").subs({e: _size, offset: -y}),
            "nonnegative",
            ABOVE,
        ),
    )


THEOREM = Theorem(
    id="degenerate-lines",
    title="The degenerate lines at higher order",
    statement=(
        "Let l(s) be the reduced loss at the best bias, a function of the gap s = e^2 (1 + "
        "2w|w|), and c = pi0 pi1. Then l'(0) = c(p+q-1), l''(0) = c^2 and l'''(0) = c^2 (pi0 - "
        "pi1)^2. For p + q = 1 every unigram point is a global minimum, as is every point with "
        "s = 0 at the best bias, and the loss at the best bias rises from it as c^2 (1 + "
        "2w|w|)^2 e^4/2: at order 4 in e where w != -1/sqrt2. For p + q != 1 and w = -1/sqrt2 + "
        "v the leading term is 2 sqrt2 c (p+q-1) e^2 v, of order 3 and of both signs: the "
        "unigram point at v = 0 is neither a local minimum nor a local maximum, although its "
        "Hessian is not indefinite; along v = 0 the loss at the best bias is H_u for every e. "
        "Where both lines meet the leading term is 4 c^2 e^4 v^2, of order 6, and the global "
        "minima are the cross of e = 0 and w = -1/sqrt2."
    ),
    latex=(
        r"Let $l(s)$ be the reduced loss at the best bias, a function of the gap $s = e^2 (1 + "
        r"2w|w|)$, and $c = \pi_0 \pi_1$. Then $l'(0) = c(p+q-1)$, $l''(0) = c^2$ and $l'''(0) "
        r"= c^2 (\pi_0 - \pi_1)^2$. For $p + q = 1$ every unigram point is a global minimum, "
        r"as is every point with $s = 0$ at the best bias, and the loss at the best bias rises "
        r"from it as $c^2 (1 + 2w|w|)^2 e^4/2$: at order $4$ in $e$ where $w \ne -1/\sqrt2$. "
        r"For $p + q \ne 1$ and $w = -1/\sqrt2 + v$ the leading term is $2\sqrt2\, c\, "
        r"(p+q-1)\, e^2 v$, of order $3$ and of both signs: the unigram point at $v = 0$ is "
        r"neither a local minimum nor a local maximum, although its Hessian is not indefinite; "
        r"along $v = 0$ the loss at the best bias is $H_u$ for every $e$. Where both lines "
        r"meet the leading term is $4 c^2 e^4 v^2$, of order $6$, and the global minima are "
        r"the cross of $e = 0$ and $w = -1/\sqrt2$."
    ),
    hypotheses=(ANY_CHAIN, REDUCED),
    source="this project",
    steps=steps,
    control=control,
    tests=(
        ""
        "tests/theory/reduced/test_degenerate.py::test_derivatives_at_the_unigram_are_those_of_the_least_loss",
        ""
        "tests/theory/reduced/test_degenerate.py::test_on_p_plus_q_equal_1_the_loss_rises_with_the_fourth_power",
        ""
        "tests/theory/reduced/test_degenerate.py::test_along_the_degenerate_line_the_loss_is_constant",
    ),
)
