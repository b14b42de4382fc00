"""A figure as a file, with nothing in it but the figure: the same picture is the same bytes."""

from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec

from matplotlib.figure import Figure

from figures.style import styled
from landscape.store.atomic import flush, publish, temporary

P = ParamSpec("P")

# What matplotlib would otherwise add: the date, and its own version.
_NOTHING: dict[str, dict[str, str | None]] = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    ".svg": {"Date": None, "Creator": None},
}


def picture(
    draw: Callable[Concatenate[Figure, P], object], *args: P.args, **kwargs: P.kwargs
) -> Figure:
    """A new figure with what `draw` draws on it.

    >>> picture(lambda figure, title: figure.suptitle(title), "empty").get_suptitle()
    'empty'
    """
    figure = Figure()
    draw(figure, *args, **kwargs)
    return figure


def write(figure: Figure, path: Path | str) -> Path:
    """Write the figure in the format that the path's suffix names, and return the path.

    Folders on the way are made, and the file is there whole or not at all. PNG has 200 dots per
    inch, PDF embeds its fonts, and no file has a date.

    Arguments: `figure`; `path`, ending in .png, .pdf or .svg.
    Raises ValueError for another suffix, OSError where the file cannot be written.

    >>> import tempfile
    >>> write(Figure(figsize=(1, 1)), Path(tempfile.mkdtemp()) / "empty.png").name
    'empty.png'
    """
    path = Path(path)
    if path.suffix.lower() not in _NOTHING:
        raise ValueError(
            f"path = {path} does not say in which format to draw: let it end in "
            f"{', '.join(_NOTHING)}"
        )
    suffix = path.suffix.lower()
    path.parent.mkdir(parents=True, exist_ok=True)
    with styled(), temporary(path) as name:
        figure.savefig(name, format=suffix[1:], metadata=_NOTHING[suffix])
        flush(name)
        publish(name, path)
    return path


def write_both(figure: Figure, path_without_suffix: Path | str) -> list[Path]:
    """Write the figure as PNG and as PDF, and return the two paths.

    Raises OSError where a file cannot be written.

    >>> import tempfile
    >>> [path.name for path in write_both(Figure(), Path(tempfile.mkdtemp()) / "empty")]
    ['empty.png', 'empty.pdf']
    """
    base = Path(path_without_suffix)
    return [write(figure, base.with_name(base.name + suffix)) for suffix in (".png", ".pdf")]
