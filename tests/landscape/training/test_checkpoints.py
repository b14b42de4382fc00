"""Checkpoints are the runs at their steps, leave the training as it is, and survive the file."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from landscape.models import ReducedModel, SingleLayer
from landscape.models.initial import standard
from landscape.objectives.exact import ExactLoss
from landscape.objectives.sampled import SampledLoss
from landscape.sources import BinaryMarkov
from landscape.store.cell_files import read_tree, write_tree
from landscape.training.checkpoints import Checkpoints, checkpoint_times
from landscape.training.loop import train, train_together
from landscape.training.recipe import Recipe
from tests.landscape.training.binary_runs import P, Q, exact, record_of, recorded, sampled
from tests.laws.models import observed
from tests.planted.readers import Shown
from tests.twins.single_layer import arrays, naive_divergence, naive_loss


@pytest.mark.parametrize(
    ("steps", "checkpoints", "times"),
    [
        (10, 2, [0, 10]), (10, 3, [0, 5, 10]), (10, 4, [0, 3, 7, 10]), (7, 5, [0, 2, 4, 5, 7]),
        (3, 4, [0, 1, 2, 3]), (3, 10**12, [0, 1, 2, 3]), (1, 2, [0, 1]), (0, 2, [0]),
        (10, None, []),
    ],
)  # fmt: skip
def test_checkpoints_are_evenly_spaced_from_the_start_to_the_end(
    steps: int, checkpoints: int | None, times: list[int]
) -> None:
    assert checkpoint_times(steps, checkpoints).tolist() == times


def test_a_checkpoint_is_the_run_at_that_step() -> None:
    model, loss = SingleLayer(width=2, length=3), exact(0.5, 0.8, 3)
    done = train(model, loss, steps=6, seeds=[4, 1], lr=0.05, checkpoints=4)
    record = recorded(done)
    assert record.times.tolist() == [0, 2, 4, 6]
    assert record.seeds == (4, 1)
    # the same loss by the graph of the training, or by the evaluation: a few eps
    assert np.abs(record.loss - done.loss[:, record.times]).max() < 1e-14
    assert np.abs(record.loss - done.loss[:, record.times - record.times % 3]).max() > 1e-6
    assert np.array_equal(record.loss[:, -1], done.loss[:, -1])
    assert not record.loss_error.any()
    for k, reference in enumerate(record.references):
        assert np.array_equal(record.distance[:, -1, k], done.distance[reference])
    for params, k in ((standard(model, 4), 0), (done.end(0), 3)):
        assert abs(record.loss[0, k] - naive_loss(arrays(params), 0.5, 0.8, 3)) < 1e-14
        for reference in ("unigram", "bigram"):
            distance = record.distance[0, k, record.references.index(reference)]
            assert abs(distance - naive_divergence(arrays(params), 0.5, 0.8, 3, reference)) < 1e-14
    assert np.abs(record.distance[:, 0] - record.distance[:, -1]).max() > 1e-4


def test_on_sampled_data_a_checkpoint_has_the_loss_of_the_record_and_its_error() -> None:
    options: dict[str, Any] = {"steps": 4, "seeds": [0, 1], "evaluate_every": 2, "checkpoints": 3}
    done = train(SingleLayer(width=2, length=20), sampled(20), **options)
    record = recorded(done)
    assert record.times.tolist() == done.times.tolist() == [0, 2, 4]
    assert np.array_equal(record.loss, done.loss)
    assert np.array_equal(record.loss_error, done.loss_error)
    assert (record.loss_error > 0).all()
    assert not np.array_equal(record.loss[:, 0], record.loss[:, 1])


@pytest.mark.parametrize("loss", [exact(P, Q, 5), sampled(5)], ids=["exact", "sampled"])
@pytest.mark.parametrize("training", [True, False])
def test_checkpoints_leave_the_training_as_it_is_bit_for_bit(
    loss: ExactLoss | SampledLoss, training: bool
) -> None:
    model = SingleLayer(width=2, length=5).train(training)
    before = observed(model)
    bare, full = (train(model, loss, steps=9, seeds=[0, 2], checkpoints=n) for n in (None, 5))
    assert observed(model) == before
    assert bare.checkpoints is None
    assert np.array_equal(bare.loss, full.loss)
    assert np.array_equal(bare.loss_error, full.loss_error)
    assert all(torch.equal(bare.params[name], full.params[name]) for name in bare.params)
    assert not torch.equal(bare.params["key"][0], bare.params["key"][1])


def test_nothing_is_looked_at_unless_checkpoints_are_asked_for() -> None:
    Shown.looked = 0
    assert train(Shown(2), exact(P, Q, 3), steps=2, seeds=[0]).checkpoints is None
    assert Shown.looked == 0
    train(Shown(2), exact(P, Q, 3), steps=2, seeds=[0], checkpoints=2)
    assert Shown.looked > 0


QUANTITIES = ("loss", "distance", "probability", "rank_one", "attention_share", "attention")


def furthest(first: Checkpoints, second: Checkpoints, run: int) -> float:
    """Largest difference between the only run of the first record and one of the second."""
    pairs = [(getattr(first, name)[0], getattr(second, name)[run]) for name in QUANTITIES]
    return max(float(np.abs(one - other).max()) for one, other in pairs)


def test_a_run_in_a_batch_has_the_checkpoints_of_the_run_trained_alone() -> None:
    model, losses = SingleLayer(width=3, length=4), [exact(0.5, 0.8, 4), exact(0.2, 0.3, 4)]
    both = train_together(model, losses, Recipe(steps=20, checkpoints=4), seeds=[3, 1])
    together = [recorded(trajectory) for trajectory in both]
    for (k, loss), (run, seed) in itertools.product(enumerate(losses), enumerate((3, 1))):
        alone = record_of(model, loss, steps=20, seeds=[seed], checkpoints=4)
        # float32 of numbers below 1: one unit of rounding, where a last bit turns it
        assert furthest(alone, together[k], run) < 1.2e-7
        assert np.abs(alone.loss[0] - together[k].loss[run]).max() < 1e-12  # 20 steps of float64
        assert furthest(alone, together[k], 1 - run) > 1e-4
        assert furthest(alone, together[1 - k], run) > 1e-4


def test_float32_runs_are_recorded_as_closely_as_they_are_known() -> None:
    low, double = (
        record_of(SingleLayer(width=3, length=4, dtype=dtype), exact(P, Q, 4))
        for dtype in (torch.float32, torch.float64)
    )
    assert 0 < furthest(low, double, 0) < 1e-6  # the rounding of the weights
    assert all(getattr(low, name).shape == getattr(double, name).shape for name in QUANTITIES)


# --- refusals and the dataset


@pytest.mark.parametrize("checkpoints", [1, 0, -3])
def test_fewer_than_two_checkpoints_are_refused(checkpoints: int) -> None:
    message = rf"checkpoints={checkpoints} is out of range; give an integer of at least 2"
    with pytest.raises(ValueError, match=message):
        train(ReducedModel(), exact(P, Q, 2), steps=5, checkpoints=checkpoints)


def test_a_record_beyond_memory_is_refused_before_the_first_step() -> None:
    message = (
        r"checkpoints=200 of 2 seeds hold 200 x 2 x 1 x 1 x 1024 x 1024 = 4.19e\+08 numbers of "
        r"attention, more than 1.34e\+08; give at most 64 checkpoints, fewer seeds or shorter"
    )
    told: list[int] = []
    options: dict[str, Any] = {"steps": 300, "seeds": [0, 1], "checkpoints": 200}
    options["progress"] = lambda step, steps, value: told.append(step)
    loss = SampledLoss(BinaryMarkov(P, Q), 1024, batch=1, seed=0)
    with pytest.raises(ValueError, match=message):
        train(SingleLayer(width=2, length=1024), loss, **options)
    assert told == []


def kept(record: Checkpoints, folder: Path) -> xr.Dataset:
    write_tree(folder / "record.nc", xr.DataTree(record.to_xarray()), {})
    return read_tree(folder / "record.nc").to_dataset()


def test_the_dataset_holds_every_quantity_by_its_axes_and_survives_the_file(tmp_path: Path) -> None:
    options: dict[str, Any] = {"steps": 8, "seeds": [4, 0], "checkpoints": 3}
    record = record_of(SingleLayer(width=2, length=3), exact(P, Q, 3), **options)
    lengths = {"position": 3, "last": 2, "next": 2, "matrix": 7, "layer": 1, "head": 1}
    sizes = {"seed": 2, "checkpoint": 3, "reference": len(record.references), "query": 3, "key": 3}
    assert dict(record.to_xarray().sizes) == sizes | lengths
    stored = kept(record, tmp_path)
    for name in (*QUANTITIES, "loss_error"):
        assert np.array_equal(stored[name].values, getattr(record, name), equal_nan=True)
        assert stored[name].dtype == getattr(record, name).dtype
        unit = "nat" if name in ("loss", "loss_error", "distance") else "1"
        assert stored[name].attrs["units"] == unit
    assert stored["step"].values.tolist() == [0, 4, 8]
    assert stored["matrix"].values.tolist() == list(record.matrices)
    assert stored["reference"].values.tolist() == list(record.references)
    curve = stored["probability"].sel(seed=0, last=0, next=1).isel(checkpoint=2)
    assert np.array_equal(curve.values, record.probability[1, 2, :, 0, 1])
    assert not np.array_equal(curve.values, record.probability[1, 2, :, 1, 0])
    assert curve["position"].values.tolist() == [1, 2, 3]
    assert stored.attrs["contexts"] == 8


def test_a_record_without_matrices_and_attention_survives_the_file(tmp_path: Path) -> None:
    record = record_of(ReducedModel(), exact(P, Q, 2), steps=4, seeds=[1])
    stored = kept(record, tmp_path)
    absent = {"rank_one", "matrix", "attention", "attention_share", "layer"}
    assert absent & set(stored.variables) == set()
    assert np.array_equal(stored["loss"].values, record.loss)
