"""The universal unigram law: the Hessian at the unigram point of any causal model.

The network is Phi: z_n = Phi_n(u_1..u_n), u_i = E^T c(x_i) + p_i, with logits that are linear in
A z_n + b. The symbol x is coded by c(x) in R^m: by its one-hot vector (m = S, softmax head), or by
x itself (m = 1, the logit of a binary model). At A = E = 0 and the best b the prediction is the
stationary law pi whatever the other parameters are, and every second derivative of the loss is the
mean of one of two products: of the softmax's own curvature diag(pi) - pi pi^T with first
derivatives of the logits, or of pi - 1{x_{n+1}} with second ones. In the latter only what depends
on a symbol x_i survives the mean, as a lag n+1-i covariance. So the Hessian needs nothing of the
network but z and its Jacobian at u_i = p_i.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float

from theory.exact import Number, probability
from theory.spectra.predicted_spectrum import PredictedSpectrum, count_signs

__all__ = ["Tying", "universal_block"]

Tying = Literal["tied", "untied"]


def universal_block(
    z: Float[np.ndarray, "N d"],
    J: Float[np.ndarray, "N N d d"],
    covariance: Float[np.ndarray, "N+1 m m"],
    *,
    tying: Tying,
) -> Float[np.ndarray, "k k"]:
    """The only block of the Hessian at the unigram point that is not identically zero.

    With G = C_0 and T_{st} = (1/N) sum_n sum_{i<=n} C_{n+1-i}[t,s] J_{n,i}, a d x d matrix for each
    pair of components s, t of the code:

        H_{b_s,b_t} = G_st    H_{b_s,A_t} = G_st <z>^T    H_{A_s,A_t} = G_st <z z^T>
        H_{A_s,E_t} = -T_st   H_{E_s,E_t} = H_{b_s,E_t} = 0                              (untied)
        H_{E_s,E_t} = G_st <z z^T> - T_st - T_ts^T                                (tied: A is E)

    where <.> is the mean over positions. Tied, T_ts^T = (1/N) sum C_{n+1-i}[s,t] J_{n,i}^T.

    Arguments:
        z: [N, d], the representations z_n when every token embeds to 0.
        J: [N, N, d, d], J[n, i] = dz_n/du_i there (row: component of z_n), zero for i > n.
        covariance: [N+1, m, m], C_k[t, s] = Cov(c_t(x_i), c_s(x_{i+k})) for k = 0..N of a
            stationary source.
        tying: 'tied' (A is E) or 'untied'.

    Returns [m + m d, m + m d] in the order (b, E), or [m + 2 m d, m + 2 m d] in the order
    (b, A, E), E_s and A_s consecutive.
    Raises ValueError for another tying, for shapes that do not fit, or for a Jacobian that looks
    ahead.
    Source: this project; for one layer and S = 2 the bad local minimum and the saddle of
    *Attention with Markov*.

    >>> z, J = np.zeros((1, 1)), np.ones((1, 1, 1, 1))
    >>> universal_block(z, J, np.array([[[0.25]], [[-0.2]]]), tying="tied").tolist()
    [[0.25, 0.0], [0.0, 0.4]]
    """
    length, width = z.shape
    if tying not in ("tied", "untied"):
        raise ValueError(f"tying = {tying!r} is not known: choose 'tied' or 'untied'")
    if J.shape != (length, length, width, width):
        raise ValueError(
            f"J has shape {J.shape}, but z of shape {z.shape} needs "
            f"{(length, length, width, width)}: "
            "give dz_n/du_i for every pair of positions"
        )
    if len(covariance) != length + 1:
        raise ValueError(
            f"the lag covariance has {len(covariance)} lags, but length {length} needs "
            f"{length + 1}: "
            "give the covariances at lags 0..N"
        )
    n, i = np.indices((length, length))
    if J[i > n].any():
        raise ValueError(
            "J[n, i] is not 0 for some i > n, but the model must be causal: "
            "give J[n, i] = dz_n/du_i, not its transpose"
        )
    size = covariance.shape[1]
    seen = i <= n
    # sum over the pairs i <= n of C[t,s] J[j,k], in the order s, j, t, k
    T = np.tensordot(covariance[(n + 1 - i)[seen]], J[seen], axes=(0, 0)) / length
    T = T.transpose(1, 2, 0, 3).reshape(size * width, size * width)
    G = covariance[0]
    first, second = z.mean(axis=0), z.T @ z / length
    b = slice(0, size)
    A = slice(size, size + size * width)
    E = A if tying == "tied" else slice(A.stop, A.stop + size * width)
    H = np.zeros((E.stop, E.stop))
    H[b, b] = G
    H[b, A] = np.kron(G, first)
    H[A, b] = H[b, A].T
    H[A, A] += np.kron(G, second)
    H[A, E] -= T
    H[E, A] -= T.T
    return H


__all__ = ["Tying", "lag_covariances", "unigram_block", "unigram_spectrum"]


def lag_covariances(*, p: Number, q: Number, length: int) -> Float[np.ndarray, " lags"]:
    """Cov(x_n, x_{n+k}) = pi0 pi1 (1-p-q)^k of the binary chain for k = 0..length.

    The second eigenvalue is rounded once, after the exact subtraction: at p + q = 1 every later
    lag is exactly 0.

    >>> lag_covariances(p=0.5, q=0.5, length=2).tolist()
    [0.25, 0.0, 0.0]
    """
    up, down = probability("p", p), probability("q", q)
    variance = float(up * down / (up + down) ** 2)
    return variance * float(1 - up - down) ** np.arange(length + 1)


def unigram_block(
    z: Float[np.ndarray, "N d"],
    J: Float[np.ndarray, "N N d d"],
    lag_covariance: Float[np.ndarray, " N+1"],
    *,
    tying: Tying,
) -> Float[np.ndarray, "k k"]:
    """The only block of the Hessian at the unigram point that is not identically zero.

    With c = Cov(x_n, x_n) and T = (1/N) sum_n sum_{i<=n} Cov(x_i, x_{n+1}) J_{n,i}:

        tied,   order (b, e):     [[c, c zbar^T], [c zbar, c <z z^T> - T - T^T]]
        untied, order (b, a, e):  [[c, c zbar^T, 0], [c zbar, c <z z^T>, -T], [0, -T^T, 0]]

    where zbar and <z z^T> are means over positions.

    Arguments:
        z: [N, d], the representations z_n when every token embeds to 0.
        J: [N, N, d, d], J[n, i] = dz_n/du_i there (row: component of z_n), zero for i > n.
        lag_covariance: [N+1], entry k is Cov(x_n, x_{n+k}) for k = 0..N of any stationary binary
            source.
        tying: 'tied' (a is e) or 'untied'.

    Returns [1+d, 1+d] or [1+2d, 1+2d].
    Raises ValueError for another tying, for shapes that do not fit, or for a Jacobian that looks
    ahead.
    Source: *Attention with Markov*, bad local minimum and saddle, extended here from one
    architecture to all causal ones.

    >>> z, J = np.zeros((1, 1)), np.ones((1, 1, 1, 1))
    >>> unigram_block(z, J, np.array([0.25, -0.2]), tying="tied").tolist()
    [[0.25, 0.0], [0.0, 0.4]]
    """
    return universal_block(z, J, lag_covariance[:, None, None], tying=tying)


def unigram_spectrum(
    z: Float[np.ndarray, "N d"],
    J: Float[np.ndarray, "N N d d"],
    *,
    p: Number,
    q: Number,
    tying: Tying,
    parameters: int,
) -> PredictedSpectrum:
    """The Hessian spectrum at the unigram point of a causal model on the chain (p, q).

    The eigenvalues are those of `unigram_block`; every other second derivative vanishes. The point
    is a local minimum across the critical manifold where the block is positive definite and a
    saddle where it has a negative eigenvalue. At p + q = 1, decided on the numbers as written,
    unigram and bigram coincide and the answer is 'degenerate'. Elsewhere an eigenvalue of the block
    within round-off of 0, with none negative, leaves the answer 'undecided'.

    Arguments:
        z, J: as in `unigram_block`, measured in the model or from `single_layer_representation`.
        p, q: probabilities of leaving 0 and 1, in (0, 1).
        tying: 'tied' or 'untied'.
        parameters: D, how many parameters the model has.

    Raises ValueError as `unigram_block` does, for p or q outside (0, 1) and for too small a D.
    Source: *Attention with Markov*, bad local minimum (tied, p+q>1) and saddle (tied, p+q<1;
    untied).

    With no weights and no positions the block is diag(c, 2c(p+q-1), ...):

    >>> J = np.einsum("ni,jk->nijk", np.eye(6), np.eye(4))
    >>> spectrum = unigram_spectrum(np.zeros((6, 4)), J, p=0.5, q=0.8, tying="tied", parameters=100)
    >>> spectrum.eigenvalues.round(4).tolist(), spectrum.inertia, spectrum.classification
    ([0.142, 0.142, 0.142, 0.142, 0.2367], (0, 95, 5), 'local minimum')
    """
    covariance = lag_covariances(p=p, q=q, length=len(z))
    block = unigram_block(z, J, covariance, tying=tying)
    eigenvalues = np.linalg.eigvalsh(block)
    inertia = count_signs(eigenvalues, parameters)
    if probability("p", p) + probability("q", q) == 1:
        classification = "degenerate"
    elif inertia[0]:
        classification = "saddle"
    else:
        classification = "local minimum" if inertia[2] == len(eigenvalues) else "undecided"
    return PredictedSpectrum(
        eigenvalues=eigenvalues,
        parameters=parameters,
        zeros=inertia[1],
        inertia=inertia,
        classification=classification,
        method=f"closed-form {'(b, e)' if tying == 'tied' else '(b, a, e)'} block at the unigram "
        "point; inputs: the given z and J at zero embedding, and the lag covariances of the chain",
    )
