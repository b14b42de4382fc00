"""The two loss levels, and the gap between them as a mutual information."""

import sympy as sp

from theory.chain.binary import (
    autocovariance,
    entropy_rate,
    kernel,
    second_eigenvalue,
    stationary_law,
    unigram_entropy,
)
from theory.proving.domain import ABOVE, BELOW, y
from theory.proving.steps import Identity, Lemma, Sign, Step
from theory.proving.theorem import ANY_CHAIN, Control, Scope, Theorem
from theory.symbols import p, q


def mutual_information(distance: int) -> sp.Expr:
    """I(x_n; x_{n+k}), the relative entropy of the pair's law to the product of its marginals."""
    law, pair = stationary_law(), sp.diag(*stationary_law()) * kernel() ** distance
    return sum(pair[i, j] * sp.log(pair[i, j] / (law[i] * law[j])) for i in (0, 1) for j in (0, 1))


def steps() -> tuple[Step, ...]:
    law = sp.Matrix([stationary_law()])
    product = law.T * law
    sign = sp.Matrix([[1, -1], [-1, 1]])
    return (
        Identity("pi is stationary: pi P = pi", law * kernel(), law),
        Identity("pi is a law: pi0 + pi1 = 1", sum(law), sp.S.One),
        Identity(
            "of a law (1-y, y) a step adds p - (p+q) y to the chance of 1",
            (sp.Matrix([[1 - y, y]]) * kernel())[1] - y,
            p - (p + q) * y,
        ),
        Sign("which vanishes at one y, so that pi is the only stationary law", p + q, "positive"),
        Lemma(
            "the entropy rate of a stationary chain is the mean entropy of its rows, H_b",
            "entropy rate of a Markov chain",
            "Cover and Thomas, Elements of Information Theory, Theorem 4.2.4",
        ),
        Identity(
            "H_u - H_b is the mutual information of neighbours",
            unigram_entropy() - entropy_rate(),
            mutual_information(1),
        ),
        Identity(
            "the pair law differs from the product of its marginals by Cov(x_n, x_{n+1})",
            sp.diag(*law) * kernel() - product,
            autocovariance(1) * sign,
        ),
        Identity(
            "Cov(x_n, x_{n+1}) = pi0 pi1 (1 - p - q)",
            autocovariance(1),
            law[0] * law[1] * second_eigenvalue(),
        ),
        Sign("it is positive for p + q < 1", autocovariance(1), "positive", BELOW),
        Sign("and negative for p + q > 1", autocovariance(1), "negative", ABOVE),
        Lemma(
            "so H_u - H_b >= 0, with equality exactly where p + q = 1",
            "Gibbs' inequality",
            "Cover and Thomas, Elements of Information Theory, Theorem 2.6.3",
        ),
    )


def control() -> Control:
    return Control(
        "the gap has the sign of the covariance of neighbours: H_b > H_u for p + q > 1",
        Sign("H_u - H_b < 0", unigram_entropy() - entropy_rate(), "negative", ABOVE),
    )


THEOREM = Theorem(
    id="entropies",
    title="Entropies of the chain",
    statement=(
        "The chain has the stationary law pi = (q, p)/(p+q), the entropy rate H_b = pi0 h(p) + "
        "pi1 h(q) and the entropy H_u = h(pi1) of one symbol. The gap H_u - H_b is the mutual "
        "information I(x_n; x_{n+1}): it is positive unless p + q = 1, where it is 0."
    ),
    latex=(
        r"The chain has the stationary law $\pi = (q, p)/(p+q)$, the entropy rate $H_b = \pi_0 h(p)"
        r" + \pi_1 h(q)$ and the entropy $H_u = h(\pi_1)$ of one symbol. The gap $H_u - H_b = "
        r"I(x_n; x_{n+1})$ is positive unless $p + q = 1$, where it is $0$."
    ),
    hypotheses=(ANY_CHAIN,),
    source="Attention with Markov, the unigram and bigram losses",
    steps=steps,
    control=control,
    tests=(
        "tests/theory/chain/test_binary.py::test_entropies_are_those_of_enumerated_sequences",
        "tests/theory/chain/test_binary.py::test_entropies_are_the_published_ones",
    ),
    scope=Scope(checks=(("unigram", "loss"), ("bigram", "loss"))),
)
