"""The universal unigram law: predicted, measured and enumerated spectra are one.

Theory is handed z, J and a kernel. The measurement differentiates the exact loss over every
context; the third channel is the slow twin of GPT in plain numpy (`tests.twins.gpt`), over
paths weighted by rules that are walked symbol by symbol (`tests.twins.sources`), its
second derivatives by imaginary steps inside differences.
"""

import dataclasses
import itertools
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import landscape.comparison.unigram_law
from landscape.cli import main
from landscape.comparison.checks import Report
from landscape.comparison.spectra import compare, predict
from landscape.comparison.unigram_law import MOST_CONTEXTS, head_of, predict_unigram, source_numbers
from landscape.models import GPT, SingleLayer
from landscape.models.initial import gaussian
from landscape.models.protocols import OnAnsatz
from landscape.models.representation import representation
from landscape.objectives.exact import ExactLoss
from landscape.points.bigram import bigram_point
from landscape.points.critical_point import CriticalPoint
from landscape.points.unigram import unigram_point
from landscape.scanning.measurement import _floor
from landscape.sources import (
    BinaryMarkov,
    InContext,
    LagMarkov,
    Markov,
    OrderKMarkov,
    SampledSource,
    SwitchingMarkov,
)
from landscape.spectra.spectrum import Spectrum, hessian_spectrum
from tests.planted.readers import Reader, Tempered
from tests.twins.gpt import Recipe, gpt_hessian_product
from tests.twins.sources import (
    Twin,
    first_order,
    lagged,
    random_rows,
    remembering,
    table as table_of,
)
from theory.chain.kernel import Chain, chain_of
from theory.spectra.universal_law import universal_block

ERROR = 1e-12  # times max(1, ||H||), the issue's; D eps ||H|| is 1e-13 at D = 450

Params = dict[str, Tensor]


# --- thirty random draws ------------------------------------------------------------------------

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


def source_of(states: int, memory: str, seed: int) -> tuple[SampledSource, Twin]:
    """A source of random, non-reversible kernel, and its twin."""
    if memory == "order 2":
        second = OrderKMarkov(random_rows(states**2, states, seed))
        return second, remembering(memory, second, 2, table_of(second.kernel))
    first = Markov(random_rows(states, states, seed))
    if memory == "lag 2":
        lag = LagMarkov(first, 2)
        return lag, lagged(memory, lag, first.kernel)
    return first, first_order(memory, first, first.kernel)


@dataclass(frozen=True)
class Case:
    """A model with random weights at its unigram point, on a source."""

    model: torch.nn.Module
    loss: ExactLoss
    point: CriticalPoint

    def spectrum(self) -> Spectrum:
        return hessian_spectrum(self.model, self.loss, self.point.params)

    def report(self, spectrum: Spectrum | None = None) -> Report:
        return compare(self.model, self.loss, self.point, spectrum or self.spectrum())


def case_of(number: int) -> Case:
    levels = CASES[number]
    width = 4 if levels["heads"] == 2 else 3
    sizes = {name: levels[name] for name in ("layers", "heads", "layer_norm", "states", "tying")}
    model = GPT(width=width, length=3, hidden=2, **sizes)
    loss = ExactLoss(source_of(levels["states"], levels["memory"], number)[0], 3)
    return at_unigram(model, loss, 0.5, number)


def at_unigram(model: torch.nn.Module, loss: ExactLoss, deviation: float, seed: int) -> Case:
    point = unigram_point(model, loss, free=gaussian(model, deviation, seed))
    return Case(model, loss, point)


def ternary(source: SampledSource, tying: str = "tied") -> Case:
    model = GPT(states=3, width=2, length=3, hidden=3, layer_norm=False, tying=tying)
    return at_unigram(model, ExactLoss(source, 3), 0.6, 1)


STARTED = Markov(random_rows(3, 3, 19), start=[0.6, 0.1, 0.3])
both_tyings = pytest.mark.parametrize("tying", ["tied", "untied"])


def verdicts(report: Report) -> dict[str, str]:
    return {check.id: check.verdict for check in report.checks}


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


# --- controls: each formula, mutated, is refuted ------------------------------------------------


def covariances(change: Callable[[Chain], np.ndarray]) -> Callable[..., Chain]:
    def mutated(*given: Any, **options: Any) -> Chain:
        found = chain_of(*given, **options)
        return dataclasses.replace(found, covariance=change(found))

    return mutated


def powers(found: Chain) -> np.ndarray:
    """lambda^k in many letters: the powers of the bigram kernel, right at lags 0 and 1."""
    pi, C = found.stationary, found.covariance
    bigram = C[1] / pi[:, None] + pi
    return np.array(
        [np.diag(pi) @ np.linalg.matrix_power(bigram, k) - np.outer(pi, pi) for k in range(len(C))]
    )


COVARIANCE: dict[str, Callable[[Chain], np.ndarray]] = {
    "C_k transposed": lambda found: found.covariance.transpose(0, 2, 1),
    "powers of the bigram kernel": powers,
    "lag one alone": lambda found: np.concatenate([found.covariance[:2], 0 * found.covariance[2:]]),
    "C_{k-1}": lambda found: np.concatenate([found.covariance[:1], found.covariance[:-1]]),
    "symmetric part": lambda found: (found.covariance + found.covariance.transpose(0, 2, 1)) / 2,
    "2 G": lambda found: np.concatenate([2 * found.covariance[:1], found.covariance[1:]]),
}


@cache
def controlled(tying: str, memory: str) -> tuple[Case, Spectrum]:
    case = ternary(source_of(3, memory, 19)[0], tying)
    spectrum = case.spectrum()
    assert case.report(spectrum).verdict == "verified"
    return case, spectrum


def replaced(patch: Any, *, C: str | None = None, network: str | None = None) -> None:
    """Theory is given another covariance, or another network, or both."""
    if C is not None:
        patch.setattr(landscape.comparison.unigram_law, "chain_of", covariances(COVARIANCE[C]))
    if network is not None:

        def mutated(*given: Any) -> Any:
            found = representation(*given)
            z, J = NETWORK[network](found.z, found.J)
            return dataclasses.replace(found, z=z, J=J)

        patch.setattr(landscape.comparison.unigram_law, "representation", mutated)


@both_tyings
@pytest.mark.parametrize("memory", ["first order", "order 2", "lag 2"])
@pytest.mark.parametrize("mutation", COVARIANCE)
def test_another_covariance_is_refuted(
    mutation: str, tying: str, memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, spectrum = controlled(tying, memory)
    replaced(monkeypatch, C=mutation)
    report = case.report(spectrum)
    # of a first-order chain the covariances are the powers of its kernel
    right = (mutation, memory) == ("powers of the bigram kernel", "first order")
    assert verdicts(report)["spectrum"] == ("verified" if right else "refuted")
    assert (report.verdict == "refuted") is not right


NETWORK: dict[str, Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]] = {
    "J transposed": lambda z, J: (z, J.swapaxes(2, 3)),
    "no attention": lambda z, J: (z, J * np.eye(len(z))[:, :, None, None]),
    "J of the mean": lambda z, J: (z, np.broadcast_to(J.sum(1)[:, None], J.shape) / 3
                                   * np.tri(len(z))[:, :, None, None]),
    "1.01 z": lambda z, J: (1.01 * z, J),
    "z centred": lambda z, J: (z - z.mean(0), J),
}  # fmt: skip


@both_tyings
@pytest.mark.parametrize("mutation", NETWORK)
def test_another_network_is_refuted(
    mutation: str, tying: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, spectrum = controlled(tying, "first order")
    replaced(monkeypatch, network=mutation)
    assert verdicts(case.report(spectrum))["spectrum"] == "refuted"


@both_tyings
def test_both_transposed_are_the_same_only_where_readout_and_embedding_are_one(
    tying: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C^T (x) J + C (x) J^T does not change when C and J are transposed together."""
    case, spectrum = controlled(tying, "first order")
    replaced(monkeypatch, C="C_k transposed", network="J transposed")
    expected = "verified" if tying == "tied" else "refuted"
    assert verdicts(case.report(spectrum))["spectrum"] == expected


@both_tyings
def test_a_reversible_chain_cannot_tell_c_from_its_transpose(
    tying: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = ternary(SwitchingMarkov(3, "0.8"), tying)
    replaced(monkeypatch, C="C_k transposed")
    assert case.report().verdict == "verified"


@both_tyings
def test_another_loss_or_slope_is_refuted(tying: str) -> None:
    case, spectrum = controlled(tying, "order 2")
    for check, other in (("loss", spectrum.loss + 1e-12), ("gradient", 1e-12)):
        name = "gradient_norm" if check == "gradient" else check
        wrong = dataclasses.replace(spectrum, **{name: other})  # type: ignore[arg-type]  # floats
        assert verdicts(case.report(wrong))[check] == "refuted"


# --- sources ------------------------------------------------------------------------------------


class Lying(Markov):
    def lag_covariance(self, lag: int) -> Any:
        return super().lag_covariance(lag).T


class Handed:
    """A source that says what it is asked, and has no kernel to derive anything from."""

    def __init__(self, inner: SampledSource, *, transposed: bool = False) -> None:
        self.inner, self.transposed = inner, transposed

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def lag_covariance(self, lag: int) -> Any:
        found = self.inner.lag_covariance(lag)  # type: ignore[attr-defined]  # a Markov has it
        return found.T if self.transposed else found


def method(report: Report) -> str:
    assert report.predicted is not None
    return report.predicted.method


def test_theory_derives_what_it_can_and_says_what_it_was_given() -> None:
    rows = random_rows(3, 3, 19)
    derived, given = ternary(Markov(rows)).report(), ternary(Handed(Markov(rows))).report()
    assert "lag covariances derived from the kernel" in method(derived)
    assert "z, J and the symmetries of the network measured" in method(derived)
    assert verdicts(derived)["lag-covariances"] == "verified"
    assert "lag covariances given by the source" in method(given)
    assert given.verdict == "verified" and "lag-covariances" not in verdicts(given)
    # two lies: one that theory sees in the kernel, and one that only the measurement can refute
    lied = ternary(Lying(rows)).report()
    assert verdicts(lied)["lag-covariances"] == "refuted" and lied.verdict == "refuted"
    assert verdicts(lied)["spectrum"] == "verified"
    false = ternary(Handed(Markov(rows), transposed=True)).report()
    assert verdicts(false)["spectrum"] == "refuted"


def test_beyond_what_can_be_solved_the_source_is_asked() -> None:
    source = OrderKMarkov.dirichlet(3, 4, seed=0)
    assert len(source.kernel) > MOST_CONTEXTS
    report = ternary(source).report()
    assert report.verdict == "verified" and "given by the source" in method(report)


@pytest.mark.parametrize("source", [InContext(3), STARTED])
def test_of_sources_that_are_not_stationary_nothing_is_predicted(source: SampledSource) -> None:
    case = ternary(Markov(random_rows(3, 3, 19)))
    assert source_numbers(source, 3) is None
    loss = ExactLoss(source, 3)
    assert predict(case.model, loss, case.point) is None
    report = compare(case.model, loss, case.point, case.spectrum())
    assert (report.predicted, report.checks, report.verdict) == (None, (), "not-applicable")


@both_tyings
@pytest.mark.parametrize("memory", ["first order", "order 2", "lag 2"])
def test_the_single_layer_is_predicted_on_every_stationary_source(memory: str, tying: str) -> None:
    model = SingleLayer(width=3, hidden=5, length=4, tying=tying)
    report = at_unigram(model, ExactLoss(source_of(2, memory, 3)[0], 4), 0.5, 2).report()
    assert report.verdict == "verified" and "z and J derived from the weights" in method(report)


def test_on_the_binary_chain_the_two_routes_of_the_single_layer_are_one() -> None:
    source = BinaryMarkov("0.3", "0.55")
    case = at_unigram(SingleLayer(width=3, length=4), ExactLoss(source, 4), 0.5, 2)
    exact = predict(case.model, case.loss, case.point)
    found = predict_unigram(case.model, case.point.params, source, 4)
    assert exact is not None and found is not None and hasattr(found, "spectrum")
    assert np.abs(exact.full() - found.spectrum.full()).max() < 1e-15
    assert exact.inertia == found.spectrum.inertia


# --- the criterion of S symbols, measured -------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "p", "word"),
    [
        (3, "0.66", "saddle"), (3, "0.67", "local minimum"), (4, "0.7499", "saddle"),
        (4, "0.75", "degenerate"), (4, "0.7501", "local minimum"), (2, "0.5", "degenerate"),
    ],
)  # fmt: skip
def test_the_switching_chain_turns_at_p_of_one_less_than_one_over_s(
    states: int, p: str, word: str
) -> None:
    d = 2
    model = GPT(states=states, width=d, length=2, layer_norm=False)
    case = at_unigram(model, ExactLoss(SwitchingMarkov(states, p), 2), 0.0, 0)
    spectrum = case.spectrum()
    report = case.report(spectrum)
    assert (report.classification, report.verdict) == (word, "verified")
    slope = 2 * (float(p) * states / (states - 1) - 1) / states
    expected = [1 / states] * (states - 1) + [slope] * (states - 1) * d
    expected += [0.0] * (spectrum.parameters - len(expected))
    assert np.abs(spectrum.eigenvalues.numpy() - np.sort(expected)).max() < 1e-14


def test_at_the_threshold_itself_thirds_are_needed() -> None:
    """(S-1)/S = 2/3 is no decimal: nearest to it the symbols are not quite independent."""
    model = GPT(states=3, width=2, length=2, layer_norm=False)
    thirds = at_unigram(model, ExactLoss(Markov(np.full((3, 3), 1 / 3)), 2), 0.0, 0)
    assert thirds.report().classification == "degenerate"
    near = Decimal("0." + 16 * "6")
    case = at_unigram(model, ExactLoss(SwitchingMarkov(3, near), 2), 0.0, 0)
    report = case.report()
    assert verdicts(report)["inertia"] == "inconclusive"
    assert report.classification == "undecided"


# --- hypotheses and models of one's own ---------------------------------------------------------


def test_a_users_own_model_is_predicted() -> None:
    loss, model = ExactLoss(BinaryMarkov("0.3", "0.9"), 3), Reader()
    positions = torch.tensor([[0.3, -0.4], [-0.2, 0.5], [0.6, 0.1]]).double()
    case = Case(model, loss, unigram_point(model, loss, free={"positions": positions}))
    spectrum = case.spectrum()
    report = case.report(spectrum)
    assert report.verdict == "verified"
    assert report.predicted is not None
    # by hand: z_n = relu(p_n), J = 1{p_n > 0}
    p = case.point.params["positions"].numpy()
    c, lag = 0.3 * 0.9 / 1.2**2, 1 - 1.2
    z, open_ = np.maximum(p, 0), (p > 0).astype(float)
    block = np.zeros((3, 3))
    block[0, 0], block[0, 1:] = c, c * z.mean(0)
    block[1:, 0] = block[0, 1:]
    block[1:, 1:] = c * (z.T @ z / 3 - 2 * lag * np.diag(open_.mean(0)))
    expected = np.sort(2 * np.linalg.eigvalsh(block))  # two logits: twice one
    nonzero = spectrum.eigenvalues.numpy()
    nonzero = nonzero[np.abs(nonzero) > spectrum.zero_bound]
    assert np.abs(nonzero - expected).max() < 1e-14


def test_a_kink_is_not_applicable_whether_or_not_the_model_tells_of_it() -> None:
    reader = Reader()
    flat = {"positions": torch.zeros(3, 2).double()}
    loss = ExactLoss(BinaryMarkov("0.3", "0.9"), 3)
    own = Case(reader, loss, unigram_point(reader, loss, free=flat))
    report = own.report()
    assert (report.verdict, report.classification) == ("not-applicable", "not-applicable")
    assert [check.id for check in report.checks] == ["differentiable"]
    assert predict(reader, loss, own.point) is None
    # automatic differentiation agrees with itself there: a false verification without the check
    known = GPT(width=2, length=3, activation="relu", biases=False, positions="none")
    told = at_unigram(known, loss, 0.5, 0)
    assert [check.id for check in told.report().checks] == ["differentiable"]


def test_a_model_that_is_not_what_its_names_say_is_not_applicable() -> None:
    loss = ExactLoss(BinaryMarkov("0.3", "0.9"), 3)
    honest, model = at_unigram(Reader(), loss, 0.4, 1), Tempered()
    case = Case(model, loss, dataclasses.replace(honest.point))
    report = case.report()
    assert (report.verdict, report.predicted) == ("not-applicable", None)
    assert [check.id for check in report.checks] == ["readable"]


def test_heads_that_have_no_closed_form_are_left_alone() -> None:
    model = Reader()
    params = {name: value.detach() for name, value in model.named_parameters()}
    assert head_of(model, params, 2) == "softmax"
    assert head_of(model, params, 3) is None
    assert head_of(model, {**params, "bias": torch.zeros(())}, 2) is None
    assert head_of(torch.nn.Linear(2, 2), params, 2) is None


@pytest.mark.parametrize(
    "make",
    [
        partial(GPT, width=2, hidden=3),
        partial(SingleLayer, width=2, hidden=3),
        partial(SingleLayer, width=2, hidden=3, tying="untied"),
    ],
)
def test_a_shorter_loss_is_predicted_at_its_own_length(make: Any) -> None:
    model = make(length=5)
    chain = BinaryMarkov("0.3", "0.9")
    loss = ExactLoss(chain, 3)
    free = gaussian(model, 0.5, 0)
    for construct in (
        (unigram_point, bigram_point) if isinstance(model, OnAnsatz) else (unigram_point,)
    ):
        point = construct(model, loss, free=free)
        spectrum = hessian_spectrum(model, loss, point.params)
        assert compare(model, loss, point, spectrum).verdict == "verified"
        # control: at the model's own length it is another spectrum
        longer = compare(model, ExactLoss(chain, 5), point, spectrum)
        assert verdicts(longer)["spectrum"] == "refuted"


def test_the_floor_under_a_run_is_predicted_for_any_model() -> None:
    loss = ExactLoss(source_of(3, "order 2", 1)[0], 3)
    model = GPT(states=3, width=2, length=3, hidden=3)
    case, params = at_unigram(model, loss, 0.5, 4), gaussian(model, 0.5, 4)
    assert _floor(model, loss, params) == list(case.spectrum().inertia)
    assert _floor(model, ExactLoss(STARTED, 3), params) is None
    assert _floor(model, ExactLoss(InContext(3), 3), params) is None


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
