"""Points of the single-layer model in numbers, built without the package."""

import math

import numpy as np

from tests.twins.single_layer import bias_first, shapes


def unigram_weights(
    rng: np.random.Generator,
    *,
    p: float,
    q: float,
    width: int,
    hidden: int,
    length: int,
    tying: str,
) -> dict[str, np.ndarray]:
    """Random weights and positions of order 1; embedding and readout 0, bias ln(p/q)."""
    layout = bias_first(shapes(width=width, hidden=hidden, length=length, tying=tying))
    weights = {name: np.array(0.7 * rng.normal(size=shape)) for name, shape in layout.items()}
    weights["embedding"] = np.zeros(width)
    if tying == "untied":
        weights["readout"] = np.zeros(width)
    weights["bias"] = np.array(math.log(p / q))
    return weights


def bigram_weights(
    rng: np.random.Generator,
    *,
    p: float,
    q: float,
    w: float,
    e_sign: int,
    width: int,
    hidden: int,
    length: int,
    output: bool = True,
) -> tuple[dict[str, np.ndarray], float]:
    """The rank-one ansatz at its bigram point with random W_Q, W_K; and its attention score."""
    e = e_sign * math.sqrt(math.log((1 - p) * (1 - q) / (p * q)) / (1 + 2 * w * abs(w)))
    b = e**2 / 2 + math.log(p / (1 - p)) if e_sign > 0 else math.log((1 - q) / q) - e**2 / 2
    alpha = np.where(np.arange(width) % 2, -1, 1) / math.sqrt(width)
    query, key = rng.normal(size=(2, width, width))
    weights = {
        "bias": np.array(b),
        "readout": e * alpha,
        "embedding": e * alpha,
        "positions": np.tile(-e / 2 * alpha, (length, 1)),
        "query": query,
        "key": key,
        "value": np.zeros((width, width)),
        "output": np.eye(width) * output,
        "hidden_in": 2 * abs(w) / math.sqrt(hidden) * np.outer(np.ones(hidden), alpha),
        "hidden_out": 2 * w / math.sqrt(hidden) * np.outer(alpha, np.ones(hidden)),
    }
    return weights, float((query @ alpha) @ (key @ alpha)) / math.sqrt(width)
