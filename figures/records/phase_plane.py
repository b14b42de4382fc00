"""The theory of the (p, q) plane at the unigram point with no weights, as a field to draw."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from theory.spectra.predicted_spectrum import PredictedSpectrum
from theory.spectra.states import states_spectrum
from theory.spectra.universal_law import Tying, lag_covariances

__all__ = ["curvature_field", "lowest_curvature", "region_names", "transverse"]


def transverse(eigenvalues: Float[np.ndarray, " D"], block: int) -> float:
    """The lowest curvature across the unigram set, from all D eigenvalues of the Hessian there.

    The Hessian at the unigram point vanishes outside a block of k rows. So D - k eigenvalues are 0
    for every p and q: they belong to directions along the set, and are those nearest to 0. Of the
    other k this is the lowest: below 0 at a saddle, above 0 at a local minimum, and 0 at p+q = 1.

    Arguments: `eigenvalues`, [D], in any order; `block`, k (1 + d if tied, 1 + 2d if not).
    Raises ValueError where k is not in 1..D.

    >>> transverse(np.array([-1e-17, 2e-17, 0.2, 0.3]), block=2)
    0.2
    """
    if not 1 <= block <= len(eigenvalues):
        raise ValueError(
            f"block = {block} is not in 1..{len(eigenvalues)}: give the number of rows of the "
            "Hessian, among all those of the eigenvalues, that are not identically 0"
        )
    nearest_zero_first = np.argsort(np.abs(eigenvalues), kind="stable")
    return float(eigenvalues[nearest_zero_first[-block:]].min())


def lowest_curvature(p: float, q: float, tying: Tying) -> float:
    """The lowest curvature across the unigram set that theory predicts where all weights are 0.

    In closed form, with c = pi0 pi1: min(c, 2c(p+q-1)) tied, -c|p+q-1| untied. Width and length
    change the multiplicities of these eigenvalues only.

    Arguments: `p`, `q`, in (0, 1), probabilities of leaving 0 and 1; `tying`, 'tied' or 'untied'.
    Returns nats per squared parameter. Raises ValueError for p or q outside (0, 1).
    Source: *Attention with Markov*, bad local minimum and saddle.

    >>> round(lowest_curvature(0.5, 0.8, "tied"), 4), round(lowest_curvature(0.5, 0.8, "untied"), 4)
    (0.142, -0.071)
    """
    return float(_weightless(p, q, tying).eigenvalues[0])


def curvature_field(tying: Tying, resolution: int) -> Float[np.ndarray, "q p"]:
    """`lowest_curvature` at the centres of resolution x resolution equal squares of the plane.

    >>> curvature_field("tied", 2).round(4).tolist()
    [[-0.25, 0.0], [0.0, 0.25]]
    """
    centres = (np.arange(resolution) + 0.5) / resolution
    return np.array([[lowest_curvature(p, q, tying) for p in centres] for q in centres])


def region_names(tying: Tying) -> tuple[str, str]:
    """What theory calls the unigram point below and above the line p + q = 1.

    >>> region_names("tied"), region_names("untied")
    (('saddle', 'local minimum'), ('saddle', 'saddle'))
    """
    below, above = (_weightless(p, p, tying).classification for p in (0.25, 0.75))
    return below, above


def _weightless(p: float, q: float, tying: Tying) -> PredictedSpectrum:
    # One position and one coordinate have every eigenvalue that more of them have.
    z, J = np.zeros((1, 1)), np.ones((1, 1, 1, 1))
    size, covariance = 2 if tying == "tied" else 3, lag_covariances(p=p, q=q, length=1)
    return states_spectrum(z, J, covariance, tying=tying, parameters=size, head="logit")
