"""A spectrum for drawing: the eigenvalues that are not zero, theory's beside those measured."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from landscape.report.data.thinning import rounded, spread

__all__ = ["deciding", "spectrum_rows"]

MOST = 120
"""Eigenvalues that are drawn; a spectrum with more of them that are not zero is thinned."""


def spectrum_rows(
    measured: Float[np.ndarray, " D"], predicted: Float[np.ndarray, " D"] | None, zero_bound: float
) -> dict[str, Any]:
    """The eigenvalues beyond the bound, by either account, and how many are within it.

    Arguments:
        measured, predicted: all D eigenvalues, ascending, in nats per squared parameter.
        zero_bound: at or below which |lambda| counts as zero.

    >>> found = spectrum_rows(np.array([-0.4, 1e-17, 0.25]), np.array([-0.4, 0.0, 0.25]), 1e-15)
    >>> found["measured"], found["predicted"], found["zeros"], found["deciding"]
    ([-0.4, 0.25], [-0.4, 0.25], 1, -0.4)
    """
    beyond = ~(np.abs(measured) <= zero_bound)  # what is not a number is not zero
    if predicted is not None:
        beyond |= np.abs(predicted) > zero_bound
    index = np.flatnonzero(beyond)
    kept = index[spread(len(index), MOST)] if len(index) else index
    return {
        "index": kept.tolist(),
        "measured": [rounded(value, 6) for value in measured[kept]],
        "predicted": None if predicted is None else [rounded(v, 6) for v in predicted[kept]],
        "zeros": int(len(measured) - len(index)),
        "parameters": len(measured),
        "thinned": len(kept) < len(index),
        "zero_bound": rounded(zero_bound, 3),
        "deciding": deciding(measured, zero_bound),
    }


def deciding(eigenvalues: Float[np.ndarray, " D"], zero_bound: float) -> float | None:
    """The lowest eigenvalue that is not zero: its sign says saddle or minimum. None without one.

    >>> deciding(np.array([0.0, 1e-17, 0.1, 0.25]), 1e-15)
    0.1
    """
    beyond = eigenvalues[np.abs(eigenvalues) > zero_bound]
    return rounded(float(beyond.min())) if len(beyond) else None
