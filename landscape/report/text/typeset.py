"""The plain symbols of a statement, such as pi0 and e^2, as signs: text in, escaped markup out."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

__all__ = ["signs", "typeset"]

RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

ALPHA, MINUS = "\N{GREEK SMALL LETTER ALPHA}", "\N{MINUS SIGN}"

NAMES = {"pi": "π", "lambda": "λ", "alpha": ALPHA, "theta": "θ", "kappa": "κ", "eps": "ε"}

RULES: tuple[tuple[str, str], ...] = (
    (r"!=", "≠"),
    (r">=", "≥"),
    (r"<=", "≤"),
    (r"\+-", "±"),
    (r"->", "→"),
    (r"\bsqrt(?=[\d(])", "√"),
    # A mean, <z z^T>, has no space inside its brackets; a comparison has one on either side.
    (r"<(?! )([^<>]+?)(?<! )>", r"⟨\1⟩"),
    # A minus stands between terms, after a bracket or a space; the rest are hyphens of words.
    (r"(?<= )-(?= )", MINUS),
    (r"(?<![\w)\]₀-₉-])-(?=[\w(])", MINUS),
    (r"(?<![A-Za-z]{2})(?<=[\w)₀-₉])-(?=\d|[a-zκπ]\b|π|\()", MINUS),
)
"""Patterns in plain text, in order, and what they become."""


def signs(text: str) -> str:
    """Plain text with the signs that it spells.

    >>> signs("for p + q != 1: 2 pi0 pi1 (1 + 2w|w|) e^2 >= 1/sqrt2, rank-one")
    'for p + q ≠ 1: 2 π₀ π₁ (1 + 2w|w|) e² ≥ 1/√2, rank-one'
    """
    text = re.sub(
        rf"(?<![A-Za-z])({'|'.join(NAMES)})(\d?)(?![A-Za-z0-9])",
        lambda found: NAMES[found[1]] + found[2].translate(LOWERED),
        text,
    )
    for pattern, sign in RULES:
        text = re.sub(pattern, sign, text)
    text = re.sub(r"\^(\d+)(?!\w|\.\d)", lambda found: found[1].translate(RAISED), text)
    return re.sub(r"\^T\b", "ᵀ", text)


def typeset(text: str) -> Markup:
    """The same for a page: escaped, and what is written H_b with its index lowered.

    >>> str(typeset("H_b < H_u & <i>"))
    'H<sub>b</sub> &lt; H<sub>u</sub> &amp; ⟨i⟩'
    """
    escaped = str(escape(signs(text)))
    # After escaping, so that these are the only marks there are.
    index = rf"(?<![A-Za-z0-9_])([A-Za-zλπ])_(?:\{{([\w,+{MINUS} ]+)\}}|(\w+))"
    return Markup(
        re.sub(index, lambda found: f"{found[1]}<sub>{found[2] or found[3]}</sub>", escaped)
    )
