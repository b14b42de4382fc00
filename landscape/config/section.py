"""What all tables of a configuration have in common, and the kinds of numbers they hold."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

from landscape.errors import ConfigError, plain


class Section(BaseModel):
    """A frozen table of settings that refuses names and values it does not know.

    Raises ConfigError, one line for each problem.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    title: ClassVar[str] = ""
    later: ClassVar[Mapping[str, Any]] = {}
    """Settings newer than the schema, and the values that say nothing new: ids leave them out."""

    def __init__(self, **settings: Any) -> None:
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise ConfigError(plain(error, self.title, type(self).model_fields)) from None


def not_bool(value: object) -> object:
    """Refuse true and false where a number is meant."""
    # To Python a bool is an int; whoever writes `width = true` means something else.
    if isinstance(value, bool):
        raise ValueError("a number is needed")
    return value


def _positive_zero(value: float) -> float:
    return value + 0.0


Real = Annotated[float, BeforeValidator(not_bool), AfterValidator(_positive_zero)]
Whole = Annotated[int, BeforeValidator(not_bool)]
