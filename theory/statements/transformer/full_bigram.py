"""The bigram point of the single-layer transformer: a global minimum, and its Hessian's rank."""

import itertools
from functools import cache

import sympy as sp

from theory.chain.binary import entropy_rate, kernel, stationary_law
from theory.proving.steps import Identity, Lemma, Sign, Step
from theory.proving.theorem import ANY_CHAIN, NOT_INDEPENDENT, Control, Hypothesis, Scope, Theorem
from theory.reduced.critical_points import bigram_set
from theory.spectra.universal_law import Tying
from theory.statements.shared.least_loss import BRANCHES
from theory.statements.shared.logit_gradient import (
    Slopes,
    attended,
    basis,
    carried,
    chosen,
    contexts,
    determinant,
    from_basis,
    left,
    slopes,
    to_basis,
    without_value,
)
from theory.transformer.forward import absolute_w, ansatz, forward, in_coordinates, reduced_logit

SPANNED, RANKED = (2, 3), (2, 3, 4)
"""Lengths at which the span is found, and the determinant of its basis."""

TYINGS: tuple[Tying, ...] = ("tied", "untied")

_f, _turn = sp.symbols("f g_v", real=True)
_first, _last = sp.symbols("score_1 score_2", real=True)


def predicting() -> tuple[Step, ...]:
    """The prediction, the residuals, and the two terms of the Hessian."""
    found: list[Step] = []
    for sign, words in BRANCHES:
        weights = ansatz((1, -1), hidden=2, length=2, e_sign=sign)
        found_in = Slopes((1, -1), 2, 2, sign, "untied")
        passed = [in_coordinates(forward(weights, c)[-1]) for c in contexts(2)]
        held = [in_coordinates(found_in.logit(found_in.weights, c)) for c in contexts(2)]
        found.append(
            Identity(
                f"{words}: the forward pass at the ansatz, d = r = N = 2, has logits of x_n alone, "
                "those of the reduced model",
                sp.Matrix(passed),
                sp.Matrix([reduced_logit(sign)[c[-1]] for c in contexts(2)]),
            )
        )
        found.append(
            Identity(
                f"{words}: with any W_Q, W_K and W_O too, for W_V = 0, and with each relu held as "
                "it is there",
                sp.Matrix(held),
                sp.Matrix(passed),
            )
        )
    chance = 1 / (1 + sp.exp(-_f))
    term = sp.log(1 + sp.exp(_f))
    logits = bigram_set().logits
    rows = [kernel()[x, 1] for x in (0, 1)]
    pi = stationary_law()
    return (
        *found,
        Identity(
            "at a bigram point they are those of the kernel: after any context the prediction is "
            "r(x_n), the law of the next token",
            sp.Matrix([chance.subs(_f, logit) for logit in logits]),
            sp.Matrix(rows),
        ),
        Identity(
            "so the loss is H_b",
            sum(pi[x] * (term.subs(_f, logits[x]) - rows[x] * logits[x]) for x in (0, 1)),
            entropy_rate(),
        ),
        Lemma(
            "and no prediction from the past has lower loss: a global minimum",
            "Gibbs' inequality",
            "Cover and Thomas, Elements of Information Theory, Theorem 2.6.3",
        ),
        Identity(
            "a term of the loss has the slope sigma(f) - r in its logit, which is 0 there, and "
            "the curvature r(1-r)",
            sp.Matrix(
                [
                    entry.subs(_f, logits[x])
                    for x in (0, 1)
                    for entry in (sp.diff(term, _f) - rows[x], sp.diff(term, _f, 2))
                ]
            ),
            sp.Matrix([entry for r in rows for entry in (0, r * (1 - r))]),
        ),
        Lemma(
            "so the gradient is 0, second derivatives of the logit drop out, and the Hessian is "
            "(1/N) sum_n E[r(1-r) g g^T], g the gradient of the logit: positive semidefinite",
            "Gauss-Newton form of the Hessian at zero residuals",
            "Nocedal and Wright, Numerical Optimization, Section 10.2",
        ),
        Identity(
            "at w = 0 the logit is f + g.v + O(|v|^2), the hidden units adding a product of two "
            "small things, with no second derivative: along any v a term is of second order "
            "r(1-r) (g.v)^2, as sigma(f) = r, whatever bounded R the O(|v|^2) is",
            sp.Matrix([along_ray(x) for x in (0, 1)]),
            sp.Matrix([r * (1 - r) * _turn**2 for r in rows]),
        ),
        *(
            Sign(f"r(1-r) > 0 after {x}, and every context has a chance", r * (1 - r), "positive")
            for x, r in enumerate(rows)
        ),
        Lemma(
            "so its rank is the dimension of the span of the g of all contexts, which is that of "
            "the span of the components of g as functions of the context",
            "the rank of A^T D A, D positive definite, is that of A, and row rank is column rank",
            "Horn and Johnson, Matrix Analysis, 0.4.6",
        ),
    )


def along_ray(x: int) -> sp.Expr:
    """The curvature in h at 0 of a term with the logit f + h g.v + h^2 R, f the kernel's."""
    h, bounded = sp.symbols("h R", real=True)
    logit = bigram_set().logits[x] + h * _turn + h**2 * bounded
    term = sp.log(1 + sp.exp(logit)) - kernel()[x, 1] * logit
    return sp.diff(term, h, 2).subs(h, 0)


def gradients() -> tuple[Step, ...]:
    """Every derivative of the logit."""
    sizes: list[tuple[Slopes, list[tuple[int, ...]]]] = [
        (slopes(2, sign, tying), contexts(2)) for sign, _ in BRANCHES for tying in TYINGS
    ]
    sizes.append((slopes(3, 1, "tied"), contexts(3)))
    sizes.append((Slopes((1, -1), 2, 2, 1, "untied"), [(0, 1)]))  # tied adds two of these
    return tuple(
        Identity(
            f"{'e > 0' if s.e_sign > 0 else 'e < 0'}, {s.tying}, d = {len(s.signs)}, r = "
            f"{s.hidden}, N = {s.length}: g has the components 1, x_n e K, e t K, [n=j] e K, e^2 K "
            "m_n, 2|w| e^2 t F, 2w e^2 t F (b, embedding, readout, p_j, W_V, W_2, W_1), K = 1 + "
            "4w|w|F, all others 0",
            sp.Matrix.hstack(*(s.gradient(c) for c in at)),
            sp.Matrix.hstack(*(s.carried(c) for c in at)),
        )
        for s, at in sizes
    )


def spans() -> tuple[Step, ...]:
    """Components and basis span the same functions, and the basis is independent."""
    found: list[Step] = []
    for sign, words in BRANCHES:
        for tying, N in itertools.product(TYINGS, SPANNED):
            columns, rows = carried(N, sign, tying), basis(contexts(N), N, sign)
            where = f"{words}, {tying}, N = {N}"
            found += [
                Identity(
                    f"{where}: every component is a combination of 1, x_n, [n=j] K (j < N) and "
                    "K m_n",
                    columns,
                    rows * from_basis(N, sign, tying),
                ),
                Identity(
                    f"{where}, w != 0: and these are combinations of the components",
                    rows,
                    columns * to_basis(N, sign, tying, bent=True),
                ),
                Identity(
                    f"{where}, w = 0: and so they are",
                    rows.subs(absolute_w, 0),
                    columns.subs(absolute_w, 0) * to_basis(N, sign, tying, bent=False),
                ),
            ]
        share = attended(chosen(2, sign)[-1]) + sp.Rational(sign, 2)
        found += [
            Identity(
                f"{words}, any N >= 2: on N equal tokens that fire nothing the functions 1, x_n "
                "and K m_n are those of N tokens for each n < N, so a combination that is 0 on "
                "all has none of [n=j] K; on the last of these contexts, the other token, and "
                "the two of them, the three that are left have a determinant of size |m + "
                "sign(e)/2|, m that of the two",
                left(sign).det() ** 2,
                share**2,
            ),
            Identity(
                f"{words}, N = 2, 3, 4: on N equal tokens that fire nothing, n = 1..N, on the "
                "other token, and on the two of them, the N + 2 functions have a determinant of "
                "size |m + sign(e)/2|, m that of the last context",
                sp.Matrix([determinant(N, sign) ** 2 for N in RANKED]),
                sp.Matrix([share**2 for _ in RANKED]),
            ),
            Identity(
                f"{words}: and without K m_n, as with W_O = 0, the N + 1 others one of size 1",
                sp.Matrix([without_value(N, sign) ** 2 for N in RANKED]),
                sp.ones(len(RANKED), 1),
            ),
        ]
    return tuple(found)


def share_of_first() -> sp.Expr:
    """The attention that the first of two tokens gets."""
    return sp.exp(_first) / (sp.exp(_first) + sp.exp(_last))


@cache
def steps() -> tuple[Step, ...]:
    return (
        *predicting(),
        *gradients(),
        *spans(),
        Identity(
            "m + 1/2 of the context 10 is the attention on its first token, as is 1/2 - m of 01",
            sp.Matrix(
                [
                    share_of_first() / 2 - (1 - share_of_first()) / 2 + sp.S.Half,
                    sp.S.Half + share_of_first() / 2 - (1 - share_of_first()) / 2,
                ]
            ),
            sp.Matrix([share_of_first(), share_of_first()]),
        ),
        Sign("a softmax is positive: the rank is N + 2", share_of_first(), "positive"),
    )


def control() -> Control:
    m = attended((1, 0))
    return Control(
        "the value matrix adds nothing: the rank is N + 1 with W_O = I as well",
        Identity(
            "the N + 2 functions have the determinant 0 at N = 2",
            determinant(2, 1).subs(m, share_of_first() - sp.S.Half),
            sp.S.Zero,
        ),
    )


THEOREM = Theorem(
    id="full-bigram",
    title="The bigram point of the transformer",
    statement=(
        "Let (e, w, b) with e != 0 be a bigram point of the reduced model. Put its rank-one "
        "ansatz (W_V = 0; W_Q, W_K and W_O anything) into the single-layer transformer of N "
        "tokens, tied or with a readout of its own of the same value. After every context the "
        "prediction is the law of the next token, the loss is H_b, the least that any predictor "
        "has, and the gradient is 0. The Hessian is (1/N) sum_n E[r(1-r) g_n g_n^T], positive "
        "semidefinite, with g_n the gradient of logit_n; at w = 0, where the hidden units are at "
        "their kink and nothing leaves them, this is the second-order term of the loss. Its rank "
        "is N + 2 if N >= 2 and W_O^T alpha != 0, as for W_O = I, and N + 1 otherwise. For the "
        "g_n as functions of the context span 1, x_n, [n=j] K for j < N and, in the first case, K "
        "m_n, with K = 1 + 4w|w| where the hidden units are on and 1 elsewhere, and m_n the "
        "attended mean of x_i - 1/2. The machine differentiates the logit at d = r = 1, N = 2 "
        "(tied, e > 0: N = 3 too) and at d = r = N = 2 after the context 01 (untied, e > 0), and "
        "finds the span at N = 2 and 3, its dimension at any N. At other d and r the derivatives "
        "are the same multiples of alpha and of the vector of ones. For N = 1 there are two "
        "contexts only."
    ),
    latex=(
        r"Let $(e, w, b)$ with $e \ne 0$ be a bigram point of the reduced model. Put its rank-one "
        r"ansatz ($W_V = 0$; $W_Q$, $W_K$ and $W_O$ anything) into the single-layer transformer "
        r"of $N$ tokens, tied or with a readout of its own of the same value. After every context "
        r"the prediction is the law of the next token, the loss is $H_b$, the least that any "
        r"predictor has, and the gradient is $0$. The Hessian is \[\frac1N \sum_n E[r(1-r)\, g_n "
        r"g_n^T], \qquad g_n = \nabla\, \mathrm{logit}_n,\] positive semidefinite; at $w = 0$, "
        r"where the hidden units are at their kink and nothing leaves them, this is the "
        r"second-order term of the loss. Its rank is $N + 2$ if $N \ge 2$ and $W_O^T \alpha \ne "
        r"0$, as for $W_O = I$, and $N + 1$ otherwise. For the $g_n$ as functions of the context "
        r"span $1$, $x_n$, $[n=j] K$ for $j < N$ and, in the first case, $K m_n$, with $K = 1 + "
        r"4w|w|$ where the hidden units are on and $1$ elsewhere, and $m_n$ the attended mean of "
        r"$x_i - 1/2$. The machine differentiates the logit at $d = r = 1$, $N = 2$ (tied, $e > "
        r"0$: $N = 3$ too) and at $d = r = N = 2$ after the context $01$ (untied, $e > 0$), and "
        r"finds the span at $N = 2$ and $3$, its dimension at any $N$. At other $d$ and $r$ the "
        r"derivatives are the same multiples of $\alpha$ and of the vector of ones. For $N = 1$ "
        r"there are two contexts only."
    ),
    hypotheses=(
        ANY_CHAIN,
        NOT_INDEPENDENT,
        Hypothesis("the weights are the ansatz at a bigram point with e != 0, and W_V = 0"),
    ),
    source="Attention with Markov, global minimum; the rank: this project",
    steps=steps,
    control=control,
    tests=(
        "tests/theory/spectra/test_bigram.py::test_bigram_spectrum_is_that_of_the_enumerated_loss",
        "tests/theory/spectra/test_bigram.py::test_rank_and_parameters_are_the_published_ones",
        "tests/theory/spectra/test_bigram.py::test_the_small_matrix_has_exactly_the_stated_rank",
        "tests/theory/spectra/test_bigram.py::test_the_ansatz_reaches_the_entropy_rate",
        "tests/theory/statements/test_any_size.py::test_the_contexts_of_any_length_are_independent",
    ),
    scope=Scope(checks=(("bigram", "spectrum"), ("bigram", "inertia")), models=("single-layer",)),
)
