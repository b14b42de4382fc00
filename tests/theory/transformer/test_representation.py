import mpmath
import numpy as np
import pytest

from tests.twins.ansatz_points import naive_jacobian, naive_representation, unigram_weights
from theory.transformer.representation import WEIGHTS, single_layer_representation


def draw(seed: int) -> dict[str, np.ndarray]:
    rng, size = np.random.default_rng(seed), {"width": 3, "hidden": 6, "length": 4}
    weights = unigram_weights(rng, p=0.5, q=0.5, tying="untied", **size)
    return {name: weights[name] for name in WEIGHTS}


@pytest.mark.parametrize("seed", range(5))
def test_representation_and_jacobian_are_those_of_the_naive_forward_pass(seed: int) -> None:
    weights = draw(seed)
    z, J = single_layer_representation(weights)
    assert np.abs(z - naive_representation(weights)).max() < 1e-14
    measured = naive_jacobian(weights)
    assert np.abs(J - measured).max() < 1e-14
    # without the derivative of the softmax the comparison fails
    frozen = single_layer_representation({**weights, "query": 0 * weights["query"]})[1]
    assert np.abs(frozen - measured).max() > 1e-2
    assert np.abs(J.swapaxes(-1, -2) - measured).max() > 1e-2
    assert np.abs(J.swapaxes(0, 1) - measured).max() > 1e-2


def test_fifty_digits_agree_with_float64() -> None:
    weights = draw(11)
    floats = single_layer_representation(weights)
    with mpmath.workdps(50):
        exact = np.frompyfunc(mpmath.mpf, 1, 1)
        digits = single_layer_representation({k: exact(v) for k, v in weights.items()})
        for rounded, full in zip(floats, digits, strict=True):
            assert full.dtype == object
            assert np.abs(rounded - full.astype(float)).max() < 1e-14
        # the digits are real: W_O and sqrt(d) were not rounded to float64 on the way
        z, _ = digits
        again, _ = single_layer_representation({k: exact(v) for k, v in weights.items()})
        assert (z == again).all()
    with mpmath.workdps(100):
        more, _ = single_layer_representation({k: exact(v) for k, v in weights.items()})
        error = max(abs(difference) for difference in (more - z).reshape(-1))
        assert error < mpmath.mpf(10) ** -47


def test_scores_of_thousands_select_one_key_and_overflow_nothing() -> None:
    """The softmax in its limit: h_n is the value of the key that scores highest."""
    weights = draw(3)
    weights["query"] = 1e5 * weights["query"]
    z, J = single_layer_representation(weights)
    u = weights["positions"]
    score = (u @ weights["query"].T) @ (u @ weights["key"].T).T
    score[np.triu_indices(len(u), 1)] = -np.inf
    assert np.abs(score[np.isfinite(score)]).max() > 1500

    def limit(chosen: np.ndarray) -> np.ndarray:
        y = u + u[chosen] @ weights["value"].T @ weights["output"].T
        hidden = np.maximum(y @ weights["hidden_in"].T, 0)
        return np.asarray(y + hidden @ weights["hidden_out"].T)

    chosen = score.argmax(axis=1)
    # the second highest scores less by tens: its share is below round-off
    assert np.abs(z - limit(chosen)).max() < 1e-13
    assert np.abs(z - limit(np.zeros_like(chosen))).max() > 1e-2  # the control: another key
    others = [J[n, i] for n, i in np.ndindex(len(u), len(u)) if i not in (n, chosen[n])]
    assert np.abs(others).max() < 1e-13


def test_a_unit_at_its_kink_counts_as_off() -> None:
    zero = np.zeros((2, 2))
    weights = dict(positions=np.array([[1.0, 0.0]]), query=zero, key=zero, value=zero, output=zero)
    weights |= dict(hidden_in=np.array([[0.0, 1.0]]), hidden_out=np.array([[0.5], [0.25]]))
    z, J = single_layer_representation(weights)
    assert z.tolist() == [[1.0, 0.0]] and J[0, 0].tolist() == np.eye(2).tolist()
    # the control: a little beyond, it is on
    _, on = single_layer_representation({**weights, "positions": np.array([[1.0, 1e-9]])})
    assert on[0, 0].tolist() == [[1.0, 0.5], [0.0, 1.25]]


def test_weights_that_do_not_fit_are_refused() -> None:
    weights = draw(0)
    with pytest.raises(ValueError, match="weights lacks output: give all of positions, query"):
        single_layer_representation({k: v for k, v in weights.items() if k != "output"})
    with pytest.raises(ValueError, match=r"weights\['hidden_out'\] has shape \(6, 3\)"):
        single_layer_representation({**weights, "hidden_out": weights["hidden_in"]})
