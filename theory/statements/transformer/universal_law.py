"""The universal unigram law: the Hessian at the unigram point of any causal network."""

import itertools
from functools import cache

import sympy as sp

from theory.proving.steps import Identity, Step
from theory.proving.theorem import Control, Hypothesis, Scope, Theorem
from theory.spectra.states import Head
from theory.spectra.universal_law import Tying
from theory.statements.shared.unigram_jet import Unigram, marginal, one_symbol_law, stationary_words
from theory.statements.transformer.one_term import Term, mean_step, term_steps

SIZES: tuple[tuple[int, int, int, Tying], ...] = (
    (3, 2, 2, "tied"),
    (3, 2, 2, "untied"),
    (2, 1, 3, "tied"),
    (2, 1, 3, "untied"),
)
"""S, d, N at which the whole loss is summed, beside the proof for any size: three symbols tell C_k
from its transpose, two components J from its transpose, three positions C_1, C_2, C_3 apart."""


HEADS: tuple[Head, ...] = ("softmax", "logit")
TYINGS: tuple[Tying, ...] = ("untied", "tied")


class Transposed(Unigram):
    """The closed form with every lag covariance transposed: what the control claims."""

    def covariance(self, lag: int, t: int, s: int) -> sp.Expr:
        """C_k[s, t] in the place of C_k[t, s]."""
        return super().covariance(lag, s, t)


def upper(matrix: sp.Matrix) -> sp.Matrix:
    """The entries of a symmetric matrix on and above its diagonal."""
    size = range(matrix.rows)
    return sp.Matrix([matrix[j, k] for j in size for k in size if j <= k])


def pair_steps() -> tuple[Step, ...]:
    """One pair of positions, at any lag: the law of two symbols with the same marginals."""
    pairs, three = stationary_words(3, 2), range(3)
    law = [marginal(pairs, (0,), (t,)) for t in three]
    residual = sp.Matrix(
        3,
        3,
        lambda t, s: sum(
            weight * int(x == t) * (law[s] - int(y == s)) for (x, y), weight in pairs.items()
        ),
    )
    covariance = sp.Matrix(3, 3, lambda t, s: pairs[t, s] - law[t] * law[s])
    return (
        Identity(
            "E[1{x_i = t} rho_s] = -C_{n+1-i}[t, s], at any lag: the law of a pair is any law with "
            "equal marginals, of s, t and the others as one. So E[rho_s dz_n/dE_t], dz_n/dE_t the "
            "sum of J_{n,i} over x_i = t, is -sum_{i <= n} C_{n+1-i}[t, s] J_{n,i}",
            residual.applyfunc(sp.expand),
            (-covariance).applyfunc(sp.expand),
        ),
        Identity(
            "and E rho_s = 0: at E = 0 z_n and its slope in theta are those of every context, and "
            "what they multiply drops out. The mean over n is the law",
            sp.Matrix([sum(residual[t, s] for t in three) for s in three]).applyfunc(sp.expand),
            sp.zeros(3, 1),
        ),
    )


@cache
def steps() -> tuple[Step, ...]:
    b = sp.symbols("b_0:3", real=True)
    pi = sp.Matrix(sp.symbols("pi_0:3", positive=True))
    total = sum(pi)
    at = {bias: sp.log(chance) for bias, chance in zip(b, pi, strict=True)}
    softmax = sp.log(sum(sp.exp(bias) for bias in b))
    law = pi / total
    found: list[Step] = [
        Identity(
            "log-sum-exp has the gradient pi at the logits ln pi",
            sp.Matrix([sp.diff(softmax, bias) for bias in b]).subs(at),
            law,
        ),
        Identity(
            "and the Hessian G = diag(pi) - pi pi^T",
            sp.hessian(softmax, b).subs(at),
            sp.diag(*law) - law * law.T,
        ),
        *term_steps(*(Term(tying, head) for head in HEADS for tying in TYINGS)),
    ]
    found += [*pair_steps(), mean_step()]
    for states, width, length, tying in SIZES:
        unigram = Unigram(states, width, length, tying, "softmax")
        gradient, hessian = unigram.derivatives()
        size = f"S = {states}, d = {width}, N = {length}, {tying}"
        found += [
            Identity(
                f"the whole loss, {size}: the gradient vanishes, any z, J and stationary law",
                gradient,
                sp.zeros(*gradient.shape),
            ),
            Identity(
                f"{size}, a network with two derivatives: the Hessian is the "
                f"closed form, the row "
                "of theta, any other parameter, is 0, and the second derivatives have dropped out",
                upper(hessian),
                upper(unigram.closed_form()),
            ),
        ]
    return tuple(found)


def turning() -> dict[sp.Symbol, sp.Expr]:
    """The law of three symbols of a chain that turns 0, 1, 2, 0 with probability 4/5."""
    third = sp.Rational(1, 3)
    values: dict[sp.Symbol, sp.Expr] = dict.fromkeys(one_symbol_law(3)[:2], third)
    for word in itertools.product(range(3), repeat=3):
        turns = sum((later - earlier) % 3 == 1 for earlier, later in itertools.pairwise(word))
        weight = third * sp.Rational(4, 5) ** turns * sp.Rational(1, 10) ** (2 - turns)
        values[sp.Symbol("P_" + "".join(map(str, word)), positive=True)] = weight
    return values


def control() -> Control:
    _, hessian = Unigram(3, 1, 2, "untied", "softmax").derivatives()
    return Control(
        "C_k may be replaced by its transpose, as for a reversible chain",
        Identity(
            "the Hessian with C_k[s, t] in the place of C_k[t, s], a turning chain on 3 symbols",
            hessian.subs(turning()),
            Transposed(3, 1, 2, "untied", "softmax").closed_form().subs(turning()),
        ),
    )


THEOREM = Theorem(
    id="universal-law",
    title="The universal unigram law",
    statement=(
        "Let z_n = Phi_n(u_1..u_n) be any causal network of inputs u_i = E_{x_i} + p_i, with "
        "logits A z_n + b on S symbols (tied: A = E), and a stationary source of law pi with lag "
        "covariances C_k[t, s] = Cov(1{x_i = t}, 1{x_{i+k} = s}). At A = E = 0, b = ln pi the "
        "gradient vanishes for every value of the other parameters, and every second derivative "
        "outside the block of (b, A, E) is 0. With z_n and J_{n,i} = dz_n/du_i taken at u_i = "
        "p_i, G = diag(pi) - pi pi^T, <.> the mean over n and T_st = <sum_{i <= n} C_{n+1-i}[t, "
        "s] J_{n,i}>: H(b_s, b_t) = G_st; untied, H(b_s, A_t) = G_st <z>^T, H(A_s, A_t) = G_st <z "
        "z^T>, H(A_s, E_t) = -T_st, H(E_s, E_t) = H(b_s, E_t) = 0; tied, H(b_s, E_t) = G_st <z>^T "
        "and H(E_s, E_t) = G_st <z z^T> - T_st - T_ts^T. It holds for any depth, any number of "
        "heads, with LayerNorm or without, and for any S, d and N: the machine differentiates a "
        "term of the loss after any context on the plane of any two coordinates. With one logit "
        "<A, z_n> + b on two symbols, x embedded as x E, it is the same with x in the place of "
        "the indicators. The machine also sums the whole loss for S = 3, d = 2, N = 2 and S = 2, "
        "d = 1, N = 3."
    ),
    latex=(
        r"Let $z_n = \Phi_n(u_1, \dots, u_n)$ be any causal network of inputs $u_i = E_{x_i} + "
        r"p_i$, with logits $A z_n + b$ on $S$ symbols (tied: $A = E$), and a stationary source "
        r"of law $\pi$ with lag covariances $C_k[t, s] = \mathrm{Cov}(1\{x_i = t\}, 1\{x_{i+k} = "
        r"s\})$. At $A = E = 0$, $b = \ln \pi$ the gradient vanishes for every value of the other "
        r"parameters, and every second derivative outside the block of $(b, A, E)$ is $0$. With "
        r"$z_n$ and $J_{n,i} = \partial z_n / \partial u_i$ taken at $u_i = p_i$, $G = "
        r"\mathrm{diag}(\pi) - \pi \pi^T$, $\langle \cdot \rangle$ the mean over $n$ and $T_{st} "
        r"= \langle \sum_{i \le n} C_{n+1-i}[t, s] J_{n,i} \rangle$: $H(b_s, b_t) = G_{st}$; "
        r"untied, $H(b_s, A_t) = G_{st} \langle z \rangle^T$, $H(A_s, A_t) = G_{st} \langle z z^T "
        r"\rangle$, $H(A_s, E_t) = -T_{st}$, $H(E_s, E_t) = H(b_s, E_t) = 0$; tied, $H(b_s, E_t) "
        r"= G_{st} \langle z \rangle^T$ and $H(E_s, E_t) = G_{st} \langle z z^T \rangle - T_{st} "
        r"- T_{ts}^T$. It holds for any depth, any number of heads, with LayerNorm or without, "
        r"and for any $S$, $d$ and $N$: the machine differentiates a term of the loss after any "
        r"context on the plane of any two coordinates. With one logit $\langle A, z_n \rangle + "
        r"b$ on two symbols, $x$ embedded as $x E$, it is the same with $x$ in the place of the "
        r"indicators. The machine also sums the whole loss for $S = 3$, $d = 2$, $N = 2$ and $S = "
        r"2$, $d = 1$, $N = 3$."
    ),
    hypotheses=(
        Hypothesis("the source is stationary, with pi_s > 0 for every symbol s"),
        Hypothesis("the loss is the mean over n = 1..N of -ln P(x_{n+1})"),
        Hypothesis("Phi is differentiable at u_i = p_i, and the loss twice at the point"),
        Hypothesis("there is an output bias for every symbol"),
    ),
    source="this project; for one layer and S = 2 Attention with Markov, minimum and saddle",
    steps=steps,
    control=control,
    tests=(
        ""
        "tests/landscape/comparison/test_unigram_law.py::test_the_predicted_spectrum_is_the_measured_one",
        "tests/theory/spectra/test_states.py::test_the_whole_hessian_is_the_block_and_zeros",
        ""
        "tests/theory/statements/test_any_size.py::test_the_law_holds_at_sizes_that_the_whole_loss_is_not_summed_at",
        ""
        "tests/theory/statements/test_any_size.py::test_merging_what_stands_still_changes_the_loss_by_a_constant",
    ),
    scope=Scope(checks=(("unigram", "spectrum"), ("unigram", "inertia")), any_source=True),
)
