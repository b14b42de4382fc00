"""The page in a browser: no complaint, no request, and everything within reach of any hand."""

import json
import math
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from landscape.cli.commands.report import write
from landscape.scanning.scan import scan
from landscape.store.reading import open_scan
from tests.landscape.report.chromium import Page, opened
from tests.landscape.report.seen import CONTRAST, DATA, DRAWN, EYE, FRAME, cell_at, tile_at, title

pytestmark = pytest.mark.slow

WIDE, NARROW = (1280, 900), (390, 844)


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the built-in demonstration, all fifty cells and all theorems."""
    folder = scan(None, out=tmp_path_factory.mktemp("report") / "demo").path
    record = write(open_scan(folder))
    assert record["done"] == record["cells"] == 50
    assert record["proved"] == record["theorems"]
    return Path(record["report"])


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with opened() as page:
        yield page


@pytest.fixture
def sizes(browser: Page, demonstration: Path) -> Iterator[Any]:
    """Opens the page at a size, and looks for complaints and requests once the test is over."""
    browser.complaints.clear()
    browser.requests.clear()

    def at(size: tuple[int, int], *, dark: bool = False) -> Page:
        browser.size(*size, dark=dark, touch=size[0] <= NARROW[0])
        browser.open(demonstration)
        browser.wait("document.querySelectorAll('.surface canvas').length >= 2")
        return browser

    yield at
    assert browser.complaints == []
    assert set(browser.requests) <= {demonstration.as_uri(), "data:,"}


def test_the_page_is_under_eight_megabytes(demonstration: Path) -> None:
    assert demonstration.stat().st_size < 8_000_000


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1280", "390"])
def test_nothing_sticks_out_or_is_too_faint(sizes: Any, size: tuple[int, int], dark: bool) -> None:
    page = sizes(size, dark=dark)
    page.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    page.wait("document.querySelectorAll('.theorem[open]').length > 10")
    assert page.run("document.documentElement.scrollWidth") == size[0]
    # WCAG AA, 4.5 to 1, for every colour that words are written in.
    ratios = page.run(CONTRAST)
    assert len(ratios) > 5
    assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}
    page.run("document.querySelectorAll('details').forEach(d => { d.open = false; })")


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1280", "390"])
def test_a_chosen_cell_shows_curves_spectra_and_surfaces(sizes: Any, size: tuple[int, int]) -> None:
    page = sizes(size)
    for p, q, tying in (("0.9", "0.7", "tied"), ("0.1", "0.3", "untied")):
        index = cell_at(page, p, q, tying)
        tile = f'.tile[data-cell="{index}"]'
        (page.tap if size == NARROW else page.click)(tile)
        page.wait(f"document.querySelector('{tile}').getAttribute('aria-pressed') === 'true'")
        assert title(page) == f"p = {p}, q = {q}, tying = {tying}"
        cell = page.run(f"({DATA}).cells[{index}]")
        seen = page.run(DRAWN)
        assert seen["runs"] == len(cell["training"]["loss"]) == 4
        assert seen["stairs"] == 1
        assert seen["rings"] == seen["dots"] == len(cell["spectra"]["unigram"]["measured"])
        for kind, heights in zip(("unigram", "bigram"), seen["heights"], strict=True):
            loss = cell["slices"][kind]["loss"]
            assert heights == [list(row) for row in zip(*loss, strict=True)]
            assert len(loss) == 27
        word = {"tied": "a local minimum", "untied": "a saddle"}[tying]
        assert f"Theory calls the unigram {word}" in seen["words"]
        links = f"document.querySelectorAll('#files a[href*=\"{cell['id']}\"]').length"
        assert page.run(links) == 3


def test_the_keyboard_walks_the_map_and_turns_the_surfaces(sizes: Any) -> None:
    page = sizes(WIDE)
    page.click(tile_at(page, "0.5", "0.5", "tied"))
    walk = {"Right": (0.7, 0.5), "Up": (0.7, 0.7), "Left": (0.5, 0.7), "Down": (0.5, 0.5)}
    for key, (p, q) in walk.items():
        page.key(f"Arrow{key}")
        assert title(page) == f"p = {p}, q = {q}, tying = tied"
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
    x, y = page.middle("#surface-bigram")
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
    chooser = "document.querySelector('#choosers select[name=\"model.tying\"]')"
    page.run(f"{chooser}.value = 'untied'; {chooser}.dispatchEvent(new Event('change'))")
    assert title(page).endswith("tying = untied")
    page.run("document.getElementById('all-cells').open = true")
    page.tap(f'button.choose[data-cell="{cell_at(page, "0.3", "0.9", "tied")}"]')
    page.wait("document.activeElement.id === 'detail'")
    assert title(page) == "p = 0.3, q = 0.9, tying = tied"


def test_colours_follow_what_is_asked_for(sizes: Any) -> None:
    page = sizes(WIDE)
    text = f"document.querySelector('{tile_at(page, '0.1', '0.1', 'tied')}').textContent"
    assert page.run(text) == "0/4"
    page.run("document.querySelector('#colours input[value=curvature]').click()")
    # 2 pi0 pi1 (p + q - 1) = -0.4 at p = q = 0.1, from the theorem on the tied unigram.
    assert page.run(text) == "\N{MINUS SIGN}.40"


def test_colours_say_their_numbers_and_no_more_keys_than_there_are(sizes: Any) -> None:
    page = sizes(WIDE)
    index = cell_at(page, "0.3", "0.9", "tied")
    text = f"document.querySelector('{tile_at(page, '0.3', '0.9', 'tied')}').textContent"
    keys = "[...document.querySelectorAll('#legend .keys .tile.empty')].length"
    assert page.run(keys) == 1
    page.run("document.querySelector('#colours input[value=curvature]').click()")
    # The bias: pi0 pi1 = 3/16 is above 2 pi0 pi1 (p + q - 1) = .075, which is .08 in decimals.
    assert page.run(text) == ".08"
    page.run("document.querySelector('#colours input[value=error]').click()")
    cell = page.run(f"({DATA}).cells[{index}]")
    error = max(point["max_error"] for point in cell["points"].values())
    raised = str(round(math.log10(error))).translate(RAISED)
    assert page.run(text) == f"10{raised}"
    tiles = "[...document.querySelectorAll('#maps .tile')]"
    texts = page.run(f"{tiles}.map(e => e.textContent)")
    assert "0" not in texts and all(t == "none" or t.startswith("10") for t in texts)
    assert page.run(keys) == 0
    # The shades tell errors apart: many, where a scale down to 1 left all of them near white.
    shades = page.run(f"[...new Set({tiles}.map(e => e.style.background))]")
    assert len(shades) > 15


RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def test_the_address_names_a_cell_or_a_theorem_and_is_followed(sizes: Any) -> None:
    page = sizes(WIDE)
    index = cell_at(page, "0.9", "0.7", "untied")
    cell = page.run(f"({DATA}).cells[{index}].id.slice(0, 12)")
    page.run(f"location.hash = '#cell-{cell}'")
    page.wait("document.getElementById('detail-title').textContent.includes('0.7, tying = untied')")
    page.run("location.hash = '#theorem-valley'")
    page.wait("document.getElementById('theorem-valley').open")
    top = "document.getElementById('theorem-valley').getBoundingClientRect().top"
    page.wait(f"Math.abs({top}) < innerHeight / 2")
    assert page.run("location.hash") == "#theorem-valley"
    assert title(page).endswith("q = 0.7, tying = untied")
    # Opened with that address, it stays; chosen by hand, a cell takes its place.
    page.call("Page.reload")
    page.wait("document.documentElement?.dataset.ready === 'true'")
    page.wait("document.getElementById('theorem-valley').open")
    assert page.run("location.hash") == "#theorem-valley"
    page.click(f'.tile[data-cell="{index}"]')
    page.wait(f"location.hash === '#cell-{cell}'")
    page.click("a[href='#words']")
    page.wait("document.getElementById('words').open")


WHEEL = 'box.addEventListener("wheel"'
TOUCH = 'box.addEventListener("touchmove"'


@pytest.mark.parametrize("careful", [True, False], ids=["page", "control"])
def test_the_wheel_and_a_finger_move_the_page_over_a_surface(
    browser: Page, demonstration: Path, tmp_path: Path, careful: bool
) -> None:
    """The control is the page without the two listeners, where the drawing takes them."""
    browser.complaints.clear()
    text = demonstration.read_text("utf-8")
    assert WHEEL in text and TOUCH in text
    if not careful:
        for listener in (WHEEL, TOUCH):
            text = text.replace(listener, 'box.addEventListener("-"')
        text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    path = tmp_path / "page.html"
    path.write_text(text, "utf-8")
    for touch in (False, True):
        browser.size(*(NARROW if touch else WIDE), touch=touch)
        browser.open(path)
        browser.wait("document.querySelectorAll('.surface canvas').length >= 2")
        x, y = browser.middle("#surface-unigram")
        before, camera = browser.run("scrollY"), browser.run(EYE)
        if touch:
            for step in range(11):
                kind, spot = "touchMove" if step else "touchStart", {"x": x, "y": y - 15 * step}
                browser.call("Input.dispatchTouchEvent", type=kind, touchPoints=[spot])
            browser.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        else:
            wheel: dict[str, Any] = {"type": "mouseWheel", "deltaX": 0, "deltaY": 150}
            browser.call("Input.dispatchMouseEvent", x=x, y=y, **wheel)
        if careful:
            browser.wait(f"scrollY - {before} > 100")
            assert browser.run(EYE) == camera
        else:
            time.sleep(1)
            assert browser.run("scrollY") - before < 100


def test_a_turned_surface_turns_back(sizes: Any) -> None:
    page = sizes(WIDE)
    start = page.run(EYE)

    def turn() -> None:
        page.run("document.getElementById('surface-unigram').focus()")
        page.key("ArrowRight")
        page.wait(f"{EYE} !== {json.dumps(start)}")

    turn()
    page.click("#reset-unigram")
    page.wait(f"{EYE} === {json.dumps(start)}")
    turn()
    page.run("document.getElementById('surface-unigram').dispatchEvent(new MouseEvent('dblclick'))")
    page.wait(f"{EYE} === {json.dumps(start)}")
    turn()
    page.click(tile_at(page, "0.1", "0.1", "tied"))
    page.click(f'.tile[data-cell="{page.run(f"({DATA}).first")}"]')
    page.wait(f"{EYE} === {json.dumps(start)}")


def test_each_map_is_one_stop_of_the_tabulator(sizes: Any) -> None:
    page = sizes(WIDE)
    page.click(tile_at(page, "0.3", "0.1", "tied"))
    count = "m => m.querySelectorAll('.tile[tabindex=\"0\"]').length"
    stops = f"[...document.querySelectorAll('.plane')].map({count})"
    assert page.run(stops) == [1, 1]
    page.key("Tab")
    # The other map's stop is its cell of the same p and q, and the arrows walk from there.
    label = "document.activeElement.getAttribute('aria-label')"
    assert page.run(label).startswith("p = 0.3, q = 0.1, tying = untied")
    page.key("ArrowRight")
    assert title(page) == "p = 0.5, q = 0.1, tying = untied"
    assert page.run(stops) == [1, 1]


def test_without_a_script_a_table_is_there_and_no_map(browser: Page, demonstration: Path) -> None:
    browser.size(*WIDE)
    browser.open(demonstration)
    seen = "filter(e => getComputedStyle(e).display !== 'none').map(e => e.id || e.className)"
    shown = f"[...document.querySelectorAll('#map, table.static, button.choose')].{seen}"
    assert set(browser.run(shown)) == {"map", "choose"}
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.call("Page.navigate", url=demonstration.as_uri() + "?")
        browser.wait("document.readyState === 'complete' && !!document.querySelector('noscript p')")
        assert browser.run(shown) == ["static", "static"]
        table = "document.querySelectorAll('table.static td')"
        squares = browser.run(f"[...{table}].map(e => e.textContent)")
        cells = browser.run(f"({DATA}).cells.filter(c => c.stuck).map(c => c.stuck.join('/'))")
        assert sorted(t for t in squares if "/" in t) == sorted(cells)
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_on_paper_colours_stay_and_what_turns_is_left_out(sizes: Any) -> None:
    page = sizes(WIDE)
    figures = "[...document.querySelectorAll('.solid')].filter(e => e.getClientRects().length)"
    style = "getComputedStyle(document.querySelector('.tile[data-cell]'))"
    assert page.run(f"{figures}.length") == 2
    page.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert page.run(f"{figures}.length") == 0
        assert page.run(f"{style}.printColorAdjust") == "exact"
        assert page.run("getComputedStyle(document.querySelector('.map')).breakInside") == "avoid"
    finally:
        page.call("Emulation.setEmulatedMedia", media="")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_frame_of_a_minimum_is_seen(sizes: Any, dark: bool) -> None:
    """3 to 1, as WCAG asks of signs, against the page around the tile."""
    page = sizes(WIDE, dark=dark)
    frame, paper = page.run(FRAME)
    assert (max(frame, paper) + 0.05) / (min(frame, paper) + 0.05) > 3


@pytest.mark.parametrize("width", [390, 320])
def test_large_letters_fit_and_grow_in_the_charts_too(sizes: Any, width: int) -> None:
    page = sizes((width, 844))
    size = "parseFloat(getComputedStyle(document.querySelector('#training text')).fontSize)"
    before = page.run(size)
    assert page.run("document.documentElement.scrollWidth") == width
    page.run("document.documentElement.style.fontSize = '200%'")
    assert page.run(size) == pytest.approx(2 * before)
    assert page.run("document.documentElement.scrollWidth") == width
    spans = "[...document.querySelectorAll('#colours span')].map(e => e.getBoundingClientRect())"
    heights = page.run(f"{spans}.map(r => [r.top, r.height])")
    rows = {top: {h for t, h in heights if t == top} for top, _ in heights}
    assert all(len(found) == 1 for found in rows.values())
    page.run("document.documentElement.style.fontSize = ''")


def test_charts_name_their_axes_and_runs_their_numbers(sizes: Any) -> None:
    page = sizes(WIDE)
    index = cell_at(page, "0.9", "0.3", "tied")
    page.click(f'.tile[data-cell="{index}"]')
    titles = page.run("[...document.querySelectorAll('.chart text.title')].map(e => e.textContent)")
    assert titles[:2] == ["loss (nats)", "runs not yet escaped"]
    assert all(t.startswith("eigenvalue (nats)") for t in titles[2:]) and len(titles) == 4
    runs = page.run(f"({DATA}).cells[{index}].runs")
    texts = "r => [...r.cells].map(c => c.textContent)"
    rows = page.run(f"[...document.querySelectorAll('#runs tbody tr')].map({texts})")
    for run, row in zip(runs, rows, strict=True):
        assert ("still falling" in row[1]) is (run["falls"] and run["outcome"] != "bigram")
        lowest = float(row[4].replace("\N{MINUS SIGN}", "-"))
        assert lowest == pytest.approx(run["lowest"], rel=0.05)
        assert row[7] == {True: "yes", False: "no"}[run["downhill"]]
    captions = page.run("document.getElementById('surface-unigram-caption').textContent")
    assert "one of 4 alike" in captions  # 2 pi0 pi1 (p + q - 1) counts as often as the width, 4
    page.click(tile_at(page, "0.9", "0.1", "tied"))
    captions = page.run("document.getElementById('surface-unigram-caption').textContent")
    assert "(curvature 0, one of 228 alike" in captions


def test_proofs_unfold_as_mathml(sizes: Any) -> None:
    page = sizes(WIDE)
    page.click("#theorem-tied-unigram > summary")
    shown = "document.querySelector('#theorem-tied-unigram math').getBoundingClientRect()"
    page.wait(f"{shown}.height > 5")
    math = "document.querySelectorAll('#theorem-tied-unigram math *')"
    tags = page.run(f"[...new Set([...{math}].map(e => e.namespaceURI))]")
    assert tags == ["http://www.w3.org/1998/Math/MathML"]


PICTURE = "https://example.invalid/x.png"
PLANTED = ["<script>throw new Error('planted')</script>", f'<img src="{PICTURE}">']


@pytest.mark.parametrize("planted", PLANTED, ids=["script", "picture"])
def test_what_is_planted_is_heard_and_refused(
    browser: Page, demonstration: Path, tmp_path: Path, planted: str
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
    assert browser.foreign() == ([PICTURE] if PICTURE in planted else [])
