"""The universal unigram law: predicted, measured and enumerated spectra are one.

Theory is handed z, J and a kernel. The measurement differentiates the exact loss over every
context; the third channel is the slow twin of GPT in plain numpy (`tests.twins.gpt`), over
paths weighted by rules that are walked symbol by symbol (`tests.twins.sources`), its
second derivatives by imaginary steps inside differences.
"""

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest

from landscape.cli import main
from landscape.comparison.spectra import predict
from landscape.comparison.unigram_law import source_numbers
from landscape.models import GPT
from landscape.models.representation import representation
from landscape.objectives.exact import ExactLoss
from landscape.sources import LagMarkov, Markov, OrderKMarkov
from tests.landscape.comparison.unigram_cases import ERROR, Case, at_unigram, source_of
from tests.twins.gpt import Recipe, gpt_hessian_product
from tests.twins.sources import random_rows
from theory.spectra.universal_law import universal_block

LEVELS = {
    "layers": (1, 2, 3),
    "heads": (1, 2),
    "layer_norm": (True, False),
    "states": (2, 3, 4),
    "tying": ("tied", "untied"),
    "memory": ("first order", "order 2", "lag 2"),
}
CASES: list[dict[str, Any]] = [
    dict(zip(LEVELS, values, strict=True)) for values in itertools.product(*LEVELS.values())
]
DRAWS = np.random.default_rng(5).permutation(len(CASES))[:30].tolist()


def case_of(number: int) -> Case:
    levels = CASES[number]
    width = 4 if levels["heads"] == 2 else 3
    sizes = {name: levels[name] for name in ("layers", "heads", "layer_norm", "states", "tying")}
    model = GPT(width=width, length=3, hidden=2, **sizes)
    loss = ExactLoss(source_of(levels["states"], levels["memory"], number)[0], 3)
    return at_unigram(model, loss, 0.5, number)


def agree(number: int) -> None:
    case = case_of(number)
    spectrum = case.spectrum()
    report = case.report(spectrum)
    assert report.predicted is not None
    full, measured = report.predicted.full(), spectrum.eigenvalues.numpy()
    size = max(1.0, float(np.abs(full).max()))

    assert np.abs(full - measured).max() < ERROR * size
    assert report.verdict == "verified", report.checks
    assert spectrum.inertia == report.predicted.inertia
    assert abs(spectrum.loss - case.loss.source.unigram_entropy) < 1e-14
    assert report.classification == ("saddle" if spectrum.inertia[0] else "local minimum")

    # control: one part in a hundred million of another kernel is refused
    states, memory = CASES[number]["states"], CASES[number]["memory"]
    source, _ = source_of(states, memory, number)
    inner: Any = source.chain if isinstance(source, LagMarkov) else source
    rows = (1 - 1e-8) * inner.kernel + 1e-8 * random_rows(len(inner.kernel), states, 999)
    moved: Any = OrderKMarkov(rows) if memory == "order 2" else Markov(rows)
    moved = LagMarkov(moved, 2) if memory == "lag 2" else moved
    other = predict(case.model, ExactLoss(moved, 3), case.point)
    assert other is not None
    assert np.abs(other.full() - measured).max() > ERROR * size


@pytest.mark.parametrize("number", DRAWS)
def test_the_predicted_spectrum_is_the_measured_one(number: int) -> None:
    agree(number)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(CASES)))
def test_the_predicted_spectrum_is_the_measured_one_in_all_cases(number: int) -> None:
    agree(number)


def test_the_draws_have_every_level_several_times() -> None:
    for name, levels in LEVELS.items():
        counts = [sum(CASES[number][name] == level for number in DRAWS) for level in levels]
        assert min(counts) >= 6, (name, counts)
    assert len(set(DRAWS)) == 30


# --- the slow twin ------------------------------------------------------------------------------


TWINNED: list[dict[str, Any]] = [
    {"states": 3, "width": 2, "length": 2, "hidden": 2, "layers": 2, "layer_norm": False,
     "memory": "first order"},
    {"states": 2, "width": 3, "length": 3, "hidden": 2, "tying": "untied", "memory": "order 2"},
    {"states": 3, "width": 2, "length": 3, "heads": 2, "hidden": 2, "layer_norm": False,
     "biases": False, "memory": "lag 2"},
    {"states": 3, "width": 3, "length": 2, "hidden": 2, "tying": "untied", "biases": False,
     "memory": "first order"},
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(TWINNED)))
def test_the_block_is_the_finite_difference_hessian_of_the_twin(number: int) -> None:
    variant = dict(TWINNED[number])
    memory = variant.pop("memory")
    recipe = Recipe(**variant)
    N, S, layout = recipe.length, recipe.states, recipe.layout()
    source, twin = source_of(S, memory, seed=19)
    model = GPT(**variant)
    point = at_unigram(model, ExactLoss(source, N), 0.5, number).point
    theta = np.concatenate([point.params[name].numpy().reshape(-1) for name in layout])

    def product(direction: np.ndarray) -> np.ndarray:
        return gpt_hessian_product(theta, direction, twin.chance, N, recipe)

    first = dict(zip(layout, np.cumsum([0, *map(math.prod, layout.values())]), strict=False))
    names = ["bias", *(["readout"] if recipe.tying == "untied" else []), "embedding"]
    rows = np.concatenate([first[name] + np.arange(math.prod(layout[name])) for name in names])
    measured = np.array([product(unit) for unit in np.eye(len(theta))[rows]])

    numbers = source_numbers(source, N)
    assert numbers is not None and numbers.derived
    found = representation(model, point.params, N)

    def distance(C: np.ndarray, J: np.ndarray = found.J) -> float:
        predicted = np.zeros((len(rows), len(theta)))
        predicted[:, rows] = universal_block(found.z, J, C, tying=model.tying)  # type: ignore[arg-type]  # str
        return float(np.abs(predicted - measured).max())

    # ten times the round-off of the differences, 4e-13 of a gradient
    bound = 4e-12 * max(1.0, float(np.abs(measured).max()))
    assert distance(numbers.covariance) < bound
    # all other second derivatives vanish
    rest = np.random.default_rng(number).normal(size=len(theta))
    rest[rows] = 0
    assert np.abs(product(rest / np.linalg.norm(rest))).max() < bound
    # controls: of 1e-9 another covariance, and what could be mistaken for the right one
    assert distance(numbers.covariance * (1 + 1e-9)) > bound
    if S > 2:
        assert distance(numbers.covariance.transpose(0, 2, 1)) > 1e-4
    assert distance(numbers.covariance, found.J.swapaxes(2, 3)) > 1e-4


# --- the command --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [["--p", ".5", "--q", ".8"], ["--states", "3", "--switch", ".8", "--tying", "untied"]]
)
def test_the_command_prints_the_prediction(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    shared = ["--model", "gpt", "--at", "unigram", "--length", "3", "--width", "3"]
    with pytest.raises(SystemExit) as left:
        main(["spectrum", *words, *shared, "--random-weights", ".3", "--json"])
    assert left.value.code == 0
    result = json.loads(capsys.readouterr().out)
    assert result["verdict"] == "verified"
    assert len(result["predicted"]) == result["parameters"]
    assert result["predicted_inertia"] == result["inertia"]
    assert result["max_error"] < ERROR
