"""What the README shows is what the software does."""

import re
from pathlib import Path

import pytest

from landscape.cli import COMMANDS
from tests.test_arrows import ROOMS

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_python_example_prints_what_the_readme_says(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks("python")
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert printed == blocks("text")[0]


def test_every_command_is_in_the_table() -> None:
    listed = re.findall(r"^\| `landscape (\w+)", README, flags=re.MULTILINE)
    assert listed == list(COMMANDS)


def test_the_example_has_ten_lines_and_what_is_said_of_it_holds() -> None:
    (code,), (printed,) = blocks("python"), blocks("text")[:1]
    assert len(code.strip().splitlines()) <= 10
    counts = [int(n) for n in re.findall(r"\((\d+), (\d+), (\d+)\)", printed)[0]]
    assert f"Of the {sum(counts)} eigenvalues at the unigram none is negative" in README
    assert counts[0] == 0


def test_the_citation_is_of_this_version() -> None:
    import tomllib

    import yaml

    root = Path(__file__).parents[1]
    citation = yaml.safe_load((root / "CITATION.cff").read_text("utf-8"))
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    for reference in citation["references"]:
        assert reference["url"].rpartition("/")[2] in README
        assert reference["authors"] and reference["title"]


def rooms(text: str) -> dict[str, tuple[str, ...]]:
    """The rooms of each package in a map of the house, in its order."""
    house = text[text.index("imports run forward only") :].split("```")[1]
    found: dict[str, tuple[str, ...]] = {}
    for part in re.split(r"\n(?=\w)", house.partition("\n")[2]):
        package, _, rest = re.sub(r"\n {13}[^-\s].*", "", part).partition(" ")
        found[package.strip("/:")] = tuple(re.findall(r"\w+", rest))
    return found


@pytest.mark.parametrize("page", ["README.md", "docs/reference/index.md"])
def test_the_map_of_the_house_has_every_room_in_its_order(page: str) -> None:
    text = (Path(__file__).parents[1] / page).read_text("utf-8")
    assert rooms(text) == ROOMS
    assert rooms(text.replace("-> export", "")) != ROOMS  # the control


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links
    for link in links:
        assert (Path(__file__).parents[1] / link).exists(), link
