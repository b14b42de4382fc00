"""The documentation builds without a warning, and a reader's browser fetches nothing for it."""

import re
from pathlib import Path

from tests.docs.building import DOCS, build, check, project


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


def stops_at_a_cell_that_fails(conf: str, makefile: str) -> bool:
    """Whether `make docs` executes every page and takes a warning for an error."""
    set_to = dict(re.findall(r"^nb_execution_(\w+) = (\S+)", conf, re.MULTILINE))
    recipe = re.findall(r"-m sphinx (.*) docs ", makefile)
    strict = bool(recipe) and all("-W" in line.split() for line in recipe)
    return (
        strict
        and set_to["mode"] == '"force"'
        and not {"allow_errors", "excludepatterns"} & (set_to.keys())
    )


def test_a_cell_that_fails_would_stop_the_build() -> None:
    """What happens then is tested by executing one, under `make slow`."""
    conf = (DOCS / "conf.py").read_text("utf-8")
    makefile = (DOCS.parent / "Makefile").read_text("utf-8")
    assert stops_at_a_cell_that_fails(conf, makefile)
    assert not stops_at_a_cell_that_fails(conf, makefile.replace(" -W", ""))
    for change in ('mode = "auto"', 'mode = "force"\nnb_execution_allow_errors = True'):
        assert not stops_at_a_cell_that_fails(conf.replace('mode = "force"', change), makefile)
