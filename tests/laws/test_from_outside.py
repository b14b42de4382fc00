"""A model and a source that no file of the package knows, trained and scanned by configuration."""

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from landscape.config.build import model_of
from landscape.config.model import MODELS, ModelKind
from landscape.config.scan import ScanConfig
from landscape.config.source import SOURCES, SourceKind
from landscape.errors import ConfigError
from landscape.models import ReducedModel
from landscape.models.ansatz import reduced_coordinates
from landscape.objectives.exact import ExactLoss
from landscape.points.bigram import bigram_point
from landscape.points.unigram import unigram_point
from landscape.scanning.scan import scan
from landscape.slices.reduced_plane import coordinate_slice
from landscape.sources import BinaryMarkov
from landscape.sources.finite_memory import FiniteMemory
from landscape.sublevel.escape_on_ansatz import escape_along_ansatz
from landscape.sublevel.valley import valley_path
from tests.landscape.cli.running import Record

HERE = "tests.laws.test_from_outside"


class Table(nn.Module):
    """Logits of the next symbol from a table of the last one."""

    def __init__(self, *, states: int, dtype: torch.dtype, seed: int) -> None:
        super().__init__()
        self.states = states
        self.rows = nn.Parameter(torch.zeros(states, states, dtype=dtype))

    def forward(self, tokens: Tensor) -> Tensor:
        shown = tokens[..., None] == torch.arange(self.states)
        return shown.to(self.rows.dtype) @ self.rows


class Mirrored(FiniteMemory):
    """The binary chain that leaves both symbols alike."""

    def __init__(self, p: Decimal) -> None:
        self.p = p

    @property
    def kernel(self) -> np.ndarray:
        p = float(self.p)
        return np.array([[1 - p, p], [p, 1 - p]])


class Mute(nn.Module):
    """The reduced model under other names, and a name short of `OnAnsatz`."""

    states, width = 2, 1
    embedding_name = readout_name = "E"
    bias_name, idle, free = "c", (), ()

    def __init__(self) -> None:
        super().__init__()
        self.E, self.W, self.c = (nn.Parameter(torch.zeros(()).double()) for _ in range(3))

    def ansatz(self, e: float, w: float, b: float, alpha: Tensor) -> dict[str, Tensor]:
        return dict(zip("EWc", torch.tensor([e, w, b], dtype=torch.float64), strict=True))

    def forward(self, tokens: Tensor) -> Tensor:
        growth = 1 + 2 * self.W * self.W.abs()
        logit = self.E**2 * growth * tokens + self.c - self.E**2 / 2
        return torch.stack([0 * logit, logit], dim=-1)


class Scalars(Mute):
    mirror = False


def test_what_is_built_on_the_ansatz_asks_a_model_for_its_protocol_alone() -> None:
    model, loss = Scalars(), ExactLoss(BinaryMarkov("0.5", "0.8"), 2)
    own = ReducedModel()
    for w in (-1.2, -0.9):
        point, same = bigram_point(model, loss, w=w), bigram_point(own, loss, w=w)
        assert list(point.params.values()) == list(same.params.values())
        assert abs(point.loss - loss.source.entropy_rate) < 1e-15
        assert reduced_coordinates(model, point.params) == same.coordinates
        found = coordinate_slice(model, loss, point.params, resolution=5)
        expected = coordinate_slice(own, loss, same.params, resolution=5)
        assert np.abs(found.loss - expected.loss).max() < 1e-14 and not found.faults()
    start = unigram_point(model, loss, free={"W": torch.tensor(-0.3).double()})
    path = valley_path(model, loss, start, points=11)
    assert (path.faults(), path.monotone) == ((), True)
    radius = escape_along_ansatz(model, loss, start).radius
    assert 0 < radius - (0.5**0.5 - 0.3) < 1e-2
    # control: a name less, and none of it is known
    for construct in (valley_path, escape_along_ansatz, coordinate_slice):
        with pytest.raises(ValueError, match=r"model=Mute has no coordinates \(e, w, b\)"):
            construct(Mute(), loss, start.params)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "table", ModelKind(f"{HERE}:Table", takes=()))
    mirrored = SourceKind(f"{HERE}:Mirrored", reads=("p",), needs=("p",))
    monkeypatch.setitem(SOURCES, "mirrored", mirrored)


TABLES: dict[str, Any] = {
    "source": {"kind": "mirrored"},
    "model": {"kind": "table", "length": 3},
    "train": {"steps": 300, "lr": 0.1, "seeds": 2, "weight_decay": 0.0},
    "measure": {"points": ["trained"]},
    "axes": {"source.p": [Decimal("0.1"), Decimal("0.8")]},
}


def entropy(p: float) -> float:
    return -(p * math.log(p) + (1 - p) * math.log(1 - p))


@pytest.mark.usefixtures("known")
def test_a_model_and_a_source_from_outside_are_scanned(tmp_path: Path) -> None:
    config = ScanConfig(**TABLES)
    assert type(model_of(config.cells()[0])).__name__ == "Table"
    result = scan(config, out=tmp_path / "scan")
    assert not result.failed and len({cell.id for cell in config.cells()}) == 2
    for cell, p in zip(config.cells(), (0.1, 0.8), strict=True):
        found = result.scalars[cell.id]
        assert abs(found["bigram_loss"] - entropy(p)) < 1e-15
        assert abs(found["unigram_loss"] - math.log(2)) < 1e-15
        assert found["outcome"] == ["bigram"] * 2
        assert max(found["final_loss"]) - entropy(p) < 1e-4
        (first, _) = found["points"]["trained"]["runs"]
        assert first["inertia"][0] == 0 and first["classification"] != "not finite"


@pytest.mark.usefixtures("known")
def test_they_are_trained_from_the_command_line(record: Record) -> None:
    words = "train --model table --set source.kind=mirrored --p .1 --length 3 --steps 300 --lr .1"
    found = record(words)
    assert found["outcome"] == "bigram" and found["final_loss"] - entropy(0.1) < 1e-2


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("table", "setting", "words"),
    [
        ("source", {"q": 0.5}, "'mirrored' does not read it; leave it out (it reads p)"),
        ("source", {"p": None}, "source.p is missing"),
        ("model", {"layers": 2}, "'table' does not read it; take model.kind = 'gpt'"),
        ("model", {"init": "basin"}, "of the package, not for model.kind = 'table'"),
    ],
)
def test_what_they_do_not_read_is_refused_as_of_any_kind(
    table: str, setting: dict[str, Any], words: str
) -> None:
    given = {**TABLES, "axes": {}, "source": {"kind": "mirrored", "p": Decimal("0.3")}}
    assert ScanConfig(**given).cells()
    with pytest.raises(ConfigError) as refused:
        ScanConfig(**{**given, table: {**given[table], **setting}})
    assert words in str(refused.value)


def test_unless_they_are_named_they_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"source\.kind = 'mirrored' is refused: it must be one"):
        ScanConfig(**TABLES)
    with pytest.raises(ConfigError, match=r"model\.kind = 'table' is refused: it must be one of"):
        ScanConfig(**{**TABLES, "axes": {}, "source": {"p": 0.1, "q": 0.1}})
