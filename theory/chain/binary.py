"""The binary first-order Markov chain, from its kernel: law, memory, entropies, running mean.

The chain is stationary on {0, 1}, leaves 0 with probability p and 1 with probability q, p and q in
(0, 1). With lambda = 1-p-q and a reversible chain, E[x_i | x_n] = pi1 + lambda^(n-i) (x_n - pi1),
and so the mean xbar_n of n tokens has

    E[xbar_n - 1/2 | x_n] = pi1 - 1/2 + kappa_n (x_n - pi1),
    kappa_n = (1/n) sum_{k<n} lambda^k = (1 - lambda^n) / (n (1 - lambda)),

where Cov(x_n, xbar_n) = pi0 pi1 kappa_n. With S_n = n kappa_n one has S_1 = 1, S_n = 1 + lambda
S_(n-1): so 0 < kappa_n <= 1, with 1 at n = 1 alone. (For lambda >= 0 it is plain; for lambda < 0,
0 < S_(n-1) <= 1 gives 1 + lambda <= S_n < 1.)
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from theory.symbols import length, p, q

__all__ = [
    "autocovariance",
    "conditional_mean",
    "conditional_square",
    "count_probabilities",
    "entropy_rate",
    "h",
    "kernel",
    "mean_memory",
    "memory",
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


_pi1, _lambda = sp.symbols("pi1 lambda")


@cache
def count_probabilities(n: int) -> dict[tuple[int, int], sp.Expr]:
    """P(x_n = x, x_1 + .. + x_n = k) for every pair (x, k) that occurs, by a recursion over n.

    Arguments: `n`, an integer >= 1. Raises ValueError for another.

    >>> count_probabilities(1)
    {(0, 0): q/(p + q), (1, 1): p/(p + q)}
    """
    require_count("n", n)
    if n == 1:
        return {(token, token): weight for token, weight in enumerate(stationary_law())}
    law: dict[tuple[int, int], sp.Expr] = {}
    for (token, ones), weight in count_probabilities(n - 1).items():
        for target in (0, 1):
            state = (target, ones + target)
            law[state] = law.get(state, sp.S.Zero) + weight * kernel()[token, target]
    return {state: sp.factor(weight) for state, weight in sorted(law.items())}


def memory(n: sp.Expr | int = length) -> sp.Expr:
    """kappa_n = Cov(x_n, xbar_n) / Var(x_n), the mean of lambda^k over k < n.

    Arguments: `n`, a positive integer or a symbol standing for one.

    >>> sp.factor(memory(2))
    -(p + q - 2)/2
    """
    return in_rates(powers(n)[0] / n)


@cache
def mean_memory(N: int) -> sp.Expr:
    """kappa = (1/N) sum_{n<=N} kappa_n = (1/N) sum_{k<N} lambda^k (H_N - H_k), H_k harmonic.

    Arguments: `N`, an integer >= 1. Raises ValueError for another.

    >>> mean_memory(1), sp.factor(mean_memory(2))
    (1, -(p + q - 4)/4)
    """
    require_count("N", N)
    weights = [sp.harmonic(N) - sp.harmonic(k) for k in range(N)]
    total = sum((weight * second_eigenvalue() ** k for k, weight in enumerate(weights)), sp.S.Zero)
    return total / N


def conditional_mean(token: int, n: sp.Expr | int = length) -> sp.Expr:
    """E[xbar_n - 1/2 | x_n = token] = pi1 - 1/2 + kappa_n (token - pi1).

    Arguments: `token`, 0 or 1; `n`, a positive integer or a symbol standing for one.

    >>> sp.simplify(conditional_mean(1, 1)), sp.simplify(conditional_mean(0, 1))
    (1/2, -1/2)
    """
    return in_rates(_pi1 - sp.S.Half + powers(n)[0] / n * (token - _pi1))


def conditional_square(token: int, n: sp.Expr | int = length) -> sp.Expr:
    """E[(xbar_n - 1/2)^2 | x_n = token].

    For i <= j <= n reversibility gives E[x_i x_j | x_n] = (pi1 + lambda^(n-j) delta)
    (pi1 + pi0 lambda^(j-i)), delta = x_n - pi1. With S = sum_{k<n} lambda^k and U = sum_{k<n}
    k lambda^k the sum over i and j is

        n^2 E[xbar_n^2 | x_n] = pi1 [n + pi1 n(n-1) + 2 pi0 lambda/(1-lambda) (n - S)]
            + delta [S (1 + 2 pi1 (n-1)) - 2 pi1 U + 2 pi0/(1-lambda) (lambda S - n lambda^n)].

    Arguments: `token`, 0 or 1; `n`, a positive integer or a symbol standing for one.

    >>> sp.simplify(conditional_square(0, 1)), sp.simplify(conditional_square(1, 2))
    (1/4, 1/4 - q/4)
    """
    S, U = powers(n)
    pi0, delta, gap = 1 - _pi1, token - _pi1, 1 - _lambda
    total = _pi1 * (n + _pi1 * n * (n - 1) + 2 * pi0 * _lambda / gap * (n - S))
    total += delta * (S * (1 + 2 * _pi1 * (n - 1)) - 2 * _pi1 * U)
    total += delta * 2 * pi0 / gap * (_lambda * S - n * _lambda**n)
    mean = _pi1 + S / n * delta
    square = total / n**2 - mean + sp.Rational(1, 4)
    # for a number of tokens, a polynomial in pi1 and lambda
    return in_rates(square if sp.sympify(n).free_symbols else sp.expand(sp.cancel(square)))


def powers(n: sp.Expr | int) -> tuple[sp.Expr, sp.Expr]:
    """The sums of lambda^k and of k lambda^k over k < n, in closed form."""
    if isinstance(n, int):
        terms = [_lambda**k for k in range(n)]
        return sum(terms, sp.S.Zero), sum((k * term for k, term in enumerate(terms)), sp.S.Zero)
    S = (1 - _lambda**n) / (1 - _lambda)
    return S, (_lambda - n * _lambda**n + (n - 1) * _lambda ** (n + 1)) / (1 - _lambda) ** 2


def in_rates(expression: sp.Expr) -> sp.Expr:
    """An expression in pi1 and lambda written in p and q."""
    return expression.subs({_pi1: stationary_law()[1], _lambda: second_eigenvalue()})


def require_count(name: str, value: int) -> None:
    """Refuse a number of tokens that is not an integer of at least 1."""
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} = {value} is out of range: give an integer of at least 1")
