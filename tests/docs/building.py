"""One build of the documentation, or of a small project with its configuration."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import External

__all__ = ["DOCS", "build", "check", "project"]

DOCS = Path(__file__).parents[2] / "docs"


def build(source: Path, out: Path, *, execute: bool) -> subprocess.CompletedProcess[str]:
    """`make docs` into another folder: warnings are errors, and all of them are listed."""
    options = ["-b", "html", "-q", "-n", "-W", "--keep-going", "-d", str(out.with_name("trees"))]
    mode = "force" if execute else "off"
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *options, "-D", f"nb_execution_mode={mode}", source, out],
        capture_output=True,
        text=True,
        check=False,
    )


def project(folder: Path, pages: dict[str, str]) -> Path:
    """A project of these pages, built as the documentation is."""
    folder.mkdir()
    shutil.copy(DOCS / "conf.py", folder)
    for part in ("_ext", "_static"):
        shutil.copytree(DOCS / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text, "utf-8")
    return folder


def check(site: Path) -> None:
    """Every page is there, and none needs a file from a network."""
    pages = sorted(site.rglob("*.html"))
    names = {page.relative_to(site).as_posix() for page in pages}
    sources = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")}
    assert {source.as_posix() for source in sources} <= names
    for page in pages:
        assert External(page.read_text("utf-8")).found == [], page.name
    for style in site.rglob("*.css"):
        assert External(f"<style>{style.read_text('utf-8')}</style>").found == [], style.name
