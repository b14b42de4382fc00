"""The tables of a configuration: source, model, train, measure."""

from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from landscape.refusal import ConfigError, plain

EXACT_LENGTH = 16
"""The longest context that the exact objective enumerates."""

ANSATZ = {"e": 0.1, "w": 0.0, "b": 0.0}
"""Where the rank-one ansatz starts unless told otherwise: its coordinates (e, w, b)."""

READERS = {
    "batch": ("data", "sampled", 256),
    "momentum": ("optimizer", "sgd", 0.9),
    "evaluate_every": ("data", "sampled", 10),
}
"""Settings of training that one choice alone reads: that setting, the choice, the default."""

Point = Literal["unigram", "bigram", "trained"]
POINTS: tuple[Point, ...] = ("unigram", "bigram", "trained")


class Section(BaseModel):
    """A frozen table of settings that refuses names and values it does not know.

    Raises ConfigError, one line for each problem.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    title: ClassVar[str] = ""

    def __init__(self, **settings: Any) -> None:
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise ConfigError(plain(error, self.title, type(self).model_fields)) from None


def _not_bool(value: object) -> object:
    # To Python a bool is an int; whoever writes `width = true` means something else.
    if isinstance(value, bool):
        raise ValueError("a number is needed")
    return value


def _inside(value: Decimal) -> Decimal:
    # Decimal("1e-400") lies inside (0, 1); the float that is computed with does not.
    if not (value.is_finite() and 0 < value < 1 and 0 < float(value) < 1):
        raise ValueError("outside (0, 1)")
    return value


def _positive_zero(value: float) -> float:
    return value + 0.0


# NaN is let in to be refused by `_inside`: the decimal is compared as it was written.
Probability = Annotated[
    Decimal, Field(allow_inf_nan=True), BeforeValidator(_not_bool), AfterValidator(_inside)
]
Real = Annotated[float, BeforeValidator(_not_bool), AfterValidator(_positive_zero)]
Whole = Annotated[int, BeforeValidator(_not_bool)]

_PROBABILITY = (
    "a number strictly between 0 and 1, in float64 too (at 0 or 1 the chain is deterministic in "
    "that state and the log-odds are infinite; take for example 0.01 or 0.99)"
)


class Source(Section):
    """The binary chain: `p = P(1 | 0)` and `q = P(0 | 1)`, kept as the decimals that were written.

    >>> Source(p=Decimal("0.5"), q=Decimal("0.80")).q
    Decimal('0.80')
    """

    title: ClassVar[str] = "source"
    kind: Literal["binary"] = "binary"
    p: Probability = Field(description=_PROBABILITY)
    q: Probability = Field(description=_PROBABILITY)


def _rank_one(settings: dict[str, Any], name: str) -> float | None:
    uses = settings.get("init") == "ansatz" or settings.get("kind") == "reduced"
    return ANSATZ[name] if uses else None


class Model(Section):
    """The transformer: width d, hidden width r (4d unless given), length N, tying, initialisation.

    `e`, `w`, `b` are the coordinates at which the rank-one ansatz, or the reduced model, starts;
    they are None where nothing reads them.

    >>> Model(width=8).hidden
    32
    """

    title: ClassVar[str] = "model"
    kind: Literal["single-layer", "reduced"] = "single-layer"
    width: Whole = Field(default=4, ge=1, description="a whole number of at least 1")
    hidden: Whole = Field(
        default_factory=lambda settings: 4 * settings["width"],
        ge=1,
        description="a whole number of at least 1 (left out, it is 4 * width)",
    )
    length: Whole = Field(default=8, ge=1, description="a whole number of at least 1")
    tying: Literal["tied", "untied"] = "tied"
    init: Literal["standard", "ansatz"] = "standard"
    e: Real | None = Field(
        default_factory=lambda settings: _rank_one(settings, "e"), description="a finite number"
    )
    w: Real | None = Field(
        default_factory=lambda settings: _rank_one(settings, "w"), description="a finite number"
    )
    b: Real | None = Field(
        default_factory=lambda settings: _rank_one(settings, "b"), description="a finite number"
    )

    @model_validator(mode="after")
    def _coordinates_are_read(self) -> "Model":
        given = [name for name in ANSATZ if getattr(self, name) is not None]
        if given and self.init != "ansatz" and self.kind != "reduced":
            raise ConfigError(
                f"model.{given[0]} = {getattr(self, given[0])} is refused: with model.init = "
                f"{self.init!r} nothing reads it; set model.init = 'ansatz' or leave it out"
            )
        return self


class Train(Section):
    """The training runs: `seeds` of them, from the base `seed` upwards, trained together.

    `batch` and `evaluate_every` belong to sampled data, `momentum` to "sgd"; elsewhere they mean
    nothing and become None. Sampled data are computed in float32 unless told otherwise.
    """

    title: ClassVar[str] = "train"
    data: Literal["exact", "sampled"] = "exact"
    batch: Whole | None = Field(
        default=None, validate_default=True, ge=1, description="a whole number of at least 1"
    )
    optimizer: Literal["adamw", "sgd"] = "adamw"
    momentum: Real | None = Field(
        default=None,
        validate_default=True,
        ge=0,
        lt=1,
        description="a number of at least 0 and below 1",
    )
    lr: Real = Field(default=2e-3, gt=0, description="a finite number above 0")
    steps: Whole = Field(default=1000, ge=0, description="a whole number, 0 or more")
    evaluate_every: Whole | None = Field(
        default=None, validate_default=True, ge=1, description="a whole number of at least 1"
    )
    seeds: Whole = Field(default=4, ge=1, description="a whole number of at least 1")
    seed: Whole = Field(
        default=0, ge=0, lt=2**31, description="the first seed, a whole number from 0 to 2^31 - 1"
    )
    weight_decay: Real = Field(default=1e-3, ge=0, description="a finite number, 0 or more")
    dtype: Literal["float64", "float32"] = Field(
        default_factory=lambda settings: "float32" if settings["data"] == "sampled" else "float64"
    )

    @field_validator("batch", "momentum", "evaluate_every")
    @classmethod
    def _only_where_it_is_read(cls, value: Any, info: Any) -> Any:
        # `info` is pydantic's ValidationInfo, a protocol that cannot be checked at run time.
        reader, choice, default = READERS[info.field_name]
        if info.data.get(reader) != choice:
            return None
        return default if value is None else value


class Slice(Section):
    """A plane through each point, with `resolution` grid points a side along two `directions`.

    "eigen": the Hessian's lowest and highest nonzero; "random": unit Gaussian; "filter": Gaussian,
    filter-normalised. The last two follow from the cell's seed.
    """

    title: ClassVar[str] = "measure.slice"
    resolution: Whole = Field(
        default=51,
        ge=3,
        description="an odd whole number of at least 3 (odd puts the point on the grid)",
    )
    directions: Literal["eigen", "random", "filter"] = "eigen"

    @field_validator("resolution")
    @classmethod
    def _odd(cls, resolution: int) -> int:
        if resolution % 2 == 0:
            raise ValueError("even")
        return resolution


class Measure(Section):
    """What is measured in each cell: at which points, with which free weights, which slices."""

    title: ClassVar[str] = "measure"
    points: tuple[Point, ...] = Field(
        default=POINTS, description="a list out of 'unigram', 'bigram', 'trained'"
    )
    random_weights: Real = Field(
        default=0.0,
        ge=0,
        description="a standard deviation, 0 or more (0: the weights free at the point are zero)",
    )
    refine: bool = Field(default=False, strict=True, description="true or false")
    slice: Slice | None = Field(
        default=None, description="a table { resolution, directions }, or false for no slices"
    )

    @field_validator("points")
    @classmethod
    def _in_one_order(cls, points: tuple[Point, ...]) -> tuple[Point, ...]:
        return tuple(point for point in POINTS if point in points)

    @field_validator("points", mode="before")
    @classmethod
    def _one_point_is_a_list(cls, points: object) -> object:
        return [points] if isinstance(points, str) else points

    @field_validator("slice", mode="before")
    @classmethod
    def _false_is_none(cls, value: object) -> object:
        return None if value is False else value
