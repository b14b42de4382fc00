"""The universal unigram law beside any `Readable` model on any stationary source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal, Protocol, cast, runtime_checkable

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from landscape.models import SingleLayer
from landscape.models.parameters import as_arrays
from landscape.models.protocols import Readable
from landscape.models.representation import KINK, MISREAD, misread, representation
from landscape.sources import BinaryMarkov, LagMarkov, MarkovSource, SwitchingMarkov
from landscape.sources.finite_memory import FiniteMemory
from theory.chain.kernel import chain_of, law_entropy
from theory.spectra.predicted_spectrum import PredictedSpectrum
from theory.spectra.states import Head, states_spectrum
from theory.spectra.universal_law import Tying
from theory.transformer.representation import single_layer_representation

MOST_CONTEXTS = 64
"""Contexts of a kernel that theory solves with 50 digits, in about a second; beyond, it is handed
the source's own lag covariances."""

Kernel = Sequence[Sequence[int | float | Decimal | Fraction]]


@runtime_checkable
class LagCovariant(Protocol):
    """A source that tells its lag covariances; one that is not stationary has none."""

    def lag_covariance(self, lag: int) -> Float[np.ndarray, "S S"]:
        """C_k[t, s] = Cov(1{x_i=t}, 1{x_{i+k}=s})."""


@dataclass(frozen=True)
class SourceNumbers:
    """What the unigram law is told of a source, and what the source says of itself.

    `given` are the lag covariances of the source's own; `covariance` are theory's, from the kernel,
    or else the given ones.
    """

    stationary: Float[np.ndarray, " S"]
    covariance: Float[np.ndarray, "lags S S"]
    given: Float[np.ndarray, "lags S S"]
    degenerate: bool
    unigram_loss: float
    derived: bool


@dataclass(frozen=True)
class FailedHypothesis:
    """Why the law does not hold, and by how much.

    "readable": the relative error of the logits that the model's names promise; "differentiable":
    the relative jump of a slope of z at u = p.
    """

    name: Literal["readable", "differentiable"]
    measured: float


@dataclass(frozen=True)
class UnigramPrediction:
    """The predicted spectrum, the numbers of the source, and the size of what is averaged."""

    spectrum: PredictedSpectrum
    source: SourceNumbers
    steepness: float  # largest |(1, z_n)|: of a gradient's terms


def kernel_of(source: MarkovSource) -> tuple[Kernel, int] | None:
    """A source's kernel as exact as it is known, and its lag; None if it has none, or too many.

    >>> kernel_of(SwitchingMarkov(3, "0.8"))[0][0]
    [Fraction(1, 5), Fraction(2, 5), Fraction(2, 5)]
    """
    match source:
        case BinaryMarkov(p=p, q=q):
            return [[1 - Fraction(p), p], [q, 1 - Fraction(q)]], 1
        case SwitchingMarkov(states=size, p=p):
            other = Fraction(p) / (size - 1)
            return [
                [1 - Fraction(p) if s == t else other for t in range(size)] for s in range(size)
            ], 1
        case LagMarkov(chain=inner, lag=lag):
            found = kernel_of(inner)
            return None if found is None else (found[0], lag)
        case FiniteMemory() if len(source.kernel) <= MOST_CONTEXTS:
            return source.kernel.tolist(), 1
    return None


def source_numbers(source: MarkovSource, length: int) -> SourceNumbers | None:
    """Law and lag covariances 0..N of a stationary source; None of any other."""
    if not source.starts_stationary or not isinstance(source, LagCovariant):
        return None
    given = np.array([source.lag_covariance(k) for k in range(length + 1)])
    found = kernel_of(source)
    if found is None:
        law = source.stationary
        return SourceNumbers(law, given, given, source.degenerate, law_entropy(law), False)
    known = chain_of(found[0], length=length, lag=found[1])
    return SourceNumbers(
        known.stationary, known.covariance, given, known.degenerate, known.unigram_loss, True
    )


def head_of(model: nn.Module, params: Mapping[str, Tensor], states: int) -> Head | None:
    """How the logits are read; None where that has no closed form here.

    "softmax" with embedding and readout [S, d] and bias [S], "logit" with [d], [d] and [].

    >>> model = SingleLayer(width=2, length=2)
    >>> head_of(model, dict(model.named_parameters()), 2)
    'logit'
    """
    if not isinstance(model, Readable):
        return None
    embedding, readout = params[model.embedding_name].shape, params[model.readout_name].shape
    if not embedding or embedding != readout:
        return None
    match (embedding[:-1], params[model.bias_name].shape):
        case ((first,), (last,)) if first == last == states:
            return "softmax"
        case ((), ()) if states == 2:
            return "logit"
    return None


def arrays_of(params: Mapping[str, Tensor], length: int | None) -> dict[str, np.ndarray]:
    """A model's weights as theory takes them, with the positions of the first `length` tokens."""
    weights = as_arrays(params)
    return weights | {"positions": weights["positions"][:length]}


def predict_unigram(
    model: nn.Module, params: Mapping[str, Tensor], source: MarkovSource, length: int
) -> UnigramPrediction | FailedHypothesis | None:
    """The universal unigram law at a model's own weights.

    z and J are theory's own for `SingleLayer`, whose kinks are looked for where its spectrum is
    measured; for every other `Readable` model they are measured, and the hypotheses with them. None
    where the law does not speak: the source is not stationary, the model is not `Readable`, or its
    head is neither a softmax nor one logit.
    """
    numbers = source_numbers(source, length)
    head = head_of(model, params, source.states)
    if numbers is None or head is None:
        return None
    origin = "derived from the kernel" if numbers.derived else "given by the source"
    silent = redundant = None
    if isinstance(model, SingleLayer):
        tying = cast(Tying, model.tying)
        z, J = single_layer_representation(arrays_of(params, length))
        inputs = f"lag covariances {origin}; z and J derived from the weights"
    else:
        assert isinstance(model, Readable)  # or it would have no head
        tying = "tied" if model.readout_name == model.embedding_name else "untied"
        if (error := misread(model, params, length)) > MISREAD:
            return FailedHypothesis("readable", error)
        found = representation(model, params, length)
        if found.jump > KINK:
            return FailedHypothesis("differentiable", found.jump)
        z, J, silent, redundant = found.z, found.J, found.silent, found.redundant
        inputs = f"lag covariances {origin}; z, J and the symmetries of the network measured"
    spectrum = states_spectrum(
        z,
        J,
        numbers.covariance,
        tying=tying,
        parameters=sum(value.numel() for value in params.values()),
        head=head,
        degenerate=numbers.degenerate,
        silent=silent,
        redundant=redundant,
        inputs=inputs,
    )
    steepness = float(np.sqrt(1 + (z**2).sum(axis=1)).max())
    return UnigramPrediction(spectrum, numbers, steepness)
