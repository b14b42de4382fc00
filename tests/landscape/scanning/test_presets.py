"""The presets: what they ask for exists, and what is read off their runs is what was planted."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import landscape.scanning.presets
from landscape.config.build import model_of
from landscape.config.cell import CellConfig
from landscape.config.scan import ScanConfig
from landscape.errors import ConfigError
from landscape.models.parameters import Params
from landscape.scanning.presets import load, names
from landscape.scanning.presets.expectation import READERS, Expectation, Finding, compare_with
from landscape.scanning.presets.preset import SIZES, Size
from landscape.store.reading import StoredScan
from tests.landscape.cli.running import Run
from tests.planted.scans import plant

FOLDER = Path(landscape.scanning.presets.__file__).parent
every_preset = pytest.mark.parametrize("name", names())
every_size = pytest.mark.parametrize("size", SIZES)


# --- what is shipped ----------------------------------------------------------------------------


def test_every_experiment_that_was_promised_is_there() -> None:
    promised = {
        "tied-untied", "grid", "depth", "switching-5", "lag-2", "no-attention", "basin",
        "canonical", "rank-one", "in-context",
    }  # fmt: skip
    assert set(names()) == promised == {path.stem for path in FOLDER.glob("*.toml")}


@every_size
@every_preset
def test_every_size_of_a_preset_is_a_configuration_whose_models_can_be_built(
    name: str, size: Size
) -> None:
    config = load(name).config(size)
    assert config.name == f"{name}-{size}"
    assert len(config.cells()) > 0
    assert {cell.train.data for cell in config.cells()} <= {"exact", "sampled"}
    for cell in config.cells():
        assert model_of(cell) is not None


def cells_selected(expectation: Expectation, config: ScanConfig) -> list[CellConfig]:
    """By the names and numbers of the table, without the code under test."""

    def same(value: Any, other: Any) -> bool:
        if isinstance(other, Decimal) or (isinstance(other, int) and not isinstance(other, bool)):
            return float(value) == float(other)
        return bool(value == other)

    def selected(at: Mapping[str, Any]) -> bool:
        return all(axis in at and same(v, at[axis]) for axis, v in expectation.select.items())

    return [cell for cell in config.cells() if selected(cell.coordinates)]


@every_size
@every_preset
def test_every_expectation_selects_one_cell_of_its_size_and_a_quantity_that_is_recorded(
    name: str, size: Size
) -> None:
    preset, config = load(name), load(name).config(size)
    expected = preset.expected(size)
    assert expected, "nothing is compared"
    for expectation in expected:
        found = cells_selected(expectation, config)
        assert len(found) == 1, (expectation.what, len(found))
        (cell,) = found
        assert expectation.at is None or 0 <= expectation.at <= cell.train.steps
        if expectation.quantity in ("probability", "attention share", "rank one"):
            assert cell.train.checkpoints is not None, expectation.what
            if expectation.at is not None and expectation.quantity != "probability":
                apart = cell.train.steps / (cell.train.checkpoints - 1)
                nearest = round(expectation.at / apart) * apart
                assert abs(nearest - expectation.at) < 1, (expectation.what, nearest)
        if expectation.quantity in ("loss", "escaped") and expectation.at is not None:
            every = cell.train.evaluate_every or 1
            assert expectation.at % every == 0, (expectation.what, every)
        assert (expectation.matrix is not None) == (expectation.quantity == "rank one")
        if expectation.matrix is not None:
            params: Params = dict(model_of(cell).named_parameters())
            assert params[expectation.matrix].ndim == 2
        if expectation.quantity == "attention share":
            assert cell.model.attention is not False
        if expectation.low is not None and expectation.high is not None:
            assert expectation.low < expectation.high


@every_preset
def test_a_preset_that_does_not_expect_what_was_published_says_why(name: str) -> None:
    expectations = load(name).expectations
    disagree = any(
        not e.low <= e.published <= e.high
        for e in expectations
        if e.published is not None and e.low is not None and e.high is not None
    )
    assert not disagree or any(e.note for e in expectations)


@every_preset
def test_no_two_expectations_of_a_size_are_called_the_same(name: str) -> None:
    for size in SIZES:
        titles = [e.what for e in load(name).expected(size)]
        assert len(set(titles)) == len(titles)


def test_the_published_settings_are_the_paper_s_sizes() -> None:
    tied = load("tied-untied").config("paper").cells()
    assert {(c.model.width, c.model.length, c.train.batch, c.train.steps) for c in tied} == {
        (8, 1024, 16, 400)
    }
    assert {c.model.layers for c in load("depth").config("paper").cells()} == {1, 2, 4, 8}
    switching = load("switching-5").config("paper").cells()
    assert {c.source.symbols for c in switching} == {5}
    assert {str(c.source.p) for c in switching} == {"0.1", "0.3", "0.6", "0.9"}
    assert {c.model.layer_norm for c in switching} == {False}
    (reduced,) = [c for c in load("canonical").config("paper").cells() if c.model.kind == "reduced"]
    assert (reduced.train.optimizer, reduced.train.lr, reduced.train.momentum) == ("sgd", 0.01, 0.9)


# --- the command --------------------------------------------------------------------------------


def test_the_list_names_every_preset_with_what_it_shows(run: Run) -> None:
    code, out, _ = run("scan --list-presets")
    lines = out.splitlines()
    assert code == 0 and len(lines) == len(list(FOLDER.glob("*.toml")))
    for path, line in zip(sorted(FOLDER.glob("*.toml")), lines, strict=True):
        name, title = re.split(r"\s+", line, maxsplit=1)
        assert (name, title) == (path.stem, load(name).title)


REFUSED = {
    "--preset dept": "--preset dept is refused: there is no such preset; did you mean depth?",
    "--preset zzz": "there is no such preset; there are basin, canonical, depth,",
    "own.toml --preset depth": "--preset depth and own.toml are two configurations; give one",
    "--preset depth --size huge": "'huge' is not one of 'quick', 'paper'",
    "--size paper": "--size paper is of a preset; give --preset NAME with it",
    "--preset depth --set model.layer=2": "did you mean model.layers?",
}


@pytest.mark.parametrize("words", REFUSED)
def test_a_preset_that_is_not_there_is_refused_with_the_nearest(
    run: Run, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run("scan", words)
    assert (code, out) == (2, "")
    assert REFUSED[words] in " ".join(err.split())
    assert list(tmp_path.iterdir()) == []


def test_a_changed_preset_runs_and_is_not_compared(run: Run, tmp_path: Path) -> None:
    small = "--set model.length=4 --set train.steps=2 --set train.seeds=1 --set train.batch=2"
    preset = "scan --preset no-attention --axis model.tying=tied --json --no-report --out"
    code, out, err = run(preset, tmp_path / "scan", small)
    record = json.loads(out)
    assert code == 0 and (record["cells"], record["done"]) == (1, 1)
    assert record["expectations"] == []
    assert "Not compared with the preset no-attention: --set or --axis have changed it" in err


def test_an_unchanged_preset_is_compared_in_words_and_in_json(run: Run, tmp_path: Path) -> None:
    """Every cell is there already: nothing is trained."""
    config = load("no-attention").config("quick")
    # right for tied weights alone
    content = {c.id: planted(c, end=0.6663, checkpoints=False) for c in config.cells()}
    plant(tmp_path / "scan", config, lambda cell: (content[cell.id], scalars_of(cell)))
    words = f"scan --preset no-attention --no-report --out {tmp_path / 'scan'}"
    code, out, err = run(words, "--json")
    assert code == 0, err
    found = {row["what"]: row for row in json.loads(out)["expectations"]}
    assert list(found) == [e.what for e in load("no-attention").expected("quick")]
    ends = {row["what"]: row["verdict"] for row in found.values() if row["quantity"] == "loss"}
    tied = [verdict for what, verdict in ends.items() if "untied" not in what]
    untied = [verdict for what, verdict in ends.items() if "untied" in what]
    assert set(tied) == {"as expected"} and set(untied) == {"differs"}
    code, out, err = run(words)
    assert code == 0
    assert "Published and measured" in out and "differs" in out and "as expected" in out


# --- the comparison -----------------------------------------------------------------------------

SHARES = np.array([[0.001, 0.02, 0.11, 0.05], [0.002, 0.04, 0.13, 0.03]])


def small(**changes: Any) -> ScanConfig:
    tables: dict[str, Any] = {
        "model": {"kind": "gpt", "width": 2, "length": 3},
        "train": {"steps": 30, "seeds": 2, "checkpoints": 4},
        "measure": {"points": []},
        "source": {"p": "0.5"},
        "axes": {"source.q": ["0.30", "0.8"], "model.tying": ["tied", "untied"]},
    }
    return ScanConfig(**{**tables, **changes})


def planted(
    cell: CellConfig, *, end: float = 0.62, checkpoints: bool = True
) -> dict[str, xr.Dataset]:
    """A finished cell whose numbers were chosen: no network, no training."""
    seeds, steps = cell.train.seeds, cell.train.steps
    times = np.array([0, steps // 3, 2 * steps // 3, steps])
    loss = np.array([[0.7, 0.65, 0.64, end]] * seeds)
    loss[:, 1] += 0.01 * np.arange(seeds)
    loss[:, 2] -= 0.05
    escape = [-1 if k else int(times[2]) for k in range(seeds)]
    arrays = {"loss": (("seed", "step"), loss), "escape_step": ("seed", escape)}
    coords: dict[str, Any] = {"seed": np.arange(seeds), "step": times}
    groups = {"/training": xr.Dataset(arrays, coords=coords)}
    if checkpoints:
        probability = np.full((seeds, 4, 3, 2, 2), np.nan)
        probability[..., 0, 1] = np.linspace(0.1, 0.4, 4)[None, :, None]
        probability[..., 0, 1] += np.array([-0.01, 0.0, 0.01])
        share = np.stack([SHARES, 0 * SHARES], axis=-1)
        rank_one = np.stack([[[energy, 0.9] for energy in (0.2, 0.3, 0.5, 0.7)]] * seeds)
        found = {
            "probability": (("seed", "checkpoint", "position", "last", "next"), probability),
            "attention_share": (("seed", "checkpoint", "layer"), share),
            "rank_one": (("seed", "checkpoint", "matrix"), rank_one),
        }
        coords |= {
            "step": ("checkpoint", times),
            "matrix": ["blocks.0.hidden_in", "blocks.0.query"],
        }
        groups["/checkpoints"] = xr.Dataset(found, coords=coords)
    return groups


def scalars_of(cell: CellConfig) -> dict[str, Any]:
    runs = {"final_loss": 0.62, "outcome": "bigram", "escape_step": 20}
    levels = {"unigram_loss": 0.66628, "bigram_loss": 0.61901, "seconds": 1.0, "points": {}}
    return {**levels, **{name: [value] * cell.train.seeds for name, value in runs.items()}}


@pytest.fixture
def store(tmp_path: Path) -> StoredScan:
    """The first cell has everything, the second no checkpoints, and the others are not there."""
    first, second, *_ = small().cells()
    bare = planted(second, checkpoints=False)
    by_id: dict[str, Any] = {first.id: (planted(first), {}), second.id: (bare, {})}
    return plant(tmp_path / "scan", small(), lambda cell: by_id.get(cell.id))


FIRST = {"source.q": 0.3, "model.tying": "tied"}
SECOND = {"source.q": 0.3, "model.tying": "untied"}
THIRD = {"source.q": 0.8, "model.tying": "tied"}


def found(store: StoredScan, quantity: Any, select: dict[str, Any], **more: Any) -> Finding:
    expectation = Expectation(what="it", quantity=quantity, select=select, **more)
    return compare_with(expectation, store)


def test_each_quantity_is_the_number_that_was_planted(store: StoredScan) -> None:
    inner, query = {"matrix": "blocks.0.hidden_in"}, {"matrix": "blocks.0.query"}
    values: list[tuple[Any, dict[str, Any], float, float]] = [
        ("loss", {}, 0.62, 0.0), ("loss", {"at": 0}, 0.7, 0.0), ("loss", {"at": 10}, 0.655, 0.005),
        ("loss", {"at": 19}, 0.655, 0.005),  # the last evaluation before it
        ("least loss", {}, 0.59, 0.0), ("least loss", {"at": 10}, 0.655, 0.005),
        ("escaped", {}, 0.5, 0.5), ("escaped", {"at": 20}, 0.5, 0.5),
        ("escaped", {"at": 19}, 0.0, 0.0),
        ("probability", {}, 0.4, 0.0), ("probability", {"at": 10}, 0.2, 0.0),
        ("attention share", {}, 0.12, 0.01), ("attention share", {"at": 10}, 0.03, 0.01),
        ("rank one", inner, 0.7, 0.0), ("rank one", {**inner, "at": 0}, 0.2, 0.0),
        ("rank one", {**query, "at": 0}, 0.9, 0.0),
    ]  # fmt: skip
    assert {quantity for quantity, *_ in values} == set(READERS)
    for quantity, more, value, error in values:
        finding = found(store, quantity, FIRST, **more)
        assert finding.value is not None and finding.error is not None
        assert abs(finding.value - value) < 1e-12, (quantity, more)
        assert abs(finding.error - error) < 1e-12, (quantity, more)
        assert (finding.seeds, finding.verdict) == (2, "recorded")


@pytest.mark.parametrize(
    ("bounds", "verdict"),
    [
        ({"low": 0.61, "high": 0.63}, "as expected"),
        ({"low": 0.62, "high": 0.62}, "as expected"),
        ({"low": 0.63, "high": 0.64}, "differs"),
        ({"low": 0.60, "high": 0.61}, "differs"),
        ({"published": 0.1}, "recorded"),
    ],
)
def test_a_number_is_as_expected_exactly_within_its_bounds(
    store: StoredScan, bounds: dict[str, float], verdict: str
) -> None:
    assert found(store, "loss", FIRST, **bounds).verdict == verdict


def test_what_is_not_there_is_missing_and_not_a_difference(store: StoredScan) -> None:
    within = {"low": 0.0, "high": 1.0}
    assert found(store, "loss", SECOND, **within).verdict == "as expected"
    for quantity in ("probability", "attention share", "rank one"):
        finding = found(store, quantity, SECOND, matrix="blocks.0.query", **within)
        assert (finding.value, finding.error, finding.verdict) == (None, None, "missing")
    assert found(store, "loss", THIRD, **within).verdict == "missing"
    assert found(store, "rank one", FIRST, matrix="blocks.9.query").verdict == "missing"


@pytest.mark.parametrize(
    ("select", "message"),
    [
        ({"source.q": 0.3}, "{'source.q': 0.3} selects 2 cells of scan; select one by values"),
        ({"model.width": 2}, "selects 4 cells of scan; select one by values of the axes source.q,"),
        ({}, "selects 4 cells of scan"),
        (
            {**FIRST, "source.q": 0.4},
            "select source.q = 0.4 is refused: no cell has it; choose from 0.3, 0.8",
        ),
        ({"model.tieing": "tied"}, "there is no such setting; did you mean model.tying?"),
    ],
)
def test_an_expectation_that_does_not_select_one_cell_is_refused(
    store: StoredScan, select: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=f"expect 'it': .*{re.escape(message)}"):
        found(store, "loss", select)


def test_a_run_that_diverged_is_no_success(tmp_path: Path) -> None:
    first = small().cells()[0]
    content = planted(first, end=float("nan")), dict[str, Any]()
    store = plant(tmp_path / "scan", small(), lambda cell: content if cell == first else None)
    finding = found(store, "loss", FIRST, low=0.0, high=1.0)
    assert finding.verdict == "differs"


def test_the_comparison_of_a_real_scan_reads_what_it_stored(tmp_path: Path) -> None:
    from landscape.scanning.scan import scan

    config = small(source={"p": "0.5", "q": "0.8"}, axes={"model.tying": ["tied"]})
    result = scan(config, out=tmp_path / "scan")
    (only,) = config.cells()
    ends = result.scalars[only.id]["final_loss"]
    finding = compare_with(Expectation(what="it", quantity="loss"), result.store)
    assert finding.value is not None
    assert abs(finding.value - np.mean(ends)) < 1e-15
    for quantity in READERS:
        more = {"matrix": "blocks.0.hidden_in"} if quantity == "rank one" else {}
        read = found(result.store, quantity, {}, **more)
        assert read.verdict == "recorded" and read.seeds == 2, quantity


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "one bound": ({"low": 0.5}, "expect 'it' has one bound of low and high; give both"),
    "quantity": ({"quantity": "losses"}, "must be one of 'loss', 'least loss', 'escaped'"),
    "typo": ({"selekt": {}}, "did you mean expect.select?"),
}


@pytest.mark.parametrize("case", BAD)
def test_an_expectation_that_cannot_be_read_is_refused(case: str) -> None:
    more, message = BAD[case]
    table: dict[str, Any] = {"what": "it", "quantity": "loss", **more}
    with pytest.raises(ConfigError, match=re.escape(message)):
        Expectation(**table)
