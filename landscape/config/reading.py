"""Settings as they are written: dotted names, TOML, `--set name=value`, `--axis name=v1,v2`."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from landscape.config.cell import SECTIONS
from landscape.errors import ConfigError, nearest, refused

AxisValue = Decimal | int | bool | str
"""What an axis may run over."""

NO_AXIS = {
    "name": "the name of a scan does not change its cells",
    "measure.points": "one cell measures all of its points",
    "measure.slice": "an axis takes single values; name measure.slice.resolution",
    "train.seeds": "the seeds of a cell train together and are a dimension inside it",
}
"""Settings over which no axis runs, and why."""


def _settings(prefix: str, section: type[BaseModel]) -> Iterator[str]:
    for key, field in section.model_fields.items():
        yield f"{prefix}.{key}"
        for inner in get_args(field.annotation):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from _settings(f"{prefix}.{key}", inner)


SETTINGS: tuple[str, ...] = tuple(
    name for section, kind in SECTIONS.items() for name in _settings(section, kind)
)
"""The dotted name of every setting that makes a cell what it is."""


def check_setting(option: str, name: str) -> None:
    """Raise ConfigError, naming the nearest setting, unless `name` is one (or the scan's name)."""
    _check(f"{option} {name}", name)


def check_axis(name: str) -> None:
    """Raise ConfigError unless an axis can run over the setting `name`."""
    _check(axis_of(name), name)
    if name in NO_AXIS:
        raise refused(axis_of(name), why=NO_AXIS[name])


def axis_of(name: str) -> str:
    """The dotted name of the axis over a setting, as TOML writes it: `axes."source.p"`."""
    return f'axes."{name}"'


def _check(given: str, name: str) -> None:
    if name in SETTINGS or name == "name":
        return
    if name in SECTIONS or name == "axes":
        raise refused(given, why=f"[{name}] is a table", hint="name a setting in it")
    hint = nearest(name, SETTINGS) or f"there are {_listed(name.partition('.')[0])}"
    raise refused(given, why="there is no such setting", hint=hint)


def _listed(section: str) -> str:
    # Those of one table if it is known, else all, each under the name of its table.
    sections = [section] if section in SECTIONS else list(SECTIONS)
    return ", ".join(
        f"{each}.{{{', '.join(s.partition('.')[2] for s in SETTINGS if s.startswith(f'{each}.'))}}}"
        for each in sections
    )


def put(tables: dict[str, Any], name: str, value: object) -> None:
    """Set a dotted name in nested tables, making the tables on the way.

    Where something other than a table stands in the way it is left for validation to refuse.

    >>> tables = {"measure": {"slice": False}}
    >>> put(tables, "measure.slice.resolution", 5)
    >>> tables
    {'measure': {'slice': {'resolution': 5}}}
    """
    *path, last = name.split(".")
    for key in path:
        inner = tables.get(key)
        if inner is None or inner is False:
            inner = {}
        if not isinstance(inner, Mapping):
            return
        tables[key] = dict(inner)  # a copy: the caller may share the inner tables
        tables = tables[key]
    tables[last] = value


def get(tables: object, name: str) -> Any:
    """The value behind a dotted name in nested sections; None below a section that is None."""
    for key in name.split("."):
        tables = None if tables is None else getattr(tables, key)
    return tables


def leaves(tables: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted names of everything in nested tables that is not a table itself.

    >>> list(leaves({"source": {"p": 0.5}, "measure": {"slice": {"resolution": 5}}}))
    ['source.p', 'measure.slice.resolution']
    """
    for key, value in tables.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def read_toml(path: Path | None) -> dict[str, Any]:
    """The tables of a TOML file, or of the built-in demonstration; real numbers stay decimals.

    Raises ConfigError if there is no such file or if it is not TOML.
    """
    try:
        text = (files(__package__) / "demo.toml" if path is None else path).read_text("utf-8")
        return tomllib.loads(text, parse_float=Decimal)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(
            f"the configuration {path} cannot be read: {reason}; give the path of a TOML file, "
            "or none for the built-in demonstration"
        ) from None
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError
        raise ConfigError(f"the configuration {path} is not TOML: {error}") from None


def read_value(text: str) -> Any:
    """A value of the command line as TOML reads it; what is not TOML is a bare string.

    >>> [read_value(text) for text in (".5", "8", "true", "untied")]
    [Decimal('0.5'), 8, True, 'untied']
    """
    try:
        return _toml(text)
    except tomllib.TOMLDecodeError:
        return text.strip()


def read_values(text: str) -> Any:
    """The values of an axis: `v1,v2,...`, or a TOML list, or `{ from = a, to = b, count = n }`.

    >>> read_values("tied,untied"), read_values("[1, 2]"), read_values(".1,.3")
    (['tied', 'untied'], [1, 2], [Decimal('0.1'), Decimal('0.3')])
    """
    if text.lstrip()[:1] in ("[", "{"):
        try:
            return _toml(text)
        except tomllib.TOMLDecodeError as error:
            raise refused(f"the axis {text}", why=f"it is not TOML: {error}") from None
    return [read_value(part) for part in text.split(",")]


def _toml(text: str) -> Any:
    # `.5` is how the field writes it, but TOML wants a digit before the point.
    text = re.sub(r"(?<=[=,\s\[+-])\.(?=\d)", "0.", f"value = {text}")
    tables = tomllib.loads(text, parse_float=Decimal)
    if tables.keys() != {"value"}:  # text with line breaks
        raise tomllib.TOMLDecodeError("more than one value")
    return tables["value"]


def split_option(option: str, text: str) -> tuple[str, str]:
    """The name and the rest of `name=rest`; raises ConfigError where there is none."""
    name, equals, rest = text.partition("=")
    if not (equals and name.strip() and rest.strip()):
        example = "source.p=0.1,0.5,0.9" if option == "--axis" else "model.width=8"
        raise refused(f"{option} {text}", hint=f"write name=value, for example {example}")
    return name.strip().strip('"'), rest


def pairs_of(option: str, texts: Sequence[str]) -> dict[str, str]:
    """The rests of an option given several times as `name=rest`, by name.

    Raises ConfigError as `split_option` does, and for a name with two different values.

    >>> pairs_of("--set", ["train.lr=.01", "train.lr=0.010", "model.width=2"])
    {'train.lr': '0.010', 'model.width': '2'}
    """
    found: dict[str, str] = {}
    for text in texts:
        name, rest = split_option(option, text)
        if name in found and read_values(found[name]) != read_values(rest):
            why = f"{option} {name}={found[name]} is given too"
            raise refused(f"{option} {name}={rest}", why=why, hint="give one of them")
        found[name] = rest
    return found


def axis_values(name: str, given: object) -> tuple[AxisValue, ...]:
    """The values an axis runs over, from a list or from `{ from, to, count }`.

    Raises ConfigError, naming the axis, for anything else and for an empty axis.

    >>> axis_values("source.q", {"from": Decimal("0.1"), "to": Decimal("0.9"), "count": 3})
    (Decimal('0.1'), Decimal('0.5'), Decimal('0.9'))
    """
    path = axis_of(name)
    if isinstance(given, Mapping):
        return _spaced(path, given)
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        raise refused(path, given, allowed="a list, or a table { from, to, count }")
    if not given:
        raise refused(path, given, why="an axis needs at least one value")
    values = [Decimal(repr(value)) if isinstance(value, float) else value for value in given]
    for value in values:
        if not isinstance(value, Decimal | int | str):
            raise refused(path, value, why="an axis takes numbers, strings and true or false")
    return tuple(values)


def _spaced(path: str, table: Mapping[str, Any]) -> tuple[AxisValue, ...]:
    keys = ("from", "to", "count")
    for key in table:
        if key not in keys:
            raise refused(
                f"{path}.{key}",
                table[key],
                why="a spaced axis takes from, to and count",
                hint=nearest(key, keys),
            )
    for key in keys:
        if key not in table:
            write = "{ from = 0.1, to = 0.9, count = 5 }"
            raise refused(path, table, why=f"it lacks {key}", hint=f"write {write}")
    first, last = (_end(path, key, table[key]) for key in ("from", "to"))
    count = table["count"]
    if isinstance(count, bool) or not isinstance(count, int) or count < 2:
        allowed = "a whole number of at least 2 (for a single value write a list)"
        raise refused(f"{path}.count", count, allowed=allowed)
    gap = (last - first) / (count - 1)
    return tuple(_decimal(first + k * gap) for k in range(count))


def _end(path: str, key: str, value: object) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise refused(f"{path}.{key}", value, allowed="a number")
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not exact.is_finite():
        raise refused(f"{path}.{key}", value, allowed="finite")
    return Fraction(exact)


def _decimal(value: Fraction) -> Decimal:
    # Exact where 28 digits suffice, as in 0.1, 0.3, 0.5; a third is cut at 15, which float64 keeps.
    with localcontext() as context:
        context.prec = 28
        quotient = Decimal(value.numerator) / Decimal(value.denominator)
        if Fraction(quotient) != value:
            context.prec = 15
            quotient = +quotient
    return quotient
