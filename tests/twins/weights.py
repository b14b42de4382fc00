"""The slow and obvious twin: all sequences, attention written out, derivatives by steps.

It shares no code with the package. One array library serves float, complex and mpmath numbers, so
that the same forward pass can be differentiated by complex steps and checked with 50 digits.
"""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Weights = Mapping[str, np.ndarray]


def shapes(*, width: int, hidden: int, length: int, tying: str) -> dict[str, tuple[int, ...]]:
    """The parameters of the single-layer model, in the order of the flat vector."""
    d = width
    readout = {"readout": (d,)} if tying == "untied" else {}
    return {
        "bias": (),
        **readout,
        "embedding": (d,),
        "positions": (length, d),
        "query": (d, d),
        "key": (d, d),
        "value": (d, d),
        "output": (d, d),
        "hidden_in": (hidden, d),
        "hidden_out": (d, hidden),
    }


def flatten(weights: Weights, layout: Mapping[str, tuple[int, ...]]) -> np.ndarray:
    return np.concatenate([np.asarray(weights[name]).reshape(-1) for name in layout])


def unflatten(theta: np.ndarray, layout: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    weights, start = {}, 0
    for name, shape in layout.items():
        size = int(np.prod(shape))
        weights[name] = theta[..., start : start + size].reshape((*theta.shape[:-1], *shape))
        start += size
    return weights


def logits(
    weights: Weights, tokens: tuple[int, ...], exp: Callable[[Any], Any] = np.exp, root: Any = None
) -> list[np.ndarray]:
    """The logit after each token; `root` is sqrt(d) where float64 is not enough."""
    positions, embedding = weights["positions"], weights["embedding"]
    readout = weights.get("readout", embedding)
    width = embedding.shape[-1]
    root = np.sqrt(width) if root is None else root

    def act(name: str, vector: np.ndarray) -> np.ndarray:
        product: np.ndarray = (weights[name] * vector[..., None, :]).sum(-1)
        return product

    u = [positions[..., i, :] + token * embedding for i, token in enumerate(tokens)]
    outputs = []
    for n in range(len(tokens)):
        weight = [exp((act("query", u[n]) * act("key", u[i])).sum(-1) / root) for i in range(n + 1)]
        total = sum(weight)
        mixed = sum(np.asarray(weight[i])[..., None] * act("value", u[i]) for i in range(n + 1))
        y = u[n] + act("output", mixed / np.asarray(total)[..., None])
        hidden = act("hidden_in", y)
        z = y + act("hidden_out", np.where(hidden.real > 0, hidden, 0 * hidden))
        outputs.append((readout * z).sum(-1) + weights["bias"])
    return outputs


def probability(tokens: tuple[int, ...], p: Any, q: Any) -> Any:
    value = (p if tokens[0] else q) / (p + q)
    for before, after in itertools.pairwise(tokens):
        leave = q if before else p
        value = value * (leave if before != after else 1 - leave)
    return value


def population_loss(
    weights: Weights,
    p: Any,
    q: Any,
    length: int,
    exp: Callable[[Any], Any] = np.exp,
    log: Callable[[Any], Any] = np.log,
    root: Any = None,
) -> Any:
    """The mean cross-entropy over all sequences of length + 1 tokens, the last token a target."""
    total: Any = 0
    for context in itertools.product((0, 1), repeat=length):
        values = logits(weights, context, exp, root)
        for last in (0, 1):
            sequence = (*context, last)
            chance = probability(sequence, p, q) / length
            for n, value in enumerate(values):
                total = total + chance * (log(1 + exp(value)) - sequence[n + 1] * value)
    return total


def hessian(theta: np.ndarray, loss: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The Hessian by complex steps inside a sixth-order central difference.

    The first derivative is exact (imaginary step 1e-30). The second has truncation k^6/140 of the
    seventh derivative, 5e-19 of it at k = 2e-3, and round-off eps/k, 1e-13 of the gradient's terms.
    """
    size, k = len(theta), 2e-3
    steps, weights = np.array([-3, -2, -1, 1, 2, 3]), np.array([-1, 9, -45, 45, -9, 1])
    imaginary = 1e-30j * np.eye(size)
    H = np.zeros((size, size))
    for row in range(size):
        shift = np.zeros(size)
        shift[row] = k
        gradients = loss(theta + (steps[:, None] * shift)[:, None] + imaginary).imag / 1e-30
        H[row] = weights @ gradients / (60 * k)
    return (H + H.T) / 2


def single_layer_hessian(
    weights: Weights, *, p: float, q: float, length: int, layout: Mapping[str, tuple[int, ...]]
) -> np.ndarray:
    def loss(theta: np.ndarray) -> np.ndarray:
        return np.asarray(population_loss(unflatten(theta, layout), p, q, length))

    return hessian(flatten(weights, layout), loss)
