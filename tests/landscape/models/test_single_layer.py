import math
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import torch

from landscape.models import ReducedModel, SingleLayer
from landscape.models.ansatz import ansatz
from landscape.models.parameters import call
from tests.check_values import agrees
from tests.laws.models import Weights, largest_error, tensors
from tests.twins.single_layer import naive_logits, random_weights, sequences, shapes


def test_context_logits_agree_with_50_digits_where_scores_are_large() -> None:
    # Next to exp(17) a table of differences between the symbols has one digit left of exp(-17):
    # after contexts without the high symbol its answer is noise.
    weights = large_score_weights(17)
    model = SingleLayer(width=4, length=5)
    logits = call(model, tensors(weights), "context_logits", 5)[:, 1]
    truth = precise_context_logits(weights, 5)
    # scores of 17 lose 17 eps; logits are of order 1
    assert largest_error(logits, truth) < 1e-14
    assert float(np.abs(logits_by_differences(weights, 5) - truth).max()) > 1e-3


@pytest.mark.parametrize("score", [800, 1e4])
def test_context_logits_are_finite_where_exp_of_a_score_is_not(score: float) -> None:
    weights = large_score_weights(score)
    params = {name: value.requires_grad_() for name, value in tensors(weights).items()}
    model = SingleLayer(width=4, length=5)
    logits = call(model, params, "context_logits", 5)[:, 1]
    truth = precise_context_logits(weights, 5)
    assert largest_error(logits, truth) < 1e-15 * score  # off by eps of the score
    gradients = torch.autograd.grad(logits.sum(), list(params.values()))
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)
    with pytest.raises(OverflowError):
        math.exp(score)


def large_score_weights(score: float) -> Weights:
    """Key 0 scores +score and key 1 -score, for every query; the values tell the positions."""
    weights = random_weights(np.random.default_rng(3), shapes(4, 5), 0.3)
    weights["embedding"] = np.array([1.0, 0.0, 0.3, -0.2])
    weights["positions"][:, :2] = [-0.5, 1.0]
    weights["query"] = np.zeros((4, 4))
    weights["query"][0, 1] = 1.0
    weights["key"] = np.zeros((4, 4))
    weights["key"][0, 0] = -4.0 * score  # u[0] = +-1/2, divided by sqrt(d) = 2
    return weights


def precise_context_logits(weights: Weights, length: int) -> np.ndarray:
    with mpmath.workdps(50):
        exact = {k: np.vectorize(mpmath.mpf, otypes=[object])(v) for k, v in weights.items()}
        exponential = np.frompyfunc(mpmath.exp, 1, 1)
        rows = [naive_logits(exact, sequences(n), exponential)[:, -1] for n in range(1, length + 1)]
    return np.concatenate(rows).astype(np.float64)


def logits_by_differences(weights: Weights, length: int) -> np.ndarray:
    """Sums over keys as (all keys 0) + sum of x_i * (key 1 - key 0): linear, and cancelling."""
    e, positions, readout = weights["embedding"], weights["positions"], weights["embedding"]
    logits = []
    for n in range(1, length + 1):
        for path in sequences(n):
            u = [positions[:n], positions[:n] + e]
            query = weights["query"] @ (positions[n - 1] + path[-1] * e)
            terms = []
            for symbol in (0, 1):
                factor = np.exp(u[symbol] @ weights["key"].T @ query / 2)
                values = u[symbol] @ weights["value"].T @ weights["output"].T
                terms.append(factor[:, None] * np.column_stack([np.ones(n), values]))
            sums = terms[0].sum(axis=0) + path @ (terms[1] - terms[0])
            y = u[path[-1]][n - 1] + sums[1:] / sums[0]
            z = y + weights["hidden_out"] @ np.maximum(weights["hidden_in"] @ y, 0)
            logits.append(readout @ z + weights["bias"])
    return np.array(logits)


def test_context_preactivations_are_those_of_units_with_outgoing_weights() -> None:
    weights = random_weights(np.random.default_rng(4), shapes(2, 3, 5))
    weights["hidden_out"][:, [1, 3]] = 0
    model = SingleLayer(width=2, length=3, hidden=5)
    measured = call(model, tensors(weights), "context_preactivations", 3)
    assert measured.shape == (2 + 4 + 8, 3)
    # y is read off the loops as a logit: no feed-forward, and a row of W_1 as readout
    for column, unit in enumerate([0, 2, 4]):
        bare = weights | {"hidden_out": 0 * weights["hidden_out"], "bias": np.zeros(())}
        bare["readout"] = weights["hidden_in"][unit]
        rows = [naive_logits(bare, sequences(n))[:, -1] for n in (1, 2, 3)]
        expected = np.concatenate(rows)
        assert largest_error(measured[:, column], expected) < 1e-14  # sums of terms of order 1
        assert largest_error(measured[:, column], -expected) > 1e-2


def test_parameters_are_counted_as_published() -> None:
    model = SingleLayer(width=4, length=7)
    count = sum(value.numel() for value in model.parameters())
    assert agrees("bigram_parameters", count)
    assert agrees("bigram_parameters_without_output", count - model.output.numel())
    assert not agrees("bigram_parameters", count + 4)
    untied = SingleLayer(width=4, length=7, tying="untied")
    assert sum(value.numel() for value in untied.parameters()) == count + 4
    assert sum(value.numel() for value in ReducedModel().parameters()) == 3


COORDINATES = [
    (e, w, b) for e in (0.3, 1.0, 1.7) for w in (-1.2, -0.4, 0.0, 0.8) for b in (-1, 0.4)
]


def reduced_logit(e: float, w: float, b: float, x: int) -> float:
    return e**2 * (1 + 2 * w * abs(w)) * x + b - e**2 / 2


def mirrored_logit(e: float, w: float, b: float, x: int) -> float:
    return e**2 / 2 + b if x else b - e**2 * (0.5 + 2 * w * abs(w))


@pytest.mark.parametrize("tying", ["tied", "untied"])
@pytest.mark.parametrize(("width", "hidden"), [(1, 4), (4, 16), (3, 5), (6, 1)])
@pytest.mark.parametrize(("e", "w", "b"), COORDINATES)
def test_the_ansatz_is_the_reduced_model_and_its_mirror_image(
    tying: str, width: int, hidden: int, e: float, w: float, b: float
) -> None:
    tokens = torch.tensor([[0, 1, 1, 0, 1]])
    model = SingleLayer(width=width, hidden=hidden, length=5, tying=tying)
    reduced = ReducedModel()

    def worst(sign: int, formula: Callable[[float, float, float, int], float]) -> float:
        logits = call(model, ansatz(model, sign * e, w, float(b)), "forward", tokens)[..., 1]
        expected = np.array([[formula(sign * e, w, b, int(x)) for x in tokens[0]]])
        return largest_error(logits, expected)

    # 1/sqrt(d) and 1/sqrt(r) round; the terms reach 4 e^2 w^2
    allowed = 1e-15 * (1 + abs(b) + e**2 * (1 + 4 * w**2))
    assert worst(+1, reduced_logit) < allowed
    assert worst(-1, mirrored_logit) < allowed
    for sign in (+1, -1):
        logits = call(reduced, ansatz(reduced, sign * e, w, float(b)), "forward", tokens)[..., 1]
        expected = np.array([[reduced_logit(e, w, b, int(x)) for x in tokens[0]]])
        assert largest_error(logits, expected) < allowed
    if w != 0:
        assert worst(-1, reduced_logit) > 1e-2
        assert worst(+1, lambda e, w, b, x: reduced_logit(e, w / math.sqrt(2), b, x)) > 1e-2


@pytest.mark.parametrize("tying", ["tied", "untied"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_ansatz_is_rank_one_along_a_unit_vector_of_equal_entries(
    tying: str, dtype: torch.dtype
) -> None:
    d, r, e, w, b = 4, 9, -1.5, -0.8, 0.25
    model = SingleLayer(width=d, hidden=r, length=3, tying=tying, dtype=dtype)
    params = ansatz(model, e, w, b)
    shapes = {name: value.shape for name, value in model.named_parameters()}
    assert {name: value.shape for name, value in params.items()} == shapes
    assert {value.dtype for value in params.values()} == {dtype}
    alpha = params["embedding"].double() / e
    assert alpha.abs().tolist() == [0.5] * d
    ones = torch.ones(r, dtype=torch.float64)
    expected = {
        "embedding": e * alpha,
        "positions": torch.stack([-e / 2 * alpha] * 3),
        **dict.fromkeys(("query", "key", "value"), torch.zeros(d, d)),
        "output": torch.eye(d),
        "hidden_in": 2 * abs(w) / 3 * torch.outer(ones, alpha),
        "hidden_out": 2 * w / 3 * torch.outer(alpha, ones),
        "bias": torch.tensor(b),
    }
    if tying == "untied":
        expected["readout"] = e * alpha
    allowed = 2 * torch.finfo(dtype).eps  # two products
    errors = {name: (params[name] - expected[name]).abs().max() for name in expected}
    assert all(error < allowed for error in errors.values())
    assert (params["hidden_out"] + expected["hidden_out"]).abs().max() > 0.1
