"""Curvatures and spectra of the attention-reduced model in numbers, beside exact rationals."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from tests.twins.attended_chain import (
    bigram_point,
    contexts,
    count_law,
    differences,
    moments_at,
    naive_loss,
    number,
)
from tests.twins.single_layer import path_probability
from theory.attention.spectra import attention_bigram_spectrum, running_moments, unigram_curvatures

UP, DOWN = Fraction(9, 10), Fraction(3, 4)
CHAIN, HALF = (UP, DOWN), Fraction(1, 2)


def curvature(at_w: Fraction, at_a: Fraction, N: int, e_sign: int) -> Fraction:
    mean, total = UP / (UP + DOWN), Fraction(0)
    for n in range(1, N + 1):
        for (token, ones), weight in count_law(CHAIN, n).items():
            s = token - HALF + at_a * (Fraction(ones, n) - HALF)
            part = max(s, Fraction(0)) if e_sign > 0 else min(s, Fraction(0))
            total += weight * (token - mean) * (s + 4 * at_w * abs(at_w) * part)
    return -2 * (1 - UP - DOWN) * total / N


def test_the_law_is_that_of_the_contexts() -> None:
    counted: dict[tuple[int, int], Fraction] = {}
    for c in contexts(4):
        key = (c[-1], sum(c))
        counted[key] = counted.get(key, Fraction(0)) + Fraction(path_probability(c, UP, DOWN))
    assert count_law(CHAIN, 4) == counted != count_law(CHAIN, 3)


@pytest.mark.parametrize("N", [1, 2, 4])
@pytest.mark.parametrize(("at_w", "at_a"), [(-0.5, 1.5), (0.75, -2.5), (-0.5, 0.625), (0.25, 1.0)])
def test_curvatures_are_those_of_the_rational_sums(at_w: float, at_a: float, N: int) -> None:
    found = unigram_curvatures(0.9, 0.75, at_w, at_a, N)
    exact = [float(curvature(Fraction(at_w), Fraction(at_a), N, k)) for k in (1, -1)]
    # a dozen float64 terms of order 1
    assert np.abs(np.array(found) - exact).max() < 1e-14
    assert N == 1 or abs(found[0] - exact[1]) > 1e-4


@pytest.mark.parametrize("at_a", [1.0, -1.0, 0.375])
def test_for_a_strength_of_at_most_one_the_curvature_is_rounded_once(at_a: float) -> None:
    """Sums in float64 are off by a few last places; the closed form is not."""
    for N in (3, 7, 20):
        exact = (float(curvature(Fraction(-0.5), Fraction(at_a), N, k)) for k in (1, -1))
        assert unigram_curvatures(0.9, 0.75, -0.5, at_a, N) == tuple(exact)
        assert unigram_curvatures(0.9, 0.75, -0.25, at_a, N) != tuple(exact)


@pytest.mark.parametrize("N", [1, 2, 5])
def test_moments_are_those_of_the_contexts_rounded_once(N: int) -> None:
    each = zip(*(moments_at(CHAIN, n) for n in range(1, N + 1)), strict=True)
    exact = [float(sum(values, Fraction(0)) / N) for values in each]
    assert running_moments(0.9, 0.75, N).tolist() == exact
    assert running_moments(0.75, 0.9, N).tolist() != exact or N == 1


@pytest.mark.parametrize("e_sign", [1, -1])
@pytest.mark.parametrize("N", [1, 2])
def test_the_spectrum_at_the_bigram_is_that_of_differences(e_sign: int, N: int) -> None:
    up, down, at_w = 0.5, 0.8, -1.25
    found = attention_bigram_spectrum(up, down, at_w, N, e_sign)
    with mpmath.workdps(60):
        p, q = number(Fraction(1, 2)), number(Fraction(4, 5))
        at_e, _, b = bigram_point(p, q, at_w, e_sign)
        _, H = differences(naive_loss(p, q, N), [at_e, mpmath.mpf(at_w), mpmath.mpf(0), b])
        values = [float(value) for value in sorted(mpmath.eigsy(H, eigvals_only=True))]
    rank = 3 if N > 1 else 2
    assert found.inertia == (0, 4 - rank, rank)
    assert (found.parameters, found.zeros) == (4, 4 - rank)
    assert np.abs(found.full() - values).max() < 1e-14
    assert np.abs(found.full() + values).max() > 0.1
    if e_sign > 0:
        plain = attention_bigram_spectrum(up, down, at_w, N)
        assert plain.eigenvalues.tolist() == found.eigenvalues.tolist()
