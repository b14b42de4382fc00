"""How every figure looks: dictionaries of matplotlib settings, composed with `|`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.typing import ColorType

__all__ = [
    "BIGRAM",
    "CURVATURE",
    "PALETTE",
    "SHARE",
    "STYLE",
    "TEXT_WIDTH",
    "UNIGRAM",
    "ink_on",
    "key",
    "lay_out",
    "luminance",
    "styled",
]

TEXT_WIDTH = 5.5
"""Width of an ICLR page's text, in inches; figures are included at their own size, unscaled."""

# Okabe and Ito's palette, chosen by its authors to stay apart under the colour-vision deficiencies.
PALETTE = {
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
}
UNIGRAM, BIGRAM = PALETTE["vermillion"], PALETTE["blue"]
"""The colours of the two entropies wherever they are drawn."""

# Checked in tests/figures/test_style.py through Machado, Oliveira and Fernandes' simulation of
# protan, deutan and tritan vision: the two arms stay apart, and each darkens away from 0, so that
# in grey the distance from 0 survives (the sign is then read from the contours and the marks).
CURVATURE = "RdBu_r"
"""The diverging map of signed curvature, centred at 0: blue below, red above."""

SHARE = "YlOrBr"
"""The sequential map of shares: pale is none, dark is all; its luminance falls throughout."""

# STIX is a Times, as the page's text is, and comes with matplotlib: the same letters everywhere.
FONTS: dict[str, Any] = {
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "axes.unicode_minus": True,
}
LINES: dict[str, Any] = {
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.0,
    "hatch.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
}
# Type 42 keeps letters as letters: text in the PDF can be searched and passes the paper checks.
FILES: dict[str, Any] = {
    "figure.dpi": 100.0,
    "savefig.dpi": 200.0,
    "pdf.fonttype": 42,
    "svg.hashsalt": "markov-landscape",
}
STYLE: dict[str, Any] = FONTS | LINES | FILES
"""The style of all figures."""


@contextmanager
def styled() -> Iterator[None]:
    """Draw in `STYLE` over matplotlib's own defaults, whatever the user's matplotlibrc says.

    The settings from before come back at the end.

    >>> with styled():
    ...     mpl.rcParams["pdf.fonttype"]
    42
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        for name, value in STYLE.items():
            mpl.rcParams[name] = value  # type: ignore[index]  # the stubs want literals
        yield


def lay_out(figure: Figure, width: float, height: float) -> None:
    """Give the figure its size, in inches, and matplotlib's constrained layout."""
    figure.set_size_inches(width, height)
    figure.set_layout_engine("constrained")


def key(label: str, colour: ColorType, dashes: Any, width: float) -> Line2D:
    """An entry of the legend for a line that is drawn elsewhere."""
    return Line2D([], [], color=colour, linestyle=dashes, linewidth=width, label=label)


def luminance(colour: ColorType) -> float:
    """The relative luminance of a colour, 0 (black) to 1 (white): what is left of it in grey.

    0.2126 R + 0.7152 G + 0.0722 B of the linear sRGB components (IEC 61966-2-1).

    Arguments: `colour`, anything that matplotlib reads as a colour.

    >>> luminance("black"), round(luminance("white"), 12)
    (0.0, 1.0)
    """
    encoded = np.array(mpl.colors.to_rgb(colour))
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def ink_on(colour: ColorType) -> str:
    """Black or white, whichever stands out more against the colour.

    The contrast (L1 + 0.05) / (L2 + 0.05) of the WCAG is the same for both at L = 0.1791.

    >>> ink_on("#FFFFCC"), ink_on("#001155")
    ('black', 'white')
    """
    return "black" if luminance(colour) > 0.1791 else "white"
