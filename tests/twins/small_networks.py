"""Small networks of S symbols in plain numpy, one of them between LayerNorms.

The loss is a sum over all paths, the Hessian complex steps inside differences
(`tests.twins.single_layer.hessian`), and J complex steps of the network.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tests.twins.chain_paths import covariances_of, paths_of
from tests.twins.single_layer import hessian, unflatten

Weights = dict[str, np.ndarray]
Tying = Literal["tied", "untied"]


def act(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    return np.asarray((matrix * vector[..., None, :]).sum(-1))


def plain(weights: Weights, u: list[np.ndarray]) -> list[np.ndarray]:
    """z_n = u_n + tanh(W u_n + V mean_{i<=n} u_i)."""
    means = [sum(u[1 : n + 1], start=u[0]) / (n + 1) for n in range(len(u))]
    return [
        x + np.tanh(act(weights["W"], x) + act(weights["V"], m))
        for x, m in zip(u, means, strict=True)
    ]


def normed(weights: Weights, u: list[np.ndarray]) -> list[np.ndarray]:
    """The same on normalised inputs, and its sum normalised with a gain g and a shift c."""

    def norm(x: np.ndarray) -> np.ndarray:
        x = x - x.mean(-1, keepdims=True)
        return np.asarray(x / np.sqrt((x * x).mean(-1, keepdims=True) + 0.1))

    inner = plain(weights, [norm(x) for x in u])
    return [norm(x + y) * weights["g"] + weights["c"] for x, y in zip(u, inner, strict=True)]


@dataclass(frozen=True)
class Network:
    forward: Callable[[Weights, list[np.ndarray]], list[np.ndarray]]
    tying: Tying
    width: int
    length: int
    kernel: np.ndarray  # [S, S], or [S^2, S] of order 2

    @property
    def states(self) -> int:
        return int(self.kernel.shape[1])

    @property
    def layout(self) -> dict[str, tuple[int, ...]]:
        d, S = self.width, self.states
        readout = {"A": (S, d)} if self.tying == "untied" else {}
        norm = {"g": (d,), "c": (d,)} if self.forward is normed else {}
        inner = {"positions": (self.length, d), "W": (d, d), "V": (d, d)}
        return {"b": (S,), **readout, "E": (S, d), **inner, **norm}

    @property
    def paths(self) -> tuple[np.ndarray, np.ndarray]:
        """All paths of N+1 symbols, and their probabilities at stationarity."""
        return paths_of(self.kernel, self.length + 1)

    @property
    def pi(self) -> np.ndarray:
        paths, chances = self.paths
        return np.array([chances[paths[:, 0] == s].sum() for s in range(self.states)])

    def weights(self, seed: int) -> Weights:
        rng = np.random.default_rng(seed)
        drawn = {name: 0.7 * rng.normal(size=shape) for name, shape in self.layout.items()}
        drawn |= {"b": np.log(self.pi), "E": 0 * drawn["E"]}
        if self.tying == "untied":
            drawn["A"] = 0 * drawn["A"]
        return drawn

    def loss(self, theta: np.ndarray) -> np.ndarray:
        weights = unflatten(theta, self.layout)
        A, E = weights.get("A", weights["E"]), weights["E"]
        total = 0 * theta[..., 0]
        for path, chance in zip(*self.paths, strict=True):
            u = [E[..., x, :] + weights["positions"][..., n, :] for n, x in enumerate(path[:-1])]
            for z, target in zip(self.forward(weights, u), path[1:], strict=True):
                logits = act(A, z) + weights["b"]
                total = total + chance * (np.log(np.exp(logits).sum(-1)) - logits[..., target])
        return np.asarray(total / self.length)

    def hessian(self, weights: Weights) -> np.ndarray:
        theta = np.concatenate([weights[name].reshape(-1) for name in self.layout])
        return hessian(theta, self.loss)

    def slopes(self, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
        """z and J at u = p, by imaginary steps."""
        N, d = self.length, self.width
        z = np.stack(self.forward(weights, list(weights["positions"])))
        J = np.zeros((N, N, d, d))
        for i, k in itertools.product(range(N), range(d)):
            moved = weights["positions"].astype(complex)
            moved[i, k] += 1e-30j
            J[:, i, :, k] = np.imag(self.forward(weights, list(moved))) / 1e-30
        return z, J

    def covariance(self) -> np.ndarray:
        """C_k from the paths' own probabilities; lag N is the last that can be asked for."""
        return covariances_of(*self.paths, self.length)


def kernel(states: int, order: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(states), size=states**order)
