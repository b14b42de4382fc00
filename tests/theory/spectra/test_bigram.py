import itertools
import math
from fractions import Fraction
from typing import Any

import jaxtyping
import numpy as np
import pytest

from tests.check_values import agrees
from tests.twins.ansatz_points import ansatz_weights, bigram_weights
from tests.twins.attended_chain import count_law as exact_law
from tests.twins.single_layer import naive_loss, path_probability, single_layer_hessian
from theory.chain.binary import entropy_rate
from theory.spectra.bigram import bigram_spectrum, count_law, second_moment
from theory.spectra.reduced import ansatz_bigram
from theory.spectra.universal_law import Tying
from theory.symbols import p as p_symbol, q as q_symbol

CHAINS = [
    (0.2, 0.3, 0.5),
    (0.2, 0.3, 0.0),
    (0.2, 0.4, -0.3),
    (0.2, 0.3, -0.5),  # 1 + 4w|w| = 0: on the firing token no gradient reaches the inputs
    (0.5, 0.8, -1.2),
]
# width, hidden, length, W_O = I
SHAPES = [(2, 3, 3, True), (1, 2, 4, True), (2, 1, 2, True), (3, 2, 1, True)]
SHAPES += [(2, 3, 2, False), (2, 1, 1, False)]


def hessian_and_score(
    tying: str, *, p: float, q: float, w: float, e_sign: int, output: bool = True, **size: int
) -> tuple[np.ndarray, float]:
    weights, score = bigram_weights(np.random.default_rng(1), p=p, q=q, w=w, e_sign=e_sign, **size)
    weights["output"] *= output
    if tying == "untied":
        weights["readout"] = weights["embedding"]
    return single_layer_hessian(weights, p=p, q=q, length=size["length"]), score


@pytest.mark.parametrize("tying", ["tied", "untied"])
@pytest.mark.parametrize("e_sign", [1, -1])
@pytest.mark.parametrize(("width", "hidden", "length", "output"), SHAPES)
@pytest.mark.parametrize(("p", "q", "w"), CHAINS)
def test_bigram_spectrum_is_that_of_the_enumerated_loss(
    p: float,
    q: float,
    w: float,
    width: int,
    hidden: int,
    length: int,
    output: bool,
    e_sign: int,
    tying: Tying,
) -> None:
    point: dict[str, Any] = {"p": p, "q": q, "w": w, "e_sign": e_sign, "output": output}
    point |= {"width": width, "hidden": hidden, "length": length}
    H, score = hessian_and_score(tying, **point)
    measured = np.linalg.eigvalsh(H)
    spectrum = bigram_spectrum(**point, tying=tying, attention_score=score)
    # see single_layer.hessian; gradients at w = -1.2 reach 10
    allowed = 2e-11
    assert spectrum.parameters == len(measured)
    assert np.abs(measured - spectrum.full()).max() < allowed
    # the rank: exactly as many eigenvalues stand out of the step error
    assert int((np.abs(measured) > 10 * allowed).sum()) == spectrum.inertia[2]


@pytest.mark.parametrize("tying", ["tied", "untied"])
@pytest.mark.parametrize("e_sign", [1, -1])
def test_mutated_bigram_formulas_are_refuted(tying: Tying, e_sign: int) -> None:
    chain: dict[str, Any] = {"p": 0.2, "q": 0.4, "w": 0.5}
    size: dict[str, Any] = {"width": 2, "hidden": 3, "length": 3}
    H, score = hessian_and_score(tying, **chain, e_sign=e_sign, **size)
    measured = np.linalg.eigvalsh(H)[-5:]
    e, w, _ = ansatz_bigram(**chain, e_sign=e_sign)

    def distance(**changes: Any) -> float:
        given = {"p": 0.2, "q": 0.4, "e": e, "w": w, "length": 3, "tying": tying}
        given |= {"attention_score": score, "output": True}
        moment = second_moment(**{**given, **changes})
        return float(np.abs(np.linalg.eigvalsh(moment)[-5:] - measured).max())

    assert distance() < 1e-10
    other = "tied" if tying == "untied" else "untied"
    mutations: list[dict[str, Any]] = [
        {"p": 0.4, "q": 0.2},
        {"e": -e},
        {"w": -w},
        {"w": w**2},
        {"tying": other},
        {"attention_score": -score},
        {"attention_score": 0.0},
        {"output": False},
        {"length": 4},
    ]
    for mutation in mutations:
        assert distance(**mutation) > 1e-4, mutation


@pytest.mark.parametrize("e_sign", [1, -1])
@pytest.mark.parametrize(("p", "q", "w"), CHAINS)
def test_the_ansatz_reaches_the_entropy_rate(p: float, q: float, w: float, e_sign: int) -> None:
    e, _, b = ansatz_bigram(p, q, w, e_sign)
    weights = ansatz_weights(e, w, b, width=3, hidden=5, length=4)
    weights |= dict(
        zip(("query", "key"), np.random.default_rng(2).normal(size=(2, 3, 3)), strict=True)
    )
    rate = float(entropy_rate().subs({p_symbol: p, q_symbol: q}))
    # 32 sequences, round-off of a few eps each
    assert abs(float(naive_loss(weights, p, q, 4)) - rate) < 1e-14
    weights["bias"] = np.array(b + 1e-3)
    assert float(naive_loss(weights, p, q, 4)) - rate > 1e-8


@pytest.mark.parametrize("tying", ["tied", "untied"])
def test_rank_and_parameters_are_the_published_ones(tying: Tying) -> None:
    spectrum = bigram_spectrum(p=0.2, q=0.3, w=0.5, width=4, hidden=16, length=7, tying=tying)
    readout = 4 if tying == "untied" else 0
    assert agrees("bigram_rank", spectrum.inertia[2])
    assert agrees("bigram_parameters", spectrum.parameters - readout)
    assert agrees("bigram_parameters_without_output", spectrum.parameters - readout - 4 * 4)
    assert spectrum.inertia == (0, spectrum.zeros, 9)
    blind = bigram_spectrum(
        p=0.2, q=0.3, w=0.5, width=4, hidden=16, length=7, tying=tying, output=False
    )
    assert blind.inertia[2] == 8
    assert not agrees("bigram_rank", blind.inertia[2])


def test_unless_told_otherwise_attention_is_uniform_and_goes_on_to_the_head() -> None:
    point: dict[str, Any] = {"p": 0.2, "q": 0.4, "w": 0.5, "tying": "tied"}
    point |= {"width": 2, "hidden": 2, "length": 4}

    def values(**given: Any) -> list[float]:
        found: list[float] = bigram_spectrum(**point, **given).eigenvalues.tolist()
        return found

    assert values() == values(attention_score=0.0, output=True, e_sign=1)
    for other in ({"attention_score": 1.0}, {"output": False}, {"e_sign": -1}):
        assert values() != values(**other)


@pytest.mark.parametrize("length", [1, 2, 5, 40])
def test_the_small_matrix_has_exactly_the_stated_rank(length: int) -> None:
    for output, expected in ((True, length + 2 if length > 1 else 2), (False, length + 1)):
        moment = second_moment(
            p=0.2,
            q=0.4,
            e=1.3,
            w=0.5,
            length=length,
            tying="untied",
            attention_score=0.7,
            output=output,
        )
        values = np.linalg.eigvalsh(moment)
        # a backward-stable solver: zeros below size * eps * norm
        assert int((values > len(values) * 2.0**-52 * values[-1]).sum()) == expected


@pytest.mark.parametrize("tying", ["tied", "untied"])
@pytest.mark.parametrize("e", [1.3, -0.8])
def test_the_small_matrix_is_a_mean_over_all_contexts(e: float, tying: Tying) -> None:
    """Entry by entry in the stated order, context by context, the softmax written out."""
    p, q, w, N, score = 0.2, 0.4, -0.6, 3, 0.7
    before = 1 if tying == "tied" else 2
    expected = np.zeros((before + N + 4, before + N + 4))
    for path in itertools.product((0, 1), repeat=N):
        for n in range(N):
            t, seen = path[n] - 0.5, np.array(path[: n + 1]) - 0.5
            attention = np.exp(e**2 * t * seen * score)
            m = float(attention @ seen / attention.sum())
            F = float(e * t > 0)
            K = 1 + 4 * w * abs(w) * F
            g = np.zeros(len(expected))
            g[0], g[1] = 1, path[n] * e * K
            g[before] += e * t * K
            g[before + 1 + n] = e * K
            g[-3:] = e**2 * K * m, 2 * abs(w) * e**2 * t * F, 2 * w * e**2 * t * F
            r = (p, 1 - q)[path[n]]
            expected += float(path_probability(path, p, q)) * r * (1 - r) * np.outer(g, g) / N
    given: dict[str, Any] = {"p": p, "q": q, "e": e, "w": w, "length": N, "tying": tying}
    moment = second_moment(**given, attention_score=score, output=True)
    assert moment.shape == expected.shape
    assert np.abs(moment - expected).max() < 1e-15
    other = second_moment(**given, attention_score=-score, output=True)
    assert np.abs(other - expected).max() > 1e-3


@pytest.mark.parametrize("length", range(1, 6))
def test_count_law_is_that_of_enumerated_sequences(length: int) -> None:
    p, q, law = Fraction(1, 5), Fraction(7, 10), np.zeros((2, length + 1))
    for place, weight in exact_law((p, q), length).items():
        law[place] = float(weight)
    assert np.abs(count_law(0.2, 0.7, length) - law).max() < 1e-16 * 2**length
    assert np.abs(count_law(0.7, 0.2, length) - law).max() > 1e-2


def test_a_saturated_attention_does_not_overflow() -> None:
    for score in (5000.0, -5000.0):
        spectrum = bigram_spectrum(
            p=0.2, q=0.3, w=0.5, width=2, hidden=2, length=6, tying="tied", attention_score=score
        )
        assert np.isfinite(spectrum.eigenvalues).all()


@pytest.mark.parametrize(("change", "message"), [
    ({"length": 0}, "length = 0 is out of range: give an integer of at least 1"),
    ({"tying": "both"}, "tying = 'both' is not known: choose 'tied' or 'untied'"),
    ({"e_sign": 0}, "e_sign = 0 is not a branch: choose 1"),
    ({"w": -1.2}, r"w = -1.2 has no bigram point at p = 0.2, q = 0.3: choose w > -1/sqrt\(2\)"),
    ({"q": 0.8}, r"have p \+ q = 1: the tokens are independent"),
    ({"q": 0.9}, r"choose w < -1/sqrt\(2\) = -0.7071, such as w = -1.2"),
    ({"p": math.nan}, "p = nan is not a finite number"),
    ({"w": math.inf}, "w = inf is not a finite number"),
    ({"positions": 1}, "positions = 1 is out of range: give at least length = 2"),
])  # fmt: skip
def test_bad_input_is_refused_with_a_remedy(
    change: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the annotation of `tying` would speak first
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    given: dict[str, Any] = {"p": 0.2, "q": 0.3, "w": 0.5, "width": 2, "hidden": 2, "length": 2}
    with pytest.raises(ValueError, match=message):
        bigram_spectrum(**{"tying": "tied", **given, **change})
