"""The slow twin of the single-layer model: every sequence with its target, plain numpy.

No code, no array library and no identity of `landscape` or `theory` is used here: no score table,
no conditional mean in place of the target, no automatic differentiation. Arrays may be float64,
complex128 (derivatives by an imaginary step) or object arrays of mpmath numbers, and weights may
have leading axes, for many models at once.
"""

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import mpmath
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
        weights[name] = theta[..., start : start + size].reshape((*theta.shape[:-1], *shape))
        start += size
    return weights


def arrays(params: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The tensors of a model as plain arrays."""
    return {name: value.detach().numpy() for name, value in params.items()}


def naive_logits(
    weights: Weights,
    tokens: np.ndarray | tuple[int, ...],
    exp: Callable[[Any], Any] | None = None,
    seen: list[dict[str, Any]] | None = None,
) -> np.ndarray:
    """Logits after x_1..x_n, n = 1..N, position by position and query by query; tied if no readout.

    `tokens` is [..., N] of 0 and 1, and the answer [..., N]: leading axes are independent
    sequences, which share nothing but the weights. The relu passes a complex number whose real
    part is positive. The softmax subtracts its largest real score. What happens at each position
    on the way is put into `seen`.
    """
    rows, e, positions = np.atleast_2d(tokens), weights["embedding"], weights["positions"]
    readout = weights.get("readout", e)
    d, length, digits = e.shape[-1], rows.shape[-1], positions.dtype == object
    exp = exp or (np.frompyfunc(mpmath.exp, 1, 1) if digits else np.exp)
    root = mpmath.sqrt(d) if digits else math.sqrt(d)

    def act(name: str, vector: np.ndarray) -> np.ndarray:
        return vector @ np.swapaxes(weights[name], -1, -2)

    u = [rows[..., n, None] * e[..., None, :] + positions[..., n, None, :] for n in range(length)]
    logits = []
    for n in range(length):
        query = act("query", u[n])
        scores = [(query * act("key", u[i])).sum(-1) / root for i in range(n + 1)]
        largest = np.max([np.real(score) for score in scores], axis=0)
        unnormalised = [exp(score - largest) for score in scores]
        total = sum(unnormalised[1:], start=unnormalised[0])
        mixed = 0 * u[n]
        for i in range(n + 1):
            mixed = mixed + (unnormalised[i] / total)[..., None] * act("value", u[i])
        added = act("output", mixed)
        y = u[n] + added
        before = act("hidden_in", y)
        z = y + act("hidden_out", np.where(np.real(before) > 0, before, 0 * before))
        logits.append((z * readout[..., None, :]).sum(-1) + np.asarray(weights["bias"])[..., None])
        if seen is not None:
            shares = [one / total for one in unnormalised]
            seen.append({"shares": shares, "added": added, "stream": u[n], "before": before})
    found = np.stack(logits, axis=-1)
    return found[..., 0, :] if np.ndim(tokens) == 1 else found


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
    if logit.dtype == object:
        softplus = np.frompyfunc(lambda f: mpmath.log(1 + mpmath.exp(f)), 1, 1)(logit)
    elif not np.iscomplexobj(logit):
        softplus = np.logaddexp(0, logit)
    else:  # ln(1 + exp(l)) = max(l, 0) + ln(1 + exp(-|l|))
        positive = np.real(logit) > 0
        softplus = np.log1p(np.exp(np.where(positive, -logit, logit)))
        softplus = softplus + np.where(positive, logit, 0 * logit)
    return np.asarray(softplus - target * logit)


def naive_loss(weights: Weights, p: float, q: float, length: int) -> Any:
    """L over all 2^(N+1) sequences, the last symbol a target only: (1/N) sum P sum_n BCE.

    A number in nats for each model: float64, or complex128 where a weight is complex.
    """
    paths = sequences(length + 1)
    chances = np.array([path_probability(tuple(path), p, q) for path in paths])
    terms = bce(naive_logits(weights, paths[:, :-1]), paths[:, 1:])
    return terms.mean(axis=-1) @ chances


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

    def gradient(moved: np.ndarray) -> np.ndarray:
        return naive_gradient(unflatten(moved, layout), p, q, length, layout)

    return sixth_order(gradient, theta, v, step)


def sixth_order(
    f: Callable[[np.ndarray], np.ndarray], at: np.ndarray, along: np.ndarray, step: float
) -> np.ndarray:
    """The derivative of f along a direction, by central differences of six points."""
    steps = ((45, step * along), (-9, 2 * step * along), (1, 3 * step * along))
    total: np.ndarray = sum(c * (f(at + h) - f(at - h)) for c, h in steps) / (60 * step)
    return total


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


def hessian(theta: np.ndarray, loss: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The Hessian by complex steps inside a sixth-order central difference.

    The first derivative is exact (imaginary step 1e-30). The second has truncation k^6/140 of the
    seventh derivative, 5e-19 of it at k = 2e-3, and round-off eps/k, 1e-13 of the gradient's terms.
    """
    unit = np.eye(len(theta))

    def gradient(at: np.ndarray) -> np.ndarray:
        return np.asarray(loss(at + 1e-30j * unit).imag / 1e-30)

    H = np.array([sixth_order(gradient, theta, row, 2e-3) for row in unit])
    return np.asarray((H + H.T) / 2)


def head_first(weights: Weights) -> dict[str, tuple[int, ...]]:
    """The shapes of the weights in the order of theory's block: bias, readout, embedding, rest."""
    names = dict.fromkeys(("bias", "readout", "embedding", *weights))
    return {name: np.shape(weights[name]) for name in names if name in weights}


def single_layer_hessian(weights: Weights, *, p: float, q: float, length: int) -> np.ndarray:
    """That of `naive_loss`, its rows in the order of `head_first`."""
    layout = head_first(weights)

    def loss(theta: np.ndarray) -> np.ndarray:
        return np.asarray(naive_loss(unflatten(theta, layout), p, q, length))

    return hessian(flatten(weights, layout), loss)
