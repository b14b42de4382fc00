"""The table `measure`: what is measured in each cell."""

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from landscape.config.section import Real, Section, Whole

Point = Literal["unigram", "bigram", "trained"]
POINTS: tuple[Point, ...] = ("unigram", "bigram", "trained")


LARGEST_RESOLUTION = 10_001
"""Most grid points a side of a slice: 10^8 evaluations of the loss."""


class Slice(Section):
    """A plane through each point, with `resolution` grid points a side along two `directions`.

    "eigen": the Hessian's lowest and highest nonzero; "random": unit Gaussian; "filter": Gaussian,
    filter-normalised. The last two follow from the cell's seed.
    """

    title: ClassVar[str] = "measure.slice"
    resolution: Whole = Field(
        default=51,
        ge=3,
        le=LARGEST_RESOLUTION,
        description="an odd whole number of at least 3 (odd puts the point on the grid), and at "
        f"most {LARGEST_RESOLUTION}",
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
    random_weights: Real | None = Field(
        default=None,
        ge=0,
        description="a standard deviation, 0 or more (0: the weights free at the point are zero)",
    )
    """None: see `CellConfig.spread`."""

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
