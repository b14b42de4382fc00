"""Critical points: constructed ones are exact, refined ones get there, and nothing else moves."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from landscape.models import GPT, ReducedModel, SingleLayer
from landscape.models.initial import gaussian
from landscape.models.parameters import Coordinates
from landscape.objectives.exact import ExactLoss
from landscape.points.bigram import bigram_coordinates, bigram_point
from landscape.points.critical_point import CriticalPoint
from landscape.points.refinement import refine
from landscape.points.unigram import unigram_point
from landscape.sources import BinaryMarkov, Markov
from landscape.spectra.operators import gradient
from landscape.training.loop import train
from tests.planted.readers import Lookup
from tests.twins.single_layer import arrays, naive_gradient, naive_loss
from theory.spectra.reduced import ansatz_bigram

EXACT = 1e-14  # the bound on losses near 1 and on gradient norms


def entropy(p: float) -> float:
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


def unigram_entropy(p: float, q: float) -> float:
    return entropy(p / (p + q))


def entropy_rate(p: float, q: float) -> float:
    return (q * entropy(p) + p * entropy(q)) / (p + q)


def naive(params: Mapping[str, Tensor], p: float, q: float, length: int) -> tuple[float, float]:
    """Loss and gradient norm from every sequence, by imaginary steps."""
    slope = naive_gradient(arrays(params), p, q, length)
    return float(naive_loss(arrays(params), p, q, length)), float(np.linalg.norm(slope))


@pytest.mark.parametrize("seed", range(12))
def test_the_unigram_point_is_critical_at_every_chain_and_weights(seed: int) -> None:
    p, q = np.random.default_rng(seed).uniform(0.02, 0.98, 2)
    tying = "untied" if seed % 2 else "tied"
    model = SingleLayer(width=1 + seed % 4, hidden=3, length=1 + seed % 3, tying=tying)
    objective = ExactLoss(BinaryMarkov(p, q), model.length)
    free = gaussian(model, 0.5, seed)
    point = unigram_point(model, objective, free=free)
    loss, slope = naive(point.params, p, q, model.length)
    for measured in (point.loss, loss):
        assert abs(measured - unigram_entropy(p, q)) < EXACT
    assert max(point.gradient_norm, slope) < EXACT
    zeroed = {"embedding", "readout", "bias"}
    assert all(torch.equal(point.params[n], free[n]) for n in free if n not in zeroed)
    # control: a bias that is off by 1e-6 is seen in both channels
    off = {**point.params, "bias": point.params["bias"] + 1e-6}
    assert naive(off, p, q, model.length)[1] > EXACT
    assert gradient(model, objective, off)[0].norm() > EXACT


@pytest.mark.parametrize("seed", range(10))
def test_the_unigram_point_of_the_reduced_model_is_critical_at_every_w(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, q = rng.uniform(0.02, 0.98, 2)
    model, objective = ReducedModel(), ExactLoss(BinaryMarkov(p, q), 2)
    free = {"feedforward": torch.tensor(rng.normal())}
    point = unigram_point(model, objective, free=free)
    assert point.params["embedding"].item() == 0.0
    assert point.params["feedforward"].item() == free["feedforward"].item()
    assert abs(point.params["bias"].item() - math.log(p / q)) < 1e-15 * 8  # ln(p/q) below 4
    assert abs(point.loss - unigram_entropy(p, q)) < EXACT
    assert point.gradient_norm < EXACT


BIGRAM = [
    (p, q, w)
    for p, q, ws in [
        (0.2, 0.3, (None, 0.0, 1.5, -0.3, -0.6)),
        (0.05, 0.6, (None, 0.4)),
        (0.5, 0.8, (None, -0.8, -2.5)),
        (0.9, 0.95, (None, -1.0)),
    ]
    for w in ws
]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("p", "q", "w"), BIGRAM)
def test_the_bigram_point_is_the_global_minimum_at_every_allowed_w(
    p: float, q: float, w: float | None, sign: int
) -> None:
    for tying, width in (("tied", 3), ("untied", 2)):
        model = SingleLayer(width=width, hidden=4, length=2, tying=tying)
        objective = ExactLoss(BinaryMarkov(p, q), 2)
        free = gaussian(model, 0.5, 1)
        point = bigram_point(model, objective, w=w, sign=sign, free=free)
        loss, slope = naive(point.params, p, q, 2)
        for measured in (point.loss, loss):
            assert abs(measured - entropy_rate(p, q)) < EXACT
        assert max(point.gradient_norm, slope) < EXACT
        assert all(torch.equal(point.params[name], free[name]) for name in ("query", "key"))
        off = {**point.params, "bias": point.params["bias"] + 1e-6}  # control
        assert naive(off, p, q, 2)[1] > EXACT


@pytest.mark.parametrize("width", range(1, 9))
def test_the_bigram_point_exists_at_every_width(width: int) -> None:
    for p, q in ((0.2, 0.3), (0.5, 0.8)):
        model = SingleLayer(width=width, length=3)
        objective = ExactLoss(BinaryMarkov(p, q), 3)
        point = bigram_point(model, objective, free=gaussian(model, 0.5, width))
        assert abs(point.loss - entropy_rate(p, q)) < EXACT
        assert point.gradient_norm < EXACT


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("p", "q", "w"), BIGRAM)
def test_bigram_coordinates_are_those_of_the_symbolic_set(
    p: float, q: float, w: float | None, sign: int
) -> None:
    found = bigram_coordinates(BinaryMarkov(p, q), w, sign)
    e, w_exact, b = ansatz_bigram(p, q, found["w"], sign)  # 50 digits, rounded once
    assert found["w"] == w_exact == (w if w is not None else -1.2 if p + q > 1 else 0.0)
    # six roundings of half an eps; b is a difference of terms no larger than e^2/2 + |ln|
    assert abs(found["e"] - e) <= 1e-15 * abs(e)
    assert abs(found["b"] - b) <= 1e-15 * (e**2 / 2 + abs(math.log(p / (1 - p))))
    mirrored = ansatz_bigram(p, q, found["w"], -sign)  # control: the other branch
    assert abs(found["e"] - mirrored[0]) > 1e-3
    assert abs(found["b"] - mirrored[2]) > 1e-3 or w in (None, 0.0)


def test_the_bigram_point_of_the_reduced_model_has_both_signs_of_e() -> None:
    model, objective = ReducedModel(), ExactLoss(BinaryMarkov(0.2, 0.3), 2)
    plus, minus = (bigram_point(model, objective, w=0.4, sign=sign) for sign in (1, -1))
    assert plus.params["embedding"] == -minus.params["embedding"]
    assert plus.params["bias"] == minus.params["bias"]
    for point in (plus, minus):
        assert abs(point.loss - entropy_rate(0.2, 0.3)) < EXACT
        assert point.gradient_norm < EXACT


@pytest.mark.parametrize(
    ("p", "q", "side", "ws"),
    [
        (0.2, 0.3, r"p\+q<1 needs w > -1/sqrt\(2\).*try w=0\.0", (-0.71, -1.2, math.nan, math.inf)),
        (0.5, 0.8, r"p\+q>1 needs w < -1/sqrt\(2\).*try w=-1\.2", (-0.7, 0.0, 2.0, -math.inf)),
    ],
)
def test_a_w_without_a_bigram_point_is_refused(
    p: float, q: float, side: str, ws: tuple[float, ...]
) -> None:
    for w in ws:
        with pytest.raises(ValueError, match=rf"w={w} has no bigram point at p={p}, q={q}: {side}"):
            bigram_coordinates(BinaryMarkov(p, q), w, 1)


def test_at_the_border_of_the_allowed_w_either_side_is_told_apart() -> None:
    assert bigram_coordinates(BinaryMarkov(0.2, 0.3), -0.7071, 1)["e"] > 100
    assert bigram_coordinates(BinaryMarkov(0.5, 0.8), -0.7072, 1)["e"] > 50


@pytest.mark.parametrize("w", [None, 0.0, -1.2, 3.0])
def test_at_p_plus_q_one_the_bigram_point_is_the_unigram_point_at_any_w(w: float | None) -> None:
    found = bigram_coordinates(BinaryMarkov("0.3", "0.7"), w, 1)
    assert found["e"] == 0.0
    assert abs(found["b"] - math.log(3 / 7)) < 1e-15


def test_a_sign_that_is_no_sign_is_refused() -> None:
    with pytest.raises(ValueError, match=r"sign=0 is out of range; give 1 .* or -1"):
        bigram_coordinates(BinaryMarkov(0.2, 0.3), None, 0)


def test_a_model_that_names_no_embedding_has_no_unigram_point() -> None:
    words = "model=Lookup does not say which .* implement landscape.models.Readable"
    with pytest.raises(ValueError, match=words):
        unigram_point(Lookup(), ExactLoss(BinaryMarkov(0.2, 0.3), 2))


def test_a_coordinate_of_the_ansatz_is_refused_for_a_model_without_one() -> None:
    loss = ExactLoss(BinaryMarkov(0.2, 0.3), 2)
    for given in ({"w": 0.5}, {"sign": -1}):
        with pytest.raises(ValueError, match="Lookup has no closed form for; leave them out"):
            bigram_point(Lookup(), loss, **given)


def test_the_bigram_point_of_another_model_is_trained_until_its_loss_is_the_least() -> None:
    chain = BinaryMarkov(0.2, 0.3)
    point = bigram_point(Lookup(), ExactLoss(chain, 2))
    assert point.kind == "bigram"
    # a lookup table can hold the kernel, and its loss is convex: the independent channel is H_b
    assert 0 <= point.loss - chain.entropy_rate + 1e-15 < 1e-12
    odds = torch.from_numpy(chain.kernel).log().diff(dim=1)
    assert torch.allclose(point.params["table"].diff(dim=1), odds, rtol=0, atol=1e-6)


class Constant(Lookup):
    """One answer whatever the context: it can hold the unigram, and not the bigram."""

    def forward(self, tokens: Tensor) -> Tensor:
        return self.table[torch.zeros_like(tokens)]


def test_training_that_ends_above_the_least_loss_is_an_error_that_says_by_how_much() -> None:
    chain = BinaryMarkov(0.2, 0.3)
    gap = f"{chain.unigram_entropy - chain.entropy_rate:.2g}"
    words = f"no bigram point of Constant was found.* {gap} nat above the least loss 0.544587"
    with pytest.raises(ValueError, match=words):
        bigram_point(Constant(), ExactLoss(chain, 2))


class Foreign:
    """The chain (.2, .3) as a source that does not tell p and q, unless it is to."""

    def __init__(self, *told: str) -> None:
        self.chain, self.told = BinaryMarkov(0.2, 0.3), told

    def __getattr__(self, name: str) -> Any:
        if name in ("p", "q") and name not in self.told:
            raise AttributeError(name)
        return getattr(self.chain, name)


def test_a_source_without_a_closed_form_bigram_is_refused() -> None:
    model = SingleLayer(width=2, length=2)
    for source in (Foreign(), Foreign("p")):
        with pytest.raises(ValueError, match=r"source=Foreign has no closed-form point here"):
            bigram_point(model, ExactLoss(source, 2))
    told, own = Foreign("p", "q"), BinaryMarkov(0.2, 0.3)  # control: it is the names that count
    one, other = (bigram_point(model, ExactLoss(each, 2)).loss for each in (told, own))
    assert one == other


def test_the_unigram_point_asks_a_source_for_nothing_but_its_stationary_law() -> None:
    model = SingleLayer(width=2, length=2)
    foreign = unigram_point(model, ExactLoss(Foreign(), 2))
    assert abs(foreign.params["bias"].item() - math.log(0.2 / 0.3)) < 1e-15
    assert foreign.gradient_norm < 1e-15


KERNEL = np.array([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3], [0.15, 0.05, 0.8]])
"""A chain that is not reversible."""


@pytest.mark.parametrize("tying", ["tied", "untied"])
def test_the_unigram_point_of_three_symbols_is_critical_with_the_stationary_law(tying: str) -> None:
    source = Markov(KERNEL)
    model = GPT(states=3, width=4, length=3, tying=tying, layers=2, heads=2)
    point = unigram_point(model, ExactLoss(source, 3), free=gaussian(model, 0.5, 3))
    power = np.linalg.matrix_power(KERNEL, 200)[0]  # its rows all become pi
    # eight squarings, each of whose rows sums to 1 to a few eps
    assert np.allclose(torch.softmax(point.params["bias"], 0).numpy(), power, rtol=0, atol=1e-14)
    assert abs(point.loss + float(power @ np.log(power))) < 1e-14
    assert point.gradient_norm < 1e-14  # round-off of a mean of terms of order 1
    moved = {**point.params, "bias": torch.zeros_like(point.params["bias"])}
    slope, _ = gradient(model, ExactLoss(source, 3), moved)
    assert slope.norm() > 0.1  # the control: another bias is not critical


def test_away_from_stationarity_there_is_no_unigram_point_and_it_is_refused() -> None:
    started = Markov(KERNEL, start=[1.0, 0.0, 0.0])
    model = GPT(states=3, width=4, length=3)
    with pytest.raises(ValueError, match="source=Markov does not start at stationarity"):
        unigram_point(model, ExactLoss(started, 3))
    # and rightly so: at that point the gradient of this source's loss is not 0
    point = unigram_point(model, ExactLoss(Markov(KERNEL), 3), free=gaussian(model, 0.5, 3))
    slope, _ = gradient(model, ExactLoss(started, 3), point.params)
    assert slope.norm() > 1e-2


def test_a_name_of_no_parameter_is_refused() -> None:
    class Misnamed(GPT):
        bias_name = "offset"

    words = "model=Misnamed names 'offset' as its embedding, readout or bias, but has no such para"
    with pytest.raises(ValueError, match=words):
        unigram_point(Misnamed(width=2, length=2), ExactLoss(BinaryMarkov(0.2, 0.3), 2))


def test_a_bias_of_another_shape_than_the_alphabet_is_refused() -> None:
    with pytest.raises(ValueError, match=r"output bias has shape \(2,\).* 3 symbols needs \[3\]"):
        unigram_point(GPT(states=2, width=2, length=2), ExactLoss(Markov(KERNEL), 2))


@pytest.mark.parametrize("kind", ["unigram", "bigram"])
@pytest.mark.parametrize("tying", ["tied", "untied"])
@pytest.mark.parametrize(("p", "q"), [(0.2, 0.3), (0.5, 0.8)])
def test_refine_returns_to_the_point_it_was_pushed_from(
    p: float, q: float, tying: str, kind: str
) -> None:
    model = SingleLayer(width=2, hidden=3, length=2, tying=tying)
    objective = ExactLoss(BinaryMarkov(p, q), 2)
    build = unigram_point if kind == "unigram" else bigram_point
    point = build(model, objective, free=gaussian(model, 0.5, 1))
    axes = Coordinates.of(point.params)
    push = torch.from_numpy(np.random.default_rng(2).normal(size=axes.size))
    start = axes.vector(point.params) + 1e-2 * push / push.norm()
    params = axes.params(start)
    pushed = gradient(model, objective, params)[0].norm()
    refined = refine(model, objective, params)
    assert pushed > 1e-6  # control: the push left the critical set
    loss, slope = naive(refined.params, p, q, 2)
    assert max(refined.gradient_norm, slope) < 1e-12
    expected = unigram_entropy(p, q) if kind == "unigram" else entropy_rate(p, q)
    for measured in (refined.loss, loss):
        assert abs(measured - expected) < EXACT
    moved = (axes.vector(refined.params) - start).norm().item()
    assert refined.moved == pytest.approx(moved, rel=1e-12)
    assert 0 < refined.moved < 0.1
    assert refined.kind == "trained"


@pytest.mark.parametrize("seed", range(6))
def test_refine_never_raises_the_gradient_norm(seed: int) -> None:
    model = SingleLayer(width=2, hidden=3, length=2)
    objective = ExactLoss(BinaryMarkov(0.5, 0.8), 2)
    start = gaussian(model, 1.5, seed)  # far from any critical point
    norms = [gradient(model, objective, start)[0].norm().item()]
    norms += [refine(model, objective, start, steps=k).gradient_norm for k in (0, 1, 2, 4, 8)]
    assert norms[0] == norms[1]
    assert norms == sorted(norms, reverse=True)
    assert norms[-1] < norms[0]


def test_refine_stops_at_once_where_the_gradient_vanishes_and_after_its_steps() -> None:
    model = SingleLayer(width=2, hidden=3, length=2)
    objective = ExactLoss(BinaryMarkov(0.5, 0.8), 2)
    there = refine(model, objective, unigram_point(model, objective).params)
    assert (there.steps, there.moved) == (0, 0.0)
    far = refine(model, objective, gaussian(model, 1.5, 0), steps=2)
    assert far.steps == 2
    assert far.gradient_norm > 1e-12  # control: two steps do not reach the point


@pytest.mark.parametrize(
    ("tying", "p", "q", "expected"),
    [
        ("tied", 0.2, 0.3, entropy_rate),
        ("tied", 0.5, 0.8, unigram_entropy),
        ("untied", 0.5, 0.8, entropy_rate),
    ],
)
def test_refine_takes_a_trained_end_point_to_a_critical_point(
    tying: str, p: float, q: float, expected: Callable[[float, float], float]
) -> None:
    model = SingleLayer(width=3, hidden=6, length=4, tying=tying)
    objective = ExactLoss(BinaryMarkov(p, q), 4)
    end = train(model, objective, steps=300, seeds=[0], lr=1e-2).end(0)
    trained = gradient(model, objective, end)[0].norm().item()
    refined = refine(model, objective, end)
    loss, slope = naive(refined.params, p, q, 4)
    assert trained > 1e-6  # control: training alone does not get there
    assert max(refined.gradient_norm, slope) < 1e-10
    # at a gradient of 1e-10 the loss is flat to 1e-10 times a distance below 1
    assert abs(loss - expected(p, q)) < 1e-10
    assert refined.loss <= gradient(model, objective, end)[1]


def test_refine_keeps_the_best_point_where_the_loss_is_flatter_than_quadratic() -> None:
    # next to a bigram point the steps lower the loss, and ||g|| rises now and then on the way
    model = SingleLayer(width=3, hidden=6, length=4)
    objective = ExactLoss(BinaryMarkov(0.2, 0.3), 4)
    end = train(model, objective, steps=300, seeds=[0], lr=1e-2).end(0)
    points = [refine(model, objective, end, steps=k) for k in range(12)]
    norms = [point.gradient_norm for point in points]
    assert norms == sorted(norms, reverse=True)
    assert len(set(norms)) < len(norms)  # control: some of the steps did raise ||g||
    for point in points[::4]:
        slope, loss = gradient(model, objective, point.params)
        assert (slope.norm().item(), loss) == (point.gradient_norm, point.loss)


def test_a_point_becomes_a_dataset_with_its_coordinates() -> None:
    model = SingleLayer(width=2, length=2)
    point = bigram_point(model, ExactLoss(BinaryMarkov(0.2, 0.3), 2), w=0.4)
    dataset = point.to_xarray()
    assert point.coordinates is not None
    assert dataset.attrs == {"kind": "bigram", **point.coordinates}
    assert dataset["loss"].item() == point.loss
    assert dataset["gradient_norm"].item() == point.gradient_norm
    bare = CriticalPoint("trained", {}, 0.5, 0.1, moved=2.0).to_xarray()
    assert bare.attrs == {"kind": "trained"}
    assert bare["moved"].item() == 2.0
