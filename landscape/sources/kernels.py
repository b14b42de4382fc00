"""Kernels and laws: read, checked row by row, drawn; and the stationary law, if there is one."""

import logging
import math
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from landscape.sources.table_file import LARGEST_TABLE, kernel_table

_log = logging.getLogger(__name__)

ROUNDINGS = 8
"""How many eps a state the sum of a row may be off 1."""


MOST_CONCENTRATED = 1e6
"""The largest Dirichlet concentration: rows are then uniform to a thousandth."""


MOST_CONTEXTS = 2**11
"""Most contexts of a kernel: its stationary law is found in S^3k steps, some seconds of them."""


def check_size(states: int, order: int, largest: int = LARGEST_TABLE) -> None:
    """Refuse a table of laws, one for each of S^k contexts, of more numbers than the largest.

    The contexts are bounded too: their transitions are a matrix of S^k by S^k.

    >>> check_size(10**5, 1)
    Traceback (most recent call last):
        ...
    ValueError: states=100000, order=1: a kernel of 100000^1 rows of 100000 numbers is too ...
    """
    numbers, contexts = ((order + k) * math.log(states) for k in (1, 0))
    if numbers > math.log(largest) + 1e-9 or contexts > math.log(MOST_CONTEXTS) + 1e-9:
        raise ValueError(
            f"states={states}, order={order}: a kernel of {states}^{order} rows of {states} "
            f"numbers is too large; give fewer states or a lower order, so that it holds at most "
            f"{largest} numbers in {MOST_CONTEXTS} rows"
        )


def numbers(name: str, values: ArrayLike) -> Float[np.ndarray, "..."]:
    """Values as a float64 array of their own, or a ValueError that names them."""
    try:
        if np.iscomplexobj(values):
            raise ValueError("it holds complex numbers")
        return np.array(values, dtype=np.float64)
    except OverflowError:
        raise ValueError(f"{name} holds a number that is too large for float64") from None
    except (TypeError, ValueError) as problem:
        raise ValueError(f"{name} is no array of numbers: {problem}") from None


def whole_number(name: str, value: int, least: int) -> int:
    """An integer of at least `least`, or a ValueError that names it.

    >>> whole_number("states", 3, 2)
    3
    """
    if isinstance(value, bool) or int(value) != value or value < least:
        raise ValueError(f"{name}={value} is out of range; give an integer of at least {least}")
    return int(value)


def concentration_of(value: float) -> float:
    """A Dirichlet concentration: positive and finite, or a ValueError."""
    if not 0 < value <= MOST_CONCENTRATED:
        raise ValueError(
            f"concentration={value} is out of range; give a number above 0 and at most "
            f"{MOST_CONCENTRATED:g}, 1 for a uniform prior"
        )
    return float(value)


def probability_rows(name: str, rows: Float[np.ndarray, "rows S"]) -> Float[np.ndarray, "rows S"]:
    """Rows that are probability laws, each divided by its correctly rounded sum.

    Raises:
        ValueError: for an entry that is negative, above 1 or NaN, or for a row whose sum is not 1
            to within 8 eps a state.

    >>> probability_rows("kernel", np.full((1, 10), 0.1)).tolist()[0][:2]
    [0.1, 0.1]
    """
    allowed = ROUNDINGS * rows.shape[1] * float(np.finfo(np.float64).eps)
    wrong = np.argwhere(~((rows >= 0) & (rows <= 1 + allowed)))
    if len(wrong):
        row, column = wrong[0]
        place = f"{name}[{column}]" if len(rows) == 1 else f"{name}[{row}, {column}]"
        raise ValueError(
            f"{place}={rows[row, column]} is no probability; give numbers from 0 to 1"
            + (" (source.normalise = true divides rows of counts)" if len(rows) > 1 else "")
        )
    sums = [math.fsum(row) for row in rows]
    refuse_columns(name, rows)
    for number, total in enumerate(sums):
        if abs(total - 1) > allowed:
            place = name if len(rows) == 1 else f"row {number} of {name}"
            raise ValueError(
                f"{place} sums to {total!r}, not to 1 (allowed error {allowed:.1e}); "
                f"give a law, if need be divided by its sum in float64"
                + (" (source.normalise = true does it)" if len(rows) > 1 else "")
            )
    return np.asarray(rows / np.array(sums)[:, None])


def refuse_columns(name: str, rows: Float[np.ndarray, "rows S"]) -> None:
    """Refuse a square table whose columns sum to 1, and whose rows do not: P[t, s] for P[s, t].

    To divide its rows by their sums would make another chain of it.

    Raises:
        ValueError: naming the remedy, to transpose it.

    >>> refuse_columns("kernel", np.array([[0.25, 0.5], [0.75, 0.5]]))
    Traceback (most recent call last):
        ...
    ValueError: kernel is column-stochastic: its columns sum to 1 and its rows do not; transpose it
    """
    if len(rows) != rows.shape[1]:
        return
    printed = min(0.05, 0.005 * len(rows))  # what sums of S numbers of two digits may be off
    with np.errstate(over="ignore"):
        across, down = (np.abs(rows.sum(axis) - 1).max() for axis in (1, 0))
    if down <= printed < across:
        raise ValueError(
            f"{name} is column-stochastic: its columns sum to 1 and its rows do not; transpose it"
        )


def normalised(kernel: ArrayLike) -> Float[np.ndarray, "..."]:
    """Rows of counts, or of rounded probabilities, each divided by its sum; laws are left as given.

    Raises:
        ValueError: for an entry that is negative or not finite, a row of zeros, or a table that is
            column-stochastic.

    >>> normalised([[3, 1], [0.5, 0.5]]).tolist()
    [[0.75, 0.25], [0.5, 0.5]]
    """
    array = numbers("kernel", kernel)
    if array.ndim < 2:
        raise ValueError(f"kernel of shape {array.shape} has no rows; give a list of rows")
    rows = array.reshape(-1, array.shape[-1])
    wrong = np.argwhere(~((rows >= 0) & np.isfinite(rows)))
    if len(wrong):
        row, column = wrong[0]
        raise ValueError(
            f"kernel[{row}, {column}]={rows[row, column]} is no count and no probability; give "
            "finite numbers of at least 0"
        )
    refuse_columns("kernel", rows)
    largest = rows.max(1, keepdims=True, initial=0.0)
    empty = np.flatnonzero(largest[:, 0] == 0)
    if len(empty):
        raise ValueError(
            f"row {empty[0]} of kernel is all zeros, and has no law; give a count for it, or leave "
            "the symbol out"
        )
    sums = np.array([math.fsum(row) for row in rows])[:, None]
    law = np.abs(sums - 1) <= ROUNDINGS * rows.shape[1] * float(np.finfo(np.float64).eps)
    scaled = rows / largest  # counts of any size
    shares = scaled / np.array([math.fsum(row) for row in scaled])[:, None]
    return np.asarray(np.where(law, rows, shares).reshape(array.shape))


def square_kernel(kernel: ArrayLike) -> Float[np.ndarray, "S S"]:
    """The kernel of an irreducible first-order chain, ``P[s, t] = P(x_{n+1}=t | x_n=s)``.

    Raises:
        ValueError: if it is not square, has fewer than 2 states, a row is no law, or some state
            cannot be reached from another.
    """
    array = numbers("kernel", kernel)
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise ValueError(f"kernel of shape {array.shape} is not square; give S rows of S numbers")
    if len(array) < 2:
        raise ValueError(f"kernel of shape {array.shape} has too few states; give at least 2")
    check_size(len(array), 1)
    rows = probability_rows("kernel", array)
    closed = closed_classes(rows)[0]
    outside = np.setdiff1d(np.arange(len(rows)), closed)
    if len(outside):
        raise ValueError(
            f"kernel is reducible: state {outside[0]} cannot be reached from state {closed[0]}; "
            f"give a kernel in which every state leads to every other in some number of steps"
        )
    return rows


def context_kernel(kernel: ArrayLike) -> Float[np.ndarray, "C S"]:
    """A kernel on the S^k contexts of length k, ``[S^k, S]`` or ``[S, ..., S]``, as ``[S^k, S]``.

    Raises:
        ValueError: for another shape, fewer than 2 states, or a row that is no law.
    """
    array = numbers("kernel", kernel)
    states = array.shape[-1] if array.ndim > 1 else 0
    if array.ndim < 2 or (array.ndim > 2 and set(array.shape) != {states}):
        raise ValueError(
            f"kernel of shape {array.shape} is no kernel on contexts; "
            f"give [S^k, S], or k+1 axes of S numbers each"
        )
    if states < 2:
        raise ValueError(f"kernel of shape {array.shape} has too few states; give at least 2")
    rows = array.reshape(-1, states)
    size, order = states, 1
    while size < len(rows):
        size, order = size * states, order + 1
    check_size(states, order)
    if size != len(rows):
        raise ValueError(
            f"kernel of shape {array.shape} has {len(rows)} rows, which is no power of its "
            f"{states} states; give one row for each of the S^k contexts"
        )
    return probability_rows("kernel", rows)


def start_law(start: ArrayLike, states: int, order: int = 1) -> Float[np.ndarray, " C"]:
    """Law of the first k symbols: S^k numbers, or S numbers for k independent symbols of that law.

    Raises:
        ValueError: for another number of entries, or numbers that are no law.

    >>> start_law([0.25, 0.75], 2, order=2).tolist()
    [0.0625, 0.1875, 0.1875, 0.5625]
    """
    given = numbers("start", start).reshape(1, -1)
    size = states**order
    if given.size not in (states, size):
        allowed = f"{size} numbers" if order == 1 else f"{size} numbers, or {states}"
        raise ValueError(f"start has {given.size} entries; give a law of {allowed}")
    law = single = probability_rows("start", given)[0]
    while len(law) < size:
        law = np.kron(law, single)
    return np.asarray(law)


def kernel_file(path: str | Path) -> Float[np.ndarray, "..."]:
    """The array of a .npy file, or the rows of a text file; a warning says what was converted.

    Raises:
        ValueError: if the file is missing, has another ending, or holds no array of numbers.
    """
    table = kernel_table(path)
    if table.notes:
        _log.warning("kernel file %r: %s", str(path), "; ".join(table.notes))
    return table.array


def dirichlet_rows(
    rows: int, states: int, *, concentration: float, seed: int
) -> Float[np.ndarray, "{rows} {states}"]:
    """Independent rows of law Dirichlet(a, ..., a): a = 1 is uniform, a small one nearly a map.

    >>> bool((dirichlet_rows(2, 3, concentration=1.0, seed=0).sum(1).round(12) == 1).all())
    True
    """
    alpha = np.full(states, concentration_of(concentration))
    generator = np.random.default_rng(whole_number("seed", seed, 0))
    return np.asarray(generator.dirichlet(alpha, size=rows))


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
