"""What a bad setting gets: one exception, and a message that says what to write instead."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from types import UnionType
from typing import Literal, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails


class ConfigError(ValueError):
    """A setting, or a folder given for the results, that cannot be used.

    The message names the setting, the value given, the values allowed and what to try; one line for
    each problem found. The command line prints it and exits with code 2.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """The hint `"; did you mean X?"` for a misspelt name, or `""` if nothing known is near it.

    A dotted name is compared by its last part first, so that a setting written in the wrong section
    is found where it lives.

    >>> nearest("train.stepz", ["train.steps", "train.lr"])
    '; did you mean train.steps?'
    >>> nearest("source.width", ["source.p", "model.width"])
    '; did you mean model.width?'
    >>> nearest("zzz", ["train.steps"])
    ''
    """
    names = sorted(known)
    last = name.rpartition(".")[2]
    found = [other for other in names if other.rpartition(".")[2] == last]
    found = found or get_close_matches(name, names, n=1, cutoff=0.7)
    if not found:  # the section may be what is wrong: compare the last parts alone
        parts = {other.rpartition(".")[2]: other for other in reversed(names)}
        found = [parts[part] for part in get_close_matches(last, parts, n=1, cutoff=0.7)]
    return f"; did you mean {found[0]}?" if found else ""


def shown(value: object) -> str:
    """A value as its user wrote it, for a message.

    >>> shown(Decimal("1.2")), shown("gpt"), shown([Decimal("0.1"), True])
    ('1.2', "'gpt'", '[0.1, true]')
    """
    match value:
        case bool():
            return "true" if value else "false"
        case Decimal():
            return str(value)
        case list() | tuple():
            return f"[{', '.join(map(shown, value))}]"
        case Mapping():
            return f"{{{', '.join(f'{key} = {shown(item)}' for key, item in value.items())}}}"
        case _:
            return repr(value)


def allowed(field: FieldInfo) -> str:
    """What a field accepts: its own description, or the choices of its `Literal` type."""
    choices = ", ".join(map(repr, _choices(field.annotation)))
    return field.description or (f"one of {choices}" if "," in choices else choices)


def plain(error: ValidationError, section: str, fields: Mapping[str, FieldInfo]) -> str:
    """Pydantic's report in our words, one line for each problem.

    `section` is the dotted name of the table that was read ("" for the whole configuration) and
    `fields` are that table's fields.
    """
    # A default that could not be computed is no problem of its own: the field it needs is refused.
    lines = [
        _line(detail, section, fields)
        for detail in error.errors(include_url=False)
        if detail["type"] != "default_factory_not_called"
    ]
    return "\n".join(dict.fromkeys(lines))


def _line(detail: ErrorDetails, section: str, fields: Mapping[str, FieldInfo]) -> str:
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, ConfigError):
        return str(cause)
    name = str(detail["loc"][0]) if detail["loc"] else ""
    path = f"{section}.{name}" if section else name
    where = f"[{section}]" if section else "the configuration"
    if detail["type"] == "extra_forbidden":
        known = [f"{section}.{key}" if section else key for key in fields]
        return (
            f"{path} is not a setting{nearest(path, known) or '.'} "
            f"The settings of {where} are: {', '.join(fields)}"
        )
    if detail["type"] == "missing":
        return f"{path} is missing: it must be {allowed(fields[name])}"
    given = shown(detail["input"])
    hint = ""
    if detail["type"] == "literal_error" and isinstance(detail["input"], str):
        hint = nearest(detail["input"], _choices(fields[name].annotation))
    return f"{path} = {given} is refused: it must be {allowed(fields[name])}{hint}"


def _choices(annotation: object) -> list[str]:
    if get_origin(annotation) is Literal:
        return [str(choice) for choice in get_args(annotation)]
    if get_origin(annotation) in (Union, UnionType, tuple):
        return [choice for inner in get_args(annotation) for choice in _choices(inner)]
    return []
