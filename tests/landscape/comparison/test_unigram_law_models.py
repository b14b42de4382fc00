"""The models that the universal unigram law is about: any that is what its names say."""

import dataclasses
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from landscape.comparison.spectra import compare, predict
from landscape.comparison.unigram_law import head_of, predict_unigram
from landscape.models import GPT, SingleLayer
from landscape.models.initial import gaussian
from landscape.models.protocols import OnAnsatz
from landscape.objectives.exact import ExactLoss
from landscape.points.bigram import bigram_point
from landscape.points.unigram import unigram_point
from landscape.scanning.measurement import _floor
from landscape.sources import BinaryMarkov, InContext
from landscape.spectra.spectrum import hessian_spectrum
from tests.landscape.comparison.judged import verdicts
from tests.landscape.comparison.unigram_cases import (
    STARTED,
    Case,
    at_unigram,
    both_tyings,
    method,
    source_of,
)
from tests.planted.readers import Reader, Tempered


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
