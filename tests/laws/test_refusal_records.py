"""A refusal is a record of its own: told once, with the hints that its reader can follow."""

import pickle

import pytest

from landscape.config.reading import SETTINGS, put
from landscape.config.scan import ScanConfig
from landscape.errors import ConfigError, Refusal, Setting, dotted, words
from tests.laws.refused import refused, tables_of


@pytest.mark.parametrize("place", [name.split(".", 1) for name in SETTINGS])
def test_a_misspelt_setting_names_the_right_one(place: list[str]) -> None:
    section, name = place
    *inner, last = name.split(".")
    dotted_name, typo = ".".join(place), last + last[-1]
    tables = tables_of("model.width=4")
    put(tables, ".".join([section, *inner, typo]), 1)
    with pytest.raises(ConfigError, match=f"did you mean {dotted_name}\\?"):
        ScanConfig(**tables)
    with pytest.raises(ConfigError, match=f"did you mean {dotted_name}\\?"):
        ScanConfig.from_toml(set_=[f"{dotted_name.removesuffix(last)}{typo}=1"])


def test_every_problem_is_a_record_and_a_line_of_its_own() -> None:
    error = refused("source.p=2 source.q=3 model.width=0")
    assert [(r.name, r.value) for r in error.refusals] == [
        ("source.p", 2), ("source.q", 3), ("model.width", 0),
    ]  # fmt: skip
    assert [line.split(" is refused")[0] for line in str(error).splitlines()] == [
        *map(dotted, (Setting(r.name, r.value) for r in error.refusals))
    ]
    missing = refused("source.kind=switching").refusals
    assert [(r.name, r.missing) for r in missing] == [("source.states", True), ("source.p", True)]
    back = pickle.loads(pickle.dumps(error))
    assert back.refusals == error.refusals and str(back) == str(error)


def test_the_same_problem_is_told_once() -> None:
    one, other = Refusal("a", 1, why="no"), Refusal("a", 2, why="no")
    assert str(ConfigError(one, other)) == "a = 1 is refused: no\na = 2 is refused: no"
    error = refused("source.p=.5 @source.p=[1.5]")
    assert len(error.refusals) == len(str(error).splitlines()) == 1


def test_a_hint_at_what_the_reader_cannot_set_is_left_out() -> None:
    hint = ("stop", ("take ", Setting("model.width", 4)), (Setting("train.data"), " or wait"))
    found = Refusal("source.p", 2, why=("not with ", Setting("train.data")), hint=hint)
    assert words(found) == (
        "source.p = 2 is refused: not with train.data; stop, or take model.width = 4, or "
        "train.data or wait"
    )
    option = {"model.width": "--width 4"}
    assert words(found, lambda setting: option.get(setting.name)) == (
        "source.p = 2 is refused: not with train.data; stop, or take --width 4"
    )


def test_a_text_alone_is_a_refusal_without_a_name() -> None:
    error = ConfigError("the folder is full; empty it")
    assert (error.refusals[0].name, str(error)) == ("", "the folder is full; empty it")


@pytest.mark.parametrize(
    ("set_", "axis", "message"),
    [
        ("source.p", "", "--set source.p is refused: write name=value, for example model.width=8"),
        ("", "source.p=", "--axis source.p= is refused: write name=value, for example source.p="),
        ("train.stepz=1", "", "--set train.stepz is refused: there is no such setting; did you"),
        ("source.width=1", "", "did you mean model.width?"),
        ("zzz=1", "", "there is no such setting; there are source.{kind, p, q, states, order, ker"),
        ("model.zzz=1", "", "is refused: there is no such setting; there are model.{kind, width,"),
        ("train=1", "", "--set train is refused: [train] is a table; name a setting in it"),
        ("", "train.stepz=1,2", 'axes."train.stepz" is refused: there is no such setting; did you'),
        ("model.width=8", "model.width=4,8", "model.width is refused: it is given to --set and to"),
        ("", "source.p=[.1", "the axis [.1 is refused: it is not TOML: "),
    ],
)
def test_an_option_that_cannot_be_read_is_refused(set_: str, axis: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ScanConfig.from_toml(set_=[set_] if set_ else [], axis=[axis] if axis else [])
    assert message in str(caught.value)
    assert ("measure.{" in str(caught.value)) == (set_ == "zzz=1")  # all of them only if need be
