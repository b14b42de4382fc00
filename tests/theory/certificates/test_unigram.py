import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tests.twins.certified_points import (
    BOX,
    Digits,
    eigenvalues,
    fifty_digits,
    no_weights,
    random_weights,
    signs,
)
from tests.twins.single_layer import single_layer_hessian
from theory.certificates import signs as unigram_signs
from theory.certificates.plane import area, certify_plane
from theory.certificates.unigram import certify_unigram
from theory.checker.check import check, strip
from theory.spectra.universal_law import Tying


def valid(certificate: Any) -> bool:
    """Whether the checker accepts it after a round trip through JSON."""
    return bool(check(json.loads(json.dumps(certificate.to_json()))))


@pytest.mark.parametrize(("p", "q", "tying", "inertia", "word"), [
    (0.5, 0.8, "tied", (0, 0, 3), "local minimum"), (0.2, 0.3, "tied", (2, 0, 1), "saddle"),
    (0.5, 0.8, "untied", (2, 0, 3), "saddle"), (0.2, 0.3, "untied", (2, 0, 3), "saddle"),
])  # fmt: skip
def test_without_weights_the_signs_are_those_of_the_closed_form(
    p: float, q: float, tying: Tying, inertia: tuple[int, int, int], word: str
) -> None:
    """S = -2 lambda I tied, and [[0, -lambda I], [-lambda I, 0]] untied."""
    found = certify_unigram(no_weights(), p=p, q=q, tying=tying)
    assert (found.status, found.inertia, found.word) == ("decided", inertia, word)
    assert valid(found)


@pytest.mark.parametrize("tying", ["tied", "untied"])
@pytest.mark.parametrize("seed", range(2))
def test_the_certified_inertia_is_that_of_the_brute_force_hessian(tying: Tying, seed: int) -> None:
    weights = random_weights(seed, width=2, length=3)
    full = {**weights, "embedding": np.zeros(2)}
    if tying == "untied":
        full["readout"] = np.zeros(2)
    for p, q in ((0.2, 0.3), (0.9, 0.8)):
        full["bias"] = np.array(np.log(p / q))
        values = np.linalg.eigvalsh(single_layer_hessian(full, p=p, q=q, length=3))
        # every other eigenvalue is 0 up to the differences' error, 2e-11
        measured = int((values < -1e-8).sum()), int((values > 1e-8).sum())
        found = certify_unigram(weights, p=p, q=q, tying=tying)
        assert found.inertia == (measured[0], 0, measured[1])
        assert valid(found)


@pytest.mark.parametrize("tying", ["tied", "untied"])
@pytest.mark.parametrize("seed", range(2))
def test_the_plane_is_decided_as_fifty_digits_say(tying: Tying, seed: int) -> None:
    weights = random_weights(seed)
    plane = certify_plane(weights, tying, BOX)
    assert plane.decided_fraction > Fraction(999, 1000)
    assert valid(plane)
    known = fifty_digits(weights)
    rng = np.random.default_rng(seed)
    words, mirrored = set(), []
    for k in [0, -1, *rng.integers(0, len(plane.decided), 4)]:
        band = plane.decided[k]
        for share in (Fraction(0), Fraction(1, 3)):
            value = band.low + share * (band.high - band.low)
            inertia = signs(eigenvalues(known, value, tying))
            assert band.inertia in (None, inertia)
            assert band.word == ("saddle" if inertia[0] else "local minimum")
            words.add(band.word)
            mirrored.append(signs(eigenvalues(known, -value, tying)) == inertia)
    assert words == ({"saddle", "local minimum"} if tying == "tied" else {"saddle"})
    assert tying == "untied" or not all(mirrored)  # -lambda for lambda would be noticed
    left = [str(band) for band in plane.undecided]
    assert len(plane.left()) == len(left) + 1
    assert plane.left()[-1].startswith("p + q = 1: degenerate")
    for band in plane.undecided:
        ends = [signs(eigenvalues(known, x, tying))[0] for x in (band.low, band.high)]
        if "an eigenvalue changes sign here" in band.reason:
            assert (ends[0] == 0) != (ends[1] == 0)
        else:
            assert band.low < 0 < band.high  # untied: B(0) = 0
    assert any("p + q = " in text for text in left)


def test_the_areas_of_two_formulas_and_of_the_unit_square_agree() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        ends = [sorted(Fraction(int(k), 40) for k in rng.integers(0, 40, 2)) for _ in range(3)]
        (p0, p1), (q0, q1), (low, high) = ends
        low, high = 1 - 2 * high, 1 - 2 * low
        assert area(((p0, p1), (q0, q1)), low, high) == strip(p0, p1, q0, q1, low, high)
    unit = (Fraction(0), Fraction(1))
    assert area((unit, unit), Fraction(1, 2), Fraction(1)) == Fraction(1, 8)


def crossing(known: Digits, low: float, high: float) -> Fraction:
    """Where the lowest eigenvalue of the tied block vanishes, to 40 digits."""
    a, b = Fraction(low), Fraction(high)
    assert (eigenvalues(known, a, "tied")[0] < 0) != (eigenvalues(known, b, "tied")[0] < 0)
    for _ in range(135):
        middle = (a + b) / 2
        same = (eigenvalues(known, a, "tied")[0] < 0) == (eigenvalues(known, middle, "tied")[0] < 0)
        a, b = (middle, b) if same else (a, middle)
    return a


def test_the_precision_is_raised_where_float64_sees_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weights = random_weights(1, width=2, length=3)
    plane = certify_plane(weights, "tied", BOX)
    near = next(band for band in plane.undecided if "changes sign" in band.reason)
    root = crossing(fifty_digits(weights), float(near.low), float(near.high))
    found = []
    for side in (-1, 1):
        value = root + side * Fraction(1, 10**36)
        found.append(certify_unigram(weights, p=(1 - value) / 2, q=(1 - value) / 2, tying="tied"))
    assert {certificate.word for certificate in found} == {"local minimum", "saddle"}
    assert all(valid(certificate) for certificate in found)
    monkeypatch.setattr(unigram_signs, "PRECISIONS", (100,))
    coarse = certify_unigram(weights, p=found[0].p, q=found[0].q, tying="tied")
    assert (coarse.status, coarse.word, coarse.inertia) == ("undecided", None, None)
    assert coarse.reason == "an eigenvalue is not separated from 0 with 100 bits"


def test_independent_tokens_are_degenerate_as_written() -> None:
    found = certify_unigram(random_weights(0), p=0.7, q=0.3, tying="tied")
    assert (found.status, found.word, found.inertia) == ("degenerate", None, None)
    assert valid(found)
    # 0.1 + 0.2 + 0.7 is not 1 in floats: the decimals decide
    assert certify_unigram(no_weights(), p=0.30000000000000004, q=0.7, tying="tied").word == (
        "local minimum"
    )


def test_arguments_out_of_range_are_refused() -> None:
    weights = random_weights(0)
    with pytest.raises(ValueError, match=r"p = 1\.5 is outside the open interval"):
        certify_unigram(weights, p=1.5, q=0.5, tying="tied")
    with pytest.raises(
        ValueError, match=r"weights\['key'\] of dtype float64 is not made of finite"
    ):
        certify_unigram({**weights, "key": np.full((4, 4), np.nan)}, p=0.5, q=0.5, tying="tied")
    with pytest.raises(ValueError, match="weights lacks key"):
        certify_plane({k: v for k, v in weights.items() if k != "key"}, "tied", BOX)
    with pytest.raises(ValueError, match=r"box: q goes from 0\.5 to 0\.2, but must ascend"):
        certify_plane(weights, "tied", ((0.1, 0.2), (0.5, 0.2)))
    with pytest.raises(ValueError, match="min_width = 0 is not positive"):
        certify_plane(weights, "tied", BOX, min_width=0)
