"""The measuring side's slow twin: every sequence with its target, plain numpy.

No code, no array library and no identity of `landscape` is used here: no score table, no
conditional mean in place of the target, no automatic differentiation. Arrays may be float64,
complex128 (derivatives by an imaginary step) or object arrays of mpmath numbers.
"""

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Weights = Mapping[str, np.ndarray]
Layout = Mapping[str, tuple[int, ...]]

LINEAR = ("query", "key", "value", "output", "hidden_in", "hidden_out", "readout")


def shapes(
    width: int, length: int, hidden: int | None = None, tying: str = "tied"
) -> dict[str, tuple[int, ...]]:
    """Parameter names and shapes of the single-layer model; `hidden` is 4*width unless given."""
    d, r = width, 4 * width if hidden is None else hidden
    layout: dict[str, tuple[int, ...]] = {"embedding": (d,), "positions": (length, d)}
    layout |= {name: (d, d) for name in ("query", "key", "value", "output")}
    layout |= {"hidden_in": (r, d), "hidden_out": (d, r)}
    if tying == "untied":
        layout["readout"] = (d,)
    return layout | {"bias": ()}


def random_weights(
    generator: np.random.Generator, layout: Layout, deviation: float = 1.0
) -> dict[str, np.ndarray]:
    """Normal weights of every shape in `layout`."""
    return {name: deviation * generator.standard_normal(shape) for name, shape in layout.items()}


def flatten(weights: Weights, layout: Layout) -> np.ndarray:
    """All weights as one vector, in the order of `layout`."""
    return np.concatenate([np.asarray(weights[name]).reshape(-1) for name in layout])


def unflatten(theta: np.ndarray, layout: Layout) -> dict[str, np.ndarray]:
    """The weights that `flatten` made the vector `theta` of."""
    weights, start = {}, 0
    for name, shape in layout.items():
        size = math.prod(shape)
        weights[name] = theta[start : start + size].reshape(shape)
        start += size
    return weights


def arrays(params: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The tensors of a model as plain arrays."""
    return {name: value.detach().numpy() for name, value in params.items()}


def naive_logits(
    weights: Weights,
    tokens: np.ndarray | tuple[int, ...],
    exp: Callable[[Any], Any] = np.exp,
    seen: list[dict[str, Any]] | None = None,
) -> np.ndarray:
    """Logits after x_1..x_n, n = 1..N, position by position and query by query; tied if no readout.

    `tokens` is [..., N] of 0 and 1, and the answer [..., N]: leading axes are independent
    sequences, which share nothing but the weights. The relu passes a complex number whose real
    part is positive. The softmax subtracts its largest real score. What happens at each position
    on the way is put into `seen`.
    """
    tokens = np.asarray(tokens)
    e, positions = weights["embedding"], weights["positions"]
    readout = weights.get("readout", e)
    d, length = len(e), tokens.shape[-1]
    root = math.sqrt(d)
    u = [tokens[..., n, None] * e + positions[n] for n in range(length)]
    logits = []
    for n in range(length):
        query = u[n] @ weights["query"].T
        scores = [(query * (u[i] @ weights["key"].T)).sum(-1) / root for i in range(n + 1)]
        largest = np.max([np.real(score) for score in scores], axis=0)
        unnormalised = [exp(score - largest) for score in scores]
        total = sum(unnormalised[1:], start=unnormalised[0])
        mixed = 0 * u[n]
        for i in range(n + 1):
            share = unnormalised[i] / total
            mixed = mixed + np.asarray(share)[..., None] * (u[i] @ weights["value"].T)
        added = mixed @ weights["output"].T
        y = u[n] + added
        before = y @ weights["hidden_in"].T
        hidden = np.where(np.real(before) > 0, before, 0 * before)
        z = y + hidden @ weights["hidden_out"].T
        logits.append(z @ readout + weights["bias"])
        if seen is not None:
            shares = [one / total for one in unnormalised]
            seen.append({"shares": shares, "added": added, "stream": u[n], "before": before})
    return np.stack(logits, axis=-1)


def sequences(size: int) -> np.ndarray:
    """All 2^size strings of 0 and 1, lexicographic, [2^size, size]."""
    return np.array(list(itertools.product((0, 1), repeat=size)))


def path_probability(tokens: np.ndarray | tuple[int, ...], p: Any, q: Any) -> Any:
    """P(x_1..x_m): the stationary law of x_1 times one switching probability a step."""
    chance = (p if tokens[0] == 1 else q) / (p + q)
    for before, after in itertools.pairwise(tokens):
        leave = p if before == 0 else q
        chance = chance * (leave if before != after else 1 - leave)
    return chance


def bce(logit: np.ndarray, target: np.ndarray) -> np.ndarray:
    """-ln of the probability sigmoid(logit) gives to the target; complex logits allowed."""
    if not np.iscomplexobj(logit):
        softplus = np.logaddexp(0, logit)
    else:  # ln(1 + exp(l)) = max(l, 0) + ln(1 + exp(-|l|))
        positive = np.real(logit) > 0
        softplus = np.log1p(np.exp(np.where(positive, -logit, logit)))
        softplus = softplus + np.where(positive, logit, 0 * logit)
    return np.asarray(softplus - target * logit)


def naive_loss(weights: Weights, p: float, q: float, length: int) -> Any:
    """L over all 2^(N+1) sequences, the last symbol a target only: (1/N) sum P sum_n BCE.

    A number in nats: float64, or complex128 where a weight is complex.
    """
    paths = sequences(length + 1)
    chances = np.array([path_probability(tuple(path), p, q) for path in paths])
    terms = bce(naive_logits(weights, paths[:, :-1]), paths[:, 1:])
    return chances @ terms.mean(axis=-1)


def naive_gradient(
    weights: Weights, p: float, q: float, length: int, layout: Layout | None = None
) -> np.ndarray:
    """dL/dtheta of `naive_loss` by imaginary steps of 1e-30: no subtraction, no truncation.

    The order of theta is that of `layout`, or else of the weights.
    """
    layout = layout or {name: np.shape(value) for name, value in weights.items()}
    theta = flatten(weights, layout)
    gradient = np.zeros(len(theta))
    for index in range(len(theta)):
        step = theta.astype(np.complex128)
        step[index] += 1e-30j
        gradient[index] = np.imag(naive_loss(unflatten(step, layout), p, q, length)) / 1e-30
    return gradient


def naive_hessian_product(
    weights: Weights,
    direction: Weights,
    p: float,
    q: float,
    length: int,
    layout: Layout | None = None,
    step: float = 1e-4,
) -> np.ndarray:
    """H v by the sixth-order central difference of `naive_gradient` along v.

    Truncation is step^6/140 of the seventh derivative along v, 7e-27 of it at 1e-4; round-off
    is about 2 eps/step of the gradient's terms, 4e-12 of them. No relu may switch within 3 steps.
    """
    layout = layout or {name: np.shape(value) for name, value in weights.items()}
    theta, v = flatten(weights, layout), flatten(direction, layout)
    total = np.zeros(len(theta))
    for multiple, weight in ((1, 45), (2, -9), (3, 1)):
        for sign in (1, -1):
            moved = unflatten(theta + sign * multiple * step * v, layout)
            total += sign * weight * naive_gradient(moved, p, q, length, layout)
    return total / (60 * step)


def naive_divergence(weights: Weights, p: float, q: float, length: int, reference: str) -> float:
    """(1/N) sum_n E KL(prediction || reference), the reference "bigram" or "unigram", in nats."""
    total = 0.0
    for path in sequences(length):
        chance = path_probability(tuple(path), p, q)
        for token, logit in zip(path, naive_logits(weights, path), strict=True):
            f = 1 / (1 + math.exp(-float(logit)))
            r = p / (p + q) if reference == "unigram" else (1 - q if token == 1 else p)
            total += chance * (f * math.log(f / r) + (1 - f) * math.log((1 - f) / (1 - r)))
    return total / length
