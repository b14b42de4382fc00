"""Mathematics as MathML, which browsers set without a script: nothing has to be fetched.

The translation is docutils' own. A formula that it does not understand is a warning, and with
warnings as errors it stops the build.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

__all__ = ["mathml", "setup"]

LOGGER = logging.getLogger(__name__)

# The words that the theorems page writes for signs of Markdown, and a spelling docutils lacks.
SPELLINGS = {"cr": r"\\", "gt": ">", "lt": "<", "dots": r"\ldots "}
WORDS = re.compile(rf"\\({'|'.join(SPELLINGS)})(?![A-Za-z]) ?")

# To LaTeX the 12 of \frac12 is two arguments, to docutils one.
TWO_DIGITS = re.compile(r"(\\[td]?frac) *(\d)(\d)")

# An index belongs beside an accented letter; docutils puts it below, as under a sum.
ACCENTED = re.compile(r"(\\(?:bar|hat|tilde|dot|vec) *(?:\{[^{}]*\}|\\[A-Za-z]+|\w))(?=[_^])")

# A bar is one of a pair, or stands for "given": in neither place has it the room of an operator.
BARE_BAR = re.compile(r"(?<!\\left)(?<!\\right)\\vert(?![A-Za-z]) ?")
BAR = re.compile(r"<mo([^>]*)>\|</mo>")


def mathml(latex: str, *, block: bool) -> str:
    r"""LaTeX as one `math` element, displayed if `block`.

    Raises MathError where docutils does not know a command, or an argument is missing.

    >>> mathml(r"a \lt b", block=False)
    '<math xmlns="http://www.w3.org/1998/Math/MathML">\n  <mi>a</mi>\n  <mo>&lt;</mo>\n  ...</math>'
    """
    known = WORDS.sub(lambda found: SPELLINGS[found[1]], latex)
    known = TWO_DIGITS.sub(r"\1{\2}{\3}", known)
    known = ACCENTED.sub(r"{\1{}}", known)
    known = BARE_BAR.sub("|", known)
    return BAR.sub(r'<mo\1 lspace="0" rspace="0">|</mo>', tex2mathml(known, as_block=block))


def _translated(translator: HTML5Translator, node: nodes.Element, *, block: bool) -> str:
    latex = node.astext()
    try:
        return mathml(latex, block=block)
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
