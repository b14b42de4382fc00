"""Numbers as a sentence has them, and the plain symbols of a statement, such as pi0, as signs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markupsafe import Markup, escape

__all__ = ["between", "counted", "percent", "plain", "scientific", "signs", "typeset"]

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
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


TIMES = "\N{NO-BREAK SPACE}\N{MULTIPLICATION SIGN}\N{NO-BREAK SPACE}"


def percent(share: float) -> str:
    """A share in percent, as whole as it can be said without a lie.

    >>> percent(1.0), percent(0.997), percent(0.0004), percent(0.25)
    ('100%', '99.7%', '<0.1%', '25%')
    """
    if 0 < share < 0.001:
        return "<0.1%"
    if 0.999 < share < 1:
        return ">99.9%"
    narrow = 0 < share < 0.01 or 0.99 < share < 1
    return f"{100 * share:.{1 if narrow else 0}f}%"


def scientific(value: float) -> str:
    """A positive number to two digits, as powers of ten are written by hand.

    >>> scientific(2.66e-14).endswith("10⁻¹⁴"), scientific(0.0)
    (True, '0')
    """
    if not value:
        return "0"
    front, power = f"{value:.1e}".split("e")
    return f"{front}{TIMES}10{str(int(power)).translate(RAISED)}"


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> counted(1, "cell"), counted(2, "spectrum", "spectra")
    ('1 cell', '2 spectra')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def between(values: Sequence[float]) -> str:
    """Numbers by their least and their greatest.

    >>> between([-2e-3, -4e-2]).replace("\N{MINUS SIGN}", "-")
    '-0.04 to -0.002'
    """
    ends = [plain(value) for value in (min(values), max(values))]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def plain(value: float) -> str:
    """A number to two digits, written out unless it is tiny.

    >>> plain(120.4)
    '120'
    >>> plain(0.25), plain(3e-9).endswith("10⁻⁹"), plain(-0.5)[1:]
    ('0.25', True, '0.5')
    """
    sign = "\N{MINUS SIGN}" if value < 0 else ""
    size = abs(value)
    return sign + (scientific(size) if size < 1e-3 or size >= 1e5 else _written(size))


def _written(size: float) -> str:
    return f"{size:.0f}" if size >= 100 else f"{size:.2g}"
