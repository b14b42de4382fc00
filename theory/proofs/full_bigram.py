"""The bigram point of the full single-layer transformer: a global minimum of Hessian rank N + 2."""

from __future__ import annotations

import itertools
from functools import cache

import sympy as sp

from theory.critical_points import bigram_set
from theory.explicit import ansatz, forward
from theory.loss import population_loss
from theory.proof import Identity, Lemma, Sign, Step
from theory.source import entropy_rate
from theory.symbols import a, tau
from theory.theorem import ANY_CHAIN, NOT_INDEPENDENT, Control, Theorem
from theory.transformer import absolute_w, sign_symbol

__all__ = ["THEOREM", "logit_gradients"]

LENGTHS = (2, 3)
"""N at which the forward pass is differentiated, context by context."""

_logit, _rate = sp.Symbol("f", real=True), sp.Symbol("r", positive=True)
_size = sp.Symbol("W", positive=True)  # |w|, where it is not 0


def point(length: int) -> dict[str, sp.Matrix]:
    """The ansatz of width 1 with one hidden unit, e > 0, attention switched off."""
    weights = ansatz([1], hidden=1, length=length)
    return {name: value.subs(a, 0) for name, value in weights.items()}


@cache
def logit_gradients(length: int, *, output: int = 1) -> tuple[sp.Matrix, list[tuple[int, ...]]]:
    """d logit_n/d(every parameter), a row for each context of lengths 1..N, at the ansatz.

    Every entry of every weight is a parameter: embedding, positions, query, key, value, output,
    hidden_in, hidden_out and bias, in this order. A relu is what it is next to the point: its
    argument where that is positive at the point, else 0. `output` is the value of W_O, 1 or 0.
    """
    base = point(length)
    base["output"] = sp.eye(1) * output
    free: dict[str, sp.Matrix] = {}
    values: dict[sp.Symbol, sp.Expr] = {}
    for name, weight in base.items():
        symbols = sp.Matrix(
            weight.rows,
            weight.cols,
            lambda i, j, name=name: sp.Symbol(f"{name}_{i}{j}", real=True),
        )
        free[name] = symbols
        values |= dict(zip(symbols, weight, strict=True))
    rows, contexts = [], []
    for n in range(1, length + 1):
        for context in itertools.product((0, 1), repeat=n):
            logit = forward(free, context)[-1].replace(
                sp.Max, lambda *terms: sum(terms) * int(_fires(sum(terms), values))
            )
            rows.append([sp.diff(logit, symbol).subs(values) for symbol in values])
            contexts.append(context)
    return sp.Matrix(rows).applyfunc(sp.expand), contexts


def _fires(argument: sp.Expr, values: dict[sp.Symbol, sp.Expr]) -> bool:
    """Whether a relu is on next to the point; where w = 0 both weights of its unit are 0."""
    at = sp.factor(sp.expand(argument.subs(values)).subs(absolute_w, sp.Dummy(positive=True)))
    if at.is_positive is None:
        raise ArithmeticError(f"the sign of the pre-activation {at} is not decided")
    return bool(at.is_positive)


def factors(
    contexts: list[tuple[int, ...]], length: int
) -> tuple[sp.Matrix, sp.Matrix, list[tuple[int, ...]]]:
    """Phi with a row (x_n, [n=1] K, .., [n=N] K, K m_n) for each context, and N + 2 of its rows.

    K = 1 + 4w|w| x_n and m_n the mean of x_i - 1/2. The chosen rows are those of the contexts
    (0..0) of every length, of (1), and of (0, 1).
    """
    rows = []
    for context in contexts:
        n, x = len(context), context[-1]
        K = 1 + 4 * tau * absolute_w**2 * x
        mean = sum(sp.Integer(token) - sp.S.Half for token in context) / n
        rows.append([x, *(K * int(j == n) for j in range(1, length + 1)), K * mean])
    chosen = [(0,) * n for n in range(1, length + 1)] + [(1,), (1, 0)]
    Phi = sp.Matrix(rows)
    minor = sp.Matrix([rows[contexts.index(context)] for context in chosen])
    return Phi, minor, chosen


def coefficients(length: int, output: int = 1) -> sp.Matrix:
    """B, [N+2, D]: the gradients as combinations of the columns of Phi, at e > 0.

    With 1 = sum_n [n=j] K - 4w|w| x_n. Rows: x_n, the N positions, the attended mean.
    """
    E, m = sign_symbol(1), absolute_w
    ww = tau * m**2
    one = sp.Matrix([-4 * ww, *([1] * length), 0])
    unit = sp.eye(length + 2)
    x = unit[:, 0]
    K = one + 4 * ww * x  # the sum of the [n=j] K
    half = sp.S.Half
    zero = sp.zeros(length + 2, 1)
    columns = [
        E * (1 + 4 * ww) * x + E * ((1 + 4 * ww) * x - half * K),  # embedding, and readout: t K
        *(E * unit[:, 1 + j] for j in range(length)),  # positions
        zero,  # query
        zero,  # key
        output * E**2 * unit[:, length + 1],  # value
        zero,  # output
        2 * tau * m * E**2 * half * x,  # hidden_in
        2 * m * E**2 * half * x,  # hidden_out
        one,  # bias
    ]
    return sp.Matrix.hstack(*columns)


def steps() -> tuple[Step, ...]:
    target = bigram_set().logits
    softplus = sp.log(1 + sp.exp(_logit)) - _rate * _logit
    odds = sp.log(_rate / (1 - _rate))
    found: list[Step] = [
        Identity(
            "at the bigram set the logits are those of the kernel, and the loss is H_b",
            population_loss(*target),
            entropy_rate(),
        ),
        Identity(
            "a term of the loss has at logit ln(r/(1-r)) the slope 0 and the curvature r(1-r): the "
            "gradient is 0, and the Hessian is the Gauss-Newton matrix E[r(1-r) g g^T]",
            sp.Matrix([sp.diff(softplus, _logit, k) for k in (1, 2)]).subs(_logit, odds),
            sp.Matrix([0, _rate * (1 - _rate)]),
        ),
        Lemma(
            "no prediction has a loss below H_b",
            "Gibbs' inequality",
            "Cover and Thomas, Elements of Information Theory, Theorem 2.6.3",
        ),
    ]
    for length in LENGTHS:
        gradients, contexts = logit_gradients(length)
        Phi, minor, _ = factors(contexts, length)
        B = coefficients(length)
        # columns of the positions, of W_V, and of hidden_out: x_n where w != 0
        places = list(range(1, 1 + length))
        value, hidden = 1 + length + 2, 1 + length + 5
        found += [
            Identity(
                f"N = {length}: differentiated through every softmax and relu, g = Phi B for all "
                "contexts, Phi of the N + 2 functions x_n, [n=j] K, K m_n, K = 1 + 4w|w| x_n: the "
                "rank is at most N + 2",
                gradients,
                (Phi * B).applyfunc(sp.expand),
            ),
            Identity(
                f"N = {length}: a minor of Phi of that size is +-1/2",
                sp.expand(minor.det() ** 2),
                sp.Rational(1, 4),
            ),
            Sign(
                f"N = {length}: and a minor of B is e^(N+4) |w| != 0 (w != 0): the rank is N + 2",
                B[:, [hidden, *places, value]].det().subs(absolute_w, _size),
                "positive",
            ),
            Sign(
                f"N = {length}: at w = 0 another is 2 e^(N+3): the rank is N + 2 too",
                B[:, [0, *places, value]].subs(absolute_w, 0).det(),
                "positive",
            ),
        ]
    length = LENGTHS[0]
    gradients, contexts = logit_gradients(length, output=0)
    Phi, _, _ = factors(contexts, length)
    found.append(
        Identity(
            "W_O = 0: the column of W_V vanishes, and the rank is N + 1",
            gradients,
            (Phi * coefficients(length, 0)).applyfunc(sp.expand),
        )
    )
    return tuple(found)


def control() -> Control:
    length = LENGTHS[0]
    gradients, contexts = logit_gradients(length)
    Phi, _, _ = factors(contexts, length)
    return Control(
        "the gradients of the logits do not see earlier tokens: the rank is N + 1 with W_O = I",
        Identity(
            "g = Phi B without the column of K m_n",
            gradients,
            (Phi * coefficients(length, 0)).applyfunc(sp.expand),
        ),
    )


THEOREM = Theorem(
    id="full-bigram",
    title="The bigram point of the transformer",
    statement=(
        "In the single-layer transformer the rank-one ansatz at a bigram (e, w, b) of the "
        "reduced model is a global minimum: the prediction is the kernel, the loss H_b and the "
        "gradient 0. Its Hessian is the Gauss-Newton matrix (1/N) sum_n E[r(1-r) g_n g_n^T], "
        "g_n the gradient of logit_n, positive semidefinite. The g_n span the N + 2 functions "
        "x_n, [n=j] K (j = 1..N) and K m_n, K = 1 + 4w|w| x_n and m_n the attended mean of x_i "
        "- 1/2: the rank is N + 2 for N >= 2 and W_O = I, and N + 1 for W_O = 0. The machine "
        "differentiates the forward pass of width 1 with one hidden unit and W_Q = W_K = 0, "
        "tied, e > 0, at N = 2 and 3; along alpha every width and hidden width has these "
        "gradients."
    ),
    latex=(
        r"In the single-layer transformer the rank-one ansatz at a bigram $(e, w, b)$ of the "
        r"reduced model is a global minimum: the prediction is the kernel, the loss $H_b$ and "
        r"the gradient $0$. Its Hessian is the Gauss-Newton matrix \[\frac1N \sum_n E[r(1-r) "
        r"g_n g_n^T],\] $g_n$ the gradient of $\mathrm{logit}_n$, positive semidefinite. The "
        r"$g_n$ span the $N + 2$ functions $x_n$, $[n=j] K$ ($j = 1, \dots, N$) and $K m_n$, "
        r"$K = 1 + 4w|w| x_n$ and $m_n$ the attended mean of $x_i - 1/2$: the rank is $N + 2$ "
        r"for $N \ge 2$ and $W_O = I$, and $N + 1$ for $W_O = 0$. The machine differentiates "
        r"the forward pass of width $1$ with one hidden unit and $W_Q = W_K = 0$, tied, $e > "
        r"0$, at $N = 2$ and $3$; along $\alpha$ every width and hidden width has these "
        r"gradients."
    ),
    hypotheses=(ANY_CHAIN, NOT_INDEPENDENT),
    source="Attention with Markov, global minimum; its spectrum this project",
    steps=steps,
    control=control,
    tests=("tests/theory/test_bigram.py",),
)
