"""What the hypotheses exclude: counterexamples beside them, in numerics of their own."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

from theory.statements.registry import theorem

Law = dict[tuple[int, ...], float]


def conditional_entropy(law: Law) -> float:
    """H(x_{n+1} | x_1..x_n) of the law of n+1 symbols, in nats."""
    total = 0.0
    for word, chance in law.items():
        before = sum(law.get((*word[:-1], x), 0.0) for x in (0, 1))
        total -= chance * math.log(chance / before) if chance else 0.0
    return total


def entropy(x: float) -> float:
    return -x * math.log(x) - (1 - x) * math.log(1 - x)


def test_a_lag_source_that_is_not_stationary_may_be_certain() -> None:
    """k = 2, N = 1, x_2 = x_1 of law pi: least loss 0, and not the H_u of a stationary source."""
    p, q = 0.2, 0.3
    pi = (q / (p + q), p / (p + q))
    copied: Law = {(x, y): pi[x] * (x == y) for x, y in itertools.product((0, 1), repeat=2)}
    stationary: Law = {(x, y): pi[x] * pi[y] for x, y in itertools.product((0, 1), repeat=2)}
    assert conditional_entropy(copied) == 0
    assert abs(conditional_entropy(stationary) - entropy(pi[1])) < 1e-15
    found = theorem("memory")
    assert any(h.words == "the source is stationary" for h in found.hypotheses)
    assert "If the source is stationary and x_{n+1}" in found.statement


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_the_stationary_law_of_a_word_is_the_product_and_the_only_one(k: int) -> None:
    p, q = 0.999, 0.01
    P = np.array([[1 - p, p], [q, 1 - q]])
    pi: np.ndarray = np.array([q, p]) / (p + q)
    T = np.zeros((2**k, 2**k))
    for number, y in itertools.product(range(2**k), (0, 1)):
        T[number, (2 * number + y) % 2**k] = P[number >> (k - 1), y]
    product: np.ndarray = np.ones(1)
    for _ in range(k):
        product = np.kron(product, pi)
    assert np.abs(product @ T - product).max() < 1e-15
    values = np.linalg.eigvals(T)
    assert (np.abs(values - 1) < 1e-9).sum() == 1
    other = np.zeros(2**k)
    other[[0, -1]] = pi  # the control: k equal symbols have the marginals and are not stationary
    assert (np.abs(other @ T - other).max() > 1e-3) == (k > 1)


def last_loss(e: float, value: float, w: float, p: float, q: float) -> float:
    """d = r = N = 2, positions 0, W_O = I, W_V = value alpha alpha^T, b = ln(p/q), all contexts."""
    alpha = np.ones(2) / math.sqrt(2)
    ones, pi = np.ones(2), (q / (p + q), p / (p + q))
    P, total = ((1 - p, p), (q, 1 - q)), 0.0
    into = 2 * abs(w) / math.sqrt(2) * np.outer(ones, alpha)
    out = 2 * w / math.sqrt(2) * np.outer(alpha, ones)
    for n in (1, 2):
        for word in itertools.product((0, 1), repeat=n):
            chance = pi[word[0]] * math.prod(P[x][y] for x, y in itertools.pairwise(word))
            inputs = [x * e * alpha for x in word]
            y = inputs[-1] + value * np.outer(alpha, alpha) @ (sum(inputs) / n)
            z = y + out @ np.maximum(into @ y, 0)
            f = float(e * alpha @ z) + math.log(p / q)
            total += chance * (math.log1p(math.exp(f)) - P[word[-1]][1] * f) / 2
    return total


def one_sided(loss: Callable[[float], float], sign: int) -> float:
    """2 (L(t) - L(0))/t^2, t and t/2 extrapolated: off by t^2 and 1e-16/t^2 of rounding."""
    first, second = (2 * (loss(sign * t) - loss(0.0)) / t**2 for t in (2e-3, 1e-3))
    return 2 * second - first


def test_the_kink_has_the_stated_curvatures_without_a_value_matrix_only() -> None:
    p, q, w = 0.5, 0.8, -2.0
    plain = [one_sided(lambda e: last_loss(e, 0.0, w, p, q), sign) for sign in (1, -1)]
    assert abs(plain[0] + 360 / 169) < 1e-3 and abs(plain[1] - 24 / 169) < 1e-3
    valued = [one_sided(lambda e: last_loss(e, 0.7, w, p, q), sign) for sign in (1, -1)]
    assert abs(valued[0] + 3.137) < 2e-3 and abs(valued[1] - 0.209) < 2e-3
    assert any("W_V = 0" in h.words for h in theorem("relu-kink").hypotheses)


def test_tied_the_bias_and_the_embedding_are_not_uncoupled() -> None:
    """One tied softmax of two symbols, z constant: H(b_0, E_0) is G_00 z, and not 0."""
    pi, z, h = (0.3, 0.7), 1.3, 1e-4

    def loss(b: float, E: float) -> float:
        logits = (math.log(pi[0]) + b + E * z, math.log(pi[1]))
        total = math.log(sum(map(math.exp, logits)))
        return sum(chance * (total - f) for chance, f in zip(pi, logits, strict=True))

    corners = ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
    mixed = sum(s * loss(x * h, y * h) for x, y, s in corners) / (4 * h**2)
    assert abs(mixed - pi[0] * pi[1] * z) < 1e-6
    assert "tied, H(b_s, E_t) = G_st <z>^T" in theorem("universal-law").statement


def test_a_symbol_without_probability_has_no_logit() -> None:
    for name in ("universal-law", "s-states"):
        assert any("pi_s > 0 for every symbol" in h.words for h in theorem(name).hypotheses)
    with pytest.raises(ValueError, match=r"math domain error|expected a positive"):
        math.log(0.0)


def test_eigenvalues_of_the_bigram_set_differ_between_the_branches() -> None:
    """p = .2, q = .3, w = .6: T = 1.7700 for e > 0 and 1.9638 for e < 0."""
    p, q, w = 0.2, 0.3, 0.6
    square = math.log((1 - p) * (1 - q) / (p * q)) / (1 + 2 * w * w)
    A, B = q / (p + q) * p * (1 - p), p / (p + q) * q * (1 - q)
    still = square + 1
    moving = square * (1 + 4 * w * w) ** 2 + 16 * w * w * square**2 + 1
    assert abs(A * still + B * moving - 1.7700) < 5e-5
    assert abs(A * moving + B * still - 1.9638) < 5e-5
    assert "at one w" in theorem("bigram-spectrum").control().claim


def test_at_w_0_the_second_order_of_the_transformer_needs_no_second_derivative() -> None:
    """A term with the logit f + t g + t^2 R(t), R bounded and without a limit, f the kernel's."""
    r, g = 0.2, 1.7
    f = math.log(r / (1 - r))

    def term(t: float, bounded: float) -> float:
        logit = f + t * g + t**2 * bounded
        return math.log1p(math.exp(logit)) - r * logit

    for bounded in (-3.0, 3.0):
        second = 2 * (term(1e-4, bounded) - term(0.0, bounded)) / 1e-8
        assert abs(second - r * (1 - r) * g**2) < 1e-3
    f += 0.5  # the control: off the kernel it is seen
    seen = [2 * (term(1e-4, x) - term(-1e-4, -x)) / 1e-8 for x in (-3.0, 3.0)]
    assert abs(seen[0] - seen[1]) > 0.1
