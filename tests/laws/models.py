"""The models over which the laws in the tests are run, each beside its logits by loops."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from landscape.models import GPT, ReducedModel, SingleLayer
from tests.laws.variants import VARIANTS, Variant, name_of
from tests.twins.gpt import Recipe, gpt_logits, strings
from tests.twins.single_layer import naive_logits, random_weights, shapes

Weights = dict[str, np.ndarray]

LOGIT_ERROR = 1e-13
"""Sums of a dozen products of order 1, a few layers deep, and logits below 30: ten roundings."""


def tensors(weights: Weights, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    return {name: torch.as_tensor(value, dtype=dtype) for name, value in weights.items()}


def largest_error(measured: Tensor, expected: np.ndarray) -> float:
    assert measured.shape == expected.shape
    return float(np.abs(measured.detach().double().numpy() - expected).max())


def observed(model: nn.Module) -> dict[str, Any]:
    """All that a call could move: values, identities, flags, modes, gradients, hooks, the dice."""
    return {
        "values": {k: v.detach().numpy().tobytes() for k, v in model.named_parameters()},
        "identities": {k: id(v) for k, v in model.named_parameters()},
        "flags": {k: v.requires_grad for k, v in model.named_parameters()},
        "gradients": {k: v.grad for k, v in model.named_parameters()},
        "modes": {k: v.training for k, v in model.named_modules()},
        "hooks": [len(model._forward_hooks), len(model._forward_pre_hooks)],
        "attributes": sorted(vars(model)),
        "dice": (torch.get_rng_state().tolist(), str(np.random.get_state())),
    }


@dataclass(frozen=True)
class Modelled:
    """A model, what its parameters are, and its logits [B, N, S] of tokens [B, N] by loops."""

    name: str
    build: Callable[..., nn.Module]  # with a dtype and a seed, if need be
    layout: dict[str, tuple[int, ...]]
    loops: Callable[[Weights, np.ndarray], np.ndarray]
    states: int
    length: int
    unseen: Callable[[str], bool] = lambda name: False  # whether no logit changes with a parameter

    @property
    def model(self) -> nn.Module:
        return self.build()

    def weights(self, seed: int = 0, deviation: float = 0.7) -> Weights:
        """Normal numbers for every parameter, gains and shifts included, in the layout's order.

        With seed 0 no relu unit is closed after every context, none switches within the steps of a
        difference, and no LayerNorm meets a variance near 0.
        """
        return random_weights(np.random.default_rng(seed), self.layout, deviation)

    @property
    def params(self) -> dict[str, Tensor]:
        return tensors(self.weights())

    def logits(self, tokens: np.ndarray) -> np.ndarray:
        return self.loops(self.weights(), tokens)


def one_logit(logit: np.ndarray) -> np.ndarray:
    return np.stack([0 * logit, logit], axis=-1)


def gpt(variant: Variant) -> Modelled:
    recipe = Recipe(**variant)

    def unseen(name: str) -> bool:
        # the key's bias adds one number to all scores of a query, as does the distance 0 alone
        alone = recipe.window == 1 and ("query" in name or "key" in name)
        return name.endswith("key_bias") or alone

    return Modelled(
        name_of(variant), partial(GPT, **variant), recipe.layout(),
        lambda weights, tokens: gpt_logits(weights, tokens, recipe),
        recipe.states, recipe.length, unseen,
    )  # fmt: skip


def single_layer(
    tying: str, width: int = 3, length: int = 4, hidden: int = 5, **more: Any
) -> Modelled:
    sizes: dict[str, Any] = {"width": width, "length": length, "hidden": hidden, "tying": tying}
    return Modelled(
        f"single-layer, {tying}", partial(SingleLayer, **sizes, **more),
        shapes(width, length, hidden, tying),
        lambda weights, tokens: one_logit(naive_logits(weights, tokens)), 2, length,
    )  # fmt: skip


def condition(weights: Weights, length: int) -> float:
    """Round-off of a single layer's logit in eps: the sum of all |terms|, times a largest |score|.

    A score of size S is off by about S eps, and its softmax weight by that relative error.
    """
    size = {name: np.abs(value) for name, value in weights.items()}
    u = size["embedding"] + size["positions"].max(axis=0)
    score = (size["query"] @ u) @ (size["key"] @ u) / math.sqrt(len(u))
    ones = np.ones(length, dtype=np.int64)
    uniform = size | {"query": 0 * size["query"], "positions": np.tile(u, (length, 1))}
    return float((1 + score) * naive_logits(uniform, ones).max())


def reduced_logits(weights: Weights, tokens: np.ndarray) -> np.ndarray:
    e, w, b = (weights[name] for name in ("embedding", "feedforward", "bias"))
    return one_logit(e**2 * (1 + 2 * w * abs(w)) * tokens + b - e**2 / 2)


SCALARS: dict[str, tuple[int, ...]] = {"embedding": (), "feedforward": (), "bias": ()}

MODELLED = [
    single_layer("tied"),
    single_layer("untied"),
    Modelled("reduced", ReducedModel, SCALARS, reduced_logits, 2, 4),
    *map(gpt, VARIANTS),
]


def named(case: Modelled) -> str:
    return case.name


every_model = pytest.mark.parametrize("case", MODELLED, ids=named)


def all_tokens(case: Modelled) -> np.ndarray:
    return strings(case.states, case.length)
