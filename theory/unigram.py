"""The Hessian at the unigram point of any causal model with one logit, on a binary chain.

The case m = 1 of `theory.unigram_law`: u_i = x_i e + p_i, the logit is <a, z_n> + b, and the point
is a = e = 0, b = ln(p/q).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from theory.exact import Number, probability
from theory.prediction import PredictedSpectrum, count_signs
from theory.unigram_law import Tying, universal_block

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
