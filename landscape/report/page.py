"""The page itself: a template, one style sheet and one script, in a single file."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from landscape.comparison.checks import worst
from landscape.config.canonical import jsonable
from landscape.report.data.counting import groups
from landscape.report.data.gather import (
    axes_of,
    cell_rows,
    csv_text,
    flat_settings,
    for_script,
    plane_of,
    read_records,
    words,
)
from landscape.report.data.theorems import TheoremRecord, held, repeats
from landscape.report.static_map import planes
from landscape.report.text.summary import summarise
from landscape.report.text.sure import what_was_checked
from landscape.report.text.typeset import percent, scientific, signs, typeset
from landscape.store.atomic import write_text
from landscape.store.manifest import now
from landscape.store.reading import StoredScan
from landscape.version import __version__

__all__ = ["render", "write_report"]

HERE = Path(__file__).parent
PICTURES = (".png", ".pdf", ".svg")
SCRIPT = (
    "start", "choosing", "map", "legend", "charts", "curves", "spectrum", "surface", "cell",
    "tables", "go",
)  # fmt: skip
"""The files of the page's script, in the order in which a reader would want them."""


def write_report(
    store: StoredScan, theorems: Sequence[TheoremRecord], path: Path | str | None = None
) -> Path:
    """Write the page of a scan, whole or not at all, and return its path.

    Args:
        store: the scan, opened by `landscape.open_scan`.
        theorems: as plain data; see `landscape.report.data.theorems`.
        path: the file; by default ``report.html`` in the scan's folder.

    Raises OSError if the file cannot be written.
    """
    path = store.path / "report.html" if path is None else Path(path)
    write_text(path, render(store, theorems, path.parent))
    return path


def render(store: StoredScan, theorems: Sequence[TheoremRecord], folder: Path | str) -> str:
    """The page of a scan as it would lie in `folder`, which its links start from."""
    config, records = store.config, read_records(store)
    axes = axes_of(config)
    binary = all(record.config.source.kind == "binary" for record in records)
    # Chains are told apart by their side of p + q = 1; other sources by every axis.
    settings = [words(record.config, axes, plane=not binary) for record in records]
    parts = groups(records, settings)
    rows = cell_rows(records, axes)
    quarantined = store.folder.quarantined
    proofs = [
        {
            **theorem,
            "counts": (counts := held(theorem, records)),
            "worst": worst(counts) if counts else "not measured",
            "checked": what_was_checked(theorem),
        }
        for theorem in theorems
    ]
    plane = plane_of(config)
    script, plotly = _script(), _plotly()
    data = for_script(store, records)
    base = _link(os.path.relpath(store.path, folder))
    data["base"] = base
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            policy=_policy(script, plotly),
            style=Markup((HERE / "page.css").read_text("utf-8")),
            script=Markup(script),
            plotly=Markup(plotly),
            data=_json(data),
            description=store.folder.description,
            settings=flat_settings(store.folder.description["config"]),
            summary=summarise(records, parts, theorems, quarantined),
            parts=parts,
            percent=percent,
            scientific=scientific,
            binary=binary,
            plane=plane,
            planes=planes(records, axes) if plane else [],
            kinds={record.config.model.kind for record in records},
            axes=axes,
            rows=rows,
            theorems=proofs,
            repeats=repeats(theorems, records),
            pictures=[(p.name, f"{base}/{_link(p.name)}") for p in _pictures(store.path)],
            base=base,
            table=_data_uri(csv_text(rows, axes)),
            path=store.path,
            done=[record for record in records if record.state == "done"],
            cells=len(records),
            written={"version": __version__, "at": now()},
            created=sorted(record.created_at for record in records if record.created_at),
        )
    )


def _script() -> str:
    """The parts of the page's script, one after another, in a scope of their own."""
    parts = [(HERE / "script" / f"{name}.js").read_text("utf-8") for name in SCRIPT]
    return "\n".join(['"use strict";', "(() => {", *parts, "})();", ""])


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    # Nothing inside a script may look like its end.
    return str(get_plotlyjs()).replace("</script", r"<\/script")


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(typeset=typeset, signs=signs)
    return environment


def _json(data: Any) -> Markup:
    """Data for a script element: strict JSON in which no text can end the element."""
    text = json.dumps(jsonable(data), allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def _policy(*scripts: str) -> str:
    """The content security policy: these very scripts run, and nothing is ever fetched."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _link(path: str) -> str:
    return quote(Path(path).as_posix())


def _pictures(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix in PICTURES and p.is_file())


def _data_uri(text: str) -> str:
    return "data:text/csv;charset=utf-8;base64," + base64.b64encode(text.encode()).decode()
