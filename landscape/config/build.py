"""From a cell's settings to the objects they stand for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from landscape.config.cell import CellConfig
from landscape.config.model import GPT as GPT_SETTINGS
from landscape.models import GPT, ReducedModel, SingleLayer
from landscape.models.ansatz import ansatz, basin
from landscape.models.initial import low_rank, standard
from landscape.models.protocols import parameters_of
from landscape.models.user_code import build
from landscape.objectives.exact import ExactLoss
from landscape.objectives.sampled import SampledLoss

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
    cell's.
    """
    dtype = DTYPES[cell.train.dtype] if dtype is None else dtype
    settings = cell.model
    seed = cell.train.seed if seed is None else seed
    if settings.kind == "reduced":
        return ReducedModel(dtype=dtype, seed=seed).to(device)
    sizes: dict[str, Any] = {
        name: getattr(settings, name) for name in ("width", "length", "hidden", "tying")
    }
    more = {name: getattr(settings, name) for name in GPT_SETTINGS}
    if settings.kind == "single-layer":
        return SingleLayer(**sizes, dtype=dtype, seed=seed).to(device)
    sizes["states"] = cell.source.symbols
    if settings.kind == "gpt":
        return GPT(**sizes, **more, dtype=dtype, seed=seed).to(device)
    written = settings.model_fields_set - {"kind", "init", "length"}
    offered = sizes | {name: value for name, value in more.items() if value is not None}
    own = build(settings.kind, {**offered, "dtype": dtype, "seed": seed}, written, seed)
    return own.to(device=device, dtype=dtype)


def initial_of(cell: CellConfig, model: nn.Module) -> Callable[[int], dict[str, Tensor]]:
    """The cell's initialisation, a function of the seed (the ansatz does not use it)."""
    init = cell.model.init
    if init == "standard":
        return lambda seed: standard(model, seed)
    if init == "low-rank":
        return lambda seed: low_rank(model, seed)
    if init == "own" or not isinstance(model, (SingleLayer, GPT, ReducedModel)):
        like = next(model.parameters())
        return lambda seed: parameters_of(model_of(cell, str(like.device), seed=seed))
    named = model  # for the type checker: narrowed above
    e, w, b = (float(value or 0.0) for value in (cell.model.e, cell.model.w, cell.model.b))
    if init == "basin":
        return lambda seed: basin(named, seed, e=e, w=w, b=b)
    return lambda seed: ansatz(named, e, w, b)


def descent_of(cell: CellConfig) -> dict[str, Any]:
    """The cell's optimiser, its settings and its checkpoints, as `train_together` takes them."""
    names = (
        "steps", "optimizer", "lr", "schedule", "momentum", "weight_decay", "evaluate_every",
        "checkpoints",
    )  # fmt: skip
    return {name: getattr(cell.train, name) for name in names}


def seeds_of(cell: CellConfig) -> range:
    """The seeds of the cell's runs."""
    return range(cell.train.seed, cell.train.seed + cell.train.seeds)
