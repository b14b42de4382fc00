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

__all__ = ["Tying", "lag_covariances", "universal_block"]

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


def lag_covariances(*, p: Number, q: Number, length: int) -> Float[np.ndarray, "lags 2 2"]:
    """C_k[t, s] = Cov(1{x_n=t}, 1{x_{n+k}=s}) of the binary chain for k = 0..length.

    It is Cov(x_n, x_{n+k}) = pi0 pi1 (1-p-q)^k where t = s, and less that elsewhere. The second
    eigenvalue is rounded once, after the exact subtraction: at p + q = 1 every later lag is
    exactly 0.

    Raises ValueError for p or q outside (0, 1).

    >>> lag_covariances(p=0.5, q=0.5, length=1).tolist()
    [[[0.25, -0.25], [-0.25, 0.25]], [[0.0, -0.0], [-0.0, 0.0]]]
    """
    up, down = probability("p", p), probability("q", q)
    variance = float(up * down / (up + down) ** 2)
    of_ones = variance * float(1 - up - down) ** np.arange(length + 1)
    signs = np.array([[1.0, -1.0], [-1.0, 1.0]])
    return np.asarray(of_ones[:, None, None] * signs)
