"""What the universal unigram law derives from a source, is told by it, or leaves unsaid of it."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from landscape.comparison.spectra import compare, predict
from landscape.comparison.unigram_law import MOST_CONTEXTS, source_numbers
from landscape.models import GPT
from landscape.objectives.exact import ExactLoss
from landscape.sources import InContext, Markov, OrderKMarkov, SampledSource, SwitchingMarkov
from tests.landscape.comparison.judged import verdicts
from tests.landscape.comparison.unigram_cases import STARTED, at_unigram, method, ternary
from tests.twins.sources import random_rows


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
