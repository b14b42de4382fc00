"""Models with random weights at their unigram point, on sources of a random kernel."""

from dataclasses import dataclass

import pytest
import torch

from landscape.comparison.checks import Report
from landscape.comparison.spectra import compare
from landscape.models import GPT
from landscape.models.initial import gaussian
from landscape.objectives.exact import ExactLoss
from landscape.points.critical_point import CriticalPoint
from landscape.points.unigram import unigram_point
from landscape.sources import LagMarkov, Markov, OrderKMarkov, SampledSource
from landscape.spectra.spectrum import Spectrum, hessian_spectrum
from tests.twins.sources import (
    Twin,
    first_order,
    lagged,
    random_rows,
    remembering,
    table as table_of,
)

ERROR = 1e-12  # times max(1, ||H||), the issue's; D eps ||H|| is 1e-13 at D = 450


def source_of(states: int, memory: str, seed: int) -> tuple[SampledSource, Twin]:
    """A source of random, non-reversible kernel, and its twin."""
    if memory == "order 2":
        second = OrderKMarkov(random_rows(states**2, states, seed))
        return second, remembering(memory, second, 2, table_of(second.kernel))
    first = Markov(random_rows(states, states, seed))
    if memory == "lag 2":
        lag = LagMarkov(first, 2)
        return lag, lagged(memory, lag, first.kernel)
    return first, first_order(memory, first, first.kernel)


@dataclass(frozen=True)
class Case:
    """A model with random weights at its unigram point, on a source."""

    model: torch.nn.Module
    loss: ExactLoss
    point: CriticalPoint

    def spectrum(self) -> Spectrum:
        return hessian_spectrum(self.model, self.loss, self.point.params)

    def report(self, spectrum: Spectrum | None = None) -> Report:
        return compare(self.model, self.loss, self.point, spectrum or self.spectrum())


def at_unigram(model: torch.nn.Module, loss: ExactLoss, deviation: float, seed: int) -> Case:
    point = unigram_point(model, loss, free=gaussian(model, deviation, seed))
    return Case(model, loss, point)


def ternary(source: SampledSource, tying: str = "tied") -> Case:
    model = GPT(states=3, width=2, length=3, hidden=3, layer_norm=False, tying=tying)
    return at_unigram(model, ExactLoss(source, 3), 0.6, 1)


STARTED = Markov(random_rows(3, 3, 19), start=[0.6, 0.1, 0.3])
both_tyings = pytest.mark.parametrize("tying", ["tied", "untied"])


def method(report: Report) -> str:
    assert report.predicted is not None
    return report.predicted.method
