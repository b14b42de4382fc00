"""From a cell's settings to the objects they stand for."""

from collections.abc import Callable
from dataclasses import fields
from pkgutil import resolve_name

import torch
from torch import Tensor, nn

from landscape.config.cell import CellConfig
from landscape.config.model import CODE, OWN, SIZES
from landscape.errors import Setting, refused
from landscape.models.ansatz import ansatz, basin
from landscape.models.initial import low_rank, standard
from landscape.models.parameters import parameters_of, to_dtype
from landscape.models.user_code import build
from landscape.objectives.exact import ExactLoss
from landscape.objectives.sampled import SampledLoss
from landscape.training.recipe import Recipe

DTYPES = {"float32": torch.float32, "float64": torch.float64}


def objective_of(cell: CellConfig, device: str = "cpu") -> ExactLoss:
    """The exact loss of the cell's source at the cell's context length, whatever it trains on.

    >>> from landscape.config.scan import ScanConfig
    >>> cell = ScanConfig(source={"p": 0.5, "q": 0.8}).cells()[0]
    >>> objective_of(cell).length
    8
    """
    return ExactLoss(cell.source.build(), cell.model.length, device=device)


def training_objective_of(cell: CellConfig, device: str = "cpu") -> ExactLoss | SampledLoss:
    """The loss that the cell's runs descend: the exact one, or that of its fresh batches.

    The data of a run follow from the run's seed: the objective's own is the same for all cells.

    >>> from landscape.config.scan import ScanConfig
    >>> train = {"data": "sampled", "batch": 16}
    >>> cell = ScanConfig(source={"p": 0.5, "q": 0.8}, train=train).cells()[0]
    >>> training_objective_of(cell).batch
    16
    """
    batch = cell.train.batch
    if batch is None:
        return objective_of(cell, device)
    source = cell.source.build()
    return SampledLoss(source, cell.model.length, batch=batch, seed=0, device=device)


def model_of(
    cell: CellConfig,
    device: str = "cpu",
    *,
    dtype: torch.dtype | None = None,
    seed: int | None = None,
) -> nn.Module:
    """The cell's model, on the device, in the training dtype unless another is given.

    A model of the user's own is imported here: whoever lets a configuration in decides before
    (`landscape.models.user_code.refuse_code`). `seed` is that of its own parameters, by default the
    cell's. It is built in the training dtype and taken to the other from there, so that its
    constants are those of the training. With a `dtype`, or where the cell has points, it is tried
    for being measured too.
    """
    own = DTYPES[cell.train.dtype]
    measured = dtype is not None or bool(cell.measure.points)
    dtype = own if dtype is None else dtype
    settings = cell.model
    seed = cell.train.seed if seed is None else seed
    kind, symbols = settings.the_kind, cell.source.symbols
    if kind is CODE:
        offered = {name: getattr(settings, name) for name in SIZES} | {"states": symbols}
        offered |= {n: getattr(settings, n) for n in OWN if getattr(settings, n) is not None}
        written = settings.model_fields_set - {"kind", "init", "length"}

        def built(seed: int) -> nn.Module:
            sizes = {**offered, "dtype": own, "seed": seed}
            return to_dtype(build(settings.kind, sizes, written, seed, curvature=measured), own)

        model = built(seed)
        if settings.init == "own" and cell.train.seeds > 1:
            _refuse_drawn_constants(settings.kind, model, built(seed + 1))
        return to_dtype(model, dtype).to(device)
    given = {name: getattr(settings, name) for name in (*kind.takes, *kind.own)}
    if kind.states is None:
        given["states"] = symbols
    found: nn.Module = resolve_name(kind.home)(**given, dtype=dtype, seed=seed)
    return found.to(device)


def _refuse_drawn_constants(kind: str, model: nn.Module, other: nn.Module) -> None:
    """Refuse a model whose constants are drawn by the seed: the runs of a training share them."""
    fixed, others = (
        {**dict(m.named_parameters()), **dict(m.named_buffers())} for m in (model, other)
    )
    for name, value in fixed.items():
        if not value.requires_grad and not torch.equal(value, others[name]):
            raise refused(
                "model.kind",
                kind,
                why=f"its constant {name!r} (frozen, or a buffer) is drawn by the seed, and the "
                "runs of one training share their constants",
                hint=(
                    ("take ", Setting("train.seeds", 1), " and several of ", Setting("train.seed")),
                    "draw it from a torch.Generator of its own",
                ),
            )


def initial_of(cell: CellConfig, model: nn.Module) -> Callable[[int], dict[str, Tensor]]:
    """The cell's initialisation, a function of the seed (the ansatz does not use it)."""
    init = cell.model.init
    if init == "standard":
        return lambda seed: standard(model, seed)
    if init == "low-rank":
        return lambda seed: low_rank(model, seed)
    if init == "own":
        like = next(model.parameters())
        return lambda seed: parameters_of(model_of(cell, str(like.device), seed=seed))
    e, w, b = (float(value or 0.0) for value in (cell.model.e, cell.model.w, cell.model.b))
    if init == "basin":
        return lambda seed: basin(model, seed, e=e, w=w, b=b)
    return lambda seed: ansatz(model, e, w, b)


def recipe_of(cell: CellConfig) -> Recipe:
    """How the cell's runs descend."""
    return Recipe(**{each.name: getattr(cell.train, each.name) for each in fields(Recipe)})


def seeds_of(cell: CellConfig) -> range:
    """The seeds of the cell's runs."""
    return range(cell.train.seed, cell.train.seed + cell.train.seeds)
