"""The unigram law for S symbols, against the whole Hessian of small networks.

They are written out in `tests.twins.small_networks`: no formula of `theory` is used to check one.
"""

from fractions import Fraction

import jaxtyping
import numpy as np
import pytest

from tests.twins.small_networks import Network, Weights, kernel, normed, plain
from theory.chain.kernel import chain_of
from theory.spectra.predicted_spectrum import PredictedSpectrum
from theory.spectra.states import (
    CLAIMED,
    contrasts,
    first_lag_criterion,
    gauge_nullity,
    states_spectrum,
)
from theory.spectra.universal_law import Tying, universal_block

STEP_ERROR = 2e-11  # see single_layer.hessian; slopes reach 10

CASES = {
    "tied": Network(plain, "tied", 2, 2, kernel(3)),
    "untied": Network(plain, "untied", 2, 2, kernel(3)),
    "tied, order 2": Network(plain, "tied", 1, 3, kernel(2, order=2)),
    "untied, order 2": Network(plain, "untied", 1, 3, kernel(2, order=2)),
    "tied, four symbols": Network(plain, "tied", 2, 2, kernel(4, seed=1)),
    "tied, normed": Network(normed, "tied", 3, 2, kernel(3)),
    "untied, normed": Network(normed, "untied", 3, 2, kernel(3)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_whole_hessian_is_the_block_and_zeros(name: str) -> None:
    network = CASES[name]
    weights = network.weights(seed=3)
    measured = network.hessian(weights)
    (z, J), C = network.slopes(weights), network.covariance()
    tying = network.tying

    def distance(z: np.ndarray, J: np.ndarray, C: np.ndarray) -> float:
        block = universal_block(z, J, C, tying=tying)
        return float(np.abs(measured - np.pad(block, (0, len(measured) - len(block)))).max())

    assert distance(z, J, C) < STEP_ERROR
    exact = chain_of(network.kernel.tolist(), length=network.length).covariance
    assert distance(z, J, exact) < STEP_ERROR
    assert np.abs(C - exact).max() < 1e-14
    # controls: what is nearly right is refused
    flipped = C.transpose(0, 2, 1)
    other = J.swapaxes(2, 3)
    if network.states > 2:
        assert distance(z, J, flipped) > 1e-4
    if network.width > 1:
        assert distance(z, other, C) > 1e-4
        assert (distance(z, other, flipped) < STEP_ERROR) is (tying == "tied")
    assert distance(2 * z, J, C) > 1e-3
    assert distance(z, J, np.concatenate([C[:1], C[:-1]])) > 1e-3
    if len(network.kernel) > network.states:
        pi = network.pi
        bigram = C[1] / pi[:, None] + pi
        powers = [
            np.diag(pi) @ np.linalg.matrix_power(bigram, k) - np.outer(pi, pi)
            for k in range(network.length + 1)
        ]
        assert np.abs(powers[1] - C[1]).max() < 1e-12
        assert distance(z, J, np.array(powers)) > 1e-4


def spectrum_of(
    network: Network,
    weights: Weights,
    silent: np.ndarray | None = None,
    redundant: np.ndarray | None = None,
) -> PredictedSpectrum:
    return states_spectrum(
        *network.slopes(weights),
        network.covariance(),
        tying=network.tying,
        parameters=sum(value.size for value in weights.values()),
        silent=silent,
        redundant=redundant,
    )


@pytest.mark.parametrize("name", CASES)
def test_all_eigenvalues_are_the_predicted_ones(name: str) -> None:
    network = CASES[name]
    weights = network.weights(seed=4)
    found = spectrum_of(network, weights)
    measured = np.linalg.eigvalsh(network.hessian(weights))
    assert np.abs(found.full() - measured).max() < STEP_ERROR
    assert (found.classification == "saddle") is bool(measured[0] < -STEP_ERROR)
    # the gauge is left out of the block, and nothing else
    S, d = network.states, network.width
    block = S * (1 + d) if network.tying == "tied" else S * (1 + 2 * d)
    assert len(found.eigenvalues) == block - gauge_nullity(d, tying=network.tying)


@pytest.mark.parametrize("tying", ["tied", "untied"])
def test_the_gauge_is_the_null_space_of_a_generic_block(tying: Tying) -> None:
    rng = np.random.default_rng(0)
    S, d, N = 4, 3, 5
    z, J = rng.normal(size=(N, d)), rng.normal(size=(N, N, d, d))
    J[np.triu_indices(N, 1)] = 0
    C = chain_of(kernel(S).tolist(), length=N).covariance
    block = universal_block(z, J, C, tying=tying)
    values = np.sort(np.abs(np.linalg.eigvalsh(block)))
    zeros = gauge_nullity(d, tying=tying)
    bound = len(block) * np.finfo(float).eps * values[-1]
    assert values[zeros - 1] <= bound  # exact zeros, to rounding
    assert values[zeros] > 1e3 * bound  # and no others
    gauge = np.kron(np.ones((S, 1)), np.eye(d))
    vectors = np.zeros((len(block), zeros))
    vectors[:S, 0] = 1
    vectors[S : S + S * d, 1 : 1 + d] = gauge
    if tying == "untied":
        vectors[S + S * d :, 1 + d :] = gauge
    assert np.abs(block @ vectors).max() < 1e-14
    # control: a covariance whose rows do not sum to 0 has no such null space
    broken = C + 0.01
    assert np.abs(universal_block(z, J, broken, tying=tying) @ vectors).max() > 1e-3


@pytest.mark.parametrize("gain", ["any", "equal"])
@pytest.mark.parametrize("tying", ["tied", "untied"])
def test_the_symmetries_of_layer_norm_are_exact_zeros(tying: Tying, gain: str) -> None:
    network = Network(normed, tying, 3, 2, kernel(3))
    weights = network.weights(seed=5)
    if gain == "equal":
        weights["g"] = np.full(3, 1.3)
    ones = np.ones((3, 1))
    reading = np.concatenate([[-(weights["c"] / weights["g"]).sum()], 1 / weights["g"]])[:, None]
    blind = spectrum_of(network, weights)
    found = spectrum_of(network, weights, silent=ones, redundant=reading)
    # two contrasts of the three symbols; tied, a direction must be unread and unseen at once
    extra = 2 * 2 if tying == "untied" else 2 * (gain == "equal")
    assert len(blind.eigenvalues) - len(found.eigenvalues) == extra
    assert np.abs(blind.full() - found.full()).max() < 1e-14
    assert found.zeros == found.parameters - len(found.eigenvalues)
    measured = np.linalg.eigvalsh(network.hessian(weights))
    assert np.abs(found.full() - measured).max() < STEP_ERROR
    assert int((np.abs(measured) < STEP_ERROR).sum()) == found.zeros
    # controls: a direction that is none is refused
    wrong = np.array([[1.0], [-1.0], [0.0]])
    with pytest.raises(ValueError, match="silent has a direction along which z moves"):
        spectrum_of(network, weights, silent=wrong)
    with pytest.raises(ValueError, match="redundant has"):
        spectrum_of(network, weights, redundant=np.vstack([[[0.5]], wrong]))


PAIR = chain_of(kernel(2).tolist(), length=2).covariance


def free(moves: float, varies: float, C: np.ndarray = PAIR, *, size: float = 1.0) -> int:
    """Eigenvalues where a second direction moves z, and varies in it, by a share of the first."""
    z = max(size, 1.0) * np.array([[1.0, 0.0], [2.0, varies]])  # beside the bias's 1
    J = size * np.einsum("ni,jk->nijk", np.eye(2), np.diag([1.0, moves]))
    unit, both = np.array([[0.0], [1.0]]), np.array([[0.0], [0.0], [1.0]])
    found = states_spectrum(z, J, C, tying="untied", parameters=20, silent=unit, redundant=both)
    return len(found.eigenvalues)


@pytest.mark.parametrize("size", [1e-12, 1.0, 1e6])
def test_what_vanishes_is_judged_by_the_size_of_what_does_not(size: float) -> None:
    # of 5 for one contrast: b, A and E
    assert free(0.0, 0.0, size=size) == free(1e-10, 1e-10, size=size) == 3
    with pytest.raises(ValueError, match="silent has a direction along which z moves"):
        free(1e-7, 0.0, size=size)
    with pytest.raises(ValueError, match="redundant has"):
        free(0.0, 1e-7, size=size)


def test_what_is_claimed_to_vanish_may_be_as_far_from_0_as_the_bound() -> None:
    # the largest entries are 1 and 2, and nothing is rounded
    assert free(CLAIMED, 2 * CLAIMED) == 3
    off = np.zeros_like(PAIR)
    off[1, 0, 0] = CLAIMED
    assert free(0.0, 0.0, off) == 3
    # a network that sees no input is silent along everything
    assert free(0.0, 0.0, size=0.0) == 3
    with pytest.raises(ValueError, match="silent has a direction along which z moves"):
        free(CLAIMED * (1 + 1e-15), 0.0)
    with pytest.raises(ValueError, match="redundant has"):
        free(0.0, 2 * CLAIMED * (1 + 1e-15))
    with pytest.raises(ValueError, match="covariance has a row or column"):
        free(0.0, 0.0, off * (1 + 1e-15))


def test_one_logit_and_two_logits_differ_by_a_factor_of_two() -> None:
    """With logits (l_0, l_1) only their difference counts: E_1 - E_0 is twice as far as e."""
    rng = np.random.default_rng(1)
    z, J = rng.normal(size=(3, 2)), rng.normal(size=(3, 3, 2, 2))
    J[np.triu_indices(3, 1)] = 0
    C = chain_of([[0.5, 0.5], [0.8, 0.2]], length=3).covariance
    heads = [
        states_spectrum(z, J, C, tying="tied", parameters=50, head=head).eigenvalues
        for head in ("softmax", "logit")
    ]
    assert np.abs(heads[0] - 2 * heads[1]).max() < 1e-14
    with pytest.raises(ValueError, match="a model of one logit has 2 symbols, and the covari"):
        three = chain_of(kernel(3).tolist(), length=3).covariance
        states_spectrum(z, J, three, tying="tied", parameters=50, head="logit")


# --- the criterion of S symbols -----------------------------------------------------------------


def switching(states: int, p: Fraction) -> list[list[Fraction]]:
    other = p / (states - 1)
    return [[1 - p if s == t else other for t in range(states)] for s in range(states)]


def without_weights(kernel: list[list[Fraction]] | list[list[float]]) -> PredictedSpectrum:
    """The tied point with J = I and z = 0, width 2 and length 3."""
    J = np.einsum("ni,jk->nijk", np.eye(3), np.eye(2))
    found = chain_of(kernel, length=3)
    return states_spectrum(
        np.zeros((3, 2)),
        J,
        found.covariance,
        tying="tied",
        parameters=100,
        degenerate=found.degenerate,
    )


@pytest.mark.parametrize("states", [2, 3, 4, 5, 7])
def test_the_switching_chain_turns_at_p_of_one_less_than_one_over_s(states: int) -> None:
    threshold = Fraction(states - 1, states)
    for nearness in (Fraction(1, 10), Fraction(1, 10**6), Fraction(1, 10**11)):
        below, above = (
            switching(states, threshold - nearness),
            switching(states, threshold + nearness),
        )
        assert without_weights(below).classification == "saddle"
        assert without_weights(above).classification == "local minimum"
        assert first_lag_criterion(chain_of(below, length=1).covariance[1]) == "saddle"
        assert first_lag_criterion(chain_of(above, length=1).covariance[1]) == "local minimum"
    at = switching(states, threshold)
    assert without_weights(at).classification == "degenerate"
    assert first_lag_criterion(chain_of(at, length=1).covariance[1]) == "undecided"
    # the eigenvalues in closed form: -2 C_1 = 2 (pS/(S-1) - 1)/S on each contrast, and 1/S
    p = threshold + Fraction(1, 10)
    expected = np.sort(
        [1 / states] * (states - 1) + [float(2 * (p / threshold - 1) / states)] * (2 * (states - 1))
    )
    assert np.abs(without_weights(switching(states, p)).eigenvalues - expected).max() < 1e-15


@pytest.mark.parametrize("seed", range(20))
def test_the_criterion_is_the_sign_of_the_symmetric_part_and_not_of_the_spectrum(seed: int) -> None:
    rows = kernel(3, seed=seed).tolist()
    found = chain_of(rows, length=1)
    C = found.covariance[1]
    rayleigh = [float(v @ C @ v) for v in _circle()]
    expected = "saddle" if max(rayleigh) > 0 else "local minimum"
    assert first_lag_criterion(C) == expected
    assert without_weights(rows).classification == expected


def _circle() -> np.ndarray:
    """Many unit vectors of R^3 whose entries sum to 0, without the contrasts of theory."""
    angle = np.linspace(0, np.pi, 2001)[:, None]
    first, second = np.array([1, -1, 0]) / 2**0.5, np.array([1, 1, -2]) / 6**0.5
    return np.asarray(np.cos(angle) * first + np.sin(angle) * second)


def test_a_rotating_chain_has_no_real_eigenvalue_to_decide_by() -> None:
    """Non-reversible: the eigenvalues of P say nothing, the symmetric part does."""
    turn = np.roll(np.eye(3), 1, axis=1)
    rows = (0.7 * turn + 0.1).tolist()  # eigenvalues .7 exp(+-2 pi i/3), real part -.35
    assert first_lag_criterion(chain_of(rows, length=1).covariance[1]) == "local minimum"
    kept = (0.7 * np.eye(3) + 0.1).tolist()
    assert first_lag_criterion(chain_of(kept, length=1).covariance[1]) == "saddle"


def test_a_lag_beyond_the_context_leaves_the_point_undecided() -> None:
    """C_1 = 0 of a lag-2 chain: with one symbol of context there is nothing to learn."""
    found = chain_of(switching(3, Fraction(9, 10)), length=1, lag=2)
    spectrum = states_spectrum(
        np.zeros((1, 2)), np.eye(2)[None, None], found.covariance, tying="tied", parameters=20
    )
    assert (spectrum.classification, spectrum.inertia) == ("undecided", (0, 18, 2))


def test_contrasts_are_orthonormal_and_sum_to_zero() -> None:
    for states in range(2, 9):
        Q = contrasts(states)
        assert np.abs(Q.T @ Q - np.eye(states - 1)).max() < 1e-15
        assert np.abs(Q.sum(axis=0)).max() < 1e-15


def test_bad_input_is_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    # the shape annotations would speak first
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    z, J = np.zeros((2, 1)), np.zeros((2, 2, 1, 1))
    C = chain_of(kernel(3).tolist(), length=2).covariance
    with pytest.raises(ValueError, match=r"covariance has a row or column that sums to 1\.0e-01"):
        states_spectrum(z, J, C + 0.1 / 3, tying="tied", parameters=20)
    # one row, or one column, of one lag
    rowless = C.copy()
    rowless[1] += np.array([[0.1, -0.1, 0.0], [-0.1, 0.1, 0.0], [0.1, -0.1, 0.0]])
    assert np.abs(rowless.sum(axis=2)).max() < 1e-15
    for wrong in (rowless, rowless.transpose(0, 2, 1)):
        with pytest.raises(ValueError, match=r"covariance has a row or column that sums to 1\.0e"):
            states_spectrum(z, J, wrong, tying="tied", parameters=20)
    with pytest.raises(ValueError, match="has 2 lags, but length 2 needs 3"):
        states_spectrum(z, J, C[:-1], tying="tied", parameters=20)
    with pytest.raises(ValueError, match="tying = 'both' is not known: choose 'tied' or 'untied'"):
        states_spectrum(z, J, C, tying="both", parameters=20)  # type: ignore[arg-type]  # the point
    ahead = J.copy()
    ahead[0, 1] = 1
    with pytest.raises(ValueError, match=r"J\[n, i\] is not 0 for some i > n"):
        universal_block(z, ahead, C, tying="untied")
    with pytest.raises(ValueError, match="parameters = 3 is less than the 4 eigenvalues"):
        states_spectrum(z, J, C, tying="tied", parameters=3)
