"""Nothing false is read from a damaged folder, and a scan heals it."""

import json
import random
from pathlib import Path

import pytest

from landscape.store.records import Record
from tests.fuzz import damage
from tests.fuzz.damage import DAMAGE, content, sound_folder, trials


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sound_folder(tmp_path_factory.mktemp("fuzz") / "sound")


@pytest.mark.parametrize("count", [2, pytest.param(500, marks=pytest.mark.slow)])
def test_no_damage_is_taken_for_what_was_written(sound: Path, tmp_path: Path, count: int) -> None:
    found = trials(sound, tmp_path, count, seed=0)
    assert found.faults == []
    assert found.done.total() == count
    if count >= 100:
        assert found.done.keys() == DAMAGE.keys()


def test_a_reader_that_believes_everything_is_seen(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: without the check of digests a record that lies is read."""

    def believe(path: Path, old: object) -> Record:
        return Record(json.loads(path.read_text("utf-8")), vouched=True)

    def lie(path: Path, draw: random.Random) -> None:
        record = next((path.parents[1] / "cells").glob("*.json"))
        text = record.read_text("utf-8")
        assert '"zero_bound"' in text
        record.write_text(text.replace('"zero_bound"', '"bound"'))

    monkeypatch.setattr("landscape.store.scan_store.read_record", believe)
    monkeypatch.setattr(damage, "DAMAGE", {"a lie": lie})
    assert any("something else" in fault for fault in trials(sound, tmp_path, 1, seed=0).faults)
    assert len(content(sound)) == 2
