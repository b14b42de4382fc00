"""Reading settings: TOML text, `--set name=value`, `--axis name=v1,v2,...`."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from typing import Any

from landscape.errors import ConfigError, nearest, shown

AxisValue = Decimal | int | bool | str
"""What an axis may run over."""


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
            raise ConfigError(f"the axis values {text} cannot be read as TOML: {error}") from None
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
        raise ConfigError(f"{option} {text} is refused: write name=value, for example {example}")
    return name.strip().strip('"'), rest


def axis_values(name: str, given: object) -> tuple[AxisValue, ...]:
    """The values an axis runs over, from a list or from `{ from, to, count }`.

    Raises ConfigError, naming the axis, for anything else and for an empty axis.

    >>> axis_values("source.q", {"from": Decimal("0.1"), "to": Decimal("0.9"), "count": 3})
    (Decimal('0.1'), Decimal('0.5'), Decimal('0.9'))
    """
    path = f'axes."{name}"'
    if isinstance(given, Mapping):
        return _spaced(path, given)
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        raise ConfigError(
            f"{path} = {shown(given)} is refused: it must be a list, or a table "
            "{ from, to, count }"
        )
    if not given:
        raise ConfigError(f"{path} = [] is refused: an axis needs at least one value")
    values = [Decimal(repr(value)) if isinstance(value, float) else value for value in given]
    for value in values:
        if not isinstance(value, Decimal | int | str):
            raise ConfigError(
                f"{path} runs over {shown(value)}, which is refused: an axis takes numbers, "
                "strings and true or false"
            )
    return tuple(values)


def _spaced(path: str, table: Mapping[str, Any]) -> tuple[AxisValue, ...]:
    keys = ("from", "to", "count")
    for key in table:
        if key not in keys:
            raise ConfigError(
                f"{path} = {{ {key} = ... }} is not a setting{nearest(key, keys) or '.'} "
                "A spaced axis takes from, to and count"
            )
    for key in keys:
        if key not in table:
            raise ConfigError(f"{path} lacks {key}: write {{ from = 0.1, to = 0.9, count = 5 }}")
    first, last = (_end(path, key, table[key]) for key in ("from", "to"))
    count = table["count"]
    if isinstance(count, bool) or not isinstance(count, int) or count < 2:
        raise ConfigError(
            f"{path} has count = {shown(count)}, which is refused: it must be a whole number of at "
            "least 2 (for a single value write a list)"
        )
    gap = (last - first) / (count - 1)
    return tuple(_decimal(first + k * gap) for k in range(count))


def _end(path: str, key: str, value: object) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ConfigError(f"{path} has {key} = {shown(value)}, refused: it must be a number")
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not exact.is_finite():
        raise ConfigError(f"{path} has {key} = {shown(value)}, refused: it must be finite")
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
