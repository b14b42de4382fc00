"""`landscape slice`: its JSON contract, its exit codes, and what it says when a check fails."""

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from landscape.objectives.exact import ExactLoss
from landscape.slices import plane as slices
from tests.landscape.cli.running import Record, Run, strict

SMALL = "slice --p .5 --q .8 --width 2 --length 3 --resolution 5"
H_U = -(5 / 13) * math.log(5 / 13) - (8 / 13) * math.log(8 / 13)


@pytest.fixture
def run(run: Run) -> Run:
    return partial(run, SMALL)


def test_the_contract(record: Record) -> None:
    found = record("--at unigram --radius 0.5")
    assert abs(found["center_loss"] - H_U) < 1e-15
    assert found["alpha"] == found["beta"] == [-0.5, -0.25, 0.0, 0.25, 0.5]
    assert np.shape(found["loss"]) == (5, 5) and found["loss"][2][2] == found["center_loss"]
    assert set(found["directions"]) == {"names", "gram", "norms", "vectors", "center"}
    assert np.abs(np.array(found["directions"]["gram"]) - np.eye(2)).max() < 1e-13
    assert found["max_error_vs_theory"] is None  # an eigenplane has no closed form
    c = 0.4 / 1.3**2
    assert found["predicted_curvatures"] == pytest.approx([0.6 * c, c], abs=1e-15)
    assert found["curvatures"] == pytest.approx(found["predicted_curvatures"], abs=1e-13)
    assert found["faults"] == [] and found["not_finite"] == 0
    assert found["curvature_error"] == max(found["curvature_errors"]) < 1e-6
    assert found["displacement_error"] < 1e-12


@pytest.mark.parametrize("model", ["single-layer", "reduced"])
@pytest.mark.parametrize("at", ["unigram", "bigram"])
@pytest.mark.parametrize("plane", ["reduced-ew", "reduced-ew --bias fixed", "reduced-eb"])
def test_reduced_planes_equal_theory_s_loss(
    record: Record, model: str, at: str, plane: str
) -> None:
    found = record(f"--model {model} --at {at} --plane {plane}")
    assert found["max_error_vs_theory"] < 1e-12 and found["faults"] == []
    assert found["displacement_error"] is None  # no plane in parameter space
    assert found["chart"] == "reduced" and found["directions"]["names"] == list(plane[8:10])
    assert ("b" in found["held"]) == ("fixed" in plane)


def test_the_plane_of_the_three_points_passes_through_them(record: Record) -> None:
    found = record("--at unigram --plane points --steps 30 --lr 1e-2")
    marks = {mark["name"]: mark for mark in found["points"]}
    assert marks["unigram"]["loss"] == found["center_loss"]
    entropy_rate = sum(
        weight * -(s * math.log(s) + (1 - s) * math.log(1 - s))
        for weight, s in ((8 / 13, 0.5), (5 / 13, 0.8))
    )
    assert abs(marks["bigram"]["loss"] - entropy_rate) < 1e-14
    for name, at in (("unigram", (0, 0)), ("bigram", (1, 0)), ("trained", (0, 1))):
        assert marks[name]["at"] == pytest.approx(at, abs=1e-12)
        assert marks[name]["error"] < 1e-13
    assert found["directions"]["names"] == ["bigram - unigram", "trained - unigram"]
    assert abs(found["directions"]["gram"][0][1]) > 1e-6  # not orthogonalised
    assert found["distance"]["alpha"][-1] == pytest.approx(
        1.5 * found["directions"]["norms"][0], rel=1e-14
    )


@pytest.mark.parametrize("plane", ["random", "filter"])
def test_a_line_and_a_seed(record: Record, plane: str) -> None:
    same = f"--at bigram --random-weights 1 --plane {plane} --line"
    one = record(same)
    assert one["beta"] == [0.0] and np.shape(one["loss"]) == (5, 1)
    assert record(same) == one
    assert record(same, "--seed 1")["loss"] != one["loss"]


def test_chosen_eigenvectors_and_directions_of_a_file(record: Record, tmp_path: Path) -> None:
    found = record("--at bigram --eigenvectors 0,highest")
    assert found["directions"]["names"][0] == "eigenvector 0"
    assert found["predicted_curvatures"][0] == 0
    path = tmp_path / "d.safetensors"
    save_file({"up/bias": torch.tensor(3.0)}, path)
    found = record("--at unigram --plane", path, "--radius 0.1")
    given = found["directions"]
    assert (given["names"], given["gram"], given["norms"]) == (["up"], [[9.0]], [3.0])
    (row,) = given["vectors"]
    assert sorted(row)[-1] == 3.0 and sum(x != 0 for x in row) == 1  # verbatim
    assert len(given["center"]) == len(row)
    assert found["distance"]["alpha"][-1] == pytest.approx(0.3, abs=1e-15)


def test_a_wrong_theory_is_refuted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from landscape.comparison import reduced_model

    true = reduced_model.reduced_surface

    def wrong(source: Any, e: Any, w: Any, *rest: Any, **given: Any) -> Any:
        return true(source, e, w + 1e-6, *rest, **given)

    monkeypatch.setattr(reduced_model, "reduced_surface", wrong)
    code, _, err = run("--at unigram --plane reduced-ew")
    assert code == 1 and "Refuted: the surface is" in err


def test_round_off_of_enormous_losses_is_no_refutation(record: Record) -> None:
    """Losses of 1e10 have an absolute round-off far above 1e-10."""
    found = record("--at bigram --plane reduced-ew --radius 400")
    assert max(map(max, found["loss"])) > 1e9
    assert found["max_error_vs_theory"] > 1e-10


def test_at_a_kink_no_curvature_is_claimed(run: Run, record: Record) -> None:
    found = record("--at unigram --w -2")
    assert found["curvatures"] == [None, None] and found["predicted_curvatures"] is None
    assert "not applicable" in run("--at unigram --w -2")[1]
    smooth = record("--at unigram --w 0")  # the control
    assert None not in smooth["curvatures"]


def test_a_wrong_plane_is_told(run: Run, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    true = slices.measured_surface

    def planted(model: Any, objective: Any, params: Any, chart: Any, *rest: Any, **kw: Any) -> Any:
        return true(model, objective, params, lambda x: chart(1.1 * x), *rest, **kw)

    monkeypatch.setattr(slices, "measured_surface", planted)
    code, out, err = run("--at unigram --json")
    assert code == 1 and "Self-check failed: the surface is not curved" in err
    assert json.loads(out)["faults"]
    flat = "--at unigram --eigenvectors 0,1"
    code, out, err = run(flat, "--json")
    assert code == 1 and "corners are not where the directions lead, by 1.0e-01" in err
    assert json.loads(out)["displacement_error"] == pytest.approx(0.1, abs=1e-14)
    monkeypatch.undo()
    assert record(flat)["faults"] == []  # the control


def test_losses_that_are_not_finite_are_reported_and_drawn(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    true = ExactLoss.__call__

    def holed(self: ExactLoss, model: Any, params: Any) -> Tensor:
        return torch.where(params["bias"] > 1.0, torch.nan, true(self, model, params))

    monkeypatch.setattr(ExactLoss, "__call__", holed)
    code, out, err = run("--at unigram --plane reduced-eb --json --plot", tmp_path / "s.svg")
    found = strict(out)
    assert code == 0 and found["not_finite"] == 5  # the last column: b = ln(5/8) + 2
    assert [row[-1] for row in found["loss"]] == [None] * 5
    assert "Not finite: 5 of 25 losses" in err
    assert (tmp_path / "s.svg").stat().st_size > 0


def test_pictures_and_words(run: Run, tmp_path: Path) -> None:
    for plane, suffix in (("eigen", "png"), ("reduced-ew", "pdf"), ("points", "png")):
        path = tmp_path / f"{plane}.{suffix}"
        code, out, _ = run(f"--at unigram --plane {plane} --steps 2 --plot", path)
        assert code == 0 and path.stat().st_size > 0
        assert "loss at the point" in out and "centre error" in out
