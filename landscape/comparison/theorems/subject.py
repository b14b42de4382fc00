"""The model, chain and points that a verification is about, each measured once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

import torch
from torch import Tensor, nn

from landscape.comparison.checks import NotApplicable, Report
from landscape.comparison.spectra import compare
from landscape.models import ReducedModel, SingleLayer
from landscape.models.ansatz import ansatz
from landscape.objectives.exact import ExactLoss
from landscape.points.bigram import bigram_point
from landscape.points.critical_point import CriticalPoint
from landscape.points.unigram import unigram_point
from landscape.sources import BinaryMarkov
from landscape.spectra.spectrum import Spectrum, hessian_spectrum

__all__ = ["Subject"]


@dataclass(frozen=True)
class Subject:
    """A model and an exact loss, with the weights that are free at the critical points.

    Fields: `model`; `objective`; `free`, those weights by name (zeros unless drawn); `w`, the
    coordinate of the ansatz whose weights the unigram point takes, None for `free`.
    """

    model: nn.Module
    objective: ExactLoss
    free: Mapping[str, Tensor] = field(default_factory=dict)
    w: float | None = None

    @property
    def binary(self) -> BinaryMarkov:
        """The binary chain of the loss.

        Raises NotApplicable for another source.
        """
        if not isinstance(self.objective.source, BinaryMarkov):
            raise NotApplicable("it is about the binary first-order chain: give --p and --q")
        return self.objective.source

    @property
    def chances(self) -> tuple[Decimal, Decimal]:
        """(p, q) as written."""
        return self.binary.p, self.binary.q

    @property
    def single_layer(self) -> SingleLayer:
        """The paper's transformer.

        Raises NotApplicable for another model.
        """
        if not isinstance(self.model, SingleLayer):
            raise NotApplicable(
                f"it is about the single-layer transformer, and the model is "
                f"{type(self.model).__name__}"
            )
        return self.model

    @cached_property
    def reduced(self) -> Subject:
        """The reduced model on the same chain: most theorems of the plane are about it."""
        if isinstance(self.model, ReducedModel):
            return self
        short = ExactLoss(self.objective.source, 1)
        w = torch.tensor(self.w or 0.0, dtype=torch.float64)
        return Subject(ReducedModel(), short, {"feedforward": w})

    @cached_property
    def unigram(self) -> CriticalPoint:
        """The unigram point at the free weights, or at the ansatz's."""
        free: Mapping[str, Tensor] = self.free
        if self.w is not None:
            if not isinstance(self.model, (SingleLayer, ReducedModel)):
                raise ValueError(f"w={self.w} belongs to the rank-one ansatz; leave it out")
            free = ansatz(self.model, 0.0, self.w, 0.0)
        return unigram_point(self.model, self.objective, free=free)

    @cached_property
    def unigram_spectrum(self) -> Spectrum:
        """All Hessian eigenvalues there."""
        return hessian_spectrum(self.model, self.objective, self.unigram.params)

    @cached_property
    def unigram_report(self) -> Report:
        """What the universal law says of them."""
        return compare(
            self.model,
            self.unigram,
            self.unigram_spectrum,
            self.objective.source,
            length=self.objective.length,
        )

    @cached_property
    def bigram(self) -> CriticalPoint:
        """The constructed bigram point.

        Raises NotApplicable for models without the rank-one ansatz.
        """
        self.binary  # noqa: B018  # raises for another source
        if not isinstance(self.model, (SingleLayer, ReducedModel)):
            raise NotApplicable(
                f"{type(self.model).__name__} has no bigram point in closed form: train and refine "
                f"one with `landscape spectrum --at bigram`"
            )
        free = {n: v for n, v in self.free.items() if n in ("query", "key")}
        return bigram_point(self.model, self.objective, w=None, free=free or None)

    @cached_property
    def bigram_spectrum(self) -> Spectrum:
        """All Hessian eigenvalues at the bigram point."""
        return hessian_spectrum(self.model, self.objective, self.bigram.params)

    @cached_property
    def bigram_report(self) -> Report:
        """What theory says of them."""
        return compare(self.model, self.bigram, self.bigram_spectrum, self.objective.source)
