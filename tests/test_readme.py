"""What the README shows is what the software does."""

import re
from pathlib import Path

import pytest

from landscape.cli import COMMANDS

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_python_example_prints_what_the_readme_says(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks("python")
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert printed == blocks("text")[0]


def test_the_configuration_is_one(tmp_path: Path) -> None:
    from landscape.config import ConfigError, ScanConfig

    (text,) = blocks("toml")
    file = tmp_path / "wide.toml"
    file.write_text(text, "utf-8")
    assert [cell.model.width for cell in ScanConfig.from_toml(file).cells()] == [2, 4, 8]
    file.write_text(text.replace("batch", "bach"), "utf-8")  # control: it is read and checked
    with pytest.raises(ConfigError, match="batch"):
        ScanConfig.from_toml(file)


def test_every_command_is_in_the_table() -> None:
    listed = re.findall(r"^\| `landscape (\w+)", README, flags=re.MULTILINE)
    assert listed == list(COMMANDS)


def test_the_numbers_of_the_spectrum_command(capsys: pytest.CaptureFixture[str]) -> None:
    import json

    from landscape.cli import main

    (line,) = re.findall(r"^\.venv/bin/landscape (spectrum .*)$", README, flags=re.MULTILINE)
    with pytest.raises(SystemExit) as left:
        main([*line.split(), "--json"])
    record = json.loads(capsys.readouterr().out)
    assert left.value.code == 0
    assert record["parameters"] == 221 and record["inertia"] == [0, 216, 5]
    assert record["classification"] == "local minimum"
    assert record["max_error"] < 1e-15


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links
    for link in links:
        assert (Path(__file__).parents[1] / link).exists(), link
