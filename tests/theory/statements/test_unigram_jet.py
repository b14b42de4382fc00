"""The symbolic unigram Hessian beside the numerical block, and beside differences of a loss.

The network of the differences is its 2-jet, written out here; the loss is a sum over words. A law
that is not stationary, and whose first symbol alone has the law pi, leaves a gradient to see.
"""

import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp

from tests.twins.attended_chain import differences, exact, number
from theory.spectra.universal_law import universal_block
from theory.statements.shared.unigram_jet import (
    Unigram,
    lag_covariance,
    marginal,
    one_symbol_law,
    stationary_words,
)


def test_the_words_are_stationary_and_not_markov() -> None:
    law = stationary_words(2, 3)
    free = set().union(*(sp.sympify(weight).free_symbols for weight in law.values()))
    assert len(free) == 4  # of 8, less 1 for the sum and 3 for the shifts
    assert sp.expand(lag_covariance(law, 1, 0, 1) - lag_covariance(law, 1, 1, 0)) == 0
    law = stationary_words(3, 2)
    assert sp.expand(lag_covariance(law, 1, 0, 1) - lag_covariance(law, 1, 1, 0)) != 0


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


Number = Callable[[str], Fraction]

KINDS = [
    Unigram(2, 1, 2, "tied", "softmax"),
    Unigram(2, 2, 1, "untied", "softmax"),
    Unigram(3, 1, 1, "tied", "softmax"),
    Unigram(2, 1, 2, "untied", "logit"),
    Unigram(2, 2, 1, "tied", "logit"),
]
PI = {2: (Fraction(2, 5), Fraction(3, 5)), 3: (Fraction(1, 4), Fraction(1, 2), Fraction(1, 4))}
# of these rows pi is stationary
KERNELS = {
    2: ((Fraction(1, 2), Fraction(1, 2)), (Fraction(1, 3), Fraction(2, 3))),
    3: (
        (Fraction(1, 2), Fraction(1, 2), Fraction(0)),
        (Fraction(0), Fraction(1, 2), Fraction(1, 2)),
        (Fraction(1, 2), Fraction(1, 2), Fraction(0)),
    ),
}


def weight(word: Sequence[int], states: int, *, turned: bool = False) -> Fraction:
    """P(word); with `turned` the rows of the kernel are in another order, and pi is not kept."""
    kernel = KERNELS[states][1:] + KERNELS[states][:1] if turned else KERNELS[states]
    value = PI[states][word[0]]
    for before, after in itertools.pairwise(word):
        value *= kernel[before][after]
    return value


def chain_values(states: int, length: int) -> dict[sp.Symbol, sp.Rational]:
    """The free symbols of `stationary_words` for the chain of that many states."""
    pairs = [(f"pi_{s}", PI[states][s]) for s in range(states)]
    for word in itertools.product(range(states), repeat=length):
        pairs.append(("P_" + "".join(map(str, word)), weight(word, states)))
    return {sp.Symbol(name, positive=True): exact(chance) for name, chance in pairs}


@pytest.mark.parametrize(("states", "length"), [(2, 1), (2, 3), (3, 2)])
def test_the_words_of_a_chain_solve_the_conditions(states: int, length: int) -> None:
    law, values = stationary_words(states, length), chain_values(states, length)
    free = set().union(*(sp.sympify(chance).free_symbols for chance in law.values()))
    assert all(symbol.is_positive for symbol in free)
    for word, chance in law.items():
        assert sp.sympify(chance).subs(values) == exact(weight(word, states))
    pi = [sp.sympify(chance).subs(values) for chance in one_symbol_law(states)]
    assert pi == list(map(exact, PI[states])) != list(map(exact, PI[states][1:] + PI[states][:1]))


class Planted(Unigram):
    @property
    def law(self) -> dict[tuple[int, ...], sp.Expr]:
        words = itertools.product(range(self.states), repeat=self.length + 1)
        return {word: exact(weight(word, self.states, turned=True)) for word in words}


def drawn(name: str) -> Fraction:
    """A number for each symbol of the jet, by its name: that of J_1101 is not that of J_1110."""
    code = sum(k * k * ord(letter) for k, letter in enumerate(name, 1)) % 31
    return Fraction(2 * code - 31, 14)  # never 0


def by_hand(
    kind: Unigram, context: tuple[int, ...], E: Any, A: Any, bias: Any, theta: Any, at: Any
) -> list[Any]:
    """Logits A z + b with z = z0 + sum J u + theta Z + sum K u u, entry by entry."""
    n, d = len(context), kind.width
    if kind.head == "softmax":
        u = [E[token][i] for token in context for i in range(d)]
    else:
        u = [token * E[0][i] for token in context for i in range(d)]
    u.append(theta)
    z = []
    for j in range(d):
        value = at(f"z_{n}{j}") + at(f"Z_{n}{j}") * theta
        for i, k in itertools.product(range(n), range(d)):
            value += at(f"J_{n}{i + 1}{j}{k}") * u[i * d + k]
        for k in range(len(u)):
            for other in range(k, len(u)):
                value += at(f"K_{n}{j}{k}{other}") * u[k] * u[other]
        z.append(value)
    return [b + sum(row[i] * z[i] for i in range(d)) for row, b in zip(A, bias, strict=True)]


def split(kind: Unigram, point: Sequence[Any]) -> tuple[Any, Any, Any, Any]:
    """E, A, b and theta of a point in the stated order: b, A (untied), E, theta."""
    m, d = (kind.states if kind.head == "softmax" else 1), kind.width
    rows = [list(point[m + i * d : m + (i + 1) * d]) for i in range((len(point) - m - 1) // d)]
    return rows[-m:], rows[:m], point[:m], point[-1]


@pytest.mark.parametrize("kind", KINDS)
def test_the_logits_are_those_of_the_jet(kind: Unigram) -> None:
    names = [symbol.name for symbol in kind.coordinates]
    m, d = kind.codes, kind.width
    assert names[:m] == [f"beta_{s}" for s in range(m)]
    blocks = ("A", "E") if kind.tying == "untied" else ("E",)
    assert names[m:-1] == [f"{x}_{s}{i}" for x in blocks for s in range(m) for i in range(d)]
    assert names[-1] == "theta"
    E, A, b, theta = split(kind, [drawn(name) for name in names])
    for n in range(1, kind.length + 1):
        for context in itertools.product(range(kind.states), repeat=n):
            logits = kind.logits(context)
            symbols = set().union(*(logit.free_symbols for logit in logits))
            assert all(symbol.is_real for symbol in symbols)
            values = {symbol: exact(drawn(symbol.name)) for symbol in symbols}
            found = [logit.subs(values) for logit in logits]
            assert found == [exact(x) for x in by_hand(kind, context, E, A, b, theta, drawn)]
            assert found != [exact(x) for x in by_hand(kind, context, E, A, b, 2 * theta, drawn)]


def loss(kind: Unigram) -> Callable[[Any], Any]:
    """The mean cross-entropy of a context's next symbol, at the bias ln pi and a point."""
    pi = [number(value) for value in PI[kind.states]]

    def at(name: str) -> Any:
        return number(drawn(name))

    def total(point: Any) -> Any:
        E, A, b, theta = split(kind, point)
        value = mpmath.mpf(0)
        for n in range(1, kind.length + 1):
            for context in itertools.product(range(kind.states), repeat=n):
                logits = by_hand(kind, context, E, A, b, theta, at)
                if kind.head == "logit":
                    logits = [mpmath.mpf(0), logits[0] + mpmath.log(pi[1] / pi[0])]
                else:
                    logits = [x + mpmath.log(share) for x, share in zip(logits, pi, strict=True)]
                size = mpmath.log(sum(map(mpmath.exp, logits)))
                for target in range(kind.states):
                    chance = number(weight((*context, target), kind.states, turned=True))
                    value += chance * (size - logits[target])
        return value / kind.length

    return total


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_and_hessian_are_differences_of_the_loss(kind: Unigram) -> None:
    planted = Planted(kind.states, kind.width, kind.length, kind.tying, kind.head)
    found = planted.derivatives()
    size = len(kind.coordinates)
    assert [matrix.shape for matrix in found] == [(size, 1), (size, size)]
    symbols = found[0].free_symbols | found[1].free_symbols
    pi = {sp.Symbol(f"pi_{s}", positive=True): exact(PI[kind.states][s]) for s in range(2)}
    values = {s: pi[s] if s in pi else exact(drawn(s.name)) for s in symbols}
    gradient, hessian = (np.array(matrix.subs(values).tolist(), float) for matrix in found)
    with mpmath.workdps(60):
        slopes, H = differences(loss(kind), [mpmath.mpf(0)] * size)
    # the rationals of the one are rounded once, the differences are off by 1e-29
    assert np.abs(gradient[:, 0] - np.array(slopes, float)).max() < 1e-14
    assert np.abs(hessian - np.array(H.tolist(), float)).max() < 1e-13
    assert np.abs(gradient).max() > 1e-2
    assert np.abs(hessian + np.array(H.tolist(), float)).max() > 1e-2


CLOSED = [Unigram(3, 2, 1, "tied", "softmax"), Unigram(3, 2, 1, "untied", "softmax")]
CLOSED += [Unigram(2, 1, 3, "tied", "softmax")]
CLOSED += [Unigram(2, 2, 2, "tied", "logit"), Unigram(2, 2, 2, "untied", "logit")]


@pytest.mark.parametrize("kind", CLOSED)
def test_the_closed_form_is_the_block_of_the_law_in_numbers(kind: Unigram) -> None:
    S, d, N = kind.states, kind.width, kind.length
    # in the order of the jet's symbols: row of z_n first, and no dependence on what follows
    z = np.array([[float(drawn(f"z_{n}{i}")) for i in range(d)] for n in range(1, N + 1)])
    J = np.zeros((N, N, d, d))
    for n, i in itertools.product(range(1, N + 1), repeat=2):
        for j, k in itertools.product(range(d), repeat=2):
            J[n - 1, i - 1, j, k] = float(drawn(f"J_{n}{i}{j}{k}")) * (i <= n)
    C = np.zeros((N + 1, S, S))
    for word in itertools.product(range(S), repeat=N + 1):
        for lag in range(N + 1):
            C[lag, word[0], word[lag]] += float(weight(word, S))
    C -= np.multiply.outer(*(np.array(PI[S], float),) * 2)
    if kind.head == "logit":
        C = C[:, 1:, 1:]
    H, derived = kind.closed_form(), kind.derivatives()[1]
    symbols = H.free_symbols | derived.free_symbols
    values = {s: exact(drawn(s.name)) for s in symbols} | chain_values(S, N + 1)
    expected = universal_block(z, J, C, tying=kind.tying)
    for form in (H, derived):
        found = np.array(form.subs(values).tolist(), float)
        assert found.shape == (len(expected) + 1,) * 2
        # sums of a dozen numbers of order 1
        assert np.abs(found[:-1, :-1] - expected).max() < 1e-14
        assert not found[-1].any() and not found[:, -1].any()  # of the other parameter
        other = universal_block(z, J, 0.5 * C, tying=kind.tying)
        assert np.abs(found[:-1, :-1] - other).max() > 1e-3
