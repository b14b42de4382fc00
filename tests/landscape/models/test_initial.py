"""Where runs start: rank-one weights with fair signs, and the ansatz inside the bigram's basin."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import binom
from torch import Tensor

from landscape.config.build import initial_of, model_of, objective_of, recipe_of
from landscape.config.cell import CellConfig
from landscape.config.scan import ScanConfig
from landscape.errors import ConfigError
from landscape.models import GPT, ReducedModel, SingleLayer
from landscape.models.ansatz import ansatz, basin
from landscape.models.initial import gaussian, low_rank, standard
from landscape.models.parameters import call
from landscape.scanning.scan import scan
from landscape.training.loop import train_together
from tests.twins.gpt import Recipe, gpt_logits, strings
from tests.twins.single_layer import naive_logits

Model = SingleLayer | GPT
SIGMA = 0.02

# widths, lengths, symbols and hidden sizes that differ, so that axes cannot be mistaken
DEEP: dict[str, Any] = {
    "states": 3, "width": 6, "length": 5, "layers": 2, "heads": 2, "hidden": 7,
    "positions": "learned", "tying": "untied",
}  # fmt: skip
BUILT: dict[str, Callable[[], Model]] = {
    "single layer": lambda: SingleLayer(width=4, length=6),
    "untied single layer": lambda: SingleLayer(width=5, length=3, hidden=7, tying="untied"),
    "gpt": lambda: GPT(width=4, length=6),
    "deep gpt": lambda: GPT(**DEEP),
    "relative gpt": lambda: GPT(width=6, length=4, heads=3, positions="relative", layers=3),
    "bare gpt": lambda: GPT(width=4, length=3, layer_norm=False, biases=False, feedforward=False),
}
CHAIN = {"p": "0.5", "q": "0.8"}
every_model = pytest.mark.parametrize("name", BUILT)


def cell_of(**tables: Any) -> CellConfig:
    (cell,) = ScanConfig(**{"source": CHAIN, **tables}).cells()
    return cell


def numpy_of(params: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy() for name, value in params.items()}


def last(name: str) -> str:
    return name.rpartition(".")[2]


def shifts(name: str) -> bool:
    return last(name).endswith(("bias", "shift"))


def deviation(name: str, layers: int) -> float:
    """sigma, over sqrt(2L) for what is added to the residual stream."""
    return SIGMA / math.sqrt(2 * layers) if last(name) in ("output", "hidden_out") else SIGMA


# --- low-rank -----------------------------------------------------------------------------------


@every_model
def test_low_rank_entries_are_plus_or_minus_sigma_and_their_matrices_of_rank_one(name: str) -> None:
    model = BUILT[name]()
    layers = getattr(model, "layers", 1)
    params = numpy_of(low_rank(model, 3))
    shapes = {k: tuple(v.shape) for k, v in model.named_parameters()}
    assert {k: v.shape for k, v in params.items()} == shapes
    matrices = 0
    for key, value in params.items():
        if last(key) == "gain":
            assert (value == 1).all()
        elif shifts(key):
            assert (value == 0).all()
        else:
            # 0.02 is rounded once, and divided once
            assert np.abs(np.abs(value) - deviation(key, layers)).max() < 1e-17
        if value.ndim == 2:
            matrices += 1
            # sigma s t^T exactly: the first row and column say all the signs
            signs = np.sign(value)
            assert np.array_equal(signs, signs[0, 0] * signs[:, :1] * signs[:1])
            assert np.linalg.matrix_rank(value) == 1
    assert matrices >= 5
    normal = numpy_of(standard(model, 3))
    full = [v for v in normal.values() if v.ndim == 2 and min(v.shape) > 1]
    ranks = [np.linalg.matrix_rank(v) for v in full]
    assert min(ranks) > 1  # control


@every_model
def test_every_axis_as_long_as_the_width_has_the_same_signs(name: str) -> None:
    model = BUILT[name]()
    params, d = numpy_of(low_rank(model, 3)), model.width
    alpha = np.sign(params["embedding"].reshape(-1, d)[0])
    agreeing = 0
    for key, value in params.items():
        if last(key) == "gain" or shifts(key):
            continue
        for axis, size in enumerate(value.shape):
            if size != d:
                continue
            rows = np.sign(np.moveaxis(value, axis, -1).reshape(-1, d))
            assert (np.abs(rows @ alpha) == d).all()
            agreeing += 1
    assert agreeing >= 5
    others = [low_rank(model, seed)["embedding"].numpy().reshape(-1, d)[0] for seed in range(20)]
    # control: alpha is another one for other seeds
    assert any(abs(np.sign(other) @ alpha) < d for other in others)


@pytest.mark.parametrize("name", ["single layer", "deep gpt"])
def test_signs_are_fair_and_independent_over_seeds(name: str) -> None:
    model, seeds = BUILT[name](), 400
    draws = [numpy_of(low_rank(model, seed)) for seed in range(seeds)]
    key = "hidden_in" if name == "single layer" else "blocks.1.hidden_in"
    weights = np.sign(np.stack([draw[key] for draw in draws]))
    units, alpha = weights[:, :, 0], weights[:, 0, :]
    # a count of fair signs leaves these bounds once in a million
    low, high = binom.ppf([5e-7, 1 - 5e-7], seeds, 0.5)
    assert low > 0.35 * seeds
    for column in [*units.T, *alpha.T]:
        assert low <= (column > 0).sum() <= high
    for first in range(3):  # two different ones agree as often as not
        agree = (units[:, first] == units[:, first + 1]).sum()
        assert low <= agree <= high
        assert low <= (alpha[:, first] / alpha[:, 0] == units[:, first] / units[:, 1]).sum() <= high
    # control: signs that agree always, those of one row, leave the bounds
    one_row = weights[:, 0, 0] * weights[:, 1, 0] * weights[:, 0, 1] * weights[:, 1, 1]
    assert not low <= (one_row > 0).sum() <= high


@every_model
def test_low_rank_follows_from_its_seed_and_nothing_else(name: str) -> None:
    model = BUILT[name]()
    before = torch.get_rng_state()
    first, same = low_rank(model, 5), low_rank(model, 5)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[key], same[key]) for key in first)
    others = [low_rank(model, seed) for seed in range(6, 12)]
    assert any(not torch.equal(first[key], other[key]) for other in others for key in first)


# --- basin --------------------------------------------------------------------------------------

PLAIN: dict[str, Any] = {
    "width": 4, "length": 4, "layer_norm": False, "activation": "relu", "biases": False,
}  # fmt: skip


def plain(**changes: Any) -> GPT:
    """A GPT that holds the ansatz: relu, no LayerNorm."""
    return GPT(**{**PLAIN, **changes})


SINGLE: dict[str, dict[str, Any]] = {
    "single layer": {"width": 4, "length": 4},
    "odd single layer": {"width": 3, "length": 4, "hidden": 5},
    "untied single layer": {"width": 4, "length": 4, "tying": "untied"},
}
RECIPES: dict[str, dict[str, Any]] = {
    "gpt": {},
    "untied gpt": {"tying": "untied", "biases": True},
    "gpt without attention": {"attention": False},
    "deep gpt": {"layers": 2, "heads": 2},
    "relative gpt": {"positions": "relative", "window": 2},
}
HOLDERS = [*SINGLE, *RECIPES]


def holder(name: str) -> Model:
    return SingleLayer(**SINGLE[name]) if name in SINGLE else plain(**RECIPES[name])


def twin_logit(name: str, params: dict[str, Tensor], tokens: np.ndarray) -> np.ndarray:
    """The logit of 1 over 0 at every position, by loops in plain numpy."""
    weights = numpy_of(params)
    if "gpt" not in name:
        return naive_logits(weights, tokens)
    recipe = Recipe(**{**PLAIN, **RECIPES[name]})
    assert {key: value.shape for key, value in weights.items()} == recipe.layout()
    logits = gpt_logits(weights, tokens, recipe)
    return np.asarray(logits[..., 1] - logits[..., 0])


def reduced_logit(e: float, w: float, b: float, x: np.ndarray) -> np.ndarray:
    """MATH section 3: the relu fires at x = 1 for e > 0, and at x = 0 for e < 0."""
    if e > 0:
        return np.asarray(e**2 * (1 + 2 * w * abs(w)) * x + b - e**2 / 2)
    return np.where(x == 1, e**2 / 2 + b, b - e**2 * (0.5 + 2 * w * abs(w)))


@pytest.mark.parametrize("name", HOLDERS)
@pytest.mark.parametrize("e", [1.0, -1.0, 0.6, -1.7])
def test_the_basin_start_has_exactly_the_logits_of_the_reduced_model(name: str, e: float) -> None:
    model, tokens = holder(name), strings(2, 4)
    for w, b in ((-4.0, 0.0), (-0.8, 0.7), (0.9, -0.3)):
        start = basin(model, 2, e=e, w=w, b=b)
        expected = reduced_logit(e, w, b, tokens)
        allowed = 1e-15 * (1 + abs(b) + e**2 * (1 + 4 * w**2))  # 1/sqrt(d), 1/sqrt(r) round
        logits = call(model, start, "forward", torch.from_numpy(tokens))
        measured = (logits[..., 1] - logits[..., 0]).detach().numpy()
        assert np.abs(measured - expected).max() < allowed
        assert np.abs(twin_logit(name, start, tokens) - expected).max() < allowed
        for mistake in (reduced_logit(-e, w, b, tokens), reduced_logit(e, -w, b, tokens)):
            assert np.abs(measured - mistake).max() > 1e-2


@pytest.mark.parametrize("name", HOLDERS)
def test_only_the_signs_of_the_basin_start_are_random(name: str) -> None:
    model = holder(name)
    starts = [numpy_of(basin(model, seed, e=1.0, w=-4.0, b=0.3)) for seed in range(60)]
    plain_start = numpy_of(ansatz(model, 1.0, -4.0, 0.3))
    for start in starts:
        for key, value in start.items():
            assert np.array_equal(np.abs(value), np.abs(plain_start[key]))
    alphas = {tuple(np.sign(start["embedding"].reshape(-1, model.width)[-1])) for start in starts}
    assert len(alphas) >= 7  # of 2^d, d = 3 or 4; 60 draws of 8 miss two once in 10^5


def test_the_reduced_start_has_no_signs() -> None:
    model = ReducedModel()
    for seed in (0, 1):
        start = basin(model, seed, e=1.0, w=-4.0, b=0.3)
        assert [value.item() for value in start.values()] == [1.0, -4.0, 0.3]


def test_by_default_the_entries_are_a_half_and_one() -> None:
    """e = sqrt(d)/2, w = -d: as the reference has them, W_1 and W_2 of +-1 where r = 4d."""
    for width in (1, 4, 8):
        cell = cell_of(model={"init": "basin", "width": width})
        start = numpy_of(initial_of(cell, model_of(cell))(3))
        for key, size in (("embedding", 0.5), ("hidden_in", 1.0), ("hidden_out", 1.0)):
            assert np.abs(np.abs(start[key]) - size).max() < 1e-15
        assert np.array_equal(start["output"], np.eye(width))
        assert not start["value"].any() and not start["query"].any() and not start["key"].any()


def flow_end(p: float, q: float, e: float, w: float) -> float:
    """Loss of the reduced model at the end of gradient descent with the best bias, in numpy."""
    pi1 = p / (p + q)

    def loss(e: float, w: float) -> float:
        s = e**2 * (1 + 2 * w * abs(w))
        # MATH section 3: with b at its best value the prediction of a 1 after 0 solves a quadratic
        root = math.sqrt((p - q) ** 2 + 4 * p * q * math.exp(s))
        c = math.log((p - q + root) / (2 * q * math.exp(s)))
        after_0, after_1 = (float(np.logaddexp(0, x)) for x in (c, c + s))
        return (1 - pi1) * (after_0 - p * c) + pi1 * (after_1 - (1 - q) * (c + s))

    for _ in range(6000):
        step, h = 0.05, 1e-6
        slope_e = (loss(e + h, w) - loss(e - h, w)) / (2 * h)
        slope_w = (loss(e, w + h) - loss(e, w - h)) / (2 * h)
        e, w = e - step * slope_e, w - step * slope_w
    return loss(e, w)


def binary_levels(p: float, q: float) -> tuple[float, float]:
    def h(x: float) -> float:
        return -(x * math.log(x) + (1 - x) * math.log(1 - x))

    return (q * h(p) + p * h(q)) / (p + q), h(p / (p + q))


@pytest.mark.parametrize("width", [1, 4])
def test_the_default_start_of_the_reduced_model_lies_in_the_bigram_s_basin(width: int) -> None:
    e, w = 0.5 * math.sqrt(width), -float(width)
    assert w <= -1 / math.sqrt(2) and e != 0  # MATH section 3, for p+q > 1
    bigram, unigram = binary_levels(0.5, 0.8)
    gap = unigram - bigram
    assert flow_end(0.5, 0.8, e, w) - bigram < 0.02 * gap
    # control: by the same descent a start beyond the saddle ends at the unigram
    assert abs(flow_end(0.5, 0.8, 0.3, -0.3) - unigram) < 0.02 * gap


@pytest.mark.parametrize("kind", ["single-layer", "gpt"])
def test_from_the_basin_exact_training_reaches_the_bigram(kind: str) -> None:
    """Where the standard start stays at the unigram for as long.

    The GPT without biases, as the ansatz has none: AdamW moves them from 0 at full speed, and with
    them these runs of a GPT leave the basin for the unigram.
    """
    plain_gpt = {"kind": "gpt", "layer_norm": False, "activation": "relu", "biases": False}
    ends = {}
    for init in ("basin", "standard"):
        model_settings = plain_gpt if kind == "gpt" else {"kind": kind}
        settings: dict[str, Any] = {**model_settings, "init": init, "length": 5}
        cell = cell_of(model=settings, train={"steps": 250, "seeds": 2})
        model, losses = model_of(cell), [objective_of(cell)]
        runs: dict[str, Any] = {"seeds": [0, 1], "initial": initial_of(cell, model)}
        (ends[init],) = train_together(model, losses, recipe_of(cell), **runs)
    bigram, unigram = binary_levels(0.5, 0.8)
    assert (ends["basin"].loss[:, 0] > unigram).all()  # it starts higher, then drops below
    assert ends["basin"].outcomes == ("bigram", "bigram")
    assert np.abs(ends["basin"].loss[:, -1] - bigram).max() < 0.1 * (unigram - bigram)
    assert ends["standard"].outcomes == ("unigram", "unigram")
    # signs are a symmetry of network and optimiser: on exact data both seeds are one run
    apart = {init: np.ptp(end.loss, axis=0).max() for init, end in ends.items()}
    assert apart["basin"] < 1e-9 < apart["standard"]


@pytest.mark.parametrize(
    "change", [{"layer_norm": True}, {"activation": "gelu"}, {"feedforward": False}], ids=str
)
def test_a_gpt_that_cannot_hold_the_ansatz_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"the rank-one ansatz needs a GPT with states=2 \(it has"):
        basin(plain(**change), 0, e=1.0, w=-4.0, b=0.0)
    settings = {"kind": "gpt", "layer_norm": False, "activation": "relu", "init": "basin"}
    assert cell_of(model=settings)
    with pytest.raises(ConfigError, match="relu without LayerNorm"):
        cell_of(model=settings | change)


def test_three_symbols_cannot_hold_the_ansatz() -> None:
    with pytest.raises(ValueError, match=r"states=2 \(it has 3\), activation='relu'"):
        ansatz(plain(states=3), 1.0, -4.0, 0.0)


def test_a_scan_starts_its_runs_in_the_basin(tmp_path: Any) -> None:
    settings = {"init": "basin", "length": 3, "width": 2, "b": 0.25}
    rest: dict[str, Any] = {"train": {"steps": 0, "seeds": 2}, "measure": {"points": []}}
    config = ScanConfig(**{"source": CHAIN, "model": settings, **rest})
    result = scan(config, out=tmp_path / "scan")
    (found,) = result.scalars.values()
    e, w, b, p, q = math.sqrt(2) / 2, -2.0, 0.25, 0.5, 0.8
    logit = reduced_logit(e, w, b, np.array([0, 1]))
    law, target = np.array([q, p]) / (p + q), np.array([p, 1 - q])
    expected = float(law @ (np.logaddexp(0, logit) - target * logit))
    assert np.abs(np.array(found["final_loss"]) - expected).max() < 1e-14


def test_free_weights_are_drawn_about_the_gains_of_the_norms() -> None:
    model = GPT(width=64, length=2)
    draw = gaussian(model, 0.5, 0)
    gain, shift = draw["final_norm.gain"], draw["final_norm.shift"]
    # means of 64 normals of deviation .5: known to .0625; five of these
    assert abs(gain.mean().item() - 1) < 0.32 and abs(shift.mean().item()) < 0.32
    assert gaussian(model, 0.0, 0)["final_norm.gain"].tolist() == [1.0] * 64
