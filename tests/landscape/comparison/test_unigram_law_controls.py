"""Each formula of the universal unigram law, mutated, is refuted by the measured spectrum.

Theory is given another covariance or another network than those of the source and the model.
"""

import dataclasses
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

import landscape.comparison.unigram_law
from landscape.models.representation import representation
from landscape.sources import SwitchingMarkov
from landscape.spectra.spectrum import Spectrum
from tests.landscape.comparison.judged import verdicts
from tests.landscape.comparison.unigram_cases import Case, both_tyings, source_of, ternary
from theory.chain.kernel import Chain, chain_of


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
