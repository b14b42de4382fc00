"""The source text that a figure follows from: its script and all of figures and theory it uses."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

import matplotlib as mpl

__all__ = ["closure", "source_hash"]

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("figures", "theory")
"""Whose text decides what is drawn; the readers of `landscape` are held to what is stored."""


def closure(module: str) -> tuple[str, ...]:
    """The modules of `PACKAGES` that a module imports, directly or not, itself included; sorted.

    >>> "figures.style" in closure("figures.output"), "figures.panels.tiles" in
    closure("figures.output") (True, False)
    """
    seen, todo = set[str](), [module]
    while todo:
        name = todo.pop()
        if name not in seen and (path := _file(name)) is not None:
            seen.add(name)
            todo += _imported(path)
    return tuple(sorted(seen))


@cache
def source_hash(module: str) -> str:
    """SHA-256 of the text of the `closure`, and of matplotlib's version.

    >>> source_hash("figures.style") == source_hash("figures.panels.tiles")
    False
    """
    digest = hashlib.sha256(mpl.__version__.encode())
    for name in closure(module):
        path = _file(name)
        assert path is not None  # or it would not be in the closure
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _file(module: str) -> Path | None:
    if module.partition(".")[0] not in PACKAGES:
        return None
    base = ROOT / Path(*module.split("."))
    found = (path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file())
    return next(found, None)


@cache
def _imported(path: Path) -> tuple[str, ...]:
    names = list[str]()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(names)
