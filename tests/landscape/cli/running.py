"""A command run in this process, as its user sees it: fixtures, for the conftest of a folder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from landscape.cli import main

__all__ = ["Record", "Run", "record", "run", "strict"]

Run = Callable[..., tuple[int, str, str]]
Record = Callable[..., dict[str, Any]]


def strict(text: str) -> Any:
    """What the JSON says, which has no NaN and no infinity."""
    return json.loads(text, parse_constant=pytest.fail)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Its exit code, what it printed, and what it told on stderr; a path is one word."""

    def run(*words: str | Path) -> tuple[int, str, str]:
        parts = [word.split() if isinstance(word, str) else [str(word)] for word in words]
        with pytest.raises(SystemExit) as left:
            main([word for part in parts for word in part])
        printed = capsys.readouterr()
        assert isinstance(left.value.code, int)
        return left.value.code, printed.out, printed.err

    return run


@pytest.fixture
def record(run: Run) -> Record:
    """Its record: one strict JSON object, of a command that succeeds."""

    def record(*words: str | Path) -> dict[str, Any]:
        code, out, err = run(*words, "--json")
        assert code == 0, err
        found: dict[str, Any] = strict(out)
        return found

    return record
