"""The binary chain any number of steps on: powers of its kernel, and sums of them, by induction.

An induction over k is an identity in one more symbol: `lead` stands for lambda^k.
"""

import sympy as sp

from theory.chain.binary import kernel, second_eigenvalue, stationary_law
from theory.proving.domain import y
from theory.proving.steps import Identity, Sign, Step

lead = sp.Symbol("Lambda", real=True)
"""lambda^k."""


def power(factor: sp.Expr = lead) -> sp.Matrix:
    """1 pi + lambda^k (I - 1 pi), which is P^k."""
    level = sp.ones(2, 1) * sp.Matrix([stationary_law()])
    return level + factor * (sp.eye(2) - level)


def power_steps() -> tuple[Step, ...]:
    """P^k and the autocovariance, at any lag k >= 0."""
    pi0, pi1 = stationary_law()
    return (
        Identity("P^k = 1 pi + lambda^k (I - 1 pi) holds at k = 0", power(sp.S.One), sp.eye(2)),
        Identity(
            "and at k + 1 where it does at k, Lambda = lambda^k: so for every k",
            power() * kernel(),
            power(lead * second_eigenvalue()),
        ),
        Identity(
            "so Cov(x_i, x_(i+k)) = pi1 (P^k)_11 - pi1^2 = pi0 pi1 lambda^k for every k",
            pi1 * power()[1, 1] - pi1**2,
            pi0 * pi1 * lead,
        ),
    )


def mean_steps() -> tuple[Step, ...]:
    """The running mean given the last token, after any number n of tokens."""
    pi0, pi1 = stationary_law()
    P, step = kernel(), second_eigenvalue()
    n = sp.Symbol("n", integer=True, positive=True)

    def total(factor: sp.Expr) -> sp.Expr:
        """1 + lambda + ... + lambda^(n-1), with factor = lambda^n."""
        return (1 - factor) / (1 - step)

    return (
        *power_steps(),
        Identity(
            "the chain is reversible, pi_x P_xy = pi_y P_yx: k steps back are k steps on",
            sp.diag(pi0, pi1) * P,
            P.T * sp.diag(pi0, pi1),
        ),
        Identity(
            "so E[x_i | x_n = x] = pi1 + lambda^(n-i) (x - pi1)",
            sp.Matrix([power()[x, 1] for x in (0, 1)]),
            sp.Matrix([pi1 + lead * (x - pi1) for x in (0, 1)]),
        ),
        Identity(
            "S_n = 1 + lambda + .. + lambda^(n-1) is (1 - lambda^n)/(1 - lambda) at n = 1",
            total(step),
            sp.S.One,
        ),
        Identity(
            "and at n + 1 where it is at n: so for every n", total(lead) + lead, total(lead * step)
        ),
        Sign("|lambda| < 1, so no power of it exceeds 1: S_n <= n", 1 - step**2, "positive"),
        Sign(
            "and S_n > 0, lambda^n = (1-y)/(1+y) being between -1 and 1: kappa_n = S_n/n is in (0, "
            "1], and so is its mean kappa over n",
            total((1 - y) / (1 + y)),
            "positive",
        ),
        Identity(
            "so E[xbar_n | x_n = x] = pi1 + kappa_n (x - pi1) and Cov(x_n, xbar_n) = c kappa_n, "
            "for every n",
            sum((pi0, pi1)[x] * (x - pi1) * (pi1 + total(lead) / n * (x - pi1)) for x in (0, 1)),
            pi0 * pi1 * total(lead) / n,
        ),
    )
