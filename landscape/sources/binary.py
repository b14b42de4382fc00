"""The binary first-order chain: kernel, loop-free sampling, exact contexts, entropies, covariances.

Everything here is computed from the transition kernel in float64 numpy or drawn by torch from a
generator the caller hands over. The closed forms are landscape's own, a second channel beside
`theory.source`, and the tests hold the two against each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.special import xlogy
from torch import Tensor

from landscape.paths import binary_paths, uniforms


def probability(name: str, value: Decimal | float | str) -> Decimal:
    """Read a switching probability as the exact decimal it was written as.

    Args:
        name: argument name for the message, "p" or "q".
        value: a number strictly between 0 and 1; a float counts as its shortest decimal.

    Raises:
        ValueError: if it is no number, not finite, or outside (0, 1).

    >>> probability("p", 0.5), probability("q", "0.80")
    (Decimal('0.5'), Decimal('0.80'))
    """
    try:
        exact = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{name}={value!r} is not a number; give a decimal in (0, 1)") from None
    if not exact.is_finite() or not 0 < exact < 1:
        raise ValueError(
            f"{name}={value} is outside (0, 1): {name} is a switching probability; "
            f"give a decimal strictly between 0 and 1, such as 0.5"
        )
    if not 0.0 < float(exact) < 1.0:
        raise ValueError(
            f"{name}={value} rounds to {float(exact)} in float64; give one inside (0, 1)"
        )
    return exact


@dataclass(frozen=True)
class BinaryMarkov:
    """First-order chain on {0, 1} with switching probabilities p = P(1|0) and q = P(0|1).

    Kernel ``P = [[1-p, p], [q, 1-q]]``, stationary law ``pi = (q, p)/(p+q)``, second eigenvalue
    ``lambda = 1-p-q``. Started at stationarity. p and q may be given as decimals or strings; they
    are kept exactly, so that ``p+q = 1`` is decided without rounding.

    Raises:
        ValueError: if p or q is not strictly between 0 and 1.

    Source: *Attention with Markov* (arXiv 2402.04161), the binary first-order chain.

    >>> chain = BinaryMarkov(0.5, 0.8)
    >>> round(chain.entropy_rate, 5), round(chain.unigram_entropy, 5)
    (0.61901, 0.66628)
    """

    p: Decimal = field()
    q: Decimal = field()

    def __init__(self, p: Decimal | float | str, q: Decimal | float | str) -> None:
        object.__setattr__(self, "p", probability("p", p))
        object.__setattr__(self, "q", probability("q", q))

    @property
    def states(self) -> int:
        """Number of symbols, S = 2."""
        return 2

    @property
    def degenerate(self) -> bool:
        """Whether p+q = 1 exactly: the symbols are independent and H_b = H_u."""
        return Fraction(self.p) + Fraction(self.q) == 1  # a sum of decimals rounds at 28 digits

    @cached_property
    def kernel(self) -> Float[np.ndarray, "2 2"]:
        """Transition matrix P[s, t] = P(x_{n+1}=t | x_n=s); complements taken in decimals."""
        p, q = self.p, self.q
        return np.array([[1 - p, p], [q, 1 - q]], dtype=np.float64)

    @cached_property
    def stationary(self) -> Float[np.ndarray, "2"]:
        """Stationary law pi = (q, p)/(p+q)."""
        p, q = self.p, self.q
        return np.array([q / (p + q), p / (p + q)], dtype=np.float64)

    @cached_property
    def log_odds(self) -> float:
        """ln(pi1/pi0) = ln(p/q), the unigram logit in nats."""
        return math.log(float(self.p) / float(self.q))

    @cached_property
    def entropy_rate(self) -> float:
        """Bigram loss H_b = -sum_s pi_s sum_t P[s,t] ln P[s,t], in nats."""
        return float(-(self.stationary[:, None] * xlogy(self.kernel, self.kernel)).sum())

    @cached_property
    def unigram_entropy(self) -> float:
        """Unigram loss H_u = -sum_s pi_s ln pi_s, in nats."""
        return float(-xlogy(self.stationary, self.stationary).sum())

    def lag_covariance(self, lag: int) -> Float[np.ndarray, "2 2"]:
        """C_k[t, s] = Cov(1{x_i=t}, 1{x_{i+k}=s}) = diag(pi) P^k - pi pi^T.

        Raises:
            ValueError: if lag is negative.
        """
        if lag < 0:
            raise ValueError(f"lag={lag} is negative; give a lag of at least 0")
        pi = self.stationary
        power = np.linalg.matrix_power(self.kernel, lag)
        return np.asarray(np.diag(pi) @ power - np.outer(pi, pi))

    def context_law(self, length: int) -> Float[np.ndarray, " contexts"]:
        """P(x_1..x_n) for all 2^n contexts of the given length n, last symbol fastest."""
        law = self.stationary
        for _ in range(length - 1):
            law = (law.reshape(-1, 2, 1) * self.kernel).reshape(-1)
        return law

    def next_law(self, length: int) -> Float[np.ndarray, "contexts 2"]:
        """r = P(x_{n+1} | x_1..x_n) for those contexts: the kernel's row of the last symbol."""
        return np.tile(self.kernel, (2 ** (length - 1), 1))

    def sample(
        self, batch: int, length: int, generator: torch.Generator
    ) -> Int[Tensor, "{batch} {length}"]:
        """Draw sequences started at stationarity, without a loop over time.

        With u uniform, x_{n+1} is 1 if ``u < min(p, 1-q)``, 0 if ``u >= max(p, 1-q)``; in between
        it keeps x_n when p < 1-q and flips it otherwise. A path is the value at its last reset,
        xor the parity of the flips since.

        Args:
            batch: number of independent sequences.
            length: symbols per sequence.
            generator: source of all randomness; the global state is not touched.

        Returns:
            int64 tokens, on the generator's device.

        Raises:
            ValueError: if batch or length is less than 1.

        >>> chain = BinaryMarkov(0.2, 0.3)
        >>> chain.sample(2, 5, torch.Generator().manual_seed(0)).shape
        torch.Size([2, 5])
        """
        if batch < 1 or length < 1:
            raise ValueError(f"batch={batch}, length={length}: both must be at least 1")
        u = uniforms(batch, length, generator)
        kernel = torch.from_numpy(self.kernel).to(u.device)
        return binary_paths(u[None], kernel[None], kernel.new_tensor([self.stationary[1]]))[0]

    def conditional_law(self, tokens: Int[Tensor, "*rows N"]) -> Float[Tensor, "*rows N 2"]:
        """r = P(x_{n+1} | x_1..x_n) at every position: the kernel's row of the symbol x_n there.

        >>> BinaryMarkov(0.5, 0.8).conditional_law(torch.tensor([[0, 1]])).tolist()
        [[[0.5, 0.5], [0.8, 0.2]]]
        """
        return torch.from_numpy(self.kernel).to(tokens.device)[tokens]
