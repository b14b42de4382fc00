"""Every block of code on a page of the documentation is executed, when the site is built."""

import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import External, make_targets, static_blocks

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))

HEAD = "---\nfile_format: mystnb\n---\n\n"
CELL = "```{code-cell} ipython3\n!landscape --help\n```\n"


@pytest.mark.parametrize("page", [page for page in PAGES if not page.startswith("_")])
def test_no_block_of_code_is_left_unexecuted(page: str) -> None:
    assert static_blocks((DOCS / page).read_text("utf-8")) == []


@pytest.mark.parametrize(("planted", "found"), [
    ("```python\nimport torch\n```\n", "python: import torch"),
    ("```sh\nlandscape scan\n```\n", "sh: landscape scan"),
    ("```\nlandscape scan\n```\n", ": landscape scan"),
    ("~~~toml\n[source]\n~~~\n", "toml: [source]"),
    ("- a list\n\n  ```python\n  import torch\n  ```\n", "python: import torch"),
    ("Text.\n\n    import torch\n", "indented: import torch"),
    ("```{code-block} python\nimport torch\n```\n", "code-block: import torch"),
    ("````{note}\n```python\nimport torch\n```\n````\n", "python: import torch"),
    ("```{code-block} console\n$ make scan && rm -r runs\n```\n", "code-block: $ make scan"),
    ("```{code-cell} ipython3\n:tags: [skip-execution]\nimport torch\n```\n", "cell: :tags"),
])  # fmt: skip
def test_a_planted_block_that_nothing_runs_is_found(planted: str, found: str) -> None:
    (block,) = static_blocks(HEAD + CELL + "\n" + planted)
    assert block.startswith(found)


def test_a_cell_runs_on_a_notebook_alone() -> None:
    assert static_blocks(HEAD + CELL) == []
    assert static_blocks(CELL) == ["cell: !landscape --help"]
    assert static_blocks("```{code-block} console\n$ make scan  # all\n$ make test\n```\n") == []
    assert static_blocks("```text\ntheory -> landscape\n```\n") == []


def test_every_make_command_that_is_shown_exists() -> None:
    shown = {
        target
        for page in PAGES
        for block in (DOCS / page).read_text("utf-8").split("```")
        for target in make_targets(block.partition("\n")[2])
    }
    for target in [*sorted(shown), "scan", "test"]:
        dry = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, check=False)
        assert dry.returncode == 0, dry.stderr
    assert subprocess.run(["make", "-n", "skan"], cwd=ROOT, capture_output=True).returncode == 2


@pytest.mark.parametrize("planted", [
    '<script src="https://cdn.example/x.js"></script>',
    '<link rel="stylesheet" href="//fonts.example/x.css">',
    '<img src="http://example.org/x.png">',
    '<img src="x.png" srcset="x.png 1x, https://example.org/y.png 2x">',
    '<p style="background: url(https://example.org/x.png)">',
    "<style>@import 'https://example.org/x.css';</style>",
    "<script>import('https://example.org/x.js')</script>",
])  # fmt: skip
def test_what_a_browser_would_fetch_is_found(planted: str) -> None:
    (address,) = External(f"<p>one</p>{planted}").found
    assert "//" in address


def test_a_link_is_not_fetched() -> None:
    page = '<a href="https://example.org">there</a><img src="_images/x.png"><script src="x.js">'
    assert External(page).found == []
