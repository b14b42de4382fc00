import itertools

import numpy as np
import pytest
import sympy as sp

from tests.twins.ansatz_points import ansatz_weights
from tests.twins.single_layer import naive_logits
from theory.symbols import a, alpha_sign, b, e, tau, w, x, xbar
from theory.transformer.forward import (
    along_alpha,
    ansatz,
    attention_logit,
    forward,
    in_coordinates,
    reduced_logit,
    relu,
)

BRANCHES = (1, -1)
SIZES = [([1], 1, 2), ([1, -1], 3, 2), ([1, 1, -1, 1], 4, 3), ([-1, 1, 1], 2, 3)]


def slow_logits(
    e_value: float, w_value: float, a_value: float, tokens: tuple[int, ...]
) -> np.ndarray:
    """The ansatz with d = 3, r = 5; with values 0, queries and keys are random."""
    weights = ansatz_weights(e_value, w_value, 0.3, width=3, hidden=5, length=len(tokens))
    alpha = weights["embedding"] / e_value
    if a_value:
        weights["value"] = a_value * np.outer(alpha, alpha)
    else:
        weights["query"], weights["key"] = np.random.default_rng(7).normal(size=(2, 3, 3))
    return naive_logits(weights, tokens)


def numbers(e_value: float, w_value: float, a_value: float = 0.0) -> dict[sp.Symbol, float]:
    return {e: e_value, w: w_value, tau: -1 if w_value < 0 else 1, a: a_value, b: 0.3}


@pytest.mark.parametrize("e_value", [1.3, -1.3])
@pytest.mark.parametrize("w_value", [0.6, -1.1, 0.0])
def test_reduced_logit_is_that_of_a_naive_transformer(e_value: float, w_value: float) -> None:
    tokens = (1, 0, 0, 1)
    sign = 1 if e_value > 0 else -1
    naive = slow_logits(e_value, w_value, 0.0, tokens)
    derived = [float(reduced_logit(sign)[t].subs(numbers(e_value, w_value))) for t in tokens]
    # a dozen float64 products of order 1
    assert np.abs(naive - derived).max() < 1e-14
    other = [float(reduced_logit(-sign)[t].subs(numbers(e_value, w_value))) for t in tokens]
    assert w_value == 0 or np.abs(naive - other).max() > 0.1


@pytest.mark.parametrize("e_sign", BRANCHES)
def test_reduced_logit_has_the_published_form(e_sign: int) -> None:
    zero, one = reduced_logit(e_sign)
    if e_sign > 0:
        expected = [e**2 * (1 + 2 * tau * w**2) * token + b - e**2 / 2 for token in (0, 1)]
    else:
        expected = [b - e**2 * (sp.Rational(1, 2) + 2 * tau * w**2), b + e**2 / 2]
    assert [sp.expand(zero - expected[0]), sp.expand(one - expected[1])] == [0, 0]
    doubled = expected[1] + 2 * tau * w**2 * e**2
    assert sp.expand(one - doubled) != 0


def test_both_branches_have_the_same_gap() -> None:
    gaps = [sp.expand(one - zero) for zero, one in map(reduced_logit, BRANCHES)]
    assert gaps[0] == gaps[1] == sp.expand(e**2 * (1 + 2 * tau * w**2))
    assert sp.expand(reduced_logit(1)[0] - reduced_logit(-1)[0]) != 0


@pytest.mark.parametrize("e_sign", BRANCHES)
@pytest.mark.parametrize(("signs", "hidden", "length"), SIZES)
def test_symbolic_width_agrees_with_explicit_matrices(
    signs: list[int], hidden: int, length: int, e_sign: int
) -> None:
    weights = ansatz(signs, hidden=hidden, length=length, e_sign=e_sign)
    for tokens in itertools.product((0, 1), repeat=length):
        for token, logit in zip(tokens, forward(weights, tokens), strict=True):
            assert sp.expand(in_coordinates(logit) - reduced_logit(e_sign)[token]) == 0
            assert sp.expand(in_coordinates(logit) - reduced_logit(e_sign)[1 - token]) != 0


@pytest.mark.parametrize("e_sign", BRANCHES)
@pytest.mark.parametrize(("signs", "hidden", "length"), SIZES[1:3])
@pytest.mark.parametrize("strength", [sp.Rational(2, 5), sp.Rational(-7, 3)])
def test_attention_logit_agrees_with_explicit_matrices(
    signs: list[int], hidden: int, length: int, e_sign: int, strength: sp.Rational
) -> None:
    weights = ansatz(signs, hidden=hidden, length=length, e_sign=e_sign, attention=True)
    # rational e and a decide the relu's branch; the comparison is exact
    point = {e: e_sign * sp.Rational(7, 3), a: strength}
    for tokens in itertools.product((0, 1), repeat=length):
        for n, logit in enumerate(forward(weights, tokens)):
            mean = sp.Rational(sum(tokens[: n + 1]), n + 1)
            derived = attention_logit(e_sign).subs({x: tokens[n], xbar: mean})
            assert sp.expand((in_coordinates(logit) - derived).subs(point)) == 0
            shifted = attention_logit(e_sign).subs({x: tokens[n], xbar: mean + 1})
            assert sp.expand((in_coordinates(logit) - shifted).subs(point)) != 0


@pytest.mark.parametrize("e_value", [0.8, -0.8])
@pytest.mark.parametrize("strength", [0.7, -2.5])
def test_attention_logit_is_that_of_a_naive_transformer(e_value: float, strength: float) -> None:
    tokens = (1, 0, 0, 1, 1)
    naive = slow_logits(e_value, -0.9, strength, tokens)
    logit = attention_logit(1 if e_value > 0 else -1).subs(numbers(e_value, -0.9, strength))
    means = np.cumsum(tokens) / np.arange(1, 6)
    derived = [float(logit.subs({x: t, xbar: m})) for t, m in zip(tokens, means, strict=True)]
    assert np.abs(naive - derived).max() < 1e-14
    # the closed form with relu's argument doubled is refuted
    s = np.array(tokens) - 0.5 + strength * (means - 0.5)
    published = e_value**2 * s + 4 * -0.81 * e_value * np.maximum(0, e_value * s) + 0.3
    assert np.abs(naive - published).max() < 1e-14
    mutated = e_value**2 * s + 8 * -0.81 * e_value * np.maximum(0, e_value * s) + 0.3
    assert np.abs(naive - mutated).max() > 0.1


def test_explicit_matrices_of_any_value_are_those_of_a_naive_transformer() -> None:
    """Rational weights, queries and keys among them, width 2."""
    rng = np.random.default_rng(5)
    drawn = {name: rng.integers(-9, 10, size=shape) for name, shape in {
        "embedding": (2, 1), "positions": (3, 2), "query": (2, 2), "key": (2, 2), "value": (2, 2),
        "output": (2, 2), "hidden_in": (4, 2), "hidden_out": (2, 4), "bias": (1, 1),
    }.items()}  # fmt: skip
    tenths = {name: values / 10 for name, values in drawn.items()}
    naive = naive_logits(
        tenths | {"embedding": tenths["embedding"][:, 0], "bias": tenths["bias"][0, 0]}, (1, 0, 1)
    )
    exact = {
        name: sp.Matrix(*values.shape, [sp.Rational(int(x), 10) for x in values.reshape(-1)])
        for name, values in drawn.items()
    }
    derived = [float(logit) for logit in forward(exact, (1, 0, 1))]
    assert np.abs(np.array(derived) - naive).max() < 1e-14
    other = [float(logit) for logit in forward(exact | {"key": 2 * exact["key"]}, (1, 0, 1))]
    assert np.abs(np.array(other) - derived).max() > 1e-3


def test_relu_is_left_open_where_its_sign_is_unknown() -> None:
    u = sp.Symbol("u", real=True)
    gain = sp.Symbol("g", nonnegative=True)
    assert relu(gain * u) == gain * sp.Max(0, u)
    assert relu(-gain) == 0
    assert relu(gain) == gain


def test_a_vector_off_alpha_is_refused() -> None:
    k = sp.Symbol("k", integer=True, nonnegative=True)
    with pytest.raises(ValueError, match="is not a multiple of alpha"):
        along_alpha(sp.S.One)
    assert along_alpha(alpha_sign[k]) != 0


def test_bad_explicit_input_is_refused() -> None:
    with pytest.raises(ValueError, match="entries other than 1 and -1"):
        ansatz([1, 0], hidden=2, length=2)
    with pytest.raises(ValueError, match="tokens has 3 entries, but there are 2 positions"):
        forward(ansatz([1], hidden=1, length=2), (0, 1, 0))
