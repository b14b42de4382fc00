"""The commands on other sources and models than the binary chain and the single layer."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landscape.cli.options import cell_of
from landscape.config.build import model_of
from landscape.models import GPT
from tests.landscape.cli.running import Record, Run, strict

TERNARY = "--states 3 --switch .8 --model gpt --width 2 --length 3"
CHAIN = "--p .5 --q .8 --width 2 --length 3"


def entropy(law: list[float]) -> float:
    return -sum(x * math.log(x) for x in law)


# --- another alphabet ---------------------------------------------------------------------------


@pytest.mark.parametrize(("switch", "negative"), [(".8", False), (".4", True)])
def test_the_spectrum_at_three_symbols_unigram(record: Record, switch: str, negative: bool) -> None:
    """p against (S-1)/S = 2/3, without LayerNorm and with weights of 0: then J is the identity."""
    words = TERNARY.replace("--switch .8", f"--switch {switch}")
    result = record(f"spectrum {words} --set model.layer_norm=false --at unigram")
    assert abs(result["loss"] - math.log(3)) < 1e-15 and result["gradient_norm"] < 1e-15
    # C_1 = (lambda/S) (I - 11^T/S) with lambda = 1 - pS/(S-1), and H_EE = -2 C_1 mean_n 1
    expected = -2 * (1 - float(switch) * 3 / 2) / 3
    extreme = min if negative else max
    found = [x for x in result["eigenvalues"] if abs(x - expected) < 1e-12]
    assert len(found) == 2 * 2  # twice the width: S-1 directions
    assert (extreme(result["eigenvalues"]) < -0.01) == negative
    assert (result["inertia"][0] > 0) == negative


def test_training_on_three_symbols_is_judged_by_their_entropies(record: Record) -> None:
    result = record(f"train {TERNARY} --steps 3")
    assert abs(result["unigram_loss"] - math.log(3)) < 1e-15
    assert abs(result["bigram_loss"] - entropy([0.2, 0.4, 0.4])) < 1e-15
    assert result["outcome"] == "unigram" and len(result["loss_curve"]["loss"]) == 4


def test_a_slice_at_a_point_of_three_symbols(record: Record, tmp_path: Path) -> None:
    picture = tmp_path / "slice.png"
    smooth = f"{TERNARY} --set model.layer_norm=false --resolution 3"
    result = record(f"slice {smooth} --at unigram --plot", picture)
    assert abs(result["center_loss"] - math.log(3)) < 1e-15
    loss = np.array(result["loss"])
    assert loss.shape == (3, 3) and loss[1, 1] == result["center_loss"]
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("width", ["2", "4"])
def test_a_slice_where_layernorm_bends_at_once_is_no_fault(record: Record, width: str) -> None:
    """At E = 0 LayerNorm normalises a vector of no variance: it is linear up to sqrt(eps) only."""
    words = f"--p .3 --q .4 --model gpt --length 3 --width {width} --resolution 3"
    result = record(f"slice {words} --at unigram")
    assert result["faults"] == []
    assert result["curvature_error"] < 1e-5 * max(1.0, *map(abs, result["curvatures"]))


def test_other_sources_and_settings_are_named_by_set(record: Record) -> None:
    lag = "train --p .2 --q .3 --set source.kind=lag --set source.order=2 --steps 1"
    own = "--set model.window=2 --set model.activation=relu --set train.schedule=constant"
    result = record(lag, "--model gpt --width 2", own)
    assert round(result["bigram_loss"], 5) == 0.56064  # length 8, by default
    drawn = "--set source.kind=markov --set source.states=3 --set source.kernel_seed=1"
    result = record(f"spectrum {drawn} --model gpt --width 2 --length 2 --at unigram")
    rows = np.random.default_rng(1).dirichlet(np.ones(3), 3)
    law = np.linalg.lstsq(
        np.vstack([rows.T - np.eye(3), np.ones(3)]), np.array([0, 0, 0, 1.0]), rcond=None
    )[0]
    assert abs(result["loss"] - entropy(law.tolist())) < 1e-14
    kernel = "--set source.kind=markov --set source.kernel=[[.5,.5],[.2,.8]]"
    result = record(f"train {kernel} --steps 0 --length 2 --width 2")
    assert abs(result["unigram_loss"] - entropy([2 / 7, 5 / 7])) < 1e-15


def test_in_context_runs_are_judged_by_what_can_be_learnt(record: Record) -> None:
    source = "--set source.kind=in-context --model gpt --width 2 --length 1"
    result = record(f"train {source} --steps 0")
    # after one symbol nothing is known but the counts' own add-one answer
    assert abs(result["bigram_loss"] - math.log(2)) < 1e-15
    assert abs(result["unigram_loss"] - -(math.log(1 / 3) + math.log(2 / 3)) / 2) < 1e-15


# --- options ------------------------------------------------------------------------------------


NONE = dict.fromkeys(("states", "switch", "layers", "heads", "tying", "width", "hidden", "length"))


def options(**more: Any) -> Any:
    return cell_of(**{**NONE, "p": ".5", "q": ".8", "model": "single-layer", "seed": 0, **more})


def test_what_is_not_given_is_left_to_the_configuration() -> None:
    cell = options()
    assert (cell.model.width, cell.model.length, cell.model.tying) == (4, 8, "tied")
    assert not {"width", "length", "tying", "layers"} & cell.model.model_fields_set
    deep = options(model="gpt", layers=3, heads=2, width=6, set_=["model.biases=false"])
    model = model_of(deep)
    assert isinstance(model, GPT)
    assert (model.layers, model.heads, model.width) == (3, 2, 6)
    assert not any(name.endswith("query_bias") for name, _ in model.named_parameters())


def test_set_overrides_an_option() -> None:
    assert options(width=3, set_=["model.width=5", "source.p=.25"]).model.width == 5
    assert str(options(set_=["source.p=.25"]).source.p) == "0.25"


# --- checkpoints --------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["single-layer", "gpt"])
def test_checkpoints_are_in_the_record_as_strict_json(record: Record, model: str) -> None:
    result = record(f"train {CHAIN} --model {model} --steps 10 --set train.checkpoints=3")
    found = result["checkpoints"]
    assert found["step"] == {"dims": ["checkpoint"], "values": [0, 5, 10]}
    dims, values = found["probability"]["dims"], np.array(found["probability"]["values"])
    assert dims == ["checkpoint", "position", "last", "next"] and values.shape == (3, 3, 2, 2)
    # laws of the next symbol, kept in float32
    assert np.abs(values.sum(axis=-1) - 1).max() < 2e-7
    loss = np.array(found["loss"]["values"])
    assert np.abs(loss - np.array(result["loss_curve"]["loss"])[[0, 5, 10]]).max() < 1e-14
    assert np.abs(values[0] - values[2]).max() > 1e-4  # something was learnt in between
    assert "seed" not in found["loss"]["dims"]
    assert len(found["matrix"]["values"]) == np.array(found["rank_one"]["values"]).shape[1]
    assert "checkpoints" not in record(f"train {CHAIN} --model {model} --steps 2")  # unasked


def test_a_run_that_diverges_fails_and_what_is_not_a_number_is_null(run: Run) -> None:
    """JSON has no NaN."""
    steps = f"train {CHAIN} --steps 6 --set train.checkpoints=2 --json"
    assert run(steps)[0] == 0  # the control
    code, out, err = run(f"{steps} --lr 1e200")
    assert code == 1
    assert err.endswith("The run diverged: its loss is not finite. Try a smaller --lr.\n")
    found = strict(out)
    assert found["checkpoints"]["loss"]["values"][-1] is None
