"""What is measured, built, trained or cut at given parameters moves neither them nor the model."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from landscape.models import SingleLayer
from landscape.models.initial import standard
from landscape.models.parameters import Coordinates, Params
from landscape.objectives.exact import ExactLoss
from landscape.objectives.sampled import SampledLoss
from landscape.points.bigram import bigram_point
from landscape.points.refinement import refine
from landscape.points.unigram import unigram_point
from landscape.slices.plane import loss_slice
from landscape.sources import BinaryMarkov
from landscape.spectra.operators import dense_hessian, gradient
from landscape.spectra.spectrum import hessian_spectrum
from landscape.training.loop import train
from tests.laws.models import observed

CHAIN = BinaryMarkov(0.5, 0.8)
LOSS = ExactLoss(CHAIN, 3)
SAMPLED, LONG = SampledLoss(CHAIN, 3, batch=40, seed=0), SampledLoss(CHAIN, 17, batch=3, seed=0)


def trained(loss: ExactLoss | SampledLoss, **more: Any) -> Callable[[SingleLayer, Params], Tensor]:
    def losses(model: SingleLayer, params: Params) -> Tensor:
        done = train(model, loss, steps=3, seeds=[0, 1], initial=lambda seed: params, **more)
        assert {value.dtype for value in done.params.values()} == {model.bias.dtype}
        return torch.from_numpy(done.loss)

    return losses


def cut(model: SingleLayer, params: Params) -> Tensor:
    rows = torch.randn(2, Coordinates.of(params).size, generator=torch.Generator().manual_seed(0))
    kept = rows.clone()
    loss = loss_slice(model, LOSS, params, rows, resolution=3).loss
    assert torch.equal(kept, rows)
    return torch.from_numpy(loss)


ACTIONS: dict[str, Callable[[SingleLayer, Params], Tensor]] = {
    "exact loss": LOSS,
    "sampled loss": SAMPLED,
    "sampled loss by sequence": LONG,
    "standard error": SAMPLED.standard_error,
    "gradient": lambda model, params: gradient(model, LOSS, params)[0],
    "Hessian": lambda model, params: dense_hessian(model, LOSS, params),
    "spectrum": lambda model, params: hessian_spectrum(model, LOSS, params).eigenvalues,
    "unigram point": lambda model, params: unigram_point(model, LOSS, free=params).params["query"],
    "bigram point": lambda model, params: bigram_point(model, LOSS, free=params).params["query"],
    "refinement": lambda model, params: refine(model, LOSS, params, steps=3).params["query"],
    "slice": cut,
    "training": trained(LOSS),
    "training on samples": trained(SAMPLED),
    "training on long samples": trained(LONG),
    "training with checkpoints": trained(LOSS, checkpoints=2),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ACTIONS)
def test_given_parameters_are_read_alone_and_nothing_is_moved(
    name: str, training: bool, dtype: torch.dtype
) -> None:
    sizes: dict[str, Any] = {"width": 2, "length": 17 if "long" in name or "by" in name else 3}
    model = SingleLayer(**sizes, dtype=dtype).train(training)
    params, others = standard(model, 3), standard(model, 4)
    other = SingleLayer(**sizes, dtype=dtype, seed=99).train(training)
    for each in (model, other):
        each.query.requires_grad_(False)
    kept, before = {name: value.clone() for name, value in params.items()}, observed(model)
    found = ACTIONS[name](model, params)
    assert observed(model) == before  # its control is that of the law of calls
    for key, value in params.items():
        assert torch.equal(kept[key], value) and not value.requires_grad
    assert torch.equal(found, ACTIONS[name](other, params))
    assert not torch.equal(found, ACTIONS[name](model, others))
    ACTIONS[name](model, dict(model.named_parameters()))  # not even where they are its own
    assert observed(model) == before
