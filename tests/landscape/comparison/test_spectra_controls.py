"""A wrong closed form is refuted: each one, mutated, is told apart by the measured spectrum."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

import theory.spectra.bigram
import theory.spectra.universal_law
from landscape.comparison.spectra import compare
from landscape.objectives.exact import ExactLoss
from landscape.sources import BinaryMarkov
from tests.landscape.comparison.judged import chain_point, verdicts
from theory.spectra.bigram import bigram_spectrum
from theory.spectra.reduced import (
    reduced_bigram_spectrum as reduced_bigram,
    reduced_unigram_spectrum as reduced_unigram,
)
from theory.spectra.states import states_spectrum
from theory.transformer.representation import single_layer_representation as representation

lag_covariances = theory.spectra.universal_law.lag_covariances
universal_block = theory.spectra.universal_law.universal_block
count_law = theory.spectra.bigram.count_law
Formula = Callable[..., Any]


def block_without_mean(*given: Any, **options: Any) -> np.ndarray:
    H = universal_block(*given, **options)
    H[0, 1:] = H[1:, 0] = 0
    return H


def transposed(weights: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    z, J = representation(weights)
    return z, J.swapaxes(2, 3)


def weights_changed(name: str, factor: float) -> Formula:
    return lambda weights: representation({**weights, name: factor * weights[name]})


def other_tying(given: Mapping[str, Any]) -> str:
    return {"tied": "untied", "untied": "tied"}[given["tying"]]


def changed(**changes: Callable[[dict[str, Any]], Any]) -> Formula:
    """The bigram's spectrum of changed inputs, padded to the D of the model."""

    def mutated(**given: Any) -> Any:
        parameters = bigram_spectrum(**given).parameters
        found = bigram_spectrum(**given | {name: f(given) for name, f in changes.items()})
        rank = len(found.eigenvalues)
        return type(found)(
            found.eigenvalues, parameters, parameters - rank, (0, parameters - rank, rank),
            found.classification, found.method,
        )  # fmt: skip

    return mutated


SPECTRA = "landscape.comparison.spectra."
LAGS, BLOCK = SPECTRA + "lag_covariances", "theory.spectra.states.universal_block"
NETWORK, STATES = SPECTRA + "single_layer_representation", SPECTRA + "states_spectrum"
BIGRAM, COUNTS = SPECTRA + "bigram_spectrum", "theory.spectra.bigram.count_law"
REDUCED = {kind: SPECTRA + f"reduced_{kind}_spectrum" for kind in ("unigram", "bigram")}
COVARIANCES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "lambda^(k-1) for lambda^k": lambda c: np.r_[c[:1], c[:-1]],
    "lambda^(k+1) for lambda^k": lambda c: np.r_[c[:1], c[1:] ** 2 / c[:-1]],
    "-lambda^k": lambda c: np.r_[c[:1], -c[1:]],
    "J for J + J^T": lambda c: np.r_[c[:1], c[1:] / 2],
    "lag one alone": lambda c: np.r_[c[:2], 0 * c[2:]],
    "2c for c": lambda c: np.r_[2 * c[:1], c[1:]],
}
OF_FULL: dict[tuple[str, str], tuple[str, Formula]] = {
    **{("unigram", name): (LAGS, lambda change=change, **given: change(lag_covariances(**given)))
       for name, change in COVARIANCES.items()},
    ("unigram", "1-p for p"): (LAGS, lambda p, **given: lag_covariances(p=1 - p, **given)),
    ("unigram", "no zbar"): (BLOCK, block_without_mean),
    ("unigram", "1.01 z"): (BLOCK, lambda z, *J, **more: universal_block(1.01 * z, *J, **more)),
    ("unigram", "no attention in J and z"): (NETWORK, weights_changed("value", 0)),
    ("unigram", "uniform attention"): (NETWORK, weights_changed("query", 0)),
    ("unigram", "relu of the negative"): (NETWORK, weights_changed("hidden_in", -1)),
    ("unigram", "-W_2 (the relu's sign)"): (NETWORK, weights_changed("hidden_out", -1)),
    ("unigram", "J transposed"): (NETWORK, transposed),
    ("unigram", "the other tying"): (
        STATES, lambda *z, **given: states_spectrum(*z, **{**given, "tying": other_tying(given)})),
    ("bigram", "w of the other sign"): (BIGRAM, changed(w=lambda given: -given["w"])),
    ("bigram", "e of the other sign"): (BIGRAM, changed(e_sign=lambda given: -given["e_sign"])),
    ("bigram", "no W_V term"): (BIGRAM, changed(output=lambda given: False)),
    ("bigram", "no attention score"): (BIGRAM, changed(attention_score=lambda given: 0.0)),
    ("bigram", "attention without its 1/sqrt(d)"): (
        BIGRAM, changed(attention_score=lambda given: given["attention_score"] * 3**0.5)),
    ("bigram", "p and q exchanged"): (
        BIGRAM, changed(p=lambda given: given["q"], q=lambda given: given["p"])),
    ("bigram", "the other tying"): (BIGRAM, changed(tying=other_tying)),
    ("bigram", "one token fewer"): (BIGRAM, changed(length=lambda given: given["length"] - 1)),
    ("bigram", "counts at another p"): (COUNTS, lambda p, q, n: count_law(p / 2, q, n)),
    ("bigram", "counts of independent tokens"): (COUNTS, lambda p, q, n: count_law(p, 1 - p, n)),
}  # fmt: skip
OF_REDUCED: dict[tuple[str, str], Formula] = {
    ("unigram", "w of the other sign"): lambda p, q, w: reduced_unigram(p, q, -w),
    ("unigram", "1 + w|w| for 1 + 2w|w|"): lambda p, q, w: reduced_unigram(p, q, w / 2**0.5),
    ("unigram", "1-p, 1-q"): lambda p, q, w: reduced_unigram(1 - p, 1 - q, w),
    ("bigram", "w of the other sign"): lambda p, q, w: reduced_bigram(p, q, -w),
    ("bigram", "1 + w|w| for 1 + 2w|w|"): lambda p, q, w: reduced_bigram(p, q, w / 2**0.5),
    ("bigram", "p and q exchanged"): lambda p, q, w: reduced_bigram(q, p, w),
    ("bigram", "the other branch of e"): lambda p, q, w: reduced_bigram(p, q, w, -1),
}
MUTATIONS = [
    *[(tying, kind, name, *formula)
      for (kind, name), formula in OF_FULL.items() for tying in ("tied", "untied")],
    *[("reduced", kind, name, REDUCED[kind], formula)
      for (kind, name), formula in OF_REDUCED.items()],
]  # fmt: skip
# e -> -e turns the ae block round and leaves the other blocks: the sign shows in a tied model only,
# which in turn has nothing of J but J + J^T
INVISIBLE = {("untied", "-lambda^k"), ("tied", "J transposed")}


@pytest.mark.parametrize(("tying", "kind", "mutation", "where", "formula"), MUTATIONS)
def test_a_mutated_formula_is_refuted(
    tying: str, kind: str, mutation: str, where: str, formula: Formula, monkeypatch: Any
) -> None:
    w = None if (kind, tying) in (("unigram", "tied"), ("unigram", "untied")) else 0.4
    given = chain_point(kind, tying, w=w)
    assert compare(*given).verdict == "verified"
    monkeypatch.setattr(where, formula)
    report = compare(*given)
    visible = (tying, mutation) not in INVISIBLE
    assert report.verdict == ("refuted" if visible else "verified")
    assert (verdicts(report)["spectrum"] == "refuted") == visible
    if where == STATES:
        assert verdicts(report)["inertia"] == "refuted"


@pytest.mark.parametrize("tying", ["tied", "untied"])
def test_p_and_q_exchanged_are_refuted_at_the_unigram_point(
    tying: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, objective, point, spectrum = chain_point("unigram", tying)
    assert isinstance(objective.source, BinaryMarkov)
    # H_u, pi0 pi1 and lambda are symmetric in (p, q): only the point itself can tell
    exchanged = BinaryMarkov(objective.source.q, objective.source.p)
    other = ExactLoss(exchanged, objective.length)
    assert compare(model, other, point, spectrum).verdict == "verified"
    monkeypatch.setattr(BinaryMarkov, "log_odds", exchanged.log_odds)
    found = verdicts(compare(*chain_point("unigram", tying)))
    assert found["loss"] == found["gradient"] == found["spectrum"] == "refuted"
