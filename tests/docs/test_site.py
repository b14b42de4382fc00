"""The documentation builds without a warning, and a reader's browser fetches nothing for it."""

import re
from pathlib import Path

import pytest

from tests.docs.building import DOCS, build, check, project

HEAD = "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n\n"


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    made = build(DOCS, tmp_path / "site", execute=False)
    assert made.returncode == 0, made.stderr
    assert made.stderr == ""
    check(tmp_path / "site")
    theorems = (tmp_path / "site" / "theorems.html").read_text("utf-8")
    displayed = (DOCS / "theorems.md").read_text("utf-8").count("\n$$\n") // 2
    assert theorems.count('<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">') == (
        displayed
    )
    points = (tmp_path / "site" / "reference" / "points.html").read_text("utf-8")
    assert 'id="landscape.unigram_point"' in points and "system-message" not in points


def test_what_is_wrong_with_a_page_stops_the_build(tmp_path: Path) -> None:
    pages = {
        "index": "# Home\n\n```{toctree}\nformula\nreference\nlink\nabsent\n```\n",
        "formula": "# Formula\n\n$\\unknowncommand{x}$\n",
        "reference": "# Reference\n\n```{eval-rst}\n.. autofunction:: landscape.no_such\n```\n",
        "link": "# Link\n\n[nowhere](nowhere.md)\n",
        "alone": "# Alone\n",
    }
    made = build(project(tmp_path / "docs", pages), tmp_path / "site", execute=False)
    assert made.returncode == 1
    for complaint in (
        "formula.md:3: WARNING: formula not understood",
        "no_such",
        "link.md:3: WARNING: 'myst' cross-reference target not found",
        "nonexisting document 'absent'",
        "alone.md: WARNING: document isn't included in any toctree",
    ):
        assert complaint in made.stderr


@pytest.mark.parametrize(
    ("cell", "complaint"),
    [
        ("assert 1 + 1 == 3", "AssertionError"),
        ("!landscape spectrum --p 2 --q .8 --at unigram", "exit code 2: landscape spectrum --p 2"),
    ],
)
def test_a_cell_that_fails_stops_the_build(tmp_path: Path, cell: str, complaint: str) -> None:
    page = f"{HEAD}# Home\n\n```{{code-cell}} ipython3\n{cell}\n```\n"
    made = build(project(tmp_path / "docs", {"index": page}), tmp_path / "site", execute=True)
    assert made.returncode != 0
    assert complaint in made.stderr


def test_a_cell_that_holds_shows_what_it_printed(tmp_path: Path) -> None:
    cell = "!landscape status nowhere || echo refused\nprint(6 * 7)"
    page = f"{HEAD}# Home\n\n```{{code-cell}} ipython3\n{cell}\n```\n"
    made = build(project(tmp_path / "docs", {"index": page}), tmp_path / "site", execute=True)
    assert made.returncode == 0, made.stderr
    words = re.sub(r"<[^>]+>", "", (tmp_path / "site" / "index.html").read_text("utf-8"))
    assert "refused" in words and "42" in words
    assert [path.name for path in (tmp_path / "docs").iterdir()] == (
        [path.name for path in project(tmp_path / "again", {"index": page}).iterdir()]
    )
