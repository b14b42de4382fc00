"""The unigram set of the reduced model: local minima, and saddles beyond w = -1/sqrt2."""

import sympy as sp

from theory.chain.binary import stationary_law, unigram_entropy
from theory.proving.domain import ABOVE, BELOW, DEEP, SHALLOW, UPWARD, Domain
from theory.proving.steps import Identity, Lemma, Sign, Step
from theory.proving.theorem import ANY_CHAIN, NOT_INDEPENDENT, Control, Hypothesis, Scope, Theorem
from theory.reduced.critical_points import gradient, unigram_hessian, unigram_set
from theory.reduced.loss import population_loss, reduced_loss
from theory.statements.shared.least_loss import BRANCHES, REDUCED
from theory.symbols import b, e, p, q, tau, w

NOT_THE_TURN = Hypothesis("w != -1/sqrt2")


def across() -> sp.Expr:
    """The second derivative of the loss along e."""
    pi0, pi1 = stationary_law()
    return 2 * pi0 * pi1 * (p + q - 1) * (1 + 2 * tau * w**2)


def signs() -> tuple[Step, ...]:
    """Where the second derivative along e is positive, and where negative."""
    flat: Domain = {w: sp.S.Zero, tau: sp.S.One}
    above, below = "p + q > 1", "p + q < 1"
    return (
        Sign(f"{above}, w > 0: d2L/de2 > 0", across(), "positive", {**ABOVE, **UPWARD}),
        Sign(f"{above}, w = 0: d2L/de2 > 0", across(), "positive", {**ABOVE, **flat}),
        Sign(f"{above}, -1/sqrt2 < w < 0: d2L/de2 > 0", across(), "positive", {**ABOVE, **SHALLOW}),
        Sign(f"{above}, w < -1/sqrt2: d2L/de2 < 0", across(), "negative", {**ABOVE, **DEEP}),
        Sign(f"{below}, w > 0: d2L/de2 < 0", across(), "negative", {**BELOW, **UPWARD}),
        Sign(f"{below}, w = 0: d2L/de2 < 0", across(), "negative", {**BELOW, **flat}),
        Sign(f"{below}, -1/sqrt2 < w < 0: d2L/de2 < 0", across(), "negative", {**BELOW, **SHALLOW}),
        Sign(f"{below}, w < -1/sqrt2: d2L/de2 > 0", across(), "positive", {**BELOW, **DEEP}),
    )


def steps() -> tuple[Step, ...]:
    pi0, pi1 = stationary_law()
    bias = unigram_set().b
    stated = sp.diag(across(), 0, pi0 * pi1)
    found: list[Step] = []
    for sign, words in BRANCHES:
        point = {b: bias, e: sp.S.Zero}
        curvature = sp.hessian(reduced_loss(sign), (e, w, b))
        found += [
            Identity(
                f"from {words}: grad L = 0 on the unigram set",
                gradient(sign).subs(point),
                sp.zeros(3, 1),
            ),
            Identity(
                f"from {words}: the Hessian there is diag(2 pi0 pi1 (p+q-1)(1 + 2w|w|), 0, pi0 "
                "pi1)",
                curvature.subs(point),
                stated,
            ),
            Identity(
                f"from {words}: at w = 0 from both sides alike, where w|w| has two second "
                f"derivatives",
                curvature.subs(point).subs({w: 0, tau: 1}),
                curvature.subs(point).subs({w: 0, tau: -1}),
            ),
        ]
    return (
        Identity("the loss on it is H_u", population_loss(bias, bias), unigram_entropy()),
        *found,
        Identity("the chain rule gives the same", unigram_hessian(), stated),
        Sign("d2L/db2 > 0", pi0 * pi1, "positive"),
        *signs(),
        Lemma(
            "the null direction w is that of the set, so where d2L/de2 > 0 each of the four "
            "analytic functions that L consists of, one for each pair of signs of e and w, exceeds "
            "H_u off the set nearby: a local minimum, strict across the set",
            "the Morse-Bott lemma",
            "Bott, Nondegenerate critical manifolds, Annals of Mathematics 60 (1954) 248-261; "
            "proof in Banyaga and Hurtubise, Expositiones Mathematicae 22 (2004) 365-373",
        ),
        Lemma(
            "where d2L/de2 < 0 the loss falls along e and rises along b: a saddle",
            "Taylor's theorem",
            "Rudin, Principles of Mathematical Analysis, Theorem 5.15",
        ),
    )


def control() -> Control:
    return Control(
        "for p + q > 1 the unigram point is a local minimum at every w, below -1/sqrt2 as well",
        Sign("d2L/de2 >= 0", across(), "nonnegative", {**ABOVE, **DEEP}),
    )


THEOREM = Theorem(
    id="tied-unigram",
    title="The unigram set of the reduced model",
    statement=(
        "At the points (0, w, ln(p/q)) of the reduced model the loss is H_u, its gradient is 0, "
        "and its Hessian in (e, w, b) is diag(2 pi0 pi1 (p+q-1)(1 + 2w|w|), 0, pi0 pi1). For p + "
        "q > 1 they are local minima, strict across the set, where w > -1/sqrt2, and saddles "
        "where w < -1/sqrt2; for p + q < 1 they are saddles where w > -1/sqrt2, and local "
        "minima, strict across the set, where w < -1/sqrt2. Where p + q = 1 or w = -1/sqrt2 the "
        "Hessian has a second zero, and theorem degenerate-lines says what the points are."
    ),
    latex=(
        r"At the points $(0, w, \ln(p/q))$ of the reduced model the loss is $H_u$, its gradient "
        r"is $0$, and its Hessian in $(e, w, b)$ is \[\operatorname{diag}\left(2 \pi_0 \pi_1 "
        r"(p+q-1)(1 + 2w|w|),\; 0,\; \pi_0 \pi_1\right).\] For $p + q > 1$ they are local minima, "
        r"strict across the set, where $w > -1/\sqrt2$, and saddles where $w < -1/\sqrt2$; for $p "
        r"+ q < 1$ they are saddles where $w > -1/\sqrt2$, and local minima, strict across the "
        r"set, where $w < -1/\sqrt2$. Where $p + q = 1$ or $w = -1/\sqrt2$ the Hessian has a "
        r"second zero, and theorem \emph{degenerate-lines} says what the points are."
    ),
    hypotheses=(ANY_CHAIN, REDUCED, NOT_INDEPENDENT, NOT_THE_TURN),
    source="Attention with Markov, bad local minimum and saddle, for all w",
    steps=steps,
    control=control,
    tests=(
        "tests/theory/reduced/test_critical_points.py::test_unigram_hessian_has_the_published_form",
        "tests/theory/reduced/test_critical_points.py::"
        "test_hessians_are_second_differences_of_the_naive_loss",
        ""
        "tests/theory/spectra/test_reduced.py::test_reduced_unigram_spectrum_has_the_published_signs",
    ),
    scope=Scope(
        checks=(("unigram", "spectrum"), ("unigram", "inertia"), ("unigram", "classification")),
        models=("reduced",),
    ),
)
