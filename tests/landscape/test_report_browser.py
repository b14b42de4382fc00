"""The page in a browser: no complaint, no request, and everything within reach of any hand."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from landscape.cli.report import write
from landscape.scanning import scan
from landscape.store import ScanStore
from tests.landscape.chromium import Page, chromium, opened

pytestmark = pytest.mark.slow

WIDE, NARROW = (1280, 900), (390, 844)
LARGEST = 8_000_000


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the built-in demonstration, all fifty cells and all theorems."""
    folder = scan(None, out=tmp_path_factory.mktemp("report") / "demo").path
    record = write(ScanStore(folder))
    assert record["done"] == record["cells"] == 50
    assert record["proved"] == record["theorems"]
    return Path(record["report"])


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    executable = chromium()
    assert executable, "these tests need Chromium: apt-get install chromium"
    with opened(executable) as page:
        yield page


@pytest.fixture
def sizes(browser: Page, demonstration: Path) -> Iterator[Any]:
    """Opens the page at a size, and looks for complaints and requests once the test is over."""
    browser.complaints.clear()
    browser.requests.clear()

    def at(size: tuple[int, int], *, dark: bool = False) -> Page:
        browser.size(*size, dark=dark, touch=size == NARROW)
        browser.open(demonstration)
        browser.wait("document.querySelectorAll('.surface canvas').length >= 2")
        return browser

    yield at
    assert browser.complaints == []
    assert set(browser.requests) <= {demonstration.as_uri(), "data:,"}


def cell_at(page: Page, p: str, q: str, tying: str) -> int:
    at = {"source.p": p, "source.q": q, "model.tying": tying}
    return int(page.run(f"({DATA}).cells.findIndex(c => {is_at(at)})"))


DATA = "JSON.parse(document.getElementById('data').textContent)"


def is_at(at: dict[str, str]) -> str:
    return " && ".join(f"c.at[{json.dumps(name)}] === {json.dumps(v)}" for name, v in at.items())


def title(page: Page) -> str:
    return str(page.run("document.getElementById('detail-title').textContent"))


def drawn(page: Page) -> dict[str, Any]:
    """What the browser shows of the chosen cell: lines, dots, and the surface's heights."""
    found: dict[str, Any] = page.run(
        """({
          runs: document.querySelectorAll('#training path.run').length,
          stairs: document.querySelectorAll('#survival path.run').length,
          rings: document.querySelectorAll('#spectrum-unigram circle.theory').length,
          dots: document.querySelectorAll('#spectrum-unigram circle.measured').length,
          heights: ['unigram', 'bigram'].map(
            k => document.getElementById('surface-' + k).data[0].z),
          words: document.getElementById('detail-words').textContent,
        })"""
    )
    return found


def test_the_page_is_under_eight_megabytes(demonstration: Path) -> None:
    assert demonstration.stat().st_size < LARGEST


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1280", "390"])
def test_nothing_sticks_out_and_contrast_is_enough(
    sizes: Any, size: tuple[int, int], dark: bool
) -> None:
    page = sizes(size, dark=dark)
    page.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    page.wait("document.querySelectorAll('.theorem[open]').length > 10")
    width = page.run("document.documentElement.scrollWidth")
    assert width == size[0]
    # WCAG AA, 4.5 to 1, for every colour that words are written in.
    ratios = page.run(CONTRAST)
    assert len(ratios) > 5
    assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}
    page.run("document.querySelectorAll('details').forEach(d => { d.open = false; })")


CONTRAST = """(() => {
  const light = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map(v => (v /= 255) <= 0.04045
      ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const under = (e) => {
    const paint = getComputedStyle(e).backgroundColor;
    return /, 0\\)$/.test(paint) && e.parentElement ? under(e.parentElement) : paint;
  };
  const found = {};
  for (const e of document.querySelectorAll('p, h1, h2, h3, td, th, dt, dd, a, b, summary, .badge, '
      + '.tile[data-cell]:not(.empty):not(.missing), figcaption, .legend, .ticks')) {
    const a = light(getComputedStyle(e).color), b = light(under(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const name = e.tagName + '.' + e.className;
    found[name] = Math.min(found[name] ?? 99, ratio);
  }
  return found;
})()"""


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1280", "390"])
def test_choosing_a_cell_shows_its_curves_spectra_and_surfaces(
    sizes: Any, size: tuple[int, int]
) -> None:
    page = sizes(size)
    for place in (("0.9", "0.7", "tied"), ("0.1", "0.3", "untied")):
        index = cell_at(page, *place)
        tile = f'.tile[data-cell="{index}"]'
        if size == NARROW:
            page.tap(tile)
        else:
            page.click(tile)
        page.wait(f"document.querySelector('{tile}').getAttribute('aria-pressed') === 'true'")
        p, q, tying = place
        assert title(page) == f"p = {p}, q = {q}, tying = {tying}"
        cell = page.run(f"({DATA}).cells[{index}]")
        seen = drawn(page)
        assert seen["runs"] == len(cell["training"]["loss"]) == 4
        assert seen["stairs"] == 1
        assert seen["rings"] == seen["dots"] == len(cell["spectra"]["unigram"]["measured"])
        for kind, heights in zip(("unigram", "bigram"), seen["heights"], strict=True):
            loss = cell["slices"][kind]["loss"]
            assert heights == [list(row) for row in zip(*loss, strict=True)]
            assert len(loss) == 27
        word = {"tied": "a local minimum", "untied": "a saddle"}[tying]
        assert f"Theory calls the unigram {word}" in seen["words"]
        assert (
            page.run(f"document.querySelectorAll('#files a[href*=\"{cell['id']}\"]').length") == 3
        )


def test_the_keyboard_walks_the_map_and_turns_the_surfaces(sizes: Any) -> None:
    page = sizes(WIDE)
    start = cell_at(page, "0.5", "0.5", "tied")
    page.click(f'.tile[data-cell="{start}"]')
    for key, place in (
        ("ArrowRight", "p = 0.7, q = 0.5, tying = tied"),
        ("ArrowUp", "p = 0.7, q = 0.7, tying = tied"),
        ("ArrowLeft", "p = 0.5, q = 0.7, tying = tied"),
        ("ArrowDown", "p = 0.5, q = 0.5, tying = tied"),
    ):
        page.key(key)
        assert title(page) == place
        assert page.run("document.activeElement.getAttribute('aria-pressed')") == "true"
    page.key("Enter")
    assert page.run("document.activeElement.id") == "detail"
    page.run("document.getElementById('surface-unigram').focus()")
    camera = "document.getElementById('surface-unigram')._fullLayout.scene.camera.eye.x"
    before = page.run(camera)
    page.key("ArrowRight")
    page.wait(f"{camera} !== {before}")


def test_the_mouse_turns_a_surface(sizes: Any) -> None:
    page = sizes(WIDE)
    page.run("document.getElementById('surface-bigram').scrollIntoView({block: 'center'})")
    x, y = page.run(
        "(() => { const r = document.getElementById('surface-bigram').getBoundingClientRect(); "
        "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
    )
    camera = "JSON.stringify(document.getElementById('surface-bigram').layout.scene.camera.eye)"
    before = page.run(camera)
    mouse = "Input.dispatchMouseEvent"
    page.call(mouse, type="mouseMoved", x=x, y=y)
    page.call(mouse, type="mousePressed", x=x, y=y, button="left", buttons=1, clickCount=1)
    for step in range(1, 6):
        page.call(mouse, type="mouseMoved", x=x + 12 * step, y=y, button="left", buttons=1)
        time.sleep(0.1)
    page.call(mouse, type="mouseReleased", x=x + 60, y=y, button="left", clickCount=1)
    page.wait(f"{camera} !== {json.dumps(before)}")


def test_lists_and_rows_choose_cells_too(sizes: Any) -> None:
    page = sizes(NARROW)
    page.run(
        "(() => { const s = document.querySelector('#choosers select[name=\"model.tying\"]'); "
        "s.value = 'untied'; s.dispatchEvent(new Event('change')); })()"
    )
    assert title(page).endswith("tying = untied")
    page.run("document.getElementById('all-cells').open = true")
    index = cell_at(page, "0.3", "0.9", "tied")
    page.tap(f'button.choose[data-cell="{index}"]')
    page.wait("document.activeElement.id === 'detail'")
    assert title(page) == "p = 0.3, q = 0.9, tying = tied"


def test_colours_follow_what_is_asked_for(sizes: Any) -> None:
    page = sizes(WIDE)
    index = cell_at(page, "0.1", "0.1", "tied")
    text = f"document.querySelector('.tile[data-cell=\"{index}\"]').textContent"
    assert page.run(text) == "0/4"
    page.run("document.querySelector('#colours input[value=curvature]').click()")
    # 2 pi0 pi1 (p + q - 1) = -0.4 at p = q = 0.1, from the theorem on the tied unigram.
    assert page.run(text) == "\N{MINUS SIGN}.40"


def test_proofs_unfold_as_mathml(sizes: Any) -> None:
    page = sizes(WIDE)
    page.click("#theorem-tied-unigram > summary")
    shown = "document.querySelector('#theorem-tied-unigram math').getBoundingClientRect()"
    page.wait(f"{shown}.height > 5")
    tags = page.run(
        "[...new Set([...document.querySelectorAll('#theorem-tied-unigram math *')]"
        ".map(e => e.namespaceURI))]"
    )
    assert tags == ["http://www.w3.org/1998/Math/MathML"]


@pytest.mark.parametrize(
    ("planted", "asked"),
    [
        ("<script>throw new Error('planted')</script>", []),
        ('<img src="https://example.invalid/x.png">', ["https://example.invalid/x.png"]),
    ],
    ids=["script", "picture"],
)
def test_what_is_planted_is_heard_and_refused(
    browser: Page, demonstration: Path, tmp_path: Path, planted: str, asked: list[str]
) -> None:
    """The control of the other tests here: complaints and requests do not go unheard.

    A picture that the policy refuses is asked for and blocked before it leaves the browser.
    """
    browser.complaints.clear()
    browser.requests.clear()
    copy = tmp_path / "report.html"
    copy.write_text(demonstration.read_text("utf-8").replace("</main>", f"</main>{planted}"))
    browser.size(*WIDE)
    browser.open(copy)
    assert any("Content Security Policy" in text for text in browser.complaints)
    assert not any("planted" in text for text in browser.complaints)
    assert browser.foreign() == asked
