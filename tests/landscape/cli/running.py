"""A command run in this process, as its user sees it."""

import json
from typing import Any

import pytest

from landscape.cli import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Its exit code, what it printed, and what it told on stderr."""
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    printed = capsys.readouterr()
    code = left.value.code
    assert isinstance(code, int)
    return code, printed.out, printed.err


def record(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """Its record: one strict JSON object, of a command that succeeds."""
    code, out, err = run(capsys, *arguments, "--json")
    assert code == 0, err

    def refuse(text: str) -> float:
        raise AssertionError(f"{text} is not JSON")

    found: dict[str, Any] = json.loads(out, parse_constant=refuse)
    return found
