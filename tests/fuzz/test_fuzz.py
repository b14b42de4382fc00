"""The random inputs of `python -m tests.fuzz`: a few here, some hundred under `make slow`."""

import pytest

from tests.fuzz.inputs import Input, drawn
from tests.fuzz.judge import faults, judged, loaded


def failing(seeds: range) -> list[str]:
    told = []
    loaded()
    for seed in seeds:
        one = drawn(seed)
        _, found, _ = judged(one)
        told += [f"input {seed}: {fault}: {one.words!r}" for fault in found]
    return told


def test_no_input_of_a_few_ends_in_a_traceback_a_hang_or_a_false_acceptance() -> None:
    assert failing(range(10_000, 10_050)) == []


@pytest.mark.slow
def test_no_input_of_some_hundred_does() -> None:
    assert failing(range(20_000, 20_400)) == []


def test_inputs_are_of_their_number_and_of_all_kinds() -> None:
    assert drawn(7) == drawn(7) != drawn(8)
    some = [drawn(seed) for seed in range(300)]
    assert {bool(one.files) for one in some} == {one.wrong for one in some} == {True, False}


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        ((-1, "", "Traceback (most recent call last):"), "traceback"),
        ((1, "", "Error: a fault of the program, in x.py, line 3: KeyError"), "fault of the"),
        ((0, "done", ""), "false acceptance"),
        ((2, "", ""), "refused without a word"),
        ((2, "half a table", "Error: no"), "refused after it had printed"),
        ((2, "", "Error: --p " + "9" * 400), "a value quoted in full"),
        ((139, "", ""), "exit code 139"),
    ],
)
def test_what_may_not_happen_is_seen(found: tuple[int, str, str], fault: str) -> None:
    one = Input(("train", "--p", "2"), wrong=True)
    assert any(fault in told for told in faults(one, found))
    assert faults(one, (2, "", "Error: --p 2 is refused")) == []


def test_a_hang_is_seen() -> None:
    assert faults(Input(("train",)), (0, "", ""), seconds=21.0) == ["hang"]
