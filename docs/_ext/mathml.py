"""Mathematics as MathML, which browsers set without a script: nothing has to be fetched.

A formula that is not understood is a warning, and with warnings as errors it stops the build.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

from theory.export.mathml import from_latex

__all__ = ["setup"]

LOGGER = logging.getLogger(__name__)


def _translated(translator: HTML5Translator, node: nodes.Element, *, block: bool) -> str:
    latex = node.astext()
    try:
        return from_latex(latex, block=block)
    except MathError as error:
        LOGGER.warning("formula not understood: %s in %s", error, latex, location=node)
        return f"<code>{translator.encode(latex)}</code>"


def visit_math(translator: HTML5Translator, node: nodes.math) -> None:
    """Write a formula of a line."""
    translator.body.append(_translated(translator, node, block=False))
    raise nodes.SkipNode


def visit_displayed(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write a displayed formula, in a box that scrolls where it is wider than the page."""
    box = translator.starttag(node, "div", CLASS="math-block", tabindex="0", role="math")
    number = f'<span class="eqno">({node["number"]})</span>' if node.get("number") else ""
    formula = _translated(translator, node, block=True)
    translator.body.append(f"{box}{number}{formula}</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Make `html_math_renderer = "mathml"` known."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displayed, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
