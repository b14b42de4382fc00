"""The exact condition at the tied unigram point of a binary model, for any weights."""

import itertools
from functools import cache

import sympy as sp

from theory.chain.binary import kernel, second_eigenvalue, stationary_law
from theory.proving.domain import EVERYWHERE, y
from theory.proving.steps import Identity, Lemma, Sign, Step
from theory.proving.theorem import ANY_CHAIN, NOT_INDEPENDENT, Control, Hypothesis, Scope, Theorem
from theory.statements.chain.chain_powers import power_steps
from theory.statements.shared.unigram_jet import Unigram, one_symbol_law
from theory.statements.transformer.one_term import logit_steps, mean_form, means
from theory.symbols import p, q

DIFFERENTIABLE = Hypothesis(
    "the network is differentiable at u_i = p_i: no relu pre-activation is 0 unless its outgoing "
    "weights vanish"
)

_ray, _curved = sp.symbols("h mu", positive=True)

LOWER = Sign(
    "along a direction v whose form is -mu < 0 the loss is H_u - mu h^2/2 + o(h^2), and lower as "
    "soon as the rest is less than mu h^2/2, here that over 1+y: lower points beside the higher "
    "ones along b, by the second-order expansion at the point alone",
    -_curved * _ray**2 / 2 + _curved * _ray**2 / (2 * (1 + y)),
    "negative",
)
"""What makes a saddle of a critical point that rises along b; nothing is asked of other points."""

SIZE = 2
"""Width and length at which the whole loss is summed, beside the proof for any size."""

UNIFORM = (
    "z_n at u_i = p_i is continuous in the other parameters theta, and |z_n(u, theta) - z_n(p, "
    "theta) - sum_i J_{n,i} (u_i - p_i)| <= eta |u - p|, J at the point itself, with eta -> 0 as "
    "(u, theta) come near it"
)
"""What is asked of the neighbourhood, and no more. It holds where the slopes in the inputs are
continuous, and at a relu at its kink whose outgoing weights vanish: its slopes differ from 0 by no
more than those weights."""


def chain_words(length: int) -> dict[sp.Symbol, sp.Expr]:
    """The free symbols of `stationary_words` for the binary chain, in p and q."""
    pi, values = stationary_law(), {}
    (free,) = one_symbol_law(2)[:1]
    values[free] = pi[0]
    for number in range(2**length):
        word = [(number >> (length - 1 - k)) & 1 for k in range(length)]
        weight = pi[word[0]]
        for one, other in itertools.pairwise(word):
            weight *= kernel()[one, other]
        values[sp.Symbol("P_" + "".join(map(str, word)), positive=True)] = weight
    return values


def condition_matrix(unigram: Unigram) -> sp.Matrix:
    """Cov_n(z) - mean_n sum_{i <= n} lambda^(n+1-i) (J_{n,i} + J_{n,i}^T)."""
    N, d = unigram.length, unigram.width
    zs = [unigram.z(n) for n in range(1, N + 1)]
    mean = sum(zs, sp.zeros(d, 1)) / N
    total = sum((z * z.T for z in zs), sp.zeros(d, d)) / N - mean * mean.T
    for n in range(1, N + 1):
        for i in range(1, n + 1):
            J = unigram.J(n, i)
            total -= second_eigenvalue() ** (n + 1 - i) * (J + J.T) / N
    return total


def averaged() -> tuple[sp.Matrix, sp.Matrix]:
    """The block of b and two components of e after the shear, for any d and N, over c."""
    mean, square, T = means()
    shear = sp.eye(3)
    shear[0, 1:] = -mean.T
    return (shear.T * mean_form("tied") * shear, sp.diag(1, square - mean * mean.T - T - T.T))


def equal_positions() -> tuple[sp.Matrix, sp.Matrix]:
    """M of two components, any d and N, where J_{n,i} = [n = i] I and z_n = z."""
    mean, square, T = means()
    n, N = sp.symbols("n N", integer=True, positive=True)
    here = dict(zip([*square, *T], [*(mean * mean.T), *(_lag_one(n, N) * sp.eye(2))], strict=True))
    return averaged()[1][1:, 1:].subs(here), 2 * (p + q - 1) * sp.eye(2)


def _lag_one(n: sp.Symbol, N: sp.Symbol) -> sp.Expr:
    """<sum_{i <= n} lambda^(n+1-i) [i = n]>, the mean of lambda over n = 1..N."""
    return sp.summation(second_eigenvalue(), (n, 1, N)) / N


def without_weights(unigram: Unigram) -> dict[sp.Symbol, sp.Expr]:
    """J_{n,i} = [n = i] I, and every z_n the same."""
    N, d = unigram.length, unigram.width
    values: dict[sp.Symbol, sp.Expr] = {}
    for n in range(1, N + 1):
        values |= dict(zip(unigram.z(n), unigram.z(1), strict=True))
        for i in range(1, n + 1):
            values |= dict(zip(unigram.J(n, i), sp.eye(d) * int(n == i), strict=True))
    return values


@cache
def steps() -> tuple[Step, ...]:
    unigram = Unigram(2, SIZE, SIZE, "tied", "logit")
    gradient, hessian = unigram.derivatives()
    words = chain_words(SIZE + 1)
    pi0, pi1 = stationary_law()
    c, size = pi0 * pi1, 1 + SIZE
    mean = sum((unigram.z(n) for n in range(1, SIZE + 1)), sp.zeros(SIZE, 1)) / SIZE
    shear = sp.eye(size)
    shear[0, 1:] = -mean.T
    block = hessian[:size, :size].subs(words)
    return (
        *logit_steps("tied"),
        Identity(
            "the whole loss, d = N = 2, one logit <e, z_n> + b, any network: the gradient "
            "vanishes at e = 0, b = ln(p/q)",
            gradient,
            sp.zeros(*gradient.shape),
        ),
        Identity(
            "and the Hessian is that of the universal law with one component, any stationary law",
            hessian,
            unigram.closed_form(),
        ),
        *power_steps(),
        Identity(
            "for the chain, any d and N, the congruence that takes <z> from e to b leaves in b "
            "and any two components of e c times diag(1, Cov_n(z) - T - T^T), T = <sum_{i <= n} "
            "lambda^(n+1-i) J_{n,i}>",
            *averaged(),
        ),
        Identity(
            "written out for d = N = 2 it leaves c in H_bb and c times Cov_n(z) - mean_n sum_i "
            "lambda^(n+1-i) (J + J^T)",
            shear.T * block * shear,
            c * sp.diag(1, condition_matrix(unigram)),
            EVERYWHERE,
        ),
        Sign("c > 0: the loss rises along b, and the signs along e are those of M", c, "positive"),
        Identity(
            "without weights and with equal positions, any d and N, the mean over n of "
            "lambda^(n+1-i) [i = n] is lambda: M = 2(p+q-1) in each component, 0 between two",
            *equal_positions(),
        ),
        Identity(
            "written out for d = N = 2: without weights and with equal positions M = 2(p+q-1) I",
            condition_matrix(unigram).subs(without_weights(unigram)),
            -2 * second_eigenvalue() * sp.eye(SIZE),
        ),
        Lemma(
            "a congruence keeps the numbers of negative, zero and positive eigenvalues",
            "Sylvester's law of inertia",
            "Horn and Johnson, Matrix Analysis, Theorem 4.5.8",
        ),
        Lemma(
            "so at all values theta of the other parameters nearby L - H_u, of terms that are "
            "analytic in their logits, differs from half the form of the block at the point by at "
            "most eta |v|^2, v = (b - ln(p/q), e), with eta as small as the neighbourhood: where "
            "the block is positive definite L > H_u for all small v != 0, a local minimum, strict "
            "across the critical manifold v = 0",
            "Taylor's theorem in several variables",
            "Dieudonne, Foundations of Modern Analysis, 8.14",
        ),
        LOWER,
    )


def control() -> Control:
    unigram = Unigram(2, SIZE, SIZE, "tied", "logit")
    _, hessian = unigram.derivatives()
    pi0, pi1 = stationary_law()
    words = chain_words(SIZE + 1)
    return Control(
        "the condition is that of H_ee alone: with the bias fixed nothing changes",
        Identity(
            "H_ee = c [Cov_n(z) - mean_n sum_i lambda^(n+1-i) (J + J^T)]",
            hessian[1 : 1 + SIZE, 1 : 1 + SIZE].subs(words),
            pi0 * pi1 * condition_matrix(unigram),
            EVERYWHERE,
        ),
    )


THEOREM = Theorem(
    id="tied-condition",
    title="The tied unigram point at any weights",
    statement=(
        "Tied, with one embedding vector e, logits <e, z_n> + b and any causal network z_n. At "
        "e = 0, b = ln(p/q) the Hessian is 0 outside the block of (b, e), in which H_bb = c, "
        "H_be = c <z>, H_ee = c <z z^T - sum_{i <= n} lambda^(n+1-i) (J_{n,i} + J_{n,i}^T)>, c "
        "= pi0 pi1. Let M = Cov_n(z) - <sum_{i <= n} lambda^(n+1-i) (J_{n,i} + J_{n,i}^T)>. The "
        "point is a local minimum, strict across the critical manifold, if M is positive "
        "definite, and a saddle if M has a negative eigenvalue. For all weights 0 and equal "
        "positions M = 2(p+q-1) I."
    ),
    latex=(
        r"Tied, with one embedding vector $e$, logits $\langle e, z_n \rangle + b$ and any "
        r"causal network $z_n$. At $e = 0$, $b = \ln(p/q)$ the Hessian is $0$ outside the "
        r"block of $(b, e)$, in which $H_{bb} = c$, $H_{be} = c \langle z \rangle$, $H_{ee} = "
        r"c \langle z z^T - \sum_{i \le n} \lambda^{n+1-i} (J_{n,i} + J_{n,i}^T) \rangle$, $c "
        r"= \pi_0 \pi_1$. Let $M = \mathrm{Cov}_n(z) - \langle \sum_{i \le n} \lambda^{n+1-i} "
        r"(J_{n,i} + J_{n,i}^T) \rangle$. The point is a local minimum, strict across the "
        r"critical manifold, if $M$ is positive definite, and a saddle if $M$ has a negative "
        r"eigenvalue. For all weights $0$ and equal positions $M = 2(p+q-1) I$."
    ),
    hypotheses=(ANY_CHAIN, NOT_INDEPENDENT, DIFFERENTIABLE, Hypothesis(UNIFORM)),
    source="this project; for p + q > 1 and p + q < 1 Attention with Markov, minimum and saddle",
    steps=steps,
    control=control,
    tests=(
        ""
        "tests/theory/spectra/test_universal_law.py::test_the_whole_hessian_at_the_unigram_point_is_the_block_and_zeros",
        ""
        "tests/theory/spectra/test_universal_law.py::test_curvature_along_a_random_direction_with_fifty_digits",
        ""
        "tests/theory/certificates/test_unigram.py::test_the_certified_inertia_is_that_of_the_brute_force_hessian",
    ),
    scope=Scope(
        checks=(("unigram", "inertia"), ("unigram", "classification")),
        models=("single-layer",),
        tying="tied",
    ),
)
