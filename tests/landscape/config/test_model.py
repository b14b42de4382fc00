"""The table `model`: every kind builds its network, each setting of which has its own id."""

import hashlib
import math
from functools import partial
from itertools import product
from typing import Any

import pytest
import torch

from landscape.config.build import initial_of, model_of, recipe_of
from landscape.config.cell import CellConfig
from landscape.config.model import MODELS
from landscape.config.reading import SETTINGS
from landscape.config.scan import ScanConfig
from landscape.models import GPT, ReducedModel, SingleLayer
from landscape.models.ansatz import ansatz, basin
from landscape.models.initial import low_rank, standard
from landscape.training.recipe import Recipe

GPT_SETTINGS = MODELS["gpt"].own
CHAIN = {"p": "0.5", "q": "0.8"}
TERNARY = {"kind": "switching", "states": 3, "p": "0.9"}
PLAIN = {"kind": "gpt", "layer_norm": False, "activation": "relu"}  # what holds the ansatz


def scan(**tables: Any) -> ScanConfig:
    return ScanConfig(**{"source": CHAIN, **tables})


def cell(**tables: Any) -> CellConfig:
    (only,) = scan(**tables).cells()
    return only


# --- what is built ------------------------------------------------------------------------------

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "deep": {"width": 6, "layers": 3, "heads": 2, "hidden": 5, "length": 4, "tying": "untied"},
    "without LayerNorm": {"layer_norm": False, "activation": "relu", "biases": False},
    "relative": {"positions": "relative", "window": 2},
    "no positions": {"positions": "none", "feedforward": False},
    "no attention": {"attention": False},
}


@pytest.mark.parametrize("source", [CHAIN, TERNARY], ids=["2 symbols", "3 symbols"])
@pytest.mark.parametrize("name", VARIANTS)
def test_every_setting_of_a_gpt_reaches_it(name: str, source: dict[str, Any]) -> None:
    variant = VARIANTS[name]
    setting = cell(source=source, model={"kind": "gpt", **variant}, train={"seed": 5})
    model = model_of(setting)
    symbols = setting.source.symbols
    twin = GPT(**{"states": symbols, "width": 4, "length": 8, **variant, "seed": 5})
    assert isinstance(model, GPT)
    assert (model.window, model.heads, model.layers) == (twin.window, twin.heads, twin.layers)
    tokens = torch.arange(model.length)[None] % symbols
    assert torch.equal(model(tokens), twin(tokens))
    shapes, expected = ({k: v.shape for k, v in m.state_dict().items()} for m in (model, twin))
    assert shapes == expected
    other = model_of(cell(source=source, model={"kind": "gpt", **variant}, train={"seed": 6}))
    assert not torch.equal(other(tokens), twin(tokens))


def test_the_defaults_of_a_gpt_are_those_of_the_class() -> None:
    import inspect

    parameters = inspect.signature(GPT).parameters
    assert set(GPT_SETTINGS) < set(parameters)
    for name, value in GPT_SETTINGS.items():
        assert parameters[name].default == value
        assert getattr(cell(model={"kind": "gpt"}).model, name) == value
        assert getattr(cell().model, name) is None
        assert f"model.{name}" in SETTINGS


INITIAL: dict[str, tuple[dict[str, Any], Any]] = {
    "standard": ({"init": "standard"}, standard),
    "low-rank": ({"init": "low-rank"}, low_rank),
    "basin": ({"init": "basin"}, partial(basin, e=1.0, w=-4.0, b=0.0)),
    "basin at a point":
        ({"init": "basin", "e": -0.7, "w": -1.5, "b": 0.2}, partial(basin, e=-0.7, w=-1.5, b=0.2)),
    "ansatz": ({"init": "ansatz"}, lambda model, seed: ansatz(model, 0.1, 0.0, 0.0)),
    "ansatz at a point":
        ({"init": "ansatz", "e": 0.7, "w": 0.5}, lambda model, seed: ansatz(model, 0.7, 0.5, 0.0)),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["single-layer", "gpt", "reduced"])
@pytest.mark.parametrize("name", INITIAL)
def test_every_initialisation_is_the_one_it_names(name: str, kind: str) -> None:
    settings, expected = INITIAL[name]
    model_settings = {**(PLAIN if kind == "gpt" else {"kind": kind}), **settings}
    setting = cell(model=model_settings)
    model = model_of(setting)
    assert isinstance(model, (SingleLayer, GPT, ReducedModel))
    initial = initial_of(setting, model)
    for seed in (0, 4):
        start, wanted = initial(seed), expected(model, seed)
        assert list(start) == list(wanted)
        assert all(torch.equal(start[key], wanted[key]) for key in wanted)
    others = {key: make for key, (_, make) in INITIAL.items() if key != name}
    for make in others.values():  # control: no two of them are one
        other = make(model, 4)
        assert any(not torch.equal(initial(4)[key], other[key]) for key in other)


@pytest.mark.parametrize("width", [1, 4, 9])
def test_the_basin_is_at_half_sqrt_d_and_minus_d(width: int) -> None:
    model = cell(model={"init": "basin", "width": width}).model
    assert model.e is not None
    assert abs(model.e - math.sqrt(width) / 2) < 1e-15
    assert (model.w, model.b) == (-width, 0)
    given = cell(model={"init": "basin", "width": width, "w": -1.0, "b": 0.5}).model
    assert (given.e, given.w, given.b) == (model.e, -1.0, 0.5)


# --- ids ----------------------------------------------------------------------------------------

OLD = (
    '{"measure":{"points":["unigram","bigram","trained"],"random_weights":0.0,"refine":false,'
    '"slice":null},"model":{"b":null,"e":null,"hidden":16,"init":"standard",'
    '"kind":"single-layer","length":8,"tying":"tied","w":null,"width":4},"schema":1,'
    '"source":{"kind":"binary","p":"0.5","q":"0.8"},"train":{"batch":null,"data":"exact",'
    '"dtype":"float64","lr":0.002,"optimizer":"adamw",%s"seed":0,"seeds":4,"steps":1000,'
    '"weight_decay":0.001}}'
)


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_schedule_and_checkpoints_enter_an_id_only_where_they_say_something_new() -> None:
    assert cell().id == cell(train={"schedule": "one-cycle"}).id == hashed(OLD % "")
    constant = hashed(OLD % '"schedule":"constant",')
    assert cell(train={"schedule": "constant"}).id == constant
    looked_at = OLD.replace('"data"', '"checkpoints":3,"data"') % ""
    assert cell(train={"checkpoints": 3}).id == hashed(looked_at)


def test_every_setting_of_a_gpt_enters_its_id() -> None:
    plain = cell(model={"kind": "gpt"})
    assert plain.id == cell(model={"kind": "gpt", **GPT_SETTINGS}).id
    changes: dict[str, Any] = {
        "layers": 2, "heads": 2, "layer_norm": False, "activation": "relu", "biases": False,
        "positions": "none", "window": 3, "attention": False, "feedforward": False,
    }  # fmt: skip
    assert set(changes) == set(GPT_SETTINGS)
    ids = {cell(model={"kind": "gpt", name: value}).id for name, value in changes.items()}
    assert len(ids | {plain.id, cell().id}) == len(changes) + 2


def test_what_is_looked_at_and_how_fast_it_goes_reach_the_training() -> None:
    found = recipe_of(cell(train={"checkpoints": 3, "schedule": "constant"}))
    assert (found.checkpoints, found.schedule) == (3, "constant")
    assert recipe_of(cell()) == Recipe()


# --- axes ---------------------------------------------------------------------------------------


def test_an_axis_runs_over_kinds_of_models() -> None:
    config = scan(axes={"model.kind": ["gpt", "single-layer"], "model.tying": ["tied", "untied"]})
    cells = config.cells()
    assert [type(model_of(c)).__name__ for c in cells] == ["GPT"] * 2 + ["SingleLayer"] * 2
    assert len({c.id for c in cells}) == len({c.batch_key for c in cells}) == 4
    assert [c.model.layers for c in cells] == [1, 1, None, None]
    assert ScanConfig(**config.written).hash == config.hash
    turned = scan(axes={"model.kind": ["single-layer", "gpt"], "model.tying": ["tied", "untied"]})
    assert turned.hash == config.hash


def test_an_axis_runs_over_the_settings_of_a_gpt() -> None:
    axes = {"model.layers": [1, 2, 4], "model.layer_norm": [True, False]}
    cells = scan(model={"kind": "gpt"}, axes=axes).cells()
    assert [(c.model.layers, c.model.layer_norm) for c in cells] == [
        *product([1, 2, 4], [True, False])
    ]
    assert [c.coordinates["model.layers"] for c in cells[::2]] == [1, 2, 4]


def test_an_axis_runs_over_initialisations_each_with_its_own_coordinates() -> None:
    cells = scan(axes={"model.init": ["standard", "low-rank", "ansatz", "basin"]}).cells()
    assert [c.model.e for c in cells] == [None, None, 0.1, 1.0]
    assert len({c.id for c in cells}) == 4


def test_an_axis_runs_over_kinds_of_sources() -> None:
    config = scan(
        source={"kind": "switching", "states": 2, "p": "0.3"},
        model={"kind": "gpt"},
        axes={"source.states": [2, 3, 5], "source.p": ["0.3", "0.9"]},
        measure={"points": []},
        train={"data": "sampled"},
    )
    models = [model_of(c) for c in config.cells()]
    assert [model.states for model in models if isinstance(model, GPT)] == [2, 2, 3, 3, 5, 5]
