"""`verify`: each theorem beside a measurement, with a verdict that can fail."""

import dataclasses
import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

from landscape import (
    GPT,
    BinaryMarkov,
    ExactLoss,
    LagMarkov,
    ReducedModel,
    SingleLayer,
    SwitchingMarkov,
    verify,
)
from landscape.cli.commands.verify import command
from landscape.comparison.checks import Check
from landscape.comparison.reduced_model import ReducedFlow, closed, reduced_flow
from landscape.comparison.theorems.flow_claims import STARTS
from landscape.comparison.theorems.plane import grid_values, verify_plane
from landscape.comparison.theorems.subject import CLAIMS, Subject
from landscape.comparison.theorems.verification import Verification, measured, of_theorem
from landscape.models.initial import gaussian
from theory.certificates.unigram import certify_unigram
from theory.checker.check import check as check_certificate
from theory.exact import Number
from theory.statements.records import proof_record
from theory.statements.registry import THEOREM_IDS, theorem

CLAIMS_OF = "landscape.comparison.theorems"


def found_at(
    p: str, q: str, *names: str, w: float | None = None, tying: str = "tied"
) -> Verification:
    model = SingleLayer(width=2, length=3, tying=tying)
    return verify(model, ExactLoss(BinaryMarkov(p, q), 3), w=w, theorems=names)


def by_id(found: Verification) -> dict[str, Check]:
    return {check.id: check for check in found.checks}


def test_every_theorem_of_the_registry_is_measured() -> None:
    assert measured() == set(THEOREM_IDS)


@pytest.mark.parametrize(
    ("p", "q"),
    [
        *(("0.5", "0.8"), ("0.3", "0.7")),
        *(pytest.param(p, p, marks=pytest.mark.slow) for p in ("0.9", "0.2")),
    ],
)
def test_nothing_is_refuted_anywhere_in_the_plane(p: str, q: str) -> None:
    model = SingleLayer(width=2, length=3)
    found = verify(model, ExactLoss(BinaryMarkov(p, q), 3))
    assert {c.id: c for c in found.checks if c.verdict in ("refuted", "inconclusive")} == {}
    assert {c.id.partition("/")[0] for c in found.checks} == set(THEOREM_IDS)


@pytest.mark.parametrize(
    ("p", "q", "word"), [("0.5", "0.8", "local minimum"), ("0.2", "0.3", "saddle")]
)
def test_the_unigram_point_is_named_and_certified(p: str, q: str, word: str) -> None:
    found = by_id(found_at(p, q, "tied-unigram", "tied-condition"))
    for name in ("tied-unigram/classification", "tied-condition/classification"):
        assert (found[name].predicted, found[name].measured) == (word, word)
        assert found[name].verdict == "proved"
    certificate = found["tied-condition/classification"].certificate
    assert certificate is not None and check_certificate(json.loads(json.dumps(certificate)))


def test_random_weights_are_certified_too() -> None:
    model = SingleLayer(width=2, length=3)
    objective = ExactLoss(BinaryMarkov("0.5", "0.8"), 3)
    found = verify(
        model, objective, free=gaussian(model, 0.5, 3), theorems=("tied-condition", "universal-law")
    )
    assert found.verdict == "proved"


def test_at_p_plus_q_equal_to_one_what_needs_a_gap_is_not_applicable() -> None:
    found = found_at("0.2", "0.8", "basins", "tied-condition", "untied-unigram", "entropies")
    assert {c.id.partition("/")[0]: c.verdict for c in found.checks} == {
        "basins": "not-applicable",
        "tied-condition": "not-applicable",
        "untied-unigram": "not-applicable",
        "entropies": "proved",
    }


def test_the_kink_is_not_applicable_with_the_right_one_sided_curvatures() -> None:
    found = by_id(found_at("0.5", "0.8", "universal-law", "tied-condition", "relu-kink", w=-2.0))
    for name in ("universal-law", "tied-condition"):
        assert found[name].verdict == "not-applicable"
        assert "+0.142012 and -2.13018" in found[name].note
    assert found["relu-kink/lower"].measured == pytest.approx(-2.130, abs=5e-4)
    assert found["relu-kink/upper"].measured == pytest.approx(0.142, abs=5e-4)
    assert found["relu-kink/lower"].verdict == found["relu-kink/upper"].verdict == "proved"


def test_untied_embeddings_make_a_certified_saddle() -> None:
    found = by_id(found_at("0.5", "0.8", "untied-unigram", "tied-condition", tying="untied"))
    assert found["untied-unigram/classification"].predicted == "saddle"
    assert found["untied-unigram/classification"].verdict == "proved"
    assert found["tied-condition"].verdict == "not-applicable"


def test_a_prediction_with_measured_inputs_is_verified_and_not_proved() -> None:
    model = GPT(width=2, length=2)
    objective = ExactLoss(BinaryMarkov("0.5", "0.8"), 2)
    found = verify(model, objective, free=gaussian(model, 0.3, 0), theorems=("universal-law",))
    assert found.verdict == "verified"


def test_other_sources_leave_the_plane_and_keep_the_universal_law() -> None:
    model = GPT(width=2, length=2, states=3)
    objective = ExactLoss(SwitchingMarkov(3, "0.8"), 2)
    found = by_id(verify(model, objective, theorems=("basins", "universal-law")))
    assert found["basins"].verdict == "not-applicable"
    assert found["universal-law/spectrum"].verdict == "verified"


def test_a_wrong_closed_form_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []

    def wrong(name: str, e_sign: int) -> Any:
        names.append(name)
        return lambda *values: closed(name, e_sign)(*values) + 1e-9

    monkeypatch.setattr(f"{CLAIMS_OF}.bigram_claims.closed", wrong)
    assert found_at("0.5", "0.8", "best-bias").verdict == "refuted"
    assert set(names) == {"bias"}


def test_a_wrong_basin_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{CLAIMS_OF}.flow_claims.basin", lambda p, q, e, w: "unigram")
    assert found_at("0.5", "0.8", "basins").verdict == "refuted"


def test_a_wrong_certified_word_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        f"{CLAIMS_OF}.unigram_claims.certify_unigram",
        lambda weights, p, q, tying: certify_unigram(weights, p=1 - p, q=1 - q, tying=tying),
    )
    assert found_at("0.5", "0.8", "tied-condition").verdict == "refuted"


def test_a_theorem_without_an_accepted_proof_proves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        f"{CLAIMS_OF}.verification.proof_record",
        lambda name: dataclasses.replace(proof_record(name), refuted=False),
    )
    found = found_at("0.5", "0.8", "entropies")
    assert found.verdict == "inconclusive"
    assert "the proof of entropies is not accepted" in found.checks[0].note


def test_claims_agree_by_equality_or_within_their_tolerance() -> None:
    entropies, agreed = theorem("entropies"), Check.of("x", "", 1.0, 1.0, 0.5)
    for check, verdict in (
        (Check.of("x", "", 1.0, 1.5, 0.5), "proved"),
        (Check.of("x", "", 1.0, 1.6, 0.5), "refuted"),
        (Check.of("x", "", 1.0, float("nan"), 0.5), "refuted"),
        (Check.of("x", "", "saddle", "saddle"), "proved"),
        (Check.of("x", "", "saddle", "local minimum"), "refuted"),
        (Check.of("x", "", "saddle", "local minimum", undecided="too small"), "inconclusive"),
        (Check.of("x", "", [0, 1], [0, 2]), "refuted"),
        (agreed.beyond("measured inputs"), "verified"),
        (Check.of("x", "", 1.0, 1.6, 0.5).beyond("measured inputs"), "refuted"),
    ):
        found = of_theorem(check, entropies, "digest")
        assert (found.id, found.verdict, found.theorems) == ("entropies/x", verdict, ("entropies",))
    assert of_theorem(agreed, entropies, None).verdict == "inconclusive"


def test_the_grid_counts_every_point() -> None:
    axis = grid_values(2)
    seen: list[int] = []
    plane = verify_plane(
        ReducedModel(), 1, axis, axis, theorems=("entropies", "tied-unigram"), progress=seen.append
    )
    assert seen == [1, 2, 3, 4] and plane.verdict == "proved"
    words = {s.id: dict(s.counts) for s in plane.summary()}
    # (1/3, 2/3) and (2/3, 1/3) are written with four decimals: p + q is 1 exactly
    assert words["entropies/gap"] == {"proved": 4}
    assert words["tied-unigram/classification"] == {"proved": 2}
    assert words["tied-unigram"] == {"not-applicable": 2}


def run(*arguments: str) -> Any:
    return CliRunner().invoke(command, [*arguments], standalone_mode=False)


def test_the_command_keeps_its_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    few = partial(verify, theorems=("entropies", "tied-unigram", "basins", "s-states"))
    monkeypatch.setattr(f"{CLAIMS_OF}.verification.verify", few)
    result = run("--p", ".5", "--q", ".8", "--model", "reduced", "--json")
    assert result.exception is None and result.return_value == 0
    record = json.loads(result.stdout)
    assert {"p", "q", "checks", "verdict"} <= set(record)
    keys = {"id", "claim", "source", "predicted", "measured", "tolerance", "verdict", "certificate"}
    assert all(keys <= set(check) for check in record["checks"])
    allowed = {"proved", "verified", "refuted", "inconclusive", "not-applicable"}
    assert {check["verdict"] for check in record["checks"]} <= allowed


@pytest.fixture
def basins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command verifies one theorem, which suffices for its exit code."""
    one = partial(verify, theorems=("basins",))
    monkeypatch.setattr(f"{CLAIMS_OF}.verification.verify", one)


@pytest.mark.usefixtures("basins")
def test_a_refutation_leaves_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{CLAIMS_OF}.flow_claims.basin", lambda p, q, e, w: "unigram")
    assert run("--p", ".5", "--q", ".8", "--model", "reduced").return_value == 1


@pytest.mark.usefixtures("basins")
def test_an_inconclusive_check_warns_and_is_an_error_only_when_strict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def claims(subject: Subject) -> Iterator[Check]:
        yield Check.of("x", "x", 1.0, 1.0, 0.0, undecided="made up")

    assert "basins" in measured()
    monkeypatch.setitem(CLAIMS, "basins", claims)
    result = run("--p", ".5", "--q", ".8", "--model", "reduced")
    assert result.return_value == 0 and "Inconclusive" in result.stderr
    assert run("--p", ".5", "--q", ".8", "--model", "reduced", "--strict").return_value == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--grid", "3", "--p", ".5"], "--grid takes the place of"),
        (["--grid", "0"], "grid=0 is out of range: give 1 to 99 values"),
        (["--p", "1.2", "--q", ".5"], "--p 1.2 is refused: it must be a number strictly between"),
        (["--p", ".5", "--q", "nan"], "--q nan is refused: it must be a number strictly between"),
        (["--p", ".5", "--q", ".8", "--width", "0"], "--width 0 is refused: it must be a whole"),
        (["--p", ".5", "--q", ".8", "--length", "0"], "--length 0 is refused: it must be a whole"),
        (["--grid", "--length", "17"], "16; take a shorter length"),
        (["--p", ".5", "--q", ".8", "--w", "1", "--random-weights", "1"], "give one of them"),
        (["--p", ".5", "--q", ".8", "--model", "gpt", "--w", "1"], "rank-one ansatz"),
    ],
)
def test_bad_input_is_refused_before_anything_is_computed(arguments: list[str], words: str) -> None:
    result = run(*arguments)
    assert result.exception is not None and words in str(result.exception)


def test_on_the_degenerate_line_the_spectrum_of_the_bigram_is_not_applicable() -> None:
    """The statement is about e != 0; where p + q = 1 rounding decided what the verdict was."""
    for p, q in (("0.8333", "0.1667"), ("0.1667", "0.8333"), ("0.5", "0.5")):
        (check,) = found_at(p, q, "bigram-spectrum").checks
        assert check.verdict == "not-applicable" and "e = 0" in check.note
    found = found_at("0.8333", "0.1668", "bigram-spectrum")  # the control: next to it
    assert [check.verdict for check in found.checks] == ["proved"] * 5


def test_three_theorems_share_the_flows_of_a_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    followed: list[tuple[float, float]] = []

    def counted(p: Number, q: Number, e: float, w: float, **how: Any) -> ReducedFlow:
        followed.append((e, w))
        return reduced_flow(p, q, e, w, **how)

    monkeypatch.setattr(f"{CLAIMS_OF}.flow_claims.reduced_flow", counted)
    found_at("0.31", "0.42", "gradient-flow", "conserved-energy", "basins")
    assert followed == list(STARTS)
    found_at("0.31", "0.43", "basins")  # the control: another chain has its own
    assert followed == [*STARTS, *STARTS]


@pytest.mark.parametrize(("p", "q"), [("0.2", "0.80001"), ("0.2", "0.7999999999999999")])
def test_next_to_the_degenerate_line_nothing_is_refuted(p: str, q: str) -> None:
    names = ("degenerate-lines", "s-states", "global-minimum", "tied-unigram")
    found = found_at(p, q, *names)
    assert [check.id for check in found.checks if check.verdict == "refuted"] == []


@pytest.mark.parametrize(
    ("p", "q"),
    [("0.999999", "0.999999"), pytest.param("0.000001", "0.999999", marks=pytest.mark.slow)],
)
def test_at_the_corners_of_the_plane_nothing_is_refuted(p: str, q: str) -> None:
    model = ReducedModel()
    names = ("global-minimum", "critical-points", "s-states", "best-bias")
    found = verify(model, ExactLoss(BinaryMarkov(p, q), 1), theorems=names)
    assert [check.id for check in found.checks if check.verdict == "refuted"] == []


def test_three_symbols_and_a_lag_source_have_their_own_criterion() -> None:
    model = GPT(width=2, length=2, states=3, layer_norm=False)
    for switch, word in (("0.8", "local minimum"), ("0.5", "saddle")):
        objective = ExactLoss(SwitchingMarkov(3, switch), 2)
        (check,) = verify(model, objective, theorems=("s-states",)).checks
        assert (check.predicted, check.measured, check.verdict) == (word, word, "verified")
    lag = ExactLoss(LagMarkov(BinaryMarkov("0.5", "0.8"), 2), 3)
    found = by_id(verify(SingleLayer(width=2, length=3), lag, theorems=THEOREM_IDS))
    assert "the criterion is silent" in found["s-states"].note  # C_1 = 0
    assert found["universal-law/spectrum"].verdict == "proved"
    assert found["global-minimum"].verdict == found["valley"].verdict == "not-applicable"


class Mirrored(GPT):
    """J = -I: of a tied network of its kind every sign is the other one."""

    def represent(self, inputs: Tensor) -> Tensor:
        return -inputs


def test_the_criterion_speaks_of_networks_with_j_of_one_only() -> None:
    """Each of these is a saddle at p = .9, where the criterion says minimum of the others."""
    objective = ExactLoss(SwitchingMarkov(3, "0.9"), 2)
    plain: dict[str, Any] = {"width": 2, "length": 2, "states": 3, "layer_norm": False}
    for model, why in (
        (GPT(**plain, tying="untied"), "tied embeddings"),
        (Mirrored(**plain), "J = I"),
    ):
        law = by_id(verify(model, objective, theorems=("universal-law", "s-states")))
        signs = law["universal-law/inertia"]
        assert isinstance(signs.measured, list) and signs.measured[0] > 0
        assert law["s-states"].verdict == "not-applicable" and why in law["s-states"].note
    weights = {n: 0.1 * torch.ones_like(p) for n, p in GPT(**plain).named_parameters()}
    (check,) = verify(GPT(**plain), objective, free=weights, theorems=("s-states",)).checks
    assert check.verdict == "not-applicable" and "universal-law speaks" in check.note


def test_an_agreement_within_an_enormous_tolerance_says_nothing() -> None:
    model = SingleLayer(width=2, length=3)
    loss = ExactLoss(BinaryMarkov("0.5", "0.8"), 3)
    for deviation, verdict in ((1e6, "inconclusive"), (0.5, "proved")):
        free = gaussian(model, deviation, 0)
        found = by_id(verify(model, loss, free=free, theorems=("universal-law",)))
        assert found["universal-law/gradient"].verdict == verdict
        assert found["universal-law/loss"].verdict == "proved"
