"""A model of one's own: built, scanned, and refused in words wherever it cannot be used."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from landscape.config.build import initial_of, model_of
from landscape.config.cell import CellConfig
from landscape.config.scan import ScanConfig
from landscape.errors import ConfigError
from landscape.models.initial import low_rank, standard
from landscape.models.parameters import parameters_of
from landscape.models.user_code import build
from landscape.scanning.scan import scan
from landscape.store.reading import open_scan
from tests.landscape.cli.running import Run
from tests.planted.own_models import PROGRAM


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: Any) -> str:
    """The name of a module of one's own in the current folder, not yet imported."""
    name = f"mine_{abs(hash(request.node.name)):x}"
    (tmp_path / f"{name}.py").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return name


def cell(kind: str, **model: Any) -> CellConfig:
    tables: dict[str, Any] = {
        "source": {"kind": "switching", "states": 3, "p": "0.9"},
        "model": {"kind": kind, "length": 3, **model},
        "measure": {"points": ["trained"]},
    }
    (only,) = ScanConfig(**tables).cells()
    return only


def configured(kind: str, *, model: str = "", points: str = '["unigram", "trained"]') -> str:
    Path("own.toml").write_text(
        f'[source]\nkind = "switching"\nstates = 3\np = 0.9\n[model]\nkind = "{kind}"\n'
        f"length = 3\n{model}\n[train]\nsteps = 20\nseeds = 2\nlr = 1e-2\n"
        f"[measure]\npoints = {points}\n"
    )
    return "own.toml"


# --- scanned ------------------------------------------------------------------------------------


def test_a_model_of_one_s_own_is_scanned_from_the_shell(mine: str, tmp_path: Path) -> None:
    config = configured(f"{mine}:Named")
    words = ["scan", config, "--allow-code", "--out", "out", "--no-report", "--json"]
    # a console script does not have the current folder among the places of modules: the file does
    program = "import sys; sys.path.pop(0); from landscape.cli import main; main(sys.argv[1:])"
    command, root = [sys.executable, "-c", program, *words], str(Path(__file__).parents[3])
    env = {**os.environ, "PYTHONPATH": root}
    found = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert found.returncode == 0, found.stderr
    record = json.loads(found.stdout)
    assert (record["cells"], record["done"], record["absent"]) == (1, 1, [])
    store = open_scan(tmp_path / "out")
    (only,) = store.cells
    points = store.scalars(only)["points"]
    assert abs(points["unigram"]["loss"] - math.log(3)) < 1e-15
    assert points["unigram"]["gradient_norm"] < 1e-15
    # p = .9 is above (S-1)/S, and dz/du close to 1: no curvature is negative
    assert points["unigram"]["inertia"][0] == 0 < points["unigram"]["inertia"][2]
    assert points["unigram"]["verdict"] != "refuted"
    assert [row["seed"] for row in points["trained"]["runs"]] == [0, 1]


def test_a_point_that_cannot_be_built_is_absent_with_its_reason_and_the_cell_is_kept(
    mine: str, tmp_path: Path, run: Run
) -> None:
    config = configured(f"{mine}:Bare")
    code, out, err = run("scan", config, "--allow-code --out out --no-report --json")
    assert code == 0
    record = json.loads(out)
    assert (record["done"], record["failed"], record["refuted"]) == (1, [], [])
    (absent,) = record["absent"]
    assert absent["point"] == "unigram"
    words = "model=Bare does not say which parameters are its embedding, readout and bias; "
    assert absent["reason"].startswith(f"{words}implement landscape.models.Readable")
    assert "No unigram point" in err and absent["reason"] in err
    store = open_scan(tmp_path / "out")
    (only,) = store.cells
    points = store.scalars(only)["points"]
    assert points["unigram"]["verdict"] == "not-applicable" and points["unigram"]["loss"] is None
    assert len(points["trained"]["runs"]) == 2
    loss = store.tree(only)["training"].to_dataset()["loss"].values
    assert (loss[:, -1] < loss[:, 0]).all()


def test_a_spectrum_of_one_s_own_model_needs_no_file(mine: str, run: Run) -> None:
    words = f"spectrum --states 3 --model {mine}:Named --allow-code --length 3"
    for p, negative in ((".4", True), (".9", False)):  # on either side of (S-1)/S
        code, out, err = run(f"{words} --switch {p} --at unigram --json")
        assert code == 0, err
        record = json.loads(out)
        assert abs(record["loss"] - math.log(3)) < 1e-15
        assert (record["inertia"][0] > 0) == negative == (record["eigenvalues"][0] < -0.01)
        assert record["parameters"] == 3 * 4 + 3 + 4 * 4


def test_one_s_own_model_is_trained_and_sliced(mine: str, run: Run) -> None:
    own = f"--p .2 --q .3 --length 3 --model {mine}:Bare --allow-code --json"
    code, out, err = run(f"train {own} --steps 200 --lr .02")
    assert code == 0, err
    assert json.loads(out)["outcome"] == "bigram"
    code, out, err = run(f"slice {own} --at trained --steps 5 --resolution 3")
    assert code == 0, err
    assert np.array(json.loads(out)["loss"]).shape == (3, 3)


# --- refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "scan own.toml --out out",
        "train --p .5 --q .8 --model {}:Bare --steps 1",
        "spectrum --p .5 --q .8 --model {}:Bare --at trained",
    ],
)
def test_no_code_is_run_unless_it_is_allowed(mine: str, words: str, run: Run) -> None:
    configured(f"{mine}:Bare", points='["trained"]')
    words = words.format(mine)
    before = {path.name for path in Path().iterdir()}
    code, out, err = run(words)
    assert (code, out) == (2, "")
    named = f"model.kind = '{mine}:Bare'" if words[:4] == "scan" else f"--model {mine}:Bare"
    why = "it runs code of your own; add --allow-code (in Python allow_code=True) if you trust it"
    assert f"{named} is refused: {why}" in err
    assert {path.name for path in Path().iterdir()} == before
    assert mine not in sys.modules
    quickly = {"scan": "--no-report", "train": "", "spectrum": "--steps 1"}
    run(words, "--allow-code", quickly[words.split()[0]])
    assert Path("imported").exists()  # control: the trace that an import leaves


def test_code_on_an_axis_is_refused_too(mine: str) -> None:
    tables: dict[str, Any] = {
        "source": {"p": "0.5", "q": "0.8"},
        "axes": {"model.kind": ["single-layer", f"{mine}:Bare"]},
    }
    with pytest.raises(ConfigError, match="runs code of your own"):
        scan(ScanConfig(**tables), out="out")
    assert not Path("imported").exists() and not Path("out").exists()


WRONG = {
    "no module": ("nowhere_at_all:Model", "is refused: it cannot be loaded: ModuleNotFoundError: "
        "No module named 'nowhere_at_all'; give MODULE:ATTRIBUTE with a module in the current "
        "folder or installed"),
    "no attribute": ("{}:Bear", "has no attribute 'Bear'; give MODULE:ATTRIBUTE"),
    "not callable": ("{}:text", "is refused: it is of type str; give a class of torch.nn.Module "
        "or a function that returns one"),
    "an instance": ("{}:instance", "is refused: it is of type Bare; give a class of"),
    "no Module": ("{}:number", "is refused: it returned a int; return a torch.nn.Module"),
    "an error": ("{}:broken", "is refused: it cannot be built with states: KeyError: 'the reason'"),
    "an argument nobody has": ("{}:demanding", "is refused: it cannot be built with no arguments: "
        "TypeError: demanding() missing 1 required positional argument: 'colour'; its arguments "
        "may be width, length, hidden, tying"),
    "ahead": ("{}:Ahead", "is refused: it looks ahead: its logits change with a later symbol"),
    "shape": ("{}:Single", "is refused: it returned Tensor of shape (2, 3) for tokens of shape "
        "(2, 3); return logits of shape (2, 3, 3), one for each symbol"),
    "dropout": ("{}:Drops", "is refused: it answers the same tokens otherwise the second time"),
    "a buffer that counts": ("{}:Counts", "it draws (dropout) or edits a buffer; make it a func"),
    "BatchNorm": ("{}:Normalised", "is refused: its BatchNorm edits the running statistics "
        "'norm.running_mean' whenever it is evaluated; return the model in eval mode"),
    "a branch": ("{}:Branches", "calling .item() on a Tensor"),
    "no parameters": ("{}:Empty", "is refused: it has no parameters"),
    "forward": ("{}:Failing", "is refused: it cannot be evaluated on tokens of shape [2, 3]: "
        "RuntimeError: no such thing"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_code_that_makes_no_model_is_explained_with_code_2(mine: str, case: str, run: Run) -> None:
    kind, message = (text.replace("{}", mine) for text in WRONG[case])
    config = configured(kind, points='["trained"]')
    alone = f"train --states 3 --switch .9 --length 3 --model {kind} --steps 1"
    for words in (f"scan {config} --out out", alone):
        code, out, err = run(words, "--allow-code")
        assert (code, out) == (2, ""), err
        named = f"--model {kind}" if words == alone else f"model.kind = {kind!r}"
        assert message in err.replace("\n", " ") and f"Error: {named} is refused: " in err
        assert "Traceback" not in err
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_this"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("x = (", "SyntaxError: '(' was never closed"),
        ("import sys; sys.exit('bye')", "SystemExit: bye"),
    ],
)
def test_a_module_that_is_not_imported_says_why(
    mine: str, body: str, reason: str, run: Run
) -> None:
    Path(f"{mine}.py").write_text(body)
    code, out, err = run("scan", configured(f"{mine}:Bare"), "--allow-code --out out --no-report")
    assert (code, out) == (2, "") and "Traceback" not in err
    assert f"model.kind = '{mine}:Bare' is refused: it cannot be loaded: {reason}" in err


def test_a_setting_that_was_written_and_is_not_taken_is_refused(mine: str, run: Run) -> None:
    kind = f"{mine}:Bare"
    config = configured(kind, model="layers = 2", points='["trained"]')
    code, _, err = run("scan", config, "--allow-code --out out --no-report")
    assert code == 2
    takes = f"{kind} takes no argument of that name (it takes states, width, dtype)"
    assert f"model.layers is refused: {takes}" in err
    alone = f"train --p .5 --q .8 --steps 1 --model {kind} --allow-code"
    code, _, err = run(alone, "--tying tied")
    assert code == 2 and "--tying is refused" in err
    assert run(alone, "--width 3")[0] == 0


# --- built --------------------------------------------------------------------------------------


def test_a_builder_is_given_the_settings_that_it_names(mine: str) -> None:
    model = model_of(cell(f"{mine}:Named", width=5))
    assert model.get_parameter("embedding").shape == (3, 5)
    default = model_of(cell(f"{mine}:Named"))
    assert default.get_parameter("embedding").shape == (3, 4)  # the configuration's, not its own
    single = model_of(cell(f"{mine}:Named"), dtype=torch.float32)
    assert {value.dtype for value in single.parameters()} == {torch.float32}


def test_a_builder_of_any_settings_is_given_them_all(mine: str) -> None:
    found: Any = model_of(cell(f"{mine}:everything", width=3, layers=2, activation="relu"))
    assert found.settings == {
        "states": 3, "width": 3, "length": 3, "hidden": 12, "tying": "tied", "layers": 2,
        "activation": "relu", "dtype": torch.float64, "seed": 0,
    }  # fmt: skip


def test_a_run_s_own_start_follows_from_its_seed_alone(mine: str) -> None:
    setting = cell(f"{mine}:Numbered")
    model: Any = model_of(setting)
    initial = initial_of(setting, model)
    torch.manual_seed(11)
    first, same, other = initial(3), initial(3), initial(4)
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert all(not torch.equal(first[name], other[name]) for name in first)
    assert all(torch.equal(initial(0)[k], v) for k, v in parameters_of(model).items())
    again: Any = model_of(setting, seed=9)
    assert (model.seed, again.seed) == (0, 9)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        by_hand = torch.randn(3, 4, dtype=torch.float64)
    assert torch.equal(first["inner"], by_hand)


@pytest.mark.parametrize(("init", "named"), [("standard", standard), ("low-rank", low_rank)])
def test_the_starts_of_the_package_are_there_for_it_too(mine: str, init: str, named: Any) -> None:
    setting = cell(f"{mine}:Named", init=init)
    model = model_of(setting)
    start, wanted = initial_of(setting, model)(2), named(model, 2)
    assert all(torch.equal(start[name], wanted[name]) for name in wanted)
    own = initial_of(cell(f"{mine}:Named"), model)(2)
    assert not torch.equal(start["inner"], own["inner"])


def test_building_leaves_the_global_random_state_alone(mine: str) -> None:
    before = torch.get_rng_state()
    setting = cell(f"{mine}:Bare")
    initial_of(setting, model_of(setting))(5)
    with pytest.raises(ConfigError):
        model_of(cell(f"{mine}:broken"))
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    assert not torch.equal(torch.get_rng_state(), before)


def test_the_trial_of_a_model_leaves_its_buffers_as_they_were_built(mine: str) -> None:
    with Path(f"{mine}.py").open("a") as file:
        file.write(
            "\n\nclass Counting(Bare):\n"
            "    def __init__(self, states, width, dtype):\n"
            "        super().__init__(states, width, dtype)\n"
            "        self.register_buffer('seen', torch.zeros(()))\n\n"
            "    def forward(self, tokens):\n"
            "        self.seen += 1\n"
            "        return super().forward(tokens)\n"
        )
    settings = {"states": 2, "width": 2, "length": 3, "dtype": torch.float64}
    model = build(f"{mine}:Counting", settings, [], seed=0)
    assert model.get_buffer("seen").item() == 0
    model(torch.zeros(1, 3, dtype=torch.long))
    assert model.get_buffer("seen").item() == 1
