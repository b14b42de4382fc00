"""The stationary law of a chain of contexts, and whether there is just one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components


def context_matrix(kernel: Float[np.ndarray, "C S"]) -> Float[np.ndarray, "C C"]:
    """Transition matrix of the last k symbols, C = S^k: context c goes to ``(c S + t) mod C``.

    >>> context_matrix(np.array([[0.8, 0.2], [0.3, 0.7], [0.5, 0.5], [1.0, 0.0]])).tolist()
    [[0.8, 0.2, 0.0, 0.0], [0.0, 0.0, 0.3, 0.7], [0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]
    """
    size, states = kernel.shape
    number = np.arange(size)[:, None]
    matrix = np.zeros((size, size))
    matrix[number, (number * states + np.arange(states)) % size] = kernel
    return matrix


def closed_classes(matrix: Float[np.ndarray, "C C"]) -> list[Int[np.ndarray, " members"]]:
    """The recurrent classes: sets of states that reach each other and are never left.

    >>> [part.tolist() for part in closed_classes(np.array([[0.5, 0.5], [0.0, 1.0]]))]
    [[1]]
    """
    count, label = connected_components(csr_array(matrix > 0), directed=True, connection="strong")
    source, target = np.nonzero(matrix)
    left = np.unique(label[source[label[source] != label[target]]])
    parts = [np.flatnonzero(label == part) for part in range(count) if part not in left]
    return sorted(parts, key=lambda members: int(members[0]))


def irreducible_law(matrix: Float[np.ndarray, "*rows C C"]) -> Float[np.ndarray, "*rows C"]:
    """Stationary law pi = pi P of irreducible chains, by elimination without a subtraction.

    The last state is folded into the others until one is left; the diagonal is not used. Every
    entry is accurate to a few roundings relative to itself, however small it is.

    Source: Grassmann, Taksar and Heyman, *Regenerative analysis and steady state distributions for
    Markov chains*, Operations Research 33 (1985).

    >>> irreducible_law(np.array([[0.5, 0.5], [0.5, 0.5]])).tolist()
    [0.5, 0.5]
    """
    folded = matrix.copy()
    size = matrix.shape[-1]
    for last in range(size - 1, 0, -1):
        leaving = folded[..., last, :last].sum(-1)
        folded[..., :last, last] /= leaving[..., None]
        folded[..., :last, :last] += folded[..., :last, last, None] * folded[..., None, last, :last]
    law = np.zeros(matrix.shape[:-1])
    law[..., 0] = 1
    for state in range(1, size):
        law[..., state] = (law[..., :state] * folded[..., :state, state]).sum(-1)
    return np.asarray(law / law.sum(-1, keepdims=True))


def stationary_contexts(kernel: Float[np.ndarray, "C S"]) -> Float[np.ndarray, " C"]:
    """Stationary law of the last k symbols under a kernel that has a single recurrent class.

    >>> stationary_contexts(np.array([[0.0, 1.0], [0.0, 1.0]])).tolist()
    [0.0, 1.0]
    """
    matrix = context_matrix(kernel)
    (members,) = closed_classes(matrix)
    law = np.zeros(len(kernel))
    law[members] = irreducible_law(matrix[np.ix_(members, members)])
    return law
