"""What is beyond the machine, or beyond all measure, is refused before any of it is built."""

import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from landscape.config import demand
from landscape.config.build import model_of
from landscape.config.demand import available_memory, parameters, refuse_too_much
from landscape.config.reading import name_of, read_toml
from landscape.config.scan import ScanConfig
from landscape.errors import QUOTED, ConfigError, refused, shown
from landscape.models.parameters import parameters_of
from landscape.scanning.scan import scan
from landscape.spectra.operators import LARGEST_DENSE
from tests.landscape.cli.running import Run

SOURCE = {"p": 0.5, "q": 0.8}


def scan_of(**tables: Any) -> ScanConfig:
    """A configuration, of plain tables."""
    return ScanConfig(**tables)


def one(**tables: Any) -> Any:
    return scan_of(**{"source": SOURCE, **tables}).cells()[0]


@pytest.mark.parametrize(
    "model",
    [
        {"width": 6, "length": 5},
        {"kind": "gpt", "width": 6, "length": 5, "layers": 3, "hidden": 40, "tying": "untied"},
        {"kind": "gpt", "width": 32, "positions": "none"},
        {"kind": "reduced"},
    ],
)
def test_the_number_of_parameters_is_known_before_a_model_is_built(model: dict[str, Any]) -> None:
    cell = one(model=model)
    exact = sum(value.numel() for value in parameters_of(model_of(cell)).values())
    predicted = parameters(cell)
    assert predicted is not None and abs(predicted / exact - 1) < 0.2
    assert demand.LARGEST_DENSE == LARGEST_DENSE  # of a room that loads torch


MEASURED = [
    ({"model": {"width": 100_000}}, "model.width = 100000 is refused: a model of 120001200008 p"),
    ({"model": {"kind": "gpt", "width": 80}}, "is too large for a dense Hessian, which takes"),
    ({"train": {"steps": 10**9}}, "the curves of 4 runs over 1000000000 steps: about"),
    (
        {"train": {"data": "sampled", "batch": 10**9}, "measure": {"points": []}},
        "train.batch = 1000000000 is refused: 4 batches of 1000000000 sequences of 8 symbols",
    ),
    (
        {"train": {"data": "sampled"}, "measure": {"points": []}, "model": {"length": 10**8}},
        "model.length = 100000000 is refused: 4 batches of 256 sequences",
    ),
]


@pytest.mark.parametrize(("tables", "words"), MEASURED)
def test_a_scan_beyond_the_machine_is_refused_with_the_figure(
    tables: dict[str, Any], words: str, tmp_path: Path
) -> None:
    begun = time.perf_counter()
    with pytest.raises(ConfigError) as caught:
        scan(scan_of(source=SOURCE, **tables), out=tmp_path / "out")
    assert words in str(caught.value) and "; take " in str(caught.value)
    assert time.perf_counter() - begun < 5 and not (tmp_path / "out").exists()


def test_what_fits_is_let_through_and_the_limits_are_those_that_are_free(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cell = one(model={"width": 30})
    refuse_too_much([cell], training=True, hessian=True)
    assert 2**24 < available_memory() < 2**50
    monkeypatch.setattr(demand, "available_memory", lambda: 2**20)
    with pytest.raises(ConfigError, match="and 1 MiB of memory are free here"):
        refuse_too_much([cell], training=True, hessian=True)
    refuse_too_much([cell], training=True, hessian=True, device="cuda")
    free = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(demand, "available_memory", lambda: 2**60)
    monkeypatch.setattr("shutil.disk_usage", lambda _: free)
    with pytest.raises(ConfigError, match=r"the results: about .*, and 1000 bytes are free in"):
        refuse_too_much([cell], training=True, hessian=True, folder=tmp_path / "a" / "b")


FAR = [
    {"source": {"p": Decimal("1e-999999999"), "q": 0.5}},
    {"source": {"p": Decimal("0." + "1" * 5000), "q": 0.5}},
    {"model": {"width": Decimal("1e999999999")}},
    {"model": {"width": 10**4000}},
    {"model": {"width": 2**100_000}},
    {"train": {"lr": Decimal("1e999999999")}},
    {"train": {"steps": 10**10}},
    {"measure": {"slice": {"resolution": 10**7 + 1}}},
    {"axes": {"source.p": {"from": Decimal("0.1"), "to": Decimal("1e999999999"), "count": 3}}},
    {"axes": {"source.p": {"from": Decimal("0.1"), "to": Decimal("0.9"), "count": 10**7}}},
    {"axes": {"train.seed": range(10**6 + 1)}},
    {"axes": {"train.seed": range(2000), "model.width": range(1, 2001)}},
]


@pytest.mark.parametrize("tables", FAR, ids=range(len(FAR)))
def test_numbers_beyond_all_measure_are_refused_at_once(tables: dict[str, Any]) -> None:
    begun = time.perf_counter()
    with pytest.raises(ConfigError) as caught:
        scan_of(**{"source": SOURCE, **tables})
    assert time.perf_counter() - begun < 2
    assert max(map(len, str(caught.value).split())) <= QUOTED


def test_the_values_of_an_axis_are_counted_before_they_are_spread() -> None:
    with pytest.raises(ConfigError, match=r"they span 2000 x 2000 = 4000000 cells"):
        scan_of(source=SOURCE, axes={"train.seed": range(2000), "model.width": range(1, 2001)})


def test_a_message_quotes_the_ends_of_a_long_value() -> None:
    error = refused("model.width", "1" + "0" * 400 + "2", why="no")
    assert str(error) == f"model.width = '1{'0' * 36}...{'0' * 37}2' is refused: no"
    assert [len(shown(value)) for value in ("x" * 99, [0.5] * 99, 10**300)] == [QUOTED] * 3
    assert shown(2**100_000) == "a whole number of 100001 bits"


def test_a_mark_of_byte_order_is_skipped_and_utf_16_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("[source]\np = 0.3\n", "utf-8-sig")
    assert read_toml(path) == {"source": {"p": Decimal("0.3")}}
    path.write_text("[source]\np = 0.3\n", "utf-16")
    with pytest.raises(ConfigError, match="is not TOML: it is UTF-16; save it as UTF-8"):
        read_toml(path)
    for content in ("a = " + "[" * 9000, "a = " + "9" * 9000, "a = [1"):
        path.write_text(content)
        with pytest.raises(ConfigError, match="is not TOML: "):
            read_toml(path)


@pytest.mark.parametrize(
    "file", ["-x.toml", "a b.toml", "new\nline.toml", "\udcff\udcfe.toml", ".toml", "é" * 120, "%%"]
)
def test_a_configuration_of_any_file_name_has_a_name(file: str) -> None:
    config = scan_of(source=SOURCE, name=name_of(Path(file)))
    assert config.default_out().name.encode() and len(config.default_out().name.encode()) < 255
    with pytest.raises(ConfigError, match="name = '"):
        scan_of(source=SOURCE, name="-" + "x" * 300)


# --- settings that nothing reads ----------------------------------------------------------------


def test_what_one_choice_alone_reads_is_said_or_kept_for_the_cells_that_read_it() -> None:
    axes = {"train.data": ["exact", "sampled"]}
    mixed = scan_of(source=SOURCE, train={"batch": 16}, axes=axes)
    assert [cell.train.batch for cell in mixed.cells()] == [None, 16]
    assert scan_of(**mixed.written).hash == mixed.hash and not mixed.unread_by_all("train")
    given = {"batch": 16, "momentum": 0.5, "evaluate_every": 3}
    unread = scan_of(source=SOURCE, train=given)
    assert set(unread.unread_by_all("train")) == {f"train.{name}" for name in given}
    assert unread.hash == scan_of(source=SOURCE).hash


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"feedforward": False, "activation": "relu"}, "model.activation = 'relu' is refused:"),
        ({"feedforward": False, "hidden": 3}, "model.hidden = 3 is refused: with"),
        ({"window": 9}, "model.window = 9 is refused: it is beyond model.length = 8"),
    ],
)
def test_a_setting_of_a_model_that_no_cell_reads_is_refused(
    model: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        one(model={"kind": "gpt", **model})
    grid: dict[str, Any] = {"model.feedforward": [True, False]}  # one cell reads it
    if "window" in model:
        model, grid = {"window": 5}, {"model.length": [4, 6]}
    kept = {key: value for key, value in model.items() if key != "feedforward"}
    assert len(scan_of(source=SOURCE, model={"kind": "gpt", **kept}, axes=grid).cells()) == 2


@pytest.mark.parametrize(
    ("command", "given"),
    [
        ("verify", "train.data=sampled"),
        ("verify", "train.steps=3"),
        ("verify", "measure.refine=true"),
        ("spectrum --at unigram", "train.lr=1"),
        ("spectrum --at trained", "measure.points=[]"),
        ("slice --at bigram", "train.dtype=float32"),
        ("train", "train.seeds=3"),
        ("train", "measure.refine=true"),
    ],
)
def test_a_command_refuses_the_settings_that_it_does_not_read(
    run: Run, command: str, given: str
) -> None:
    code, out, err = run(f"{command} --p .5 --q .8 --width 2 --length 2 --set {given}")
    assert (code, out) == (2, "")
    assert err == f"Error: --set {given} is refused: this command does not read it; leave it out\n"
