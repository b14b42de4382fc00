"""Points of the single-layer model in numbers, built without the package."""

import math
from typing import Any

import numpy as np

from tests.twins.single_layer import naive_logits, shapes

Arrays = dict[str, np.ndarray]


def unigram_weights(
    rng: np.random.Generator, *, p: float, q: float, tying: str, **size: int
) -> Arrays:
    """Random weights and positions of order 1; embedding and readout 0, bias ln(p/q)."""
    layout = shapes(**size, tying=tying)
    weights = {name: np.array(0.7 * rng.normal(size=shape)) for name, shape in layout.items()}
    weights |= {name: 0 * weights[name] for name in ("embedding", "readout") if name in weights}
    return weights | {"bias": np.array(math.log(p / q))}


def ansatz_weights(
    e: float, w: float, b: Any = 0.0, *, width: int, hidden: int, length: int
) -> Arrays:
    """The rank-one ansatz of the literature, tied, with attention of weight 0 and W_O = I."""
    alpha = np.where(np.arange(width) % 2, -1, 1) / math.sqrt(width)
    weights = {name: np.zeros(shape) for name, shape in shapes(width, length, hidden).items()}
    return weights | {
        "bias": np.asarray(b),
        "embedding": e * alpha,
        "positions": np.tile(-e / 2 * alpha, (length, 1)),
        "output": np.eye(width),
        "hidden_in": 2 * abs(w) / math.sqrt(hidden) * np.outer(np.ones(hidden), alpha),
        "hidden_out": 2 * w / math.sqrt(hidden) * np.outer(alpha, np.ones(hidden)),
    }


def bigram_weights(
    rng: np.random.Generator, *, p: float, q: float, w: float, e_sign: int, **size: int
) -> tuple[Arrays, float]:
    """The rank-one ansatz at its bigram point with random W_Q, W_K; and its attention score."""
    e = e_sign * math.sqrt(math.log((1 - p) * (1 - q) / (p * q)) / (1 + 2 * w * abs(w)))
    b = e**2 / 2 + math.log(p / (1 - p)) if e_sign > 0 else math.log((1 - q) / q) - e**2 / 2
    weights = ansatz_weights(e, w, b, **size)
    alpha, width = weights["embedding"] / e, size["width"]
    query, key = rng.normal(size=(2, width, width))
    score = float((query @ alpha) @ (key @ alpha)) / math.sqrt(width)
    return weights | {"query": query, "key": key}, score


def naive_representation(weights: Arrays) -> np.ndarray:
    """z_n read off with unit readouts, from the slow forward pass at zero embedding."""
    length, width = weights["positions"].shape[-2:]
    full = {**weights, "embedding": np.zeros(width), "bias": np.array(0.0)}
    units = [naive_logits({**full, "readout": unit}, (0,) * length) for unit in np.eye(width)]
    return np.stack(units, -1)


def naive_jacobian(weights: Arrays) -> np.ndarray:
    """dz_n/dp_i by complex steps, [n, i, d, d]: no truncation, no cancellation."""
    length, width = weights["positions"].shape
    units = np.eye(length * width).reshape(-1, length, width)
    moved = naive_representation({**weights, "positions": weights["positions"] + 1e-30j * units})
    return (moved.imag / 1e-30).reshape(length, width, length, width).transpose(2, 0, 3, 1)
