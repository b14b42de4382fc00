"""The reference has every public name, and every command."""

import re
from pathlib import Path
from types import ModuleType

import pytest

import landscape
import theory
from landscape.cli import COMMANDS

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = "\n".join(page.read_text("utf-8") for page in (DOCS / "reference").glob("*.md"))


def missing(text: str, package: ModuleType) -> set[str]:
    entry = rf"^\.\. auto(?:class|function|exception):: {package.__name__}\.(\w+)$"
    return set(package.__all__) - {"__version__"} - set(re.findall(entry, text, re.MULTILINE))


@pytest.mark.parametrize(("package", "name"), [(landscape, "train"), (theory, "theorem")])
def test_every_public_name_has_its_entry(package: ModuleType, name: str) -> None:
    assert missing(REFERENCE, package) == set()
    control = REFERENCE.replace(f".. autofunction:: {package.__name__}.{name}\n", "")
    assert missing(control, package) == {name}


def test_every_name_has_one_entry() -> None:
    names = re.findall(r"^\.\. auto\w+:: ([\w.]+)$", REFERENCE, re.MULTILINE)
    assert sorted(names) == sorted(set(names))


def test_every_command_shows_its_help() -> None:
    page = (DOCS / "commands.md").read_text("utf-8")
    assert tuple(re.findall(r"^!landscape (\w+) --help$", page, re.MULTILINE)) == COMMANDS
    assert tuple(re.findall(r"^## (\w+)$", page, re.MULTILINE)) == COMMANDS
