"""The bigram point: for every chain the reduced model predicts the kernel; nothing is better."""

import sympy as sp

from theory.chain.binary import entropy_rate, kernel, stationary_law
from theory.proving.domain import ABOVE, SHALLOW
from theory.proving.steps import Identity, Lemma, Sign, Step
from theory.proving.theorem import ANY_CHAIN, Control, Scope, Theorem
from theory.reduced.critical_points import bigram_set, residuals
from theory.reduced.loss import population_loss
from theory.statements.reduced.critical_points import chain_rule_step
from theory.statements.shared.least_loss import (
    BRANCHES,
    REDUCED,
    bigram_gap,
    bigram_gap_step,
    gap_sign_steps,
)
from theory.symbols import b, e, p, q, tau, w
from theory.transformer.forward import reduced_logit

_logits = sp.symbols("f0 f1", real=True)
_odds = sp.Symbol("phi", positive=True)


def prediction(logit: sp.Expr) -> sp.Expr:
    """The probability of a 1."""
    return 1 / (1 + sp.exp(-logit))


def divergence(state: int) -> sp.Expr:
    """Relative entropy of the kernel's row to the prediction of a logit, in nats."""
    chance, true = prediction(_logits[state]), kernel()[state, 1]
    return true * sp.log(true / chance) + (1 - true) * sp.log((1 - true) / (1 - chance))


def past_excess(state: int) -> sp.Expr:
    """-r ln f - (1-r) ln(1-f) less the entropy of r, the loss after one past."""
    r, f = kernel()[state, 1], 1 / (1 + _odds)
    entropy = -r * sp.log(r) - (1 - r) * sp.log(1 - r)
    return -r * sp.log(f) - (1 - r) * sp.log(1 - f) - entropy


def past_divergence(state: int) -> sp.Expr:
    """Relative entropy of the kernel's row to a prediction f."""
    r, f = kernel()[state, 1], 1 / (1 + _odds)
    return r * sp.log(r / f) + (1 - r) * sp.log((1 - r) / (1 - f))


def reaching(sign: int, words: str) -> tuple[Step, ...]:
    """On one branch of e, the logits of the kernel from e^2 (1 + 2w|w|) = s* and one bias."""
    target = bigram_set(sign)
    logits = reduced_logit(sign)
    state = 0 if sign > 0 else 1
    words_of_b = "ln(p/(1-p)) + e^2/2" if sign > 0 else "ln((1-q)/q) - e^2/2"
    bias = sp.log(p / (1 - p)) + e**2 / 2 if sign > 0 else sp.log((1 - q) / q) - e**2 / 2
    return (
        Identity(
            f"{words}: f({state}) is the logit of the kernel at b = {words_of_b}",
            logits[state] - target.logits[state],
            b - bias,
        ),
        Identity(
            f"{words}: f(1) - f(0) = e^2 (1 + 2w|w|), so f({1 - state}) is as well where that is "
            "s*",
            logits[1] - logits[0],
            e**2 * (1 + 2 * tau * w**2),
        ),
        chain_rule_step(sign, words),
    )


def steps() -> tuple[Step, ...]:
    kernel_logits = bigram_set().logits
    at = dict(zip(_logits, kernel_logits, strict=True))
    law = stationary_law()
    return (
        *(step for sign, words in BRANCHES for step in reaching(sign, words)),
        Identity(
            "the logits of the kernel differ by s*",
            kernel_logits[1] - kernel_logits[0],
            bigram_gap(),
        ),
        bigram_gap_step(),
        *gap_sign_steps(),
        Identity(
            "so e^2 (1 + 2w|w|) = s* with e != 0: for p+q < 1 at any w > -1/sqrt2, for p+q > 1 at "
            "any w < -1/sqrt2, for p+q = 1 at w = -1/sqrt2; there the prediction is the kernel",
            sp.Matrix([prediction(logit) for logit in kernel_logits]),
            kernel()[:, 1],
        ),
        Identity("the loss there is H_b", population_loss(*kernel_logits), entropy_rate()),
        Identity(
            "rho0 = rho1 = 0 there, so grad L = 0", sp.Matrix(residuals()).subs(at), sp.zeros(2, 1)
        ),
        Identity(
            "after any past that ends in x the mean loss of a prediction f, of any model, exceeds "
            "the entropy of the law r(x) of the next token by the relative entropy of r to f; the "
            "mean over pasts of the entropies is H_b",
            sp.Matrix([past_excess(state) for state in (0, 1)]),
            sp.Matrix([past_divergence(state) for state in (0, 1)]),
        ),
        Identity(
            "of a model of the last token alone: after any past that ends in x the next token has "
            "the law r(x) of the kernel, and the mean loss exceeds H_b by the relative entropy of "
            "the prediction to it",
            population_loss(*_logits) - entropy_rate(),
            law[0] * divergence(0) + law[1] * divergence(1),
        ),
        Lemma(
            "relative entropy is never negative, so no prediction from the past has lower loss",
            "Gibbs' inequality",
            "Cover and Thomas, Elements of Information Theory, Theorem 2.6.3",
        ),
        Lemma(
            "so in a model that contains the ansatz and is differentiable there the gradient is 0",
            "Fermat's theorem on stationary points",
            "Rudin, Principles of Mathematical Analysis, Theorem 5.8",
        ),
    )


def control() -> Control:
    return Control(
        "for p + q > 1 there is a bigram point at every w > -1/sqrt2 too",
        Sign(
            "e^2 = s*/(1 + 2w|w|) > 0",
            bigram_gap() / (1 + 2 * tau * w**2),
            "positive",
            {**ABOVE, **SHALLOW},
        ),
    )


THEOREM = Theorem(
    id="global-minimum",
    title="The bigram is a global minimum",
    statement=(
        "For all p and q, and on both branches of e, the reduced model has points with e != 0 "
        "whose prediction is the kernel: those with e^2 (1 + 2w|w|) = s* = ln[(1-p)(1-q)/(pq)] and "
        "b = ln(p/(1-p)) + e^2/2 for e > 0, b = ln((1-q)/q) - e^2/2 for e < 0. They exist at every "
        "w > -1/sqrt2 for p + q < 1, at every w < -1/sqrt2 for p + q > 1, and at w = -1/sqrt2 for "
        "p + q = 1. There the loss is H_b and its gradient is 0, and no prediction of the next "
        "token from the past, by whatever model, has lower loss."
    ),
    latex=(
        r"For all $p$ and $q$, and for both signs of $e$, the reduced model has points with $e \ne "
        r"0$ whose prediction is the kernel: those with \[e^2 (1 + 2w|w|) = s^* = "
        r"\ln\frac{(1-p)(1-q)}{pq}, \qquad b = \begin{cases} \ln\frac{p}{1-p} + \frac{e^2}{2}, & e "
        r"> 0, \\ \ln\frac{1-q}{q} - \frac{e^2}{2}, & e < 0.\end{cases}\] They exist at every $w > "
        r"-1/\sqrt2$ for $p + q < 1$, at every $w < -1/\sqrt2$ for $p + q > 1$, and at $w = "
        r"-1/\sqrt2$ for $p + q = 1$. There the loss is $H_b$ and its gradient is $0$, and no "
        r"prediction of the next token from the past, by whatever model, has lower loss."
    ),
    hypotheses=(ANY_CHAIN, REDUCED),
    source="Attention with Markov, global minimum",
    steps=steps,
    control=control,
    tests=(
        "tests/theory/spectra/test_reduced.py::test_ansatz_predicts_the_kernel",
        "tests/theory/reduced/test_critical_points.py::test_gradient_vanishes_on_the_bigram_set",
        "tests/theory/spectra/test_bigram.py::test_the_ansatz_reaches_the_entropy_rate",
    ),
    scope=Scope(
        checks=(("bigram", "loss"), ("bigram", "classification")),
        models=("single-layer", "reduced"),
    ),
)
