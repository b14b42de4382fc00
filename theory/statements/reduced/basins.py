"""Both basins of the flow at the best bias, from a monotone gap and a conserved energy."""

from __future__ import annotations

import sympy as sp

from theory.proving.domain import DEEP, EVERYWHERE, SHALLOW, Domain, t, y
from theory.proving.steps import Identity, Lemma, Sign, Step
from theory.proving.theorem import ANY_CHAIN, NOT_INDEPENDENT, Control, Theorem
from theory.reduced.flow import energy, gap, saddle_energy, separatrix_squared, slope, vector_field
from theory.statements.reduced.conserved_energy import SIDES, rate
from theory.statements.reduced.gradient_flow import along
from theory.statements.reduced.separatrix import height_steps
from theory.statements.shared.least_loss import BRANCHES, gap_sign_steps, half, slope_sign_steps
from theory.symbols import e, s, tau, w

__all__ = ["THEOREM"]

NEAR: Domain = {w: -1 / (2 * (1 + y)), tau: sp.S.NegativeOne}
"""-1/2 < w < 0."""

FAR: Domain = {w: -(1 + y), tau: sp.S.NegativeOne}
"""w < -1."""


def over() -> sp.Expr:
    """The energy over that of the saddle."""
    return energy() - saddle_energy()


def conserved() -> tuple[Step, ...]:
    """The energy is constant, and what it is in terms of the separatrix."""
    return (
        *(
            Identity(
                f"{words}, {side}: d Energy/dt = 0", rate(vector_field(sign)), sp.S.Zero, domain
            )
            for sign, words in BRANCHES
            for side, domain in SIDES
        ),
        *(
            Identity(
                f"so Energy - Energy(saddle) = e^2 - e_sep^2 is constant, {words}",
                over(),
                e**2 - separatrix_squared(),
                domain,
            )
            for words, domain in (("w > -1/sqrt2", SHALLOW), ("w < -1/sqrt2", DEEP))
        ),
    )


def bounded() -> tuple[Step, ...]:
    """Flows stay in a compact part of their side of w = 0."""
    factor = 1 + 2 * tau * w**2
    return (
        *(
            Identity(
                f"{words}: w' = -4 l'(s) e^2 |w| has one sign, that of s* - s, so w is monotone",
                vector_field(sign)[1],
                -4 * slope().subs(s, gap(sign)) * e**2 * tau * w,
            )
            for sign, words in BRANCHES
        ),
        Sign(
            "s lies between its first value and s*; for w > 0, s >= e^2 bounds e, and then w^2 + "
            "ln w = e^2 - Energy bounds w above and, as w^2 is bounded, away from 0",
            e**2 * (factor - 1),
            "nonnegative",
            half(1),
        ),
        Sign(
            "for -1/2 < w < 0, s >= e^2/2 bounds e, and then ln|w| = Energy + w^2 - e^2 bounds w "
            "away from 0",
            factor - sp.Rational(1, 2),
            "positive",
            NEAR,
        ),
        Sign(
            "for w < -1, -s >= e^2 bounds e, and then e_sep^2 = e^2 + const, which grows without "
            "bound, bounds w",
            -factor - 1,
            "positive",
            FAR,
        ),
        Lemma(
            "for -1 <= w <= -1/2, e^2 = e_sep^2 + const is continuous and so bounded; a flow in a "
            "compact set goes on for all time. There w, monotone, has a limit, and so has e, whose "
            "square is a function of w and which keeps its sign (at w = 0, e^2 = s is monotone)",
            "extension of bounded solutions",
            "Teschl, Ordinary Differential Equations and Dynamical Systems, section 2.6",
        ),
        Lemma(
            "the limit of a flow is a point of rest, since its velocity has a limit as well, which "
            "must be 0",
            "the mean value theorem",
            "Rudin, Principles of Mathematical Analysis, Theorem 5.10",
        ),
    )


def ends() -> tuple[Step, ...]:
    """Which points of rest a flow can end at."""
    crossing = {**EVERYWHERE, w: -1 / sp.sqrt(2), tau: sp.S.NegativeOne}
    return (
        Identity(
            "l'(s) grad s = 0 needs s = s*, a bigram point, or grad s = 0; as e ds/de - w ds/dw "
            "= 2 e^2 that is e = 0, a unigram point, where s = 0",
            e * sp.diff(gap(1), e) - w * sp.diff(gap(1), w),
            2 * e**2,
        ),
        Sign(
            "if s(0) has the sign of s*, then s, between the two, stays away from 0: the end is "
            "the bigram. If e != 0 and w = -1/sqrt2, s starts at 0 and moves, since |grad s| > "
            "0: the same",
            (sp.diff(gap(1), e) ** 2 + sp.diff(gap(1), w) ** 2),
            "positive",
            {**crossing, e: t},
        ),
        Identity(
            "if s(0) has the other sign, the bigram is reached only through s = 0 with e != 0, "
            "so at w = -1/sqrt2, where e_sep = 0: for w < 0 this needs e^2 - e_sep^2 > 0, and "
            "for w >= 0 it does not happen",
            over(),
            e**2,
            crossing,
        ),
        Identity(
            "and the unigram is reached at e = 0 only, where e^2 - e_sep^2 <= 0: so for w < 0 and "
            "s(0) of the other sign the end is the bigram if and only if |e| > e_sep(w), and for "
            "|e| = e_sep(w) it is the point where e_sep = 0, the saddle",
            over().subs(e, 0),
            -separatrix_squared(),
            SIDES[1][1],
        ),
    )


def steps() -> tuple[Step, ...]:
    return (
        *slope_sign_steps(),
        *gap_sign_steps(),
        *(step for sign, words in BRANCHES for step in along(sign, words)),
        Lemma(
            "the field is locally Lipschitz, so flows do not meet: e and w keep their signs, and s "
            "moves to s* monotonically without crossing it",
            "the Picard-Lindelof theorem",
            "Teschl, Ordinary Differential Equations and Dynamical Systems, Theorem 2.2",
        ),
        *conserved(),
        *height_steps(),
        *bounded(),
        *ends(),
    )


def control() -> Control:
    return Control(
        "for p + q > 1 every flow with e != 0 from -1/sqrt2 < w < 0 ends at the bigram, since its "
        "energy exceeds that of the saddle",
        Sign("e^2 - e_sep^2 > 0", over(), "positive", {**SHALLOW, e: t}),
    )


THEOREM = Theorem(
    id="basins",
    title="The basins of the unigram and of the bigram",
    statement=(
        "Let p + q != 1. The gradient flow of (e, w) with b at its best value, from any start, "
        "goes on for all time and converges to a point of the unigram set or of the bigram set. "
        "Points with e = 0 stay where they are. From e != 0: if p + q < 1, it ends at the "
        "unigram where w < -1/sqrt2 and |e| <= e_sep(w), and at the bigram everywhere else. If p "
        "+ q > 1, it ends at the unigram where w >= 0, or -1/sqrt2 < w < 0 and |e| <= e_sep(w), "
        "and at the bigram everywhere else. From |e| = e_sep(w) in these regions it ends at the "
        "saddle (0, -1/sqrt2). Here e_sep(w)^2 = w^2 - ln|w| - (1 + ln 2)/2."
    ),
    latex=(
        r"Let $p + q \ne 1$. The gradient flow of $(e, w)$ with $b$ at its best value, from any "
        r"start, goes on for all time and converges to a point of the unigram set or of the "
        r"bigram set. Points with $e = 0$ stay where they are. Let $e_{\mathrm{sep}}(w)^2 = w^2 - "
        r"\ln|w| - (1 + \ln 2)/2$ for $w < 0$. From $e \ne 0$: if $p + q < 1$, it ends at the "
        r"unigram on \[\left\{w < -1/\sqrt2, |e| \le e_{\mathrm{sep}}(w)\right\}\] and at the "
        r"bigram everywhere else; if $p + q > 1$, it ends at the unigram on \[\left\{w \ge "
        r"0\right\} \cup \left\{-1/\sqrt2 < w < 0, |e| \le e_{\mathrm{sep}}(w)\right\}\] and at "
        r"the bigram everywhere else. From $|e| = e_{\mathrm{sep}}(w)$ in these regions it ends "
        r"at the saddle $(0, -1/\sqrt2)$."
    ),
    hypotheses=(ANY_CHAIN, NOT_INDEPENDENT),
    source="Local to Global, the basins of the two sets",
    steps=steps,
    control=control,
    tests=(
        "tests/theory/reduced/test_flow.py::test_the_basins_on_either_side_of_the_separatrix",
        "tests/theory/reduced/test_flow.py::test_the_edges_of_the_basins",
        "tests/landscape/cli/test_flow.py::test_bisection_with_the_integrator_finds_the_separatrix",
        "tests/landscape/cli/test_flow.py::test_theory_and_integration_agree_on_a_grid_of_starts",
    ),
)
