"""How near a unigram point a lower loss lies, with a witness, against the closed forms."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from landscape.models import GPT, ReducedModel, SingleLayer
from landscape.models.initial import gaussian
from landscape.models.parameters import Coordinates
from landscape.objectives.exact import ExactLoss
from landscape.points.unigram import unigram_point
from landscape.sources import BinaryMarkov, Markov
from landscape.sublevel.ball_descent import BallDescent
from landscape.sublevel.escape import escape_radius
from landscape.sublevel.escape_on_ansatz import escape_along_ansatz
from landscape.sublevel.witness import EscapeRadius, enumerated_loss, witness
from tests.check_values import value
from tests.twins.single_layer import arrays, naive_loss

TOLERANCE = 1e-3  # of the bisection
# |E| is kept above 2^-8 or a quarter of the ball and descent ends short of the minimum in a ball:
# both widen the radius by some tolerances
ERROR = 5 * TOLERANCE
EXACT = 1e-14


def reduced(p: float, q: float, w: float) -> tuple[ReducedModel, ExactLoss, dict[str, Tensor]]:
    model, objective = ReducedModel(), ExactLoss(BinaryMarkov(p, q), 1)
    free = {"feedforward": torch.tensor(w, dtype=torch.float64)}
    return model, objective, unigram_point(model, objective, free=free).params


def single_layer(
    p: float, q: float, deviation: float = 0.0, length: int = 3, tying: str = "tied"
) -> tuple[SingleLayer, ExactLoss, dict[str, Tensor]]:
    model = SingleLayer(width=4, length=length, tying=tying)
    objective = ExactLoss(BinaryMarkov(p, q), length)
    free = gaussian(model, deviation, 1)
    return model, objective, unigram_point(model, objective, free=free).params


def naive_reduced_loss(params: dict[str, Tensor], p: float, q: float) -> float:
    e, w, b = (params[name].item() for name in ("embedding", "feedforward", "bias"))
    f = b - e**2 / 2
    g = f + e**2 * (1 + 2 * w * abs(w))
    losses = q * (np.logaddexp(0, f) - p * f) + p * (np.logaddexp(0, g) - (1 - q) * g)
    return float(losses / (p + q))


def entropy(one: float) -> float:
    return -one * math.log(one) - (1 - one) * math.log(1 - one)


CLOSED = [
    (0.5, 0.8, 0.5), (0.5, 0.8, -0.3), (0.5, 0.8, -0.70), (0.5, 0.8, -0.71), (0.5, 0.8, -2.0),
    (0.9, 0.9, 1.5), (0.6, 0.7, 0.0), (0.2, 0.3, -2.0), (0.2, 0.3, -0.71), (0.2, 0.3, 0.5),
    (0.1, 0.1, -1.0),
]  # fmt: skip


@pytest.mark.parametrize(("p", "q", "w"), CLOSED)
def test_the_reduced_escape_radius_is_the_closed_form(p: float, q: float, w: float) -> None:
    model, objective, point = reduced(p, q, w)
    found = escape_radius(model, objective, point, starts=8, steps=60)
    side = 1 if p + q > 1 else -1
    closed = max(0.0, side * (w + math.sqrt(0.5)))
    # a witness is never nearer than the infimum, and the descent finds one within the tolerance
    assert closed < found.radius < closed + ERROR
    if abs(w + math.sqrt(0.5)) > 0.2:
        # controls: the other sign, and the threshold of a relu that is open at both symbols
        assert abs(found.radius - max(0.0, -side * (w + math.sqrt(0.5)))) > 0.1
        assert closed == 0 or abs(found.radius - max(0.0, side * (w + 0.5))) > 0.1
    assert found.witness is not None
    fall = entropy(p / (p + q)) - naive_reduced_loss(found.witness.params, p, q)
    assert fall >= found.margin
    assert abs(fall - found.witness.decrease) < EXACT


def test_at_independence_there_is_no_lower_loss() -> None:
    model, objective, point = reduced(0.3, 0.7, 0.5)
    found = escape_radius(model, objective, point)
    assert (found.radius, found.witness, found.searched) == (math.inf, None, math.inf)
    assert found.balls.size == 0


def test_where_the_last_ball_is_too_small_the_radius_is_infinite_and_how_far_it_looked() -> None:
    model, objective, point = reduced(0.5, 0.8, 1.0)  # 1.707
    found = escape_radius(model, objective, point, first=0.4, largest=1.0, steps=30)
    assert (found.radius, found.witness, found.searched) == (math.inf, None, 0.8)
    assert found.balls.tolist() == [0.4, 0.8]
    assert found.lowest.min() > 0
    assert found.to_xarray().attrs["radius"] == math.inf


@pytest.mark.slow
def test_from_no_weights_the_full_model_escapes_within_the_pilots_radius() -> None:
    p, q, length = 0.5, 0.8, 4
    model, objective, point = single_layer(p, q, length=length)
    found = escape_radius(model, objective, point, first=0.5, tolerance=2 * TOLERANCE)
    assert found.radius <= value("escape_radius_found")
    # W_1 W_2 = -1 at |W_1| = |W_2| = 1: the closed bound sqrt(2), which is an infimum
    assert abs(found.radius - math.sqrt(2)) < ERROR
    assert found.searched < found.radius <= found.searched + 2 * TOLERANCE
    assert found.witness is not None
    weights = arrays(found.witness.params)
    loss = naive_loss(weights, p, q, length)
    assert abs(loss - found.witness.loss) < EXACT
    assert entropy(p / (p + q)) - loss >= found.margin
    moved = [((weights[name] - point[name].numpy()) ** 2).sum() for name in weights]
    assert abs(math.sqrt(sum(moved)) - found.radius) < 1e-14
    # control: the same point, a tenth nearer, is no witness
    axes = Coordinates.of(point)
    nearer = axes.params(0.9 * axes.vector(found.witness.params) + 0.1 * axes.vector(point))
    assert naive_loss(arrays(nearer), p, q, length) > loss
    origin = unigram_point(model, objective, free=point)
    assert witness(model, objective, origin, nearer, found.margin) is None
    assert witness(model, objective, origin, found.witness.params, found.margin) is not None


@pytest.mark.parametrize(("p", "q"), [(0.5, 0.8), (0.9, 0.9)])
def test_along_the_ansatz_the_distance_is_2(p: float, q: float) -> None:
    model, objective, point = single_layer(p, q)
    found = escape_along_ansatz(model, objective, point)
    # an infimum: beyond it by margin/c(p+q-1) = e^2 delta at best e, some 1e-5
    assert 0 < found.radius - value("escape_radius_along_ansatz") < 2e-5
    assert found.witness is not None
    weights = arrays(found.witness.params)
    assert entropy(p / (p + q)) - naive_loss(weights, p, q, 3) >= found.margin
    # control: less w at the same e, and the loss is not lower
    short = {**weights, "hidden_out": 0.999 * weights["hidden_out"]}
    assert naive_loss(short, p, q, 3) > entropy(p / (p + q))
    # the full model has nearer ones off the ansatz
    assert found.radius > value("escape_radius_found")


@pytest.mark.parametrize(("p", "q", "w"), [(0.5, 0.8, 0.5), (0.2, 0.3, -2.0), (0.2, 0.3, 0.5)])
def test_along_the_ansatz_the_reduced_model_is_met_in_closed_form(
    p: float, q: float, w: float
) -> None:
    model, objective, point = reduced(p, q, w)
    found = escape_along_ansatz(model, objective, point)
    closed = max(0.0, (1 if p + q > 1 else -1) * (w + math.sqrt(0.5)))
    assert 0 < found.radius - closed < 5e-4


def naive_distance(point: dict[str, Tensor], e: float, w: float, b: float) -> float:
    """From a point to the ansatz with that (e, w, b), entry by entry: W_Q, W_K, W_O stay."""
    signs = np.array([1.0, -1.0, 1.0, -1.0]) / 2
    r = len(point["hidden_in"])
    one = np.ones(r)
    there = {
        "embedding": e * signs,
        "positions": np.tile(-e / 2 * signs, (len(point["positions"]), 1)),
        "value": np.zeros((4, 4)),
        "hidden_in": 2 * abs(w) / math.sqrt(r) * np.outer(one, signs),
        "hidden_out": 2 * w / math.sqrt(r) * np.outer(signs, one),
        "bias": np.array(b),
    }
    return math.sqrt(sum(((there[n] - point[n].numpy()) ** 2).sum() for n in there))


@pytest.mark.parametrize(("p", "q"), [(0.5, 0.8), (0.2, 0.3)])
def test_along_the_ansatz_no_point_of_a_grid_is_nearer(p: float, q: float) -> None:
    model, objective, point = single_layer(p, q, deviation=0.2)
    found = escape_along_ansatz(model, objective, point)
    assert found.witness is not None
    star = math.log((1 - p) * (1 - q) / (p * q))
    nearest = math.inf
    for e in np.geomspace(1e-3, 2, 60):
        for w in np.linspace(-3, 3, 241):
            s = e**2 * (1 + 2 * w * abs(w))
            if not 0 < s / star <= 1:  # between the unigram and the bigram
                continue
            root = (p - q + math.sqrt((p - q) ** 2 + 4 * p * q * math.exp(s))) / 2
            b = e**2 / 2 + math.log(root / q) - s
            nearest = min(nearest, naive_distance(point, e, w, b))
    # the grid's spacing, 0.025 in w, costs it at most its part of |W_1| and |W_2|
    assert found.radius <= nearest + 1e-9
    assert nearest - found.radius < 0.05


def test_random_weights_can_be_nearer_to_escape_than_none() -> None:
    model, objective, point = single_layer(0.5, 0.8, deviation=0.3)
    found = escape_radius(model, objective, point, tolerance=1e-2, steps=60)
    assert found.witness is not None
    weights = arrays(found.witness.params)
    assert entropy(5 / 13) - naive_loss(weights, 0.5, 0.8, 3) >= found.margin
    assert found.radius < 1


@pytest.mark.parametrize(
    ("p", "q", "tying"), [(0.2, 0.3, "tied"), (0.5, 0.8, "untied"), (0.2, 0.3, "untied")]
)
def test_at_a_saddle_the_radius_is_0_to_the_tolerance(p: float, q: float, tying: str) -> None:
    model, objective, point = single_layer(p, q, tying=tying)
    found = escape_radius(model, objective, point)
    assert found.searched == 0.0
    assert found.radius <= TOLERANCE


def test_any_readable_model_is_searched() -> None:
    model = GPT(states=3, width=2, length=2, layers=1, heads=1, layer_norm=False)
    kernel = np.array([[0.6, 0.3, 0.1], [0.1, 0.6, 0.3], [0.3, 0.1, 0.6]])
    objective = ExactLoss(Markov(kernel), 2)
    point = unigram_point(model, objective)  # symbols persist: a saddle
    found = escape_radius(model, objective, point)
    assert (found.searched, found.radius <= TOLERANCE) == (0.0, True)


def test_the_second_evaluation_is_the_enumerated_loss() -> None:
    model, objective, _ = single_layer(0.5, 0.8)
    params = gaussian(model, 1.0, 3)
    naive = naive_loss(arrays(params), 0.5, 0.8, 3)
    assert abs(enumerated_loss(model, objective, params) - naive) < EXACT


def test_a_point_in_the_ball_stays_and_one_outside_comes_to_its_surface() -> None:
    model, objective, point = single_layer(0.5, 0.8)
    origin = unigram_point(model, objective, free=point)
    descent = BallDescent(model, objective, origin, starts=2, steps=1, seed=0)
    rows = torch.from_numpy(np.random.default_rng(0).normal(size=(5, descent.axes.size)))
    rows *= torch.tensor([[1e-2], [1.0], [1.0], [1e3], [1.0]]) / rows.norm(dim=1, keepdim=True)
    rows[2, :4] = 0.0
    rows[2, 0] = 1e-9
    inside = descent.project(rows, 1.0).numpy()
    assert np.linalg.norm(inside, axis=1).max() <= 1 + 1e-14
    assert np.linalg.norm(inside[:, :4], axis=1).min() >= 2.0**-8 * (1 - 1e-15)
    assert inside[1] == pytest.approx(rows[1].numpy(), abs=1e-14)
    unit = rows[3, :4].numpy() / np.linalg.norm(rows[3, :4])
    assert inside[3, :4] == pytest.approx(unit, abs=1e-14)


def test_a_record_tells_of_its_balls_and_its_witness() -> None:
    model, objective, point = reduced(0.5, 0.8, -0.5)
    found = escape_radius(model, objective, point, starts=8, steps=40)
    record = found.to_xarray()
    assert record["lower"].values.tolist() == found.lower.tolist()
    inside = found.balls[found.lower]
    outside = found.balls[~found.lower]
    assert outside.max() == found.searched == record.attrs["searched"]
    assert found.searched < found.radius <= inside.min() + 1e-15
    assert (found.lowest[found.lower] < 0).all()
    assert record["witness"].values[1] < -math.sqrt(0.5)
    bare = dataclasses.replace(found, witness=None).to_xarray()
    assert "witness" not in bare


def test_the_same_seed_finds_the_same_witness() -> None:
    model, objective, point = reduced(0.5, 0.8, 0.0)

    def run(seed: int) -> EscapeRadius:
        return escape_radius(model, objective, point, starts=4, steps=20, seed=seed, tolerance=0.1)

    first, second, other = run(1), run(1), run(2)
    assert first.lowest.tolist() == second.lowest.tolist()
    assert first.lowest.tolist() != other.lowest.tolist()


def test_bad_requests_are_refused() -> None:
    model, objective, point = single_layer(0.5, 0.8)
    for name in ("first", "largest", "tolerance", "margin"):
        with pytest.raises(ValueError, match=rf"{name}=0\.0 is out of range"):
            escape_radius(model, objective, point, **{name: 0.0})  # type: ignore[arg-type]  # a float, all four
    with pytest.raises(ValueError, match="starts=0 is out of range"):
        escape_radius(model, objective, point, starts=0)
    with pytest.raises(ValueError, match="steps=-1 is out of range"):
        escape_radius(model, objective, point, steps=-1)
    with pytest.raises(ValueError, match=r"its bias is off by 0\.1"):
        escape_radius(model, objective, {**point, "bias": point["bias"] + 0.1})
    with pytest.raises(ValueError, match="start has query with entries that are not finite"):
        escape_radius(model, objective, {**point, "query": point["query"] * torch.nan})
    close = ExactLoss(BinaryMarkov("0.5", "0.500001"), 3)
    start = unigram_point(model, close)
    for measure in (escape_radius, escape_along_ansatz):
        with pytest.raises(ValueError, match="margin=1e-12 hides the gap"):
            measure(model, close, start)
    with pytest.raises(ValueError, match="no bigram on the ansatz other than the unigram"):
        escape_along_ansatz(model, ExactLoss(BinaryMarkov("0.5", "0.5"), 3), point)
    with pytest.raises(ValueError, match=r"margin=-1\.0 is out of range"):
        escape_along_ansatz(model, objective, point, margin=-1.0)


@pytest.mark.slow
@pytest.mark.parametrize(("p", "q"), [(0.5, 0.8), (0.9, 0.9)])
@pytest.mark.parametrize("length", [1, 4])
def test_finer_search_closes_in_on_sqrt_2_and_finds_nothing_nearer(
    length: int, p: float, q: float
) -> None:
    model, objective, point = single_layer(p, q, length=length)
    found = escape_radius(
        model, objective, point, first=1.3, tolerance=2e-5, starts=32, steps=300, seed=7
    )
    # sqrt(2) is the infimum over what is known; below it there would be something new
    assert 0 < found.radius - math.sqrt(2) < 3e-4
