"""Gradients, products and Hessians against plain numpy: imaginary steps, no autograd."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from landscape.models import ReducedModel, SingleLayer
from landscape.models.initial import gaussian
from landscape.models.parameters import Coordinates, in_float64, parameters_of
from landscape.objectives.exact import ExactLoss
from landscape.sources import BinaryMarkov
from landscape.spectra.operators import FEW, dense_hessian, gradient, hessian_products
from tests.twins.single_layer import arrays, naive_gradient, naive_hessian_product, naive_loss

P, Q = 0.5, 0.8
# 2 eps/step of gradients near 1 and (1e-3)^6/140 of a seventh derivative: 1e-12, with room for ten
STEP_ERROR = 1e-11


@dataclass(frozen=True)
class Case:
    """A model at random weights, which numpy sees as arrays."""

    model: SingleLayer
    params: dict[str, Tensor]

    @property
    def at(self) -> tuple[SingleLayer, ExactLoss, dict[str, Tensor]]:
        return self.model, ExactLoss(BinaryMarkov(P, Q), self.model.length), self.params

    def naive_gradient(self, p: float = P) -> np.ndarray:
        return naive_gradient(arrays(self.params), p, Q, self.model.length)

    def naive_product(self, v: Tensor) -> np.ndarray:
        direction = arrays(Coordinates.of(self.params).params(v))
        return naive_hessian_product(arrays(self.params), direction, P, Q, self.model.length)


def case(tying: str, width: int, hidden: int, length: int, deviation: float) -> Case:
    model = SingleLayer(width=width, hidden=hidden, length=length, tying=tying)
    return Case(model, gaussian(model, deviation, 5))


CASES = [
    case("tied", 2, 3, 3, 0.5), case("untied", 2, 3, 3, 0.5), case("tied", 1, 4, 4, 1.0),
    case("untied", 3, 2, 2, 1.0),
]  # fmt: skip


@pytest.mark.parametrize("given", CASES)
def test_the_gradient_is_that_of_imaginary_steps(given: Case) -> None:
    slope, value = gradient(*given.at)
    # imaginary steps neither subtract nor truncate: 2^(N+1) terms of a few roundings each
    assert np.abs(slope.numpy() - given.naive_gradient()).max() < 1e-14
    assert abs(value - naive_loss(arrays(given.params), P, Q, given.model.length)) < 1e-14
    # control: a billionth more of p is seen
    assert np.abs(slope.numpy() - given.naive_gradient(P + 1e-9)).max() > 1e-14


@pytest.mark.parametrize("count", [FEW - 1, FEW + 1])  # one by one, and in a batch
@pytest.mark.parametrize("given", CASES)
def test_hessian_products_are_differences_of_gradients(given: Case, count: int) -> None:
    size = Coordinates.of(given.params).size
    rows = torch.from_numpy(np.random.default_rng(1).normal(size=(count, size)))
    products = hessian_products(*given.at, rows)
    for v, product in zip(rows, products, strict=True):
        naive = given.naive_product(v)
        assert np.abs(product.numpy() - naive).max() < STEP_ERROR * v.norm().item()
        # control: another direction's product
        assert np.abs(products.roll(1, 0).numpy() - naive).max() > 1e-3


@pytest.mark.parametrize("given", CASES[:2])
def test_the_dense_hessian_is_symmetric_and_that_of_numpy(given: Case) -> None:
    H = dense_hessian(*given.at)
    assert torch.equal(H, H.T)
    for index in range(0, len(H), 5):
        row = given.naive_product(torch.eye(len(H), dtype=torch.float64)[index])
        assert np.abs(H[index].numpy() - row).max() < STEP_ERROR
        if row.any():  # control: row and column of another parameter; a dead relu unit has none
            assert np.abs(H.roll(1, 0)[index].numpy() - row).max() > 1e-6


class Steady:
    """A loss that is linear in x and knows nothing of y."""

    length = 1

    def __call__(self, model: torch.nn.Module, params: Mapping[str, Tensor]) -> Tensor:
        return 3 * params["x"].sum()


def test_a_linear_loss_has_no_curvature() -> None:
    params = {name: torch.ones(3, dtype=torch.float64) for name in "xy"}
    slope, value = gradient(torch.nn.Module(), Steady(), params)
    assert slope.tolist() == [3.0] * 3 + [0.0] * 3 and value == 9
    for count in (1, 6):
        rows = torch.eye(6, dtype=torch.float64)[:count]
        assert not hessian_products(torch.nn.Module(), Steady(), params, rows).any()


@pytest.mark.parametrize("chunk", [1, 2, 7, None])
def test_the_products_do_not_depend_on_how_many_are_formed_at_once(chunk: int | None) -> None:
    whole = dense_hessian(*CASES[0].at)
    rows = torch.eye(len(whole), dtype=torch.float64)
    # batched kernels may sum in another order: a few eps of entries below 1
    assert (hessian_products(*CASES[0].at, rows, chunk=chunk) - whole).abs().max() < 1e-14


def test_the_hessian_of_the_reduced_model_is_the_second_derivative_of_its_formula() -> None:
    e, w, b = 0.7, -0.4, 0.2
    model, objective = ReducedModel(), ExactLoss(BinaryMarkov(P, Q), 2)
    params = {
        name: torch.tensor(x, dtype=torch.float64)
        for name, x in (("embedding", e), ("feedforward", w), ("bias", b))
    }
    # by hand: dL/df(x) = pi_x (sigmoid f(x) - r(x)) with r = (p, 1-q), and f's own derivatives
    pi, r = np.array([Q, P]) / (P + Q), np.array([P, 1 - Q])
    growth = 1 + 2 * w * abs(w)
    f = np.array([b - e**2 / 2, b - e**2 / 2 + e**2 * growth])
    g0 = np.array([-e, 0, 1])
    g1 = np.array([-e + 2 * e * growth, 4 * e**2 * abs(w), 1])
    bend0 = np.diag([-1.0, 0, 0])
    bend1 = bend0 + np.array(
        [[2 * growth, 8 * e * abs(w), 0], [8 * e * abs(w), 4 * e**2 * np.sign(w), 0], [0, 0, 0]]
    )
    s = 1 / (1 + np.exp(-f))
    rho, curvature = pi * (s - r), pi * s * (1 - s)
    expected = curvature[0] * np.outer(g0, g0) + curvature[1] * np.outer(g1, g1)
    bending = rho[0] * bend0 + rho[1] * bend1
    H = dense_hessian(model, objective, params).numpy()
    assert np.abs(H - expected - bending).max() < 1e-14
    assert np.abs(H - expected).max() > 1e-2  # control: Gauss-Newton alone, off the bigram set
    slope, _ = gradient(model, objective, params)
    assert np.abs(slope.numpy() - rho[0] * g0 - rho[1] * g1).max() < 1e-14


def test_coordinates_lay_out_parameters_and_back() -> None:
    params = CASES[1].params
    axes = Coordinates.of(params)
    vector = axes.vector(params)
    back, labels = axes.params(vector), axes.labels()
    assert axes.size == len(vector) == sum(value.numel() for value in params.values())
    assert list(back) == list(params)
    assert all(torch.equal(back[name], params[name]) for name in back)
    assert len(labels) == axes.size == len(set(labels))
    # each label names the entry it stands for
    for label, entry in zip(labels, vector.tolist(), strict=True):
        name, _, index = label.rstrip("]").partition("[")
        place = tuple(int(part) for part in index.split(",")) if index else ()
        assert params[name][place].item() == entry


def test_curvature_is_float64_whatever_the_training_dtype() -> None:
    model = SingleLayer(width=2, length=3, dtype=torch.float32)
    params, objective = parameters_of(model), ExactLoss(BinaryMarkov(P, Q), 3)
    slope, _ = gradient(model, objective, params)
    assert slope.dtype == dense_hessian(model, objective, params).dtype == torch.float64
    naive = naive_gradient(arrays(in_float64(params)), P, Q, 3)
    assert np.abs(slope.numpy() - naive).max() < 1e-14  # 1e-8 if anything were float32 on the way
    assert all(value.dtype == torch.float32 for value in model.parameters())
