"""The symbolic unigram Hessian beside the numerical block, and beside differences of a loss."""

import itertools

import mpmath
import numpy as np
import pytest
import sympy as sp

from theory.spectra.universal_law import Tying, universal_block
from theory.statements.shared.unigram_jet import (
    Unigram,
    lag_covariance,
    marginal,
    one_symbol_law,
    stationary_words,
)
from theory.statements.transformer.universal_law import Transposed

KERNEL = np.array([[0.2, 0.7, 0.1], [0.5, 0.1, 0.4], [0.25, 0.15, 0.6]])


def stationary(P: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.matrix_power(P, 400)[0])


def chain_values(P: np.ndarray, length: int) -> dict[sp.Symbol, float]:
    """The free symbols of `stationary_words` for a first-order chain."""
    pi, size = stationary(P), len(P)
    values = {sp.Symbol(f"pi_{s}", positive=True): float(pi[s]) for s in range(size)}
    for word in itertools.product(range(size), repeat=length):
        weight = pi[word[0]] * np.prod([P[i, j] for i, j in itertools.pairwise(word)])
        values[sp.Symbol("P_" + "".join(map(str, word)), positive=True)] = float(weight)
    return values


def network(unigram: Unigram) -> tuple[np.ndarray, np.ndarray, dict[sp.Symbol, float]]:
    rng = np.random.default_rng(3)
    N, d = unigram.length, unigram.width
    z, J = rng.normal(size=(N, d)), rng.normal(size=(N, N, d, d))
    values: dict[sp.Symbol, float] = {}
    for n in range(N):
        values |= dict(zip(unigram.z(n + 1), z[n], strict=True))
        J[n, n + 1 :] = 0
        for i in range(n + 1):
            values |= dict(zip(unigram.J(n + 1, i + 1), J[n, i].ravel(), strict=True))
    return z, J, values


def numbers(matrix: sp.Matrix, values: dict[sp.Symbol, float]) -> np.ndarray:
    return np.array(sp.lambdify(list(values), matrix, "numpy")(*values.values()), dtype=float)


@pytest.mark.parametrize("tying", ["tied", "untied"])
def test_the_symbolic_block_is_the_numerical_one(tying: Tying) -> None:
    unigram = Unigram(3, 2, 2, tying, "softmax")
    z, J, values = network(unigram)
    values |= chain_values(KERNEL, 3)
    pi = stationary(KERNEL)
    powers = [np.linalg.matrix_power(KERNEL, k) for k in range(3)]
    C = np.array([np.diag(pi) @ P - np.outer(pi, pi) for P in powers])
    expected = universal_block(z, J, C, tying=tying)
    _, hessian = unigram.derivatives()
    found = numbers(hessian, values)
    assert np.abs(found[:-1, :-1] - expected).max() < 1e-12
    assert np.abs(found[-1]).max() < 1e-14  # the other parameter
    wrong = numbers(Transposed(3, 2, 2, tying, "softmax").closed_form(), values)
    assert np.abs(wrong[:-1, :-1] - expected).max() > 1e-3


def test_the_jet_is_that_of_a_loss_that_is_enumerated() -> None:
    """The tied binary model of width 1 with its quadratic terms, differenced at 60 digits."""
    unigram = Unigram(2, 1, 2, "tied", "logit")
    P = np.array([[0.5, 0.5], [0.8, 0.2]])
    values = chain_values(P, 3) | {unigram.coordinates[-1]: 0.0}
    rng = np.random.default_rng(5)
    E = unigram.rows("E")[0][0]
    (beta,) = unigram.bias
    contexts = [c for n in (1, 2) for c in itertools.product((0, 1), repeat=n)]
    logits = {c: unigram.logits(c)[0] for c in contexts}
    for logit in logits.values():
        for symbol in sorted(logit.free_symbols - {E, beta}, key=str):
            values.setdefault(symbol, float(rng.normal()))
    plain = {c: sp.lambdify([E, beta], f.subs(values), "mpmath") for c, f in logits.items()}
    pi = stationary(P)

    def loss(e: mpmath.mpf, b: mpmath.mpf) -> mpmath.mpf:
        total = mpmath.mpf(0)
        for context in contexts:
            weight = mpmath.mpf(pi[context[0]])
            for i, j in itertools.pairwise(context):
                weight *= mpmath.mpf(P[i, j])
            f = plain[context](e, b) + mpmath.log(pi[1] / pi[0])
            total += weight * (mpmath.log1p(mpmath.exp(f)) - mpmath.mpf(P[context[-1], 1]) * f)
        return total / 2

    found = numbers(unigram.derivatives()[1], values)
    with mpmath.workdps(60):
        h = mpmath.mpf(10) ** -12
        second = (loss(h, mpmath.mpf(0)) - 2 * loss(0 * h, 0 * h) + loss(-h, 0 * h)) / h**2
        mixed = (loss(h, h) - loss(h, -h) - loss(-h, h) + loss(-h, -h)) / (4 * h**2)
    # the truncation is h^2; pi is known to 1e-16, and the gradient that leaves is over h
    assert abs(found[1, 1] - float(second)) < 1e-9
    assert abs(found[0, 1] - float(mixed)) < 1e-9


def test_the_words_are_stationary_and_not_markov() -> None:
    law = stationary_words(2, 3)
    free = set().union(*(sp.sympify(weight).free_symbols for weight in law.values()))
    assert len(free) == 4  # of 8, less 1 for the sum and 3 for the shifts
    assert sp.expand(lag_covariance(law, 1, 0, 1) - lag_covariance(law, 1, 1, 0)) == 0
    law = stationary_words(3, 2)
    assert sp.expand(lag_covariance(law, 1, 0, 1) - lag_covariance(law, 1, 1, 0)) != 0


@pytest.mark.parametrize(("states", "length"), [(2, 1), (2, 3), (3, 2)])
def test_the_words_of_a_chain_solve_the_conditions(states: int, length: int) -> None:
    P = KERNEL if states == 3 else np.array([[0.5, 0.5], [0.8, 0.2]])
    law, values = stationary_words(states, length), chain_values(P, length)
    free = set().union(*(sp.sympify(chance).free_symbols for chance in law.values()))
    assert all(symbol.is_positive for symbol in free)
    for word, chance in law.items():
        symbol = sp.Symbol("P_" + "".join(map(str, word)), positive=True)
        # pi is a power of P, rounded in each of its products
        assert abs(chance.subs(values) - values[symbol]) < 1e-14
    pi = [float(chance.subs(values)) for chance in one_symbol_law(states)]
    assert np.abs(pi - stationary(P)).max() < 1e-14
    assert np.abs(pi - stationary(P)[::-1]).max() > 1e-2


def test_marginals_and_covariances_are_sums_over_words() -> None:
    """Of words whose law is not stationary, so that no place stands for another."""
    rng = np.random.default_rng(8)
    drawn = [sp.Integer(int(x)) for x in rng.integers(1, 50, size=27)]
    words = itertools.product(range(3), repeat=3)
    law = {word: x / sum(drawn) for word, x in zip(words, drawn, strict=True)}
    for places, values in (((0,), (1,)), ((2,), (2,)), ((0, 2), (1, 1)), ((1, 2), (2, 0))):
        chosen = [w for w in law if tuple(w[place] for place in places) == values]
        assert marginal(law, places, values) == sum(law[w] for w in chosen) != 1
    first = [sum(law[w] for w in law if w[0] == t) for t in range(3)]
    for lag, t, s in itertools.product(range(3), repeat=3):
        both = sum(law[w] for w in law if w[0] == t and w[lag] == s)
        assert lag_covariance(law, lag, t, s) == both - first[t] * first[s]
