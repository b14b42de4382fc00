from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import torch

from landscape.config.build import (
    initial_of,
    model_of,
    objective_of,
    seeds_of,
    training_objective_of,
)
from landscape.config.cell import CellConfig
from landscape.config.scan import ScanConfig
from landscape.models import ReducedModel, SingleLayer
from landscape.models.ansatz import ansatz
from landscape.models.initial import standard
from landscape.objectives.exact import ExactLoss
from landscape.objectives.sampled import SampledLoss
from landscape.scanning.scan import scan
from landscape.sources import BinaryMarkov
from landscape.store.reading import open_scan
from landscape.training.loop import train
from tests.landscape.cli.running import Record


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
    assert isinstance(model, (SingleLayer, ReducedModel))
    start, again = (initial_of(setting, model)(seed) for seed in (0, 5))
    expected, elsewhere = ansatz(model, 0.7, -1.2, 0.3), ansatz(model, e=0.7, w=1.2, b=0.3)
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


# --- sampled data


def test_sampled_data_are_float32_in_batches_of_256_evaluated_every_10_steps() -> None:
    train = cell(train={"data": "sampled"}).train
    assert (train.batch, train.evaluate_every, train.dtype) == (256, 10, "float32")
    given = {"data": "sampled", "batch": 16, "evaluate_every": 5, "dtype": "float64"}
    train = cell(train=given).train
    assert (train.batch, train.evaluate_every, train.dtype) == (16, 5, "float64")
    train = cell(train={**given, "data": "exact"}).train
    assert (train.batch, train.evaluate_every) == (None, None)
    assert cell().train.dtype == "float64"


def test_momentum_belongs_to_sgd() -> None:
    assert cell(train={"optimizer": "sgd"}).train.momentum == 0.9
    assert cell(train={"optimizer": "sgd", "momentum": 0.5}).train.momentum == 0.5
    assert cell(train={"optimizer": "adamw", "momentum": 0.5}).train.momentum is None


def test_settings_that_mean_nothing_do_not_enter_the_id() -> None:
    for setting in ({"batch": 8}, {"evaluate_every": 8}, {"momentum": 0.5}):
        assert cell(train=setting).id == cell().id
    names = ("momentum", "evaluate_every")
    assert not set(names) & set(cell().settings["train"])
    sampled = cell(train={"data": "sampled", "optimizer": "sgd"})
    assert set(names) <= set(sampled.settings["train"])
    ids = {
        cell(train={"data": "sampled", "optimizer": "sgd", **setting}).id
        for setting in ({}, {"batch": 8}, {"evaluate_every": 8}, {"momentum": 0.5})
    }
    assert len(ids) == 4


def test_the_training_objective_is_that_of_the_data() -> None:
    assert isinstance(training_objective_of(cell()), ExactLoss)
    settings = {"data": "sampled", "batch": 12, "seed": 5}
    loss = training_objective_of(cell(model={"length": 5}, train=settings))
    assert isinstance(loss, SampledLoss)
    assert (loss.length, loss.batch, loss.source) == (5, 12, BinaryMarkov("0.5", "0.80"))
    # a run's data follow from its own seed: the base seed of its cell does not enter
    other = training_objective_of(cell(model={"length": 5}, train={**settings, "seed": 0}))
    assert isinstance(other, SampledLoss)
    assert other.seed == loss.seed


@pytest.mark.parametrize("length", [5, 20])
def test_a_scan_trains_sampled_runs_as_train_does(length: int, tmp_path: Path) -> None:
    tables: dict[str, Any] = {
        "source": {"p": Decimal("0.5")},
        "model": {"width": 2, "length": length},
        "train": {"data": "sampled", "batch": 3, "steps": 12, "seeds": 2, "optimizer": "sgd"},
        "measure": {"points": ["trained"] if length == 5 else []},
        "axes": {"source.q": [Decimal("0.3"), Decimal("0.8")]},
    }
    config = ScanConfig(**tables)
    result = scan(config, out=tmp_path / "scan")
    assert not result.failed
    for one in config.cells():
        model, loss = model_of(one), training_objective_of(one)
        own: dict[str, Any] = {"optimizer": "sgd", "initial": initial_of(one, model)}
        alone = train(model, loss, seeds=[1], steps=12, **own)
        data = open_scan(tmp_path / "scan").tree(one)["training"].to_dataset()
        assert data["step"].values.tolist() == [0, 10, 12]
        # float32 runs; the loss is of order 1
        assert abs(data["loss"].values[1] - alone.loss[0]).max() < 1e-6
        assert bool((data["loss_error"].values > 0).all()) is (length == 20)
        assert set(result.scalars[one.id]["points"]) == set(one.measure.points)


def test_the_command_trains_on_samples(record: Record, tmp_path: Path) -> None:
    picture = tmp_path / "run.png"
    words = (
        "train --p .5 --q .8 --data sampled --batch 2 --optimizer sgd --momentum .8 --length 20 "
        f"--width 2 --steps 12 --evaluate-every 5 --plot {picture}"
    )
    found = record(words)
    assert found["loss_curve"]["step"] == [0, 5, 10, 12]
    assert found["loss_curve"]["loss"][-1] == found["final_loss"]
    assert found["loss_error"] == found["loss_curve"]["loss_error"][-1] > 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    settings = {"data": "sampled", "batch": 2, "optimizer": "sgd", "momentum": 0.8}
    wanted = cell(model={"length": 20, "width": 2}, train=settings, measure={"points": []})
    assert wanted.train.dtype == "float32"
    model, loss = model_of(wanted), training_objective_of(wanted)
    options: dict[str, Any] = {"seeds": [0], "steps": 12, "optimizer": "sgd", "evaluate_every": 5}
    same, other = (train(model, loss, momentum=momentum, **options) for momentum in (0.8, 0.9))
    # the losses of float32 runs: a few of its eps, where momentum moves them by more
    assert abs(same.loss[0, -1] - found["final_loss"]) < 2e-7
    assert abs(other.loss[0, -1] - found["final_loss"]) > 2e-7
