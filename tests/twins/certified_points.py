"""Random real weights, and the matrix of the criterion with fifty digits, without the package."""

from fractions import Fraction

import mpmath
import numpy as np

from theory.transformer.representation import WEIGHTS, single_layer_representation

BOX = ((0.05, 0.95), (0.05, 0.95))


def random_weights(
    seed: int, *, width: int = 4, length: int = 6, deviation: float = 0.7
) -> dict[str, np.ndarray]:
    """Normal weights of the single-layer model with hidden = 4 width."""
    rng = np.random.default_rng(seed)
    shapes = {"positions": (length, width)}
    shapes |= dict.fromkeys(("query", "key", "value", "output"), (width, width))
    shapes |= {"hidden_in": (4 * width, width), "hidden_out": (width, 4 * width)}
    return {name: deviation * rng.normal(size=shapes[name]) for name in WEIGHTS}


def no_weights(width: int = 2, length: int = 3) -> dict[str, np.ndarray]:
    """All zero."""
    return {
        name: 0 * array for name, array in random_weights(0, width=width, length=length).items()
    }


Digits = tuple[np.ndarray, np.ndarray]


def fifty_digits(weights: dict[str, np.ndarray]) -> Digits:
    """z and J in mpmath's numbers of fifty digits."""
    with mpmath.workdps(50):
        number = np.frompyfunc(mpmath.mpf, 1, 1)
        return single_layer_representation({k: number(v) for k, v in weights.items()})


def eigenvalues(known: Digits, value: Fraction, tying: str) -> list[mpmath.mpf]:
    """Those of the block over pi0 pi1 at lambda = value, b included, ascending: mpmath's eigsy."""
    z, J = known
    with mpmath.workdps(50):
        lam = mpmath.mpf(value.numerator) / value.denominator
        length, width = z.shape
        zero = np.zeros((width, width), dtype=object)
        B = sum((lam ** (n + 1 - i) * J[n, i] for n in range(length) for i in range(n + 1)), zero)
        B = B / length
        mean, second = z.sum(0) / length, z.T @ z / length
        size = 1 + (width if tying == "tied" else 2 * width)
        M = np.zeros((size, size), dtype=object)
        M[0, 0], M[0, 1 : 1 + width], M[1 : 1 + width, 0] = 1, mean, mean
        M[1 : 1 + width, 1 : 1 + width] = second
        if tying == "tied":
            M[1:, 1:] -= B + B.T
        else:
            M[1 : 1 + width, 1 + width :], M[1 + width :, 1 : 1 + width] = -B, -B.T
        found = mpmath.eigsy(mpmath.matrix(M.tolist()), eigvals_only=True)
        return sorted(found)


def signs(values: list[mpmath.mpf]) -> tuple[int, int, int]:
    """How many are negative, zero, positive: 1e-45 is above the round-off of fifty digits."""
    return (
        sum(x < -1e-45 for x in values),
        sum(abs(x) <= 1e-45 for x in values),
        sum(x > 1e-45 for x in values),
    )
