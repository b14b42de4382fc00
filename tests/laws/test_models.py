"""Every model: its calls, which move nothing, where it starts, and what it refuses to be."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import vmap

from landscape.models import GPT, Readable, ReducedModel, SingleLayer
from landscape.models.initial import STANDARD_DEVIATION, gaussian, standard
from landscape.models.parameters import call, parameters_of
from landscape.models.protocols import ContextModel, Kinked, Observable
from tests.laws.models import (
    LOGIT_ERROR,
    Modelled,
    all_tokens,
    every_model,
    largest_error,
    observed,
    tensors,
)


def methods(case: Modelled) -> dict[str, Any]:
    """Whatever may be asked of a model, with an argument for it."""
    model = case.model
    found: dict[str, Any] = {"forward": torch.from_numpy(all_tokens(case))}
    found |= {"observe": found["forward"]} if isinstance(model, Observable) else {}
    found |= {"context_logits": case.length} if isinstance(model, ContextModel) else {}
    found |= {"context_preactivations": case.length} if isinstance(model, Kinked) else {}
    if isinstance(model, Readable):
        width = model.get_parameter(model.embedding_name).shape[-1]
        found["represent"] = torch.arange(case.length * width).reshape(1, -1, width).sin().double()
    return found


def joined(result: Any) -> Tensor:
    """Everything a method returns, as one vector."""
    parts = result.values() if isinstance(result, dict) else [result]
    return torch.cat([torch.zeros(0).double(), *(part.reshape(-1) for part in parts)])


@every_model
def test_stacked_parameters_give_what_each_set_gives_alone(case: Modelled) -> None:
    model, sets = case.model, [case.weights(seed) for seed in range(3)]
    tokens = torch.from_numpy(all_tokens(case))
    stacked = {name: torch.stack([tensors(one)[name] for one in sets]) for name in sets[0]}
    for method in methods(case).items():
        if method[0] in ("observe", "context_preactivations"):  # which depend on the data
            continue
        mapped = vmap(lambda params, method=method: call(model, params, *method))(stacked)
        alone = [call(model, tensors(one), *method).numpy() for one in sets]
        # batched kernels may add in another order
        assert largest_error(mapped, np.stack(alone)) < LOGIT_ERROR
        assert largest_error(mapped, np.stack(alone[1:] + alone[:1])) > 1e-2
    # each with sequences of its own, as in training on samples
    drawn = torch.stack([tokens, tokens.flip(0), tokens.roll(1, 0)])
    mapped = vmap(lambda params, own: call(model, params, "forward", own))(stacked, drawn)
    for row, own, one in zip(mapped, drawn, sets, strict=True):
        assert largest_error(row, case.loops(one, own.numpy())) < LOGIT_ERROR


@every_model
def test_float32_is_float64_up_to_its_rounding(case: Modelled) -> None:
    model, same = case.build(dtype=torch.float32, seed=4), case.build(seed=4)
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    tokens = torch.from_numpy(all_tokens(case))
    double = {name: value.detach().double() for name, value in model.named_parameters()}
    expected = call(same, double, "forward", tokens)
    assert (model(tokens).dtype, expected.dtype) == (torch.float32, torch.float64)
    # inputs of 0.02 and less: LayerNorm's inverse deviation of up to 300 enlarges each rounding
    assert 0 < largest_error(model(tokens), expected.detach().numpy()) < 3e-6
    for draw in (standard, lambda model, seed: gaussian(model, 0.7, seed)):
        first, second = draw(model, 1), draw(same, 1)
        assert all(torch.equal(first[name], second[name].float()) for name in first)
        assert any(bool((first[name].double() != second[name]).any()) for name in first)
    assert all(
        torch.equal(value.float(), model.get_parameter(name))
        for name, value in same.named_parameters()
    )


@every_model
def test_no_tensor_is_made_elsewhere_than_on_the_device_of_the_model(case: Modelled) -> None:
    model = case.model.to("meta")
    tokens = torch.zeros(2, case.length, dtype=torch.long, device="meta")
    assert model(tokens).device.type == "meta"
    if isinstance(model, Observable):
        assert all(value.device.type == "meta" for value in model.observe(tokens).values())
    with pytest.raises(RuntimeError, match="meta"):  # control: an array on another device
        model(tokens) + torch.zeros(2, case.length, case.states).double()


@pytest.mark.parametrize("training", [True, False])
@every_model
def test_a_call_computes_with_the_given_parameters_and_leaves_the_model_alone(
    case: Modelled, training: bool
) -> None:
    model, params = case.model.train(training), case.params
    next(model.parameters()).requires_grad_(False)
    before, other = observed(model), case.build()
    with torch.no_grad():
        for name, value in params.items():
            other.get_parameter(name).copy_(value)
    for method, argument in methods(case).items():
        result = joined(call(model, params, method, argument))
        if not result.numel():  # a network without attention shows none, one without relus no kink
            continue
        same = joined(getattr(other, method)(argument))  # kernels that keep a graph may differ
        assert largest_error(result, same.detach().numpy()) < LOGIT_ERROR
        own = joined(getattr(model, method)(argument))
        assert result.shape != own.shape or not torch.equal(result, own)
        requiring = {name: value.clone().requires_grad_() for name, value in params.items()}
        total = joined(call(model, requiring, method, argument)).sum()
        if total.requires_grad:
            torch.autograd.grad(total, list(requiring.values()), allow_unused=True)
        shapes = {name: [7 + k] * max(1, params[name].dim()) for k, name in enumerate(params)}
        wrong = {name: torch.zeros(shape).double() for name, shape in shapes.items()}
        with pytest.raises((RuntimeError, IndexError)):
            call(model, wrong, method, argument)
    assert observed(model) == before


def test_a_change_of_the_model_would_be_observed() -> None:
    changes: list[Callable[[nn.Module], object]] = [
        lambda model: model.load_state_dict(standard(model, 9)),
        lambda model: model.eval(),
        lambda model: model.requires_grad_(False),
        lambda model: model(torch.tensor([[0]])).sum().backward(),
        lambda model: nn.Linear(1, 1),  # torch's own initialisation draws
    ]
    for change in changes:
        model = SingleLayer(width=2, length=3)
        before = observed(model)
        change(model)
        assert observed(model) != before


def test_parameters_of_a_model_are_copies() -> None:
    model = SingleLayer(width=2, length=3)
    copies = parameters_of(model)
    assert not any(value.requires_grad for value in copies.values())
    before = observed(model)
    for value in copies.values():
        value += 1
    assert observed(model) == before


# --- where it starts ----------------------------------------------------------------------------


def what_is_drawn(name: str) -> bool:
    last = name.rpartition(".")[2]
    return last != "gain" and not last.endswith(("bias", "shift"))


@every_model
def test_a_model_starts_from_the_standard_initialisation_of_its_seed_alone(case: Modelled) -> None:
    before = torch.get_rng_state()
    model = case.build(seed=5)
    start, again, other = standard(model, 5), standard(model, 5), standard(model, 6)
    gaussian(model, 1.0, 1)
    assert torch.equal(torch.get_rng_state(), before)
    own = parameters_of(model)
    assert list(start) == list(own) and set(own) == set(case.layout)
    for name in start:
        assert torch.equal(start[name], own[name]) and torch.equal(start[name], again[name])
        fixed = 1.0 if name.endswith("gain") else 0.0
        if what_is_drawn(name):
            assert bool((start[name] != 0).all()) and not torch.equal(start[name], other[name])
        else:
            assert bool((start[name] == fixed).all())


WIDE: list[Callable[[], nn.Module]] = [
    lambda: SingleLayer(width=64, length=32),
    lambda: GPT(states=3, width=32, length=4, layers=2, positions="relative"),
]


@pytest.mark.parametrize("build", WIDE)
def test_standard_initialisation_has_the_deviation_of_gpt_2(build: Callable[[], nn.Module]) -> None:
    model = build()
    layers = 2 if isinstance(model, GPT) else 1
    for name, values in standard(model, 3).items():
        if not what_is_drawn(name):
            continue
        residual = name.rpartition(".")[2] in ("output", "hidden_out")
        deviation = STANDARD_DEVIATION / math.sqrt(2 * layers if residual else 1)

        def within(truth: float, values: Tensor = values) -> bool:
            # 5 standard errors of the mean of n normal numbers and of their root mean square
            error = 5 * truth / math.sqrt(values.numel())
            off = abs(values.square().mean().sqrt().item() - truth)
            return off < error / math.sqrt(2) and abs(values.mean().item()) < error

        assert within(deviation)
        if values.numel() > 1000:  # few numbers do not tell .02 from .02/sqrt(2)
            assert not within(deviation * math.sqrt(2)) and not within(deviation / math.sqrt(2))


def test_a_gaussian_draw_has_its_deviation_everywhere_and_zero_means_zero() -> None:
    model = SingleLayer(width=32, length=8)
    draw = torch.cat([value.reshape(-1) for value in gaussian(model, 0.5, 1).values()])
    error = 5 / math.sqrt(2 * len(draw))  # 5 standard errors, relative
    assert abs(draw.square().mean().sqrt().item() / 0.5 - 1) < error
    assert abs(draw.square().mean().sqrt().item() / 0.45 - 1) > error
    assert gaussian(model, 0.5, 1)["bias"].item() != 0
    assert all(not value.any() for value in gaussian(model, 0.0, 1).values())


# --- what is refused ----------------------------------------------------------------------------

SMALL = {"width": 4, "length": 3}
OF_BOTH: list[tuple[dict[str, Any], str]] = [
    ({"width": 0}, r"width=0 is out of range; give an integer of at least 1"),
    ({"length": 0}, r"length=0 is out of range; give an integer of at least 1"),
    ({"hidden": -1}, r"hidden=-1 is out of range"),
    ({"tying": "tight"}, r"tying='tight' is unknown; give 'tied' or 'untied'"),
    ({"dtype": torch.float16}, r"dtype=torch\.float16 is not supported; give torch\.float64"),
]
OF_GPT: list[tuple[dict[str, Any], str]] = [
    ({"states": 1}, r"states=1 is out of range; give an integer of at least 2"),
    ({"layers": 0}, r"layers=0 is out of range"),
    ({"heads": 0}, r"heads=0 is out of range"),
    ({"heads": 3}, r"heads=3 does not divide width=4; give a divisor of the width"),
    ({"activation": "swish"}, r"activation='swish' is unknown; give 'gelu' or 'relu'"),
    ({"positions": "rotary"}, r"positions='rotary' is unknown; give 'learned', 'relative' or 'n"),
    ({"window": 0}, r"window=0 is out of range; give an integer of at least 1, or None"),
    ({"attention": False, "window": 2}, r"window=2 belongs to attention; leave it out, or"),
    ({"attention": False, "positions": "relative"}, r"positions='relative' belongs to atten"),
    ({"width": 2**14}, r"states=2, width=16384, length=3, layers=1, hidden=65536 make 3\.22e\+09 "
     r"parameters; give sizes that make at most 2\.68e\+08"),
    ({"layers": 2**27}, r"layers=134217728, hidden=16 make .* parameters; give sizes"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "changes", "message"),
    [(m, *case) for m in (SingleLayer, GPT) for case in OF_BOTH] + [(GPT, *c) for c in OF_GPT],
)
def test_an_impossible_model_is_refused(
    model: type[nn.Module], changes: dict[str, Any], message: str
) -> None:
    assert model(**SMALL)
    with pytest.raises(ValueError, match=message):
        model(**(SMALL | changes))


@every_model
def test_tokens_longer_than_the_model_are_refused(case: Modelled) -> None:
    long, model = case.length + 1, case.model
    tokens = torch.zeros(1, long, dtype=torch.long)
    if isinstance(model, ReducedModel):  # of the last symbol alone, it knows no length
        assert model(tokens).shape == (1, long, 2)
        return
    message = rf"length {long}, the model was built for at most {case.length}; build it with leng"
    shown = getattr(model, "attention", True)  # what shows nothing looks at nothing
    for method in {*methods(case)} - {"represent"} - (set() if shown else {"observe"}):
        with pytest.raises(ValueError, match=message):
            getattr(model, method)(long if method.startswith("context") else tokens)


@pytest.mark.parametrize("deviation", [-0.1, math.nan, math.inf])
def test_an_impossible_deviation_is_refused(deviation: float) -> None:
    with pytest.raises(ValueError, match=rf"deviation={deviation} is out of range; give a number"):
        gaussian(ReducedModel(), deviation, 0)
