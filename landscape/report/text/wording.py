"""Numbers as a sentence has them."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["between", "counted", "percent", "plain", "scientific"]

TIMES = "\N{NO-BREAK SPACE}\N{MULTIPLICATION SIGN}\N{NO-BREAK SPACE}"
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


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
