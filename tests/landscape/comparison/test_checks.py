"""What a comparison answers: a verdict for each check, a word for the point, and the theorems."""

import dataclasses
import json
from decimal import Decimal
from typing import Any

import pytest

from landscape.comparison.checks import Check, Report, Verdict
from landscape.comparison.spectra import compare, predict
from landscape.models import SingleLayer
from landscape.models.ansatz import ansatz
from landscape.models.initial import gaussian
from landscape.objectives.exact import ExactLoss
from landscape.objectives.sampled import SampledLoss
from landscape.points.bigram import bigram_point
from landscape.points.critical_point import CriticalPoint
from landscape.points.unigram import unigram_point
from landscape.sources import BinaryMarkov
from landscape.spectra.spectrum import hessian_spectrum
from tests.landscape.comparison.judged import chain_point, judged, origin, verdicts


@pytest.mark.parametrize("tying", ["tied", "untied"])
def test_an_eigenvalue_too_small_to_see_is_inconclusive(tying: str) -> None:
    close = compare(*origin(tying, "0.3", "0.70000000000001"))
    unseen = ("inertia", "classification")
    expected = {name: "verified" for name in ("loss", "gradient", "spectrum")}
    assert verdicts(close) == {**expected, **dict.fromkeys(unseen, "inconclusive")}
    assert close.verdict == "inconclusive"
    assert close.predicted is not None and close.predicted.classification != "degenerate"
    # control: far enough to be seen
    assert compare(*origin(tying, "0.3", "0.7001")).verdict == "verified"


@pytest.mark.parametrize(
    ("p", "q"), [("0.3", "0.7"), (0.1, 0.9), (Decimal("0.25"), 0.75), ("0.300", "0.7")]
)
@pytest.mark.parametrize("kind", ["unigram", "bigram"])
@pytest.mark.parametrize("tying", ["tied", "untied", "reduced"])
def test_where_p_plus_q_is_one_in_decimals_the_point_is_degenerate(
    tying: str, kind: str, p: Any, q: Any
) -> None:
    report = compare(*chain_point(kind, tying, p=p, q=q))
    assert report.classification == "degenerate"
    assert report.verdict == "verified" or tying == "reduced"


@pytest.mark.parametrize(
    ("p", "q", "one_in_floats"),
    [("0.1", "0.90000000000000001", True), (0.1 + 0.2, 0.7, False)],  # 0.30000000000000004
)
def test_degeneracy_is_decided_on_decimals_and_not_on_floats(
    p: Any, q: Any, one_in_floats: bool
) -> None:
    assert not one_in_floats or float(p) + float(q) == 1.0
    report = compare(*chain_point("unigram", "tied", p=p, q=q))
    assert report.predicted is not None and report.predicted.classification != "degenerate"


def test_a_kink_is_not_applicable_and_never_a_minimum() -> None:
    model, objective = SingleLayer(width=4, length=3), ExactLoss(BinaryMarkov(0.5, 0.8), 3)
    kinked, smooth = (
        judged(model, objective, unigram_point(model, objective, free=free))
        for free in (ansatz(model, 0.0, -2.0, 0.0), gaussian(model, 0.5, 0))
    )
    report = compare(*kinked)
    assert (report.verdict, report.classification) == ("not-applicable", "not-applicable")
    assert (report.predicted, report.max_error) == (None, None)
    # what the comparison would have said without the refusal: the false minimum
    predicted = predict(model, objective, kinked[2])
    assert predicted is not None
    assert predicted.inertia[0] == kinked[3].inertia[0] == 0
    # control: at e = 0 with generic weights the same model is judged
    assert compare(*smooth).verdict == "verified"


def test_of_a_trained_point_nothing_is_predicted() -> None:
    model, loss, point, spectrum = chain_point("bigram", "tied", w=0.4)
    trained = CriticalPoint("trained", point.params, point.loss, point.gradient_norm)
    report = compare(model, loss, trained, spectrum)
    assert (report.predicted, report.max_error, report.checks) == (None, None, ())
    assert report.verdict == "not-applicable"
    assert report.classification == "no clear negative curvature"
    away = dataclasses.replace(spectrum, gradient_norm=1e-3)  # control: a slope is not hidden
    word = compare(model, loss, trained, away).classification
    assert word == "no clear negative curvature, not a critical point"
    assert predict(model, loss, trained) is None
    assert compare(model, loss, point, spectrum).classification == "global minimum"


def named(kind: str, tying: str, **at: Any) -> dict[str, tuple[str, ...]]:
    return {check.id: check.theorems for check in compare(*chain_point(kind, tying, **at)).checks}


def test_checks_name_the_theorems_that_they_follow_from() -> None:
    assert named("unigram", "tied") == {
        "loss": ("entropies",),
        "gradient": ("critical-points",),
        "spectrum": ("universal-law",),
        "inertia": ("universal-law", "tied-condition"),
        "classification": ("tied-condition",),
    }
    assert named("bigram", "untied", w=0.4) == {
        "loss": ("entropies", "global-minimum"),
        "gradient": ("critical-points",),
        "spectrum": ("full-bigram",),
        "inertia": ("full-bigram",),
        "classification": ("global-minimum",),
        "coordinates": ("critical-points",),
    }
    # controls: of another tying, and where the hypothesis p + q != 1 fails
    assert named("unigram", "untied")["classification"] == ("untied-unigram",)
    assert named("unigram", "tied", p="0.3", q="0.7")["classification"] == ()


@pytest.mark.parametrize(
    ("found", "worst"),
    [
        (["verified", "refuted", "inconclusive", "not-applicable"], "refuted"),
        (["verified", "not-applicable", "inconclusive"], "inconclusive"),
        (["not-applicable", "verified"], "not-applicable"),
        (["verified", "verified"], "verified"),
        ([], "not-applicable"),
    ],
)
def test_the_verdict_is_the_worst_of_the_checks(found: list[Verdict], worst: Verdict) -> None:
    checks = tuple(Check("id", "claim", "source", 0.0, 0.0, 0.0, verdict) for verdict in found)
    assert Report(None, None, "", checks).verdict == worst


def test_a_refuted_inertia_keeps_the_word_of_the_measurement() -> None:
    model, loss, point, spectrum = chain_point("unigram", "untied")
    assert compare(model, loss, point, spectrum).classification == "saddle"
    bigram = bigram_point(model, loss)
    report = compare(model, loss, bigram, spectrum)  # the spectrum of another point
    assert verdicts(report)["inertia"] == "refuted"
    assert report.classification == "negative curvature"


def test_the_report_survives_as_a_dataset() -> None:
    report = compare(*chain_point("unigram", "tied"))
    dataset = report.to_xarray()
    assert report.predicted is not None
    assert dataset["eigenvalue"].values.tolist() == report.predicted.full().tolist()
    assert dataset["inertia"].values.tolist() == list(report.predicted.inertia)
    assert dataset.attrs["verdict"] == "verified"
    checks = json.loads(dataset.attrs["checks"])
    assert [one["id"] for one in checks] == [one.id for one in report.checks]
    empty = Report(None, None, "no negative curvature", ()).to_xarray()
    assert list(empty.data_vars) == []


def test_of_a_sample_s_loss_nothing_is_predicted() -> None:
    """Its spectrum is another one than the population's, and no theorem is about it."""
    model, loss, point, _ = chain_point("unigram", "tied")
    assert isinstance(loss.source, BinaryMarkov)
    sample = SampledLoss(loss.source, loss.length, batch=64, seed=0)
    spectrum = hessian_spectrum(model, sample, point.params)
    assert predict(model, sample, point) is None
    report = compare(model, sample, point, spectrum)
    assert (report.verdict, report.checks) == ("not-applicable", ())
    # control: beside the population's prediction it would have been refuted
    assert compare(model, loss, point, spectrum).verdict == "refuted"
