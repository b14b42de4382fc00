"""Steps that hold for any size, beside sizes that the machine does not go through."""

import itertools

import numpy as np
import pytest
import sympy as sp

from theory.proving.steps import Identity, check_step
from theory.spectra.states import Head
from theory.spectra.universal_law import Tying, universal_block
from theory.statements.chain.chain_powers import lead, mean_steps, power
from theory.statements.transformer.full_bigram import THEOREM as FULL_BIGRAM
from theory.statements.transformer.one_term import Term, logit_steps, term_steps
from theory.statements.transformer.s_states import entry, shifted, variance
from theory.symbols import p, q

CHAIN = {p: sp.Rational(3, 10), q: sp.Rational(9, 10)}


def network(inputs: np.ndarray, J: np.ndarray, still: np.ndarray) -> np.ndarray:
    """z_n of a causal network that bends, [n, d], from inputs u - p, [n, d]."""
    n = len(inputs)
    moved = np.einsum("nijk,ik->nj", J[:n, :n], inputs)
    z: np.ndarray = still[:n] + moved + 0.3 * moved**2
    return z


def chances(P: np.ndarray, pi: np.ndarray, size: int) -> dict[tuple[int, ...], float]:
    """Of all words of a Markov chain."""
    steps = {word: [P[x, y] for x, y in itertools.pairwise(word)]
             for word in itertools.product(range(len(pi)), repeat=size)}  # fmt: skip
    return {word: float(pi[word[0]] * np.prod(chance)) for word, chance in steps.items()}


def loss(
    E: np.ndarray,
    b: np.ndarray,
    law: dict[tuple[int, ...], float],
    J: np.ndarray,
    still: np.ndarray,
) -> float:
    """The tied loss over all words, by enumeration."""
    N, total = len(still), 0.0
    for word, chance in law.items():
        logits = network(E[list(word[:N])], J, still) @ E.T + b
        terms = np.log(np.exp(logits).sum(axis=1)) - logits[range(N), word[1:]]
        total += chance * terms.mean()
    return total


def drawn(S: int, d: int, N: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(S + d + N)
    P = rng.dirichlet(np.ones(S), size=S)
    values, vectors = np.linalg.eig(P.T)
    pi = np.real(vectors[:, np.argmax(values.real)])
    J = rng.normal(size=(N, N, d, d)) * (np.tri(N)[:, :, None, None])
    return P, pi / pi.sum(), J, rng.normal(size=(N, d))


@pytest.mark.parametrize(("S", "d", "N"), [(4, 3, 2), (3, 2, 4)])
def test_the_law_holds_at_sizes_that_the_whole_loss_is_not_summed_at(
    S: int, d: int, N: int
) -> None:
    """Differences of the enumerated loss, four sizes of a step each: error h^6 and rounding."""
    P, pi, J, still = drawn(S, d, N)
    C = [np.diag(pi) @ np.linalg.matrix_power(P, k) - np.outer(pi, pi) for k in range(N + 1)]
    block, law = universal_block(still, J, np.array(C), tying="tied"), chances(P, pi, N + 1)
    rng = np.random.default_rng(0)
    for _ in range(3):
        v = rng.normal(size=len(block))
        v /= np.linalg.norm(v)

        def at(h: float, v: np.ndarray = v) -> float:
            return loss((h * v[S:]).reshape(S, d), np.log(pi) + h * v[:S], law, J, still)

        h = 2.0**-5
        second = [(at(k * h) - 2 * at(0.0) + at(-k * h)) / (k * h) ** 2 for k in (1, 2, 3)]
        found = 1.5 * second[0] - 0.6 * second[1] + 0.1 * second[2]
        assert abs(found - v @ block @ v) < 1e-5
        swapped = universal_block(still, J, np.array(C).transpose(0, 2, 1), tying="tied")
        assert abs(found - v @ swapped @ v) > 1e-3  # the control: C_k transposed


def test_merging_what_stands_still_changes_the_loss_by_a_constant() -> None:
    """Symbols 2, 3 and 4 of five as one: on the plane of E_0 and E_1 the losses differ by one."""
    P, pi, J, still = drawn(5, 2, 2)
    merged, law = np.array([0, 1, 2, 2, 2]), chances(P, pi, 3)
    counts = dict.fromkeys(itertools.product(range(3), repeat=3), 0.0)
    for word, chance in law.items():
        counts[tuple(merged[list(word)].tolist())] += chance
    small = np.array([pi[0], pi[1], pi[2:].sum()])
    gaps, third = [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        E = np.vstack([rng.normal(size=(2, 2)), np.zeros((3, 2))])
        b = np.log(pi) + np.array([*rng.normal(size=2), 0, 0, 0])
        b_few = np.log(small) + np.array([*(b - np.log(pi))[:2], 0])
        gaps.append(loss(E, b, law, J, still) - loss(E[:3], b_few, counts, J, still))
        E[2] = 0.5  # the control: a third symbol that moves
        third.append(loss(E, b, law, J, still) - loss(E[:3], b_few, counts, J, still))
    assert np.ptp(gaps) < 1e-13 and np.ptp(third) > 1e-2


class Crossed(Term):
    """The control: the slope of z_n taken with its components exchanged."""

    def slope(self, j: int, t: int, k: int) -> sp.Symbol:
        return super().slope(k, t, j)


@pytest.mark.parametrize("tying", ["tied", "untied"])
def test_a_term_with_its_jacobian_transposed_is_refused(tying: Tying) -> None:
    # one tied logit has J + J^T alone, and cannot tell
    head: Head = "softmax" if tying == "tied" else "logit"
    _, bend = Term(tying, head).derivatives()
    assert check_step(Identity("", bend, Term(tying, head).closed_form()[1])).accepted
    assert check_step(Identity("", bend, Crossed(tying, head).closed_form()[1])).false
    assert all(check_step(step).accepted for step in logit_steps(tying))


def test_terms_say_which_sizes_they_are_for() -> None:
    steps = term_steps(Term("tied", "softmax"), Term("untied", "softmax"))
    assert all("any d and n, any S" in step.claim for step in steps[1:]) and len(steps) == 5


def test_the_power_of_the_kernel_is_that_of_repeated_products() -> None:
    kernel = np.array([[0.7, 0.3], [0.9, 0.1]])
    for k in range(8):
        known = np.array(power(sp.Rational(-1, 5) ** k).subs(CHAIN), dtype=float)
        assert np.abs(known - np.linalg.matrix_power(kernel, k)).max() < 1e-15
    wrong = np.array(power(sp.Rational(-1, 5)).subs(CHAIN), dtype=float)
    assert np.abs(wrong - np.linalg.matrix_power(kernel, 2)).max() > 0.1  # the control


def test_the_covariance_with_the_running_mean_is_that_of_enumerated_contexts() -> None:
    """Its last step, at n = 6, lambda^n in its numbers, over all 64 words."""
    step = mean_steps()[-1]
    assert isinstance(step, Identity)
    n, kernel, pi = 6, np.array([[0.7, 0.3], [0.9, 0.1]]), np.array([0.75, 0.25])
    law = chances(kernel, pi, n)
    found = sum(chance * (word[-1] - pi[1]) * np.mean(word) for word, chance in law.items())
    count = next(s for s in step.right.free_symbols if str(s) == "n")
    known = step.right.subs({**CHAIN, count: n})
    assert abs(float(known.subs(lead, sp.Rational(-1, 5) ** n)) - found) < 1e-15
    assert abs(float(known.subs(lead, sp.Rational(-1, 5) ** (n - 1))) - found) > 1e-6  # the control


def test_the_block_of_s_states_is_split_entry_by_entry() -> None:
    for left, right in (entry(), shifted(), variance()):
        assert check_step(Identity("", left, right)).accepted
    left, right = entry()
    assert check_step(Identity("", left, 2 * right)).false  # the control


def test_the_contexts_of_any_length_are_independent() -> None:
    """The rank at N = 7, which the machine does not go through, by its determinant in numbers."""
    from theory.statements.shared.logit_gradient import basis, chosen

    rows = basis(chosen(7, 1), 7, 1)
    values = {s: sp.Rational(k + 2, 7) for k, s in enumerate(sorted(rows.free_symbols, key=str))}
    m = chosen(7, 1)[-1]
    matrix = np.array(rows.subs(values), dtype=float)
    (share,) = [float(v) + 0.5 for s, v in values.items() if str(s) == f"m_{m[0]}{m[1]}"]
    assert abs(abs(np.linalg.det(matrix)) - share) < 1e-12 and np.linalg.matrix_rank(matrix) == 9
    matrix[-1] = matrix[0]  # the control: a context twice
    assert np.linalg.matrix_rank(matrix) == 8
    assert "its dimension at any N" in FULL_BIGRAM.statement
