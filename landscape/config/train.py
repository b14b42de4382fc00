"""The table `train`: the runs, their data and their optimiser."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator

from landscape.config.section import Real, Section, Whole
from landscape.errors import Setting, Text
from landscape.training.recipe import EVALUATE_EVERY, MOMENTUM, Recipe

READERS = {
    "batch": ("data", "sampled", 256),
    "momentum": ("optimizer", "sgd", MOMENTUM),
    "evaluate_every": ("data", "sampled", EVALUATE_EVERY),
}
"""Settings of training that one choice alone reads: that setting, the choice, the default."""


class Train(Section):
    """The training runs: `seeds` of them, from the base `seed` upwards, trained together.

    `batch` and `evaluate_every` belong to sampled data, `momentum` to "sgd"; elsewhere they mean
    nothing and become None. Sampled data are computed in float32 unless told otherwise. At
    `checkpoints` steps, from the first to the last, the runs are looked at in detail; None: never.
    """

    title: ClassVar[str] = "train"
    later: ClassVar[Mapping[str, Any]] = {
        **dict.fromkeys(("momentum", "evaluate_every", "checkpoints")),
        "schedule": "one-cycle",
    }
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
    lr: Real = Field(default=Recipe.lr, gt=0, description="a finite number above 0")
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    steps: Whole = Field(default=Recipe.steps, ge=0, description="a whole number, 0 or more")
    evaluate_every: Whole | None = Field(
        default=None, validate_default=True, ge=1, description="a whole number of at least 1"
    )
    checkpoints: Whole | None = Field(
        default=None, ge=2, description="a whole number of at least 2, or left out"
    )
    seeds: Whole = Field(default=4, ge=1, le=100_000, description="a whole number from 1 to 100000")
    seed: Whole = Field(
        default=0, ge=0, lt=2**31, description="the first seed, a whole number from 0 to 2^31 - 1"
    )
    weight_decay: Real = Field(
        default=Recipe.weight_decay, ge=0, description="a finite number, 0 or more"
    )
    dtype: Literal["float64", "float32"] = Field(
        default_factory=lambda settings: "float32" if settings["data"] == "sampled" else "float64"
    )

    _unread: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _what_is_not_read_is_kept(cls, settings: Any, handler: Any) -> Any:
        made = handler(settings)
        if isinstance(settings, Mapping) and isinstance(made, Train):
            given = {name: settings.get(name) for name in READERS}
            made._unread = {
                name: value
                for name, value in given.items()
                if value is not None and getattr(made, name) is None
            }
        return made

    def given(self) -> dict[str, Any]:
        """The settings that were written, with those that only another choice would read."""
        return {**super().given(), **self._unread}

    @property
    def unread(self) -> dict[str, Text]:
        """`batch` and `evaluate_every` of exact data, `momentum` of another optimiser than SGD."""
        readers = {name: READERS[name][0] for name in self._unread}
        return {
            name: ("with ", Setting(f"train.{other}", getattr(self, other)), " nothing reads it")
            for name, other in readers.items()
        }

    @field_validator("batch", "momentum", "evaluate_every")
    @classmethod
    def _only_where_it_is_read(cls, value: Any, info: Any) -> Any:
        # `info` is pydantic's ValidationInfo, a protocol that cannot be checked at run time.
        reader, choice, default = READERS[info.field_name]
        if info.data.get(reader) != choice:
            return None
        return default if value is None else value
