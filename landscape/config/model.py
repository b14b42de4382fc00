"""The table `model`: the network, its sizes and its initialisation."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from landscape.config.section import Real, Section, Whole
from landscape.errors import Setting, Text, nearest, refused

ANSATZ = {"e": 0.1, "w": 0.0, "b": 0.0}
"""Where the rank-one ansatz starts unless told otherwise: its coordinates (e, w, b)."""

SIZES = ("width", "length", "hidden", "tying")


@dataclass(frozen=True)
class ModelKind:
    """A kind of model: what builds it, from which settings.

    `home` is MODULE:ATTRIBUTE of a class, loaded when a model is built. It is called with the
    settings that it `takes`, with those of its `own` (which no kind but those that name them reads)
    and with `dtype` and `seed`; with `states`, too, where it is for any number of them.
    """

    home: str
    takes: tuple[str, ...] = SIZES
    own: Mapping[str, Any] = field(default_factory=dict)
    """Further settings, and what they are unless given."""
    states: int | None = None
    """The number of symbols that it is for; None: any."""
    inits: tuple[str, ...] = ("standard", "low-rank")
    """The initialisations that there are of it."""
    on_ansatz: bool = False
    """Whether (e, w, b) are coordinates of its landscape (`models.protocols.OnAnsatz`)."""
    scalars: bool = False
    """Whether it has no parameters but those: e, w, b are read whatever the initialisation."""
    rule: Callable[["Model"], None] | None = None
    """Raises ConfigError for settings that do not go together."""


def _gpt_rule(model: "Model") -> None:
    if model.width % (model.heads or 1):
        raise model.refused("heads", allowed=("a divisor of ", Setting("model.width", model.width)))
    relative = model.positions == "relative"
    if not model.attention and (relative or model.window is not None):
        raise model.refused(
            "positions" if relative else "window",
            why=("with ", Setting("model.attention", False), " nothing reads it"),
            hint="leave it out",
        )
    smooth = model.layer_norm or model.activation != "relu" or not model.feedforward
    if model.init in ("ansatz", "basin") and smooth:
        plain = {"layer_norm": False, "activation": "relu", "feedforward": True}
        norm, relu, layer = (Setting(f"model.{name}", plain[name]) for name in plain)
        raise model.refused(
            "init",
            why="the rank-one ansatz is for relu without LayerNorm",
            hint=("take 'standard' or 'low-rank'", (norm, ", ", relu, " and ", layer)),
        )


HOLDING = ("standard", "low-rank", "ansatz", "basin")

MODELS: dict[str, ModelKind] = {
    "single-layer": ModelKind(
        "landscape.models.single_layer:SingleLayer", states=2, inits=HOLDING, on_ansatz=True
    ),
    "gpt": ModelKind(
        "landscape.models.gpt:GPT",
        own={
            "layers": 1,
            "heads": 1,
            "layer_norm": True,
            "activation": "gelu",
            "biases": True,
            "positions": "learned",
            "window": None,
            "attention": True,
            "feedforward": True,
        },
        inits=HOLDING,
        rule=_gpt_rule,
    ),
    "reduced": ModelKind(
        "landscape.models.reduced:ReducedModel",
        takes=(),
        states=2,
        inits=HOLDING,
        on_ansatz=True,
        scalars=True,
    ),
}
"""Every kind of model; a new one is added here, by whoever has it."""

CODE = ModelKind("", inits=("own", "standard", "low-rank"))
"""A model of the user's own, named MODULE:ATTRIBUTE in place of a kind: it may take any setting."""

OWN = tuple(dict.fromkeys(name for kind in MODELS.values() for name in kind.own))
"""Settings that only some kinds of models read."""


def _kinds() -> str:
    return f"one of {', '.join(map(repr, MODELS))}, or MODULE:ATTRIBUTE for a model of your own"


def _rank_one(settings: dict[str, Any], name: str) -> float | None:
    if settings.get("init") == "basin":
        width = float(settings["width"])
        start: dict[str, float] = {"e": 0.5 * math.sqrt(width), "w": -width, "b": 0.0}
        return start[name]
    kind = MODELS.get(settings.get("kind", ""), CODE)
    uses = settings.get("init") == "ansatz" or kind.scalars
    return ANSATZ[name] if uses else None


def _of_the_kind(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda settings: MODELS.get(settings.get("kind", ""), CODE).own.get(name)


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
    later: ClassVar[Mapping[str, Any]] = dict.fromkeys(OWN)
    kind: str = Field(default="single-layer", description=_kinds())
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
        default_factory=_of_the_kind("layers"), ge=1, description="a whole number of at least 1"
    )
    heads: Whole | None = Field(
        default_factory=_of_the_kind("heads"),
        ge=1,
        description="a whole number of at least 1 that divides the width",
    )
    layer_norm: bool | None = Field(
        default_factory=_of_the_kind("layer_norm"), strict=True, description="true or false"
    )
    activation: Literal["gelu", "relu"] | None = Field(default_factory=_of_the_kind("activation"))
    biases: bool | None = Field(
        default_factory=_of_the_kind("biases"), strict=True, description="true or false"
    )
    positions: Literal["learned", "relative", "none"] | None = Field(
        default_factory=_of_the_kind("positions")
    )
    window: Whole | None = Field(
        default=None,
        ge=1,
        description="a whole number of at least 1: how many symbols a query sees, itself included",
    )
    attention: bool | None = Field(
        default_factory=_of_the_kind("attention"), strict=True, description="true or false"
    )
    feedforward: bool | None = Field(
        default_factory=_of_the_kind("feedforward"), strict=True, description="true or false"
    )

    @field_validator("kind")
    @classmethod
    def _known_or_code(cls, kind: str) -> str:
        if kind not in MODELS and not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", kind):
            raise refused("model.kind", kind, allowed=_kinds(), hint=nearest(kind, MODELS))
        return kind

    @property
    def unread(self) -> dict[str, Text]:
        """What belongs to a feed-forward layer that is not there, and a window that sees it all."""
        found: dict[str, Text] = {}
        if self.feedforward is False:
            why = ("with ", Setting("model.feedforward", False), " nothing reads it")
            found = {name: why for name in ("activation", "hidden") if name in self.given()}
        if self.window is not None and self.window > self.length:
            found["window"] = ("it is beyond ", Setting("model.length", self.length))
        return found

    @property
    def the_kind(self) -> ModelKind:
        """What the package knows of models of this kind."""
        return MODELS.get(self.kind, CODE)

    @model_validator(mode="after")
    def _settings_are_read(self) -> "Model":
        kind = self.the_kind
        given = [name for name in ANSATZ if getattr(self, name) is not None]
        if given and self.init not in ("ansatz", "basin") and not kind.scalars:
            raise self.refused(
                given[0],
                why=("with ", Setting("model.init", self.init), " nothing reads it"),
                hint=(("take ", Setting("model.init", "ansatz")), "leave it out"),
            )
        unread = [name for name in OWN if getattr(self, name) is not None and name not in kind.own]
        if unread and kind is not CODE:
            reader = next(k for k, other in MODELS.items() if unread[0] in other.own)
            raise self.refused(
                unread[0],
                why=f"a model of kind {self.kind!r} does not read it",
                hint=(("take ", Setting("model.kind", reader)), "leave it out"),
            )
        if self.init not in kind.inits:
            what = "a model of your own" if self.init == "own" else "the models of the package"
            raise self.refused(
                "init",
                why=(f"it is for {what}, not for ", Setting("model.kind", self.kind)),
                hint="take 'standard' or 'low-rank'",
            )
        if kind.rule is not None:
            kind.rule(self)
        return self
