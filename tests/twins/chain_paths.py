"""All paths of a chain of any order with their probabilities, and the covariances they have."""

import itertools
import math

import numpy as np


def paths_of(kernel: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """All paths of so many symbols, and their probabilities at stationarity; S^k rows of kernel."""
    contexts, states = kernel.shape
    order = round(math.log(contexts, states))
    matrix = np.zeros((contexts, contexts))
    for c, t in itertools.product(range(contexts), range(states)):
        matrix[c, (c * states + t) % contexts] += kernel[c, t]
    for _ in range(40):  # the law of k symbols after very many steps
        matrix = matrix @ matrix
        matrix /= matrix.sum(axis=1, keepdims=True)
    paths = np.array(list(itertools.product(range(states), repeat=size)))
    rows = [paths[:, n : n + order] @ states ** np.arange(order)[::-1] for n in range(size - order)]
    chances = matrix[0][paths[:, :order] @ states ** np.arange(order)[::-1]]
    for n, row in enumerate(rows, start=order):
        chances = chances * kernel[row, paths[:, n]]
    return paths, chances


def covariances_of(paths: np.ndarray, chances: np.ndarray, length: int) -> np.ndarray:
    """Cov(1{x_1=t}, 1{x_{1+k}=s}) for k = 0..length."""
    onehot = np.eye(paths.max() + 1)[paths]
    first = chances[:, None] * onehot[:, 0]
    pi = first.sum(axis=0)
    return np.array([first.T @ onehot[:, k] - np.outer(pi, pi) for k in range(length + 1)])
