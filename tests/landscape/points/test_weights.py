"""At which weights a point is taken: one default, and it is said."""

from decimal import Decimal
from pathlib import Path

import pytest
import torch

from landscape.config import Measure, Model, Source, Train
from landscape.config.cell import CellConfig
from landscape.models import GPT, SingleLayer
from landscape.models.initial import gaussian
from landscape.objectives.exact import ExactLoss
from landscape.points.unigram import unigram_point
from landscape.scanning.scan import scan
from landscape.sources import BinaryMarkov
from landscape.spectra.spectrum import hessian_spectrum
from tests.landscape.cli.running import Record, Run
from tests.planted.relu_network import SmoothNetwork

LOSS = ExactLoss(BinaryMarkov("0.5", "0.8"), 3)
OWN = "tests.planted.relu_network:SmoothNetwork"
HERE = "spectrum --p .5 --q .8 --at unigram --length 3 --width 4"


def eigenvalues(model: torch.nn.Module, free: dict[str, torch.Tensor] | None) -> list[float]:
    point = unigram_point(model, LOSS, free=free)
    found: list[float] = hessian_spectrum(model, LOSS, point.params).eigenvalues.tolist()
    return found


def test_a_model_of_ones_own_stands_at_its_own_weights_in_both(record: Record) -> None:
    told = record(f"{HERE} --model {OWN} --allow-code")
    assert told["weights"] == "the model's own weights"
    assert told["eigenvalues"] == pytest.approx(eigenvalues(SmoothNetwork(), None), abs=1e-13)
    zero = record(f"{HERE} --model {OWN} --allow-code --random-weights 0")
    assert zero["weights"] == "all free weights 0, gains 1"
    # the control: at zero weights the network is another one, with other curvatures
    assert zero["eigenvalues"] != pytest.approx(told["eigenvalues"], abs=1e-3)


def test_a_model_made_from_flags_alone_has_zero_weights(record: Record, run: Run) -> None:
    model = GPT(width=4, length=3, dtype=torch.float64)
    for flag, spread, words in (
        ("", 0.0, "all free weights 0, gains 1"),
        ("--random-weights .3", 0.3, "free weights of standard deviation 0.3, seed 0"),
    ):
        told = record(f"{HERE} --model gpt {flag}")
        assert told["weights"] == words
        expected = eigenvalues(model, gaussian(model, spread, 0))
        assert told["eigenvalues"] == pytest.approx(expected, abs=1e-11)
        _, out, _ = run(f"{HERE} --model gpt {flag}")
        assert f"weights {words}" in " ".join(out.split())


def test_a_scan_keeps_and_prints_at_which_weights(tmp_path: Path, run: Run) -> None:
    settings = tmp_path / "scan.toml"
    settings.write_text(
        f"""name = "own"
[source]
p = 0.5
q = 0.8
[model]
kind = "{OWN}"
width = 4
length = 3
[train]
steps = 2
seeds = 1
[measure]
points = ["unigram"]
"""
    )
    result = scan(settings, out=tmp_path / "scan", allow_code=True)
    (scalars,) = result.scalars.values()
    point = scalars["points"]["unigram"]
    assert point["weights"] == "the model's own weights"
    floor = eigenvalues(SmoothNetwork(), None)
    assert point["lowest"] == pytest.approx(floor[0], abs=1e-13)
    _, out, _ = run("scan", settings, "--allow-code --no-report --out", tmp_path / "scan")
    assert "The unigram point is taken at the model's own weights." in out


def test_what_was_scanned_before_keeps_its_id() -> None:
    def cell(kind: str, random_weights: float | None = None) -> CellConfig:
        source, model = Source(p=Decimal("0.5"), q=Decimal("0.8")), Model(kind=kind)
        measure = Measure(random_weights=random_weights)
        return CellConfig(source=source, model=model, train=Train(), measure=measure)

    assert cell("single-layer").id == cell("single-layer", random_weights=0).id
    assert cell("single-layer").settings["measure"]["random_weights"] == 0.0
    # at other weights it is another cell, which an old one is not taken for
    assert cell(OWN).id != cell(OWN, random_weights=0).id
    assert cell("single-layer", random_weights=0.5).id != cell("single-layer").id


def test_python_takes_the_models_own_weights() -> None:
    model = SingleLayer(width=4, length=3, dtype=torch.float64)
    point = unigram_point(model, LOSS)
    assert torch.equal(point.params["value"], model.value.detach())
    assert point.params["value"].any()
