"""The binary first-order chain, exact in its two switching probabilities.

p and q are kept as the decimals they were written as; what follows from the kernel follows as for
every source of finite memory. The formulas are landscape's own, a second channel beside
`theory.chain.binary`, and the tests hold the two against each other.
"""

import math
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from landscape.sources.finite_memory import FiniteMemory
from landscape.sources.sampling import binary_paths


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
class BinaryMarkov(FiniteMemory):
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
    def degenerate(self) -> bool:
        """Whether p+q = 1 exactly: the symbols are independent and H_b = H_u."""
        return Fraction(self.p) + Fraction(self.q) == 1  # a sum of decimals rounds at 28 digits

    @cached_property
    def kernel(self) -> Float[np.ndarray, "2 2"]:
        """Transition matrix P[s, t] = P(x_{n+1}=t | x_n=s); complements taken in decimals."""
        p, q = self.p, self.q
        return np.array([[1 - p, p], [q, 1 - q]], dtype=np.float64)

    @cached_property
    def stationary_contexts(self) -> Float[np.ndarray, "2"]:
        """Stationary law pi = (q, p)/(p+q)."""
        p, q = self.p, self.q
        return np.array([q / (p + q), p / (p + q)], dtype=np.float64)

    @cached_property
    def log_odds(self) -> float:
        """ln(pi1/pi0) = ln(p/q), the unigram logit in nats."""
        return math.log(float(self.p) / float(self.q))

    def paths(self, u: Float[Tensor, "B N"]) -> Int[Tensor, "B N"]:
        """The sequences that uniform draws of [0, 1) make, a symbol a draw.

        x_{n+1} is 1 if ``u < min(p, 1-q)``, 0 if ``u >= max(p, 1-q)``; in between it keeps x_n when
        p < 1-q and flips it otherwise. A path is the value at its last reset, xor the parity of the
        flips since. The same as the composed maps of any other chain, and faster.
        """
        kernel = torch.from_numpy(self.kernel).to(u.device)
        return binary_paths(u[None], kernel[None], kernel.new_tensor([self.stationary[1]]))[0]
