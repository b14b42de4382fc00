"""One cell of a scan: every setting resolved, and the id that follows from them."""

from functools import cached_property
from typing import Any

from pydantic import Field, model_validator

from landscape.canonical import SCHEMA, sha256
from landscape.refusal import ConfigError, shown
from landscape.sections import EXACT_LENGTH, Measure, Model, Section, Source, Train

SECTIONS: dict[str, type[Section]] = {
    "source": Source,
    "model": Model,
    "train": Train,
    "measure": Measure,
}
"""The tables that say what a cell is."""

LATER = {"train": ("momentum", "evaluate_every")}
"""Settings newer than the schema: where they mean nothing they are left out, and ids stand."""


class CellConfig(Section):
    """One point of the scan, with every setting resolved.

    `coordinates` are the values of the scan's axes here; they say where the cell lies, not what it
    is, and take no part in its `id`. Raises ConfigError if the settings do not go together.

    >>> source = Source(p=0.5, q=0.8)
    >>> cell = CellConfig(source=source, model=Model(), train=Train(), measure=Measure())
    >>> cell.model.hidden, len(cell.id)
    (16, 64)
    """

    source: Source = Field(description="a table of settings")
    model: Model = Field(description="a table of settings")
    train: Train = Field(description="a table of settings")
    measure: Measure = Field(description="a table of settings")
    coordinates: dict[str, Any] = Field(default_factory=dict, description="a table of axis values")

    @model_validator(mode="after")
    def _contexts_can_be_enumerated(self) -> "CellConfig":
        length = self.model.length
        if self.train.data == "exact" and length > EXACT_LENGTH:
            symbols = f"their symbols alone take {_size(length, bytes_each=8 * length)}"
            raise ConfigError(
                f"model.length = {length} is refused: train.data = 'exact' enumerates 2^{length} "
                f"contexts ({symbols} in float64); it must be between 1 and {EXACT_LENGTH}: take a "
                "shorter length, or train.data = 'sampled' (SampledLoss)"
            )
        if length > EXACT_LENGTH and self.measure.points:
            raise ConfigError(
                f"measure.points = {shown(self.measure.points)} is refused at model.length = "
                f"{length}: points are measured with the exact loss, up to length {EXACT_LENGTH}; "
                "set measure.points = [] to train alone, or take a shorter length"
            )
        return self

    @cached_property
    def settings(self) -> dict[str, dict[str, Any]]:
        """The resolved settings as plain tables, without the coordinates."""
        tables = {name: getattr(self, name).model_dump() for name in SECTIONS}
        for section, names in LATER.items():
            for name in names:
                if tables[section][name] is None:
                    del tables[section][name]
        return tables

    @cached_property
    def id(self) -> str:
        """SHA-256 of the canonical JSON of the settings and the schema version, in hexadecimal."""
        return sha256({"schema": SCHEMA, **self.settings})

    @cached_property
    def batch_key(self) -> str:
        """Equal for cells that differ in p and q alone, which may therefore train together."""
        source = {**self.settings["source"], "p": None, "q": None}
        return sha256({"schema": SCHEMA, **self.settings, "source": source})


def _size(length: int, *, bytes_each: int) -> str:
    # Integers throughout: at length 2000 the count is no float.
    total = bytes_each * 2**length
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if total < 1024:
            return f"{total} {unit}"
        total //= 1024
    return f"{total} PiB" if total < 10**6 else "more than any machine holds"
