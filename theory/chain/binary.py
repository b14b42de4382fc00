"""The binary first-order Markov chain, from its kernel: stationary law, memory, entropies (nats).

The chain is stationary on {0, 1}, leaves 0 with probability p and 1 with probability q, p and q in
(0, 1).
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from theory.symbols import p, q

__all__ = [
    "autocovariance",
    "entropy_rate",
    "h",
    "kernel",
    "second_eigenvalue",
    "stationary_law",
    "unigram_entropy",
]


def kernel() -> sp.ImmutableMatrix:
    """The transition matrix P, rows the present token and columns the next one.

    >>> kernel()
    Matrix([
    [1 - p,     p],
    [    q, 1 - q]])
    """
    return sp.ImmutableMatrix([[1 - p, p], [q, 1 - q]])


@cache
def stationary_law() -> tuple[sp.Expr, sp.Expr]:
    """The law (pi0, pi1) with pi P = pi, solved: (q, p)/(p+q).

    >>> stationary_law()
    (q/(p + q), p/(p + q))
    """
    pi0, pi1 = sp.symbols("pi0 pi1")
    law = sp.Matrix([[pi0, pi1]])
    solution = sp.solve([*(law * kernel() - law), pi0 + pi1 - 1], [pi0, pi1], dict=True)[0]
    return sp.factor(solution[pi0]), sp.factor(solution[pi1])


@cache
def second_eigenvalue() -> sp.Expr:
    """The eigenvalue of the kernel that is not 1: lambda = 1 - p - q.

    >>> second_eigenvalue()
    -p - q + 1
    """
    variable = sp.Symbol("lambda")
    rest = sp.cancel(kernel().charpoly(variable).as_expr() / (variable - 1))
    return sp.expand(sp.solve(rest, variable)[0])


@cache
def autocovariance(k: sp.Expr | int) -> sp.Expr:
    """Cov(x_n, x_{n+k}) = pi0 pi1 lambda^k, from the diagonalised power of the kernel.

    Arguments: `k`, the lag, an integer >= 0 or a symbol standing for one.
    Raises ValueError for a negative lag.

    >>> sp.factor(autocovariance(1))
    -p*q*(p + q - 1)/(p + q)**2
    """
    lag = sp.sympify(k)
    if lag.is_negative:
        raise ValueError(
            f"k = {k} is negative: a lag is an integer >= 0, and Cov(x_n, x_(n-k)) is that at lag k"
        )
    basis, values = kernel().diagonalize()
    power = basis * sp.diag(*(value**lag for value in values.diagonal())) * basis.inv()
    _, pi1 = stationary_law()
    joint = pi1 * power[1, 1]
    return sp.factor(sp.simplify(joint - pi1**2))


def h(probability: sp.Expr | float) -> sp.Expr:
    """The entropy of a coin, h(x) = -x ln x - (1-x) ln(1-x), in nats.

    >>> h(sp.Rational(1, 2)).equals(sp.log(2))
    True
    """
    chance = sp.sympify(probability)
    return -chance * sp.log(chance) - (1 - chance) * sp.log(1 - chance)


def entropy_rate() -> sp.Expr:
    """H_b = pi0 h(p) + pi1 h(q), the loss of the true kernel (the bigram loss), in nats.

    >>> round(float(entropy_rate().subs({p: sp.Rational(1, 2), q: sp.Rational(4, 5)})), 5)
    0.61901
    """
    pi0, pi1 = stationary_law()
    return pi0 * h(p) + pi1 * h(q)


def unigram_entropy() -> sp.Expr:
    """H_u = h(pi1), the loss of the stationary law (the unigram loss), in nats.

    >>> round(float(unigram_entropy().subs({p: sp.Rational(1, 2), q: sp.Rational(4, 5)})), 5)
    0.66628
    """
    return h(stationary_law()[1])
