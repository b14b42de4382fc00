import math

import mpmath
import numpy as np
import pytest
import sympy as sp

from tests.twins.single_layer import path_probability
from theory.chain.binary import entropy_rate, unigram_entropy
from theory.numeric import function
from theory.reduced.loss import (
    best_bias,
    best_logit,
    loss_at_best_bias,
    population_loss,
    reduced_loss,
)
from theory.symbols import b, e, p, q, s, tau, w

CHAINS = [(0.5, 0.8), (0.2, 0.3), (0.07, 0.9), (0.6, 0.4)]


def pair_loss(zero: float, one: float, up: float, down: float) -> float:
    """Cross-entropy over the four pairs (x_n, x_{n+1}), the target not averaged."""
    total = 0.0
    for state, logit in enumerate((zero, one)):
        for target in (0, 1):
            chance = 1 / (1 + math.exp(-logit))
            loss = -math.log(chance if target else 1 - chance)
            total += path_probability((state, target), up, down) * loss
    return total


@pytest.mark.parametrize("chain", CHAINS)
def test_population_loss_is_the_sum_over_pairs(chain: tuple[float, float]) -> None:
    f0, f1 = sp.symbols("f0 f1", real=True)
    loss = function([f0, f1, p, q], population_loss(f0, f1), np)
    swapped = function([f0, f1, p, q], population_loss(f1, f0), np)
    for zero, one in ((0.3, -1.2), (2.0, 0.5)):
        # four terms of order 1
        assert abs(loss(zero, one, *chain) - pair_loss(zero, one, *chain)) < 2e-15
        assert abs(swapped(zero, one, *chain) - pair_loss(zero, one, *chain)) > 1e-3


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("e_sign", [1, -1])
@pytest.mark.parametrize("w_value", [0.4, -1.3])
def test_best_bias_minimises_the_loss(
    chain: tuple[float, float], e_sign: int, w_value: float
) -> None:
    values = [e_sign * 0.9, w_value, -1 if w_value < 0 else 1, *chain]
    with mpmath.workdps(40):
        bias = function([e, w, tau, p, q], best_bias(e_sign), mpmath)(*values)
        loss = function([b, e, w, tau, p, q], reduced_loss(e_sign), mpmath)
        # mpmath's own derivative at 40 digits
        assert abs(mpmath.diff(lambda x: loss(x, *values), bias)) < mpmath.mpf(10) ** -18
        assert abs(mpmath.diff(lambda x: loss(x, *values), bias + 0.001)) > 1e-5
        assert mpmath.diff(lambda x: loss(x, *values), bias, 2) > 0


@pytest.mark.parametrize("e_sign", [1, -1])
def test_best_bias_has_the_published_form(e_sign: int) -> None:
    gap = e**2 * (1 + 2 * tau * w**2)
    bracket = (p - q + sp.sqrt((p - q) ** 2 + 4 * p * q * sp.exp(gap))) / (2 * q * sp.exp(gap))
    shift = e**2 / 2 if e_sign > 0 else e**2 * (sp.Rational(1, 2) + 2 * tau * w**2)
    point = {p: 0.3, q: 0.8, e: 0.9 * e_sign, w: -1.1, tau: -1}

    def distance(form: sp.Expr) -> float:
        return abs(float((best_bias(e_sign) - form).subs(point)))

    assert distance(shift + sp.log(bracket)) < 1e-14
    assert distance(-shift + sp.log(bracket)) > 0.1
    assert distance(shift + sp.log(bracket.subs({p: q, q: p}, simultaneous=True))) > 0.1
    assert distance(shift + sp.log(bracket * 2)) > 0.1


@pytest.mark.parametrize("chain", CHAINS)
def test_loss_at_best_bias_runs_between_the_two_entropies(chain: tuple[float, float]) -> None:
    up, down = chain
    loss = function([s, p, q], loss_at_best_bias(), np)
    rate, unigram = (function([p, q], f(), np)(*chain) for f in (entropy_rate, unigram_entropy))
    star = math.log((1 - up) * (1 - down) / (up * down))
    # a dozen roundings of terms of order 1
    assert abs(loss(0.0, *chain) - unigram) < 4e-15
    assert abs(loss(star, *chain) - rate) < 4e-15
    assert abs(loss(star + 0.1, *chain) - rate) > 1e-5
    assert (loss(np.linspace(star - 3, star + 3, 7), *chain) >= rate - 4e-15).all()


def test_best_logit_solves_its_condition_at_the_root_that_is_positive() -> None:
    values = {p: sp.Rational(1, 5), q: sp.Rational(9, 10), s: sp.log(3)}
    odds = sp.exp(best_logit()).subs(values)
    quadratic = sp.Rational(9, 10) * 3 * odds**2 + sp.Rational(7, 10) * odds - sp.Rational(1, 5)
    assert sp.simplify(quadratic) == 0
    assert odds > 0
    assert sp.simplify(quadratic.subs(odds, 2 * odds)) != 0
