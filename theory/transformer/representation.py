"""The single-layer transformer at zero embedding: representations and Jacobians in closed form.

y_n = u_n + W_O sum_{i<=n} att_{n,i} W_V u_i,    att_{n,.} = softmax_i(<W_Q u_n, W_K u_i> / sqrt(d))
z_n = y_n + W_2 relu(W_1 y_n)
"""

from collections.abc import Callable, Mapping
from typing import Any

import mpmath
import numpy as np
from jaxtyping import Shaped

WEIGHTS = ("positions", "query", "key", "value", "output", "hidden_in", "hidden_out")


def single_layer_representation(
    weights: Mapping[str, np.ndarray],
) -> tuple[Shaped[np.ndarray, "N d"], Shaped[np.ndarray, "N N d d"]]:
    """The representations z_n of the single-layer model and J_{n,i} = dz_n/du_i, both at u_i = p_i.

    With h_n = sum_i att_{n,i} v_i the softmax gives dh_n = sum_i att_{n,i} (W_V du_i + (v_i - h_n)
    dscore_{n,i}), so

        dh_n/du_i = att_{n,i} [W_V + (v_i - h_n)(W_K^T q_n)^T / sqrt(d)]
                    + [i = n] sum_l att_{n,l} (v_l - h_n)(W_Q^T k_l)^T / sqrt(d)
        J_{n,i} = (I + W_2 diag[W_1 y_n > 0] W_1) ([i = n] I + W_O dh_n/du_i).

    Arguments: `weights`, every matrix acting as y = W @ x:
        positions [N, d]; query, key, value, output [d, d]; hidden_in W_1 [r, d]; hidden_out W_2
        [d, r]. Arrays of dtype object are taken to hold mpmath.mpf and are worked at mpmath's
        current precision.
    Returns (z [N, d], J [N, N, d, d]), J[n, i] = 0 for i > n.
    Raises ValueError where a weight is missing or its shape does not fit. A unit exactly at its
    kink (W_1 y_n = 0) is taken as off; the derivative exists there only if its column of W_2 is 0.
    Source: *Attention with Markov*, the single-layer architecture.

    Without weights every position is represented by itself:

    >>> zero = np.zeros((2, 2))
    >>> weights = dict(positions=np.eye(2), query=zero, key=zero, value=zero, output=zero)
    >>> weights |= dict(hidden_in=np.zeros((8, 2)), hidden_out=np.zeros((2, 8)))
    >>> z, J = single_layer_representation(weights)
    >>> z.tolist(), J[0, 0].tolist(), J[1, 0].any()
    ([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]], np.False_)
    """
    check_shapes(weights)
    positions, W_Q, W_K, W_V, W_O, W_1, W_2 = (weights[name] for name in WEIGHTS)
    length, width = positions.shape
    exp, scale = arithmetic(positions.dtype, width)
    identity = np.eye(width, dtype=positions.dtype)
    q, k, v = positions @ W_Q.T, positions @ W_K.T, positions @ W_V.T
    z = np.zeros_like(positions)
    J = np.zeros((length, length, width, width), dtype=positions.dtype)
    for n in range(length):
        seen = slice(0, n + 1)
        score = k[seen] @ q[n] / scale
        attention = exp(score - score.max())
        attention = attention / attention.sum()
        h = attention @ v[seen]
        spread = attention[:, None] * (v[seen] - h)
        dh = attention[:, None, None] * W_V + spread[:, :, None] * (q[n] @ W_K / scale)
        dh[n] += spread.T @ (k[seen] @ W_Q) / scale
        dy = W_O @ dh
        dy[n] += identity
        y = positions[n] + W_O @ h
        hidden = W_1 @ y
        on = hidden > 0
        z[n] = y + W_2[:, on] @ hidden[on]
        J[n, seen] = (identity + W_2[:, on] @ W_1[on]) @ dy
    return z, J


def arithmetic(dtype: np.dtype[Any], width: int) -> tuple[Callable[[np.ndarray], np.ndarray], Any]:
    """The exponential and sqrt(width) in the arithmetic that `dtype` stands for."""
    if dtype.kind == "O":
        return np.frompyfunc(mpmath.exp, 1, 1), mpmath.sqrt(width)
    return np.exp, np.sqrt(width)


def check_shapes(weights: Mapping[str, np.ndarray]) -> None:
    """Refuse weights that are missing or do not fit together."""
    missing = [name for name in WEIGHTS if name not in weights]
    if missing:
        raise ValueError(f"weights lacks {', '.join(missing)}: give all of {', '.join(WEIGHTS)}")
    width = weights["positions"].shape[-1]
    hidden = weights["hidden_in"].shape[0]
    square = dict.fromkeys(("query", "key", "value", "output"), (width, width))
    expected = {**square, "hidden_in": (hidden, width), "hidden_out": (width, hidden)}
    for name, shape in expected.items():
        if weights[name].shape != shape:
            raise ValueError(
                f"weights[{name!r}] has shape {weights[name].shape}, but positions of shape "
                f"{weights['positions'].shape} need {shape}: matrices act as y = W @ x"
            )
