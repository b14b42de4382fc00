"""The criterion for S symbols, and the threshold of the switching chain."""

import sympy as sp

from theory.chain.binary import autocovariance, kernel, stationary_law
from theory.proving.domain import ABOVE, BELOW, y
from theory.proving.steps import Identity, Lemma, Sign, Step
from theory.proving.theorem import ANY_CHAIN, Control, Hypothesis, Theorem
from theory.statements.shared.unigram_jet import Unigram, marginal, stationary_words
from theory.statements.transformer.one_term import Term, term_steps
from theory.statements.transformer.tied_condition import LOWER, UNIFORM
from theory.statements.transformer.universal_law import pair_steps
from theory.symbols import p, q

SIZE = 3
"""Symbols of the block that is written out."""


def generic_law() -> tuple[sp.Matrix, sp.Matrix, sp.Matrix]:
    """pi, G and C_1 of any stationary law of pairs on three symbols."""
    pairs = stationary_words(SIZE, 2)
    pi = sp.Matrix([marginal(pairs, (0,), (t,)) for t in range(SIZE)])
    C_1 = sp.Matrix(SIZE, SIZE, lambda t, s: pairs[t, s]) - pi * pi.T
    return pi, sp.diag(*pi) - pi * pi.T, C_1


def block() -> tuple[sp.Matrix, sp.Matrix, sp.Matrix]:
    """The block of (b, E) at J = I, one component and equal z_n = z, with G and C_1 free."""
    names = [f"{i}{j}" for i in range(SIZE) for j in range(SIZE)]
    C = sp.Matrix(SIZE, SIZE, [sp.Symbol(f"C_{name}", real=True) for name in names])
    G = sp.Matrix(SIZE, SIZE, lambda i, j: sp.Symbol(f"G_{min(i, j)}{max(i, j)}", real=True))
    z = sp.Symbol("z", real=True)
    H = sp.Matrix(sp.BlockMatrix([[G, G * z], [G * z, G * z**2 - C - C.T]]))
    return H, G, C


def universal_block() -> tuple[sp.Matrix, sp.Matrix]:
    """The universal law's block at J = I and equal z, and what it should be, any stationary law."""
    unigram = Unigram(SIZE, 1, 2, "tied", "softmax")
    z = sp.Symbol("z", real=True)
    values: dict[sp.Symbol, sp.Expr] = {unigram.z(n)[0]: z for n in (1, 2)}
    values |= {unigram.J(n, i)[0]: sp.Integer(n == i) for n in (1, 2) for i in range(1, n + 1)}
    symbols = range(SIZE)
    G, C_1 = (
        sp.Matrix([[unigram.covariance(k, t, s) for s in symbols] for t in symbols]) for k in (0, 1)
    )
    expected = sp.Matrix(sp.BlockMatrix([[G, G * z], [G * z, G * z**2 - C_1 - C_1.T]]))
    return unigram.closed_form()[:-1, :-1].subs(values), expected


def entry() -> tuple[sp.Matrix, sp.Matrix]:
    """Entry (s, t) of the block of b and two components of E after the shear, and its value.

    The shear of b by z is the same for every symbol, so it acts on each pair of symbols alone.
    """
    G, C = sp.Symbol("G_st", real=True), sp.Symbol("C_st", real=True)
    back = sp.Symbol("C_ts", real=True)
    z = sp.Matrix(sp.symbols("z_0:2", real=True))
    inner = G * z * z.T - (C + back) * sp.eye(2)
    H = sp.Matrix(sp.BlockMatrix([[G * sp.eye(1), G * z.T], [G * z, inner]]))
    shear = sp.eye(3)
    shear[0, 1:] = -z.T
    return shear.T * H * shear, sp.diag(G, -C - back, -C - back)


def shifted() -> tuple[sp.Matrix, sp.Matrix]:
    """Input of a symbol s and difference of the logits of s and t, before and after the move."""
    E_s, E_t, c, position, z = sp.symbols("E_s E_t c_v p_i z_v", real=True)
    b_s, b_t, beta = sp.symbols("b_s b_t beta_v", real=True)
    moved = (E_s + c) * z + b_s + beta - (E_t + c) * z - b_t - beta
    return (
        sp.Matrix([(E_s + c) + position, moved]),
        sp.Matrix([E_s + (position + c), E_s * z + b_s - E_t * z - b_t]),
    )


def variance() -> tuple[sp.Expr, sp.Expr]:
    """sum_s pi_s (v_s - m)^2 with m, A the sums of pi_s v_s and pi_s v_s^2, and v^T G v = A - m^2.

    Term by term over any S symbols, whose pi_s sum to 1.
    """
    chance, v = sp.Symbol("pi_s", positive=True), sp.Symbol("v_s", real=True)
    m, A = sp.symbols("m_v A_v", real=True)
    term = sp.Poly(sp.expand(chance * (v - m) ** 2 / chance), v)
    sums = {2: A, 1: m, 0: sp.S.One}
    total = sum((c * sums[power] for (power,), c in term.terms()), sp.S.Zero)
    return total, A - m**2


_others = sp.Symbol("m", integer=True, positive=True)
"""S - 1."""

_switch, _v = sp.Symbol("p_s", positive=True), sp.Symbol("v_s", real=True)


def switching_eigenvalue() -> sp.Expr:
    """What the switching kernel does to the entry v_s of a vector that sums to 0, over v_s.

    The kernel stays with 1 - p and goes to each other symbol with p/(S-1); the others sum to -v_s.
    """
    others = -_v
    return sp.factor(((1 - _switch) * _v + _switch / _others * others) / _v)


def switching(states: int) -> tuple[sp.Matrix, sp.Matrix]:
    """C_1 of the switching chain written out, and (1 - pS/(S-1))/S on the contrasts."""
    equal = sp.ones(states, states) / states
    off = _switch / (states - 1)
    P = (1 - _switch - off) * sp.eye(states) + off * sp.ones(states, states)
    stated = (1 - _switch * states / (states - 1)) / states * (sp.eye(states) - equal)
    return P / states - equal / states, stated


def steps() -> tuple[Step, ...]:
    H, G, C = block()
    pi, G_law, C_law = generic_law()
    v = sp.Matrix(sp.symbols("v_0:3", real=True))
    shear = sp.eye(2 * SIZE)
    shear[:SIZE, SIZE:] = -sp.Symbol("z", real=True) * sp.eye(SIZE)
    law = sp.Matrix([stationary_law()])
    C_1 = sp.diag(*law) * kernel() - law.T * law
    contrast = sp.Matrix([1, -1]) / sp.sqrt(2)
    pi0, pi1 = stationary_law()
    return (
        *term_steps(Term("tied", "softmax")),
        *pair_steps(),
        Identity(
            "the mean over contexts and n, S = 3, d = 1, N = 2 (theorem universal-law): with "
            "J_{n,i} = [n = i] I and z_n = z the block of one component is [[G, zG], [zG, z^2 G - "
            "C_1 - C_1^T]]",
            *universal_block(),
        ),
        Identity(
            "a congruence that takes z E from b leaves G and -2M, M = (C_1 + C_1^T)/2, S = 3",
            shear.T * H * shear,
            sp.diag(G, -C - C.T),
        ),
        Identity(
            "as it does for any S and d: in each entry (s, t), with any two components", *entry()
        ),
        Identity(
            "v^T G v = sum over s < t of pi_s pi_t (v_s - v_t)^2: G is positive on the vectors "
            "that sum to 0, so the loss rises along b",
            (v.T * G_law * v)[0],
            sum(pi[s] * pi[t] * (v[s] - v[t]) ** 2 for s in range(SIZE) for t in range(s)),
        ),
        Identity(
            "any S: v^T G v = sum_s pi_s v_s^2 - m^2, m = sum_s pi_s v_s, is the variance sum_s "
            "pi_s (v_s - m)^2, added term by term: 0 on equal entries alone",
            *variance(),
        ),
        Identity(
            "C_1 1 = C_1^T 1 = 0, a sum over s in which all symbols other than t count as one, so "
            "for any S: on equal entries the form is 0, a symmetry of the softmax",
            sp.Matrix.hstack(C_law * sp.ones(SIZE, 1), C_law.T * sp.ones(SIZE, 1)),
            sp.zeros(SIZE, 2),
        ),
        Lemma(
            "with d components the second is -2M (x) I_d: on the vectors that sum to 0 the point "
            "has as many negative eigenvalues as M has positive ones, d times",
            "Sylvester's law of inertia",
            "Horn and Johnson, Matrix Analysis, Theorem 4.5.8",
        ),
        Identity(
            "an embedding moved by the same c for every symbol moves the inputs as the positions "
            "do, and the logits by <c, z_n> and a constant, which the softmax does not see: so b "
            "- ln pi and E may be taken to sum to 0, the positions being among theta",
            *shifted(),
        ),
        Lemma(
            "so at all values theta of the other parameters nearby L - H_u, of terms that are "
            "analytic in their logits, differs from half the form of the block at the point by at "
            "most eta |v|^2, v = (b - ln pi, E) summing to 0, with eta as small as the "
            "neighbourhood: where M is negative definite L > H_u for all small v != 0, a local "
            "minimum, strict across the critical manifold v = 0",
            "Taylor's theorem in several variables",
            "Dieudonne, Foundations of Modern Analysis, 8.14",
        ),
        LOWER,
        Identity(
            "two symbols: C_1 = Cov(x_n, x_{n+1}) [[1, -1], [-1, 1]]",
            C_1,
            autocovariance(1) * sp.Matrix([[1, -1], [-1, 1]]),
        ),
        Identity(
            "so M is -2 pi0 pi1 (p+q-1) on the one contrast",
            (contrast.T * (C_1 + C_1.T) / 2 * contrast)[0],
            -2 * pi0 * pi1 * (p + q - 1),
        ),
        Sign("negative for p + q > 1", -2 * pi0 * pi1 * (p + q - 1), "negative", ABOVE),
        Sign("positive for p + q < 1", -2 * pi0 * pi1 * (p + q - 1), "positive", BELOW),
        *(
            Identity(
                f"switching chain written out, S = {states}: C_1 is (1 - pS/(S-1))/S on the "
                "vectors that sum to 0",
                *switching(states),
            )
            for states in (2, 3, 4, 5)
        ),
        Identity(
            "any S = m + 1: on vectors that sum to 0 the kernel is 1 - pS/(S-1), and with pi = 1/S "
            "C_1 = diag(pi) P - pi pi^T is that over S",
            switching_eigenvalue(),
            1 - _switch * (_others + 1) / _others,
        ),
        Sign(
            "for p = (S-1)/S + y it is negative: a local minimum",
            switching_eigenvalue().subs(_switch, _others / (_others + 1) + y),
            "negative",
        ),
        Sign(
            "for p = (S-1)/S - y it is positive: a saddle",
            switching_eigenvalue().subs(_switch, _others / (_others + 1) - y),
            "positive",
        ),
    )


def control() -> Control:
    beyond = sp.Rational(1, 2) + y / (2 * (1 + y))
    return Control(
        "the threshold of the switching chain is p > 1/2 for every S",
        Sign(
            "1 - pS/(S-1) < 0 for all 1/2 < p < 1",
            switching_eigenvalue().subs(_switch, beyond),
            "negative",
        ),
    )


THEOREM = Theorem(
    id="s-states",
    title="The criterion for S symbols",
    statement=(
        "Tied, on S symbols, where every z_n moves with its own input alone (J = I, as without "
        "weights) and the z_n are equal: let M be the symmetric part of C_1 = diag(pi) P - pi "
        "pi^T on the vectors that sum to 0. The unigram point is a local minimum if M is negative "
        "definite and a saddle if it has a positive eigenvalue. For two symbols, on the one "
        "contrast (1, -1)/sqrt2, M is the number -2 pi0 pi1 (p+q-1). For the chain that switches "
        "with probability p to one of the other S-1 symbols, M is (1 - pS/(S-1))/S times the "
        "identity: a local minimum for p > (S-1)/S, a saddle for p < (S-1)/S."
    ),
    latex=(
        r"Tied, on $S$ symbols, where every $z_n$ moves with its own input alone ($J = I$, as "
        r"without weights) and the $z_n$ are equal: let $M$ be the symmetric part of $C_1 = "
        r"\mathrm{diag}(\pi) P - \pi \pi^T$ on the vectors that sum to $0$. The unigram point is "
        r"a local minimum if $M$ is negative definite and a saddle if it has a positive "
        r"eigenvalue. For two symbols, on the one contrast $(1, -1)$, $M$ is the number $-2 \pi_0 "
        r"\pi_1 (p+q-1)$. For the chain that switches with probability $p$ to one of the other "
        r"$S-1$ symbols, $M$ is $(1 - pS/(S-1))/S$ times the identity: a local minimum for $p > "
        r"(S-1)/S$, a saddle for $p < (S-1)/S$."
    ),
    hypotheses=(
        Hypothesis(
            "the source is stationary, with pi_s > 0 for every symbol s; for two symbols 0 < p < 1 "
            "and 0 < q < 1",
            ANY_CHAIN.condition,
        ),
        Hypothesis("embedding and readout are tied"),
        Hypothesis("J = I and equal z_n, as without weights and positions"),
        Hypothesis(UNIFORM),
    ),
    source="this project; the pattern is that of the S-state experiments of Attention with Markov",
    steps=steps,
    control=control,
    tests=(
        ""
        "tests/theory/spectra/test_states.py::test_the_criterion_is_the_sign_of_the_symmetric_part_and_not_of_the_spectrum",
        ""
        "tests/theory/spectra/test_states.py::test_the_switching_chain_turns_at_p_of_one_less_than_one_over_s",
        ""
        "tests/theory/statements/test_any_size.py::test_the_block_of_s_states_is_split_entry_by_entry",
    ),
)
