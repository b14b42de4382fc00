"""LaTeX, and the steps of proofs, as MathML, which browsers set without any script.

The translation is docutils' own.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from xml.sax.saxutils import escape

from docutils.utils.math.latex2mathml import tex2mathml

from theory.export.latex import equation
from theory.export.notation import equation as in_words, relation
from theory.proving.steps import Identity, Lemma, Sign, Step

__all__ = ["from_latex", "mathml"]

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

NAMED = re.compile(r"&(?!(?:amp|lt|gt);)\w+;")
"""Names of HTML, such as &ApplyFunction;, which XML does not know."""


def from_latex(latex: str, *, block: bool) -> str:
    r"""LaTeX as one well-formed `math` element, displayed if `block`.

    Raises docutils' MathError for a command that it does not know, or a missing argument.

    >>> from_latex(r"a \lt b", block=False)
    '<math xmlns="http://www.w3.org/1998/Math/MathML"><mi>a</mi><mo>&lt;</mo><mi>b</mi></math>'
    """
    known = WORDS.sub(lambda found: SPELLINGS[found[1]], latex)
    known = TWO_DIGITS.sub(r"\1{\2}{\3}", known)
    known = ACCENTED.sub(r"{\1{}}", known)
    known = BARE_BAR.sub("|", known)
    set_bars = BAR.sub(r'<mo\1 lspace="0" rspace="0">|</mo>', tex2mathml(known, as_block=block))
    return NAMED.sub(lambda name: html.unescape(name[0]), re.sub(r">\s+<", "><", set_bars))


def mathml(step: Step, *, once: bool = False) -> str:
    """What a step claims as one displayed `math` element; a lemma as its name and citation.

    `once` leaves out the right side of an identity, for one whose sides are written alike.

    >>> from theory.proving.steps import Sign
    >>> from theory.symbols import p
    >>> mathml(Sign("a probability", p, "positive")).partition("><")[2]
    'mi>p</mi><mo>&gt;</mo><mn>0</mn></math>'
    """
    if not isinstance(step, Lemma) and all(map(str.isidentifier, _names(step))):
        return from_latex(equation(step, once=once), block=True)
    words = escape(" ".join(in_words(step)))
    return (
        '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">'
        f"<mtext>{words}</mtext></math>"
    )


def _names(step: Identity | Sign) -> Iterator[str]:
    """The symbols of a step, whose names need not be LaTeX."""
    left, _, right = relation(step)
    yield from map(str, left.free_symbols | right.free_symbols)
