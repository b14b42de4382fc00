"""What a reader sees of a page, in expressions of JavaScript that its tests evaluate."""

from tests.landscape.report.chromium import Page

DATA = "JSON.parse(document.getElementById('data').textContent)"


def cell_at(page: Page, p: str, q: str, tying: str) -> int:
    at = {"source.p": p, "source.q": q, "model.tying": tying}
    found = " && ".join(f"c.at['{name}'] === '{value}'" for name, value in at.items())
    return int(page.run(f"({DATA}).cells.findIndex(c => {found})"))


def tile_at(page: Page, p: str, q: str, tying: str) -> str:
    """A selector of its square."""
    return f'.tile[data-cell="{cell_at(page, p, q, tying)}"]'


def title(page: Page) -> str:
    return str(page.run("document.getElementById('detail-title').textContent"))


DRAWN = """({
  runs: document.querySelectorAll('#training path.run').length,
  stairs: document.querySelectorAll('#survival path.run').length,
  rings: document.querySelectorAll('#spectrum-unigram circle.theory').length,
  dots: document.querySelectorAll('#spectrum-unigram circle.measured').length,
  heights: ['unigram', 'bigram'].map(k => document.getElementById('surface-' + k).data[0].z),
  words: document.getElementById('detail-words').textContent,
})"""
"""What the browser shows of the chosen cell: lines, dots, and the surface's heights."""

LIGHT = """const light = (rgb) => {
    const [r, g, b] = rgb.map(v => (v /= 255) <= 0.04045
      ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);"""
CONTRAST = (
    f"(() => {{ {LIGHT}"
    + """
  const under = (e) => {
    const paint = getComputedStyle(e).backgroundColor;
    return /, 0\\)$/.test(paint) && e.parentElement ? under(e.parentElement) : paint;
  };
  const found = {};
  for (const e of document.querySelectorAll('p, h1, h2, h3, td, th, dt, dd, a, b, summary, .badge, '
      + '.tile[data-cell]:not(.empty):not(.missing), figcaption, .legend, .ticks')) {
    const a = light(numbers(getComputedStyle(e).color)), b = light(numbers(under(e)));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const name = e.tagName + '.' + e.className;
    found[name] = Math.min(found[name] ?? 99, ratio);
  }
  return found;
})()"""
)
"""The faintest contrast of words with what is under them, by tag and class."""

FRAME = (
    f"(() => {{ {LIGHT}"
    + """
  const flat = (text, under) => {
    const [r, g, b, a = 1] = numbers(text);
    return [r, g, b].map((v, k) => a * v + (1 - a) * under[k]); };
  const paper = flat(getComputedStyle(document.body).backgroundColor, [0, 0, 0]);
  const tile = document.querySelector('.tile[data-cell].minimum');
  const frame = getComputedStyle(tile).boxShadow.match(/rgba?\\([^)]*\\)/)[0];
  return [light(flat(frame, paper)), light(paper)];
})()"""
)
"""How light the frame around a minimum is, and the paper around that."""

EYE = "JSON.stringify(document.getElementById('surface-unigram')._fullLayout.scene.camera.eye)"
