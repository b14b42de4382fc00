"""A model and a source that no file of the package knows, trained and scanned by configuration."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from landscape.cli import main
from landscape.config.build import model_of
from landscape.config.model import MODELS, ModelKind
from landscape.config.scan import ScanConfig
from landscape.config.source import SOURCES, SourceKind
from landscape.errors import ConfigError
from landscape.scanning.scan import scan
from landscape.sources.finite_memory import FiniteMemory

HERE = "tests.laws.test_from_outside"


class Table(nn.Module):
    """Logits of the next symbol from a table of the last one."""

    def __init__(self, *, states: int, width: int, dtype: torch.dtype, seed: int) -> None:
        super().__init__()
        self.states, self.width = states, width
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


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "table", ModelKind(f"{HERE}:Table", takes=("width",)))
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
def test_they_are_trained_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    words = "train --model table --set source.kind=mirrored --p .1 --length 3 --steps 300 --lr .1"
    with pytest.raises(SystemExit) as left:
        main([*words.split(), "--json"])
    assert left.value.code == 0
    record = json.loads(capsys.readouterr().out)
    assert record["outcome"] == "bigram" and record["final_loss"] - entropy(0.1) < 1e-2


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("table", "setting", "words"),
    [
        ("source", {"q": 0.5}, "'mirrored' does not read it; leave it out (it reads p)"),
        ("source", {"p": None}, "source.p is missing"),
        ("model", {"layers": 2}, "'table' does not read it; set model.kind = 'gpt' or leave it"),
        ("model", {"init": "basin"}, "model.init = 'basin' is refused for model.kind = 'table'"),
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
