"""The record of a predicted Hessian spectrum, the one thing the measuring side is compared with."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class PredictedSpectrum:
    """The Hessian spectrum that theory predicts at a critical point.

    Fields:
        eigenvalues: [k], ascending, in nats per squared parameter: those of the block that is not
            identically zero.
        parameters: D, the dimension of parameter space; the other D - k eigenvalues are exactly 0.
        zeros: the nullity, D - k and the zeros inside the block together.
        inertia: how many of the D eigenvalues are negative, zero and positive.
        classification: 'local minimum', 'saddle', 'degenerate', 'global minimum', or 'undecided'
            where round-off hides the sign of an eigenvalue.
        method: one sentence, naming the formula and which of its inputs were measured.

    Raises ValueError where the fields contradict each other.

    >>> values = np.array([-1.0, 2.0])
    >>> PredictedSpectrum(values, 4, 2, (1, 2, 1), "saddle", "by hand").full().tolist()
    [-1.0, 0.0, 0.0, 2.0]
    """

    eigenvalues: Float[np.ndarray, " k"]
    parameters: int
    zeros: int
    inertia: tuple[int, int, int]
    classification: str
    method: str

    def __post_init__(self) -> None:
        """Refuse a record that contradicts itself."""
        size = len(self.eigenvalues)
        if self.parameters < size:
            raise ValueError(
                f"parameters = {self.parameters} is less than the {size} eigenvalues of the block: "
                "count every parameter of the model, the block's own included"
            )
        if self.inertia[1] != self.zeros or sum(self.inertia) != self.parameters:
            raise ValueError(
                f"inertia = {self.inertia} does not split parameters = {self.parameters} "
                f"with zeros = {self.zeros}: "
                "negative + zero + positive must be all of them"
            )

    def full(self) -> Float[np.ndarray, " D"]:
        """All D eigenvalues, ascending."""
        return np.sort(
            np.concatenate([self.eigenvalues, np.zeros(self.parameters - len(self.eigenvalues))])
        )


def count_signs(eigenvalues: Float[np.ndarray, " k"], parameters: int) -> tuple[int, int, int]:
    """The inertia (negative, zero, positive) of `parameters` eigenvalues, the rest being zeros.

    An eigenvalue counts as zero within k eps max|eigenvalue|, the backward error of a symmetric
    eigensolver.

    >>> count_signs(np.array([-1.0, 1e-17, 2.0]), 5)
    (1, 3, 1)
    """
    bound = len(eigenvalues) * np.finfo(np.float64).eps * np.abs(eigenvalues).max(initial=0.0)
    negative = int((eigenvalues < -bound).sum())
    positive = int((eigenvalues > bound).sum())
    return negative, parameters - negative - positive, positive
