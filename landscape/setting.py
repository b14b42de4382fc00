"""From a cell's settings to the objects they stand for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from landscape.cell import CellConfig
from landscape.models import ReducedModel, SingleLayer
from landscape.models.ansatz import ansatz
from landscape.models.initial import standard
from landscape.objective import ExactLoss
from landscape.sampled import SampledLoss
from landscape.sources import BinaryMarkov

DTYPES = {"float32": torch.float32, "float64": torch.float64}


def objective_of(cell: CellConfig, device: str = "cpu") -> ExactLoss:
    """The exact loss of the cell's chain at the cell's context length, whatever it trains on.

    >>> from landscape.config import ScanConfig
    >>> cell = ScanConfig(source={"p": 0.5, "q": 0.8}).cells()[0]
    >>> objective_of(cell).length
    8
    """
    source = BinaryMarkov(cell.source.p, cell.source.q)
    return ExactLoss(source, cell.model.length, device=device)


def training_objective_of(cell: CellConfig, device: str = "cpu") -> ExactLoss | SampledLoss:
    """The loss that the cell's runs descend: the exact one, or that of its fresh batches.

    The data of a run follow from the run's seed: the objective's own is the same for all cells.

    >>> from landscape.config import ScanConfig
    >>> train = {"data": "sampled", "batch": 16}
    >>> cell = ScanConfig(source={"p": 0.5, "q": 0.8}, train=train).cells()[0]
    >>> training_objective_of(cell).batch
    16
    """
    batch = cell.train.batch
    if batch is None:
        return objective_of(cell, device)
    source = BinaryMarkov(cell.source.p, cell.source.q)
    return SampledLoss(source, cell.model.length, batch=batch, seed=0, device=device)


def model_of(
    cell: CellConfig, device: str = "cpu", *, dtype: torch.dtype | None = None
) -> SingleLayer | ReducedModel:
    """The cell's model, on the device, in the training dtype unless another is given."""
    dtype = DTYPES[cell.train.dtype] if dtype is None else dtype
    settings = cell.model
    if settings.kind == "reduced":
        return ReducedModel(dtype=dtype, seed=cell.train.seed).to(device)
    return SingleLayer(
        width=settings.width,
        length=settings.length,
        hidden=settings.hidden,
        tying=settings.tying,
        dtype=dtype,
        seed=cell.train.seed,
    ).to(device)


def initial_of(
    cell: CellConfig, model: SingleLayer | ReducedModel
) -> Callable[[int], dict[str, Tensor]]:
    """The cell's initialisation, a function of the seed (the ansatz does not use it)."""
    if cell.model.init == "standard":
        return lambda seed: standard(model, seed)
    e, w, b = (float(value or 0.0) for value in (cell.model.e, cell.model.w, cell.model.b))
    return lambda seed: ansatz(model, e, w, b)


def descent_of(cell: CellConfig) -> dict[str, Any]:
    """The cell's optimiser and its settings, as `train_together` takes them."""
    names = ("steps", "optimizer", "lr", "momentum", "weight_decay", "evaluate_every")
    return {name: getattr(cell.train, name) for name in names}


def seeds_of(cell: CellConfig) -> range:
    """The seeds of the cell's runs."""
    return range(cell.train.seed, cell.train.seed + cell.train.seeds)
