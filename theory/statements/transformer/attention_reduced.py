"""The reduced model with attention (e, w, a, b): what attention changes at both critical sets."""

from __future__ import annotations

import sympy as sp

from theory.attention.critical_points import (
    attention_bigram_hessian,
    attention_stiffness,
    curvature_jump,
    kappa,
    mean_m,
    mean_m2,
    neutral_strength,
    same_token_gaps,
    unigram_curvature,
    unigram_curvature_of,
)
from theory.attention.loss import attention_loss, firing, firing_logit
from theory.chain.binary import (
    count_probabilities,
    kernel,
    mean_memory,
    memory,
    second_eigenvalue,
    stationary_law,
)
from theory.proving.domain import ABOVE, BELOW, EVERYWHERE, ON, y
from theory.proving.steps import Identity, Lemma, Sign, Step
from theory.proving.theorem import ANY_CHAIN, Control, Theorem
from theory.reduced.critical_points import bigram_hessian
from theory.reduced.loss import reduced_loss
from theory.statements.chain.chain_powers import mean_steps
from theory.symbols import a, b, e, p, q, tau, w, x, xbar
from theory.transformer.forward import ansatz, attention_logit, forward, in_coordinates

__all__ = ["THEOREM"]

_form = sp.Function("g", real=True)(w, a)
_r, _spread = sp.Symbol("r", positive=True), sp.symbols("V0 V1", positive=True)
_lead = sp.Symbol("E", positive=True)


def steps() -> tuple[Step, ...]:
    return (*_model(), *_unigram(), *_bigram())


def _model() -> tuple[Step, ...]:
    """The logit and the loss."""
    weights = ansatz([1], hidden=1, length=2, attention=True)
    logits = sp.Matrix(
        [in_coordinates(forward(weights, context)[-1]) for context in ((0, 1), (1, 0))]
    )
    reduced = sp.Matrix([attention_logit(1).subs({x: t, xbar: sp.S.Half}) for t in (1, 0)])
    s = x - sp.S.Half + a * (xbar - sp.S.Half)
    return (
        Identity(
            "the transformer with W_V = a alpha alpha^T, layer by layer on the contexts 01 and 10",
            logits,
            reduced,
        ),
        Identity(
            "with F = 1 where e s_n > 0, else 0, the logit is e^2 s_n (1 + 4 w|w| F) + b",
            firing_logit(),
            e**2 * s * (1 + 4 * tau * w**2 * firing) + b,
        ),
        Identity(
            "the recursion over (x_n, count) keeps a law",
            sp.Matrix([sum(count_probabilities(n).values()) for n in (1, 2, 3, 4)]),
            sp.ones(4, 1),
        ),
        Identity(
            "with a = 0 the loss over two tokens is that of the reduced model",
            attention_loss(2).subs(a, 0),
            reduced_loss(),
        ),
    )


def _unigram() -> tuple[Step, ...]:
    """Gradient and Hessian at e = 0, b = ln(p/q)."""
    pi0, pi1 = stationary_law()
    c, eigenvalue = pi0 * pi1, second_eigenvalue()
    logit = e**2 * _form + b
    term = sp.log(1 + sp.exp(logit)) - _r * logit
    axes = (e, w, a, b)
    unigram = {e: sp.S.Zero, b: sp.log(p / q)}
    known = [
        Identity(
            f"summed over the law of (x_n, xbar_n), N = {N}, the curvature at a = {strength} is "
            "that closed form",
            unigram_curvature_of(N).subs(a, strength),
            unigram_curvature(1).subs({a: strength, kappa: mean_memory(N)}),
        )
        for N in (1, 2)
        for strength in (sp.Rational(-1, 2), sp.S.One)
    ]
    return (
        Identity(
            "a term of the loss, logit e^2 g(w, a) + b, has at e = 0 the gradient "
            "(0, 0, 0, pi1 - r)",
            sp.Matrix([sp.diff(term, axis) for axis in axes]).subs(unigram),
            sp.Matrix([0, 0, 0, pi1 - _r]),
        ),
        Identity(
            "and the Hessian diag(2 g (pi1 - r), 0, 0, c)",
            sp.hessian(term, axes).subs(unigram),
            sp.diag(2 * _form * (pi1 - _r), 0, 0, c),
        ),
        Identity(
            "r(x) - pi1 = lambda (x - pi1): so h = -2 lambda mean_n Cov(x_n, g_n), and E r = pi1",
            sp.Matrix([kernel()[t, 1] - pi1 for t in (0, 1)]),
            sp.Matrix([eigenvalue * (t - pi1) for t in (0, 1)]),
        ),
        *mean_steps(),
        Identity(
            "summed over the law of (x_n, count) it is that for n = 1..4",
            sp.Matrix([_covariance(n) for n in (1, 2, 3, 4)]),
            sp.Matrix([c * memory(n) for n in (1, 2, 3, 4)]),
        ),
        Sign(
            "for |a| < 1, a = (1-y)/(1+y), |s_n| is at least (1 - |a|)/2 > 0, as |xbar_n - 1/2| <= "
            "1/2: s_n has the sign of x_n - 1/2, and the relu is on where x_n = 1 (e > 0)",
            ((1 - a) / 2).subs(a, (1 - y) / (1 + y)),
            "positive",
        ),
        Identity(
            "then, and by continuity for |a| = 1, g_n is affine in xbar_n given x_n: h in closed "
            "form for every N, kappa = mean_n kappa_n",
            unigram_curvature(1),
            -2 * eigenvalue * c * (_gain(1) - _gain(0)),
        ),
        *known,
        Identity(
            "with w = 0, h = 2 c (p+q-1)(1 + a kappa)",
            unigram_curvature(1).subs(w, 0),
            2 * c * (p + q - 1) * (1 + a * kappa),
        ),
        Identity("it vanishes at a* = -1/kappa", neutral_strength(), -1 / kappa),
        Sign(
            "for a > a* it has the sign of p+q-1: positive for p + q > 1",
            unigram_curvature(1).subs(w, 0).subs(a, -1 / kappa + y),
            "positive",
            ABOVE,
        ),
        Sign(
            "negative for p + q < 1",
            unigram_curvature(1).subs(w, 0).subs(a, -1 / kappa + y),
            "negative",
            BELOW,
        ),
        Identity("p + q = 1: h = 0 whatever w and a are", unigram_curvature(1), sp.S.Zero, ON),
        Identity(
            "the curvatures from e > 0 and e < 0 differ by 8 c lambda w|w| a (1-kappa)(pi0-pi1)",
            curvature_jump(),
            8 * c * eigenvalue * tau * w**2 * a * (1 - kappa) * (pi0 - pi1),
        ),
    )


def _covariance(n: int) -> sp.Expr:
    """Cov(x_n, xbar_n), summed over the law of the last token and the count."""
    law = count_probabilities(n)
    pi1 = stationary_law()[1]
    return sum(
        (weight * (token - pi1) * sp.Rational(ones, n) for (token, ones), weight in law.items()),
        sp.S.Zero,
    )


def _gain(token: int) -> sp.Expr:
    """E[g_n | x_n = token] over positions, with the relu on at token 1."""
    pi1 = stationary_law()[1]
    mean = pi1 - sp.S.Half + kappa * (token - pi1)
    return (token - sp.S.Half + a * mean) * (1 + 4 * tau * w**2 * token)


def _bigram() -> tuple[Step, ...]:
    """The bigram set has a = 0, and attention adds one positive eigenvalue."""
    first, last, _ = same_token_gaps(1)
    mirrored_first, mirrored_last, _ = same_token_gaps(-1)
    block = sp.ImmutableMatrix(attention_bigram_hessian(1).extract([0, 1, 3], [0, 1, 3]))
    halves = [{**EVERYWHERE, tau: sp.Integer(sign)} for sign in (1, -1)]
    spread = {mean_m2[t]: mean_m[t] ** 2 + _spread[t] for t in (0, 1)}
    return (
        Identity(
            "a bigram point has equal logits after contexts that end alike, and for a >= -1 those "
            "of 0 and 10 (e > 0), of 1 and 01 (e < 0), differ by e^2 a/2 in size: so a = 0",
            sp.Matrix([first**2, mirrored_last**2]),
            sp.Matrix([a**2 / 4, a**2 / 4]),
        ),
        Identity(
            "at a = 0 they are equal",
            sp.Matrix([first, last, mirrored_first, mirrored_last]).subs(a, 0),
            sp.zeros(4, 1),
        ),
        Lemma(
            "there the prediction is the conditional mean, and the Hessian is E[r(1-r) g g^T], "
            "positive semidefinite",
            "Gauss-Newton form of the Hessian at zero residuals",
            "Nocedal and Wright, Numerical Optimization, Section 10.2",
        ),
        *(
            Identity(
                "without the row and column of a it is that of the model without attention",
                block,
                bigram_hessian(1),
                half,
            )
            for half in halves
        ),
        Identity(
            "the Schur complement in a is e^4 [A V_0 + B (1+4w|w|)^2 V_1], A = pi0 p(1-p), B = "
            "pi1 q(1-q), V_x the variance of xbar_n over positions and contexts that end in x",
            attention_stiffness(1).subs(spread),
            e**4
            * (
                stationary_law()[0] * p * (1 - p) * _spread[0]
                + stationary_law()[1] * q * (1 - q) * (1 + 4 * tau * w**2) ** 2 * _spread[1]
            ),
        ),
        Sign(
            "it is positive: the rank is that of the (e, w, b) block and 1",
            attention_stiffness(1).subs(spread).subs(e, _lead),
            "positive",
            EVERYWHERE,
        ),
    )


def control() -> Control:
    pi0, pi1 = stationary_law()
    return Control(
        "attention changes the curvature at w = 0 by the factor 1 + a, at every length",
        Identity(
            "h = 2 c (p+q-1)(1 + a) at N = 2",
            unigram_curvature(1).subs({w: 0, kappa: mean_memory(2)}),
            2 * pi0 * pi1 * (p + q - 1) * (1 + a),
        ),
    )


THEOREM = Theorem(
    id="attention-reduced",
    title="The reduced model with attention",
    statement=(
        "With uniform attention and W_V = a alpha alpha^T the ansatz has logit_n = e^2 s_n + 4 "
        "w|w| e relu(e s_n) + b with s_n = (x_n - 1/2) + a (xbar_n - 1/2). Its loss over N "
        "tokens is a sum over the law of (x_n, count), of N(N+1) terms. At e = 0, b = ln(p/q), "
        "any w and a, the gradient is 0 and the Hessian in (e, w, a, b) is diag(h, 0, 0, c), c "
        "= pi0 pi1, h = -2 lambda mean_n Cov(x_n, g_n) with logit_n = e^2 g_n + b, taken from "
        "one side of e = 0. For w = 0 it is 2c (p+q-1)(1 + a kappa), where kappa in (0, 1] is "
        "the mean over n of (1/n) sum_{k<n} lambda^k: attention with a > -1/kappa changes the "
        "size of the curvature and not its sign. For |a| <= 1 and any w, h is affine in a for "
        "each w and in w|w| for each a, and its values from e > 0 and e < 0 differ by 8 c "
        "lambda w|w| a (1-kappa)(pi0-pi1). For p + q = 1, h = 0. For p + q != 1, N >= 2 and a "
        ">= -1 the bigram set has a = 0; there the Hessian is a Gauss-Newton matrix whose (e, "
        "w, b) block is that without attention, and attention adds exactly one positive "
        "eigenvalue: rank 3, one zero. The closed forms of h are for every N, by induction over "
        "n; the machine also sums h for N = 1 and 2, and Cov(x_n, xbar_n) for n up to 4."
    ),
    latex=(
        r"With uniform attention and $W_V = a\,\alpha\alpha^T$ the ansatz has "
        r"\[\mathrm{logit}_n = e^2 s_n + 4 w|w|\, e\, \mathrm{relu}(e s_n) + b, \quad s_n = "
        r"(x_n - 1/2) + a (\bar x_n - 1/2).\] Its loss over $N$ tokens is a sum over the law "
        r"of $x_n$ and the count, of $N(N+1)$ terms. At $e = 0$, $b = \ln(p/q)$, any $w$ and "
        r"$a$, the gradient is $0$ and the Hessian in $(e, w, a, b)$ is $\mathrm{diag}(h, 0, "
        r"0, c)$ with $c = \pi_0 \pi_1$, $h = -2\lambda\, \mathrm{mean}_n\, \mathrm{Cov}(x_n, "
        r"g_n)$ and $\mathrm{logit}_n = e^2 g_n + b$, taken from one side of $e = 0$. For $w = "
        r"0$ it is $2c (p+q-1)(1 + a \kappa)$, where $\kappa \in (0, 1]$ is the mean over $n$ "
        r"of $(1/n) \sum_{k<n} \lambda^k$: attention with $a > -1/\kappa$ changes the size of "
        r"the curvature and not its sign. For $|a| \le 1$ and any $w$, $h$ is affine in $a$ "
        r"for each $w$ and in $w|w|$ for each $a$, and its values from $e > 0$ and $e < 0$ "
        r"differ by $8 c \lambda w|w| a (1-\kappa)(\pi_0-\pi_1)$. For $p + q = 1$, $h = 0$. "
        r"For $p + q \ne 1$, $N \ge 2$ and $a \ge -1$ the bigram set has $a = 0$; there the "
        r"Hessian is a Gauss-Newton matrix whose $(e, w, b)$ block is that without attention, "
        r"and attention adds exactly one positive eigenvalue: rank $3$, one zero. The closed "
        r"forms of $h$ are for every $N$, by induction over $n$; the machine also sums $h$ for $N "
        r"= 1$ and $2$, and $\mathrm{Cov}(x_n, \bar x_n)$ for $n$ up to $4$."
    ),
    hypotheses=(ANY_CHAIN,),
    source="this project",
    steps=steps,
    control=control,
    tests=(
        "tests/theory/attention/test_unigram_set.py::test_unigram_hessian_is_that_of_the_loss_from_one_side",
        "tests/theory/attention/test_unigram_set.py::test_sides_differ_by_the_jump_and_agree_at_equal_rates",
        "tests/theory/attention/test_unigram_set.py::test_attention_alone_turns_the_sign_at_the_neutral_strength_and_not_above",
        "tests/theory/statements/test_any_size.py::test_the_covariance_with_the_running_mean_is_that_of_enumerated_contexts",
    ),
)
