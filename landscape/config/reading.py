"""Settings as they are written: dotted names, TOML, `--set name=value`, `--axis name=v1,v2`."""

import codecs
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
from landscape.config.section import LONGEST
from landscape.errors import ConfigError, clipped, nearest, refused

LARGEST_TOML = 2**24
"""Most bytes of a configuration, 16 MiB."""

MOST_VALUES = 10**6
"""Most values of an axis, and most cells of a scan."""

NAME = r"^\w[\w.+-]*$"
"""What a scan may be called: its folder is named for it."""

LONGEST_NAME = 200
"""Most bytes of the name of a scan: a folder's has at most 255, and a hash follows."""

FILES = ("kernel", "sequence")
"""Settings of a source that may name a file."""

AxisValue = Decimal | int | bool | str
"""What an axis may run over."""

NO_AXIS = {
    "name": "the name of a scan does not change its cells",
    "measure.points": "one cell measures all of its points",
    "measure.slice": "an axis takes single values; name measure.slice.resolution",
    "source.sequence": "a configuration holds one estimate; write one for each file",
    "source.smoothing": "a configuration holds one estimate; write one for each smoothing",
    "source.units": "a configuration holds one estimate",
    "train.seeds": "the seeds of a cell train together and are a dimension inside it",
}
"""Settings over which no axis runs, and why."""


def _settings(prefix: str, section: type[BaseModel]) -> Iterator[str]:
    apart = getattr(section, "apart", ())
    for key, field in section.model_fields.items():
        if key in apart:
            continue
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
        content = (files(__package__) / "demo.toml").read_bytes() if path is None else _bytes(path)
        return tomllib.loads(_text(content), parse_float=Decimal)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(
            f"the configuration {path} cannot be read: {reason}; give the path of a TOML file, "
            "or none for the built-in demonstration"
        ) from None
    except (ValueError, RecursionError, ArithmeticError) as error:
        # TOMLDecodeError, UnicodeDecodeError, tables within tables, numbers beyond all measure
        why = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise ConfigError(f"the configuration {path} is not TOML: {why}") from None


def name_of(path: Path) -> str:
    """The name of a scan after its file: what no name may have becomes a dash.

    >>> name_of(Path("my scan (1).toml")), name_of(Path("-x.toml"))
    ('my-scan-1', 'x')
    """
    text = path.stem.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    text = re.sub(r"[^\w.+-]+", "-", text.replace("\ufffd", "-")).strip("-.+")
    text = text.encode()[:LONGEST_NAME].decode("utf-8", "ignore")
    return text if re.fullmatch(NAME, text) else "scan"


def beside(tables: dict[str, Any], folder: Path) -> None:
    """Take the files that a configuration names from its own folder if the current one has none.

    Raises ConfigError for one that is in neither, or in both with other contents.
    """
    source, axes = tables.get("source"), tables.get("axes")
    for name in FILES:
        places: list[tuple[Any, Any]] = []
        if isinstance(source, dict) and name in source:
            places.append((source, name))
        if isinstance(axes, dict) and isinstance(values := axes.get(f"source.{name}"), list):
            places += [(values, k) for k in range(len(values))]
        for table, key in places:
            if isinstance(table[key], str):
                table[key] = str(_found(f"source.{name}", Path(table[key]), folder))


def _found(name: str, path: Path, folder: Path) -> Path:
    other = folder / path
    if path.is_absolute() or folder.resolve() == Path.cwd():
        return path
    if not other.is_file():
        if not path.exists():
            why = f"there is no such file in {Path.cwd()}, nor in {folder} beside the configuration"
            raise refused(name, str(path), why=why)
        return path
    if path.is_file() and path.read_bytes() != other.read_bytes():
        raise refused(
            name,
            str(path),
            why=f"the current folder and {folder} beside the configuration have different files "
            "of this name",
            hint=f"write {Path.cwd() / path} or {other.resolve()}",
        )
    return other


def _bytes(path: Path) -> bytes:
    with path.open("rb") as stream:  # a pipe too, as the shell's <(...) is
        content = stream.read(LARGEST_TOML + 1)
    if len(content) > LARGEST_TOML:
        raise ValueError(f"it has more than {LARGEST_TOML} bytes")
    return content


def _text(content: bytes) -> str:
    """The text of a TOML file, which is UTF-8; a byte order mark is skipped."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError("it is UTF-16; save it as UTF-8")
    return content.decode("utf-8-sig")


def read_value(text: str) -> Any:
    """A value of the command line as TOML reads it; what is not TOML is a bare string.

    >>> [read_value(text) for text in (".5", "8", "true", "untied")]
    [Decimal('0.5'), 8, True, 'untied']
    """
    try:
        return _toml(text)
    except (ValueError, ArithmeticError, RecursionError):  # of a number, or brackets, without end
        return text.strip()


def read_values(text: str) -> Any:
    """The values of an axis: `v1,v2,...`, or a TOML list, or `{ from = a, to = b, count = n }`.

    >>> read_values("tied,untied"), read_values("[1, 2]"), read_values(".1,.3")
    (['tied', 'untied'], [1, 2], [Decimal('0.1'), Decimal('0.3')])
    """
    if text.lstrip()[:1] in ("[", "{"):
        try:
            return _toml(text)
        except (ValueError, ArithmeticError, RecursionError) as error:
            why = error if isinstance(error, ValueError) else "it cannot be read"
            raise refused(f"the axis {clipped(text)}", why=f"it is not TOML: {why}") from None
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
        raise refused(f"{option} {clipped(text)}", hint=f"write name=value, for example {example}")
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
    if len(given) > MOST_VALUES:
        allowed = f"an axis of at most {MOST_VALUES} values"
        raise refused(path, why=f"it has {len(given)} values", allowed=allowed)
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
    if count > MOST_VALUES:
        raise refused(f"{path}.count", count, allowed=f"at most {MOST_VALUES}")
    gap = (last - first) / (count - 1)
    return tuple(_decimal(first + k * gap) for k in range(count))


def _end(path: str, key: str, value: object) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise refused(f"{path}.{key}", value, allowed="a number")
    if isinstance(value, int) and abs(value) > 10**LONGEST:
        raise refused(f"{path}.{key}", value, allowed=f"between 1e-{LONGEST} and 1e{LONGEST}")
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not exact.is_finite():
        raise refused(f"{path}.{key}", value, allowed="finite")
    if abs(exact.adjusted()) > LONGEST:
        raise refused(f"{path}.{key}", value, allowed=f"between 1e-{LONGEST} and 1e{LONGEST}")
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
