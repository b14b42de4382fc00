"""What a page of the documentation holds: code that nothing runs, or files from elsewhere."""

import re
from html.parser import HTMLParser
from typing import ClassVar

from markdown_it import MarkdownIt

__all__ = ["External", "make_targets", "static_blocks"]

SHOWN = {"code-block", "code", "sourcecode", "literalinclude", "parsed-literal", "prompt"}
"""Directives that show code without running it."""

NOT_CODE = {"text"}
"""What a fence may show as it stands: a diagram, in the fence's own words no language."""

NOTEBOOK = re.compile(r"\A---\n(.*\n)*?file_format: mystnb\n(.*\n)*?---\n")


def static_blocks(page: str) -> list[str]:
    """The first words of every block of code of a page that the build does not execute.

    Blocks are fences of a language, indented blocks, directives that show code, and cells that are
    tagged to be left out or stand on a page that is no notebook. A block of `make` commands alone
    is none of them: see `make_targets`.
    """
    runs = bool(NOTEBOOK.match(page))
    return _blocks(NOTEBOOK.sub("", page), runs)


def _blocks(text: str, runs: bool) -> list[str]:
    found = []
    for token in MarkdownIt("commonmark").parse(text):
        if token.type == "code_block":
            found.append(f"indented: {_first(token.content)}")
        if token.type != "fence":
            continue
        directive = re.match(r"\{([\w:-]+)\}", token.info.strip())
        if directive is None:
            if token.info.strip() not in NOT_CODE:
                found.append(f"{token.info.strip()}: {_first(token.content)}")
        elif directive[1] == "code-cell":
            if not runs or "skip-execution" in token.content:
                found.append(f"cell: {_first(token.content)}")
        elif directive[1] in SHOWN:
            if not make_targets(token.content):
                found.append(f"{directive[1]}: {_first(token.content)}")
        elif directive[1] != "eval-rst":
            found += _blocks(token.content, runs)
    return found


def _first(content: str) -> str:
    return content.strip().partition("\n")[0]


def make_targets(content: str) -> list[str]:
    """The targets of a block that is nothing but `$ make TARGET` lines; empty if it is more."""
    lines = [line for line in content.splitlines() if line.strip() and not line.startswith(":")]
    found = [re.fullmatch(r"\$ make ([a-z]+)(?: +#.*)?", line) for line in lines]
    return [match[1] for match in found if match] if all(found) else []


class External(HTMLParser):
    """Collects what a browser would fetch from a network to show a page; links are not fetched."""

    FETCHED: ClassVar[dict[str, str]] = {
        "script": "src",
        "img": "src",
        "source": "src",
        "iframe": "src",
        "video": "src",
        "audio": "src",
        "embed": "src",
        "object": "data",
        "link": "href",
        "image": "href",
        "use": "href",
    }

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._inside = tag
        for address in (values.get(self.FETCHED.get(tag, ""), ""), values.get("srcset", "")):
            self._note(address if _is_remote(address) else "")
        self._note_style(values.get("style", ""))

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self._note_style(data)
        if self._inside == "script":
            for address in re.findall(r"(?:import|fetch)\s*\(?\s*['\"]([^'\"]+)", data):
                self._note(address if _is_remote(address) else "")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def _note_style(self, style: str) -> None:
        for address in re.findall(r"(?:url\(|@import)\s*['\"]?([^'\")\s;]+)", style):
            self._note(address if _is_remote(address) else "")

    def _note(self, address: str) -> None:
        if address:
            self.found.append(address)


def _is_remote(address: str) -> bool:
    return bool(re.search(r"(?:^|[\s,])(?:https?:)?//", address))
