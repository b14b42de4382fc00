"""A configuration is read as it was written, and names its cells the same way every time."""

import json
import pickle
from decimal import Decimal
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from landscape.config import Source
from landscape.config.canonical import canonical, jsonable, plain_decimal
from landscape.config.cell import CellConfig
from landscape.config.reading import axis_values, read_value, read_values
from landscape.config.scan import ScanConfig
from landscape.errors import ConfigError

TWO = {"source": {"p": Decimal("0.5"), "q": Decimal("0.8")}}


def scan(**tables: Any) -> ScanConfig:
    return ScanConfig(**{**TWO, **tables})


def only(config: ScanConfig) -> CellConfig:
    (cell,) = config.cells()
    return cell


# --- the demonstration ---------------------------------------------------------------------------


def test_the_demonstration_is_fifty_cells_in_the_order_of_its_axes() -> None:
    cells = ScanConfig.from_toml().cells()
    grid = [Decimal(text) for text in ("0.1", "0.3", "0.5", "0.7", "0.9")]
    assert [tuple(cell.coordinates.values()) for cell in cells] == [
        *product(grid, grid, ["tied", "untied"])
    ]
    assert {(c.model.width, c.model.hidden, c.model.length) for c in cells} == {(4, 16, 8)}
    assert {(c.train.steps, c.train.seeds, c.train.lr) for c in cells} == {(1000, 4, 0.002)}
    assert {c.measure.slice.resolution for c in cells if c.measure.slice} == {51}


def test_the_settings_of_a_cell_are_those_of_its_coordinates() -> None:
    for cell in ScanConfig.from_toml().cells():
        at = {"source.p": cell.source.p, "source.q": cell.source.q, "model.tying": cell.model.tying}
        assert cell.coordinates == at


# --- ids -----------------------------------------------------------------------------------------


decimals = st.decimals(min_value="0.000001", max_value="0.999999", places=6)


@given(p=decimals, zeros=st.integers(0, 30), shift=st.integers(-9, 9))
def test_an_id_does_not_depend_on_how_decimals_are_put(p: Decimal, zeros: int, shift: int) -> None:
    # The same rational number, with idle zeros and with an exponent; exactness is checked apart.
    digits = format(p, "f") + "0" * zeros
    scientific = f"{format(p.scaleb(shift), 'f')}e{-shift}"
    assert Fraction(scientific) == Fraction(p)
    ids = {only(scan(source={"p": read_value(text), "q": 0.5})).id for text in (digits, scientific)}
    assert ids == {only(scan(source={"p": p, "q": 0.5})).id}


@given(p=decimals, q=decimals)
def test_different_decimals_have_different_ids(p: Decimal, q: Decimal) -> None:
    # The control of the test above: a canonical form that forgot digits would pass that one.
    one, other = (only(scan(source={"p": value, "q": 0.5})).id for value in (p, q))
    assert (one == other) == (Fraction(p) == Fraction(q))


def test_decimals_beyond_the_precision_of_the_context_stay_apart() -> None:
    long = "0." + "3" * 40
    ids = {only(scan(source={"p": Decimal(text), "q": 0.5})).id for text in (long, long + "1")}
    assert len(ids) == 2


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9))
def test_a_plain_decimal_is_the_same_number_and_is_its_own_plain_form(value: Decimal) -> None:
    text = plain_decimal(value)
    assert Fraction(text) == Fraction(value)
    assert "e" not in text.lower()
    assert plain_decimal(Decimal(text)) == text


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_a_canonical_float_reads_back_to_the_same_number(value: float) -> None:
    assert json.loads(canonical(value)) == value
    assert canonical(-0.0) == canonical(0.0)


RECORDS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals(-9, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(RECORDS)
def test_every_record_is_strict_json(value: object) -> None:
    text = json.dumps(jsonable(value), allow_nan=False)
    assert json.loads(text) == jsonable(value)


@given(order=st.permutations(["source.p", "source.q", "model.width"]))
def test_ids_and_hash_do_not_depend_on_the_name_or_the_order_of_axes(order: list[str]) -> None:
    axes = {"source.p": [0.1, 0.3], "source.q": [0.2, 0.4], "model.width": [4, 8]}
    plain = scan(axes=axes)
    turned = scan(name="other", axes={name: axes[name] for name in order})
    assert {c.id for c in turned.cells()} == {c.id for c in plain.cells()}
    assert turned.hash == plain.hash
    assert turned.difference(plain) == []


def test_a_default_written_out_is_the_default() -> None:
    written = scan(model={"hidden": 16, "width": 4}, train={"lr": 2e-3, "batch": 256})
    assert only(written).id == only(scan()).id
    assert only(scan(measure={"points": ["trained", "bigram", "unigram"]})).id == only(scan()).id


CHANGES = [
    {"model": {"width": 8}}, {"model": {"hidden": 15}}, {"model": {"init": "ansatz"}},
    {"model": {"kind": "reduced"}}, {"model": {"tying": "untied"}}, {"model": {"length": 7}},
    {"train": {"lr": 1e-3}}, {"train": {"steps": 999}}, {"train": {"seeds": 5}},
    {"train": {"seed": 1}}, {"train": {"weight_decay": 0}}, {"train": {"dtype": "float32"}},
    {"measure": {"points": ["bigram"]}}, {"measure": {"random_weights": 0.5}},
    {"measure": {"refine": True}}, {"measure": {"slice": {}}},
]  # fmt: skip


@pytest.mark.parametrize("tables", CHANGES, ids=str)
def test_every_setting_that_changes_the_work_changes_the_id(tables: dict[str, Any]) -> None:
    assert only(scan(**tables)).id != only(scan()).id


def test_cells_that_differ_in_p_and_q_alone_share_a_batch_key() -> None:
    config = scan(axes={"source.p": [0.1, 0.3], "source.q": [0.2, 0.4], "model.width": [4, 8]})
    keys = {(cell.batch_key, cell.model.width) for cell in config.cells()}
    assert len(keys) == len({key for key, _ in keys}) == 2


# --- defaults that follow from other settings ----------------------------------------------------


def test_hidden_follows_the_width_of_each_cell() -> None:
    cells = scan(axes={"model.width": [4, 8]}).cells()
    assert [cell.model.hidden for cell in cells] == [16, 32]


def test_the_ansatz_has_coordinates_and_the_standard_initialisation_has_none() -> None:
    model = only(scan(model={"init": "ansatz", "w": -2})).model
    assert (model.e, model.w, model.b) == (0.1, -2.0, 0.0)
    reduced = only(scan(model={"kind": "reduced"})).model
    assert (reduced.e, reduced.w, reduced.b) == (0.1, 0.0, 0.0)
    assert only(scan()).model.e is None


# --- axes ----------------------------------------------------------------------------------------


@given(st.decimals(-100, 100, places=2), st.decimals(-10, 10, places=3), st.integers(2, 40))
def test_a_spaced_axis_is_exact_where_it_can_be(first: Decimal, step: Decimal, count: int) -> None:
    table = {"from": first, "to": first + (count - 1) * step, "count": count}
    values = [Fraction(value) for value in axis_values("model.e", table)]
    assert values == [Fraction(first) + k * Fraction(step) for k in range(count)]


def test_a_spaced_axis_is_not_what_floats_make_of_it() -> None:
    # The control: in floats 0.1 + 2 * 0.1 is not 0.3, and p + q = 1 would be missed.
    values = axis_values("source.p", {"from": 0.1, "to": 0.9, "count": 9})
    assert values[2] == Decimal("0.3") != Decimal(0.1 + 2 * 0.1)


def test_a_spaced_axis_keeps_more_digits_than_a_float_has() -> None:
    first, step = Decimal("0.10000000000000000001"), Decimal("0.00000000000000000002")
    values = axis_values("source.p", {"from": first, "to": first + 2 * step, "count": 3})
    assert values == (first, first + step, first + 2 * step)
    assert len({float(first), float(first + step)}) == 1


def test_thirds_are_cut_at_fifteen_digits_and_still_add_up_to_one() -> None:
    low, high = axis_values("source.p", {"from": Decimal("0"), "to": 1, "count": 4})[1:3]
    assert (low, high) == (Decimal("0.333333333333333"), Decimal("0.666666666666667"))
    assert Fraction(low) + Fraction(high) == 1


def test_an_axis_gives_the_setting_it_runs_over() -> None:
    config = scan(source={"q": 0.8}, axes={"source.p": [0.5]})
    assert only(config).id == only(scan()).id
    assert config.hash == scan().hash


@pytest.mark.parametrize("value", ["0.5", Decimal("0.5"), 0.5, Decimal("1e-300")])
def test_a_probability_inside_the_open_interval_is_kept_as_written(value: Any) -> None:
    assert only(scan(source={"p": value, "q": 0.5})).source.p == Decimal(str(value))


def test_a_section_alone_raises_the_same_exception() -> None:
    with pytest.raises(ConfigError, match=r"^source\.p = 2 is refused"):
        Source(p=Decimal(2), q=Decimal("0.5"))


# --- files and the command line ------------------------------------------------------------------


def test_a_file_is_read_with_its_decimals(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[source]\np = 0.10\nq = 0.8\n[measure]\nslice = false\n")
    config = ScanConfig.from_toml(path)
    assert (config.name, str(config.source.p), config.measure.slice) == ("mine", "0.10", None)
    assert config.default_out() == Path("runs") / f"mine-{config.hash[:8]}"


@pytest.mark.parametrize("content", [None, b"[source\np = 1", b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    words = "is not TOML: " if content else "cannot be read: No such file or directory"
    with pytest.raises(ConfigError, match=words):
        ScanConfig.from_toml(path)


def test_set_replaces_an_axis_and_axis_replaces_an_axis() -> None:
    config = ScanConfig.from_toml(set_=["source.p=.5", "model.width=8"], axis=["source.q=.3,.8"])
    assert list(config.axes) == ["source.q", "model.tying"]
    assert {str(cell.source.p) for cell in config.cells()} == {"0.5"}
    assert {cell.model.hidden for cell in config.cells()} == {32}
    assert [str(cell.source.q) for cell in config.cells()[::2]] == ["0.3", "0.8"]


VALUES = {
    ".5": Decimal("0.5"), "-.5": Decimal("-0.5"), "1e-3": Decimal("0.001"), "8": 8, "true": True,
    "untied": "untied", '"untied"': "untied", '["bigram"]': ["bigram"],
    "{ resolution = 5 }": {"resolution": 5}, "1\nb = 2": "1\nb = 2",
}  # fmt: skip


@pytest.mark.parametrize("text", VALUES)
def test_a_value_of_the_command_line_is_a_toml_value_or_a_bare_string(text: str) -> None:
    assert read_value(text) == VALUES[text]


@pytest.mark.parametrize("text", [".1,.2", "[.1, .2]", "[0.1,0.2]", " 0.1 , 0.2"])
def test_the_values_of_an_axis_are_a_list(text: str) -> None:
    assert read_values(text) == [Decimal("0.1"), Decimal("0.2")]


def test_the_values_of_an_axis_may_be_spaced() -> None:
    table = {"from": Decimal("0.1"), "to": Decimal("0.9"), "count": 5}
    assert read_values("{from=.1, to=.9, count=5}") == table


# --- two configurations --------------------------------------------------------------------------


def test_the_difference_names_each_setting_once_with_both_values() -> None:
    here = scan(train={"steps": 1000}, axes={"source.p": [0.1, 0.3]})
    there = scan(train={"steps": 2000, "lr": 0.01}, model={"width": 8})
    assert here.difference(there) == [
        "source.p: [0.1, 0.3] here, 0.5 in the folder",
        "train.steps: 1000 here, 2000 in the folder",
        "model.width: 4 here, 8 in the folder",
        "train.lr: 0.002 here, 0.01 in the folder",
    ]
    assert here.difference(here) == []


def test_a_slice_against_none_is_a_difference() -> None:
    assert scan().difference(scan(measure={"slice": {}})) != []
    assert scan(measure={"slice": {}}).difference(scan()) != []


values = st.fixed_dictionaries(
    {},
    optional={
        "source.p": st.lists(decimals, min_size=1, max_size=3, unique=True),
        "model.width": st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True),
        "train.lr": st.lists(st.floats(1e-6, 1), min_size=1, max_size=2, unique=True),
        "measure.refine": st.just([True, False]),
    },
)


@given(axes=values, steps=st.integers(0, 3))
def test_a_configuration_survives_json_and_pickle(axes: dict[str, Any], steps: int) -> None:
    config = scan(axes=axes, train={"steps": steps})
    back = ScanConfig(**json.loads(json.dumps(jsonable(config.written))))
    assert back.hash == config.hash
    assert back.difference(config) == []
    assert [c.coordinates for c in back.cells()] == [c.coordinates for c in config.cells()]
    assert pickle.loads(pickle.dumps(config)).hash == config.hash
    assert pickle.loads(pickle.dumps(config.cells()[0])).id == config.cells()[0].id


@given(values, values)
def test_hashes_are_equal_exactly_if_the_cells_are(one: dict[str, Any], other: Any) -> None:
    a, b = scan(axes=one), scan(axes=other)
    same = {cell.id for cell in a.cells()} == {cell.id for cell in b.cells()}
    assert (a.hash == b.hash) == same
    assert (a.difference(b) == []) == same
