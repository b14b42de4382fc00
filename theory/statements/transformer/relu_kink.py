"""The kink: where the full model has no Hessian, and what it has instead."""

import sympy as sp

from theory.chain.binary import stationary_law
from theory.proving.domain import ABOVE, BELOW, Domain, y
from theory.proving.steps import Identity, Sign, Step
from theory.proving.theorem import ANY_CHAIN, Control, Hypothesis, Theorem
from theory.reduced.critical_points import kink_logits, one_sided_curvature, unigram_hessian
from theory.symbols import b, e, p, q, tau, w
from theory.transformer.forward import (
    alpha,
    ansatz,
    feed_forward,
    forward,
    head,
    in_coordinates,
    sign_symbol,
)

BENT: Domain = {w: -(1 + y) / 2, tau: sp.S.NegativeOne}
"""w < -1/2."""

CONTEXTS = ((0,), (1,), (0, 0), (0, 1), (1, 0), (1, 1))


def wide_logits(e_sign: int) -> sp.Matrix:
    """The last logit after every context, d = r = N = 2, positions 0."""
    weights = ansatz((1, -1), hidden=2, length=2, e_sign=e_sign)
    weights["positions"] = sp.zeros(2, 2)
    return sp.Matrix([in_coordinates(forward(weights, c)[-1]) for c in CONTEXTS])


def any_width(e_sign: int) -> sp.Matrix:
    """f(0) and f(1) with d and r symbols: W_V = 0 leaves y_n = u_n = x_n e alpha."""
    k = sp.Symbol("k", integer=True, nonnegative=True)  # the index of `forward`
    embedding = sign_symbol(e_sign)
    return sp.Matrix(
        [head(feed_forward(token * embedding * alpha(k)), embedding) for token in (0, 1)]
    )


def steps() -> tuple[Step, ...]:
    pi0, pi1 = stationary_law()
    silent = 2 * pi0 * pi1 * (p + q - 1)
    return (
        Identity(
            "along +alpha from e = 0, positions 0, the forward pass gives f(x) = e^2 (1+4w|w|) x + "
            "b: the hidden units are on at x = 1",
            sp.Matrix(kink_logits(1)),
            sp.Matrix([b, e**2 * (1 + 4 * tau * w**2) + b]),
        ),
        Identity(
            "along -alpha they stay off: f(x) = e^2 x + b",
            sp.Matrix(kink_logits(-1)),
            sp.Matrix([b, e**2 + b]),
        ),
        *(
            Identity(
                f"the same for any d and r, along {side}: with W_V = 0 attention adds nothing to "
                "the input, and the logit is one of x_n alone, for any n",
                any_width(sign),
                sp.Matrix(kink_logits(sign)),
            )
            for sign, side in ((1, "+alpha"), (-1, "-alpha"))
        ),
        *(
            Identity(
                f"the same with d = r = N = 2 along {side}, whatever came before",
                wide_logits(sign),
                sp.Matrix([kink_logits(sign)[c[-1]] for c in CONTEXTS]),
            )
            for sign, side in ((1, "+alpha"), (-1, "-alpha"))
        ),
        Identity(
            "the curvature of the loss along +alpha is 2c(p+q-1)(1+4w|w|)",
            one_sided_curvature(1),
            silent * (1 + 4 * tau * w**2),
        ),
        Identity("along -alpha it is 2c(p+q-1)", one_sided_curvature(-1), silent),
        Identity(
            "they differ by 8 c (p+q-1) w|w|: for w != 0 and p + q != 1 there is no second "
            "derivative",
            one_sided_curvature(1) - one_sided_curvature(-1),
            8 * pi0 * pi1 * (p + q - 1) * tau * w**2,
        ),
        Identity(
            "their mean is the curvature of the reduced model, whose positions -(e/2) alpha move "
            "with e",
            (one_sided_curvature(1) + one_sided_curvature(-1)) / 2,
            unigram_hessian()[0, 0],
        ),
        Sign(
            "for p + q > 1 the loss falls along +alpha at every w < -1/2 already",
            one_sided_curvature(1),
            "negative",
            {**ABOVE, **BENT},
        ),
        Sign("although it rises along -alpha", one_sided_curvature(-1), "positive", ABOVE),
        Sign(
            "for p + q < 1 it falls along -alpha, at every w",
            one_sided_curvature(-1),
            "negative",
            BELOW,
        ),
        Identity(
            "at p = 1/2, q = 4/5, w = -2: -360/169 = -2.130, 24/169 = .142, and for the reduced "
            "model -168/169 = -.994",
            sp.Matrix(
                [one_sided_curvature(1), one_sided_curvature(-1), unigram_hessian()[0, 0]]
            ).subs({p: sp.Rational(1, 2), q: sp.Rational(4, 5), w: -2, tau: -1}),
            sp.Matrix([-360, 24, -168]) / 169,
        ),
    )


def control() -> Control:
    return Control(
        "the curvature is the reduced model's on both sides",
        Identity(
            "the curvature along +alpha is 2c(p+q-1)(1+2w|w|)",
            one_sided_curvature(1),
            unigram_hessian()[0, 0],
            {**ABOVE, **BENT},
        ),
    )


THEOREM = Theorem(
    id="relu-kink",
    title="The relu kink of the ansatz",
    statement=(
        "In the tied single-layer transformer of any widths d and r at the ansatz (W_V = 0) with "
        "e = 0, b = ln(p/q) and positions 0, every pre-activation is 0. Along +alpha and -alpha "
        "of the embedding, the positions held at 0, the loss has the one-sided second derivatives "
        "2c(p+q-1)(1 + 4w|w|) and 2c(p+q-1), c = pi0 pi1. For w != 0 and p + q != 1 they differ: "
        "there is no Hessian, whatever automatic differentiation returns. Their mean 2c(p+q-1)(1 "
        "+ 2w|w|) is the curvature of the reduced model, whose positions move with e. For p + q > "
        "1 the loss falls along +alpha as soon as w < -1/2, where the reduced model still has a "
        "local minimum down to w = -1/sqrt2; for p + q < 1 it falls along -alpha at every w."
    ),
    latex=(
        r"In the tied single-layer transformer of any widths $d$ and $r$ at the ansatz ($W_V = "
        r"0$) with $e = 0$, $b = \ln(p/q)$ and positions $0$, every pre-activation is $0$. Along "
        r"$+\alpha$ and $-\alpha$ of the embedding, the positions held at $0$, the loss has the "
        r"one-sided second derivatives $2c(p+q-1)(1 + 4w|w|)$ and $2c(p+q-1)$, $c = \pi_0 \pi_1$. "
        r"For $w \ne 0$ and $p + q \ne 1$ they differ: there is no Hessian, whatever automatic "
        r"differentiation returns. Their mean $2c(p+q-1)(1 + 2w|w|)$ is the curvature of the "
        r"reduced model, whose positions move with $e$. For $p + q > 1$ the loss falls along "
        r"$+\alpha$ as soon as $w < -1/2$, where the reduced model still has a local minimum down "
        r"to $w = -1/\sqrt2$; for $p + q < 1$ it falls along $-\alpha$ at every $w$."
    ),
    hypotheses=(
        ANY_CHAIN,
        Hypothesis("tied embeddings, w != 0"),
        Hypothesis("W_V = 0; W_Q, W_K and W_O are anything"),
    ),
    source="this project",
    steps=steps,
    control=control,
    tests=(
        "tests/theory/statements/test_hypotheses.py::"
        "test_the_kink_has_the_stated_curvatures_without_a_value_matrix_only",
        ""
        "tests/landscape/spectra/test_kinks.py::test_one_sided_curvatures_at_the_kink_are_those_of_the_enumerated_loss",
        ""
        "tests/theory/spectra/test_universal_law.py::test_kink_the_full_curvature_differs_from_the_reduced_one_and_between_sides",
    ),
)
