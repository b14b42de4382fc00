"""What the documentation pages show is what the software does."""

import re
from pathlib import Path

import pytest

from landscape.config import Model, Source, Train
from landscape.config.scan import ScanConfig
from landscape.errors import ConfigError
from landscape.scanning.presets import load, names

DOCS = Path(__file__).parents[1] / "docs"


def test_the_configuration_of_the_settings_page_is_one(tmp_path: Path) -> None:
    page = (DOCS / "settings.md").read_text("utf-8")
    (text,) = re.findall(r"%%writefile chains.toml\n(.*?)```", page, flags=re.DOTALL)
    file = tmp_path / "chains.toml"
    file.write_text(text, "utf-8")
    assert [cell.source.kernel_seed for cell in ScanConfig.from_toml(file).cells()] == [1, 2]
    file.write_text(text.replace("states = 3", "states = 3\nq = 0.5"), "utf-8")
    with pytest.raises(ConfigError, match="source of kind 'markov' does not read it"):
        ScanConfig.from_toml(file)


@pytest.mark.parametrize("section", [Source, Model, Train])
def test_every_setting_is_on_the_settings_page(section: type) -> None:
    text = (DOCS / "settings.md").read_text("utf-8")
    words = set(re.findall(r"[\w-]+", text))
    left_out = {"dtype", "hidden"}  # explained by --help and the README's table
    assert {name for name in section.model_fields if name not in words} <= left_out  # type: ignore[attr-defined]  # pydantic models, all three


def test_every_preset_and_each_of_its_expectations_is_on_their_page() -> None:
    text = (DOCS / "presets.md").read_text("utf-8")
    for name in names():
        preset = load(name)
        assert f"## {name}: {preset.title}" in text
        section = text.partition(f"## {name}:")[2].partition("\n## ")[0]
        for expectation in preset.expected("quick"):
            bounds = f"{expectation.low:g} to {expectation.high:g}" if expectation.low else "recor"
            published = "" if expectation.published is None else f"{expectation.published:g}"
            name = expectation.what.replace("|", "\\|")
            row = f"| {name} | {published} | {bounds}"
            assert row in section, row
            assert expectation.note in section
    assert "**differs**" not in text and "**missing**" not in text
