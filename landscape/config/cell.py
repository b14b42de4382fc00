"""One cell of a scan: every setting resolved, and the id that follows from them."""

from functools import cached_property
from typing import Any

from pydantic import Field, model_validator

from landscape.config import Measure, Model, Section, Source, Train
from landscape.config.canonical import SCHEMA, sha256
from landscape.errors import Setting, Text, refused

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
        exact, points = self.train.data == "exact", bool(self.measure.points)
        if length <= longest or not (exact or points):
            return self
        size = size_of(states ** min(length, 10**4) * 8 * length)  # beyond, more than any holds
        sampled: Text = (Setting("train.data", "sampled"), " (SampledLoss)")
        alone: Text = (Setting("measure.points", ()), " to train alone")
        if exact and points:
            sampled = (*sampled, " with ", *alone)
        who = "the exact loss" if exact else "points are measured with the exact loss, which"
        raise refused(
            "model.length",
            length,
            why=f"{who} enumerates {states}^{length} contexts (their symbols alone take {size} in "
            "float64)",
            allowed=f"between 1 and {longest}",
            hint=("take a shorter length", sampled if exact else alone),
        )

    @model_validator(mode="after")
    def _model_and_source_go_together(self) -> "CellConfig":
        states, init, only = self.source.symbols, self.model.init, self.model.the_kind.states
        if states != 2 and (only == 2 or init in ("ansatz", "basin")):
            what = ("model.kind", self.model.kind) if only else ("model.init", init)
            other: Text = ("take ", Setting("model.kind", "gpt"))
            if init != "standard":
                other = (*other, " with ", Setting("model.init", "standard"))
            raise refused(
                *what,
                why=f"it is for sources of 2 symbols, and this one has {states}",
                hint=(other, "a source of 2 symbols"),
            )
        if self.source.start is not None and "unigram" in self.measure.points:
            rest = tuple(point for point in self.measure.points if point != "unigram")
            raise refused(
                "source.start",
                self.source.start,
                why="away from stationarity the unigram is no critical point",
                hint=("leave it out", (Setting("measure.points", rest),)),
            )
        return self

    @property
    def spread(self) -> float | None:
        """Standard deviation of the weights that are free at a point; None: the model's own.

        A model that is made from settings alone has zero weights unless told otherwise, and one
        that brings code of its own (MODULE:ATTRIBUTE) has its own.
        """
        given = self.measure.random_weights
        return 0.0 if given is None and ":" not in self.model.kind else given

    @property
    def weights(self) -> str:
        """At which weights a point is built, in words.

        >>> source = Source(p=0.5, q=0.8)
        >>> CellConfig(source=source, model=Model(), train=Train(), measure=Measure()).weights
        'all free weights 0, gains 1'
        """
        if self.spread is None:
            return "the model's own weights"
        if not self.spread:
            return "all free weights 0, gains 1"
        return f"free weights of standard deviation {self.spread:g}, seed {self.train.seed}"

    @cached_property
    def settings(self) -> dict[str, dict[str, Any]]:
        """The resolved settings as plain tables, without the coordinates."""
        tables = {name: getattr(self, name).model_dump() for name in SECTIONS}
        tables["measure"]["random_weights"] = self.spread
        for section, table in SECTIONS.items():
            for name in table.apart:
                del tables[section][name]
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


def size_of(total: int) -> str:
    """Bytes in the largest unit that they fill, in integers throughout: some counts are no floats.

    >>> size_of(3 * 2**30), size_of(10**400)
    ('3 GiB', 'more than any machine holds')
    """
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if total < 1024:
            return f"{total} {unit}"
        total //= 1024
    return f"{total} PiB" if total < 10**6 else "more than any machine holds"
