"""The Hessian spectrum at a point, dense, in float64, with its own diagnostics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from landscape.models.kernels import of_the_package
from landscape.models.parameters import Coordinates, frozen, split
from landscape.models.protocols import Kinked
from landscape.models.representation import KINK
from landscape.models.soundness import refuse_unsound
from landscape.numerics.symmetric_eigen import symmetric_eigen
from landscape.objectives.protocol import Objective
from landscape.spectra.kinks import (
    OneSided,
    at_kink,
    one_sided_curvatures,
    own_jump,
    preactivations,
    slope_jump,
)
from landscape.spectra.operators import dense_hessian, gradient

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues and eigenvectors of the Hessian of the loss, and what vouches for them.

    An eigenvalue counts as zero when ``|lambda| <= zero_bound = D eps ||H||_2``. `gap` holds the
    largest |eigenvalue| counted as zero and the smallest one that is not: the wider apart they
    are, the safer is the inertia. At a relu kink (`kink`) the numbers are automatic
    differentiation's, not curvatures, and `one_sided` holds the true one-sided ones.
    """

    loss: float  # nats
    gradient_norm: float  # Euclidean norm of the gradient, nats per unit of parameter
    eigenvalues: Float[Tensor, " D"]  # ascending, nats per unit of parameter squared
    eigenvectors: Float[Tensor, "D D"]  # column k belongs to eigenvalue k
    coordinates: Coordinates  # which parameter each row of the eigenvectors is
    zero_bound: float
    inertia: tuple[int, int, int]  # numbers of negative, zero, positive eigenvalues
    gap: tuple[float, float]  # largest "zero", smallest nonzero |eigenvalue|
    min_preactivation: (
        float | None
    )  # smallest |relu input| with outgoing weights; None: no such unit
    kink: bool
    one_sided: tuple[OneSided, ...]
    frozen: tuple[str, ...] = ()  # parameters with requires_grad=False: constants, not measured
    method: str = "dense Hessian (forward over reverse mode, float64), LAPACK eigh"
    jump: float | None = None  # of a slope, relative, where a kink had to be looked for

    @property
    def narrow(self) -> bool:
        """Whether an eigenvalue not counted as 0 is below ten times one that is.

        Then the counts are not safe.
        """
        return self.gap[1] < NARROW * self.gap[0]

    @property
    def parameters(self) -> int:
        """Dimension D of the parameter space."""
        return len(self.eigenvalues)

    def to_xarray(self) -> xarray.Dataset:
        """The spectrum with its two lowest and two highest eigenvectors, as a labelled dataset."""
        import xarray

        ends = sorted({*range(self.parameters)[:2], *range(self.parameters)[-2:]})
        return xarray.Dataset(
            {
                "eigenvalue": ("index", self.eigenvalues.cpu().numpy(), {"units": "nat"}),
                "eigenvector": (
                    ("coordinate", "end"),
                    self.eigenvectors[:, ends].cpu().numpy(),
                    {"end": "positions of the stored eigenvectors in the ascending order"},
                ),
                "zero_bound": ((), self.zero_bound),
                "gap": ("gap_side", list(self.gap)),
                "inertia": ("sign", list(self.inertia)),
                "kink": ((), int(self.kink)),
                "min_preactivation": (
                    (),
                    float("nan") if self.min_preactivation is None else self.min_preactivation,
                ),
                "one_sided": (
                    ("kinked_direction", "side"),
                    np.array([[o.minus, o.plus] for o in self.one_sided]).reshape(-1, 2),
                ),
            },
            coords={
                "end": ends,
                "sign": ["negative", "zero", "positive"],
                "gap_side": ["zero", "nonzero"],
                "side": ["minus", "plus"],
                "coordinate": self.coordinates.labels(),
            },
            attrs={"method": self.method, "frozen": ", ".join(self.frozen)},
        )


NARROW = 10.0
"""Factor between the largest "zero" and the smallest other eigenvalue below which it is said."""


def inertia(
    eigenvalues: Float[Tensor, " D"],
) -> tuple[tuple[int, int, int], float, tuple[float, float]]:
    """Numbers of negative, zero and positive eigenvalues, the bound for zero, the gap around it.

    ``zero_bound = D eps max|lambda|``: the backward error of a symmetric eigensolver.

    >>> inertia(torch.tensor([-1.0, 1e-17, 2.0], dtype=torch.float64))[0]
    (1, 1, 1)
    """
    size = eigenvalues.abs()
    bound = len(eigenvalues) * torch.finfo(torch.float64).eps * size.max().item()
    zero = size <= bound
    counts = (
        int((eigenvalues[~zero] < 0).sum()),
        int(zero.sum()),
        int((eigenvalues[~zero] > 0).sum()),
    )
    below = size[zero].max().item() if zero.any() else 0.0
    above = size[~zero].min().item() if not zero.all() else float("inf")
    return counts, bound, (below, above)


def hessian_spectrum(
    model: nn.Module, objective: Objective, params: Mapping[str, Tensor]
) -> Spectrum:
    """All eigenvalues and eigenvectors of the Hessian of the loss at a point.

    Args:
        model: gives the function; its own parameters and mode are not touched.
        objective: the loss, such as `ExactLoss`.
        params: the point (a `CriticalPoint` has them as `.params`); taken to float64.

    Returns:
        A `Spectrum` by the parameters that require gradients; frozen ones are constants. At a relu
        kink it says so.

    Raises:
        ValueError: if the loss or the Hessian is not finite there, if every parameter is frozen, or
            if what automatic differentiation gives is no curvature of the model's function in
            float64 (`landscape.models.soundness`): it rounds inside, or its derivatives are those
            of another function.

    Source: MATH of this project, section 4 (the unigram block) and 5 (the bigram point) say what
    to expect at the two critical sets of *Attention with Markov*.

    >>> from landscape import BinaryMarkov, ExactLoss, SingleLayer, unigram_point
    >>> chain = BinaryMarkov(0.5, 0.8)
    >>> model, loss = SingleLayer(width=2, length=3), ExactLoss(chain, 3)
    >>> point = unigram_point(model, loss, free={n: 0 * p for n, p in model.named_parameters()})
    >>> hessian_spectrum(model, loss, point.params).inertia
    (0, 54, 3)
    """
    moving, _ = split(model, params)
    refuse_unsound(model, params, getattr(objective, "states", None), objective.length)
    slope, value = gradient(model, objective, params)
    matrix = dense_hessian(model, objective, params)
    if not (math.isfinite(value) and matrix.isfinite().all() and slope.isfinite().all()):
        raise ValueError(
            f"the loss at this point is {value} and its derivatives are not all finite; "
            f"give parameters at which the logits are finite: smaller weights, a smaller learning "
            f"rate if training diverged, or an eps where the model divides 0 by 0 (x/|x|)"
        )
    eigenvalues, eigenvectors = symmetric_eigen(matrix)
    counts, bound, gap = inertia(eigenvalues)
    values = preactivations(model, params, objective.length)
    jump = own_jump(model, params, objective.length)
    looked_for = not (of_the_package(model) or isinstance(model, Kinked))
    if looked_for and not (jump or 0.0) > KINK and not getattr(model, "smooth", False):
        jump = slope_jump(model, objective, params)
    kink = at_kink(values) or (jump is not None and jump > KINK)
    return Spectrum(
        loss=value,
        gradient_norm=slope.norm().item(),
        eigenvalues=eigenvalues,
        eigenvectors=eigenvectors,
        coordinates=Coordinates.of(moving),
        zero_bound=bound,
        inertia=counts,
        gap=gap,
        min_preactivation=None if values is None else values.abs().min().item(),
        kink=kink,
        one_sided=tuple(one_sided_curvatures(model, objective, params)) if kink else (),
        jump=jump,
        frozen=tuple(frozen(model)),
    )
