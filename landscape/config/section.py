"""What all tables of a configuration have in common: how they refuse, and the numbers they hold."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    TypeAdapter,
    ValidationError,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from landscape.errors import ConfigError, Refusal, Text, nearest, refused


class Section(BaseModel):
    """A frozen table of settings that refuses names and values it does not know.

    Raises ConfigError, with one refusal for each problem.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    title: ClassVar[str] = ""
    later: ClassVar[Mapping[str, Any]] = {}
    """Settings newer than the schema, and the values that say nothing new: ids leave them out."""
    apart: ClassVar[tuple[str, ...]] = ()
    """What says how other settings were come by, and is never part of an id."""

    def __init__(self, **settings: Any) -> None:
        try:
            super().__init__(**settings)
        except ValidationError as error:
            found: list[Refusal] = []
            for detail in error.errors(include_url=False):
                found += (each for each in self._refusals(detail) if each not in found)
            raise ConfigError(*found) from None

    def refused(self, name: str, **reasons: Any) -> ConfigError:
        """The error that refuses a setting of this table with its value; see `errors.refused`."""
        return refused(self._path(name), getattr(self, name), **reasons)

    def given(self) -> dict[str, Any]:
        """The settings that were written, as a plain table: made of them, the section is equal."""
        return self.model_dump(exclude_unset=True)

    @property
    def unread(self) -> dict[str, Text]:
        """The settings that were written and that nothing reads beside the others, and why."""
        return {}

    @classmethod
    def in_range(cls, name: str, value: object) -> None:
        """Refuse a value that the setting of this name cannot have, whatever the others are."""
        field = cls.model_fields[name]
        try:
            kind: Any = Annotated[field.annotation, *field.metadata, field.description]
            TypeAdapter(kind).validate_python(value)
        except ValidationError:
            raise refused(cls._path(name), value, allowed=_allowed(field)) from None

    @classmethod
    def missing(cls, *names: str) -> Iterator[Refusal]:
        """The refusals of a table in which settings of these names are missing."""
        for name in names:
            allowed = _allowed(cls.model_fields[name])
            yield Refusal(cls._path(name), allowed=allowed, missing=True)

    @classmethod
    def _refusals(cls, detail: ErrorDetails) -> Iterator[Refusal]:
        """What pydantic reports, as our records."""
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, ConfigError):
            yield from cause.refusals
            return
        kind, given = detail["type"], detail["input"]
        name = str(detail["loc"][0]) if detail["loc"] else ""
        if kind == "missing":
            yield from cls.missing(name)
        elif kind == "extra_forbidden":
            known = f"the settings of {cls.title or 'the configuration'} are "
            known += ", ".join(cls.model_fields)
            hint = nearest(cls._path(name), map(cls._path, cls.model_fields)) or known
            yield Refusal(cls._path(name), why="there is no such setting", hint=(hint,))
        # A default that could not be computed is no problem of its own: what it needs is refused.
        elif kind != "default_factory_not_called":
            field, hint = cls.model_fields[name], ""
            if kind == "literal_error" and isinstance(given, str):
                hint = nearest(given, _choices(field.annotation))
            allowed = _allowed(field)
            number = isinstance(given, int) or (isinstance(given, Decimal) and given.is_finite())
            if kind == "value_error" and number and given > MOST:
                allowed += f", and at most {MOST}"
            yield Refusal(cls._path(name), given, allowed=allowed, hint=(hint,))

    @classmethod
    def _path(cls, name: str) -> str:
        return ".".join(filter(None, (cls.title, name)))


def _allowed(field: FieldInfo) -> str:
    """What a field accepts: its own description, or the choices of its `Literal` type."""
    choices = ", ".join(map(repr, _choices(field.annotation)))
    return field.description or (f"one of {choices}" if "," in choices else choices)


def _choices(annotation: object) -> list[str]:
    if get_origin(annotation) is Literal:
        return [str(choice) for choice in get_args(annotation)]
    if get_origin(annotation) in (Union, UnionType, tuple):
        return [choice for inner in get_args(annotation) for choice in _choices(inner)]
    return []


def not_bool(value: object) -> object:
    """Refuse true and false where a number is meant."""
    # To Python a bool is an int; whoever writes `width = true` means something else.
    if isinstance(value, bool):
        raise ValueError("a number is needed")
    return value


def _positive_zero(value: float) -> float:
    return value + 0.0


def _written_out(value: object) -> object:
    """Refuse a number that would take more than a line to write, before anything expands it."""
    value = not_bool(value)
    if isinstance(value, Decimal) and (not value.is_finite() or abs(value.adjusted()) > LONGEST):
        raise ValueError("far out of range")
    if isinstance(value, int) and abs(value) >= 10**LONGEST:
        raise ValueError("far out of range")
    return value


def _at_most(value: int) -> int:
    if value > MOST:
        raise ValueError("too large")
    return value


LONGEST = 400
"""Largest decimal exponent, of either sign, that is read: float64 ends at -324 and 308."""

MOST = 10**9
"""The largest size, number or seed of a setting that has no bound of its own."""

Real = Annotated[float, BeforeValidator(not_bool), AfterValidator(_positive_zero)]
Whole = Annotated[int, BeforeValidator(_written_out), AfterValidator(_at_most)]
