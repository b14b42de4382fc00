import math
from decimal import Decimal

import jaxtyping
import mpmath
import numpy as np
import pytest

from tests.check_values import agrees
from tests.twins.ansatz_points import ansatz_weights, unigram_weights
from tests.twins.single_layer import (
    flatten,
    head_first,
    naive_loss,
    single_layer_hessian,
    unflatten,
)  # fmt: skip
from theory.chain.binary import autocovariance
from theory.exact import Number, probability
from theory.spectra.predicted_spectrum import PredictedSpectrum
from theory.spectra.reduced import reduced_unigram_spectrum
from theory.spectra.states import states_spectrum
from theory.spectra.universal_law import Tying, lag_covariances, universal_block
from theory.symbols import p as p_symbol, q as q_symbol
from theory.transformer.representation import single_layer_representation

# see single_layer.hessian; representations reach 10, so round-off reaches 1e-11
STEP_ERROR = 2e-11
CASES = [
    ("tied", 0.5, 0.8, 2, 4, 3),
    ("tied", 0.2, 0.3, 3, 2, 2),
    ("tied", 0.9, 0.9, 1, 3, 4),
    ("tied", 0.3, 0.7, 2, 3, 3),
    ("untied", 0.5, 0.8, 2, 4, 3),
    ("untied", 0.2, 0.3, 3, 2, 2),
    ("untied", 0.3, 0.7, 2, 3, 3),
]


def unigram_block(z: np.ndarray, J: np.ndarray, C: np.ndarray, *, tying: Tying) -> np.ndarray:
    """The block of one logit, which tells the symbols apart by whether they are 1."""
    return universal_block(z, J, C[:, 1:, 1:], tying=tying)


def spectrum_at(
    z: np.ndarray, J: np.ndarray, *, p: Number, q: Number, tying: Tying, parameters: int
) -> PredictedSpectrum:
    """The spectrum at the unigram point of one logit on the binary chain."""
    return states_spectrum(
        z,
        J,
        lag_covariances(p=p, q=q, length=len(z)),
        tying=tying,
        parameters=parameters,
        head="logit",
        degenerate=probability("p", p) + probability("q", q) == 1,
    )


def by_loops(z: np.ndarray, J: np.ndarray, p: float, q: float, tying: Tying) -> np.ndarray:
    """The block of *Attention with Markov*, from sums over pairs of positions."""
    N, d = z.shape
    c = p * q / (p + q) ** 2
    T, second = np.zeros((d, d)), np.zeros((d, d))
    for n in range(N):
        second += np.outer(z[n], z[n]) / N
        for i in range(n + 1):
            T += c * (1 - p - q) ** (n + 1 - i) * J[n, i] / N
    mean = c * z.sum(axis=0)[None] / N
    if tying == "tied":
        return np.block([[np.array([[c]]), mean], [mean.T, c * second - T - T.T]])
    zero = np.zeros((d, d))
    rows = [[np.array([[c]]), mean, 0 * mean], [mean.T, c * second, -T], [0 * mean.T, -T.T, zero]]
    return np.block(rows)


@pytest.mark.parametrize("seed", range(40))
def test_one_logit_on_the_binary_chain_is_the_papers_block(seed: int) -> None:
    rng = np.random.default_rng(seed)
    N, d = rng.integers(1, 6, 2)
    tying: Tying = "untied" if seed % 2 else "tied"
    z, J = rng.normal(size=(N, d)), rng.normal(size=(N, N, d, d))
    J[np.triu_indices(N, 1)] = 0
    p, q = rng.uniform(0.02, 0.98, 2)
    found = spectrum_at(z, J, p=p, q=q, tying=tying, parameters=100)
    exact = np.linalg.eigvalsh(by_loops(z, J, p, q, tying))
    bound = 1e-13 * max(1.0, float(np.abs(exact).max()))  # a few roundings a term
    assert np.abs(found.eigenvalues - exact).max() < bound
    assert found.classification == ("saddle" if exact[0] < 0 else "local minimum")
    other = np.linalg.eigvalsh(by_loops(z, J, p + 1e-6, q, tying))  # the control: another chain
    assert np.abs(found.eigenvalues - other).max() > bound


@pytest.mark.parametrize(("tying", "p", "q", "width", "hidden", "length"), CASES)
@pytest.mark.parametrize("seed", range(3))
def test_the_whole_hessian_at_the_unigram_point_is_the_block_and_zeros(
    tying: Tying, p: float, q: float, width: int, hidden: int, length: int, seed: int
) -> None:
    size = {"width": width, "hidden": hidden, "length": length}
    weights = unigram_weights(np.random.default_rng(seed), p=p, q=q, tying=tying, **size)
    measured = single_layer_hessian(weights, p=p, q=q, length=length)
    z, J = single_layer_representation(weights)
    covariance = lag_covariances(p=p, q=q, length=length)

    def distance(block: np.ndarray) -> float:
        return float(np.abs(measured - np.pad(block, (0, len(measured) - len(block)))).max())

    assert distance(unigram_block(z, J, covariance, tying=tying)) < STEP_ERROR
    spectrum = spectrum_at(z, J, p=p, q=q, tying=tying, parameters=len(measured))
    assert np.abs(np.linalg.eigvalsh(measured) - spectrum.full()).max() < STEP_ERROR

    # controls: each wrong formula is refuted by the comparison above
    assert distance(unigram_block(z, J, 2 * covariance, tying=tying)) > 1e-3
    assert distance(unigram_block(2 * z, J, covariance, tying=tying)) > 1e-3
    if p + q != 1:
        flipped = np.concatenate([covariance[:1], -covariance[1:]])
        assert distance(unigram_block(z, J, flipped, tying=tying)) > 1e-3
        earlier = np.concatenate([covariance[:1], covariance[:-1]])
        assert distance(unigram_block(z, J, earlier, tying=tying)) > 1e-3
        uniform = np.concatenate([covariance[:1], np.repeat(covariance[1:2], length, axis=0)])
        assert distance(unigram_block(z, J, uniform, tying=tying)) > 1e-4
    if p + q != 1 and tying == "untied":  # tied, J and its transpose enter together
        transposed = unigram_block(z, J.swapaxes(-1, -2), covariance, tying=tying)
        assert distance(transposed) > 1e-4


@pytest.mark.parametrize("tying", ["tied", "untied"])
def test_curvature_along_a_random_direction_with_fifty_digits(tying: Tying) -> None:
    """Second differences in mpmath: no step error above 1e-20, so the float64 block is tested."""
    size = {"width": 3, "hidden": 4, "length": 3}
    rng = np.random.default_rng(5)
    weights = unigram_weights(rng, p=0.5, q=0.75, tying=tying, **size)
    layout = head_first(weights)
    direction = rng.normal(size=len(flatten(weights, layout)))
    with mpmath.workdps(60):
        exact = np.frompyfunc(mpmath.mpf, 1, 1)
        theta, v = exact(flatten(weights, layout)), exact(direction)
        theta[0] = mpmath.log(mpmath.mpf(2) / 3)  # the bias, to all digits

        def loss(step: mpmath.mpf) -> mpmath.mpf:
            moved = unflatten(theta + step * v, layout)
            return naive_loss(moved, mpmath.mpf("0.5"), mpmath.mpf("0.75"), 3)

        h = mpmath.mpf(10) ** -15
        measured = float((loss(h) - 2 * loss(mpmath.mpf(0)) + loss(-h)) / h**2)
        z, J = single_layer_representation(unflatten(theta, layout))
    block = unigram_block(
        z.astype(float), J.astype(float), lag_covariances(p=0.5, q=0.75, length=3), tying=tying
    )
    predicted = direction[: len(block)] @ block @ direction[: len(block)]
    # a quadratic form of at most 49 float64 terms of order 1
    assert abs(predicted - measured) < 1e-14
    assert abs(predicted * (1 + 1e-10) - measured) > 1e-12


@pytest.mark.parametrize(("p", "q", "bias_key", "embedding_key"), [
    (0.5, 0.8, "unigram_bias_50_80", "unigram_embedding_50_80"),
    (0.2, 0.3, "unigram_bias_20_30", "unigram_embedding_20_30"),
    (0.9, 0.9, "unigram_bias_90_90", "unigram_embedding_90_90"),
])  # fmt: skip
def test_without_weights_the_spectrum_is_the_published_one(
    p: float, q: float, bias_key: str, embedding_key: str
) -> None:
    d, N = 4, 6
    J = np.einsum("ni,jk->nijk", np.eye(N), np.eye(d))
    spectrum = spectrum_at(np.zeros((N, d)), J, p=p, q=q, tying="tied", parameters=221)
    values = spectrum.eigenvalues
    bias = p * q / (p + q) ** 2
    rest = np.delete(values, np.abs(values - bias).argmin())
    assert agrees(bias_key, bias)
    assert all(agrees(embedding_key, float(value)) for value in rest)
    assert not agrees(embedding_key, -float(rest[0]))
    assert spectrum.classification == ("local minimum" if p + q > 1 else "saddle")
    assert spectrum.inertia == ((0, 216, 5) if p + q > 1 else (4, 216, 1))


def test_untied_the_published_point_is_a_saddle() -> None:
    d, N = 4, 6
    J = np.einsum("ni,jk->nijk", np.eye(N), np.eye(d))
    spectrum = spectrum_at(np.zeros((N, d)), J, p=0.5, q=0.8, tying="untied", parameters=225)
    values = spectrum.eigenvalues
    assert all(agrees("unigram_untied_50_80", -float(value)) for value in values[:d])
    assert all(agrees("unigram_untied_50_80", float(value)) for value in values[d : 2 * d])
    assert agrees("unigram_bias_50_80", float(values[-1]))
    assert (spectrum.inertia, spectrum.classification) == ((4, 216, 5), "saddle")


@pytest.mark.parametrize("tying", ["tied", "untied"])
@pytest.mark.parametrize(("p", "q"), [(0.1, 0.9), (0.7, 0.3), (Decimal("0.35"), Decimal("0.65"))])
def test_independent_tokens_are_degenerate(tying: Tying, p: float, q: float) -> None:
    weights = unigram_weights(
        np.random.default_rng(0), p=0.5, q=0.5, width=3, hidden=4, length=5, tying=tying
    )
    z, J = single_layer_representation(weights)
    spectrum = spectrum_at(z, J, p=p, q=q, tying=tying, parameters=200)
    # what is left of the block is the covariance of (1, z), of rank 1 + width
    assert (spectrum.inertia, spectrum.classification) == ((0, 196, 4), "degenerate")
    near = spectrum_at(z, J, p=p, q=float(q) + 1e-6, tying=tying, parameters=200)
    assert near.classification != "degenerate"


def test_kink_the_full_curvature_differs_from_the_reduced_one_and_between_sides() -> None:
    p, q, w = 0.5, 0.8, -2.0
    alpha = np.array([[1.0]])
    curvature = {}
    for name, slope in (("firing", 1 + 4 * w * abs(w)), ("silent", 1.0)):
        J = np.einsum("ni,jk->nijk", np.eye(3), slope * alpha)
        block = unigram_block(
            np.zeros((3, 1)), J, lag_covariances(p=p, q=q, length=3), tying="tied"
        )
        curvature[name] = float(block[1, 1])
    reduced = float(reduced_unigram_spectrum(p, q, w).eigenvalues[0])
    assert agrees("kink_curvature_firing", curvature["firing"])
    assert agrees("kink_curvature_silent", curvature["silent"])
    assert agrees("kink_reduced_curvature", reduced)
    assert not agrees("kink_reduced_curvature", curvature["firing"])

    # one-sided second differences of the enumerated loss along the embedding, positions 0
    weights = ansatz_weights(0.0, w, math.log(p / q), width=1, hidden=2, length=3)

    def loss(e: float) -> float:
        return float(naive_loss({**weights, "embedding": np.array([e])}, p, q, 3))

    h = 1e-3
    for side, name in ((1, "firing"), (-1, "silent")):
        # the slope at 0 vanishes on both sides; the quotient errs by h^2 of the fourth derivative
        coarse, fine = (2 * (loss(side * x) - loss(0.0)) / x**2 for x in (h, h / 2))
        assert abs((4 * fine - coarse) / 3 - curvature[name]) < 1e-7
        assert abs((4 * fine - coarse) / 3 - reduced) > 0.5


def test_lag_covariances_are_the_symbolic_ones() -> None:
    matrices = lag_covariances(p=0.2, q=0.7, length=5)
    values = matrices[:, 1, 1]
    assert (matrices == values[:, None, None] * np.array([[1, -1], [-1, 1]])).all()
    for lag, value in enumerate(values):
        exact = float(autocovariance(lag).subs({p_symbol: 0.2, q_symbol: 0.7}))
        assert abs(value - exact) < 1e-16
        assert abs(-value - exact) > 1e-7


def test_bad_input_is_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    # the shape annotations would speak first
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    z, J, covariance = np.zeros((2, 1)), np.zeros((2, 2, 1, 1)), np.ones((3, 2, 2))
    with pytest.raises(ValueError, match=r"J has shape \(2, 2, 2, 2\), but z of shape \(2, 1\)"):
        unigram_block(z, np.zeros((2, 2, 2, 2)), covariance, tying="tied")
    with pytest.raises(ValueError, match=r"p = 1.2 is outside the open interval \(0, 1\)"):
        spectrum_at(z, J, p=1.2, q=0.5, tying="tied", parameters=5)
