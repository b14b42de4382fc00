"""The documentation with every cell executed, as a reader has it in a browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.building import DOCS as SOURCE, build, check, project
from tests.landscape.report.chromium import Page, opened

pytestmark = pytest.mark.slow

HEAD = "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n\n"
WIDE, NARROW = (1280, 900), (390, 844)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole site; a cell that fails fails every test here."""
    before = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*"))
    out = tmp_path_factory.mktemp("docs") / "site"
    made = build(SOURCE, out, execute=True)
    assert made.returncode == 0, made.stderr
    assert made.stderr == ""
    assert sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*")) == before
    return out


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with opened() as page:
        yield page


def show(
    browser: Page, page: Path, size: tuple[int, int], *, query: str = "", dark: bool = False
) -> None:
    browser.size(*size, dark=dark, touch=size == NARROW)
    browser.call("Page.navigate", url=page.resolve().as_uri() + query)
    browser.wait("location.protocol === 'file:' && document.readyState === 'complete'")


def test_every_page_is_executed_and_needs_no_network(site: Path) -> None:
    check(site)
    for page in site.rglob("*.html"):
        if not {"_modules", "reference"} & set(page.parts):  # where docstrings show some
            assert "Traceback (most recent call last)" not in page.read_text("utf-8"), page.name


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1280", "390"])
def test_no_page_sticks_out_complains_or_asks_the_network(
    site: Path, browser: Page, size: tuple[int, int], dark: bool
) -> None:
    browser.complaints.clear()
    browser.requests.clear()
    wide = {}
    for source in SOURCE.rglob("*.md"):
        page = site / source.relative_to(SOURCE).with_suffix(".html")
        show(browser, page, size, dark=dark)
        wide[page.name] = browser.run("document.documentElement.scrollWidth")
    assert {name: width for name, width in wide.items() if width > size[0]} == {}
    assert browser.complaints == []
    assert browser.foreign() == []


def test_brackets_grow_with_what_they_hold(site: Path, browser: Page) -> None:
    show(browser, site / "theorems.html", WIDE)
    heights = browser.run(
        """[...document.querySelectorAll("mrow")].filter(
             row => row.firstElementChild?.textContent === "[" && row.querySelector("mtable")
           ).map(row => [row.firstElementChild, row.querySelector("mtable")].map(
             e => e.getBoundingClientRect().height))"""
    )
    assert len(heights) > 10
    assert min(bracket / table for bracket, table in heights) > 0.9


def test_the_search_finds_a_theorem_without_a_server(site: Path, browser: Page) -> None:
    browser.complaints.clear()
    show(browser, site / "search.html", WIDE, query="?q=separatrix")
    browser.wait("document.querySelectorAll('#search-results li a').length > 0")
    found = browser.run("[...document.querySelectorAll('#search-results li a')].map(a => a.href)")
    assert any("theorems.html" in link for link in found)
    assert browser.complaints == []
    show(browser, site / "search.html", WIDE, query="?q=zyzzyva")  # the control: nothing is found
    browser.wait("document.body.textContent.includes('did not match any documents')")


@pytest.mark.parametrize(("cell", "complaint"), [
    ("assert 1 + 1 == 3", "AssertionError"),
    ("!landscape spectrum --p 2 --q .8 --at unigram", "exit code 2: landscape spectrum --p 2"),
])  # fmt: skip
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
