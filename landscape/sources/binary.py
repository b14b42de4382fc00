"""The binary first-order chain, exact in its two switching probabilities.

p and q are kept as the decimals they were written as; what follows from the kernel follows as for
every source of finite memory. The formulas are landscape's own, a second channel beside
`theory.chain.binary`, and the tests hold the two against each other.
"""

import math
import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation, localcontext
from fractions import Fraction
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from landscape.sources.finite_memory import FiniteMemory
from landscape.sources.protocol import Exact
from landscape.sources.sampling import binary_paths


def exact_number(value: Exact | int | float | str) -> Exact:
    """A number as it was written: a decimal, or a fraction where no decimal is equal to it.

    Raises:
        ValueError: if it is none.

    >>> exact_number("1/4"), exact_number("1/3"), exact_number(0.1)
    (Decimal('0.25'), Fraction(1, 3), Decimal('0.1'))
    """
    if isinstance(value, Decimal):
        return value
    text = str(value).strip()
    if re.fullmatch(r"\d{1,100}\s*/\s*\d{1,100}", text):
        above, _, below = text.partition("/")
        if not int(below):
            raise ValueError(f"{text} divides by 0")
        value = Fraction(int(above), int(below))
    if isinstance(value, Fraction):
        rest = value.denominator
        for prime in (2, 5):
            while rest % prime == 0:
                rest //= prime
        if rest != 1:
            return value
        with localcontext(prec=1000):
            return Decimal(value.numerator) / Decimal(value.denominator)
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is no number") from None


def of_one_kind(p: Exact, q: Exact) -> tuple[Exact, Exact]:
    """Two numbers that can be added: both fractions, if one of them is no decimal.

    >>> of_one_kind(Decimal("0.5"), Fraction(1, 3))
    (Fraction(1, 2), Fraction(1, 3))
    """
    if isinstance(p, Decimal) and isinstance(q, Decimal):
        return p, q
    return Fraction(p), Fraction(q)


def probability(name: str, value: Exact | float | str) -> Exact:
    """Read a switching probability as the exact number it was written as.

    Args:
        name: argument name for the message, "p" or "q".
        value: a number strictly between 0 and 1, such as 0.5 or "1/3"; a float counts as its
            shortest decimal.

    Raises:
        ValueError: if it is no number, not finite, or outside (0, 1).

    >>> probability("p", 0.5), probability("q", "0.80")
    (Decimal('0.5'), Decimal('0.80'))
    """
    try:
        exact = exact_number(value)
    except ValueError:
        raise ValueError(f"{name}={value!r} is not a number; give a decimal in (0, 1)") from None
    if (isinstance(exact, Decimal) and not exact.is_finite()) or not 0 < exact < 1:
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
    ``lambda = 1-p-q``. Started at stationarity. p and q may be given as decimals, fractions or
    strings; they are kept exactly, so that ``p+q = 1`` is decided without rounding.

    Raises:
        ValueError: if p or q is not strictly between 0 and 1.

    Source: *Attention with Markov* (arXiv 2402.04161), the binary first-order chain.

    >>> chain = BinaryMarkov(0.5, 0.8)
    >>> round(chain.entropy_rate, 5), round(chain.unigram_entropy, 5)
    (0.61901, 0.66628)
    """

    p: Exact = field()
    q: Exact = field()

    def __init__(self, p: Exact | float | str, q: Exact | float | str) -> None:
        up, down = of_one_kind(probability("p", p), probability("q", q))
        object.__setattr__(self, "p", up)
        object.__setattr__(self, "q", down)

    @property
    def degenerate(self) -> bool:
        """Whether p+q = 1 exactly: the symbols are independent and H_b = H_u."""
        return Fraction(self.p) + Fraction(self.q) == 1  # a sum of decimals rounds at 28 digits

    @cached_property
    def kernel(self) -> Float[np.ndarray, "2 2"]:
        """Transition matrix P[s, t] = P(x_{n+1}=t | x_n=s); complements taken exactly."""
        p, q = self.p, self.q
        return np.array([[1 - p, p], [q, 1 - q]], dtype=np.float64)

    @cached_property
    def stationary_contexts(self) -> Float[np.ndarray, "2"]:
        """Stationary law pi = (q, p)/(p+q)."""
        p, q = self.p, self.q
        return np.array([q / (p + q), p / (p + q)], dtype=np.float64)  # type: ignore[operator]  # of one kind

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
