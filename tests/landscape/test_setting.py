from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import torch

from landscape.config import CellConfig, ScanConfig
from landscape.models import ReducedModel, SingleLayer
from landscape.models.ansatz import ansatz
from landscape.models.initial import standard
from landscape.setting import initial_of, model_of, objective_of, seeds_of
from landscape.sources import BinaryMarkov


def cell(**sections: Any) -> CellConfig:
    tables = {"source": {"p": Decimal("0.5"), "q": Decimal("0.80")}, **sections}
    (only,) = ScanConfig(**tables).cells()
    return only


def test_the_objective_is_that_of_the_chain_and_the_length_as_decimals() -> None:
    objective = objective_of(cell(model={"length": 5}))
    assert objective.length == 5
    assert objective.source == BinaryMarkov("0.5", "0.80")
    assert objective.source != BinaryMarkov("0.80", "0.5")
    assert objective.weights.shape == (2**6 - 2,)
    independent = cell(source={"p": Decimal("0.1"), "q": Decimal("0.9")})
    assert objective_of(independent).source.degenerate
    written_as_float = cell(source={"p": 0.1 + 0.7, "q": 0.2})
    assert not objective_of(written_as_float).source.degenerate


@pytest.mark.parametrize("tying", ["tied", "untied"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_model_has_the_sizes_tying_dtype_and_seed_of_the_cell(tying: str, dtype: str) -> None:
    wanted = {"width": 3, "length": 6, "hidden": 5, "tying": tying}
    setting = cell(model=wanted, train={"dtype": dtype, "seed": 7})
    model = model_of(setting)
    assert isinstance(model, SingleLayer)
    built = {"width": model.width, "length": model.length, "hidden": model.hidden}
    assert built | {"tying": model.tying} == wanted
    expected = {"float32": torch.float32, "float64": torch.float64}[dtype]
    assert {value.dtype for value in model.parameters()} == {expected}
    twin = SingleLayer(width=3, length=6, hidden=5, tying=tying, dtype=expected, seed=7)
    assert torch.equal(model.query, twin.query)
    other = model_of(cell(model=wanted, train={"dtype": dtype, "seed": 8}))
    assert not torch.equal(model.query, other.get_parameter("query"))


def test_measurements_may_ask_for_another_dtype_than_training() -> None:
    setting = cell(train={"dtype": "float32"})
    assert model_of(setting).bias.dtype == torch.float32
    assert model_of(setting, dtype=torch.float64).bias.dtype == torch.float64


def test_the_hidden_width_is_four_widths_unless_given() -> None:
    assert model_of(cell(model={"width": 3})).state_dict()["hidden_in"].shape == (12, 3)
    given = cell(model={"width": 3, "hidden": 2})
    assert model_of(given).state_dict()["hidden_in"].shape == (2, 3)


@pytest.mark.parametrize("kind", ["single-layer", "reduced"])
def test_the_ansatz_starts_at_the_coordinates_of_the_cell_whatever_the_seed(kind: str) -> None:
    point = {"e": 0.7, "w": -1.2, "b": 0.3}
    setting = cell(model={"kind": kind, "init": "ansatz", **point})
    model = model_of(setting)
    assert isinstance(model, ReducedModel) is (kind == "reduced")
    start, again = (initial_of(setting, model)(seed) for seed in (0, 5))
    expected, elsewhere = ansatz(model, **point), ansatz(model, e=0.7, w=1.2, b=0.3)
    assert list(start) == list(expected)
    assert all(torch.equal(start[name], expected[name]) for name in expected)
    assert all(torch.equal(start[name], again[name]) for name in expected)
    assert any(not torch.equal(start[name], elsewhere[name]) for name in expected)


@pytest.mark.parametrize("kind", ["single-layer", "reduced"])
def test_the_standard_start_is_that_of_each_seed(kind: str) -> None:
    setting = cell(model={"kind": kind})
    model = model_of(setting)
    initial = initial_of(setting, model)
    for seed in (0, 3):
        start, expected = initial(seed), standard(model, seed)
        assert all(torch.equal(start[name], expected[name]) for name in expected)
    assert not torch.equal(initial(0)["embedding"], initial(3)["embedding"])


def test_an_ansatz_without_coordinates_starts_where_the_configuration_says() -> None:
    setting = cell(model={"init": "ansatz"})
    model = model_of(setting)
    start = initial_of(setting, model)(0)
    # sections.ANSATZ: e = 0.1 along a unit vector of width 4, w = b = 0
    assert start["embedding"].abs().tolist() == [0.05] * 4
    assert not start["hidden_in"].any()
    assert start["bias"].item() == 0


def test_the_seeds_count_upwards_from_the_base_seed() -> None:
    assert list(seeds_of(cell(train={"seeds": 3, "seed": 5}))) == [5, 6, 7]
    assert list(seeds_of(cell(train={"seeds": 3}))) == [0, 1, 2]
