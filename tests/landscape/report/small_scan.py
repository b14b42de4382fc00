"""A small scan of both sides of p + q = 1, a theorem to set beside it, and readers of its page."""

import json
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from landscape.config.scan import ScanConfig
from landscape.report import render
from landscape.report.data.cell_file import CellRecord
from landscape.report.data.counting import groups
from landscape.report.data.gather import axes_of, read_records, words
from landscape.report.text.summary import Summary, summarise
from landscape.store.reading import open_scan
from tests.planted.stored import change

MODEL = {"width": 2, "length": 3}
AXES = {
    "source.p": ["0.2", "0.8"], "source.q": ["0.2", "0.9"], "model.tying": ["tied", "untied"],
}  # fmt: skip
NASTY = """"><script>alert(1)</script>'&"""


def theorem(**changes: Any) -> dict[str, Any]:
    step = {"kind": "sign", "claim": "a claim", "where": "for w > 0", "mathml": "<math></math>"}
    both: dict[str, Any] = {**step, "same": False}
    plain = {
        "id": "one", "title": "A theorem", "statement": "It is so.", "source": "this project",
        "hypotheses": ["p + q != 1"], "proved": True,
        "steps": [{**both, "accepted": True, "reason": ""}],
        "control": {**both, "refuted": True, "reason": "refuted: 0 at p = 1/2"},
        "applies": [], "kinds": [], "tying": None, "checks": [("unigram", "loss")],
    }  # fmt: skip
    return plain | changes


def config(**changes: Any) -> ScanConfig:
    settings: dict[str, Any] = {
        "name": "small",
        "model": MODEL,
        "train": {"steps": 12, "seeds": 2},
        "measure": {"points": ["unigram", "bigram"], "slice": {"resolution": 5}},
        "axes": AXES,
    }
    return ScanConfig(**{**settings, **changes})


class Elements(HTMLParser):
    """What a browser makes of a page: elements with their attributes, and the text of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.starts: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.starts.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside = tag
            self.scripts += [""] * (tag == "script")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif not self._inside:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def data(self) -> dict[str, Any]:
        def refuse(name: str) -> None:
            raise AssertionError(f"{name} is not JSON")

        found: dict[str, Any] = json.loads(self.scripts[0], parse_constant=refuse)
        return found


def shown(folder: Path, *theorems: dict[str, Any]) -> Elements:
    return Elements(render(open_scan(folder), theorems, folder))


def scalars(folder: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Coordinates and scalars of each cell, read from its JSON alone."""
    for path in sorted((folder / "cells").glob("*.json")):
        record = json.loads(path.read_text("utf-8"))
        yield record["coordinates"], record["scalars"]


def records_of(folder: Path) -> list[CellRecord]:
    """The records of a folder as it is now."""
    return read_records(open_scan(folder))


def planted(folder: Path, plant: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    """Change the scalars of each cell, given its coordinates."""
    for path in (folder / "cells").glob("*.json"):
        change(path, lambda record: plant(record["coordinates"], record["scalars"]))


def answers(folder: Path, *theorems: dict[str, Any]) -> Summary:
    records = records_of(folder)
    axes = axes_of(open_scan(folder).config)
    parts = groups(records, [words(record.config, axes, plane=False) for record in records])
    return summarise(records, parts, theorems, 0)


def minimum(at: dict[str, Any]) -> bool:
    """Where the unigram is a local minimum: tied, p + q > 1 (*Attention with Markov*)."""
    return bool(at["model.tying"] == "tied" and float(at["source.p"]) + float(at["source.q"]) > 1)


def end(downhill: bool = False, word: str = "negative curvature", **changes: Any) -> dict[str, Any]:
    """What is kept of the end of a run."""
    plain = {
        "loss": 0.6, "inertia": [1, 0, 1], "classification": word, "lowest": -0.25,
        "gradient_norm": 0.5, "predicted_unigram_inertia": [int(downhill), 2, 3],
    }  # fmt: skip
    return plain | changes
