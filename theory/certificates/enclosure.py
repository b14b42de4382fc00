"""Balls around the matrices that decide the unigram point of a given single-layer transformer.

With c = pi0 pi1 > 0, lambda = 1-p-q and lag covariances c lambda^k,
`theory.spectra.universal_law.universal_block` is c M(lambda), and its entry bb is 1 after the
division. Eliminating b leaves

    tied:    S(lambda) = C - sum_k lambda^k (B_k + B_k^T)
    untied:  S(lambda) = [[C, -B(lambda)], [-B(lambda)^T, 0]],   B(lambda) = sum_k lambda^k B_k

    C = Cov_n(z_n) = <z z^T> - zbar zbar^T,    B_k = (1/N) sum_{n>=k} J_{n,n+1-k},  k = 1..N

and inertia(block) = inertia(S) + (0, 0, 1). C and B_k do not depend on the chain: the signs depend
on p and q through lambda alone, and a box of the (p, q) plane is an interval of lambda.
"""

from collections.abc import Mapping
from fractions import Fraction
from itertools import combinations

from flint import arb, arb_mat, fmpq

from theory.checker.format import Rows
from theory.precision import workprec
from theory.spectra.universal_law import Tying
from theory.transformer.representation import WEIGHTS


class Kink(ValueError):
    """A relu whose pre-activation may be 0, though its outgoing weights are not.

    Fields: `exact`, whether the pre-activation is exactly 0, so that no precision helps.
    """

    def __init__(self, message: str, *, exact: bool) -> None:
        super().__init__(message)
        self.exact = exact


def symmetric_polynomial(weights: Mapping[str, Rows], *, tying: Tying, bits: int) -> list[arb_mat]:
    """The coefficients S_0..S_N of S(lambda) = sum_k lambda^k S_k, enclosed.

    Arguments: `weights`, exact; `tying`; `bits`, the working precision.
    Returns N + 1 symmetric matrices, d x d tied and 2d x 2d untied.
    Raises Kink where the Jacobian may not exist.
    Source: the universal unigram law, `theory.spectra.universal_law`.

    >>> from theory.checker.format import exact_weights
    >>> from theory.transformer.representation import WEIGHTS
    >>> import numpy as np
    >>> zero = np.zeros((1, 1))
    >>> exact = exact_weights(dict.fromkeys(WEIGHTS, zero))
    >>> [float(S[0, 0]) for S in symmetric_polynomial(exact, tying="tied", bits=64)]
    [0.0, -2.0]
    """
    with workprec(bits):
        z, J = representation(weights)
        length, width = len(z), z[0].nrows()
        covariance = arb_mat(width, width)
        for one, two in combinations(z, 2):  # exactly 0 where all z_n are equal
            covariance += (one - two) * (one - two).transpose()
        coefficients = [covariance / length**2]
        for k in range(1, length + 1):
            lag = arb_mat(width, width)
            for n in range(k - 1, length):
                lag += J[n][n + 1 - k]
            coefficients.append(lag / length)
        return polynomial(coefficients, tying)


def polynomial(coefficients: list[arb_mat], tying: Tying) -> list[arb_mat]:
    """S_0..S_N from C, B_1..B_N."""
    covariance, *lags = coefficients
    if tying == "tied":
        return [covariance, *(-(lag + lag.transpose()) for lag in lags)]
    width = covariance.nrows()
    nothing = arb_mat(width, width)
    return [
        blocks(covariance, nothing, nothing),
        *(blocks(nothing, -lag, -lag.transpose()) for lag in lags),
    ]


def blocks(A: arb_mat, B: arb_mat, C: arb_mat) -> arb_mat:
    """The matrix [[A, B], [C, 0]]."""
    rows = [[*a, *b] for a, b in zip(A.tolist(), B.tolist(), strict=True)]
    return arb_mat(rows + [[*c, *[0] * len(c)] for c in C.tolist()])


def representation(weights: Mapping[str, Rows]) -> tuple[list[arb_mat], list[list[arb_mat]]]:
    """z_n [d, 1] and J_{n,i} [d, d], i <= n, in balls.

    The formula is that of `theory.transformer.representation`.

    Raises Kink, as `symmetric_polynomial` does.
    """
    _, W_Q, W_K, W_V, W_O, W_1, W_2 = (matrix(weights[name]) for name in WEIGHTS)
    u = [matrix([[value] for value in row]) for row in weights["positions"]]
    width = u[0].nrows()
    identity = arb_mat([[int(i == j) for j in range(width)] for i in range(width)])
    root = arb(width).sqrt()
    q, k, v = ([W * x for x in u] for W in (W_Q, W_K, W_V))
    closed = [not any(column) for column in zip(*weights["hidden_out"], strict=True)]
    z, J = [], []
    for n, own in enumerate(u):
        seen = range(n + 1)
        scores = [(q[n].transpose() * k[i])[0, 0] / root for i in seen]
        shift = max((score.mid() for score in scores), key=float)
        raw = [(score - shift).exp() for score in scores]
        norm = sum(raw, arb(0))
        attention = [part / norm for part in raw]
        h = sum((v[i] * attention[i] for i in seen), arb_mat(width, 1))
        spread = [(v[i] - h) * attention[i] for i in seen]
        query_side = (q[n].transpose() * W_K) / root
        dh = [W_V * attention[i] + spread[i] * query_side for i in seen]
        for i in seen:
            dh[n] += spread[i] * (k[i].transpose() * W_Q) / root
        y = own + W_O * h
        hidden = W_1 * y
        on = switched_on([row[0] for row in hidden.tolist()], closed, n)
        gate = arb_mat(len(on), len(on))
        for unit, active in enumerate(on):
            gate[unit, unit] = int(active)
        z.append(y + W_2 * (gate * hidden))
        outer = identity + W_2 * (gate * W_1)
        J.append([outer * (W_O * dh[i] + (identity if i == n else 0 * identity)) for i in seen])
    return z, J


def switched_on(hidden: list[arb], closed: list[bool], position: int) -> list[bool]:
    """Which relus are on; those with zero outgoing weights count as off."""
    for unit, value in enumerate(hidden):
        if not closed[unit] and value.contains(0):
            exact = value.is_zero()
            said = "exactly 0" if exact else f"not separated from 0: it is {value.str(3)}"
            raise Kink(
                f"the pre-activation of hidden unit {unit} at position {position} is {said}, and "
                "its column of hidden_out is not 0: the Jacobian may not exist there",
                exact=exact,
            )
    return [not shut and bool(value > 0) for shut, value in zip(closed, hidden, strict=True)]


def matrix(rows: Rows) -> arb_mat:
    """A matrix of exact rationals, each rounded outward once."""
    return arb_mat([[arb(fraction_of(x)) for x in row] for row in rows])


def fraction_of(value: Fraction) -> fmpq:
    """A fraction as flint's own."""
    return fmpq(value.numerator, value.denominator)
