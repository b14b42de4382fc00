"""Sources with memory: lag covariances, and the least loss of finite contexts."""

import itertools
from functools import cache

import sympy as sp

from theory.chain.binary import (
    autocovariance,
    entropy_rate,
    kernel,
    stationary_law,
    unigram_entropy,
)
from theory.proving.steps import Identity, Lemma, Sign, Step
from theory.proving.theorem import ANY_CHAIN, Control, Hypothesis, Theorem
from theory.statements.chain.chain_powers import power, power_steps
from theory.statements.shared.unigram_jet import Unigram
from theory.statements.transformer.one_term import Term, mean_step, term_steps
from theory.statements.transformer.universal_law import HEADS, TYINGS, pair_steps

Word = tuple[int, ...]


def lag_words(lag: int, length: int) -> dict[Word, sp.Expr]:
    """P(x_1..x_n) where x_{n+1} depends on x_{n+1-lag} alone: interleaved independent chains."""
    pi, P, law = stationary_law(), kernel(), {}
    for word in itertools.product((0, 1), repeat=length):
        weight = sp.S.One
        for place, token in enumerate(word):
            weight *= pi[token] if place < lag else P[word[place - lag], token]
        law[word] = weight
    return law


def covariance(law: dict[Word, sp.Expr], k: int) -> sp.Expr:
    """Cov(x_1, x_{1+k}), summed over the words."""
    pi1 = stationary_law()[1]
    return sum(weight for word, weight in law.items() if word[0] and word[k]) - pi1**2


def least_loss(lag: int, length: int) -> sp.Expr:
    """(1/N) sum_n H(x_{n+1} | x_1..x_n) over N positions, in nats, summed over the words."""
    total = sp.S.Zero
    for n in range(1, length + 1):
        whole, context = lag_words(lag, n + 1), lag_words(lag, n)
        for word, weight in whole.items():
            total -= weight * sp.log(sp.cancel(weight / context[word[:-1]]))
    return total / length


def shift(lag: int) -> sp.Matrix:
    """The kernel of one step on words of k symbols: the first goes, and gives the next its law."""
    words = list(itertools.product((0, 1), repeat=lag))
    return sp.Matrix(
        len(words),
        len(words),
        lambda i, j: (
            kernel()[words[i][0], words[j][-1]] if words[i][1:] == words[j][:-1] else sp.S.Zero
        ),
    )


def product(factor: sp.MatrixBase, lag: int) -> sp.Matrix:
    """The Kronecker product of k equal factors."""
    return sp.Matrix(sp.kronecker_product(*[sp.Matrix(factor)] * lag))


def independence() -> tuple[Step, ...]:
    """The first k symbols of a stationary source of lag k are independent, of law pi."""
    law = sp.Matrix([list(stationary_law())])
    found: list[Step] = [
        Identity(
            "the kernel keeps pi, so moving each of k independent symbols of law pi by it keeps "
            "their law, at any k: (pi x .. x pi)(P x .. x P) = pi P x .. x pi P",
            law * kernel(),
            law,
        )
    ]
    for lag in (2, 3):
        found += [
            Identity(
                f"written out, lag {lag}: {lag} steps move each of {lag} symbols in a row by the "
                "kernel, independently",
                shift(lag) ** lag,
                product(kernel(), lag),
            ),
            Identity(
                f"lag {lag}: and one step keeps the law of {lag} independent symbols",
                product(law, lag) * shift(lag),
                product(law, lag),
            ),
        ]
    entries = (("p", kernel()[0, 1]), ("q", kernel()[1, 0]))
    found += [Sign(f"{name} > 0", value, "positive") for name, value in entries]
    found += [Sign(f"1 - {name} > 0", 1 - value, "positive") for name, value in entries]
    found.append(
        Lemma(
            "so the kernel of k steps on k symbols in a row has positive entries, products of "
            "those of P, and only one stationary law. The law of k symbols in a row of a "
            "stationary source is one: they are independent, each of law pi",
            "Perron's theorem",
            "Horn and Johnson, Matrix Analysis, Theorem 8.2.11",
        )
    )
    return tuple(found)


def gibbs() -> tuple[Step, ...]:
    """The least loss after one context is the entropy of the next symbol given it."""
    r, f = (1 / (1 + sp.Symbol(name, positive=True)) for name in ("rho", "phi"))
    entropy = -r * sp.log(r) - (1 - r) * sp.log(1 - r)
    return (
        Identity(
            "after a context where 1 has the chance r, the loss of a prediction f exceeds the "
            "entropy h(r) by the relative entropy of r to f",
            -r * sp.log(f) - (1 - r) * sp.log(1 - f) - entropy,
            r * sp.log(r / f) + (1 - r) * sp.log((1 - r) / (1 - f)),
        ),
        Lemma(
            "which is not negative, and 0 for f = r: so the least loss at a position is the mean "
            "of h(r) over its contexts, the conditional entropy",
            "Gibbs' inequality",
            "Cover and Thomas, Elements of Information Theory, Theorem 2.6.3",
        ),
    )


def undecided() -> tuple[Step, ...]:
    """Where each z_n = 0 moves with its own input alone, for any d and N."""
    C_1, c = sp.symbols("C_1 c", real=True)
    unigram = Unigram(2, 2, 2, "tied", "logit")
    own = {entry: sp.S.Zero for n in (1, 2) for entry in unigram.z(n)}
    own |= dict.fromkeys(unigram.J(2, 1), sp.S.Zero)
    mean = (unigram.J(1, 1) + unigram.J(2, 2)) / 2
    lag = unigram.covariance(1, 1, 1)
    H = unigram.closed_form()[:-1, :-1].subs(own)
    T = sp.Matrix(sp.symbols("T_jj T_jk T_kj T_kk", real=True)).reshape(2, 2)
    general = sp.diag(c, -C_1 * (T + T.T))
    return (
        Identity(
            "where each z_n = 0 moves with its own input alone the block of (b, e) is c and -C_1 "
            "<J_{n,n} + J_{n,n}^T>, d = N = 2; as H_ee[j, k] hangs on two components alone, and "
            "the lag of J_{n,n} is 1 at every n, for any d and N",
            H,
            sp.diag(unigram.covariance(0, 1, 1), -lag * (mean + mean.T)).applyfunc(sp.expand),
        ),
        Identity(
            "so for C_1 = 0, a source of lag 2 or more, it is c and zeros, whatever the J_{n,n}: "
            "no direction of e is decided at second order",
            general.subs(C_1, 0),
            sp.diag(c, 0, 0),
        ),
    )


def any_lag() -> tuple[Step, ...]:
    """Lag covariances and least loss for every lag k, every j and every N."""
    pi = stationary_law()
    k, N = sp.symbols("k N", integer=True, positive=True)
    n = sp.Symbol("n", integer=True)
    H_u, H_b = sp.symbols("H_u H_b", positive=True)
    entropy = sum((-pi[x] * sp.log(pi[x]) for x in (0, 1)), sp.S.Zero)
    rows = (pi[x] * -kernel()[x, y] * sp.log(kernel()[x, y]) for x in (0, 1) for y in (0, 1))
    blind = sp.Sum(H_u, (n, 1, k - 1)).doit()
    seeing = sp.Sum(H_b, (n, k, N)).doit()
    return (
        *independence(),
        *power_steps(),
        Identity(
            "lag k, any k and j: x_{1+j} given x_1 is j/k steps of the chain on where k divides j, "
            "and so Cov = pi0 pi1 lambda^(j/k); elsewhere it goes back to a symbol that is "
            "independent of x_1, whose law pi the kernel keeps: Cov = 0",
            sp.Matrix([list(pi)]) * power(),
            sp.Matrix([list(pi)]),
        ),
        *gibbs(),
        Identity(
            "after n < k symbols the next one is independent of them, of entropy H_u",
            entropy,
            unigram_entropy(),
        ),
        Identity(
            "after n >= k its law is the row of x_{n+1-k}, of law pi: entropy H_b",
            sum(rows, sp.S.Zero),
            entropy_rate(),
        ),
        Identity(
            "any lag k <= N: k - 1 positions of the first kind and N - k + 1 of the second",
            (blind + seeing) / N,
            H_b + (k - 1) / N * (H_u - H_b),
        ),
        Identity(
            "any lag k > N: all N positions are of the first kind",
            sp.Sum(H_u, (n, 1, N)).doit() / N,
            H_b + N / N * (H_u - H_b),
        ),
    )


@cache
def steps() -> tuple[Step, ...]:
    found: list[Step] = [*any_lag()]
    for lag, length in ((2, 6), (3, 7)):
        law = lag_words(lag, length)
        found.append(
            Identity(
                f"summed over words, lag {lag}: Cov(x_1, x_(1+k)) is that of the chain at k/{lag}, "
                f"and 0 where {lag} does not divide k, k = 1..{length - 1}",
                sp.Matrix([covariance(law, k) for k in range(1, length)]),
                sp.Matrix(
                    [
                        autocovariance(k // lag) if k % lag == 0 else sp.S.Zero
                        for k in range(1, length)
                    ]
                ),
            )
        )
    unigram = Unigram(2, 1, 2, "tied", "logit")
    gradient, hessian = unigram.derivatives()
    found += [
        *term_steps(*(Term(tying, head) for head in HEADS for tying in TYINGS)),
        *pair_steps(),
        mean_step(),
        Identity(
            "the whole loss, d = 1, N = 2, any stationary source, not Markov: the gradient "
            "vanishes at the unigram point",
            gradient,
            sp.zeros(*gradient.shape),
        ),
        Identity(
            "and the Hessian is that of the universal law with the source's own covariances",
            hessian,
            unigram.closed_form(),
        ),
    ]
    found += undecided()
    for lag, length in itertools.product((1, 2, 3), (1, 2, 3)):
        blind = min(lag - 1, length)
        found.append(
            Identity(
                f"summed over words, lag {lag}, N = {length}: the least loss is H_b + "
                f"{blind}/{length} (H_u - H_b)",
                least_loss(lag, length),
                entropy_rate() + sp.Rational(blind, length) * (unigram_entropy() - entropy_rate()),
            )
        )
    found.append(
        Lemma(
            "H_u - H_b is the relative entropy of the law of a pair to the product of its "
            "marginals, positive for p + q != 1: so the least loss is above H_b for k >= 2",
            "Gibbs' inequality",
            "Cover and Thomas, Elements of Information Theory, Theorem 2.6.3",
        )
    )
    return tuple(found)


def control() -> Control:
    return Control(
        "the least loss over finite contexts is the entropy rate, whatever the lag",
        Identity("lag 2, N = 2: the least loss is H_b", least_loss(2, 2), entropy_rate()),
    )


THEOREM = Theorem(
    id="memory",
    title="Sources with memory",
    statement=(
        "For any stationary source the universal law (theorem universal-law) holds with the "
        "source's own lag covariances. If the source is stationary and x_{n+1} depends on "
        "x_{n+1-k} alone, by the kernel of (p, q), then C_j is that of the chain at j/k where k "
        "divides j, and 0 elsewhere; for k >= 2, C_1 = 0, and where each z_n = 0 moves with its "
        "own input alone the unigram point is undecided at second order. The least loss over N "
        "positions is H_b + min(k-1, N)/N (H_u - H_b), for k >= 2 and p + q != 1 above the "
        "entropy rate H_b: the first k-1 contexts are too short to help. The machine also sums "
        "over all words the covariances for k = 2, j <= 5 and k = 3, j <= 6, and the least losses "
        "for k <= 3 and N <= 3."
    ),
    latex=(
        r"For any stationary source the universal law (theorem \emph{universal-law}) holds with "
        r"the source's own lag covariances. If the source is stationary and $x_{n+1}$ depends on "
        r"$x_{n+1-k}$ alone, by the kernel of $(p, q)$, then $C_j$ is that of the chain at $j/k$ "
        r"where $k$ divides $j$, and $0$ elsewhere; for $k \ge 2$, $C_1 = 0$, and where each $z_n "
        r"= 0$ moves with its own input alone the unigram point is undecided at second order. The "
        r"least loss over $N$ positions is \[H_b + \frac{\min(k-1, N)}{N} (H_u - H_b),\] for $k "
        r"\ge 2$ and $p + q \ne 1$ above the entropy rate $H_b$: the first $k-1$ contexts are too "
        r"short to help. The machine also sums over all words the covariances for $k = 2$, $j \le "
        r"5$ and $k = 3$, $j \le 6$, and the least losses for $k \le 3$ and $N \le 3$."
    ),
    hypotheses=(ANY_CHAIN, Hypothesis("the source is stationary")),
    source="this project",
    steps=steps,
    control=control,
    tests=(
        ""
        "tests/theory/chain/test_kernel.py::test_interleaved_chains_are_correlated_at_multiples_of_the_lag_only",
        "tests/theory/statements/test_hypotheses.py::"
        "test_a_lag_source_that_is_not_stationary_may_be_certain",
        "tests/theory/chain/test_binary.py::test_floor_of_a_lag_2_chain_exceeds_its_entropy_rate",
        ""
        "tests/landscape/comparison/test_unigram_law.py::test_the_predicted_spectrum_is_the_measured_one",
    ),
)
