"""z, J and the symmetries of a network at zero embedding, against the slow twin of GPT.

The twin (`tests.twins.gpt`) is plain numpy; its Jacobian is taken by imaginary steps. To see
z instead of logits its readout is the unit matrix, and its symbols are the positions themselves.
"""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from landscape import ExactLoss, SwitchingMarkov, hessian_spectrum, unigram_point
from landscape.comparison.spectra import compare
from landscape.models import GPT, ReducedModel, SingleLayer
from landscape.models.initial import gaussian
from landscape.models.parameters import parameters_of
from landscape.models.representation import KINK, MISREAD, misread, representation, unigram_inputs
from tests.laws.variants import VARIANTS, Variant, name_of
from tests.planted.readers import Matrix, Reader, Scaled, Shifted, Tempered
from tests.twins.gpt import Recipe, gpt_logits
from theory.transformer.representation import single_layer_representation

Params = dict[str, Tensor]


def drawn(variant: Variant, seed: int = 1, deviation: float = 0.5) -> tuple[GPT, Params]:
    model = GPT(**variant)
    return model, gaussian(model, deviation, seed)


def read(model: Reader) -> tuple[Reader, Params]:
    return model, parameters_of(model)


def twin(variant: Variant, params: Params) -> tuple[np.ndarray, np.ndarray]:
    """z [N, d] and J [N, N, d, d] of the twin, at u = p."""
    recipe = Recipe(**variant)
    N, d = recipe.length, recipe.width
    weights = {name: value.numpy().astype(complex) for name, value in params.items()}
    inputs = weights.get("positions", np.zeros((N, d), complex))
    # N symbols of their own, at their own places; logits are the d entries of z
    weights |= {"readout": np.eye(d, dtype=complex), "bias": np.zeros(d, complex)}
    weights |= {"positions": np.zeros((N, d), complex)}
    recipe = dataclasses.replace(recipe, tying="untied")

    def represent(u: np.ndarray) -> np.ndarray:
        logits = gpt_logits({**weights, "embedding": u}, np.arange(N)[None], recipe)
        return np.asarray(logits[0])

    J = np.zeros((N, N, d, d))
    for i in range(N):
        for k in range(d):
            moved = inputs.copy()
            moved[i, k] += 1e-30j
            J[:, i, :, k] = represent(moved).imag / 1e-30
    return represent(inputs).real, J


# away from kinks; without positions or biases the relu of these variants stands on one
SMOOTH = [v for v in VARIANTS if not (v.get("activation") == "relu" and v.get("positions"))]


@pytest.mark.parametrize("variant", SMOOTH, ids=name_of)
def test_z_and_j_are_those_of_the_twin(variant: Variant) -> None:
    model, params = drawn(variant)
    found = representation(model, params, variant["length"])
    z, J = twin(variant, params)
    # two orders of the same few hundred operations; slopes of LayerNorms at 0 reach 1e6
    scale = max(1.0, np.abs(J).max())
    assert np.abs(found.z - z).max() < 1e-13 * scale
    assert np.abs(found.J - J).max() < 1e-13 * scale
    n, i = np.indices(J.shape[:2])
    assert not found.J[i > n].any()
    assert found.jump < KINK / 10
    # controls: another seed's weights, and rows for columns
    other = representation(model, gaussian(model, 0.5, 2), variant["length"])
    assert np.abs(other.J - J).max() > 1e-6 * scale
    if variant.get("feedforward", True) or variant.get("attention", True):
        assert np.abs(found.J.swapaxes(2, 3) - J).max() > 1e-6 * scale


def test_of_the_single_layer_they_are_theorys_own() -> None:
    model = SingleLayer(width=3, length=5, hidden=7)
    params = gaussian(model, 0.5, 3)
    found = representation(model, params, 5)
    z, J = single_layer_representation({name: value.numpy() for name, value in params.items()})
    assert np.abs(found.z - z).max() < 1e-14
    assert np.abs(found.J - J).max() < 1e-14
    assert (found.silent.shape, found.redundant.shape) == ((3, 0), (4, 0))


@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize("variant", [{"layers": 2}, {"heads": 2}, {"activation": "relu"}])
def test_layer_norm_hides_one_direction_and_repeats_another(variant: Variant, biases: bool) -> None:
    model, params = drawn({"width": 4, "length": 3, "biases": biases, **variant})
    found = representation(model, params, 3)
    ones = np.full(4, 0.5)
    assert found.silent.shape == (4, 1)
    assert abs(abs(found.silent[:, 0] @ ones) - 1) < 1e-14
    gain = params["final_norm.gain"].numpy()
    shift = params["final_norm.shift"].numpy() if biases else np.zeros(4)
    reading = np.concatenate([[-(shift / gain).sum()], 1 / gain])
    assert found.redundant.shape == (5, 1)
    assert abs(abs(found.redundant[:, 0] @ reading) / np.linalg.norm(reading) - 1) < 1e-13


def test_without_layer_norm_nothing_is_hidden() -> None:
    model, params = drawn({"width": 4, "length": 3, "layer_norm": False})
    found = representation(model, params, 3)
    assert (found.silent.shape, found.redundant.shape) == ((4, 0), (5, 0))
    # a direction that is small is not hidden
    params["blocks.0.output"] *= 1e-6
    params["blocks.0.hidden_out"] *= 1e-6
    assert representation(model, params, 3).silent.shape == (4, 0)


def test_a_direction_that_no_weight_reads_is_found() -> None:
    class Half(Reader):
        def represent(self, inputs: Tensor) -> Tensor:
            return inputs * torch.tensor([1.0, 0.0]).double()

    model = Half()
    found = representation(model, dict(model.named_parameters()), 3)
    assert np.abs(np.abs(found.silent) - [[0], [1]]).max() < 1e-15
    assert np.abs(np.abs(found.redundant) - [[0], [0], [1]]).max() < 1e-15


@pytest.mark.parametrize("size", [0.0, 1e-13, 1e-3, -1e-3])
def test_what_is_hidden_at_these_weights_alone_is_no_symmetry(size: float) -> None:
    """The unigram of a network that its weights silence is no minimum: p = .9 wants signs changed.

    With W = -t and E = t (1,-1) x (1,0) the logits differ by O(t^3), the loss with them, while
    every second derivative in (W, E) is 0 at t = 0. With any other W the block of the embedding is
    2 pi0 pi1 (p+q-1) (W + W^T) up to a positive factor, and has the sign of `size`.
    """
    model = Matrix(size)
    loss = ExactLoss(SwitchingMarkov(2, "0.9"), length=3)
    point = unigram_point(model, loss)
    found = representation(model, point.params, 3)
    assert (found.silent.shape, found.redundant.shape) == ((2, 0), (3, 0))
    spectrum = hessian_spectrum(model, loss, point.params)
    report = compare(model, loss, point, spectrum)
    if size == 0:
        lower = dict(point.params)
        lower["weights"] = -0.05 * torch.eye(2).double()
        lower["embedding"] = torch.tensor([[0.05, 0.0], [-0.05, 0.0]]).double()
        assert float(loss(model, lower)) < point.loss - 1e-6
        assert (report.classification, report.verdict) == ("undecided", "inconclusive")
    else:  # control: the signs of what is seen are told, however small
        named = "local minimum" if size > 0 else "saddle"
        assert (report.classification, report.verdict) == (named, "verified")


# --- the hypotheses -----------------------------------------------------------------------------


def test_a_kink_at_the_point_is_found_without_being_told_of() -> None:
    model, params = read(Reader())
    assert representation(model, params, 3).jump < KINK
    params["positions"] = 0 * params["positions"]
    # relu(hv) - 2 relu(0) + relu(-hv) = h|v| at a kink
    assert representation(model, params, 3).jump > 0.1
    # and where relu units of a GPT stand at 0
    bare = {"activation": "relu", "biases": False, "positions": "none"}
    flat, weights = drawn({"width": 3, "length": 2, **bare})
    assert representation(flat, weights, 2).jump > 0.1


@pytest.mark.parametrize("deviation", [0.0, 1e-3, 0.02, 0.3, 1.0])
@pytest.mark.parametrize("positions", ["learned", "none"])
def test_steep_slopes_of_layer_norms_are_not_taken_for_kinks(
    positions: str, deviation: float
) -> None:
    variant = {"width": 4, "length": 3, "layers": 3, "hidden": 5, "positions": positions}
    model, params = drawn(variant, deviation=deviation)
    assert representation(model, params, 3).jump < KINK / 10


@pytest.mark.parametrize("variant", VARIANTS, ids=name_of)
def test_the_models_of_this_package_are_what_their_names_say(variant: Variant) -> None:
    model, params = drawn(variant)
    assert misread(model, params, variant["length"]) < MISREAD / 1e3


@pytest.mark.parametrize("kind", [Scaled, Tempered, Shifted])
def test_a_model_that_is_readable_by_name_only_is_found_out(kind: type[Reader]) -> None:
    honest, params = read(Reader())
    assert misread(honest, params, 3) < 1e-15
    assert misread(kind(), params, 3) > 1e-2


def test_positions_that_cannot_be_added_are_told() -> None:
    model, params = read(Reader())
    params["positions"] = params["positions"][None]
    assert misread(model, params, 3) == math.inf
    words = r"parameter 'positions' has shape \(1, 3, 2\), but length 3 and embeddings of width 2"
    with pytest.raises(ValueError, match=words):
        representation(model, params, 3)


def test_longer_positions_are_cut_and_missing_ones_are_zeros() -> None:
    model = GPT(width=2, length=5)
    params = gaussian(model, 0.5, 0)
    assert torch.equal(unigram_inputs(model, params, 3), params["positions"][:3])
    short = representation(model, params, 3)
    long = representation(model, params, 5)
    assert np.abs(short.J - long.J[:3, :3]).max() < 1e-13
    bare = GPT(width=2, length=5, positions="none")
    assert not unigram_inputs(bare, gaussian(bare, 0.5, 0), 4).any()


@pytest.mark.parametrize("measure", [representation, misread])
def test_a_model_without_the_protocol_is_refused(measure: Any) -> None:
    model = ReducedModel()
    with pytest.raises(ValueError, match=r"ReducedModel .*landscape\.models\.Readable"):
        measure(model, dict(model.named_parameters()), 3)


def test_measuring_moves_nothing() -> None:
    model = GPT(width=3, length=3, layers=2)
    model.train()
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    params = gaussian(model, 0.3, 0)
    kept = {name: value.clone() for name, value in params.items()}
    state = torch.get_rng_state()
    first, second = (representation(model, params, 3) for _ in range(2))
    misread(model, params, 3)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training and all(value.requires_grad for value in model.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.named_parameters())
    assert all(torch.equal(kept[name], params[name]) for name in params)
    assert np.array_equal(first.J, second.J) and np.array_equal(first.silent, second.silent)


def test_float32_weights_are_measured_in_float64() -> None:
    model, params = drawn({"width": 3, "length": 3})
    half = {name: value.float() for name, value in params.items()}
    found = representation(model, half, 3)
    exact = representation(model, {name: value.double() for name, value in half.items()}, 3)
    assert found.J.dtype == np.float64
    assert np.array_equal(found.J, exact.J)
