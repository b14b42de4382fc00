"""What every model computes: the paper's logits, which look at no later symbol.

The twins (`tests.twins`) attend position by position and head by head, in plain numpy: they share
no code with the models.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from landscape.models import Readable
from landscape.models.parameters import call
from tests.laws.models import (
    LOGIT_ERROR,
    MODELLED,
    Modelled,
    Weights,
    all_tokens,
    condition,
    every_model,
    gpt,
    largest_error,
    named,
    one_logit,
    single_layer,
    tensors,
)
from tests.laws.variants import VARIANTS
from tests.twins.gpt import Recipe, gpt_logits


def error_of(case: Modelled, weights: Weights | None = None) -> float:
    """How far the model's logits are from the loops', over all sequences."""
    logits = call(case.model, case.params, "forward", torch.from_numpy(all_tokens(case)))
    assert logits.dtype == torch.float64
    return largest_error(logits, case.loops(weights or case.weights(), all_tokens(case)))


@every_model
def test_forward_is_the_paper_written_in_loops(case: Modelled) -> None:
    layout = {name: tuple(value.shape) for name, value in case.model.named_parameters()}
    assert layout == case.layout
    assert error_of(case) < LOGIT_ERROR


@every_model
def test_every_parameter_enters_as_in_the_loops(case: Modelled) -> None:
    # control of the test above, for all weights of all models: a millionth more is seen
    for name, value in case.weights().items():
        generator = np.random.default_rng(1)
        moved = value + 1e-6 * generator.standard_normal(value.shape)
        error = error_of(case, case.weights() | {name: moved})
        assert error < LOGIT_ERROR if case.unseen(name) else error > 1e-10


SINGLE: dict[str, Callable[[Weights], Weights]] = {
    "no W_O": lambda w: w | {"output": np.eye(3)},
    "W_V before W_O": lambda w: w | {"value": w["output"], "output": w["value"]},
    "W_Q and W_K exchanged": lambda w: w | {"query": w["key"], "key": w["query"]},
    "scores not divided by sqrt(d)": lambda w: w | {"query": w["query"] * math.sqrt(3)},
    "matrices transposed": lambda w: w | {"value": w["value"].T, "output": w["output"].T},
    "tied": lambda w: w | {"readout": w["embedding"]},
    "positions shifted": lambda w: w | {"positions": np.roll(w["positions"], 1, axis=0)},
    "no feed-forward": lambda w: w | {"hidden_out": 0 * w["hidden_out"]},
    "no relu": lambda w: w | {"hidden_in": -w["hidden_in"], "hidden_out": -w["hidden_out"]},
}
MUTATIONS: dict[str, tuple[int, dict[str, Any]]] = {
    "scores not divided": (0, {"divided": False}), "scores divided by sqrt(d)": (1, {"heads": 1}),
    "a key after the query is seen": (0, {"ahead": 1}),
    "LayerNorm's epsilon": (0, {"epsilon": 1e-6}), "no LayerNorm": (0, {"layer_norm": False}),
    "GELU by tanh": (0, {"tanh": True}), "relu for GELU": (4, {"activation": "relu"}),
    "GELU for relu": (3, {"activation": "gelu"}), "a window too wide": (7, {"window": 3}),
    "a window too narrow": (6, {"window": 2}), "no window": (8, {"window": None}),
    "distances from the other end": (5, {"mirrored": True}),
    "no relative positions": (12, {"positions": "none"}),
    "no learned positions": (10, {"positions": "none"}), "no biases": (1, {"biases": False}),
    "a layer less": (2, {"layers": 1}), "tied": (13, {"tying": "tied"}),
    "no attention": (9, {"attention": False}), "no feed-forward": (14, {"feedforward": False}),
}  # fmt: skip


@pytest.mark.parametrize("name", SINGLE)
def test_a_mutated_single_layer_is_refuted(name: str) -> None:
    case = single_layer("untied")
    assert error_of(case, SINGLE[name](case.weights(deviation=1.0))) > 1e-2


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutated_gpt_is_refuted(name: str) -> None:
    index, mistake = MUTATIONS[name]
    case, recipe = gpt(VARIANTS[index]), replace(Recipe(**VARIANTS[index]), **mistake)
    own = {key: value for key, value in case.weights().items() if key in recipe.layout()}
    mistaken = replace(case, loops=lambda weights, tokens: gpt_logits(weights, tokens, recipe))
    assert error_of(mistaken, own) > 1e-7


@settings(max_examples=80)
@given(
    sizes=st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(1, 16)),
    tying=st.sampled_from(["tied", "untied"]),
    single=st.booleans(),
    deviation=st.sampled_from([0.02, 1.0, 3.0]),
    seed=st.integers(0, 2**32),
)
def test_forward_is_the_single_layer_in_loops_at_any_sizes_and_in_either_dtype(
    sizes: tuple[int, int, int], tying: str, single: bool, deviation: float, seed: int
) -> None:
    dtype = torch.float32 if single else torch.float64
    case = single_layer(tying, *sizes, dtype=dtype)
    params = tensors(case.weights(seed, deviation), dtype)
    weights = {name: value.double().numpy() for name, value in params.items()}
    logits = call(case.model, params, "forward", torch.from_numpy(all_tokens(case)))
    assert logits.dtype == dtype and bool((logits[..., 0] == 0).all())
    # a dozen operations deep, each off by half a unit of the terms it adds
    allowed = 16 * torch.finfo(dtype).eps * condition(weights, case.length)
    assert largest_error(logits, case.loops(weights, all_tokens(case))) < allowed


@settings(max_examples=40)
@given(
    sizes=st.tuples(st.integers(2, 4), st.integers(1, 3), st.integers(1, 3), st.integers(1, 4)),
    layers=st.integers(1, 3),
    hidden=st.integers(1, 6),
    names=st.tuples(
        st.sampled_from(["tied", "untied"]),
        st.sampled_from(["gelu", "relu"]),
        st.sampled_from(["learned", "relative", "none"]),
    ),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    window=st.sampled_from([None, 1, 2, 3, 9]),
)
def test_forward_is_gpt_written_in_loops_whatever_the_variant(
    sizes: tuple[int, int, int, int],
    layers: int,
    hidden: int,
    names: tuple[str, str, str],
    flags: tuple[bool, bool, bool],
    window: int | None,
) -> None:
    states, heads, part, length = sizes
    variant = {"states": states, "heads": heads, "width": heads * part, "length": length}
    variant |= {"layers": layers, "hidden": hidden}
    more = dict(zip(("tying", "activation", "positions"), names, strict=True))
    plain = dict(zip(("layer_norm", "biases", "feedforward"), flags, strict=True))
    case = gpt({**variant, **more, **plain, "window": window})
    size = float(np.abs(case.loops(case.weights(), all_tokens(case))).max())
    # without LayerNorm the stream grows layer by layer, and its round-off with it
    assert error_of(case) < LOGIT_ERROR * max(1.0, size)


@every_model
def test_no_logit_looks_ahead(case: Modelled) -> None:
    model, params = case.model, case.params
    tokens = torch.zeros(1, case.length, dtype=torch.long)
    tokens[:, ::2] = 1
    logits = call(model, params, "forward", tokens)
    for n in range(case.length):
        changed = tokens.clone()
        changed[:, n:] = 1 - changed[:, n:]
        after = call(model, params, "forward", changed)
        # a masked key enters with weight exp(-inf) = 0 exactly
        assert torch.equal(after[:, :n], logits[:, :n])
        assert bool((after[:, n] != logits[:, n]).any())
        prefix = call(model, params, "forward", tokens[:, : n + 1])
        assert largest_error(prefix, logits[:, : n + 1].numpy()) < LOGIT_ERROR  # other shapes


@pytest.mark.parametrize("case", [c for c in MODELLED if isinstance(c.model, Readable)], ids=named)
def test_the_names_say_what_the_logits_are_made_of(case: Modelled) -> None:
    model, params = case.model, case.params
    assert isinstance(model, Readable)
    assert (model.readout_name == model.embedding_name) is ("readout" not in case.layout)
    tokens = torch.from_numpy(all_tokens(case))
    E, A = params[model.embedding_name], params[model.readout_name]
    u = tokens[..., None] * E if E.dim() == 1 else E[tokens]
    if model.positions_name is not None:
        u = u + params[model.positions_name]
    read = (call(model, params, "represent", u) @ A.t() + params[model.bias_name]).numpy()
    read = one_logit(read) if A.dim() == 1 else read
    assert largest_error(call(model, params, "forward", tokens), read) < LOGIT_ERROR
    assert largest_error(call(model, params, "forward", tokens.flip(0)), read) > 1e-6
