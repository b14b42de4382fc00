"""What the registry says of the reduced model, against losses written out in numpy."""

import math
from typing import Any

import numpy as np
import pytest
from scipy.optimize import root

from tests.twins.ansatz_points import ansatz_weights
from tests.twins.single_layer import naive_loss

CHAINS = [(0.5, 0.8), (0.9, 0.9), (0.2, 0.3), (0.07, 0.6)]
TURN = -math.sqrt(0.5)


def logits(e: Any, w: Any, b: Any) -> tuple[Any, Any]:
    """The paper's canonical logits, and those of the branch e < 0."""
    bend = 2 * w * abs(w)
    zero = b - e**2 * np.where(e > 0, 0.5, 0.5 + bend)
    return zero, zero + e**2 * (1 + bend)


def loss(e: Any, w: Any, b: Any, p: float, q: float) -> Any:
    zero, one = logits(e, w, b)
    total = q * (np.logaddexp(0, zero) - p * zero) + p * (np.logaddexp(0, one) - (1 - q) * one)
    return total / (p + q)


def gradient(x: np.ndarray, p: float, q: float) -> np.ndarray:
    """By the chain rule, by hand."""
    e, w, b = x
    zero, one = logits(e, w, b)
    rho0 = q / (p + q) * ((1 + np.tanh(zero / 2)) / 2 - p)
    rho1 = p / (p + q) * ((1 + np.tanh(one / 2)) / 2 - (1 - q))
    bend = 4 * w * abs(w)
    if e > 0:
        slopes = (-e, 0, 1), (e * (1 + bend), 4 * abs(w) * e**2, 1)
    else:
        slopes = (-e * (1 + bend), -4 * abs(w) * e**2, 1), (e, 0, 1)
    return np.array([rho0 * g0 + rho1 * g1 for g0, g1 in zip(*slopes, strict=True)])


def best_bias(e: Any, w: Any, p: float, q: float) -> Any:
    """Where the mean prediction is pi1, bisected."""
    low, high = np.full(np.shape(e), -60.0), np.full(np.shape(e), 60.0)
    for _ in range(80):
        middle = (low + high) / 2
        zero, one = logits(e, w, middle)
        above = q / (1 + np.exp(-zero)) + p / (1 + np.exp(-one)) > p
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return (low + high) / 2


def entropies(p: float, q: float) -> tuple[float, float]:
    def h(x: float) -> float:
        return -x * math.log(x) - (1 - x) * math.log(1 - x)

    return h(p / (p + q)), (q * h(p) + p * h(q)) / (p + q)


def distances(x: np.ndarray, p: float, q: float) -> tuple[float, float]:
    """From the unigram and from the bigram set, in e or s, and in b."""
    e, w, b = x
    star = math.log((1 - p) * (1 - q) / (p * q))
    bias = math.log(p / (1 - p)) + e**2 / 2 if e > 0 else math.log((1 - q) / q) - e**2 / 2
    gap = e**2 * (1 + 2 * w * abs(w))
    return abs(e) + abs(b - math.log(p / q)), abs(gap - star) + abs(b - bias)


@pytest.mark.parametrize("chain", CHAINS)
def test_every_root_of_the_gradient_is_on_one_of_the_two_sets(chain: tuple[float, float]) -> None:
    """At random w, off -1/sqrt2, dL/de = dL/db = 0 is solved for e and b, from random starts."""
    generator = np.random.default_rng(3)
    found = []
    for start, w in zip(generator.normal(size=(200, 2)) * 2, np.linspace(-2, 2, 200), strict=True):

        def part(x: np.ndarray, w: float = w) -> np.ndarray:
            return gradient(np.array([x[0], w, x[1]]), *chain)[[0, 2]]

        solution = root(part, start, tol=1e-14)
        end = np.array([solution.x[0], w, solution.x[1]])
        # where the solver stopped short of a root it says nothing
        if np.abs(part(solution.x)).max() < 1e-12 and abs(w - TURN) > 0.05:
            assert np.abs(gradient(end, *chain)).max() < 1e-11
            found.append(distances(end, *chain))
    nearest = np.array(found)
    assert len(nearest) >= 20 and nearest.min(axis=1).max() < 1e-7
    # both are met, so neither alone holds them all: the control
    assert (nearest.max(axis=0) > 0.1).all()


@pytest.mark.parametrize("chain", CHAINS)
def test_the_least_loss_is_convex_in_the_gap_and_falls_towards_the_target(
    chain: tuple[float, float],
) -> None:
    """At w = 0 the gap is e^2; at w = -1 it is -e^2."""
    e = np.sqrt(np.linspace(0.01, 5, 400))
    star = math.log((1 - chain[0]) * (1 - chain[1]) / math.prod(chain))
    for w, gap in ((0.0, e**2), (-1.0, -(e**2))):
        least = loss(e, w, best_bias(e, w, *chain), *chain)
        rate = np.diff(least) / np.diff(gap)
        middle = (gap[1:] + gap[:-1]) / 2
        away = abs(middle - star) > 0.02
        assert (np.sign(rate[away]) == np.sign(middle - star)[away]).all()
        assert (np.diff(rate) / np.diff(middle) > 0).all()
        # the control: on the side of s* it is not the sign of s
        if star * gap[0] > 0:
            assert not (np.sign(rate) == np.sign(middle)).all()


@pytest.mark.parametrize("start", [(0.9, 0.4), (0.7, -1.3), (-1.1, -0.4), (-0.8, 0.6)])
def test_a_free_bias_changes_the_energy_at_the_stated_rate(start: tuple[float, float]) -> None:
    e, w = start
    for b in (-0.7, 0.4):
        velocity = -gradient(np.array([e, w, b]), 0.5, 0.8)
        k = 1e-5

        def energy(time: float, velocity: np.ndarray = velocity) -> float:
            x, y = e + time * velocity[0], w + time * velocity[1]
            return float(x**2 - y**2 - math.copysign(1, y) * math.log(abs(y)))

        rate = (energy(k) - energy(-k)) / (2 * k)  # truncation and round-off are below 1e-9
        stated = -2 * math.copysign(1, e) * e**2 * velocity[2]
        assert rate == pytest.approx(stated, abs=1e-9)
        assert abs(stated) > 1e-3  # the control: it is not conserved


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("w", [0.4, -0.3, -1.1])
def test_the_escape_radius_is_where_lower_losses_begin(
    chain: tuple[float, float], w: float
) -> None:
    sign = math.copysign(1, sum(chain) - 1)
    radius = max(0.0, sign * (w - TURN))
    unigram, _ = entropies(*chain)
    generator = np.random.default_rng(5)
    if radius:
        # within the ball, and outside of it but not beyond the turn
        e = generator.normal(size=2000)
        near = w + radius * generator.uniform(-1, 1, size=2000)
        assert loss(e, near, best_bias(e, near, *chain), *chain).min() >= unigram - 1e-14
    for excess in (1e-1, 1e-2, 1e-3):
        beyond = min(w, TURN) - excess if sign > 0 else max(w, TURN) + excess
        e = np.array(math.sqrt(excess) / 10)
        bias = best_bias(e, beyond, *chain)
        away = math.hypot(float(e), beyond - w, float(bias) - math.log(chain[0] / chain[1]))
        assert loss(e, beyond, bias, *chain) < unigram - 1e-12
        # the bias is off by a multiple of e^2, so the distance tends to the radius
        assert radius < away < radius + math.sqrt(excess)


def test_in_the_transformer_lower_losses_begin_at_no_more_than_the_root_of_two() -> None:
    """The witness of the proof, put through the transformer written out, all sequences."""
    p, q, N = 0.9, 0.9, 3
    unigram, _ = entropies(p, q)
    small, away = 0.01, {}
    for gain in (1.001, 0.999):
        weights = ansatz_weights(0.0, 0.0, width=2, hidden=3, length=N) | {
            "output": np.zeros((2, 2))
        }
        weights["embedding"][0] = weights["positions"][:, 0] = small
        weights["hidden_in"][1, 0], weights["hidden_out"][0, 1] = gain, -gain
        pull = gap = small**2 * (1 - gain**2)  # f(0) - b and f(1) - f(0)
        # p = q: the best logits are +-gap/2
        weights["bias"] = np.array(-pull - gap / 2)
        excess = float(naive_loss(weights, p, q, N)) - unigram
        away[gain] = math.sqrt(sum(float((value**2).sum()) for value in weights.values()))
        assert (excess < -1e-8) if gain > 1 else (excess > 1e-8)  # the control: a gain below 1
    assert math.sqrt(2) < away[1.001] < math.sqrt(2) + 2e-3


@pytest.mark.parametrize(
    ("chain", "w"), [((0.5, 0.8), -1.2), ((0.9, 0.9), -0.9), ((0.2, 0.3), 0.1)]
)
def test_from_any_unigram_point_of_the_transformer_a_path_descends_without_climbing(
    chain: tuple[float, float], w: float
) -> None:
    """Through the transformer written out, from random weights of no embedding."""
    generator, N = np.random.default_rng(11), 3
    unigram, bigram = entropies(*chain)
    star = math.log((1 - chain[0]) * (1 - chain[1]) / math.prod(chain))
    top = math.sqrt(star / (1 + 2 * w * abs(w)))

    def ansatz(e: float, at: float) -> dict[str, np.ndarray]:
        bias = best_bias(np.array(e), at, *chain)
        return ansatz_weights(e, at, bias, width=2, hidden=3, length=N)

    def value(weights: dict[str, np.ndarray]) -> float:
        return float(naive_loss(weights, *chain, N))

    foot = ansatz(0.0, w)
    start = {name: generator.normal(size=part.shape) for name, part in foot.items()}
    start["embedding"], start["bias"] = foot["embedding"], foot["bias"]
    for share in np.linspace(0, 1, 5):
        between = {name: (1 - share) * start[name] + share * foot[name] for name in foot}
        assert abs(value(between) - unigram) < 1e-14
    losses = [value(ansatz(e, w)) for e in np.linspace(0, top, 25)]
    assert (np.diff(losses) < 0).all() and abs(losses[-1] - bigram) < 1e-14
    # the control: on the other side of the turn the loss rises with e
    other = 0.0 if w < TURN else -1.2
    assert value(ansatz(0.1, other)) > unigram + 1e-6
