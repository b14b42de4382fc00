"""A chain of any order on S symbols, from its kernel: law, lag covariances, unigram loss.

Probabilities are fractions as they were written until the linear system for the stationary law,
which is solved with 50 digits; floats come last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
from jaxtyping import Float

from theory.exact import Number, as_written
from theory.precision import workdps

DIGITS = 50

Kernel = Sequence[Sequence[Number]]


@dataclass(frozen=True)
class Chain:
    """The numbers of a stationary chain that the unigram law needs.

    Fields:
        stationary: [S], the law pi of one symbol.
        covariance: [N+1, S, S], C_k[t, s] = Cov(1{x_i=t}, 1{x_{i+k}=s}) for k = 0..N; for a
            first-order kernel P that is diag(pi) P^k - pi pi^T.
        degenerate: whether the symbols are independent, decided without rounding.
        unigram_loss: H_u = -sum_s pi_s ln pi_s, in nats.
    """

    stationary: Float[np.ndarray, " S"]
    covariance: Float[np.ndarray, "lags S S"]
    degenerate: bool
    unigram_loss: float


def chain_of(kernel: Kernel, *, length: int, lag: int = 1) -> Chain:
    """The chain of a kernel on contexts, started at stationarity.

    Arguments:
        kernel: S^k rows of S numbers, ``K[c][t] = P(x_{n+1}=t | x_{n+1-k}..x_n = c)``, the oldest
            symbol slowest. Each row is divided by its exact sum.
        length: N, the largest lag that is asked for.
        lag: with lag l > 1 the kernel is of order 1 and x_{n+1} depends on x_{n+1-l} alone: l
            interleaved independent chains, whose covariance is that of the chain at k/l where l
            divides k, and 0 elsewhere.

    Raises ValueError for a kernel of another shape, a negative entry, more than one stationary law,
    or a lag above 1 of a kernel of order above 1.

    >>> chain_of([[0.5, 0.5], [0.8, 0.2]], length=1).covariance.round(4).tolist()
    [[[0.2367, -0.2367], [-0.2367, 0.2367]], [[-0.071, 0.071], [0.071, -0.071]]]
    """
    rows = exact_rows(kernel)
    states = len(rows[0])
    if lag > 1 and len(rows) != states:
        raise ValueError(
            f"lag = {lag} with a kernel of {len(rows)} rows: give the {states} x {states} kernel "
            "of the interleaved chains"
        )
    with workdps(DIGITS):
        K = _read(rows)
        contexts = _stationary_contexts(K)
        joint = _by_last(contexts, states)  # [t, c]: P(x_i = t, context at i + k = c)
        pi = joint.sum(axis=1)
        product = np.outer(pi, pi)
        covariance = np.zeros((length + 1, states, states))
        degenerate = all(row == rows[0] for row in rows)
        for k in range(0, length + 1, lag):
            if k and degenerate:
                break
            covariance[k] = (_ends(joint) - product).astype(np.float64)
            spread = (joint[:, :, None] * K).reshape(states, states, -1)
            joint = spread.sum(axis=1)  # the oldest symbol is forgotten
        return Chain(pi.astype(np.float64), covariance, degenerate, law_entropy(pi))


def law_entropy(law: Sequence[Any] | np.ndarray) -> float:
    """-sum_s pi_s ln pi_s in nats, with 0 ln 0 = 0: the loss of always answering pi.

    >>> law_entropy([0.5, 0.5, 0.0]) == float(mpmath.log(2))
    True
    """
    with workdps(DIGITS):
        exact = [mpmath.mpf(x) for x in law]
        return float(-mpmath.fsum(x * mpmath.log(x) for x in exact if x))


def exact_rows(kernel: Kernel) -> list[list[Fraction]]:
    """The rows as fractions that sum to 1 exactly.

    >>> exact_rows([[0.1, 0.9], [0.3, 0.7]])[0]
    [Fraction(1, 10), Fraction(9, 10)]
    """
    rows = [[as_written("kernel", entry) for entry in row] for row in kernel]
    states = len(rows[0]) if rows else 0
    size = states
    while 1 < size < len(rows):
        size *= states
    if states < 2 or size != len(rows) or any(len(row) != states for row in rows):
        raise ValueError(
            f"kernel has {len(rows)} rows of {sorted({len(row) for row in rows})} numbers: "
            "give S^k rows of S numbers, S at least 2"
        )
    if any(entry < 0 for row in rows for entry in row) or not all(map(any, rows)):
        raise ValueError("kernel has a negative entry or an empty row: give probabilities")
    return [[entry / total for entry in row] for row in rows for total in [sum(row)]]


def _read(rows: list[list[Fraction]]) -> np.ndarray:
    exact = [[mpmath.mpf(x.numerator) / x.denominator for x in row] for row in rows]
    return np.array(exact, dtype=object)


def _stationary_contexts(K: np.ndarray) -> np.ndarray:
    """The law of k symbols in a row: pi (P - I) = 0, one equation replaced by sum pi = 1."""
    size, states = K.shape
    system = mpmath.zeros(size)
    for c in range(size):
        system[c, c] -= 1
        for t in range(states):
            system[(c * states + t) % size, c] += K[c, t]
    right = mpmath.zeros(size, 1)
    for c in range(size):
        system[size - 1, c] = mpmath.mpf(1)
    right[size - 1] = mpmath.mpf(1)
    try:
        solution = mpmath.lu_solve(system, right)
    except ZeroDivisionError:
        raise ValueError(
            "kernel has more than one stationary law: give one with a single recurrent class"
        ) from None
    return np.array(list(solution), dtype=object)


def _by_last(contexts: np.ndarray, states: int) -> np.ndarray:
    """[t, c], the law of the context c where its last symbol is t, else 0."""
    last = np.arange(len(contexts)) % states
    return np.array([np.where(last == t, contexts, mpmath.mpf(0)) for t in range(states)])


def _ends(joint: np.ndarray) -> np.ndarray:
    """[t, s], the contexts summed by their last symbol s."""
    states = len(joint)
    summed: np.ndarray = joint.reshape(states, -1, states).sum(axis=1)
    return summed
