"""The slow twin of `GPT`: position by position, head by head, every sequence with its target.

Plain numpy, and nothing of `landscape`. Weights are float64, or complex128 for derivatives by an
imaginary step; each may have one leading axis K, all of the same length, for K models at once.
Steps that a mistake would be made in are arguments, so that the tests can make it.
"""

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.special import erf

from tests.twins.single_layer import sixth_order, unflatten

Weights = Mapping[str, np.ndarray]
Law = np.ndarray | Callable[[tuple[int, ...]], float]
"""Of sequences: the kernel of a chain from its stationary law, or the probability of each."""


@dataclass(frozen=True)
class Recipe:
    """What a GPT is made of, and (below) the constants of its formulas."""

    states: int = 2
    width: int = 1
    length: int = 1
    layers: int = 1
    heads: int = 1
    hidden: int | None = None
    tying: str = "tied"
    layer_norm: bool = True
    activation: str = "gelu"
    biases: bool = True
    positions: str = "learned"
    window: int | None = None
    attention: bool = True
    feedforward: bool = True

    epsilon: float = 1e-5  # of LayerNorm
    ahead: int = 0  # keys after the query that it sees
    divided: bool = True  # scores by sqrt(d/H)
    tanh: bool = False  # GELU's approximation
    mirrored: bool = False  # distances counted from the other end

    def layout(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of all parameters."""
        s, d = self.states, self.width
        r = 4 * d if self.hidden is None else self.hidden
        shapes: dict[str, tuple[int, ...]] = {"embedding": (s, d)}
        if self.positions == "learned":
            shapes["positions"] = (self.length, d)
        if self.tying == "untied":
            shapes["readout"] = (s, d)
        shapes["bias"] = (s,)
        norms = []
        for layer in range(self.layers):
            block = f"blocks.{layer}."
            if self.attention:
                for name in ("query", "key", "value", "output"):
                    shapes[block + name] = (d, d)
                    if self.biases:
                        shapes[block + name + "_bias"] = (d,)
                if self.positions == "relative":
                    shapes[block + "relative"] = (self.heads, self.length)
                norms.append(block + "attention_norm.")
            if self.feedforward:
                for name, size in (("hidden_in", (r, d)), ("hidden_out", (d, r))):
                    shapes[block + name] = size
                    if self.biases:
                        shapes[block + name + "_bias"] = size[:1]
                norms.append(block + "feedforward_norm.")
        for norm in [*norms, "final_norm."] if self.layer_norm else []:
            shapes[norm + "gain"] = (d,)
            if self.biases:
                shapes[norm + "shift"] = (d,)
        return shapes


@dataclass
class Traces:
    """What the twin saw on its way: lists over layers of lists over positions n."""

    attention: list[list[list[np.ndarray]]]  # of rows by head, [..., B, keys seen]
    first_key: list[int]  # seen by query n
    attended: list[list[np.ndarray]]
    stream: list[list[np.ndarray]]
    preactivations: list[list[np.ndarray]]


def normalised(x: np.ndarray, weights: Weights, name: str, recipe: Recipe) -> np.ndarray:
    """LayerNorm of that name, or x itself without LayerNorms."""
    if not recipe.layer_norm:
        return x
    mean = x.sum(-1, keepdims=True) / recipe.width
    variance = ((x - mean) ** 2).sum(-1, keepdims=True) / recipe.width
    out = (x - mean) / np.sqrt(variance + recipe.epsilon) * weights[name + ".gain"][..., None, :]
    return np.asarray(out + weights[name + ".shift"][..., None, :] if recipe.biases else out)


def image(x: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    """W x + c for the rows of x, c where there is one."""
    out = x @ np.swapaxes(weights[name], -1, -2)
    return out + weights[name + "_bias"][..., None, :] if name + "_bias" in weights else out


def activated(x: np.ndarray, recipe: Recipe) -> np.ndarray:
    """GELU x Phi(x), or a relu that passes a complex number of positive real part."""
    if recipe.activation == "relu":
        return np.where(np.real(x) > 0, x, 0 * x)
    if recipe.tanh:
        return np.asarray(x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))
    return np.asarray(x / 2 * (1 + erf(x / math.sqrt(2))))


def gpt_logits(
    weights: Weights, tokens: np.ndarray, recipe: Recipe, traces: Traces | None = None
) -> np.ndarray:
    """Logits [..., B, N, S] after x_1..x_n of tokens [B, N]."""
    length, d, heads = tokens.shape[-1], recipe.width, recipe.heads
    part = d // heads
    stream = [weights["embedding"][..., tokens[:, n], :] for n in range(length)]
    if recipe.positions == "learned":
        stream = [u + weights["positions"][..., n, None, :] for n, u in enumerate(stream)]
    reach = length if recipe.window is None else recipe.window
    for layer in range(recipe.layers):
        block = f"blocks.{layer}."
        before, rows = stream, []
        if recipe.attention:
            x = [normalised(u, weights, block + "attention_norm", recipe) for u in stream]
            query, key, value = (
                [image(u, weights, block + name) for u in x] for name in ("query", "key", "value")
            )
            mixed = []
            for n in range(length):
                keys = range(max(0, n - reach + 1), min(length, n + 1 + recipe.ahead))
                averages, shares = [], []
                for h in range(heads):
                    own = slice(h * part, (h + 1) * part)
                    scores = []
                    for i in keys:
                        score = (query[n][..., own] * key[i][..., own]).sum(-1)
                        score = score / math.sqrt(part) if recipe.divided else score
                        if recipe.positions == "relative":
                            gap = recipe.length - 1 - (n - i) if recipe.mirrored else n - i
                            score = score + weights[block + "relative"][..., h, gap, None]
                        scores.append(score)
                    largest = np.max([np.real(score) for score in scores], axis=0)
                    shifted = [np.exp(score - largest) for score in scores]
                    total = sum(shifted[1:], start=shifted[0])
                    share = [one / total for one in shifted]
                    terms = [
                        one[..., None] * value[i][..., own]
                        for one, i in zip(share, keys, strict=True)
                    ]
                    averages.append(sum(terms[1:], start=terms[0]))
                    shares.append(np.stack(share, axis=-1))
                mixed.append(np.concatenate(averages, axis=-1))
                rows.append(shares)
            added = [image(one, weights, block + "output") for one in mixed]
            stream = [u + more for u, more in zip(stream, added, strict=True)]
            if traces is not None:
                traces.attention.append(rows)
                traces.attended.append([np.sqrt((more**2).sum(-1)) for more in added])
                traces.stream.append([np.sqrt((u**2).sum(-1)) for u in before])
        if recipe.feedforward:
            inner = [
                image(
                    normalised(u, weights, block + "feedforward_norm", recipe),
                    weights,
                    block + "hidden_in",
                )
                for u in stream
            ]
            stream = [
                u + image(activated(h, recipe), weights, block + "hidden_out")
                for u, h in zip(stream, inner, strict=True)
            ]
            if traces is not None:
                traces.preactivations.append(inner)
    z = [normalised(u, weights, "final_norm", recipe) for u in stream]
    readout = weights["readout" if recipe.tying == "untied" else "embedding"]
    logits = [one @ np.swapaxes(readout, -1, -2) + weights["bias"][..., None, :] for one in z]
    return np.stack(logits, axis=-2)


def traced(weights: Weights, tokens: np.ndarray, recipe: Recipe) -> Traces:
    """What happens inside the twin on the way to its logits."""
    reach = tokens.shape[-1] if recipe.window is None else recipe.window
    first = [max(0, n - reach + 1) for n in range(tokens.shape[-1])]
    traces = Traces([], first, [], [], [])
    gpt_logits(weights, tokens, recipe, traces)
    return traces


def strings(states: int, size: int) -> np.ndarray:
    """All states^size strings of symbols, lexicographic, [states^size, size]."""
    return np.array(list(itertools.product(range(states), repeat=size)))


def stationary_law(kernel: np.ndarray) -> np.ndarray:
    """pi with pi P = pi, by least squares."""
    size = len(kernel)
    system = np.vstack([kernel.T - np.eye(size), np.ones(size)])
    solution, *_ = np.linalg.lstsq(system, np.append(np.zeros(size), 1.0), rcond=None)
    return np.asarray(solution)


def chance_of(path: tuple[int, ...], kernel: np.ndarray) -> float:
    """P(x_1..x_m): the stationary law of x_1 times one entry of P a step."""
    chance = float(stationary_law(kernel)[path[0]])
    for before, after in itertools.pairwise(path):
        chance *= float(kernel[before, after])
    return chance


def gpt_loss(weights: Weights, law: Law, length: int, recipe: Recipe) -> Any:
    """L over all S^(N+1) sequences, the last symbol a target only: (1/N) sum P sum_n CE."""
    paths = strings(recipe.states, length + 1)
    chance = law if callable(law) else partial(chance_of, kernel=law)
    chances = np.array([chance(tuple(path)) for path in paths])
    logits = gpt_logits(weights, paths[:, :-1], recipe)
    largest = np.real(logits).max(-1, keepdims=True)
    normaliser = largest[..., 0] + np.log(np.exp(logits - largest).sum(-1))
    targets = np.broadcast_to(paths[:, 1:, None], (*logits.shape[:-1], 1))
    terms = normaliser - np.take_along_axis(logits, targets, axis=-1)[..., 0]
    return (terms.mean(axis=-1) * chances).sum(-1)


def gpt_gradient(theta: np.ndarray, law: Law, length: int, recipe: Recipe) -> np.ndarray:
    """dL/dtheta by imaginary steps of 1e-30, all at once: no subtraction, no truncation."""
    weights = unflatten(theta + 1e-30j * np.eye(len(theta)), recipe.layout())
    gradient: np.ndarray = np.imag(gpt_loss(weights, law, length, recipe)) / 1e-30
    return gradient


def gpt_hessian_product(
    theta: np.ndarray,
    direction: np.ndarray,
    law: Law,
    length: int,
    recipe: Recipe,
    step: float = 1e-3,
) -> np.ndarray:
    """H v by the sixth-order central difference of `gpt_gradient` along v.

    Truncation is step^6/140 of the seventh derivative along v, 7e-21 of it at 1e-3; round-off is
    about 2 eps/step of the gradient's terms, 4e-13 of them. No relu may switch within 3 steps.
    """
    return sixth_order(lambda at: gpt_gradient(at, law, length, recipe), theta, direction, step)
