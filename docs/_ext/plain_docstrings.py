"""Docstrings of this project's plain style, as the reStructuredText that autodoc reads.

The style is text with `names` and ``formulas``, *titles*, sections such as `Args:` whose body is
indented, indented formulas, and examples after >>>. Everything else is text: |x|, w* and x_n mean
what they say, so reStructuredText must not see markup in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from sphinx.application import Sphinx

import landscape

__all__ = ["restructured", "setup"]

PUBLIC = {name for name in landscape.__all__ if not name.startswith("_")}
SECTIONS = ("Args", "Arguments", "Attributes", "Fields", "Raises", "Returns", "Yields")

INLINE = re.compile(
    r"""(?P<formula>``.+?``)
      | (?P<name>`[^`\n]+`)
      | (?P<title>(?<![\w*])\*[A-Z][^*]*[\w.!?]\*(?![\w*]))
      | (?P<sign>[\\*_|`])
    """,
    re.VERBOSE | re.DOTALL,
)


def inline(text: str) -> str:
    r"""A paragraph: formulas and names as code, public names as links, signs as themselves.

    >>> print(inline("`ExactLoss` at w* of |x|, ``2^n``, *Local to Global*"))
    :py:obj:`~landscape.ExactLoss` at w\* of \|x\|, ``2^n``, *Local to Global*
    """
    return INLINE.sub(_inline, text)


def _inline(found: re.Match[str]) -> str:
    match found.lastgroup:
        case "formula" | "title":
            return found[0]
        case "name" if (name := found[0][1:-1]) in PUBLIC:
            return f":py:obj:`~landscape.{name}`"
        case "name":
            return f"``{found[0][1:-1]}``"
        case _:
            return f"\\{found[0]}"


def restructured(lines: list[str]) -> list[str]:
    """The lines of a docstring as reStructuredText.

    >>> restructured(["Roots.", "", "Args:", "    x_0: start,", "        any real."])
    ['Roots.', '', '**Arguments**', '', '``x_0``', '   start, any real.', '']
    """
    out: list[str] = []
    blocks = list(_blocks(lines))
    for block in blocks:
        first = block[0]
        if first.startswith(">>>"):
            out += [*block, ""]
        elif first.startswith(" "):
            _literal(out, block)
        elif first.rstrip(":") in SECTIONS and first.endswith(":"):
            out += [f"**{'Arguments' if first == 'Args:' else first[:-1]}**", ""]
            out += _entries(block[1:])
        elif re.match(r"[-*] |\d+\. ", first):
            out += [*_items(block), ""]
        else:
            head = [line for line in block if not line.startswith(" ")]
            out += [*inline("\n".join(head)).split("\n"), ""]
            if len(head) < len(block):
                _literal(out, block[len(head) :])
    return out


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """Paragraphs; an indented section stays with its name, whatever blank lines are in it."""
    block: list[str] = []
    for line in lines:
        if line.strip():
            block.append(line.rstrip())
        elif block:
            yield block
            block = []
    if block:
        yield block


def _literal(out: list[str], block: list[str]) -> None:
    """A formula as it is, after a paragraph that may or may not announce it by two colons."""
    if len(out) > 1 and out[-2].endswith("::"):
        out[-2] = out[-2][:-1].removesuffix(":") if out[-2] == "::" else out[-2][:-1]
    margin = min(len(line) - len(line.lstrip()) for line in block)
    out += [".. code-block:: text", "", *(f"    {line[margin:]}" for line in block), ""]


def _items(block: list[str]) -> Iterator[str]:
    text = inline("\n".join(block))
    yield from text.split("\n")


def _entries(block: list[str]) -> Iterator[str]:
    """The body of a section: what is said of each name, or only text."""
    margin = min((len(line) - len(line.lstrip()) for line in block), default=0)
    entries: list[list[str]] = []
    for line in (line[margin:] for line in block):
        if line.startswith(" ") and entries:
            entries[-1].append(line.strip())
        else:
            entries.append([line.strip()])
    named = [re.match(r"(`?[\w.*]+`?(?:, `?[\w.*]+`?)*): (.*)", " ".join(e)) for e in entries]
    if all(named):
        for found in named:
            assert found
            names = ", ".join(f"``{name.strip('` ')}``" for name in found[1].split(","))
            yield from (names, f"   {inline(found[2])}", "")
    else:
        yield from (f"   {inline(' '.join(' '.join(e) for e in entries))}", "")


def _docstring(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = restructured(lines)


def _signature(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, arguments: str, returns: str
) -> tuple[str, str] | None:
    """No signature where it says nothing: of a protocol, or of a table of settings."""
    if what != "class":
        return None
    if issubclass(obj, BaseModel) or getattr(obj, "_is_protocol", False):
        return "", ""
    return (arguments or "").replace("<factory>", "..."), returns


def setup(app: Sphinx) -> dict[str, Any]:
    """Let autodoc read docstrings by way of `restructured`."""
    app.connect("autodoc-process-docstring", _docstring)
    app.connect("autodoc-process-signature", _signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
