"""The model, chain and points that a verification is about, each measured once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn

from landscape.comparison.checks import Check, NotApplicable, Report
from landscape.comparison.spectra import compare
from landscape.models import ReducedModel, SingleLayer
from landscape.models.ansatz import ansatz
from landscape.models.protocols import OnAnsatz
from landscape.objectives.exact import ExactLoss
from landscape.points.bigram import bigram_point
from landscape.points.critical_point import CriticalPoint
from landscape.points.unigram import unigram_point
from landscape.sources import BinaryMarkov
from landscape.sources.protocol import Exact
from landscape.spectra.spectrum import Spectrum, hessian_spectrum
from theory.statements.registry import theorem


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
    def chain(self) -> BinaryMarkov | None:
        """The source, if it is the binary chain."""
        source = self.objective.source
        return source if isinstance(source, BinaryMarkov) else None

    @property
    def on_ansatz(self) -> nn.Module | None:
        """The model, if (e, w, b) are coordinates of its landscape, as of the paper's models."""
        return self.model if isinstance(self.model, OnAnsatz) else None

    @property
    def layer(self) -> SingleLayer | None:
        """The model, if it is the paper's transformer."""
        return self.model if isinstance(self.model, SingleLayer) else None

    @property
    def is_reduced(self) -> bool:
        """Whether the model is the reduced one."""
        return isinstance(self.model, OnAnsatz) and not self.model.mirror

    @property
    def binary(self) -> BinaryMarkov:
        """The binary chain of the loss.

        Raises NotApplicable for another source.
        """
        if self.chain is None:
            raise NotApplicable("it is about the binary first-order chain: give --p and --q")
        return self.chain

    @property
    def chances(self) -> tuple[Exact, Exact]:
        """(p, q) as written."""
        return self.binary.p, self.binary.q

    @property
    def single_layer(self) -> SingleLayer:
        """The paper's transformer.

        Raises NotApplicable for another model.
        """
        if self.layer is None:
            name = type(self.model).__name__
            raise NotApplicable(
                f"it is about the single-layer transformer, and the model is {name}"
            )
        return self.layer

    @cached_property
    def reduced(self) -> Subject:
        """The reduced model on the same chain: most theorems of the plane are about it."""
        if self.is_reduced:
            return self
        short = ExactLoss(self.objective.source, 1)
        w = torch.tensor(self.w or 0.0, dtype=torch.float64)
        return Subject(ReducedModel(), short, {"feedforward": w})

    @cached_property
    def unigram(self) -> CriticalPoint:
        """The unigram point at the free weights, or at the ansatz's."""
        free: Mapping[str, Tensor] = self.free
        if self.w is not None:
            if self.on_ansatz is None:
                raise ValueError(f"w={self.w} belongs to the rank-one ansatz; leave it out")
            free = ansatz(self.on_ansatz, 0.0, self.w, 0.0)
        return unigram_point(self.model, self.objective, free=free)

    @cached_property
    def unigram_spectrum(self) -> Spectrum:
        """All Hessian eigenvalues there."""
        return hessian_spectrum(self.model, self.objective, self.unigram.params)

    @cached_property
    def unigram_report(self) -> Report:
        """What the universal law says of them."""
        return compare(self.model, self.objective, self.unigram, self.unigram_spectrum)

    @cached_property
    def bigram(self) -> CriticalPoint:
        """The constructed bigram point.

        Raises NotApplicable for models without the rank-one ansatz.
        """
        self.binary  # noqa: B018  # raises for another source
        if self.on_ansatz is None:
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
        return compare(self.model, self.objective, self.bigram, self.bigram_spectrum)


Claims = Callable[[Subject], Iterator[Check]]

CLAIMS: dict[str, Claims] = {}
"""By a theorem's id, the function that holds its consequences to measurements."""


def claims_of(name: str) -> Callable[[Claims], Claims]:
    """Name the theorem whose consequences the decorated function measures.

    The function is given a `Subject` and yields a `Check` for each consequence, its `id` a word;
    it raises `NotApplicable` where a hypothesis on the model or the source fails.

    Raises ValueError for the id of no theorem, naming the nearest.
    """
    theorem(name)

    def add(claims: Claims) -> Claims:
        CLAIMS[name] = claims
        return claims

    return add
