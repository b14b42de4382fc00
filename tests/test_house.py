"""The house keeps its promises: what is packaged, pinned, and built the same way everywhere."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PACKAGES = ["theory", "landscape", "figures"]


def name_of(requirement: str) -> str:
    """The normalised name of a requirement: letters in lower case, runs of -_. as one dash."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match, requirement
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {name_of(name): version for name, version in pairs}


def test_the_wheel_holds_the_three_packages() -> None:
    assert PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == PACKAGES
    assert [p for p in PACKAGES if not (ROOT / p / "__init__.py").is_file()] == []


def test_every_requirement_is_pinned_and_has_a_lower_bound() -> None:
    project = PROJECT["project"]
    required = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert [r for r in required if ">=" not in r] == []
    assert [r for r in required if name_of(r) not in pins()] == []


@pytest.mark.parametrize("requirement", PROJECT["project"]["dependencies"])
def test_every_pin_is_within_its_bound(requirement: str) -> None:
    bound = requirement.partition(">=")[2]
    assert _numbers(pins()[name_of(requirement)]) >= _numbers(bound)


def test_installers_and_builds_of_torch_are_not_pinned() -> None:
    assert {"pip", "setuptools"} & set(pins()) == set()
    assert pins()["torch"] == "2.13.0"  # without +cpu, which another index serves


def test_ci_is_make_test() -> None:
    script = ROOT / ".ci" / "run"
    lines = script.read_text("utf-8").splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in lines
    assert lines[-1] == "make test"
    assert script.stat().st_mode & 0o111 == 0o111


def test_make_has_the_targets_that_are_promised() -> None:
    rules = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    named = ["bench", "check", "docs", "figures", "presets", "scan", "slow", "test", "theorems"]
    assert sorted(rules) == named


def test_no_file_is_named_for_nothing() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "misc"}
    sources = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    assert [path.name for path in sources if path.stem in vague] == []


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
