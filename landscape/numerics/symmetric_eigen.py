"""Eigenvalues and eigenvectors of a symmetric matrix, whichever library finds them."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def symmetric_eigen(
    matrix: Float[Tensor, "D D"],
) -> tuple[Float[Tensor, " D"], Float[Tensor, "D D"]]:
    """Eigenvalues, ascending, and orthonormal eigenvectors, by column.

    The divide and conquer of some LAPACKs fails to converge on finite matrices that are almost all
    zeros, as Hessians at the unigram point are; torch's and numpy's are often not the same one.

    Args:
        matrix: [D, D], symmetric, finite.

    Raises:
        ValueError: where neither converges.

    Source: LAPACK, ?syevd.

    >>> values, vectors = symmetric_eigen(torch.tensor([[0.0, 2.0], [2.0, 0.0]]).double())
    >>> [round(value, 12) for value in values.tolist()]
    [-2.0, 2.0]
    """
    try:
        values, vectors = torch.linalg.eigh(matrix)
    except RuntimeError:  # torch.linalg.LinAlgError is one
        try:
            found = np.linalg.eigh(matrix.cpu().numpy())
        except np.linalg.LinAlgError as error:
            raise ValueError(
                f"the eigenvalues of a {len(matrix)} x {len(matrix)} Hessian did not converge; "
                f"give other weights, or another width or length"
            ) from error
        values, vectors = (torch.from_numpy(part).to(matrix) for part in found)
    return values, vectors
