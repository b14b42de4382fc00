"""Numbers as a sentence has them."""

from __future__ import annotations

__all__ = ["counted", "percent", "scientific"]

TIMES = "\N{MULTIPLICATION SIGN}"
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

    >>> scientific(2.66e-14).endswith(" 10⁻¹⁴"), scientific(0.0)
    (True, '0')
    """
    if not value:
        return "0"
    front, power = f"{value:.1e}".split("e")
    return f"{front} {TIMES} 10{str(int(power)).translate(RAISED)}"


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> counted(1, "cell"), counted(2, "spectrum", "spectra")
    ('1 cell', '2 spectra')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
