"""One cell of a scan: every setting resolved, and the id that follows from them."""

from functools import cached_property
from typing import Any

from pydantic import Field, model_validator

from landscape.config import Measure, Model, Section, Source, Train
from landscape.config.canonical import SCHEMA, sha256
from landscape.errors import ConfigError, shown

SECTIONS: dict[str, type[Section]] = {
    "source": Source,
    "model": Model,
    "train": Train,
    "measure": Measure,
}
"""The tables that say what a cell is."""

EXACT_CONTEXTS = 2**16
"""The most contexts that the exact objective enumerates: binary ones of length 16."""


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
        length, states = self.model.length, self.source.symbols
        longest = next(n for n in range(1, 17) if states ** (n + 1) > EXACT_CONTEXTS)
        if self.train.data == "exact" and length > longest:
            symbols = (
                f"their symbols alone take {_size(states**length * 8 * length)}"
                if length < 10**4
                else "more than any machine holds"
            )
            raise ConfigError(
                f"model.length = {length} is refused: train.data = 'exact' enumerates "
                f"{states}^{length} contexts ({symbols} in float64); it must be between 1 and "
                f"{longest}: take a shorter length, or train.data = 'sampled' (SampledLoss)"
            )
        if length > longest and self.measure.points:
            raise ConfigError(
                f"measure.points = {shown(self.measure.points)} is refused at model.length = "
                f"{length}: points are measured with the exact loss, up to length {longest}; "
                "set measure.points = [] to train alone, or take a shorter length"
            )
        return self

    @model_validator(mode="after")
    def _model_and_source_go_together(self) -> "CellConfig":
        states, init, only = self.source.symbols, self.model.init, self.model.the_kind.states
        if states != 2 and (only == 2 or init in ("ansatz", "basin")):
            what = f"model.kind = {self.model.kind!r}" if only else f"model.init = {init!r}"
            raise ConfigError(
                f"{what} is refused for a source of {states} symbols: it is for 2; take "
                "model.kind = 'gpt' with model.init = 'standard', or a source of 2 symbols"
            )
        if self.source.start is not None and "unigram" in self.measure.points:
            raise ConfigError(
                "measure.points with 'unigram' is refused where source.start is given: away from "
                "stationarity the unigram is no critical point; leave one of them out"
            )
        return self

    @cached_property
    def settings(self) -> dict[str, dict[str, Any]]:
        """The resolved settings as plain tables, without the coordinates."""
        tables = {name: getattr(self, name).model_dump() for name in SECTIONS}
        for section, table in SECTIONS.items():
            for name, value in table.later.items():
                if tables[section][name] == value:
                    del tables[section][name]
        return tables

    @cached_property
    def id(self) -> str:
        """SHA-256 of the canonical JSON of the settings and the schema version, in hexadecimal."""
        return sha256({"schema": SCHEMA, **self.settings})

    @cached_property
    def batch_key(self) -> str:
        """Equal for cells that differ in p and q alone, which may therefore train together."""
        source = {key: x for key, x in self.settings["source"].items() if key not in ("p", "q")}
        return sha256({"schema": SCHEMA, **self.settings, "source": source})


def _size(total: int) -> str:
    # Integers throughout: at length 2000 the count is no float.
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if total < 1024:
            return f"{total} {unit}"
        total //= 1024
    return f"{total} PiB" if total < 10**6 else "more than any machine holds"
