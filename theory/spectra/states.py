"""The Hessian spectrum at the unigram point of any causal model on S symbols, its zeros counted.

A softmax does not see a constant added to all logits, and C_k 1 = 0 = C_k^T 1. So the block of
`theory.spectra.universal_law` vanishes on 1 (x) R^{1+d} of (b, A), and untied on 1 (x) R^d of E
too. On the complement the symbol is coded by S-1 contrasts, and the block is the same formula
again: what is left out are exact zeros, and not small eigenvalues.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float

from theory.spectra.predicted_spectrum import PredictedSpectrum, count_signs
from theory.spectra.universal_law import Tying, universal_block

Head = Literal["softmax", "logit"]

ROUNDINGS = 64

CLAIMED = 1e-9
"""How far from 0, relative to the largest entry, what is claimed to vanish may be: far above the
round-off of a deep network's slopes, and far below what any other direction does."""


def contrasts(states: int) -> Float[np.ndarray, "S S-1"]:
    """An orthonormal basis of the vectors of R^S that sum to 0 (Helmert's).

    >>> (contrasts(2) * 2**0.5).round(12).tolist()
    [[1.0], [-1.0]]
    """
    basis = np.zeros((states, states - 1))
    for k in range(1, states):
        basis[:k, k - 1] = 1 / np.sqrt(k * (k + 1))
        basis[k, k - 1] = -k / np.sqrt(k * (k + 1))
    return basis


def gauge_nullity(width: int, *, tying: Tying) -> int:
    """How many zeros the softmax's own symmetry puts into the block: d+1 tied, 2d+1 untied.

    >>> gauge_nullity(4, tying="tied"), gauge_nullity(4, tying="untied")
    (5, 9)
    """
    return 1 + width if tying == "tied" else 1 + 2 * width


def states_spectrum(
    z: Float[np.ndarray, "N d"],
    J: Float[np.ndarray, "N N d d"],
    covariance: Float[np.ndarray, "N+1 S S"],
    *,
    tying: Tying,
    parameters: int,
    head: Head = "softmax",
    degenerate: bool = False,
    silent: Float[np.ndarray, "d r"] | None = None,
    redundant: Float[np.ndarray, "1+d s"] | None = None,
    inputs: str = "the given z, J and lag covariances",
) -> PredictedSpectrum:
    """The Hessian spectrum at the unigram point of a causal model on any stationary source.

    The eigenvalues are those of the block of `universal_block` across its exact null space. The
    point is a saddle where one is negative, and a local minimum (strict across that null space,
    Morse-Bott) where all are positive. With independent symbols it is 'degenerate': unigram and
    optimum coincide. Otherwise the second order leaves it 'undecided'. A negative eigenvalue that
    rounding hides is told where the structure of the block shows it.

    Arguments:
        z, J: as in `universal_block`.
        covariance: [N+1, S, S], C_k[t, s] = Cov(1{x_i=t}, 1{x_{i+k}=s}) for k = 0..N.
        tying: 'tied' or 'untied'.
        parameters: D, how many parameters the model has.
        head: 'softmax' over the S symbols, or 'logit', the one logit of a binary model.
        degenerate: whether the symbols are independent; C_k is then 0 for k > 0.
        silent: [d, r], input directions w that no z_n depends on, J_{n,i} w = 0 at all inputs. A
            LayerNorm before every layer and at the end makes (1, ..., 1) silent.
        redundant: [1+d, r], the (beta, w) with beta + <w, z_n> = 0 at all inputs, exactly. Like
            `silent` they are symmetries of the network, and their zeros are exact: untied
            c (x) (beta, w) in (b, A) and c (x) w in E, for any c in R^S; tied c (x) (beta, w)
            where w is both.
        inputs: which of the inputs were measured or given, for the record's method.

    Raises ValueError as `universal_block` does, where C_k 1 or C_k^T 1 is not 0, where a direction
    is not silent or not redundant at these z and J, for a logit head with S > 2, and for too small
    a D.
    Source: this project; the case of one layer and S = 2 is *Attention with Markov*.

    Three symbols that switch with probability .9, no weights and no positions: diag(pi)/N plus
    -2 C_1 on the contrasts, d times each:

    >>> P = np.full((3, 3), 0.45) - 0.35 * np.eye(3)
    >>> C = np.array([np.eye(3) / 3 - 1 / 9, P / 3 - 1 / 9])
    >>> z, J = np.zeros((1, 2)), np.eye(2)[None, None]
    >>> spectrum = states_spectrum(z, J, C, tying="tied", parameters=50)
    >>> spectrum.eigenvalues.round(4).tolist(), spectrum.inertia, spectrum.classification
    ([0.2333, 0.2333, 0.2333, 0.2333, 0.3333, 0.3333], (0, 44, 6), 'local minimum')
    """
    _check_covariance(covariance)
    states = covariance.shape[1]
    if head == "logit" and states != 2:
        raise ValueError(f"a model of one logit has 2 symbols, and the covariance {states}")
    if degenerate:
        covariance = np.concatenate([covariance[:1], np.zeros_like(covariance[1:])])
    Q = contrasts(states) if head == "softmax" else np.array([[0.0], [1.0]])
    coded = Q.T @ covariance @ Q
    block = universal_block(z, J, coded, tying=tying)
    across = _across(z, J, silent, redundant, tying=tying, size=Q.shape[1])
    eigenvalues = np.linalg.eigvalsh(across.T @ block @ across)
    inertia = count_signs(eigenvalues, parameters)
    if degenerate:
        word = "degenerate"
    elif inertia[0] or (
        inertia[2] < len(eigenvalues) and _indefinite(z, J, coded, redundant, tying)
    ):
        word = "saddle"
    else:
        word = "local minimum" if inertia[2] == len(eigenvalues) else "undecided"
    return PredictedSpectrum(
        eigenvalues=eigenvalues,
        parameters=parameters,
        zeros=inertia[1],
        inertia=inertia,
        classification=word,
        method=f"closed-form {'(b, E)' if tying == 'tied' else '(b, A, E)'} block of the universal "
        f"unigram law, its exact null space counted; inputs: {inputs}",
    )


def _indefinite(
    z: Float[np.ndarray, "N d"],
    J: Float[np.ndarray, "N N d d"],
    coded: Float[np.ndarray, "lags m m"],
    redundant: Float[np.ndarray, "1+d r"] | None,
    tying: Tying,
) -> bool:
    """Whether a curvature that is exactly 0 stands in a row of the block that is not.

    Such a block has a negative eigenvalue, however small: [[0, a], [a, b]] has determinant -a^2.
    Untied every curvature along E is 0, and the rows are T; tied that along a redundant w is, since
    neither <w, z_n> nor its slopes w^T J_{n,i} depend on the input.
    """
    size = float(np.abs(coded[1:]).max(initial=0.0) * np.abs(J).max())
    if size <= ROUNDINGS * np.finfo(np.float64).eps * np.abs(coded[0]).max() * np.abs(J).max():
        return False  # of lags that are round-off
    m, d = coded.shape[1], z.shape[1]
    A, E = slice(m, m + m * d), slice(m + m * d, None)
    T = -universal_block(z, J, coded, tying="untied")[A, E]
    if tying == "untied":
        return bool(np.abs(T).max() > CLAIMED * size)
    if redundant is None or not redundant.shape[1]:
        return False
    still = np.kron(np.eye(m), _orthonormal(redundant)[1:])
    rows = (T + T.T) @ still
    flat = np.abs((still * rows).sum(axis=0)) <= CLAIMED * size
    return bool((flat & (np.abs(rows).max(axis=0) > CLAIMED * size)).any())


def first_lag_criterion(C_1: Float[np.ndarray, "S S"]) -> str:
    """The name of the tied unigram point where every z_n moves with its own input alone, J = I.

    With M the symmetric part of C_1 = diag(pi) P - pi pi^T on the vectors that sum to 0: a local
    minimum if M is negative definite, a saddle if it has a positive eigenvalue, else 'undecided'
    at second order. Positions that do not vary (Cov_n z = 0) are assumed, as in a network without
    weights and positions.

    Source: this project. Of a switching chain M = (1 - pS/(S-1))/S: minimum if p > (S-1)/S.

    >>> P = np.full((3, 3), 0.45) - 0.35 * np.eye(3)
    >>> first_lag_criterion(P / 3 - 1 / 9)
    'local minimum'
    """
    Q = contrasts(len(C_1))
    eigenvalues = np.linalg.eigvalsh(Q.T @ (C_1 + C_1.T) @ Q / 2)
    # C_1 itself is a difference of numbers of size 1/S
    bound = ROUNDINGS * np.finfo(np.float64).eps
    if eigenvalues[-1] > bound:
        return "saddle"
    return "local minimum" if eigenvalues[-1] < -bound else "undecided"


def _check_covariance(covariance: Float[np.ndarray, "lags S S"]) -> None:
    sums = max(np.abs(covariance.sum(axis=1)).max(), np.abs(covariance.sum(axis=2)).max())
    if not sums <= CLAIMED:
        raise ValueError(
            f"covariance has a row or column that sums to {sums:.1e}: "
            "the indicators of all symbols sum to 1, so give C_k with C_k 1 = 0 and C_k^T 1 = 0"
        )


def _across(
    z: Float[np.ndarray, "N d"],
    J: Float[np.ndarray, "N N d d"],
    silent: Float[np.ndarray, "d r"] | None,
    redundant: Float[np.ndarray, "1+d s"] | None,
    *,
    tying: Tying,
    size: int,
) -> Float[np.ndarray, "k free"]:
    """Orthonormal columns across the exact null space, in the coordinates of the block."""
    width = z.shape[1]
    still = np.zeros((width, 0)) if silent is None else _orthonormal(silent)
    bound = np.zeros((1 + width, 0)) if redundant is None else _orthonormal(redundant)
    constant = np.column_stack([np.ones(len(z)), z])
    moved = np.abs(J @ still).max(initial=0.0)
    if moved > CLAIMED * np.abs(J).max():
        raise ValueError(f"silent has a direction along which z moves by {moved:.1e}: leave it out")
    varied = np.abs(constant @ bound).max(initial=0.0)
    if varied > CLAIMED * np.abs(constant).max():
        raise ValueError(f"redundant has (beta, w) with beta + <w, z_n> = {varied:.1e}, not 0")
    if tying == "tied":
        # a combination of redundant ones whose w is silent too
        loud = bound[1:] - still @ (still.T @ bound[1:])
        read = _complement(bound @ _null(loud))
    else:
        read = _complement(bound)
    units = np.eye(size)
    head = np.vstack([np.kron(units, read[:1]), np.kron(units, read[1:])])
    if tying == "tied":
        return head
    embedded = np.kron(units, _complement(still))
    across = np.zeros((len(head) + len(embedded), head.shape[1] + embedded.shape[1]))
    across[: len(head), : head.shape[1]] = head
    across[len(head) :, head.shape[1] :] = embedded
    return across


def _orthonormal(columns: Float[np.ndarray, "k r"]) -> Float[np.ndarray, "k r"]:
    return np.asarray(np.linalg.qr(columns)[0])


def _null(matrix: Float[np.ndarray, "k r"]) -> Float[np.ndarray, "r free"]:
    """Orthonormal basis of the vectors that a matrix of norm at most 1 takes to 0, as claimed.

    Silent directions are measured from slopes, which may be far below 1: of slopes of 1e-2 the
    direction is known to 1e-13 only.
    """
    if not matrix.shape[1]:
        return np.zeros((0, 0))
    _, values, rows = np.linalg.svd(matrix)
    rank = int((values > CLAIMED).sum())
    return np.asarray(rows[rank:].T)


def _complement(columns: Float[np.ndarray, "k r"]) -> Float[np.ndarray, "k free"]:
    """Orthonormal basis of what is orthogonal to orthonormal columns."""
    return np.asarray(np.linalg.qr(columns, mode="complete")[0][:, columns.shape[1] :])
