"""A step as presentation MathML, which browsers set without any script."""

from __future__ import annotations

import html
import re
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import sympy as sp

from theory.export.notation import plain, relation, size
from theory.proving.steps import Lemma, Step

__all__ = ["mathml"]

LONGEST = 400
"""Characters of plain text of one side; a longer one is given by its size."""

RELATIONS = {"=": "=", ">": "&gt;", "<": "&lt;", ">=": "≥", "<=": "≤", "!=": "≠"}


def mathml(step: Step) -> str:
    """What a step claims as one well-formed `math` element; a lemma as its name and citation.

    >>> from theory.proving.steps import Sign
    >>> from theory.symbols import p
    >>> mathml(Sign("a probability", p, "positive")).partition("><")[2]
    'mrow><mi>p</mi></mrow><mo>&gt;</mo><mrow><mn>0</mn></mrow></math>'
    """
    if isinstance(step, Lemma):
        inside = _text(f"{step.name} ({step.citation})")
    else:
        left, sign, right = relation(step)
        inside = f"{_row(left)}<mo>{RELATIONS[sign]}</mo>{_row(right)}"
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">{inside}</math>'


def _row(side: sp.Expr | sp.MatrixBase) -> str:
    text = plain(side)
    if len(text) > LONGEST:
        return f"<mrow>{_text(size(side))}</mrow>"
    printed = sp.mathml(side, printer="presentation")
    # The printer writes names of HTML, such as &InvisibleTimes;, which XML does not know.
    printed = re.sub(r"&(?!(?:amp|lt|gt);)\w+;", lambda name: html.unescape(name[0]), printed)
    row = f"<mrow>{printed}</mrow>"
    try:
        ElementTree.fromstring(row)
    except ElementTree.ParseError:  # and leaves names of symbols as they are, such as a<b
        return f"<mrow>{_text(text)}</mrow>"
    return row


def _text(words: str) -> str:
    return f"<mtext>{escape(words)}</mtext>"
