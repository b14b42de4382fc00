"""Where the Jacobian does not exist, or nothing can be said: relus at 0 and singular matrices."""

import numpy as np

from tests.twins.certified_points import BOX, no_weights, random_weights
from theory.certificates.plane import certify_plane
from theory.certificates.unigram import Certificate, certify_unigram
from theory.checker.check import check


def at_a_kink(weights: dict[str, np.ndarray]) -> Certificate:
    return certify_unigram(weights, p=0.5, q=0.8, tying="tied")


def test_a_relu_at_its_kink_is_not_applicable_unless_nothing_leaves_it() -> None:
    weights = random_weights(0)
    weights["hidden_in"][3] = 0
    found = at_a_kink(weights)
    assert found.status == "not-applicable" and found.word is None
    assert "hidden unit 3 at position 0 is exactly 0" in found.reason
    assert not check(found.to_json())
    assert "claims nothing" in check(found.to_json()).reason
    plane = certify_plane(weights, "tied", BOX)
    assert plane.status == "not-applicable" and plane.decided_fraction == 0
    assert "hidden unit 3" in plane.left()[0]
    weights["hidden_out"][:, 3] = 0
    assert at_a_kink(weights).status == "decided"
    # a pre-activation that vanishes through the weights of several layers
    weights = {**random_weights(0), "value": np.zeros((4, 4))}
    weights["positions"][2] = 0
    assert "position 2 is exactly 0" in at_a_kink(weights).reason


def test_a_pre_activation_that_no_precision_separates_from_zero_is_undecided() -> None:
    weights = random_weights(0, width=2, length=2)
    # v_0 = v_1 = (1, 1), so that y_1 = (3/2, 3/2) but for the softmax's rounding
    weights |= {"value": np.ones((2, 2)), "output": np.eye(2)}
    weights["positions"][:] = [[1, 0], [0.5, 0.5]]
    weights["hidden_in"][5] = [1, -1]
    found = at_a_kink(weights)
    assert found.status == "undecided"
    assert "hidden unit 5 at position 1 is not separated from 0" in found.reason
    weights["hidden_in"][5] = [1, -1 + 2**-40]
    assert at_a_kink(weights).status == "decided"


def test_a_singular_matrix_is_never_called_zero() -> None:
    weights = {**no_weights(), "output": -np.eye(2), "value": np.eye(2)}
    # N = 1: attention is the identity, so that z = 0 and J = 0 whatever p and q are
    weights["positions"] = np.zeros((1, 2))
    assert at_a_kink(weights).status == "undecided"
    plane = certify_plane(weights, "tied", BOX)
    assert plane.status == "undecided" and plane.decided_fraction == 0
    assert len(plane.undecided) == 1
