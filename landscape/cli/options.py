"""Options that several commands share, and the cell and the point that they describe."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.core import ParameterSource

from landscape.training.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn

    from landscape.config.cell import CellConfig
    from landscape.errors import Setting, Spell
    from landscape.objectives.exact import ExactLoss
    from landscape.objectives.sampled import SampledLoss
    from landscape.points.critical_point import CriticalPoint
    from landscape.training.trajectory import Trajectory

F = TypeVar("F", bound=Callable[..., Any])

OWN_OPTION = {"model.kind": "--model", "which": "--eigenvectors"}
"""Options that are not called as the last part of the setting is."""

OF_A_SCAN = ("measure.points", "train.data")
"""Settings that a single measurement reads from its own options alone."""

Reads = Callable[[str], bool]
"""Whether a command reads the setting of a dotted name."""


def reads_of(kind: str) -> Reads:
    """What a command reads that measures at a point of this kind: a trained one is trained first.

    >>> [reads_of("unigram")(name) for name in ("model.width", "train.seed", "train.data")]
    [True, True, False]
    """
    unread = ("measure.",) if kind == "trained" else ("measure.", "train.")
    also = () if kind == "trained" else ("train.seed", "measure.random_weights")
    return lambda name: name != "train.seeds" and (not name.startswith(unread) or name in also)


def training_of(name: str) -> bool:
    """What a command reads that trains one run, and measures nothing.

    >>> training_of("train.batch"), training_of("train.seeds")
    (True, False)
    """
    return not name.startswith("measure.") and name != "train.seeds"


def _all(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def as_typed(command: F) -> F:
    """What the command refuses is named as its user typed it, and hints are at what it takes."""

    @functools.wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        from landscape.errors import ConfigError

        try:
            return command(*arguments, **options)
        except ConfigError as error:
            error.spell = spelling(click.get_current_context())
            raise

    return cast(F, wrapped)


def _last(name: str) -> str:
    return name.rpartition(".")[2].replace("_", "-")


def _own_option(name: str, given: Mapping[str, Any]) -> str:
    """The option of its own that a setting would have."""
    switch = name == "source.p" and given.get("switch") is not None
    return "--switch" if switch else OWN_OPTION.get(name, f"--{_last(name)}")


def spelling(context: click.Context) -> Spell:
    """How the user of a command writes a setting: --p 0.5, --set a.b=v, --axis a.b=v or a.b = v.

    The last is for a scan with a file. None for what the command does not take.
    """
    from landscape.config.reading import SETTINGS, axis_of
    from landscape.errors import as_option, dotted

    given = context.params
    offered = {option for parameter in context.command.params for option in parameter.opts}
    typed: dict[str, str] = {}
    for flag, texts in (("--set", given.get("set_")), ("--axis", given.get("axis"))):
        for name in (text.partition("=")[0].strip().strip('"') for text in texts or ()):
            typed[name] = typed[axis_of(name)] = f"{flag} {name}"
    for text in given.get("select") or ():
        name = f"select {text.partition('=')[0].strip()}"
        typed[name] = f"--{name}"

    def spell(setting: Setting) -> str | None:
        name, value = setting.name, setting.value
        own = _own_option(name, given)
        known = name in SETTINGS
        if name in typed:
            written = typed[name]
        elif own in offered and (known or "." not in name):
            written = own
        elif known and given.get("config") is not None:
            return dotted(setting)
        elif known and "--set" in offered and ("axis" in given or name not in OF_A_SCAN):
            written = f"--set {name}"
        else:
            return None
        return as_option(written, value)

    return spell


allow_code = click.option(
    "--allow-code", is_flag=True, help="Let a model named MODULE:ATTRIBUTE run your code."
)

chain_and_model = _all(
    as_typed,
    click.option("--p", help="P(1|0) in (0, 1), as .3 or 1/3."),
    click.option("--q", help="P(0|1) in (0, 1), as .3 or 1/3."),
    click.option("--states", type=int, help="Number S of symbols, with --switch."),
    click.option("--switch", help="Probability p of leaving a symbol, for another one alike."),
    click.option(
        "--model",
        default="single-layer",
        show_default=True,
        help="Or: gpt, reduced, MODULE:ATTRIBUTE.",
    ),
    click.option("--layers", type=int, help="Number L of blocks of a gpt.  [default: 1]"),
    click.option("--heads", type=int, help="Number H of heads of a gpt.  [default: 1]"),
    click.option("--tying", help="tied or untied.  [default: tied]"),
    click.option("--width", type=int, help="Model width d.  [default: 4]"),
    click.option("--hidden", type=int, help="Hidden width r.  [default: 4 d]"),
    click.option("--length", type=int, help="Context length N.  [default: 8]"),
    click.option("--seed", type=int, default=0, show_default=True, help="Seed of every draw."),
    click.option(
        "--set",
        "set_",
        multiple=True,
        metavar="a.b=v",
        help="Any other setting of a scan, such as model.activation=relu or source.kind=lag.",
    ),
    allow_code,
)

descent = _all(
    click.option(
        "--steps", type=int, default=Recipe.steps, show_default=True, help="Optimiser steps."
    ),
    click.option(
        "--lr", type=float, default=Recipe.lr, show_default=True, help="Peak learning rate."
    ),
)


def finite(_: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """Refuse nan and infinities before anything is computed."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is refused: give a finite number, such as 0.5 or -2")
    return value


point = _all(
    click.option(
        "--at",
        "kind",
        type=click.Choice(["unigram", "bigram", "trained"]),
        required=True,
        help="Which point.",
    ),
    click.option(
        "--random-weights",
        type=float,
        help="Standard deviation of the weights that are free at the point; 0: all zero.  "
        "[default: 0; of MODULE:ATTRIBUTE the model's own weights]",
    ),
    click.option(
        "--w",
        type=float,
        callback=finite,
        help="Reduced feed-forward coordinate of the rank-one ansatz.",
    ),
)

training = _all(
    descent, click.option("--dtype", default="float64", show_default=True, help="Or: float32.")
)

experiment = _all(
    click.option(
        "--data", default="exact", show_default=True, help="Or: sampled, fresh each step."
    ),
    click.option("--batch", type=int, help="Sequences a step of sampled data.  [default: 256]"),
    click.option("--optimizer", default="adamw", show_default=True, help="Or: sgd."),
    click.option("--momentum", type=float, help="Momentum of sgd.  [default: 0.9]"),
    descent,
    click.option(
        "--evaluate-every",
        type=int,
        help="Steps between population losses on sampled data.  [default: 10]",
    ),
    click.option("--dtype", help="[default: float64; float32 on sampled data]"),
)


def _drawable(_: click.Context, __: click.Parameter, path: str | None) -> str | None:
    """Refuse a picture that cannot be written before anything is computed."""
    if path is None:
        return None
    place = Path(path)
    if place.suffix not in (".png", ".pdf", ".svg"):
        raise click.BadParameter(f"{path!r} names no format; end it in .png, .pdf or .svg")
    if not place.parent.is_dir():
        raise click.BadParameter(f"the folder {str(place.parent)!r} does not exist; make it first")
    return path


plot = click.option(
    "--plot", callback=_drawable, metavar="FILE", help="Draw it to this .png, .pdf or .svg."
)

output = _all(
    click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout."),
    click.option("--device", default="cpu", show_default=True, help="Where to compute."),
)


def cell_of(
    *,
    p: str | None,
    q: str | None,
    states: int | None,
    switch: str | None,
    model: str,
    layers: int | None,
    heads: int | None,
    tying: str | None,
    width: int | None,
    hidden: int | None,
    length: int | None,
    seed: int,
    set_: Sequence[str] = (),
    reads: Reads = bool,
    device: str = "cpu",
    allow_code: bool = False,
    init: dict[str, Any] | None = None,
    train: dict[str, Any] | None = None,
    measure: dict[str, Any] | None = None,
) -> CellConfig:
    """The one cell that a command's options describe; bad values raise ConfigError.

    What is None was not given, and takes its default; what `--set` names overrides the defaults
    of options, and is refused beside an option that was given with another value. A setting that
    the command does not read is refused, as are sizes beyond this machine.
    """
    from landscape.config import Measure, Model, Source, Train
    from landscape.config.cell import CellConfig
    from landscape.config.demand import refuse_too_much
    from landscape.config.reading import check_setting, pairs_of, put, read_value
    from landscape.errors import refused

    source: dict[str, Any] = {"p": p, "q": q, "states": states}
    if switch is not None:
        if p is not None or q is not None:
            raise click.UsageError("--p and --q are of the binary chain; give them or --switch")
        source |= {"kind": "switching", "p": switch}
    sizes = {"layers": layers, "heads": heads, "hidden": hidden, **(init or {})}
    tables: dict[str, Any] = {
        "source": source,
        "model": {"kind": model, "tying": tying, "width": width, "length": length, **sizes},
        "train": {"seed": seed, "seeds": 1, **(train or {})},
        "measure": measure or {},
    }
    for name, table in tables.items():
        tables[name] = {key: value for key, value in table.items() if value is not None}
    for name, value in pairs_of("--set", set_).items():
        check_setting("--set", name)
        if name == "name":
            raise click.UsageError("--set name is for a scan; a single measurement has no name")
        _refuse_both(tables, name, value)
        put(tables, name, read_value(value))
        if not reads(name):
            raise refused(name, value, why="this command does not read it", hint="leave it out")
    if not tables["source"]:
        raise click.UsageError(
            "Missing option '--p' and '--q' (or --states and --switch, or a source by --set "
            "source.kind=...)"
        )
    if states is not None and "kind" not in tables["source"]:
        raise click.UsageError("--states goes with --switch, or with --set source.kind=...")
    kinds = {"source": Source, "model": Model, "train": Train, "measure": Measure}
    cell = CellConfig(**{name: kind(**tables[name]) for name, kind in kinds.items()})
    for section in tables:
        for key, why in getattr(cell, section).unread.items():
            value = tables[section][key]
            raise refused(f"{section}.{key}", value, why=why, hint="leave it out")
    trains, measures = reads("train.steps"), reads is not training_of
    refuse_too_much([cell], training=trains, hessian=measures, device=device)
    if ":" in cell.model.kind:  # what is wrong so far is refused before torch is loaded
        from landscape.models.user_code import refuse_code

        refuse_code([cell.model.kind], allow_code)
    return cell


def _refuse_both(tables: Mapping[str, Any], name: str, value: str) -> None:
    """Raise ConfigError if `--set` gives a setting that an option has given another value."""
    from landscape.config.reading import read_value
    from landscape.errors import as_option, refused

    section, _, last = name.partition(".")
    context = click.get_current_context(silent=True)
    if context is None or last not in tables.get(section, {}):
        return
    own, here = _own_option(name, context.params), tables[section][last]
    known = [each.name for each in context.command.params if own in each.opts and each.name]
    source = context.get_parameter_source(known[0]) if known else None
    if source is ParameterSource.COMMANDLINE and read_value(str(here)) != read_value(value):
        why = f"{as_option(own, here)} sets it too"
        raise refused(f"--set {name}={value}", why=why, hint="give one of them")


def point_at(
    cell: CellConfig, kind: str, *, device: str, w: float | None = None, refined: bool = False
) -> tuple[nn.Module, CriticalPoint]:
    """The cell's model in float64, and its unigram, bigram or trained point.

    `w` is the reduced coordinate of the ansatz for a constructed point; `refined` polishes a
    trained one. Training reports to stderr.
    """
    import torch

    from landscape.config.build import model_of, objective_of
    from landscape.errors import refused
    from landscape.models.ansatz import ansatz
    from landscape.models.initial import free_weights
    from landscape.models.protocols import OnAnsatz
    from landscape.points.bigram import bigram_point
    from landscape.points.unigram import unigram_point
    from landscape.scanning.measurement import trained_point

    objective = objective_of(cell, device)
    model = model_of(cell, device, dtype=torch.float64)
    free = free_weights(model, cell.spread, cell.train.seed)
    if kind == "bigram":
        return model, bigram_point(model, objective, w=w, free=free)
    if kind == "unigram":
        if w is not None:
            if not isinstance(model, OnAnsatz):
                raise refused("w", w, why="it is of the rank-one ansatz", hint="leave it out")
            free = ansatz(model, 0.0, w, 0.0)
        return model, unigram_point(model, objective, free=free)
    if cell.train.data != "exact":
        why = "the point of a sampled run is not measured here"
        raise refused("train.data", cell.train.data, why=why, hint="leave it out")
    trajectory = trained(cell, model_of(cell, device), objective)
    return model, trained_point(model, objective, trajectory.end(0), refined=refined)


def trained(cell: CellConfig, model: nn.Module, objective: ExactLoss | SampledLoss) -> Trajectory:
    """The runs of a cell, their progress on stderr."""
    from landscape.cli.progress import TrainingProgress
    from landscape.config.build import initial_of, recipe_of, seeds_of
    from landscape.training.loop import train_together

    with TrainingProgress() as progress:
        (trajectory,) = train_together(
            model,
            [objective],
            recipe_of(cell),
            seeds=seeds_of(cell),
            initial=initial_of(cell, model),
            progress=progress.step,
        )
    return trajectory
