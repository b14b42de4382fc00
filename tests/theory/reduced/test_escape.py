import math
from decimal import Decimal
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp

from tests.twins.ansatz_points import ansatz_weights
from tests.twins.attended_chain import decimal, reduced_loss
from tests.twins.single_layer import naive_loss, single_layer_hessian
from theory.reduced.escape import (
    escape_radius,
    full_model_ansatz_distance,
    full_model_bound,
    full_model_curvature,
    full_model_distance,
    gain,
    positions_scale,
    tokens,
    witness,
)
from theory.symbols import p, q, w

ROOT = 1 / math.sqrt(2)
TRAPS = [(0.5, 0.8, 0.0), (0.9, 0.9, -0.4), (0.6, 0.5, 0.5), (0.2, 0.3, -1.2), (0.1, 0.1, -0.9)]


def excess(at_e: object, at_w: object, at_b: object, up: object, down: object) -> np.ndarray:
    """L(e, w, b) - H_u from the relu itself, on arrays; zero without rounding at e = 0."""
    at_e, at_w, at_b, up, down = (np.asarray(value) for value in (at_e, at_w, at_b, up, down))
    total = np.asarray(0.0)
    start = np.log(up / down)
    for token, weight, target in ((0, down, up), (1, up, 1 - down)):
        u = at_e * (token - 0.5)
        logit = at_e * (u + 4 * at_w * np.abs(at_w) * np.maximum(u, 0)) + at_b
        rise = np.logaddexp(0, logit) - np.logaddexp(0, start) - target * (logit - start)
        total = total + weight / (up + down) * rise
    return np.asarray(total)


def exact_excess(
    point: tuple[mpmath.mpf, ...], w_value: float, chain: tuple[float, float]
) -> tuple[mpmath.mpf, mpmath.mpf]:
    """The same in mpmath, and the distance of the point from (0, w, ln(p/q))."""
    up, down = (decimal(str(value)) for value in chain)
    loss, start = (
        reduced_loss(up, down),
        (mpmath.mpf(0), mpmath.mpf(w_value), mpmath.log(up / down)),
    )
    distance = mpmath.norm([x - y for x, y in zip(point, start, strict=True)])
    return loss(point) - loss(start), distance


@pytest.mark.parametrize(("up", "down", "at_w"), TRAPS)
def test_nothing_within_the_escape_radius_is_lower_and_something_beyond_is(
    up: float, down: float, at_w: float
) -> None:
    radius, b = escape_radius(up, down, at_w), math.log(up / down)
    cube = np.linspace(-1, 1, 61)
    at = np.stack(np.meshgrid(cube, cube, cube, indexing="ij")).reshape(3, -1)
    ball = 0.999 * radius * at[:, (at**2).sum(0) <= 1]
    inside = excess(ball[0], at_w + ball[1], b + ball[2], up, down)
    # four roundings of numbers near 1
    assert inside.min() > -1e-15
    # just beyond: w straight to -1/sqrt2 and past it, e and b small
    toward = -1 if up + down > 1 else 1
    outer = np.stack(np.meshgrid(np.linspace(0, 0.04, 41), cube[31:], 1e-3 * cube, indexing="ij"))
    outer = outer.reshape(3, -1)
    past = np.stack([outer[0] * radius, toward * (1 + 1e-3 * outer[1]) * radius, outer[2]])
    past = past[:, np.sqrt((past**2).sum(0)) <= 1.001 * radius]
    assert excess(past[0], at_w + past[1], b + past[2], up, down).min() < -1e-11
    # the same search in the other direction of w finds nothing: the radius has a side
    assert excess(past[0], at_w - past[1], b + past[2], up, down).min() > -1e-15


@pytest.mark.parametrize(("up", "down", "at_w", "expected"), [
    (0.5, 0.8, 0.0, ROOT), (0.5, 0.8, 1.0, 1 + ROOT), (0.5, 0.8, -1.0, 0.0), (0.2, 0.3, 0.0, 0.0),
    (0.2, 0.3, -1.0, 1 - ROOT), (0.7, 0.3, 0.0, math.inf), (0.1, 0.9, -1.0, math.inf),
])  # fmt: skip
def test_escape_radius_is_the_closed_form(
    up: float, down: float, at_w: float, expected: float
) -> None:
    assert escape_radius(up, down, at_w) == pytest.approx(expected, rel=1e-15)
    assert escape_radius(Decimal(str(up)), Decimal(str(down)), at_w) == escape_radius(
        up, down, at_w
    )
    # the sign of p+q-1 matters
    if math.isfinite(expected):
        mirrored = escape_radius(1 - Decimal(str(up)), 1 - Decimal(str(down)), at_w)
        assert mirrored != escape_radius(up, down, at_w)


def test_the_side_of_the_line_is_decided_exactly() -> None:
    below, above = sorted([-ROOT, math.nextafter(-ROOT, -1 if ROOT**2 <= 0.5 else 0)])
    with mpmath.workdps(50):
        exact = -1 / mpmath.sqrt(2)
        assert below < exact < above
        distance = float(above - exact)
    assert escape_radius(0.5, 0.8, below) == 0
    assert escape_radius(0.5, 0.8, above) == distance
    assert 0 < distance < 2e-16
    assert escape_radius(0.5, 0.8, -1 / sp.sqrt(2)) == 0
    assert escape_radius(0.3, 0.7, -1 / sp.sqrt(2)) == math.inf
    assert escape_radius(0.2, 0.3, above) == 0
    assert escape_radius(0.2, 0.3, below) > 0


@pytest.mark.parametrize(("up", "down", "at_w"), [*TRAPS, (0.5, 0.8, -1.3), (0.2, 0.3, 0.4)])
@pytest.mark.parametrize("slack", [3.0, 1e-2, 1e-9])
def test_witness_is_lower_and_within_the_radius(
    up: float, down: float, at_w: float, slack: float
) -> None:
    radius = escape_radius(up, down, at_w) + slack
    point = witness(up, down, at_w, radius)
    with mpmath.workdps(60):
        loss, distance = exact_excess(point, at_w, (up, down))
        assert loss < 0
        assert escape_radius(up, down, at_w) * (1 - 1e-15) < distance < radius
        # reflected in the line w = -1/sqrt2 it is higher
        at_e, beyond, _ = point
        start = mpmath.log(mpmath.mpf(str(up)) / mpmath.mpf(str(down)))
        reflected = (at_e, -mpmath.sqrt(2) - beyond, start)
        assert exact_excess(reflected, at_w, (up, down))[0] > 0


def test_no_witness_is_given_where_there_is_none() -> None:
    with pytest.raises(ValueError, match=r"have p \+ q = 1: no loss is lower"):
        witness(0.7, 0.3, 0.0, 5.0)
    with pytest.raises(ValueError, match=r"radius = 0\.7 is not above the escape radius 0\.707"):
        witness(0.5, 0.8, 0.0, 0.7)
    with pytest.raises(ValueError, match="radius = inf is not above"):
        witness(0.5, 0.8, 0.0, math.inf)
    with pytest.raises(ValueError, match="w = nan is not a real number"):
        escape_radius(0.5, 0.8, math.nan)


# -- the full model --------------------------------------------------------------------------------


def one_unit(size: float, epsilon: float, length: int, b: float) -> dict[str, np.ndarray]:
    """All weights 0 but one hidden unit of the given strength; positions epsilon alpha."""
    alpha = np.array([0.6, -0.8])
    return ansatz_weights(0.0, 0.0, b, width=2, hidden=1, length=length) | {
        "positions": np.tile(epsilon * alpha, (length, 1)),
        "output": np.zeros((2, 2)),
        "hidden_in": math.sqrt(size) * alpha[None, :],
        "hidden_out": -math.sqrt(size) * alpha[:, None],
    }


def norm(weights: dict[str, np.ndarray]) -> float:
    """The distance from the origin of all parameters but the bias."""
    return math.sqrt(sum(float((v**2).sum()) for name, v in weights.items() if name != "bias"))


@pytest.mark.parametrize("size", [0.5, 1.3])
def test_curvature_along_alpha_is_that_of_the_transformer(size: float) -> None:
    up, down, length, epsilon = 0.5, 0.8, 2, 0.3
    weights = one_unit(size, epsilon, length, math.log(up / down))
    H = single_layer_hessian(weights, p=up, q=down, length=length)
    alpha = np.zeros((2, H.shape[0]))
    alpha[0, 0] = 1  # the bias comes first, the embedding second
    alpha[1, 1:3] = [0.6, -0.8]
    block = alpha @ H @ alpha.T
    left = block[1, 1] - block[0, 1] ** 2 / block[0, 0]
    values = {p: up, q: down, gain: size}
    # a difference quotient of round-off 1e-13
    assert abs(left - float(full_model_curvature().subs(values))) < 1e-12
    assert (left < 0) == (size > 1)
    assert abs(left - float(full_model_curvature().subs({**values, gain: size + 0.1}))) > 1e-3
    distance = float(
        full_model_distance().subs({gain: size, positions_scale: epsilon, tokens: length})
    )
    assert abs(norm(weights) - distance) < 1e-14


def test_a_lower_loss_lies_just_beyond_the_bound_of_the_full_model() -> None:
    up, down, length = 0.5, 0.8, 2
    for size, lower in ((1.001, True), (0.999, False)):
        weights = one_unit(size, 0.005, length, math.log(up / down))
        start = float(naive_loss(weights, up, down, length))
        weights["embedding"] = 0.02 * np.array([0.6, -0.8])
        drop = float(naive_loss(weights, up, down, length)) - start
        assert norm(weights) < 1.001 * full_model_bound()
        # the drop is near c (p+q-1) e^2 (k-1) = 3e-8, the round-off 1e-16
        assert (drop < -1e-8) == lower
        assert (drop > 1e-8) != lower
    assert full_model_bound() == math.sqrt(2)


def test_along_the_ansatz_the_full_model_goes_twice_as_far_at_the_degenerate_line() -> None:
    for at_w in (-ROOT, 0.4):
        weights = ansatz_weights(0.0, at_w, width=4, hidden=3, length=1)
        distance = norm(weights | {"output": np.zeros((4, 4))})
        assert abs(distance - float(full_model_ansatz_distance().subs(w, at_w))) < 1e-14
    assert full_model_ansatz_distance().subs(w, -1 / sp.sqrt(2)) == 2
    assert full_model_bound() < 2


def stated(p: str, q: str, w: float, radius: float) -> tuple[mpmath.mpf, mpmath.mpf, mpmath.mpf]:
    """(e, w', ln of the odds that the bias is, at e = 0) by the docstring, at 60 digits."""
    up, down = decimal(p), decimal(q)
    root, start = 1 / mpmath.sqrt(2), mpmath.mpf(w)
    toward = -1 if up + down > 1 else 1
    inside = -toward * (start + root)
    slack = mpmath.mpf(min(radius - max(inside, 0), 1))
    beyond = (-root if inside > 0 else start) + toward * slack / 4
    steepness = abs(1 + 2 * beyond * abs(beyond))
    star = abs(mpmath.log((1 - up) * (1 - down) / (up * down)))
    bounds = [(slack / 4) ** 2, slack / 4 / (0.5 + steepness), star / steepness]
    gap = min(bounds) * (1 + 2 * beyond * abs(beyond))
    bracket = up - down + mpmath.sqrt((up - down) ** 2 + 4 * up * down * mpmath.exp(gap))
    bias = min(bounds) / 2 + mpmath.log(bracket / (2 * down * mpmath.exp(gap)))
    return mpmath.sqrt(min(bounds)), beyond, bias


CASES = [
    # e <= D/4 binds, on both sides of p + q = 1 and of the line, and where w' > 0
    ("1/2", "4/5", 0.0, 0.75),
    ("1/2", "4/5", 0.0, 1.25),
    ("1/5", "3/10", -1.25, 0.75),
    ("1/2", "4/5", -0.875, 0.5),
    ("1/5", "3/10", 0.25, 0.5),
    ("1/5", "3/10", -0.0625, 0.25),
    # the slack is 1 at most
    ("1/2", "4/5", 0.0, 5.0),
    # the move of the bias binds
    ("1/5", "3/10", 3.0, 1.0),
    ("1/2", "4/5", -3.0, 0.75),
    # |s| <= |s*| binds
    ("49/100", "1/2", 3.0, 1.0),
    ("2/5", "61/100", -2.0, 0.75),
]


@pytest.mark.parametrize(("p", "q", "w", "radius"), CASES)
def test_the_witness_is_the_point_that_is_stated(p: str, q: str, w: float, radius: float) -> None:
    found = witness(Fraction(p), Fraction(q), w, radius)
    with mpmath.workdps(60):
        expected = stated(p, q, w, radius)
        # both are rounded at 60 digits or more
        for number, other in zip(found, expected, strict=True):
            assert abs(number - other) < mpmath.mpf(10) ** -57
        nearer = stated(p, q, w, 0.9 * radius)
        assert max(abs(x - y) for x, y in zip(found, nearer, strict=True)) > 1e-3 or radius == 5


def test_all_three_bounds_bind_somewhere() -> None:
    e_values = [float(witness(Fraction(p), Fraction(q), w, radius)[0]) for p, q, w, radius in CASES]
    least = [float(Fraction(escape_radius(Fraction(p), Fraction(q), w))) for p, q, w, _ in CASES]
    slack = [min(radius - own, 1) for (*_, radius), own in zip(CASES, least, strict=True)]
    at_most = [e == pytest.approx(D / 4, rel=1e-12) for e, D in zip(e_values, slack, strict=True)]
    assert at_most == [True] * 7 + [False] * 4


@pytest.mark.parametrize("w", [-1.3, -0.875])
@pytest.mark.parametrize("radius", [1e-40, 1e-60, 1e-300, 5e-324])
def test_a_witness_is_as_near_to_a_saddle_as_any_float_asks(w: float, radius: float) -> None:
    point = witness(0.5, 0.8, w, radius)
    with mpmath.workdps(1400):
        total, distance = exact_excess(point, w, (0.5, 0.8))
        assert total < 0
        assert 0 < distance < mpmath.mpf(radius)


@pytest.mark.parametrize("w", [0.0, -1.0])
def test_at_the_radius_itself_there_is_none(w: float) -> None:
    radius = escape_radius(0.5, 0.8, w)
    with pytest.raises(ValueError, match="is not above the escape radius"):
        witness(0.5, 0.8, w, radius)
    assert len(witness(0.5, 0.8, w, math.nextafter(radius, 1))) == 3


def test_the_distance_of_the_full_model_is_positive() -> None:
    assert full_model_distance().is_positive
    assert gain.is_positive
    assert positions_scale.is_positive
    assert tokens.is_integer
    # and does not go to 0 with the positions
    assert full_model_distance().subs(positions_scale, 0).is_positive
