"""What the documentation pages show is what the software does."""

import json
import re
import sys
from pathlib import Path

import pytest

from landscape.cli import main
from landscape.config import ConfigError, ScanConfig
from landscape.presets import load, names
from landscape.sections import Model, Source, Train

DOCS = Path(__file__).parents[1] / "docs"


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text("utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_a_model_of_ones_own_is_scanned_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,), (config,), (command,) = (blocks("own_model.md", b) for b in ("python", "toml", "sh"))
    (tmp_path / "lstm.py").write_text(code, "utf-8")
    small = config.replace("steps = 300", "steps = 5\nseeds = 2").replace(
        "[axes]", '[measure]\npoints = ["unigram"]\n[axes]'
    )
    (tmp_path / "lstm.toml").write_text(small, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "lstm", raising=False)
    arguments = command.split()[1:]
    assert arguments == ["scan", "lstm.toml", "--allow-code"]
    with pytest.raises(SystemExit) as left:
        main([*arguments, "--json"])
    assert left.value.code == 0
    record = json.loads(capsys.readouterr().out)
    assert record["done"] == 2 and record["absent"] == []
    for row in record["table"]:
        # E = 0 and b = ln pi predict pi = 1/3 whatever the gates are: the loss is ln 3
        assert row["unigram"]["verdict"] == "verified"
        assert row["unigram"]["inertia"] == row["unigram"]["predicted_inertia"]
        assert row["unigram_loss"] == pytest.approx(1.0986122886681098, abs=1e-15)
    with pytest.raises(SystemExit) as left:  # the control: code is not run without being allowed
        main([*arguments[:-1], "--out", "elsewhere"])
    assert left.value.code == 2
    assert "add --allow-code" in capsys.readouterr().err
    assert not Path("elsewhere").exists()


def test_the_configuration_of_the_settings_page_is_one(tmp_path: Path) -> None:
    (text,) = blocks("settings.md", "toml")
    file = tmp_path / "chains.toml"
    file.write_text(text, "utf-8")
    assert [cell.source.kernel_seed for cell in ScanConfig.from_toml(file).cells()] == [1, 2, 3]
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


def test_every_link_leads_somewhere() -> None:
    for page in DOCS.glob("*.md"):
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), (page.name, link)
