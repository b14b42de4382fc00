"""The reference has every public name, and every command."""

import re
from pathlib import Path

import landscape
from landscape.cli import COMMANDS

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = "\n".join(page.read_text("utf-8") for page in (DOCS / "reference").glob("*.md"))


def missing(text: str) -> set[str]:
    shown = set(re.findall(r"^\.\. auto(?:class|function):: landscape\.(\w+)$", text, re.MULTILINE))
    return set(landscape.__all__) - {"__version__"} - shown


def test_every_public_name_has_its_entry() -> None:
    assert missing(REFERENCE) == set()
    control = REFERENCE.replace(".. autofunction:: landscape.train\n", "")
    assert missing(control) == {"train"}


def test_every_name_has_one_entry() -> None:
    names = re.findall(r"^\.\. auto\w+:: ([\w.]+)$", REFERENCE, re.MULTILINE)
    assert sorted(names) == sorted(set(names))


def test_every_command_shows_its_help() -> None:
    page = (DOCS / "commands.md").read_text("utf-8")
    assert tuple(re.findall(r"^!landscape (\w+) --help$", page, re.MULTILINE)) == COMMANDS
    assert tuple(re.findall(r"^## (\w+)$", page, re.MULTILINE)) == COMMANDS
