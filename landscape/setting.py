"""From a cell's settings to the objects they stand for."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from landscape.cell import CellConfig
from landscape.models import ReducedModel, SingleLayer
from landscape.models.ansatz import ansatz
from landscape.models.initial import standard
from landscape.objective import ExactLoss
from landscape.sources import BinaryMarkov

DTYPES = {"float32": torch.float32, "float64": torch.float64}


def objective_of(cell: CellConfig, device: str = "cpu") -> ExactLoss:
    """The exact loss of the cell's chain at the cell's context length.

    >>> from landscape.config import ScanConfig
    >>> cell = ScanConfig(source={"p": 0.5, "q": 0.8}).cells()[0]
    >>> objective_of(cell).length
    8
    """
    source = BinaryMarkov(cell.source.p, cell.source.q)
    return ExactLoss(source, cell.model.length, device=device)


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


def seeds_of(cell: CellConfig) -> range:
    """The seeds of the cell's runs."""
    return range(cell.train.seed, cell.train.seed + cell.train.seeds)
