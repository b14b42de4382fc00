"""The Hessian at the bigram point of the single-layer transformer, a Gauss-Newton matrix.

There the prediction equals the conditional mean of the target, so the Hessian is (1/N) sum_n
E[r(1-r) g_n g_n^T] with g_n the gradient of logit_n. At the rank-one ansatz W_V = 0, so g_n sees
the context only through x_n and the attention-weighted mean m_n of x_i - 1/2, and lies in a
handful of fixed orthonormal directions.
"""

import math

import numpy as np
from jaxtyping import Float

from theory.exact import Number, probability
from theory.spectra.predicted_spectrum import PredictedSpectrum
from theory.spectra.universal_law import Tying


def bigram_spectrum(
    *,
    p: Number,
    q: Number,
    w: float,
    e_sign: int = 1,
    width: int,
    hidden: int,
    length: int,
    positions: int | None = None,
    tying: Tying,
    attention_score: float = 0.0,
    output: bool = True,
) -> PredictedSpectrum:
    """The Hessian spectrum of the single-layer transformer at a bigram point of the ansatz.

    The nonzero eigenvalues are those of `second_moment`. They are N + 2 in number: the functions
    1, x_n and [n=j] f(x_n), j = 1..N, have rank N + 1, and the value matrix adds one that depends
    on earlier tokens. It does not when there are none (N = 1) or when W_O = 0: N + 1 then.

    Arguments:
        p, q: probabilities of leaving 0 and 1, in (0, 1), p + q != 1.
        w: feed-forward coordinate; 1 + 2w|w| must have the sign of 1 - p - q.
        e_sign: 1 or -1, the sign of the embedding coordinate e.
        width, hidden, length: d, r, N.
        positions: how many the model has, by default N; those beyond it move no prediction.
        tying: 'tied' or 'untied' (readout a separate vector of the same value).
        attention_score: kappa = <W_Q alpha, W_K alpha> / sqrt(d); query x_n scores key x_i with
            e^2 (x_n - 1/2)(x_i - 1/2) kappa, whatever else W_Q and W_K are.
        output: True for W_O = I, False for W_O = 0 (its entries are parameters in both cases).

    Raises ValueError where there is no bigram point or an argument is out of range.
    Source: *Attention with Markov*, global minimum.

    >>> spectrum = bigram_spectrum(p=0.2, q=0.3, w=0.5, width=4, hidden=16, length=7, tying="tied")
    >>> spectrum.parameters, spectrum.inertia, spectrum.classification
    (225, (0, 216, 9), 'global minimum')
    """
    for name, size in (("width", width), ("hidden", hidden), ("length", length)):
        if size < 1:
            raise ValueError(f"{name} = {size} is out of range: give an integer of at least 1")
    if tying not in ("tied", "untied"):
        raise ValueError(f"tying = {tying!r} is not known: choose 'tied' or 'untied'")
    from theory.spectra.reduced import (
        ansatz_bigram,  # sympy loads here, not with the array predictions
    )

    positions = length if positions is None else positions
    if positions < length:
        raise ValueError(
            f"positions = {positions} is out of range: give at least length = {length}, or a "
            f"shorter length"
        )
    e, _, _ = ansatz_bigram(p, q, w, e_sign)
    vectors = positions + (1 if tying == "tied" else 2)
    parameters = vectors * width + 4 * width**2 + 2 * hidden * width + 1
    moment = second_moment(
        p=p,
        q=q,
        e=e,
        w=w,
        length=length,
        tying=tying,
        attention_score=attention_score,
        output=output,
    )
    rank = length + 2 if output and length >= 2 else length + 1
    eigenvalues = np.linalg.eigvalsh(moment)[-rank:]
    return PredictedSpectrum(
        eigenvalues=eigenvalues,
        parameters=parameters,
        zeros=parameters - rank,
        inertia=(0, parameters - rank, rank),
        classification="global minimum",
        method=f"closed-form Gauss-Newton matrix at the bigram ansatz, rank {rank}; "
        f"input: the attention score {attention_score:g} of the model",
    )


def second_moment(
    *,
    p: Number,
    q: Number,
    e: float,
    w: float,
    length: int,
    tying: Tying,
    attention_score: float,
    output: bool,
) -> Float[np.ndarray, "k k"]:
    """(1/N) sum_n E[r(1-r) g g^T] in the orthonormal directions that carry every g.

    With t = x_n - 1/2, F = [the relu is on] = [e t w != 0 and e t > 0] and K = 1 + 4 w|w| F the
    components of g are

        b                     1
        embedding, alpha      x_n e K  (tied: plus the readout's)
        readout, alpha        e t K
        p_j, alpha            [n = j] e K               j = 1..N
        W_V, alpha alpha^T    e^2 K m_n                 (0 if W_O = 0)
        W_2, alpha 1^T/sqrt r 2 |w| e^2 t F
        W_1, 1 alpha^T/sqrt r 2 w e^2 t F

    in that order, where the readout's row is absent if tied. Hidden width and embedding width do
    not enter.
    """
    up, down = float(probability("p", p)), float(probability("q", q))
    size = length + 5 + (tying == "untied")
    moment = np.zeros((size, size))
    p_1 = 2 + (tying == "untied")
    for n in range(1, length + 1):
        law = count_law(up, down, n)
        p_n = p_1 + n - 1
        for x in (0, 1):
            t = x - 0.5
            on = float(e * t > 0)
            K = 1 + 4 * w * abs(w) * on
            gradient = np.zeros((n + 1, 7))
            gradient[:, 0] = 1
            gradient[:, 1] = x * e * K
            gradient[:, 2] = e * t * K
            gradient[:, 3] = e * K
            if output:
                gradient[:, 4] = e**2 * K * attended_mean(n, x, e**2 * t * attention_score)
            gradient[:, 5] = 2 * abs(w) * e**2 * t * on
            gradient[:, 6] = 2 * w * e**2 * t * on
            variance = up * (1 - up) if x == 0 else down * (1 - down)
            product = gradient.T @ (gradient * (variance * law[x])[:, None])
            place = np.array([0, 1, p_1 - 1, p_n, size - 3, size - 2, size - 1])
            # tied, the embedding and the readout share a row: both contributions are added
            np.add.at(moment, (place[:, None], place), product)
    return moment / length


def attended_mean(n: int, x: int, score: float) -> Float[np.ndarray, " counts"]:
    """m = sum_i att_i (x_i - 1/2) for every count 0..n of ones.

    A key x_i scores `score` (x_i - 1/2). Counts that contradict x get a number too; their
    probability is 0.
    """
    score = max(-700.0, min(score, 700.0))  # beyond, exp underflows and m is constant to 300 digits
    ones = np.arange(n + 1)
    weight_one, weight_zero = ones * math.exp(min(score, 0)), (n - ones) * math.exp(min(-score, 0))
    return 0.5 * (weight_one - weight_zero) / (weight_one + weight_zero)


def count_law(p: float, q: float, n: int) -> Float[np.ndarray, "2 counts"]:
    """P(x_n = x, sum_{i<=n} x_i = k) for x in {0, 1} and k = 0..n, by a recursion over n.

    >>> count_law(0.5, 0.5, 2).tolist()
    [[0.25, 0.25, 0.0], [0.0, 0.25, 0.25]]
    """
    law = np.zeros((2, n + 1))
    law[0, 0], law[1, 1] = q / (p + q), p / (p + q)
    for _ in range(n - 1):
        zero = law[0] * (1 - p) + law[1] * q
        one = law[0] * p + law[1] * (1 - q)
        law[0], law[1, 1:], law[1, 0] = zero, one[:-1], 0
    return law
