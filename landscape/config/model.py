"""The table `model`: the network, its sizes and its initialisation."""

import math
import re
from collections.abc import Callable
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from landscape.config.section import Real, Section, Whole
from landscape.errors import Setting, nearest, refused

ANSATZ = {"e": 0.1, "w": 0.0, "b": 0.0}
"""Where the rank-one ansatz starts unless told otherwise: its coordinates (e, w, b)."""

KINDS = ("single-layer", "gpt", "reduced")
"""The models that come with the package; any other is named MODULE:ATTRIBUTE."""

GPT: dict[str, Any] = {
    "layers": 1,
    "heads": 1,
    "layer_norm": True,
    "activation": "gelu",
    "biases": True,
    "positions": "learned",
    "window": None,
    "attention": True,
    "feedforward": True,
}
"""Settings that "gpt" alone reads, and their defaults."""

_KIND = "one of 'single-layer', 'gpt', 'reduced', or MODULE:ATTRIBUTE for a model of your own"


def _rank_one(settings: dict[str, Any], name: str) -> float | None:
    if settings.get("init") == "basin":
        width = float(settings["width"])
        start: dict[str, float] = {"e": 0.5 * math.sqrt(width), "w": -width, "b": 0.0}
        return start[name]
    uses = settings.get("init") == "ansatz" or settings.get("kind") == "reduced"
    return ANSATZ[name] if uses else None


def _gpt(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda settings: GPT[name] if settings.get("kind") == "gpt" else None


class Model(Section):
    """The transformer: width d, hidden width r (4d unless given), length N, tying, initialisation.

    "single-layer" is the paper's one-logit model and "reduced" its three scalars, both for two
    symbols; "gpt" has `layers`, `heads` and the rest of its settings, for any number of them. A
    model of one's own is named MODULE:ATTRIBUTE; it is given those of the settings that were
    written and that it takes.

    `init` is "standard" (normal), "low-rank" (rank one, random signs), "ansatz" (the rank-one
    ansatz at `e`, `w`, `b`, which the reduced model starts from too), "basin" (the ansatz with
    random signs inside the bigram's basin for p+q>1, at e = sqrt(d)/2, w = -d unless given) or
    "own", what a model of one's own is built with.

    >>> Model(width=8).hidden, Model(init="basin").e
    (32, 1.0)
    """

    title: ClassVar[str] = "model"
    kind: str = Field(default="single-layer", description=_KIND)
    width: Whole = Field(default=4, ge=1, description="a whole number of at least 1")
    hidden: Whole = Field(
        default_factory=lambda settings: 4 * settings["width"],
        ge=1,
        description="a whole number of at least 1 (left out, it is 4 * width)",
    )
    length: Whole = Field(default=8, ge=1, description="a whole number of at least 1")
    tying: Literal["tied", "untied"] = "tied"
    init: Literal["standard", "low-rank", "ansatz", "basin", "own"] = Field(
        default_factory=lambda settings: "own" if ":" in settings["kind"] else "standard",
        description="one of 'standard', 'low-rank', 'ansatz', 'basin', or 'own' for a model of "
        "your own",
    )
    e: Real | None = Field(
        default_factory=lambda settings: _rank_one(settings, "e"), description="a finite number"
    )
    w: Real | None = Field(
        default_factory=lambda settings: _rank_one(settings, "w"), description="a finite number"
    )
    b: Real | None = Field(
        default_factory=lambda settings: _rank_one(settings, "b"), description="a finite number"
    )
    layers: Whole | None = Field(
        default_factory=_gpt("layers"), ge=1, description="a whole number of at least 1"
    )
    heads: Whole | None = Field(
        default_factory=_gpt("heads"),
        ge=1,
        description="a whole number of at least 1 that divides the width",
    )
    layer_norm: bool | None = Field(
        default_factory=_gpt("layer_norm"), strict=True, description="true or false"
    )
    activation: Literal["gelu", "relu"] | None = Field(default_factory=_gpt("activation"))
    biases: bool | None = Field(
        default_factory=_gpt("biases"), strict=True, description="true or false"
    )
    positions: Literal["learned", "relative", "none"] | None = Field(
        default_factory=_gpt("positions")
    )
    window: Whole | None = Field(
        default=None,
        ge=1,
        description="a whole number of at least 1: how many symbols a query sees, itself included",
    )
    attention: bool | None = Field(
        default_factory=_gpt("attention"), strict=True, description="true or false"
    )
    feedforward: bool | None = Field(
        default_factory=_gpt("feedforward"), strict=True, description="true or false"
    )

    @field_validator("kind")
    @classmethod
    def _known_or_code(cls, kind: str) -> str:
        if kind not in KINDS and not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", kind):
            hint = nearest(kind, KINDS)
            raise refused("model.kind", kind, allowed=_KIND, hint=hint)
        return kind

    @model_validator(mode="after")
    def _settings_are_read(self) -> "Model":
        given = [name for name in ANSATZ if getattr(self, name) is not None]
        if given and self.init not in ("ansatz", "basin") and self.kind != "reduced":
            raise self.refused(
                given[0],
                why=("with ", Setting("model.init", self.init), " nothing reads it"),
                hint=(("take ", Setting("model.init", "ansatz")), "leave it out"),
            )
        given = [name for name in GPT if getattr(self, name) is not None]
        if given and self.kind in ("single-layer", "reduced"):
            raise self.refused(
                given[0],
                why=f"a model of kind {self.kind!r} does not read it",
                hint=(("take ", Setting("model.kind", "gpt")), "leave it out"),
            )
        self._check_init()
        if self.kind == "gpt":
            self._check_gpt()
        return self

    def _check_init(self) -> None:
        own = ":" in self.kind
        if (self.init == "own") != own and (self.init == "own" or self.init in ("ansatz", "basin")):
            what = "a model of your own" if self.init == "own" else "the models of the package"
            raise self.refused(
                "init",
                why=(f"it is for {what}, not for ", Setting("model.kind", self.kind)),
                hint="take 'standard' or 'low-rank'",
            )

    def _check_gpt(self) -> None:
        if self.width % (self.heads or 1):
            width = Setting("model.width", self.width)
            raise self.refused("heads", allowed=("a divisor of ", width))
        relative = self.positions == "relative"
        if not self.attention and (relative or self.window is not None):
            name = "positions" if relative else "window"
            raise self.refused(
                name,
                why=("with ", Setting("model.attention", False), " nothing reads it"),
                hint="leave it out",
            )
        smooth = self.layer_norm or self.activation != "relu" or not self.feedforward
        if self.init in ("ansatz", "basin") and smooth:
            plain = {"layer_norm": False, "activation": "relu", "feedforward": True}
            norm, relu, layer = (Setting(f"model.{name}", plain[name]) for name in plain)
            raise self.refused(
                "init",
                why="the rank-one ansatz is for relu without LayerNorm",
                hint=("take 'standard' or 'low-rank'", (norm, ", ", relu, " and ", layer)),
            )
